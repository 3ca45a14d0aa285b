"""How much one request may ask for; the server's settings fill these in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Budgets, each checked before the memory that it guards is spent."""

    picture_bytes: int = 25_000_000
    picture_pixels: int = 50_000_000
    audio_bytes: int = 100_000_000
    audio_seconds: int = 3_600
    text_characters: int = 500_000
    texts: int = 10_000
    """Each has a language that may have to be found out, and a translation of its own."""
    multipart_parts: int = 64
    json_depth: int = 32
    json_values: int = 100_000
    tensor_bytes: int = 100_000_000
    """Of all the tensors of one inference request, or of its answer."""
    tensor_values: int = 2_000_000
    """Of those that travel as JSON: as Python's objects they take many times their bytes."""
