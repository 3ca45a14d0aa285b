"""What is asked of a server: how an input goes into a request, and how its answer is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Callable, Generic, TypeVar

from ekiben_client._answer import Answer, Meta
from ekiben_client._media import Body

I = TypeVar("I")  # noqa: E741 (an input)
T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Call(Generic[I, T]):
    """One kind of request with its parameters.

    `encode` reads the input, maybe from a file; `decode` takes the answer apart. Every call is a pure
    function of its input: sent twice, it does no more than sent once.
    """

    path: str
    encode: Callable[[I], Body]
    decode: Callable[[Answer, Meta], T]
    method: str = "POST"
    query: Mapping[str, str] = field(default_factory=dict)
    accept: str = "application/json"
    timeout_seconds: float = 60.0
    """How long the whole call may take where the caller does not say; the server's own default for the task."""
    retried: bool = True


def parameters(**values: object) -> dict[str, str]:
    """Those that are given, as they stand in a query or a form."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in values.items()
        if value is not None
    }


def question(path: str, decode: Callable[[Answer, Meta], T]) -> Call[None, T]:
    """A GET, which has no input."""
    return Call(path, lambda _: Body(), decode, method="GET", timeout_seconds=10.0)
