"""The kinds of media that requests carry, known by their media types and by their first bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from models.limits import Limits


@dataclass(frozen=True)
class MediaKind:
    """A kind of media: what it is called, which media types are accepted and how large a body may be.

    What `is_text` reaches the task as text, and JSON holds it as it is, one text or a list of them. `aliases` are
    unregistered names that clients use for accepted types. `signatures` are (media type, predicate over the first
    bytes); types outside `accepts` are there to be refused by name.
    """

    name: str
    accepts: tuple[str, ...]
    aliases: tuple[str, ...]
    signatures: tuple[tuple[str, Callable[[bytes], bool]], ...]
    max_bytes: Callable[[Limits], int]
    is_text: bool = False

    def sniff(self, data: bytes) -> str | None:
        """The media type that the first bytes show, or None where they show none that is known."""
        head = bytes(data[:16])
        return next((media_type for media_type, matches in self.signatures if matches(head)), None)


PICTURE = MediaKind(
    name="picture",
    accepts=("image/jpeg", "image/png", "image/webp"),
    aliases=("image/jpg", "image/pjpeg", "image/x-png"),
    signatures=(
        ("image/jpeg", lambda head: head.startswith(b"\xff\xd8\xff")),
        ("image/png", lambda head: head.startswith(b"\x89PNG\r\n\x1a\n")),
        ("image/webp", lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP"),
        ("image/gif", lambda head: head.startswith((b"GIF87a", b"GIF89a"))),
        ("image/bmp", lambda head: head[:2] == b"BM" and head[6:10] == bytes(4)),
        ("image/tiff", lambda head: head.startswith((b"II*\x00", b"MM\x00*"))),
        ("image/avif", lambda head: head[4:12] in (b"ftypavif", b"ftypavis")),
        ("image/heic", lambda head: head[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1")),
        ("application/pdf", lambda head: head.startswith(b"%PDF-")),
    ),
    max_bytes=lambda limits: limits.picture_bytes,
)

TEXT = MediaKind(
    name="text",
    accepts=("text/plain",),
    aliases=(),
    signatures=PICTURE.signatures,
    max_bytes=lambda limits: 4 * limits.text_characters,  # the most that UTF-8 needs
    is_text=True,
)


def _is_mp3(head: bytes) -> bool:
    """An ID3 tag, or the first frame's header: eleven bits set, a layer that is not reserved."""
    return head.startswith(b"ID3") or (head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xE6 in (0xE2, 0xE4, 0xE6))


AUDIO = MediaKind(
    name="recording",
    accepts=(
        "audio/wav",
        "audio/flac",
        "audio/mpeg",
        "audio/ogg",
        "audio/webm",
        "audio/mp4",
        "audio/aac",
        "video/webm",
        "video/mp4",
    ),
    aliases=(
        "audio/x-wav",
        "audio/wave",
        "audio/vnd.wave",
        "audio/x-flac",
        "audio/mp3",
        "audio/x-mp3",
        "audio/mpga",
        "audio/opus",
        "audio/vorbis",
        "application/ogg",
        "video/ogg",
        "audio/m4a",
        "audio/x-m4a",
        "audio/mp4a-latm",
        "audio/x-matroska",
        "video/x-matroska",
        "video/quicktime",
    ),
    signatures=(
        ("audio/wav", lambda head: head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE"),
        ("audio/flac", lambda head: head.startswith(b"fLaC")),
        ("audio/ogg", lambda head: head.startswith(b"OggS")),
        ("audio/webm", lambda head: head.startswith(b"\x1a\x45\xdf\xa3")),
        ("audio/mp4", lambda head: head[4:8] == b"ftyp"),
        ("audio/mpeg", _is_mp3),
        *((name, matches) for name, matches in PICTURE.signatures if name != "image/heic" and name != "image/avif"),
    ),
    max_bytes=lambda limits: limits.audio_bytes,
)
