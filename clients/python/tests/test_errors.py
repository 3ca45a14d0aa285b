"""Each status is an error of its own, and nothing but ours is raised."""

from __future__ import annotations

import pickle
import re
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekiben_client import Client, EkibenError, errors

from .both import Recorder, both
from .stand_in import Reply, problem

STATUSES = {
    400: errors.MalformedBody,
    401: errors.Unauthorized,
    404: errors.NotFound,
    406: errors.NotAcceptable,
    413: errors.BudgetExceeded,
    415: errors.UnsupportedMedia,
    418: errors.StatusError,
    422: errors.InvalidInput,
    429: errors.Overloaded,
    500: errors.InternalError,
    502: errors.StatusError,
    503: errors.Unavailable,
    504: errors.ServerDeadlineExceeded,
    799: errors.StatusError,
}


@pytest.mark.parametrize(("status", "kind"), STATUSES.items())
def test_each_status_has_its_class(status: int, kind: type[errors.StatusError]) -> None:
    refusal = problem(status, "top_k: is too large", fields={"top_k": "is too large"})
    refusal.headers |= {"retry-after": "7", "x-request-id": "abc"}
    with pytest.raises(errors.StatusError) as caught:
        both("classify", b"x", handler=Recorder(refusal, refusal))
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.request_id, error.retry_after_seconds) == (status, "abc", 7.0)
    assert error.detail == "top_k: is too large"
    assert error.fields == (errors.FieldError("top_k", "is too large"),)
    assert str(error) == "top_k: is too large (request abc)"


def test_a_missed_deadline_is_one_wherever_it_was_seen() -> None:
    assert issubclass(errors.ServerDeadlineExceeded, errors.DeadlineExceeded)
    assert issubclass(errors.DeadlineExceeded, TimeoutError)


@pytest.mark.parametrize(
    ("body", "detail", "fields"),
    [
        (b"<html>", "Bad Request", ()),
        (b"", "Bad Request", ()),
        (b"[1]", "Bad Request", ()),
        (b'{"error": "q: is missing"}', "q: is missing", ()),
        (b'{"title": "Broken"}', "Broken", ()),
        (b'{"errors": [1, {"field": "a"}], "detail": "x"}', "x", (errors.FieldError("a", ""),)),
        (b'{"errors": 7, "detail": "x"}', "x", ()),
        (b'{"error": {"message": "no", "param": "file", "code": null}}', "no", (errors.FieldError("file", "no"),)),
        (b'{"error": {"message": "no", "param": null}}', "no", ()),
        (b"[" * 100_000, "Bad Request", ()),
    ],
)
def test_any_body_of_an_error_will_do(body: bytes, detail: str, fields: Any) -> None:
    with pytest.raises(errors.MalformedBody) as caught:
        both("classify", b"x", handler=Recorder(Reply(400, body), Reply(400, body)))
    assert (caught.value.detail, caught.value.fields) == (detail, fields)


FAULTS = [
    (httpx.ConnectError("refused"), errors.ConnectionFailed),
    (httpx.ReadError(""), errors.ConnectionFailed),
    (httpx.WriteError("x"), errors.ConnectionFailed),
    (httpx.RemoteProtocolError("Server disconnected"), errors.ConnectionFailed),
    (httpx.ConnectTimeout("x"), errors.ConnectionFailed),
    (httpx.ProxyError("x"), errors.ConnectionFailed),
    (OSError("no route"), errors.ConnectionFailed),
    (httpx.DecodingError("not gzip"), errors.UnexpectedAnswer),
    (httpx.LocalProtocolError("x"), errors.EkibenError),
    (httpx.UnsupportedProtocol("x"), errors.EkibenError),
    (httpx.StreamClosed(), errors.EkibenError),
]


