"""When a call is sent again, and when never."""

from __future__ import annotations

import email.utils
import time
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekiben_client import EkibenError, errors
from ekiben_client._answer import Answer
from ekiben_client._call import Call
from ekiben_client._exchange import Exchange, Pause, Send, exchange
from ekiben_client._media import Body
from ekiben_client._retries import Retries, retry_after_seconds

from .both import Recorder, both
from .stand_in import Reply, problem

CALL: Call[None, Any] = Call("/v1/x", lambda _: Body(b"x"), lambda answer, meta: answer)
TRANSIENT = (429, 503, "broken")


@dataclass
class Clock:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Attempt:
    """How one attempt ends: a status or a fault, after some seconds, with what the server asks to wait."""

    end: Any
    seconds: float
    retry_after: int


attempts = st.builds(
    Attempt,
    st.sampled_from([200, 400, 404, 422, 429, 429, 500, 503, 503, 504, "broken", "broken"]),
    st.floats(0, 20),
    st.integers(0, 30),
)


@given(
    plan=st.lists(attempts, min_size=12, max_size=12),
    limit=st.integers(0, 10),
    timeout=st.floats(0.01, 100),
    jitters=st.lists(st.floats(0, 1, exclude_max=True), min_size=12, max_size=12),
)
def test_attempts_stay_inside_the_deadline_and_pauses_inside_their_bounds(
    plan: list[Attempt], limit: int, timeout: float, jitters: list[float]
) -> None:
    clock, left = Clock(), iter(jitters)
    steps: Exchange[Answer] = exchange(
        CALL,
        Body(b"x"),
        request_id="id",
        timeout_seconds=timeout,
        retries=Retries(limit),
        clock=clock,
        jitter=lambda: next(left),
    )
    deadline = clock.now + timeout
    sent = 0
    try:
        step = next(steps)
        while True:
            if isinstance(step, Send):
                sent += 1
                assert clock.now < deadline
                assert step.deadline == deadline
                assert int(step.headers["X-Request-Timeout-Ms"]) <= max(1, (deadline - clock.now) * 1e3)
                assert step.headers["X-Request-Id"] == "id"
                now = plan[sent - 1]
                clock.now += now.seconds
                if now.end == "broken":
                    step = steps.throw(httpx.ReadError("broken"))
                else:
                    step = steps.send(Answer(now.end, httpx.Headers({"retry-after": str(now.retry_after)}), b""))
            else:
                asked = plan[sent - 1].retry_after if plan[sent - 1].end != "broken" else 0
                assert plan[sent - 1].end in TRANSIENT
                assert asked <= step.seconds <= asked + min(8.0, 0.25 * 2 ** (sent - 1))
                assert clock.now + step.seconds < deadline
                clock.now += step.seconds
                step = next(steps)
    except StopIteration as end:
        answer, meta = end.value
        assert answer.status == 200
        assert meta.attempts == sent
        assert meta.elapsed_seconds == pytest.approx(clock.now - (deadline - timeout))
    except EkibenError:
        assert plan[sent - 1].end != 200
    assert sent <= limit + 1
    assert all(each.end in TRANSIENT for each in plan[: sent - 1])


def test_a_pause_that_took_too_long_ends_the_call_with_the_last_error() -> None:
    clock = Clock()
    steps: Exchange[Answer] = exchange(
        CALL, Body(), request_id="id", timeout_seconds=5, retries=Retries(), clock=clock, jitter=lambda: 0.5
    )
    next(steps)
    assert isinstance(steps.send(Answer(503, httpx.Headers(), b"")), Pause)
    clock.now += 6
    with pytest.raises(errors.Unavailable):
        next(steps)


@pytest.mark.parametrize("transient", [problem(429, "full"), problem(503, "starting"), httpx.ReadError("broken")])
def test_both_clients_send_again_after_transient_faults(transient: Any) -> None:
    recorder = Recorder(transient)
    assert both("classify", b"x", handler=recorder, retries=1).best.label == "tiger cat"
    first, second, _ = recorder.requests
    assert first.content == second.content == b"x"
    assert first.headers["x-request-id"] == second.headers["x-request-id"]
    assert int(first.headers["x-request-timeout-ms"]) >= int(second.headers["x-request-timeout-ms"])


@pytest.mark.parametrize("status", [307, 400, 404, 406, 413, 415, 422, 500, 504])
def test_what_would_fail_again_is_sent_once(status: int) -> None:
    recorder = Recorder(problem(status, "no"), problem(status, "no"))
    with pytest.raises(EkibenError):
        both("classify", b"x", handler=recorder, retries=5)
    assert len(recorder.requests) == 2  # one for each client


def test_no_pause_is_begun_that_would_pass_the_deadline() -> None:
    busy = Reply(429, b"", {"retry-after": "30"})
    started = time.monotonic()
    with pytest.raises(errors.Overloaded) as caught:
        both("classify", b"x", handler=Recorder(busy, busy), retries=5, timeout=20)
    assert time.monotonic() - started < 10
    assert caught.value.retry_after_seconds == 30


def test_what_is_unreadable_or_unknown_is_not_sent_again() -> None:
    fault = httpx.DecodingError("not gzip")
    recorder = Recorder(fault, fault)
    with pytest.raises(errors.UnexpectedAnswer):
        both("classify", b"x", handler=recorder, retries=5)
    assert len(recorder.requests) == 2  # one for each client


def test_retry_after_may_be_a_date() -> None:
    date = email.utils.formatdate(time.time() + 100, usegmt=True)
    assert 98 < retry_after_seconds({"retry-after": date}) <= 100
    assert retry_after_seconds({"retry-after": email.utils.formatdate(0, usegmt=True)}) == 0


@given(st.text())
def test_retry_after_is_never_negative_and_never_fails(value: str) -> None:
    assert retry_after_seconds({"retry-after": value}) >= 0
