"""Reading request bodies: each within its budget, all of them together within another."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import ParamSpec, TypeVar

from starlette.types import Receive

from models.errors import BudgetExceeded, DeadlineExceeded, Overloaded, UnsupportedMedia

DISCARD_BYTES = 256_000_000
DISCARD_SECONDS = 30.0

THREAD_BYTES = 100_000
"""What is longer than this is taken apart, or put together, in a thread."""

DETECTION_BYTES = THREAD_BYTES // 10
MARKUP_FACTOR = 10
"""Finding out the language of a text takes as long: of ten, a millisecond or two. HTML has to be read for it, which
takes ten times as long as other bytes do."""

P = ParamSpec("P")
T = TypeVar("T")


def detection_size(texts: Iterable[str]) -> int:
    """What `in_thread` is told of texts whose languages are found out."""
    return sum(DETECTION_BYTES + MARKUP_FACTOR * len(text) for text in texts)


async def in_thread(size: int, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Call a function that works on `size` bytes: in a thread where that takes time, else at once."""
    if size > THREAD_BYTES:
        return await asyncio.to_thread(function, *arguments, **named)
    return function(*arguments, **named)


class ClientGone(Exception):
    """The client closed the connection: there is nobody to answer."""


async def client_gone(receive: Receive) -> None:
    """Wait until the client closes the connection; to be asked once the body was read."""
    while (await receive())["type"] != "http.disconnect":
        pass


class BodyMemory:
    """What the bodies of all requests in flight take together, in bytes, within `bound`."""

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self.taken = 0

    @contextlib.contextmanager
    def share(self) -> Iterator[Share]:
        """One request's part of it, given back when the request is over."""
        share = Share(self)
        try:
            yield share
        finally:
            self.taken -= share.taken


class Share:
    def __init__(self, memory: BodyMemory) -> None:
        self.taken = 0
        self._memory = memory

    def take(self, length: int) -> None:
        """Raises `Overloaded` where there is no room for so much."""
        if self._memory.taken + length > self._memory.bound:
            raise Overloaded("the server holds as many bytes of requests as it may")
        self._memory.taken += length
        self.taken += length


def refuse_coding(headers: Mapping[str, str]) -> None:
    """Raises `UnsupportedMedia` for a body that would have to be unpacked first."""
    if (coding := headers.get("content-encoding", "identity").lower()) != "identity":
        raise UnsupportedMedia(f"a body with the content coding {coding!r} is not accepted; send it as it is")


async def read_body(
    receive: Receive, headers: Mapping[str, str], budget: int, *, share: Share, deadline: float | None = None
) -> bytes:
    """The whole body. Raises `BudgetExceeded` as soon as it is known to be longer than `budget` bytes.

    What is left of such a body is read and thrown away, up to a bound, because most clients do not look for
    an answer before they have sent everything; one that expects a "100 Continue" first is answered at once.
    Raises `DeadlineExceeded` where the body has not come by `deadline`, a time of the event loop's clock.
    """
    declared = headers.get("content-length", "")
    too_long = BudgetExceeded(f"the body is longer than the {budget:,} bytes that are accepted here")
    if declared.isdecimal() and int(declared) > budget:
        if headers.get("expect", "").lower() != "100-continue":
            await _discard(receive)
        raise too_long
    collected = io.BytesIO()  # grows in place, and gives its bytes away without copying them
    length = 0
    more = True
    try:
        async with asyncio.timeout_at(deadline):
            while more and length <= budget:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                chunk = message.get("body", b"")
                share.take(len(chunk))
                length += collected.write(chunk)
                more = message.get("more_body", False)
    except TimeoutError:
        raise DeadlineExceeded("the deadline passed before the whole body had come") from None
    if length > budget:
        collected.close()
        if more:
            await _discard(receive)
        raise too_long
    return collected.getvalue()


async def _discard(receive: Receive) -> None:
    discarded = 0
    more = True
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DISCARD_SECONDS):
            while more and discarded < DISCARD_BYTES:
                message = await receive()
                discarded += len(message.get("body", b""))
                more = message.get("more_body", False)
