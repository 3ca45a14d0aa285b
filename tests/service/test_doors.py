"""The doors without a server: whatever becomes of a request, it is let in, counted and let go as it should be."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from models.errors import EkibenError
from services.access.keys import find_holder, needs_key, parse_keys
from services.access.origins import parse_origins
from services.doors import STRANGERS, KeyDoor, OriginDoor
from services.edge import Edge, Record
from services.http.bodies import ClientGone
from services.routes import paths

KEYS = parse_keys("ann:aaaaaaaaaaaaaaaa, ann:bbbbbbbbbbbbbbbb, cccccccccccccccc")
SECRETS = {"aaaaaaaaaaaaaaaa": "ann", "bbbbbbbbbbbbbbbb": "ann", "cccccccccccccccc": "key-3"}

KEY_TEXT = st.text("abcXYZ019-._~+/", min_size=16, max_size=40)


@given(st.lists(KEY_TEXT, min_size=1, max_size=5, unique=True), st.text(max_size=60))
def test_a_key_is_found_and_nothing_else_is(texts: list[str], other: str) -> None:
    keys = parse_keys("\n".join(f"holder-{place}:{text}" for place, text in enumerate(texts)))
    for place, text in enumerate(texts):
        assert find_holder(keys, text.encode()) == f"holder-{place}"
        assert text not in repr(keys)
    assert other in texts or find_holder(keys, other.encode()) is None


@given(st.text("ab1:, \n=é#-", max_size=60))
def test_any_text_is_keys_or_an_error_that_holds_none(text: str) -> None:
    try:
        keys = parse_keys(text)
    except ValueError as error:
        said = str(error)
        assert not any(len(entry) > 3 and entry in said for entry in text.replace(":", "\n").split("\n"))
    else:
        assert keys and all(key.holder for key in keys)


@pytest.mark.parametrize(
    "text", ["", " , \n", "ann:short", "ann:" + "x" * 15, "a b:" + "x" * 16, "x" * 15 + " ", "é" * 16, "k" * 16 + "\tk"]
)
def test_what_is_no_list_of_keys_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(names no key|entry 1: )"):
        parse_keys(text)


def test_a_key_cannot_have_two_holders() -> None:
    with pytest.raises(ValueError, match="twice"):
        parse_keys(f"ann:{'k' * 16},bob:{'k' * 16}")


@pytest.mark.parametrize(
    "text", ["", "*,https://a", "https://a/", "a.example", "https://A.example", "null", "https://"]
)
def test_what_is_no_list_of_origins_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"origin|others"):
        parse_origins(text)


def test_origins_are_a_scheme_a_host_and_maybe_a_port() -> None:
    origins = ("https://app.example", "http://localhost:8080", "http://[::1]:3000", "tauri://localhost")
    assert parse_origins(", ".join(origins)) == origins


def test_only_what_is_listed_is_open() -> None:
    for path in ("/", "/docs", "/docs/assets/swagger-ui.css", "/livez", "/v2/health/ready", "/languages"):
        assert not needs_key(path)
    for path in ("/v1/models", "/metrics", "/v2", "//", "/docs/", "/docs/assets", "/livez/", "/LIVEZ", "/%6civez", ""):
        assert needs_key(path)


@dataclass
class Visit:
    """A request: its key, where that is, and what becomes of it once it is let in."""

    key: str
    in_body: bool
    end: str  # "answered", "failed", "gone", "cancelled"
    status: int = 0
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def holder(self) -> str:
        return SECRETS.get(self.key, "")

    async def run(self, edge: Edge) -> None:
        headers = [] if self.in_body else [(b"authorization", f"bearer  {self.key} ".encode())]
        path = paths.TRANSLATE if self.in_body else "/v1/models"
        scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "visit": self}

        async def receive() -> Message:
            raise AssertionError("the body was read")

        async def send(message: Message) -> None:
            self.status = message.get("status", self.status)

        await edge(scope, receive, send)


class Application:
    """Serves visits until they are told to go on."""

    def __init__(self) -> None:
        self.inside: Counter[str] = Counter()
        self.most: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit: Visit = scope["visit"]
        record = Record.of(scope)
        if visit.in_body:
            assert record.admit and not record.key_holder
            try:
                record.admit(visit.key)
            except EkibenError as error:
                await send({"type": "http.response.start", "status": error.status, "headers": []})
                return
        assert record.key_holder == visit.holder
        self.inside[visit.holder] += 1
        self.most[visit.holder] = max(self.most[visit.holder], self.inside[visit.holder])
        try:
            await visit.goes_on.wait()
        finally:
            self.inside[visit.holder] -= 1
        if visit.end == "failed":
            raise RuntimeError
        if visit.end == "gone":
            raise ClientGone
        await send({"type": "http.response.start", "status": 200, "headers": []})


async def everybody_comes(visits: Sequence[Visit], bound: int | None) -> tuple[Application, KeyDoor]:
    """All come in turn, then all go their ways."""
    application = Application()
    door = KeyDoor(application, KEYS, bound)
    edge = Edge(application, application, draining=lambda: False, doors=[lambda _: door])
    tasks = []
    for visit in visits:
        tasks.append(asyncio.create_task(visit.run(edge)))
        await asyncio.sleep(0)
    assert door.holders.count == application.inside
    assert not any(door.strangers.count.values()), "whose key is known is no stranger"
    for visit, task in zip(visits, tasks, strict=True):
        visit.goes_on.set()
        if visit.end == "cancelled":
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return application, door


ENDS = st.sampled_from(["answered", "failed", "gone", "cancelled"])
VISITS = st.builds(Visit, st.sampled_from([*SECRETS, "unknown", ""]), st.booleans(), ENDS)


@given(st.lists(VISITS, max_size=20), st.integers(1, 3))
def test_whatever_becomes_of_requests_none_is_counted_for_ever(visits: list[Visit], bound: int) -> None:
    application, door = asyncio.run(everybody_comes(visits, bound))
    assert not any(door.holders.count.values()) and not any(door.strangers.count.values())
    came = Counter(visit.holder for visit in visits if visit.holder)
    assert application.most == {holder: min(bound, number) for holder, number in came.items()}
    assert all((visit.status == 401) == (visit.holder == "") for visit in visits)
    refused = Counter(visit.holder for visit in visits if visit.status == 429)
    assert refused == Counter({holder: max(0, number - bound) for holder, number in came.items()})


async def test_bodies_of_strangers_are_read_a_few_at_a_time() -> None:
    """An application that reads bodies: each stays a stranger's until its key was in it."""
    hold = asyncio.Event()
    reading = 0

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal reading
        reading += 1
        await hold.wait()

    door = KeyDoor(application, KEYS, None)
    edge = Edge(application, application, draining=lambda: False, doors=[lambda _: door])
    visits = [Visit("", True, "answered") for _ in range(STRANGERS + 3)]
    tasks = [asyncio.create_task(visit.run(edge)) for visit in visits]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert reading == STRANGERS
    assert [visit.status for visit in visits].count(429) == 3
    hold.set()
    await asyncio.gather(*tasks)
    assert not any(door.strangers.count.values())


