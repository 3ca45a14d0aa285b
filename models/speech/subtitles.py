"""Transcripts as subtitles, in the two formats that players read."""

from __future__ import annotations

from collections.abc import Iterable

from models.speech.model import Segment


def srt(segments: Iterable[Segment]) -> str:
    """SubRip: numbered cues, commas before the milliseconds."""
    return "".join(
        f"{number}\n{_time(each.start, ',')} --> {_time(each.end, ',')}\n{_cue(each.text)}\n\n"
        for number, each in enumerate(segments, 1)
    )


def vtt(segments: Iterable[Segment]) -> str:
    """WebVTT; what would be markup there is written as text."""
    escape = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
    cues = (
        f"{_time(each.start, '.')} --> {_time(each.end, '.')}\n{_cue(each.text).translate(escape)}\n\n"
        for each in segments
    )
    return "WEBVTT\n\n" + "".join(cues)


def _time(seconds: float, point: str) -> str:
    """Hours, minutes, seconds and milliseconds; hours go on after 99."""
    milliseconds = round(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}{point}{milliseconds % 1000:03}"


def _cue(text: str) -> str:
    """One line: an empty one would end the cue, and an arrow would be read as its times."""
    return " ".join(text.split()).replace("-->", "->")
