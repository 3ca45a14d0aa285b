"""Which media type an answer has: HTTP's `Accept` (RFC 9110, 12.5.1)."""

from __future__ import annotations

from collections.abc import Sequence

from python_multipart.multipart import parse_options_header

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


def _parse(media_range: str) -> tuple[str, float]:
    name, options = parse_options_header(media_range)
    try:
        return name.decode("latin-1").strip().lower(), float(options.get(b"q", b"1"))
    except ValueError:
        return "", 0.0


def _quality(media_type: str, ranges: Sequence[tuple[str, float]]) -> float:
    """Of the ranges that hold the type, the most exact one counts."""
    group = media_type.partition("/")[0] + "/*"
    for name in (media_type, group, "*/*"):
        found = [quality for each, quality in ranges if each == name]
        if found:
            return max(found)
    return 0.0
