"""Transcripts as subtitles: SubRip and WebVTT (https://www.w3.org/TR/webvtt1/)."""

from __future__ import annotations

from collections.abc import Iterator

from ekiben_client.speech_recognition import Transcript


def srt(transcript: Transcript) -> str:
    cues = enumerate(_cues(transcript, ","), 1)
    return "".join(f"{number}\n{start} --> {end}\n{text}\n\n" for number, (start, end, text) in cues)


def vtt(transcript: Transcript) -> str:
    return "WEBVTT\n\n" + "".join(f"{start} --> {end}\n{text}\n\n" for start, end, text in _cues(transcript, "."))


OPEN_END_SECONDS = 5.0
"""How long a cue stays whose end is not known."""


def _cues(transcript: Transcript, point: str) -> Iterator[tuple[str, str, str]]:
    for chunk in transcript.chunks:
        start, end = chunk.timestamp
        text = " ".join(chunk.text.split()).replace("-->", "->")  # an arrow or an empty line would end the cue
        if text:
            yield clock(start, point), clock(start + OPEN_END_SECONDS if end is None else end, point), text


def clock(seconds: float, point: str) -> str:
    """`hh:mm:ss,mmm`."""
    milliseconds = round(seconds * 1e3)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}{point}{milliseconds % 1000:03}"
