"""A small house that obeys: what is said becomes a command, a command changes the house, and the house is drawn."""
