"""Recordings and what is said in them, as the demos of speech need them."""
