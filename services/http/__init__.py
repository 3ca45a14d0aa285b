"""HTTP itself: bodies and their forms, content coding and negotiation, errors, OpenAPI, and the edge around it all."""
