"""Components whose files reach the demo as they were uploaded, and the examples that ship with the repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

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