@pytest.mark.parametrize(("fault", "kind"), FAULTS, ids=[type(fault).__name__ for fault, _ in FAULTS])
def test_a_fault_of_the_transport_is_ours_and_keeps_its_cause(fault: Exception, kind: type[EkibenError]) -> None:
    with pytest.raises(EkibenError) as caught:
        both("classify", b"x", handler=Recorder(fault, fault))
    assert type(caught.value) is kind
    assert caught.value.__cause__ is fault
    assert len(caught.value.request_id) == 32


METHODS: list[tuple[str, Any]] = [
    ("classify", {"image": b"x"}),
    ("detect_objects", {"image": b"x"}),
    ("detect_faces", {"image": b"x"}),
    ("recognize_speech", {"audio": b"x"}),
    ("translate", {"text": "x", "target": "pt"}),
    ("models", {}),
    ("styles", {}),
]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["label", "score", "box", "xmin", "landmarks", "text", "chunks", "timestamp", "data", "id"]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(("method", "arguments"), METHODS)
@given(document=json_values)
def test_an_answer_outside_the_contract_raises_nothing_but_ours(method: str, arguments: Any, document: Any) -> None:
    recorder = Recorder(Reply.json(document))
    with Client("http://stand-in", transport=httpx.MockTransport(recorder)) as client:
        try:
            getattr(client, method)(**arguments)
        except errors.UnexpectedAnswer as error:
            assert len(error.request_id) == 32  # noqa: PT017 (an answer within the contract is fine, too)


@pytest.mark.parametrize("body", [b"<html>", b"", b"[" * 100_000, b"\xff"])
def test_a_page_of_something_else_is_an_unexpected_answer(body: bytes) -> None:
    with pytest.raises(errors.UnexpectedAnswer, match="is this an ekiben server"):
        both("classify", b"x", handler=Recorder(Reply(200, body), Reply(200, body)))


def test_a_redirect_is_not_followed() -> None:
    away = Reply(307, b"", {"location": "http://elsewhere/"})
    recorder = Recorder(away, away)
    with pytest.raises(errors.UnexpectedAnswer, match="307"):
        both("classify", b"x", handler=recorder)
    assert {request.url.host for request in recorder.requests} == {"stand-in"}


def test_something_else_than_a_picture_is_an_unexpected_answer() -> None:
    with pytest.raises(errors.UnexpectedAnswer, match="application/json"):
        both("transfer_style", b"x", "style-00", handler=Recorder(Reply.json({}), Reply.json({})))


def test_a_closed_client_says_so() -> None:
    client = Client()
    client.close()
    with pytest.raises(EkibenError, match="closed"):
        client.models()


@pytest.mark.parametrize(
    "options",
    [
        {"base_url": "localhost:3000"},
        {"base_url": "ftp://host"},
        {"base_url": "http://"},
        {"base_url": "http://host/?query=1"},
        {"base_url": "http://host:port"},
        {"api_key": "a\nb"},
        {"api_key": "ключ"},
        {"timeout": 0},
        {"timeout": float("nan")},
        {"timeout": float("inf")},
        {"retries": -1},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        Client(**options)


def all_errors(root: type[EkibenError] = EkibenError) -> set[type[EkibenError]]:
    return {root}.union(*(all_errors(kind) for kind in root.__subclasses__()))


def test_errors_survive_pickling() -> None:
    for kind in all_errors():
        error = kind("a sentence", request_id="id", fields=(errors.FieldError("a", "b"),))
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), copy.fields, copy.status) == (kind, str(error), error.fields, error.status)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = {}
    for line in tree().splitlines():
        match = re.match(r"[│├└─ ]*(\w+)(?: +\((\w+)\))?", line)
        assert match, line
        status = re.search(r" (\d{3})\b", line)
        drawn[match[1]] = match[2], int(status[1]) if status else 0
    assert set(drawn) == {kind.__name__ for kind in all_errors()}
    for name, (builtin, status_drawn) in drawn.items():
        kind = getattr(errors, name)
        assert builtin is None or builtin in {base.__name__ for base in kind.__mro__}, name
        assert status_drawn == kind.status, name


def tree() -> str:
    assert errors.__doc__
    return errors.__doc__.split("\n\n")[1]
