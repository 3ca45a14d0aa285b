"""Sends queries to a server over as many kept connections as are in use at a time."""

from __future__ import annotations

import asyncio
import ssl
from typing import Protocol
from urllib.parse import urlsplit

from ekiben_load.connection import Answer, Connection, Lost
from ekiben_load.queries import Query

NO_ANSWER = 0
"""The status of a query whose connection could not be made, or ended too early."""


class Sender(Protocol):
    """What a scenario asks: everything else is the server's affair."""

    async def send(self, query: Query) -> Answer:
        """The answer, with status `NO_ANSWER` where there is none. Raises nothing."""


class HttpSender:
    """Asks a server by its address; `api_key` goes into `Authorization` as a bearer's token."""

    def __init__(self, url: str, *, api_key: str | None = None) -> None:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not the address of a server: {url!r}")
        if api_key and not (api_key.isascii() and api_key.isprintable()):
            raise ValueError("an API key is printable ASCII")
        self.host = parts.hostname
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self.port = parts.port or (443 if self._tls else 80)
        self._prefix = parts.path.rstrip("/")
        self._authority = parts.netloc.rpartition("@")[2]
        self._authorization = f"authorization: Bearer {api_key}\r\n" if api_key else ""
        self._idle: list[Connection] = []
        self._requests: dict[Query, bytes] = {}

    async def send(self, query: Query) -> Answer:
        request = self._requests.get(query) or self._prepare(query)
        while True:
            try:
                connection = await self._connection()
            except OSError:
                return Answer(NO_ANSWER, b"")
            kept = connection.used
            try:
                answer = await connection.ask(request)
            except Lost as lost:
                # A server closes what it has not heard from for some seconds, perhaps in this very moment: that is
                # no fault, and nothing was done with the request. A new connection has no such excuse.
                if lost.unanswered and kept:
                    continue
                return Answer(NO_ANSWER, b"")
            except asyncio.CancelledError:
                connection.close()
                raise
            if connection.open:
                self._idle.append(connection)
            return answer

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    async def _connection(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.open:
                return connection
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(Connection, self.host, self.port, ssl=self._tls))[1]

    def _prepare(self, query: Query) -> bytes:
        request = self._requests[query] = (
            f"{query.method} {self._prefix}{query.path} HTTP/1.1\r\nhost: {self._authority}\r\n{self._authorization}"
            f"content-type: {query.media_type}\r\ncontent-length: {len(query.body)}\r\n\r\n"
        ).encode() + query.body
        return request
