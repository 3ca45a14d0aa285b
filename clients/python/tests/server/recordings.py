"""Speech: the repository's clips, and what is said in them."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from typing import Any

import av

from .serving import ROOT

FOLDER = ROOT / "tests/data/recordings"
TEXTS: dict[str, str] = json.loads((FOLDER / "recordings.json").read_text("utf-8"))
TALK = ("librivox-0920", "librivox-0930")
LONG_TALK = ("librivox-0870", *TALK) * 2
"""More than the 30 seconds that Whisper hears at once."""


def words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower().replace("mr.", "mister"))


def said(clips: Sequence[str]) -> list[str]:
    """The words of clips, as a person wrote them down."""
    return words(" ".join(TEXTS[clip] for clip in clips))


def mp3(clips: Sequence[str]) -> bytes:
    """Clips one after the other as an MP3, which is what README's example has."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp3") as output:
        stream: Any = output.add_stream("libmp3lame", rate=16_000, layout="mono")
        resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=16_000)
        for clip in clips:
            with av.open(str(FOLDER / f"{clip}.flac")) as recording:
                for frame in recording.decode(audio=0):
                    frame.pts = None  # each clip's own begins at 0
                    for resampled in resampler.resample(frame):
                        output.mux(stream.encode(resampled))
        output.mux(stream.encode(None))
    return file.getvalue()
