"""HTTP itself, whatever is asked: bodies and their forms, codings, negotiation, errors, kept connections."""
