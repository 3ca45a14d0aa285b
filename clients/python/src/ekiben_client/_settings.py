"""What both clients share: how they are set up, and how a step of an exchange becomes a request of httpx."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import lru_cache
from uuid import uuid4

import httpx

from ekiben_client._answer import Answer, Meta
from ekiben_client._call import Call, I, T
from ekiben_client._exchange import A, Exchange, Send, exchange
from ekiben_client._retries import Retries
from ekiben_client._version import VERSION
from ekiben_client.errors import EkibenError

CONNECT_SECONDS = 10.0
"""An address that does not answer is tried again after this long."""

LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=4.0)
"""How many requests are in flight is for callers to say. Servers close what is idle for five seconds."""


@dataclass(frozen=True)
class Settings:
    """What a client is made with. Raises `ValueError`."""

    base_url: str
    api_key: str | None = field(repr=False)
    timeout: float | None
    retries: int

    def __post_init__(self) -> None:
        try:
            url = httpx.URL(self.base_url)
        except (httpx.InvalidURL, TypeError) as error:
            raise ValueError(f"base_url {self.base_url!r} is not a URL: {error}") from error
        if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment:
            raise ValueError(f"base_url {self.base_url!r} is not http:// or https://, a host, and maybe a path")
        if self.api_key is not None and not (self.api_key.isascii() and self.api_key.isprintable()):
            raise ValueError("api_key holds what no header can carry")
        if self.retries < 0:
            raise ValueError(f"retries is {self.retries}, which is below 0")
        if self.timeout is not None:
            _check_timeout(self.timeout)

    def request(self, send: Send) -> httpx.Request:
        """The request of httpx; made by hand, for its client parses every URL three times."""
        headers = {**send.headers, "User-Agent": f"ekiben-client/{VERSION}"}
        if self.api_key is not None:
            headers["Authorization"] = f"Bearer {self.api_key}"
        seconds = seconds_left(send.deadline)
        timeout = httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS))
        return httpx.Request(
            send.call.method,
            _url(self.base_url, send.call.path, tuple(send.call.query.items())),
            headers=headers,
            content=send.content or None,
            extensions={"timeout": timeout.as_dict()},
        )

    def begin(self, call: Call[I, T], input: I, timeout: float | None) -> Exchange[A]:
        """Encode the input, which may read a file, and make the exchange. Raises `UnreadableInput`, `ValueError`."""
        seconds = next(each for each in (timeout, self.timeout, call.timeout_seconds) if each is not None)
        _check_timeout(seconds)
        retries = Retries(self.retries if call.retried else 0)
        return exchange(call, call.encode(input), request_id=uuid4().hex, timeout_seconds=seconds, retries=retries)


@lru_cache(maxsize=64)
def _url(base_url: str, path: str, query: tuple[tuple[str, str], ...]) -> httpx.URL:
    return httpx.URL(base_url.rstrip("/") + path, params=dict(query) or None)


def _check_timeout(seconds: float) -> None:
    if not 0 < seconds < float("inf"):
        raise ValueError(f"timeout is {seconds}, not a number of seconds above 0")


def check_open(http: httpx.Client | httpx.AsyncClient) -> None:
    if http.is_closed:
        raise EkibenError("the client is closed")


def seconds_left(deadline: float) -> float:
    """Never 0: that would mean "do not wait" to sockets."""
    return max(0.001, deadline - time.monotonic())


def decode(call: Call[I, T], answer: Answer, meta: Meta) -> T:
    """Read the answer; what is wrong with it is said with the request's id."""
    try:
        return call.decode(answer, meta)
    except EkibenError as error:
        error.request_id = error.request_id or meta.request_id
        raise
