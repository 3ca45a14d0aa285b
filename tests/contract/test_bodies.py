"""Properties of the parsers of request bodies: for everything that callers could send, not for examples."""

from __future__ import annotations

import asyncio
import base64
import json
import tracemalloc
from dataclasses import replace
from email.message import Message as Mail
from typing import Any

import httpx
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from starlette.types import Message

from models import TASKS, AnyTask
from models.errors import BudgetExceeded, DeadlineExceeded, EkibenError, InvalidInput, MalformedBody, Overloaded
from models.limits import Limits
from models.media import PICTURE
from services.http.bodies import BodyMemory, ClientGone, Share, read_body
from services.http.forms import FORM_OVERHEAD_BYTES, Parts, body_budget, check_json_shape, given_once, media_type, parse


def plenty() -> Share:
    """A share of a memory that nobody else uses."""
    return Share(BodyMemory(10**12))


TASK = TASKS["image-classification"]
LIMITS = Limits()
GENEROUS = replace(LIMITS, json_values=10**9, multipart_parts=10**6)

TEXT = st.text(st.sampled_from('"\\[]{},: a\u00e9\u2028\U0001f431/n')) | st.text()
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
DOCUMENTS: SearchStrategy[Any] = st.recursive(
    SCALARS, lambda below: st.lists(below, max_size=4) | st.dictionaries(TEXT, below, max_size=4), max_leaves=20
)


def depth(document: Any) -> int:
    if isinstance(document, list):
        return 1 + max(map(depth, document), default=0)
    if isinstance(document, dict):
        return 1 + max(map(depth, document.values()), default=0)
    return 0


def encodings(document: Any) -> list[bytes]:
    return [
        json.dumps(document).encode(),
        json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass"),
        json.dumps(document, indent=1, separators=(" ,", " : ")).encode(),
    ]


def is_accepted(body: bytes, limits: Limits) -> bool:
    try:
        check_json_shape(body, limits)
    except BudgetExceeded:
        return False
    return True


@given(DOCUMENTS, st.integers(0, 6))
@example(["\\", [[]], "\\"], 2)
@example(['\\"[['], 1)
@example({"[[[": "]]]"}, 1)
@example(['\\\\"', [[]]], 3)
def test_json_is_accepted_as_deep_as_the_limit_and_no_deeper(document: Any, limit: int) -> None:
    limits = replace(GENEROUS, json_depth=limit)
    for body in encodings(document):
        assert depth(json.loads(body)) == depth(document)
        assert is_accepted(body, limits) == (depth(document) <= limit)


@given(st.integers(0, 200), st.sampled_from(["[]", "{}"]))
def test_the_depth_of_a_tower_is_counted_exactly(height: int, kind: str) -> None:
    opening, closing = ("[", "]") if kind == "[]" else ('{"a":', "}")
    body = (opening * height + "1" + closing * height).encode()
    assert is_accepted(body, GENEROUS) == (height <= LIMITS.json_depth)


@given(DOCUMENTS)
def test_the_number_of_values_is_never_more_than_what_is_counted(document: Any) -> None:
    """Whatever passes with a limit has no more values than that."""

    def values(value: Any) -> int:
        below = value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
        return 1 + sum(map(values, below))

    limits = replace(GENEROUS, json_depth=10**6, json_values=values(document) - 2)
    if limits.json_values >= 0:
        assert not is_accepted(json.dumps(document).encode(), limits)


@given(st.binary())
def test_the_shape_of_what_is_no_json_can_be_checked_too(body: bytes) -> None:
    assert is_accepted(body, replace(GENEROUS, json_depth=10**6))


def plain(name: str) -> bool:
    """Whether a name can stand in a header as it is; what encoders make of others no server undoes."""
    return name.isprintable() and not {'"', "\\"} & set(name) and name.strip() == name != "image"


NAMES = st.text(min_size=1).filter(plain)
PICTURES = st.binary(min_size=1, max_size=3_000).filter(lambda data: PICTURE.sniff(data) in (None, *PICTURE.accepts))


def encode_form(parts: list[tuple[str, str | None, bytes]], boundary: str) -> bytes:
    """A form as browsers send it: only line ends and quotes in names are escaped."""
    body = b""
    for name, file_name, data in parts:
        disposition = f'form-data; name="{name}"'
        if file_name is not None:
            disposition += f'; filename="{file_name}"'
        body += b"--" + boundary.encode() + b"\r\nContent-Disposition: " + disposition.encode() + b"\r\n\r\n"
        body += data + b"\r\n"
    return body + b"--" + boundary.encode() + b"--\r\n"


