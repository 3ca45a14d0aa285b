"""Pictures and videos on their way in and out of a page, and the examples that ship with the repository."""

from __future__ import annotations

import functools
import io
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component
from PIL import Image, ImageOps

EXAMPLES = Path(__file__).parents[3] / "examples"


def photo(label: str, **settings: Any) -> gr.Image:
    """A picture that arrives as its file's path, untouched: the server decodes it, and says so where it cannot.

    Not a subclass: beside one Gradio writes a file of its own.
    """
    image = gr.Image(label=label, type="filepath", buttons=["fullscreen"], **settings)
    image.preprocess = lambda payload: payload.path if payload else None  # type: ignore[method-assign]
    return image


def shown(label: str, **settings: Any) -> gr.Image:
    """A picture that a demo gives, to enlarge and to download."""
    return gr.Image(label=label, interactive=False, format="jpeg", buttons=["download", "fullscreen"], **settings)


def offer(target: Component, files: Mapping[str, str], *, pictures: Mapping[str, str] | None = None) -> None:
    """Buttons that put an example into a component: names and files of `clients/examples`.

    Where the files are no pictures, `pictures` has those for the buttons, as far as there are any. Gradio's own
    examples have no names for screen readers.
    """
    with gr.Row(elem_classes="examples"):
        gr.HTML("<p>Or try:</p>")
        for name, file in files.items():
            icon = (files if pictures is None else pictures).get(name)
            button = gr.Button(name, icon=icon and example(icon), size="sm", scale=0)
            button.click(functools.partial(example, file), None, target, queue=False, show_progress="hidden")


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
