"""HTTP from a gateway to its runners: kept connections, over TCP or a unix socket, that notice at once when one breaks.

Every item goes through here, so it does no more than that needs; and what it closes is closed at once, with whatever
waits for an answer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import cast
from urllib.parse import unquote, urlsplit

import httptools

CONNECT_SECONDS = 2.0
IDLE_SECONDS = 4.0
"""How long a connection may be idle and be used again: uvicorn closes it after five."""
DEFAULT_PORT = 80


@dataclass(frozen=True)
class Address:
    """Where a runner listens: a host and a port, or a unix socket."""

    host: str = ""
    port: int = 0
    path: Path | None = None

    @classmethod
    def parse(cls, url: str) -> Address:
        """From `http://host:port` or `unix:///path`, or as BentoML writes these. Raises `ValueError`."""
        parts = urlsplit(url)
        if parts.scheme in ("unix", "file") and parts.path:
            return cls(path=Path(unquote(parts.path)))
        host = parts.hostname or ""
        if parts.scheme in ("http", "tcp") and _may_be_name(host) and parts.path in ("", "/"):
            return cls(host, parts.port or DEFAULT_PORT)
        raise ValueError(f"{url!r} is neither http://HOST:PORT nor unix:///PATH")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"unix://{self.path}" if self.path else f"http://{host}:{self.port}"


def _may_be_name(host: str) -> bool:
    """Whether it can be looked up: what cannot, as `a..b`, would otherwise be waited for without end or word."""
    try:
        return bool(host.encode("idna"))
    except UnicodeError:
        return False


class Connection(asyncio.Protocol):
    """One connection with one request in flight. Breaking, and being closed, end that with `ConnectionError`."""

    def __init__(self) -> None:
        self.closed = False
        self.idle_since = 0.0
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._answer: asyncio.Future[int] | None = None
        self._on_data: Callable[[bytes], object] = bytes

    async def ask(self, request: bytes, body: bytes, on_data: Callable[[bytes], object]) -> int:
        """The answer's status, once all of its body has been given to `on_data`."""
        if self.closed or self._transport is None:
            raise ConnectionResetError("the connection is closed")
        self._answer = asyncio.get_running_loop().create_future()
        self._parser, self._on_data = httptools.HttpResponseParser(self), on_data
        self._transport.writelines([request, body])
        try:
            return await self._answer
        finally:
            if not self._answer.done() or self._answer.cancelled() or self._answer.exception():
                self.close()  # what would still come belongs to no request
            self._answer = None

    def close(self) -> None:
        """At once: what was not sent yet would wait for a process that may never read it."""
        self.closed = True
        if self._transport:
            self._transport.abort()
        self._break(ConnectionResetError("the connection was closed"))

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class

    def data_received(self, data: bytes) -> None:
        if self._parser is None or self._answer is None:
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._break(ConnectionResetError(f"not an answer: {error}"))
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        self._break(ConnectionResetError("the connection broke"))

    def _break(self, error: ConnectionError) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(error)

    # Called by the parser.

    def on_body(self, data: bytes) -> None:
        self._on_data(data)

    def on_message_complete(self) -> None:
        assert self._parser
        if self._answer and not self._answer.done():
            self._answer.set_result(self._parser.get_status_code())
        if not self._parser.should_keep_alive():
            self.close()


class Connections:
    """The connections to one address; those that are idle are used again."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._idle: deque[Connection] = deque()
        self._all: set[Connection] = set()

    async def post(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer. Raises `ConnectionError` or another `OSError`."""
        head = self._head("POST", path, {**headers, "content-length": str(len(body))})
        chunks: list[bytes] = []
        connection = self._take_idle() or await self._connect()
        try:
            status = await connection.ask(head, body, chunks.append)
        finally:
            if connection.closed:
                self._all.discard(connection)
            else:
                connection.idle_since = monotonic()
                self._idle.append(connection)
        return status, chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def follow(self, path: str, on_data: Callable[[bytes], object]) -> int:
        """Keep a connection open for an answer that does not end, and give what comes to `on_data`."""
        connection = await self._connect()
        try:
            return await connection.ask(self._head("GET", path, {}), b"", on_data)
        finally:
            connection.close()
            self._all.discard(connection)

    def close(self) -> None:
        """Break all connections, with what is in flight on them."""
        for connection in list(self._all):
            connection.close()
        self._all.clear()
        self._idle.clear()

    def _head(self, method: str, path: str, headers: Mapping[str, str]) -> bytes:
        host = "localhost" if self.address.path else str(self.address).removeprefix("http://")
        lines = [f"{method} {path} HTTP/1.1", f"host: {host}", *(f"{name}: {value}" for name, value in headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")

    def _take_idle(self) -> Connection | None:
        """The one used last; those that the runner is about to close, or has closed, are none."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed and monotonic() - connection.idle_since < IDLE_SECONDS:
                return connection
            connection.close()
            self._all.discard(connection)
        return None

    async def _connect(self) -> Connection:
        loop, address = asyncio.get_running_loop(), self.address
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                if address.path:
                    _, connection = await loop.create_unix_connection(Connection, str(address.path))
                else:
                    _, connection = await loop.create_connection(Connection, address.host, address.port)
        except TimeoutError:
            raise ConnectionRefusedError(f"nobody answers at {address}") from None
        self._all.add(connection)
        return connection
