"""Content codings of HTTP: gzip and deflate, within a request's budget of bytes."""

from __future__ import annotations

import asyncio
import zlib
from typing import Final

from models.errors import BudgetExceeded, MalformedBody, UnsupportedMedia
from services.http.bodies import Share

GZIP_WINDOW: Final = 31
"""zlib's way to say: 32 KB, with the head and tail of gzip."""

WINDOWS: Final = {"gzip": GZIP_WINDOW, "x-gzip": GZIP_WINDOW, "deflate": zlib.MAX_WBITS}

STEP_BYTES: Final = 1_000_000

WORTHWHILE_BYTES: Final = 1_000

FASTEST: Final = 1


async def decompressed(body: bytes, coding: str, budget: int, share: Share) -> bytes:
    """The body without its coding. It is accounted for megabyte by megabyte, before the next one is unpacked.

    Raises `UnsupportedMedia`, `MalformedBody` or, as soon as it is known, `BudgetExceeded`.
    """
    coding = coding.strip().lower()
    if coding in ("", "identity"):
        return body
    if coding not in WINDOWS:
        raise UnsupportedMedia(f"the content coding {coding!r} is not accepted; send gzip, deflate, or none")
    unpacking = zlib.decompressobj(WINDOWS[coding])
    chunks: list[bytes] = []
    length, rest = 0, body
    while not unpacking.eof:
        try:
            chunk = await asyncio.to_thread(unpacking.decompress, rest, STEP_BYTES)
        except zlib.error:
            raise MalformedBody(f"the body is not {coding}") from None
        share.take(len(chunk))
        length += len(chunk)
        if length > budget:
            raise BudgetExceeded(f"the body is longer than the {budget:,} bytes that are accepted here")
        chunks.append(chunk)
        rest = unpacking.unconsumed_tail
        if not chunk and not rest and not unpacking.eof:
            raise MalformedBody(f"the body ends before its {coding} does")
    if unpacking.unused_data:
        raise MalformedBody(f"the body goes on after its {coding}")
    return b"".join(chunks)


def accepted(header: str) -> str | None:
    """The coding of an answer that `Accept-Encoding` allows, or None."""
    for part in header.lower().split(","):
        coding, _, quality = part.partition(";")
        if coding.strip() in ("gzip", "deflate") and quality.replace(" ", "") not in (
            "q=0",
            "q=0.0",
            "q=0.00",
            "q=0.000",
        ):
            return coding.strip()
    return None


def compressed(body: bytes, coding: str) -> bytes:
    return zlib.compress(body, FASTEST, WINDOWS[coding])
