"""What a person is told about a fault."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import gradio as gr
import pytest
from ekiben_client import errors
from PIL import UnidentifiedImageError

from ekiben_demos.faults import CannotDo, sentence, tells_faults

FIELD = errors.FieldError("style_image", "cannot be decoded")
NAMED = errors.FieldError("image", "the picture is truncated")


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (CannotDo("Too long."), "Too long."),
        (errors.InvalidInput("x", fields=(FIELD,)), "The painting cannot be decoded."),
        (errors.InvalidInput("x", fields=(NAMED,)), "The picture is truncated."),
        (errors.BudgetExceeded("the picture has too many pixels"), "The server does not take this: the picture has"),
        (errors.ConnectionFailed("refused"), "The ekiben server does not answer."),
        (errors.Overloaded("full"), "The server is busy."),
        (errors.ServerDeadlineExceeded("late"), "The server is busy."),
        (errors.Unavailable("starting"), "The models are still loading"),
        (errors.InternalError("oops", request_id="abc"), "The server made a mistake. Its log has more under abc."),
        (UnidentifiedImageError("/var/secret"), "This file is not a picture that can be read."),
    ],
)
def test_sentence(fault: Exception, told: str) -> None:
    assert sentence(fault).startswith(told)
    assert "secret" not in sentence(fault)


def test_what_nobody_thought_of_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        assert "secret" not in sentence(KeyError("secret"))
    assert "secret" in caplog.text


def test_function_and_generator_tell_their_faults() -> None:
    @tells_faults
    def function(value: int) -> float:
        return 1 / value

    @tells_faults
    def generator() -> Iterator[int]:
        yield 1
        raise CannotDo("<b>no</b>")

    assert function(2) == 0.5
    with pytest.raises(gr.Error, match="Something went wrong"):
        function(0)
    steps = generator()
    assert next(steps) == 1
    with pytest.raises(gr.Error, match="&lt;b&gt;no"):
        next(steps)
