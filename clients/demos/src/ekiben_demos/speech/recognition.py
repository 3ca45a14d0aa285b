"""Speech to sentences with their times, while the rest is still being recognised."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from ekiben_client import Client

from ekiben_demos.speech.pauses import Piece, pieces_of
from ekiben_demos.speech.sentences import Said, cues_of
from ekiben_demos.speech.subtitles import Cue

IN_FLIGHT = 2
"""Pieces that are recognised at a time: more would keep others waiting."""


def sentences_with_times(client: Client, path: str) -> Iterator[list[Cue]]:
    """The cues of one piece of the recording after the other. Raises `EkibenError`, and as `pieces_of`."""
    asked: deque[Piece] = deque()

    def recordings() -> Iterator[bytes]:
        for piece in pieces_of(path):
            asked.append(piece)
            yield piece.wav()

    for outcome in client.recognize_speech_many(recordings(), timestamps=True, in_flight=IN_FLIGHT):
        piece = asked.popleft()
        said = []
        for chunk in outcome.result().chunks:
            start, end = chunk.timestamp
            end = piece.seconds if end is None else min(end, piece.seconds)
            said.append(Said(chunk.text, piece.start + min(start, end), piece.start + end))
        yield cues_of(said)
