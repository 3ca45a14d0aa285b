"""Style transfer: a picture painted in the manner of another."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

from ekiben_client._answer import Answer, Meta, expect, member
from ekiben_client._call import Call, parameters, question
from ekiben_client._media import Body, Picture, form_body, picture_body, read_picture
from ekiben_client.errors import UnexpectedAnswer

PATH = "/v1/style-transfer"
STYLES_PATH = "/v1/styles"

MEDIA_TYPES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}


@dataclass(frozen=True)
class Style:
    """A style that the server has: `name` is what `transfer_style` takes."""

    name: str
    title: str


@dataclass(frozen=True)
class StyledPicture:
    """A picture file."""

    data: bytes = field(repr=False)
    media_type: str
    meta: Meta = field(compare=False)

    def save(self, path: str | os.PathLike[str]) -> None:
        Path(path).write_bytes(self.data)


def transfer(
    style: str | None,
    style_image: Picture | None,
    *,
    strength: float,
    max_side: int | None,
    format: str,
    model: str | None,
) -> Call[Picture, StyledPicture]:
    """Raises `ValueError` for a format that there is not."""
    if format not in MEDIA_TYPES:
        raise ValueError(f"format is {format!r}, not one of {', '.join(MEDIA_TYPES)}")
    given = parameters(style=style, strength=strength, max_side=max_side, model=model)
    encode = picture_body if style_image is None else _Pair(style_image).body
    return Call(PATH, encode, _read, query=given, accept=MEDIA_TYPES[format])


class _Pair:
    """Puts pictures into forms beside one style picture, which is read once: a file can be read only once."""

    def __init__(self, style_image: Picture) -> None:
        self._style_image = style_image
        self._style: bytes | None = None
        self._lock = threading.Lock()

    def body(self, picture: Picture) -> Body:
        with self._lock:
            if self._style is None:
                self._style = read_picture(self._style_image)
        return form_body({}, {"image": ("image", read_picture(picture)), "style_image": ("style", self._style)})


def _read(answer: Answer, meta: Meta) -> StyledPicture:
    media_type = answer.headers.get("content-type", "")
    if media_type not in MEDIA_TYPES.values():
        raise UnexpectedAnswer(f"the answer is {media_type or 'of no type'} where a picture was expected")
    return StyledPicture(answer.content, media_type, meta)


def styles() -> Call[None, tuple[Style, ...]]:
    return question(STYLES_PATH, _read_styles)


def _read_styles(answer: Answer, meta: Meta) -> tuple[Style, ...]:
    listed = expect(answer.json(), list)
    return tuple(Style(member(each, "name", str), member(each, "title", str)) for each in listed)
