"""Answers of the server, and what every result says of where it came from."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from ekiben_client.errors import UnexpectedAnswer


@dataclass(frozen=True)
class Answer:
    """A whole answer: nothing of it is left to read."""

    status: int
    headers: httpx.Headers
    content: bytes

    def json(self) -> Any:
        """The body's JSON. Raises `UnexpectedAnswer`."""
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            raise UnexpectedAnswer("the answer is not JSON: is this an ekiben server?") from None


@dataclass(frozen=True)
class Timing:
    """Where the server's time went, in milliseconds."""

    decode_ms: float = 0.0
    queue_ms: float = 0.0
    infer_ms: float = 0.0
    post_ms: float = 0.0

    @classmethod
    def of(cls, server_timing: str) -> Timing:
        """From the header `Server-Timing: decode;dur=1.5, queue;dur=0.1, …`; stages that are not known are left out."""
        stages = {name: float(milliseconds) for name, milliseconds in _STAGE.findall(server_timing)}
        return cls(*(stages.get(name, 0.0) for name in ("decode", "queue", "infer", "post")))


_STAGE = re.compile(r"(\w+);dur=([0-9]{1,15}(?:\.[0-9]{1,15})?)\b")


@dataclass(frozen=True)
class Meta:
    """Where a result came from: `provider` is ONNX Runtime's; the seconds are the whole call's, retries included."""

    request_id: str = ""
    model: str = ""
    provider: str = ""
    timing: Timing = field(default_factory=Timing)
    elapsed_seconds: float = 0.0
    attempts: int = 1

    @classmethod
    def of(cls, headers: httpx.Headers, *, request_id: str, elapsed_seconds: float, attempts: int) -> Meta:
        return cls(
            headers.get("x-request-id", request_id),
            headers.get("x-ekiben-model", ""),
            headers.get("x-ekiben-provider", ""),
            Timing.of(headers.get("server-timing", "")),
            elapsed_seconds,
            attempts,
        )


J = TypeVar("J", str, float, int, bool, "list[Any]", "dict[str, Any]")


def expect(value: Any, kind: type[J], name: str = "the answer") -> J:
    """`value`, if it is of this JSON type; an integer counts as a float. Raises `UnexpectedAnswer`."""
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise UnexpectedAnswer(f"{name} is {type(value).__name__} where {kind.__name__} was expected")
    return value


def member(document: Any, name: str, kind: type[J]) -> J:
    """`document[name]`, if it is there and of this JSON type. Raises `UnexpectedAnswer`."""
    return expect(expect(document, dict).get(name), kind, name)