def parse_form(body: bytes, boundary: str) -> Parts:
    return parse(TASK, f'multipart/form-data; boundary="{boundary}"', body, {}, GENEROUS)


@given(st.dictionaries(NAMES, st.text(), max_size=5), PICTURES)
@example({"a": "1"}, b"\r\n--")
@example({"\u00e9;=": "\r\n"}, b"x\r\n--b")
@example({"a[]": "1", "[]": ""}, b"x")
def test_a_form_of_another_encoder_comes_back_as_it_was(fields: dict[str, str], picture: bytes) -> None:
    request = httpx.Request("POST", "http://test", data=fields, files={"image": ("a", picture)})
    parts = parse(TASK, request.headers["Content-Type"], request.read(), {}, GENEROUS)
    lists = {name: [value] for name, value in fields.items() if name.endswith("[]")}
    assert parts == Parts({"image": picture}, fields | lists)


@given(PICTURES, st.from_regex(r"[0-9A-Za-z'+_=?/-]{1,60}", fullmatch=True))
def test_any_data_survives_a_form_with_any_boundary(picture: bytes, boundary: str) -> None:
    assume(b"--" + boundary.encode() not in picture)
    body = encode_form([("image", "a", picture), ("top_k", None, b"3")], boundary)
    assert parse_form(body, boundary) == Parts({"image": picture}, {"top_k": "3"})


@given(st.binary(min_size=1, max_size=200), st.data())
def test_a_form_that_is_cut_off_anywhere_is_malformed(picture: bytes, data: st.DataObject) -> None:
    body = encode_form([("top_k", None, b"3"), ("image", "a", picture)], "a-boundary")
    end = data.draw(st.integers(0, len(body) - len("--\r\n") + 1))
    with pytest.raises(MalformedBody):
        parse_form(body[:end], "a-boundary")


@given(st.integers(1, 70), st.sampled_from([-20, -1, 0, 1, 2, 20]))
def test_a_form_may_have_as_many_parts_as_the_limit(limit: int, more: int) -> None:
    parts = max(1, limit + more)
    body = encode_form([(f"f{number}", None, b"") for number in range(parts - 1)] + [("image", "a", b"x")], "b")
    limits = replace(LIMITS, multipart_parts=limit)
    if parts > limit:
        with pytest.raises(BudgetExceeded):
            parse(TASK, "multipart/form-data; boundary=b", body, {}, limits)
    else:
        assert len(parse(TASK, "multipart/form-data; boundary=b", body, {}, limits).parameters) == parts - 1


@given(
    PICTURES,
    st.dictionaries(TEXT, SCALARS, max_size=4),
    st.sampled_from(["", "data:image/png;base64,", "data:;base64,", "data:image/jpeg;name=a;base64,"]),
    st.dictionaries(TEXT, TEXT, max_size=4),
)
def test_a_json_envelope_comes_back_as_it_was(
    picture: bytes, parameters: dict[str, Any], prefix: str, query: dict[str, str]
) -> None:
    text = prefix + base64.b64encode(picture).decode()
    body = json.dumps({"inputs": text, "parameters": parameters}).encode()
    parts = parse(TASK, "application/json; charset=utf-8", body, query, GENEROUS)
    assert parts == Parts({"image": picture}, {**query, **parameters})


