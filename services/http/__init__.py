"""HTTP itself, and nothing of ekiben's: bodies and their forms, codings, negotiation, errors, kept connections."""
