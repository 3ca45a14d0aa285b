"""Origins: sites whose pages may read our answers in a browser (CORS)."""

from __future__ import annotations

import re
from typing import Final

ANY: Final = "*"

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9._-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?")


def parse_origins(text: str) -> tuple[str, ...]:
    """Origins as browsers send them (`https://app.example`), with commas between them, or `*`. Raises `ValueError`."""
    origins = tuple(dict.fromkeys(origin.strip() for origin in text.split(",") if origin.strip()))
    if not origins:
        raise ValueError("names no origin")
    if wrong := [origin for origin in origins if origin != ANY and not _ORIGIN.fullmatch(origin)]:
        raise ValueError(f"not an origin, as in https://app.example or http://localhost:8080: {', '.join(wrong)}")
    if ANY in origins and len(origins) > 1:
        raise ValueError("* stands for all others already")
    return origins
