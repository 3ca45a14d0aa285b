"""Pictures and videos on their way in and out of a page, and the examples that ship with the repository."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image, ImageOps

EXAMPLES = Path(__file__).parents[3] / "examples"


def photo(label: str, **settings: Any) -> gr.Image:
    """A picture that arrives as its file's path, untouched: the server decodes it, and says so where it cannot.

    Not a subclass: beside one Gradio writes a file of its own.
    """
    image = gr.Image(label=label, type="filepath", **settings)
    image.preprocess = lambda payload: payload.path if payload else None  # type: ignore[method-assign]
    return image


def example(name: str) -> str:
    """The path of an example. Raises `FileNotFoundError`."""
    return str((EXAMPLES / name).resolve(strict=True))


def new_file(name: str) -> Path:
    """Where a demo may write a file of this name; it goes when the demos stop."""
    return Path(tempfile.mkdtemp()) / name


def jpeg(picture: Image.Image) -> bytes:
    """A tenth of the bytes, and of the time, of a PNG."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90)
    return file.getvalue()


def small_jpeg(path: str, side: int) -> bytes:
    """The picture, upright, with at most so many pixels on its longer side. Raises what Pillow raises."""
    with Image.open(path) as picture:
        picture.draft("RGB", (2 * side, 2 * side))
        small = ImageOps.exif_transpose(picture).convert("RGB")
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return jpeg(small)
