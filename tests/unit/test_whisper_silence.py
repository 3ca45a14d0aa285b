"""When nobody speaks: figures that Whisper tiny.en gave for real music, and for real speech in noise."""

from __future__ import annotations

import pytest

from models.speech.whisper_search import Written
from models.speech.whisper_transcription import convincing, silent


def written(no_speech: float, log_probability: float, *, looped: bool = False) -> Written:
    return Written((), no_speech, log_probability, looped)


MUSIC = [
    (0.126, -1.55, "you"),
    (0.343, -1.82, "Oh"),
    (0.425, -1.59, "."),
    (0.431, -0.98, "you"),
    (0.461, -1.75, "Thank you for watching!"),
    (0.498, -1.31, "Thank you."),
    (0.709, -0.98, "Thank you."),
    (0.757, -0.89, "you"),
    (0.438, -0.58, 60 * "Blum "),
    (0.778, -0.68, "I'm going to go to" + 22 * " the"),
]

SPEECH = [
    (0.348, -0.90, "Seven of course."),  # clubs, in white noise at -5 dB
    (0.235, -0.74, "He might even have been made still amiable himself."),
    (0.68, -0.40, "what is said clearly"),
    (0.05, -1.30, "what is said in a way that the model does not know"),
    (0.05, -0.30, 40 * "no, "),
]


@pytest.mark.parametrize(("no_speech", "log_probability", "text"), MUSIC)
def test_music_is_no_speech(no_speech: float, log_probability: float, text: str) -> None:
    assert silent(written(no_speech, log_probability), text)


@pytest.mark.parametrize(("no_speech", "log_probability", "text"), SPEECH)
def test_speech_is(no_speech: float, log_probability: float, text: str) -> None:
    assert not silent(written(no_speech, log_probability), text)


def test_a_sure_you_in_silence_is_no_speech_and_nothing_is_tried_again() -> None:
    silence = written(0.95, -0.1)
    assert silent(silence, "you")
    assert convincing(silence, "you")


def test_a_loop_that_may_be_speech_is_tried_again() -> None:
    assert not convincing(written(0.2, -0.1, looped=True), "no")
    assert not silent(written(0.2, -0.1, looped=True), "no")
    assert silent(written(0.51, -0.1, looped=True), "a tone")
