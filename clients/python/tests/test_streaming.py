"""Speech as it is recognised, and what becomes of streams that break."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekiben_client import AsyncClient, Client, EkibenError, errors
from ekiben_client._events import EventReader

from .both import Recorder
from .scripted import HEAD, chunk, scripted
from .stand_in import EVENTS, TEXT, Reply, asked_by, events, problem

PIECES = [" Good morning.", " Where is the station?"]
FIRST = chunk(events(EVENTS[:1]))
WHOLE = HEAD + chunk(events()) + b"0\r\n\r\n"


def blocking(url: str = "http://stand-in", transport: Any = None, **options: Any) -> tuple[list[str], str]:
    """The pieces and the text, from the blocking client."""
    with Client(url, transport=transport, **options) as client, client.stream_speech(b"RIFF") as stream:
        return list(stream), stream.text


def asynchronous(url: str = "http://stand-in", transport: Any = None, **options: Any) -> tuple[list[str], str]:
    async def run() -> tuple[list[str], str]:
        client = AsyncClient(url, transport=transport, **options)
        async with client, client.stream_speech(b"RIFF") as stream:
            return [piece async for piece in stream], stream.text

    return asyncio.run(run())


either = pytest.mark.parametrize("stream", [blocking, asynchronous])


@either
def test_pieces_come_in_order_and_then_the_text(stream: Any) -> None:
    recorder = Recorder()
    assert stream(transport=httpx.MockTransport(recorder)) == (PIECES, TEXT)
    asked = asked_by(recorder.requests[0])
    assert (asked.path, asked.media) == ("/v1/audio/transcriptions", {"file": b"RIFF"})
    assert asked.parameters == {"stream": "true", "model": "whisper-1"}


def test_a_stream_has_a_meta() -> None:
    client = Client("http://stand-in", transport=httpx.MockTransport(Recorder()))
    with client, client.stream_speech(b"RIFF", model="whisper-tiny", language="en") as stream:
        assert stream.meta.model == "whisper-tiny"
        assert stream.text == ""


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in zip(edges, edges[1:])]


line_ends = st.sampled_from(["\n", "\r\n", "\r"])
texts = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))
payloads = st.lists(texts, min_size=1, max_size=3)


@given(sent=st.lists(st.tuples(payloads, line_ends), max_size=4), places=st.lists(st.integers(0, 10_000), max_size=8))
def test_events_are_the_same_however_their_bytes_are_cut(sent: list[tuple[list[str], str]], places: list[int]) -> None:
    def event(lines: list[str], end: str) -> str:
        return "".join(f"{line}{end}" for line in (": a comment", "id: 7", *(f"data: {line}" for line in lines), ""))

    stream = "".join(event(*each) for each in sent)
    reader = EventReader()
    got = [event for part in cut((stream + ":").encode(), places) for event in reader.feed(part)]
    assert got == ["\n".join(lines) for lines, _ in sent]


@either
def test_a_stream_that_breaks_before_its_first_byte_is_asked_for_again(stream: Any) -> None:
    with scripted(b"", HEAD, WHOLE) as server:
        assert stream(server.url, retries=4) == (PIECES, TEXT)
        assert server.asked == 3
        server.wait_until_closed()


@either
@pytest.mark.parametrize(
    ("reply", "reset"), [(HEAD + FIRST, True), (HEAD + FIRST, False), (HEAD + FIRST + b"0\r\n\r\n", False)]
)
def test_a_stream_that_breaks_later_is_not_sent_twice(stream: Any, reply: bytes, reset: bool) -> None:
    with scripted(reply, WHOLE, reset=reset) as server:
        with pytest.raises(errors.StreamInterrupted) as caught:
            stream(server.url, retries=4)
        assert server.asked == 1
        assert len(caught.value.request_id) == 32
        server.wait_until_closed()


def test_the_pieces_before_a_break_are_handed_out() -> None:
    with scripted(HEAD + FIRST, reset=False) as server, Client(server.url) as client:
        with client.stream_speech(b"RIFF") as stream:
            pieces = iter(stream)
            assert next(pieces) == PIECES[0]
            with pytest.raises(errors.StreamInterrupted):
                next(pieces)
        assert stream.text == PIECES[0]


@either
def test_a_stream_that_stands_still_ends_at_the_deadline(stream: Any) -> None:
    with scripted(HEAD + FIRST + b"wait") as server:
        with pytest.raises(errors.DeadlineExceeded):
            stream(server.url, timeout=0.3)
        server.wait_until_closed()


@either
def test_a_refused_stream_is_the_error_of_its_status(stream: Any) -> None:
    with pytest.raises(errors.NotFound, match="no such model"):
        stream(transport=httpx.MockTransport(Recorder(problem(404, "no such model"))))


@either
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"data: {}\n\ndata: nonsense\n\n", errors.UnexpectedAnswer),
        (b"data: [1]\n\n", errors.UnexpectedAnswer),
        (b'data: {"type": "transcript.text.delta"}\n\n', errors.UnexpectedAnswer),
        (b'data: {"error": {"message": "out of memory"}}\n\n', errors.StreamInterrupted),
        (b"<html>", errors.StreamInterrupted),
        (b"", errors.StreamInterrupted),
    ],
)
def test_a_stream_of_something_else_is_ours(stream: Any, body: bytes, kind: type[EkibenError]) -> None:
    with pytest.raises(kind) as caught:
        stream(transport=httpx.MockTransport(Recorder(Reply(200, body))))
    assert len(caught.value.request_id) == 32


@either
def test_the_stream_may_end_with_done_and_more(stream: Any) -> None:
    body = events() + b"data: [DONE]\n\ndata: {}\n\n"
    assert stream(transport=httpx.MockTransport(Recorder(Reply(200, body)))) == (PIECES, TEXT)
