"""The HTTP routes: the native ones, and adapters for the dialects that existing clients speak."""
