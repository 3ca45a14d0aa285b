"""Speech by the real server, through both clients."""

from __future__ import annotations

import asyncio
import difflib
from typing import Any, Callable

import pytest

from ekiben_client import AsyncClient, Client

from .recordings import LONG_TALK, TALK, mp3, said, words
from .serving import Server


def test_what_is_said_is_written_down_with_its_times(ask: Callable[..., Any], talk: bytes) -> None:
    transcript = ask("recognize_speech", talk, timestamps=True)
    assert transcript.meta.model == "whisper-tiny-en"
    assert words(transcript.text) == said(TALK)
    assert [words(chunk.text) for chunk in transcript.chunks] == [said([clip]) for clip in TALK]
    [(start, pause), (again, end)] = [chunk.timestamp for chunk in transcript.chunks]
    assert 0 <= start < pause <= again < end
    assert ask("recognize_speech", talk).chunks == ()


def blocking(url: str, recording: bytes) -> tuple[list[str], str, str]:
    with Client(url) as client, client.stream_speech(recording) as stream:
        return list(stream), stream.text, stream.meta.model


def asynchronous(url: str, recording: bytes) -> tuple[list[str], str, str]:
    async def run() -> tuple[list[str], str, str]:
        async with AsyncClient(url) as client, client.stream_speech(recording) as stream:
            return [piece async for piece in stream], stream.text, stream.meta.model

    return asyncio.run(run())


@pytest.mark.parametrize("stream", [blocking, asynchronous])
def test_a_long_recording_is_streamed_in_pieces(server: Server, stream: Any) -> None:
    pieces, text, model = stream(server.url, mp3(LONG_TALK))
    assert model == "whisper-tiny-en"
    assert len(pieces) > 1
    assert "".join(pieces) == text
    assert difflib.SequenceMatcher(None, words(text), said(LONG_TALK), False).ratio() > 0.97