@pytest.mark.parametrize(
    ("form", "shape"),
    [("json", "text"), ("json", "list"), ("json", "object"), ("json", "names"), ("form", "text"), ("form", "list")],
)
@pytest.mark.parametrize("more", [0, 1])
def test_parameters_have_a_budget_of_their_own(form: str, shape: str, more: int) -> None:
    """However much room a medium has: a recording's is 100 MB."""
    length = FORM_OVERHEAD_BYTES - len("abc[]") + more
    half, rest = "x" * (length // 2), "x" * (length - length // 2)
    value: Any = {"list": [half, rest], "object": {half: rest}}.get(shape, half + rest)
    fields = {"x" * FORM_OVERHEAD_BYTES: "x" * more} if shape == "names" else {"abc[]": value}
    if form == "json":
        header, body = "application/json", json.dumps({"inputs": "AAAA", "parameters": fields}).encode()
    else:
        values = value if isinstance(value, list) else [value]
        parts = [("abc[]", None, each.encode()) for each in values]
        header, body = "multipart/form-data; boundary=b", encode_form([*parts, ("audio", "a", b"x")], "b")
    result = outcome(header, body, {}, LIMITS, task=TASKS["speech-recognition"])
    if more:
        assert isinstance(result, BudgetExceeded) and result.detail.startswith(next(iter(fields))[:100])
    else:
        assert isinstance(result, Parts)


def test_a_parameter_too_long_is_refused_before_it_is_decoded() -> None:
    body = encode_form([("top_k", None, b"\xff" * (FORM_OVERHEAD_BYTES + 1)), *[("twice", None, b"1")] * 2], "b")
    result = outcome("multipart/form-data; boundary=b", body, {}, LIMITS)
    assert isinstance(result, BudgetExceeded) and result.detail.startswith("top_k")


CONTENT_TYPES = (
    st.sampled_from(
        [
            None,
            "",
            "application/json",
            "multipart/form-data",
            "multipart/form-data; boundary=b",
            'multipart/form-data; boundary="',
            "multipart/form-data; boundary=" + "b" * 300,
            "image/png",
            "application/octet-stream",
            "application/x-www-form-urlencoded",
            ";;;",
        ]
    )
    | st.text(st.characters(max_codepoint=255))
    | st.text(st.characters(max_codepoint=255)).map("multipart/form-data; boundary={}".format)
)
PIECES = st.sampled_from(
    [
        b"--b\r\n",
        b"--b--\r\n",
        b"--b",
        b"\r\n",
        b"Content-Disposition: form-data; name=",
        b'"image"',
        b'"a"; filename="x"',
        b"Content-Type: image/gif\r\n",
        b"GIF89a",
        b": ",
        b'{"inputs": ',
        b'"aGk="',
        b'"data:',
        b";base64,",
        b', "parameters": {',
        b"}",
        b"]",
        b"\xff",
        b"\\",
        b'"',
    ]
)
BODIES = st.binary() | st.lists(PIECES | st.binary(max_size=5), max_size=20).map(b"".join)


def outcome(
    content_type: str | None, body: bytes, query: dict[str, str], limits: Limits, *, task: AnyTask = TASK
) -> Parts | EkibenError:
    try:
        return parse(task, content_type, body, query, limits)
    except EkibenError as refusal:
        return refusal


@given(CONTENT_TYPES, BODIES, st.dictionaries(TEXT, TEXT, max_size=2))
def test_any_body_of_any_type_is_understood_or_refused(
    content_type: str | None, body: bytes, query: dict[str, str]
) -> None:
    result = outcome(content_type, body, query, LIMITS)
    if isinstance(result, EkibenError):
        assert result.status in (400, 413, 415, 422)
        assert result.detail
    else:
        assert set(result.media) == {"image"} and result.media["image"]
        assert set(query) <= set(result.parameters)


@given(st.integers(1, 2_000))
@example(1_000)
@example(1_001)
def test_a_picture_is_never_longer_than_its_budget(length: int) -> None:
    limits = replace(LIMITS, picture_bytes=1_000)
    picture = bytes(length)
    for content_type, body in (
        ("image/png", picture),
        ("application/json", json.dumps({"inputs": base64.b64encode(picture).decode()}).encode()),
        ("multipart/form-data; boundary=b", encode_form([("image", "a", picture)], "b")),
    ):
        result = outcome(content_type, body, {}, limits)
        assert isinstance(result, BudgetExceeded) if length > 1_000 else result == Parts({"image": picture}, {})


TOKENS = st.from_regex(r"[A-Za-z0-9.+-]{1,20}", fullmatch=True)


@given(TOKENS, TOKENS, st.sampled_from(["", " ", ";", "; charset=utf-8", ' ; a="b/c;d"']))
def test_the_media_type_is_what_the_standard_library_reads(kind: str, subtype: str, rest: str) -> None:
    mail = Mail()
    mail["Content-Type"] = f"{kind}/{subtype}{rest}"
    assert media_type(f"{kind}/{subtype}{rest}") == mail.get_content_type() == f"{kind}/{subtype}".lower()


@given(st.lists(st.tuples(TEXT, TEXT)))
def test_a_parameter_may_be_given_once(pairs: list[tuple[str, str]]) -> None:
    if len({name for name, _ in pairs}) == len(pairs):
        assert given_once(pairs) == dict(pairs)
    else:
        with pytest.raises(InvalidInput, match="twice"):
            given_once(pairs)


class Sender:
    """The receiving side of an ASGI server that got these chunks; then the client waits, or has gone."""

    def __init__(self, chunks: list[bytes], *, ends: bool = True) -> None:
        self._chunks = chunks
        self._ends = ends
        self.taken = 0

    async def __call__(self) -> Message:
        if self.taken == len(self._chunks):
            return {"type": "http.disconnect"}
        self.taken += 1
        more = self.taken < len(self._chunks) or not self._ends
        return {"type": "http.request", "body": self._chunks[self.taken - 1], "more_body": more}


CHUNKS = st.lists(st.binary(max_size=20), min_size=1, max_size=10)


@given(CHUNKS, st.integers(0, 100), st.booleans())
def test_a_body_is_read_whole_or_refused_as_too_long(chunks: list[bytes], budget: int, declared: bool) -> None:
    body = b"".join(chunks)
    sender = Sender(chunks)
    headers = {"content-length": str(len(body))} if declared else {}
    if len(body) > budget:
        with pytest.raises(BudgetExceeded):
            asyncio.run(read_body(sender, headers, budget, share=plenty()))
    else:
        assert asyncio.run(read_body(sender, headers, budget, share=plenty())) == body
    assert sender.taken == len(chunks)  # what is too long is taken off the connection, too


@given(CHUNKS, st.integers(0, 100))
def test_a_body_that_ends_early_has_no_reader(chunks: list[bytes], budget: int) -> None:
    expected = BudgetExceeded if len(b"".join(chunks)) > budget else ClientGone
    with pytest.raises(expected):
        asyncio.run(read_body(Sender(chunks, ends=False), {}, budget, share=plenty()))


@given(CHUNKS)
def test_whoever_asks_first_is_refused_unread(chunks: list[bytes]) -> None:
    sender = Sender(chunks)
    headers = {"content-length": "1000", "expect": "100-Continue"}
    with pytest.raises(BudgetExceeded):
        asyncio.run(read_body(sender, headers, 999, share=plenty()))
    assert sender.taken == 0


async def test_a_body_that_never_comes_is_given_up_at_the_deadline() -> None:
    async def never() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(DeadlineExceeded):
        await read_body(never, {}, 10, share=plenty(), deadline=asyncio.get_running_loop().time() + 0.01)


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data", "image/png", ""])
def test_the_budget_of_a_body_leaves_room_for_the_largest_picture(content_type: str) -> None:
    budget = body_budget(TASK, content_type, LIMITS)
    picture = LIMITS.picture_bytes
    needed = {"application/json": -(-picture // 3) * 4 + 100, "multipart/form-data": picture + 1_000}
    assert needed.get(content_type, picture) <= budget <= 2 * picture


def test_bodies_of_all_requests_share_one_memory() -> None:
    memory = BodyMemory(100)
    with memory.share() as first, memory.share() as second:
        first.take(60)
        with pytest.raises(Overloaded):
            second.take(50)
        second.take(40)
    assert memory.taken == 0


CHUNK_BYTES = 65_536
LONG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40_000
FORMS: dict[str, tuple[str, bytes, float]] = {
    "as it is": ("image/png", LONG, 0.05),
    "a form": ("multipart/form-data; boundary=b", encode_form([("image", "a.png", LONG)], "b"), 1.05),
    # Its text, beside the bytes that that gives.
    "JSON": ("application/json", json.dumps({"inputs": base64.b64encode(LONG).decode()}).encode(), 1 + 4 / 3 + 0.2),
}


@pytest.mark.parametrize("form", FORMS)
async def test_a_long_body_is_copied_no_more_than_it_must(form: str) -> None:
    """In shares of the picture: what is held while the body is read, and beside it while it is taken apart."""
    content_type, body, most = FORMS[form]
    starts = iter(range(0, len(body), CHUNK_BYTES))

    async def receive() -> Message:
        start = next(starts)
        more = start + CHUNK_BYTES < len(body)
        return {"type": "http.request", "body": body[start : start + CHUNK_BYTES], "more_body": more}

    tracemalloc.start()
    try:
        read = await read_body(receive, {}, len(body), share=plenty())
        _, reading = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        parts = parse(TASK, content_type, read, {}, LIMITS)
        _, parsing = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert parts.media["image"] == LONG and read == body
    assert parsing - before < most * len(LONG)
    assert reading < 1.3 * len(body)
