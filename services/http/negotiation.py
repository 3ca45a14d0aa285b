"""Which media type an answer has: HTTP's `Accept` (RFC 9110, 12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from models.errors import NotAcceptable


def negotiate(accept: str, offered: Sequence[str]) -> str:
    """The offered media type that the header likes best, of equals the first; "" where none is offered.

    Raises `NotAcceptable` where it likes none.
    """
    if not offered:
        return ""
    ranges = [_parse(each) for each in accept.split(",") if each.strip()] or [("*/*", 1.0)]
    liking = {media_type: _quality(media_type, ranges) for media_type in offered}
    best = max(offered, key=lambda media_type: liking[media_type])
    if liking[best] <= 0:
        raise NotAcceptable(f"Accept names none of {', '.join(offered)}")
    return best


def prefers(accept: str, one: str, other: str) -> bool:
    """Whether the header likes one media type better than the other, which is the usual one."""
    return one in accept.lower() and negotiate(f"{accept}, {other};q=0.001", (other, one)) == one


def _parse(media_range: str) -> tuple[str, float]:
    name, *options = (part.strip().lower() for part in media_range.split(";"))
    quality = next((option.removeprefix("q=") for option in options if option.startswith("q=")), "1")
    # Java's old client sends ".2"; what is no number from 0 to 1 is not taken for a liking.
    return name, min(1.0, float(quality)) if re.fullmatch(r"[01](\.[0-9]{0,9})?|\.[0-9]{1,9}", quality) else 0.0


def _quality(media_type: str, ranges: Sequence[tuple[str, float]]) -> float:
    """Of the ranges that hold the type, the most exact one counts."""
    group = media_type.partition("/")[0] + "/*"
    for name in (media_type, group, "*/*"):
        found = [quality for each, quality in ranges if each == name]
        if found:
            return max(found)
    return 0.0
