"""The same call through both clients."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Coroutine
from typing import Any, Callable

import httpx

from ekiben_client import AsyncClient, Client, EkibenError

from .stand_in import Reply, handle

Handler = Callable[[httpx.Request], httpx.Response]
Maker = Callable[[Any], Any]
"""Makes a client of a class."""


def both(method: str, *arguments: Any, handler: Handler = handle, retries: int = 0, **options: Any) -> Any:
    """What a method returns through a transport; both clients return, or raise, the same."""
    transport = httpx.MockTransport(handler)
    return _both(lambda kind: kind("http://stand-in", transport=transport, retries=retries), method, arguments, options)


def both_of(url: str, method: str, *arguments: Any, **options: Any) -> Any:
    """What a method returns from the server there; both clients return, or raise, the same."""
    return _both(lambda kind: kind(url), method, arguments, options)


def _both(make: Maker, method: str, arguments: Any, options: Any) -> Any:
    first = _outcome(lambda: _blocking(make, method, arguments, options))
    for each in (*arguments, *options.values()):
        if hasattr(each, "seek"):
            each.seek(0)
    second = _outcome(lambda: asyncio.run(_asynchronous(make, method, arguments, options)))
    if isinstance(first, Exception):
        assert type(first) is type(second), (first, second)
        raise first
    if not isinstance(first, EkibenError):
        assert first == second
    return first


def _outcome(run: Callable[[], Any]) -> Any:
    try:
        return run()
    except (EkibenError, ValueError) as error:
        return error


def _blocking(make: Maker, method: str, arguments: Any, options: Any) -> Any:
    with make(Client) as client:
        return getattr(client, method)(*arguments, **options)


async def _asynchronous(make: Maker, method: str, arguments: Any, options: Any) -> Any:
    async with make(AsyncClient) as client:
        return await getattr(client, method)(*arguments, **options)


class Recorder:
    """A handler that keeps what it was asked, and answers what it is told, in turn; then as the contract says."""

    def __init__(self, *replies: Reply | Exception) -> None:
        self.requests: list[httpx.Request] = []
        self._replies = list(replies)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if not self._replies:
            return handle(request)
        answer = self._replies.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status, headers=answer.headers, content=answer.content)


def on_asyncio(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test on an event loop of its own."""

    @functools.wraps(test)
    def run(*arguments: Any, **fixtures: Any) -> None:
        asyncio.run(test(*arguments, **fixtures))

    return run
