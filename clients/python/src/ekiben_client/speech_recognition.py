"""Speech recognition: what is said in a recording, at once or piece by piece."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ekiben_client._answer import Answer, Meta, expect, member
from ekiben_client._call import Call, parameters
from ekiben_client._events import EventReader
from ekiben_client._media import Body, Sound, file_name, form_body, read_file, sound_body
from ekiben_client.errors import StreamInterrupted, UnexpectedAnswer

PATH = "/v1/speech-recognition"
STREAM_PATH = "/v1/audio/transcriptions"
TIMEOUT_SECONDS = 600.0


@dataclass(frozen=True)
class Chunk:
    """A piece of a recording: `timestamp` is its start and its end in seconds; an open end is None."""

    text: str
    timestamp: tuple[float, float | None]


@dataclass(frozen=True)
class Transcript:
    """What is said; `chunks` are there where timestamps were asked for."""

    text: str
    chunks: tuple[Chunk, ...]
    meta: Meta = field(compare=False)


def recognition(*, timestamps: bool, language: str | None, model: str | None) -> Call[Sound, Transcript]:
    given = parameters(return_timestamps=timestamps, language=language, model=model)
    return Call(PATH, sound_body, _read, query=given, timeout_seconds=TIMEOUT_SECONDS)


def _read(answer: Answer, meta: Meta) -> Transcript:
    document = expect(answer.json(), dict)
    chunks = document.get("chunks")
    listed = [] if chunks is None else expect(chunks, list, "chunks")
    return Transcript(member(document, "text", str), tuple(map(_chunk, listed)), meta)


def _chunk(document: Any) -> Chunk:
    timestamp = member(document, "timestamp", list)
    if len(timestamp) != 2:
        raise UnexpectedAnswer(f"a timestamp has {len(timestamp)} ends")
    start, end = timestamp
    times = expect(start, float, "start"), None if end is None else expect(end, float, "end")
    return Chunk(member(document, "text", str), times)


def streamed_recognition(*, language: str | None, model: str | None) -> Call[Sound, Answer]:
    """The route of OpenAI's dialect, whose answer `TranscriptReader` reads."""
    fields = parameters(stream=True, language=language, model=model or "whisper-1")

    def encode(sound: Sound) -> Body:
        return form_body(fields, {"file": (file_name(sound), read_file(sound))})

    return Call(
        STREAM_PATH,
        encode,
        lambda answer, _: answer,
        accept="text/event-stream",
        timeout_seconds=TIMEOUT_SECONDS,
    )


class TranscriptReader:
    """Reads a streamed transcript: bytes in, pieces of text out. `done` once its last event is read."""

    def __init__(self) -> None:
        self.text = ""
        self.done = False
        self._events = EventReader()

    def feed(self, data: bytes) -> Iterator[str]:
        """The pieces that these bytes complete. Raises `UnexpectedAnswer`; `StreamInterrupted` for a streamed error."""
        for event in self._events.feed(data):
            if self.done or event == "[DONE]":
                continue
            try:
                document = json.loads(event)
            except (ValueError, RecursionError):
                raise UnexpectedAnswer("an event of the stream is not JSON") from None
            if "error" in expect(document, dict):
                raise StreamInterrupted(f"the server gave up: {_message(document['error'])}")
            kind = document.get("type")
            if kind == "transcript.text.delta":
                piece = member(document, "delta", str)
                self.text += piece
                yield piece
            elif kind == "transcript.text.done":
                self.text = member(document, "text", str)
                self.done = True


def _message(error: Any) -> str:
    return str(error.get("message", error) if isinstance(error, dict) else error)
