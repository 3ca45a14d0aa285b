"""HTTP/1.1 at next to no cost: one request at a time on a kept connection, parsed in C.

httpx takes about a millisecond of CPU time for a request, which on a machine that is shared with the server is
the server's. README.md has the figures.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import cast

import httptools


class Lost(ConnectionError):
    """The connection ended before the answer did. `unanswered`: not a byte of the answer had come."""

    def __init__(self, *, unanswered: bool) -> None:
        super().__init__("the connection ended before the answer did")
        self.unanswered = unanswered


@dataclass(frozen=True)
class Answer:
    """A status and a whole body."""

    status: int
    body: bytes


class Connection(asyncio.Protocol):
    """A kept connection with at most one request in flight."""

    def __init__(self) -> None:
        self.open = False
        self.used = False
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Answer] | None = None
        self._begun = False
        self._body: list[bytes] = []
        self._parser = httptools.HttpResponseParser(self)

    async def ask(self, request: bytes) -> Answer:
        """Send a whole request and wait for its answer. Raises `Lost`."""
        assert self._transport is not None and self._waiting is None
        self._begun = False
        self._body = []
        self._parser = httptools.HttpResponseParser(self)
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            return await self._waiting
        finally:
            self._waiting = None
            self.used = True

    def close(self) -> None:
        self.open = False
        if self._transport is not None:
            self._transport.close()

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class
        self.open = True

    def data_received(self, data: bytes) -> None:
        self._begun = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()
            self._fail()

    def connection_lost(self, error: Exception | None) -> None:
        self.open = False
        self._fail()

    def _fail(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(Lost(unanswered=not self._begun))

    # Called by the parser.

    def on_body(self, part: bytes) -> None:
        self._body.append(part)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:  # "100 Continue" and its like come before the answer
            self._body = []
            return
        if not self._parser.should_keep_alive():
            self.close()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(Answer(status, b"".join(self._body)))
