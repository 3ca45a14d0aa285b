"""Sending, and waiting in the calling thread."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Callable

import httpx

from ekiben_client._answer import Answer, Meta
from ekiben_client._call import Call, I, T
from ekiben_client._exchange import FAULTS, A, Exchange, Pause, Send
from ekiben_client._settings import LIMITS, Settings, check_open, decode
from ekiben_client.errors import DeadlineExceeded, StreamInterrupted


@dataclass(frozen=True)
class _Streamed(Answer):
    """An answer that may still be coming: `content` is its beginning, or all of it where the status is an error."""

    rest: Iterable[bytes] = ()
    response: httpx.Response | None = None


class Sender:
    """Drives exchanges. Threads may share it."""

    def __init__(self, settings: Settings, transport: httpx.BaseTransport | None) -> None:
        self._settings = settings
        self._http = httpx.Client(transport=transport, limits=LIMITS)

    def close(self) -> None:
        self._http.close()

    def ask(
        self, call: Call[I, T], input: I, timeout: float | None, pause: Callable[[float], object] = time.sleep
    ) -> T:
        check_open(self._http)
        answer, meta = _drive(self._settings.begin(call, input, timeout), self._send, pause)
        return decode(call, answer, meta)

    @contextmanager
    def stream(self, call: Call[I, Any], input: I, timeout: float | None) -> Iterator[tuple[Iterator[bytes], Meta]]:
        """An answer as it comes. Its bytes raise `StreamInterrupted` and `DeadlineExceeded`."""
        check_open(self._http)
        answer, meta = _drive(self._settings.begin(call, input, timeout), self._open, time.sleep)
        try:
            yield _streamed_bytes(answer, meta), meta
        finally:
            if answer.response is not None:
                answer.response.close()

    def _send(self, send: Send) -> Answer:
        response = self._http.send(self._settings.request(send), stream=True)
        try:
            return Answer(response.status_code, response.headers, b"".join(_chunks(response, send.deadline)))
        finally:
            response.close()

    def _open(self, send: Send) -> _Streamed:
        response = self._http.send(self._settings.request(send), stream=True)
        try:
            status, headers, chunks = response.status_code, response.headers, _chunks(response, send.deadline)
            if response.is_success:
                return _Streamed(status, headers, next(chunks, b""), chunks, response)
            content = b"".join(chunks)
        except BaseException:
            response.close()
            raise
        response.close()
        return _Streamed(status, headers, content)


def _drive(steps: Exchange[A], send: Callable[[Send], A], pause: Callable[[float], object]) -> tuple[A, Meta]:
    """Do what the exchange says until it has its answer."""
    try:
        step = next(steps)
        while True:
            if isinstance(step, Pause):
                pause(step.seconds)
                step = next(steps)
                continue
            try:
                answer = send(step)
            except FAULTS as fault:
                step = steps.throw(fault)
            else:
                step = steps.send(answer)
    except StopIteration as end:
        result: tuple[A, Meta] = end.value
        return result


def _chunks(response: httpx.Response, deadline: float) -> Iterator[bytes]:
    """The body; a server that lets it trickle does not keep us past the deadline."""
    for chunk in response.iter_bytes():
        yield chunk
        if time.monotonic() > deadline:
            raise httpx.ReadTimeout("the deadline passed while the body came")


def _streamed_bytes(answer: _Streamed, meta: Meta) -> Iterator[bytes]:
    yield answer.content
    try:
        yield from answer.rest
    except httpx.TimeoutException as fault:
        raise DeadlineExceeded("the stream did not end in time", request_id=meta.request_id) from fault
    except FAULTS as fault:
        raise StreamInterrupted(f"the stream broke off: {fault}", request_id=meta.request_id) from fault
