"""What the tests of speech over HTTP have in common."""

from __future__ import annotations

import re

import numpy as np

from models.speech.audio import RATE, Samples
from tests import recordings

ROUTE = "/v1/speech-recognition"
OPENAI = "/v1/audio/transcriptions"

BECKETT = "Ever tried, ever failed. No matter, try again. Fail again. Fail better."


def words(text: str) -> list[str]:
    """A text as it is spoken, roughly: for likeness, not for measuring."""
    return re.findall(r"[a-z0-9']+", text.lower())


def long_recording(seconds: int) -> Samples:
    """Real speech, over and over."""
    once = recordings.joined(["two_cities", "librivox-0870", "librivox-0920", "beckett"])
    return np.resize(once, seconds * RATE)