AUTHORIZATIONS: list[list[bytes]] = [
    [],
    [b""],
    [b"Bearer"],
    [b"Bearer "],
    [b"aaaaaaaaaaaaaaaa"],
    [b"Basic aaaaaaaaaaaaaaaa"],
    [b"Bearer aaaaaaaaaaaaaaaa,"],
    [b"Bearer aaaaaaaaaaaaaaaa aaaaaaaaaaaaaaaa"],
    [b"Bearer aaaaaaaaaaaaaaaA"],
    [b"Bearer \xff\xfe"],
    [b"Bearer aaaaaaaaaaaaaaaa", b"Bearer aaaaaaaaaaaaaaaa"],
]


@pytest.mark.parametrize("values", AUTHORIZATIONS, ids=str)
async def test_what_is_no_bearer_key_opens_nothing(values: list[bytes]) -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("let in")

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError("the body was read")

    headers = [(b"authorization", value) for value in values]
    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": "/v1/translation", "headers": headers}
    await Edge(application, application, draining=lambda: False, doors=[lambda inner: KeyDoor(inner, KEYS, None)])(
        scope, receive, send
    )
    assert sent[0]["status"] == 401
    assert (b"www-authenticate", b"Bearer") in sent[0]["headers"]
    assert b"aaaa" not in sent[1]["body"]


async def test_a_fault_can_be_read_by_pages_of_an_allowed_origin() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError

    edge = Edge(broken, broken, draining=lambda: False, doors=[lambda inner: OriginDoor(inner, ("https://a",))])
    scope = {"type": "http", "method": "GET", "path": "/v1/models", "headers": [(b"origin", b"https://a")]}
    await edge(scope, receive, send)
    assert sent[0]["status"] == 500
    assert (b"access-control-allow-origin", b"https://a") in sent[0]["headers"]
