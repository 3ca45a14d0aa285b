"""What the tests of the doors have in common: keys, an origin, and requests that stay in flight."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx

from tests.e2e.checks import ROUTE, connection, head
from tests.serving import Server

ANN, BOB = "ann-s-key-0123456789abcdef", "bob-s-key-0123456789abcdef"
ANNS_NEXT = "ann-s-next-key-0123456789"
KEYS = f"ann:{ANN}\nbob:{BOB}\nann:{ANNS_NEXT}\n"
WRONG = "nobody-s-key-0123456789abc"
SECRETS = (ANN, BOB, ANNS_NEXT, WRONG)

AT_ONCE = 3
"""Requests that a key's holder may have in flight."""

APP = "https://app.example"
INFER = "/v2/models/efficientnet-lite0/infer"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@contextmanager
def unfinished(server: Server, number: int, key: str, path: str = ROUTE) -> Iterator[None]:
    """So many requests whose bodies have not come yet, but are being read."""
    with ExitStack() as held:
        for _ in range(number):
            opened = held.enter_context(connection(server))
            opened.sendall(head("Content-Length: 1000", f"Authorization: Bearer {key}", path=path) + b"x")
        yield


def in_flight(metrics_port: int, holder: str) -> int:
    text = httpx.get(f"http://127.0.0.1:{metrics_port}/metrics").text
    series = f'ekiben_key_requests_in_flight{{key="{holder}"}} '
    return sum(int(float(line.removeprefix(series))) for line in text.splitlines() if line.startswith(series))


def wait_for(metrics_port: int, holder: str, number: int) -> None:
    until = time.monotonic() + 20
    while in_flight(metrics_port, holder) != number:
        assert time.monotonic() < until, in_flight(metrics_port, holder)
