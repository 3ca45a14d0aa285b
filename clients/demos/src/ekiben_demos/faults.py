"""How a fault becomes a sentence in the page, and never a stack trace."""

from __future__ import annotations

import functools
import html
import inspect
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import av.error
import gradio as gr
from ekiben_client import EkibenError, errors
from PIL import Image, UnidentifiedImageError

log = logging.getLogger("ekiben_demos")


THINGS = {"image": "the picture", "style_image": "the painting", "audio": "the recording", "inputs": "the text"}
"""What a person calls the fields of requests."""


class CannotDo(Exception):
    """A demo's own reason why it cannot do what it was asked: a sentence for the page."""


def sentence(fault: Exception) -> str:
    """What a person is told about a fault."""
    match fault:
        case CannotDo():
            return str(fault)
        case errors.ConnectionFailed() | errors.UnexpectedAnswer():
            return "The ekiben server does not answer. Is it running? `make serve` starts it."
        case errors.Unavailable():
            return "The models are still loading, or the server is about to stop. Try again in a moment."
        case errors.Overloaded() | errors.DeadlineExceeded():
            return "The server is busy. Try again in a moment."
        case errors.InternalError():
            return f"The server made a mistake. Its log has more under {fault.request_id}."
        case errors.StatusError(fields=[first, *_]):
            return _about(first)
        case EkibenError():
            return f"The server does not take this: {fault.detail.rstrip('.')}."
        case UnidentifiedImageError() | Image.DecompressionBombError():
            return "This file is not a picture that can be read."
        case av.error.FFmpegError():
            return "This file is not a video or a recording that can be read."
        case _:
            log.error("a demo failed", exc_info=fault)
            return "Something went wrong in this demo; the terminal that it runs in has the details."


def _about(fault: errors.FieldError) -> str:
    """What is wrong with a field, which the server's message may name or leave out."""
    thing, message = THINGS.get(fault.field, fault.field), fault.message.rstrip(".")
    whole = message if message.startswith(thing) else f"{thing} {message}"
    return f"{whole[0].upper()}{whole[1:]}."


@contextmanager
def told_in_the_page() -> Iterator[None]:
    """Turn what goes wrong inside into an error of Gradio's."""
    try:
        yield
    except gr.Error:
        raise
    except Exception as fault:
        text = html.escape(sentence(fault), quote=False)
        raise gr.Error(text, title="That did not work", duration=None, print_exception=False) from fault


def tells_faults(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a handler of Gradio's, a function or a generator, so that its faults are told in the page."""
    if inspect.isgeneratorfunction(handler):

        @functools.wraps(handler)
        def generator(*inputs: Any, **named: Any) -> Iterator[Any]:
            with told_in_the_page():
                yield from handler(*inputs, **named)

        return generator

    @functools.wraps(handler)
    def function(*inputs: Any, **named: Any) -> Any:
        with told_in_the_page():
            return handler(*inputs, **named)

    return function
