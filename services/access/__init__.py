"""Who may ask, from where, and how much at a time: only where it is configured."""
