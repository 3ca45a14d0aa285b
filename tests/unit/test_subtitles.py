"""Subtitles that players accept."""

from __future__ import annotations

from models.speech.model import Segment
from models.speech.subtitles import srt, vtt

SEGMENTS = [
    Segment(0.0, 5.08, " It was the best of times,"),
    Segment(5.08, 3661.9996, " <b>R&D</b> --> it was\n\nthe worst."),
]


def test_srt() -> None:
    assert srt(SEGMENTS) == (
        "1\n00:00:00,000 --> 00:00:05,080\nIt was the best of times,\n\n"
        "2\n00:00:05,080 --> 01:01:02,000\n<b>R&D</b> -> it was the worst.\n\n"
    )


def test_vtt() -> None:
    assert vtt(SEGMENTS) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:05.080\nIt was the best of times,\n\n"
        "00:00:05.080 --> 01:01:02.000\n&lt;b&gt;R&amp;D&lt;/b&gt; -&gt; it was the worst.\n\n"
    )


def test_nothing_said_is_a_file_without_cues() -> None:
    assert srt([]) == ""
    assert vtt([]) == "WEBVTT\n\n"


def test_a_hundred_hours() -> None:
    assert "100:00:00,500" in srt([Segment(0, 360_000.5, "late")])
