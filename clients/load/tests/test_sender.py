"""The sender against sockets of this machine, which answer as they are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ekiben_load.connection import Answer
from ekiben_load.queries import Query
from ekiben_load.sender import NO_ANSWER, HttpSender

QUERY = Query("image-classification", "a", "/v1/image-classification", "image/jpeg", b"picture")
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]"


class Server:
    """Gives one answer after the other, in the parts it is given; an empty one closes the connection."""

    def __init__(self, answers: Sequence[Sequence[bytes]]) -> None:
        self.answers = list(answers)
        self.requests: list[bytes] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while self.answers:
                self.requests.append(await reader.readuntil(b"picture"))
                for part in self.answers.pop(0):
                    writer.write(part)
                    await writer.drain()
                    await asyncio.sleep(0)
                if not self.answers or self.answers[0] == []:
                    break
        except asyncio.IncompleteReadError:
            pass
        finally:
            if self.answers and self.answers[0] == []:
                self.answers.pop(0)
            writer.close()


@asynccontextmanager
async def answering(answers: Sequence[Sequence[bytes]]) -> AsyncIterator[tuple[Server, str]]:
    server = Server(answers)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    async with listening:
        yield server, f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


async def ask(url: str, times: int = 1, **options: str) -> list[Answer]:
    sender = HttpSender(url, **options)
    answers = [await sender.send(QUERY) for _ in range(times)]
    sender.close()
    return answers


def test_a_request_is_whole_and_connections_are_kept() -> None:
    async def main() -> None:
        async with answering([[OK]] * 3) as (server, url):
            assert await ask(f"{url}/box/", 3, api_key="k") == 3 * [Answer(200, b"[]")]
        assert server.connections == 1
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        assert lines[0] == b"POST /box/v1/image-classification HTTP/1.1"
        assert set(lines[1:]) == {
            f"host: {url.removeprefix('http://')}".encode(),
            b"authorization: Bearer k",
            b"content-type: image/jpeg",
            b"content-length: 7",
        }
        assert body == b"picture"

    asyncio.run(main())


BODIES = st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=4)


@given(BODIES, st.booleans(), st.integers(200, 599).filter(lambda status: status not in (204, 304)), st.data())
@settings(max_examples=40, deadline=None)
def test_an_answer_is_the_same_however_it_arrives(
    parts: list[bytes], chunked: bool, status: int, data: st.DataObject
) -> None:
    whole = b"".join(parts)
    if chunked:
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        message = b"HTTP/1.1 %d X\r\ntransfer-encoding: chunked\r\n\r\n" % status + body
    else:
        message = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(whole)) + whole
    message = b"HTTP/1.1 100 Continue\r\n\r\n" + message
    cuts = sorted(data.draw(st.sets(st.integers(1, len(message) - 1), max_size=4)))
    pieces = [message[start:end] for start, end in zip([0, *cuts], [*cuts, len(message)], strict=True)]

    async def main() -> None:
        async with answering([pieces, pieces]) as (_, url):
            assert await ask(url, 2) == 2 * [Answer(status, whole)]

    asyncio.run(main())


def test_a_connection_that_the_server_has_closed_is_no_fault() -> None:
    async def main() -> None:
        async with answering([[OK], [], [OK]]) as (server, url):
            assert await ask(url, 2) == 2 * [Answer(200, b"[]")]
            assert server.connections == 2

    asyncio.run(main())


@pytest.mark.parametrize("answer", [[b""], [b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n[]"], [b"no HTTP\r\n\r\n"]])
def test_an_answer_that_does_not_come_or_end_is_none(answer: list[bytes]) -> None:
    async def main() -> None:
        async with answering([answer]) as (_, url):
            assert [each.status for each in await ask(url)] == [NO_ANSWER]

    asyncio.run(main())


def test_half_an_answer_on_a_kept_connection_is_not_asked_for_again() -> None:
    async def main() -> None:
        async with answering([[OK], [b"HTTP/1.1 200 OK\r\n"], [], [OK]]) as (server, url):
            assert [each.status for each in await ask(url, 2)] == [200, NO_ANSWER]
            assert len(server.requests) == 2

    asyncio.run(main())


def test_where_nobody_listens_there_is_no_answer() -> None:
    async def main() -> None:
        async with answering([]) as (_, url):
            pass
        assert await ask(url) == [Answer(NO_ANSWER, b"")]

    asyncio.run(main())


def test_a_server_that_asks_for_it_is_left() -> None:
    async def main() -> None:
        leaving = OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
        async with answering([[leaving], [OK]]) as (server, url):
            assert await ask(url, 2) == 2 * [Answer(200, b"[]")]
            assert server.connections == 2

    asyncio.run(main())


@pytest.mark.parametrize("url", ["ftp://localhost", "http://", "http://localhost:99999"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        HttpSender(url)


def test_a_key_cannot_smuggle_headers_in() -> None:
    with pytest.raises(ValueError, match="printable"):
        HttpSender("http://localhost", api_key="k\r\nx: y")
