"""API keys: who may ask. Only their hashes are kept, so that nothing can print them."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

from services.routes import paths

LEAST_CHARACTERS = 16

OPEN_PATHS = frozenset(
    {
        *(*paths.PROBES, paths.OPEN_INFERENCE_LIVE, paths.OPEN_INFERENCE_READY),
        *("/", "/docs", "/openapi.json"),
        paths.LANGUAGES,  # as in LibreTranslate itself
    }
)
OPEN_FOLDER = "/docs/assets/"

_HOLDER = re.compile(r"[A-Za-z0-9._-]{1,64}")
_KEY = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # what may follow "Bearer" (RFC 6750, 2.1)


@dataclass(frozen=True)
class Key:
    """`holder` is whose key it is, for logs and metrics; who changes keys may hold two for a while."""

    holder: str
    digest: bytes = field(repr=False)


def parse_keys(text: str) -> tuple[Key, ...]:
    """Keys, each as `holder:key` or alone, with commas or line ends between them.

    One without a holder is named by its place: `key-1`. Raises `ValueError`, which holds no key.
    """
    entries = [entry.strip() for entry in re.split(r"[,\n]", text) if entry.strip()]
    if not entries:
        raise ValueError("names no key")
    keys = tuple(_parse(place, entry) for place, entry in enumerate(entries, start=1))
    if len({key.digest for key in keys}) < len(keys):
        raise ValueError("the same key is there twice")
    return keys


def _parse(place: int, entry: str) -> Key:
    holder, colon, key = entry.rpartition(":")
    if colon and not _HOLDER.fullmatch(holder):
        raise ValueError(f"entry {place}: a holder is 1 to 64 letters, digits, dots, underscores and hyphens")
    if not _KEY.fullmatch(key):
        raise ValueError(f"entry {place}: a key has letters, digits, and -._~+/ only, with = at its end")
    if len(key) < LEAST_CHARACTERS:
        raise ValueError(f"entry {place}: the key has fewer than {LEAST_CHARACTERS} characters")
    return Key(holder or f"key-{place}", _digest(key.encode()))


def needs_key(path: str) -> bool:
    """What is in no list needs one, also where there is nothing."""
    return path not in OPEN_PATHS and not path.startswith(OPEN_FOLDER)


def find_holder(keys: Iterable[Key], presented: bytes) -> str | None:
    """Whose key it is. Compared with every key, in a time that says nothing of how near it came."""
    digest = _digest(presented)
    found = None
    for key in keys:
        if hmac.compare_digest(key.digest, digest):
            found = key.holder
    return found


def _digest(key: bytes) -> bytes:
    return sha256(key).digest()
