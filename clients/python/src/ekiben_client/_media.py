"""What callers pass in, as the bytes that are sent. Pillow and NumPy are used where they happen to be loaded."""

from __future__ import annotations

import io
import os
import struct
import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Union

import httpx

from ekiben_client.errors import UnreadableInput

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

Sound = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, IO[bytes]]
"""A path, the file's bytes, or a file opened as binary."""

Picture = Union[Sound, "Image", "NDArray[np.uint8]"]
"""As `Sound`, or a Pillow image, or an array of bytes: `[height, width]`, or with 1 to 4 channels behind."""

BYTES = "application/octet-stream"
"""The server looks at the first bytes, which know better than a file's ending."""


@dataclass(frozen=True)
class Body:
    """A request's body, whole, so that it can be sent again."""

    content: bytes = b""
    media_type: str = ""


def picture_body(picture: Picture) -> Body:
    return Body(read_picture(picture), BYTES)


def sound_body(sound: Sound) -> Body:
    return Body(read_file(sound), BYTES)


def form_body(fields: Mapping[str, str], files: Mapping[str, tuple[str, bytes]]) -> Body:
    """A multipart form; files are `(name, content)`."""
    parts = {field: (name, content, BYTES) for field, (name, content) in files.items()}
    request = httpx.Request("POST", "http://form", data=dict(fields), files=parts)
    return Body(request.read(), request.headers["content-type"])


def read_picture(picture: Picture) -> bytes:
    """The picture as a file. Raises `UnreadableInput`."""
    pillow, numpy = sys.modules.get("PIL.Image"), sys.modules.get("numpy")
    if pillow is not None and isinstance(picture, pillow.Image):
        return _encode_image(picture)
    if numpy is not None and isinstance(picture, numpy.ndarray):
        return _encode_array(picture)
    return read_file(picture)  # type: ignore[arg-type]


def read_file(file: Sound) -> bytes:
    """All of a file. Raises `UnreadableInput`."""
    try:
        if isinstance(file, (bytes, bytearray, memoryview)):
            return bytes(file)
        if isinstance(file, (str, os.PathLike)):
            if str(file).startswith(("http://", "https://")):
                raise UnreadableInput("URLs are never fetched; pass a file or its bytes")
            return Path(file).read_bytes()
        if hasattr(file, "read"):
            data = file.read()
            if isinstance(data, bytes):
                return data
            raise UnreadableInput("the file is opened as text; open it with mode 'rb'")
    except (OSError, ValueError) as error:  # ValueError: a closed file, a path with a zero byte
        if isinstance(error, UnreadableInput):
            raise
        reason = getattr(error, "strerror", None) or error  # without the path, which the caller knows
        raise UnreadableInput(f"the file cannot be read: {reason}") from error
    raise UnreadableInput(f"{type(file).__name__} is not a path, bytes, or a file opened as binary")


def file_name(file: Sound) -> str:
    """What to call the file in a form."""
    return Path(file).name if isinstance(file, (str, os.PathLike)) else "file"


PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")


def _encode_image(image: Image) -> bytes:
    """As PNG, upright: the file that is made has no EXIF orientation."""
    from PIL import ImageOps  # loaded already, or there would be no image

    file = io.BytesIO()
    try:
        upright = ImageOps.exif_transpose(image)
        (upright if upright.mode in PNG_MODES else upright.convert("RGB")).save(file, "PNG", compress_level=1)
    except Exception as error:  # Pillow raises a great many kinds, SystemError among them
        raise UnreadableInput(f"the image cannot be encoded: {error}") from error
    return file.getvalue()


PNG_COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}
"""Number of channels → PNG's colour type: grey, grey and alpha, RGB, RGBA."""


def _encode_array(array: NDArray[Any]) -> bytes:
    """As PNG, written here: who has NumPy need not have Pillow."""
    pixels = array[:, :, None] if array.ndim == 2 else array
    if pixels.ndim != 3 or pixels.dtype != "uint8" or pixels.shape[2] not in PNG_COLOURS or not pixels.size:
        raise UnreadableInput(
            f"an array of {array.dtype} and shape {array.shape} is not a picture: "
            "uint8, [height, width] or [height, width, 1 to 4 channels]"
        )
    height, width, channels = pixels.shape
    row = width * channels
    data = pixels.tobytes()
    lines = b"".join(b"\0" + data[start : start + row] for start in range(0, len(data), row))
    header = struct.pack(">IIBBBBB", width, height, 8, PNG_COLOURS[channels], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
