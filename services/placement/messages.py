"""What gateways and runners in processes of their own say to each other, over HTTP.

| request | body | answer |
| --- | --- | --- |
| `POST /run` with `FLOW` and `SECONDS` | an `Item` | a `Result`; 503 where the runner is loading |
| `GET /presence` | | a `Pulse` as a line of JSON, at once, when something changes, and every `PULSE_SECONDS` |

Items and results travel as `models.wire` writes them. A gateway that keeps no `/presence` open is not there: a runner
that is to stop waits for those that are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from pydantic import BaseModel

from models.errors import EkibenError, FieldError, RetryableError
from models.manifest import Manifest
from models.task import Output
from models.wire import travels
from services.runners.session import UnsuitableTensors
from services.runners.tuning import Arrangement

RUN: Final = "/run"
PRESENCE: Final = "/presence"
FLOW: Final = "x-ekiben-flow"
"""Header: which request's item this is. Items of one request share a place in the queue."""
SECONDS: Final = "x-ekiben-seconds"
"""Header: how long the item may wait to be run."""
PULSE_SECONDS: Final = 1.0


class Facts(BaseModel):
    """What a gateway has to know of a runner elsewhere; `requests` are let in and items are `running` at a time."""

    provider: str
    arrangement: Arrangement
    manifest: Manifest
    requests: int
    running: int


class Pulse(BaseModel):
    """How a runner is. `draining`: it is about to stop; `closing`: it waits for what gateways have under way."""

    state: Literal["ready", "draining", "closing"] = "ready"
    hangs: bool = False
    facts: Facts | None = None
    """In the first one."""


@travels
@dataclass(frozen=True)
class Fault:
    """An error, in what its class and its constructor need."""

    kind: str
    detail: str
    fields: tuple[tuple[str, str], ...] = ()
    retry_after_seconds: float = 1.0

    @classmethod
    def of(cls, error: BaseException) -> Fault:
        kind = type(error).__name__
        if isinstance(error, EkibenError):
            fields = tuple((each.field, each.message) for each in error.fields)
            return cls(kind, error.detail, fields, getattr(error, "retry_after_seconds", 1.0))
        return cls(kind, str(error))

    def error(self) -> Exception:
        """The error again; one of no known class is a fault of ours."""
        if self.kind == UnsuitableTensors.__name__:
            return UnsuitableTensors(self.detail)
        known = next((each for each in _subclasses(EkibenError) if each.__name__ == self.kind), None)
        if known is None:
            return RuntimeError(f"{self.kind} in a runner: {self.detail}")
        if issubclass(known, RetryableError):
            return known(self.detail, retry_after_seconds=self.retry_after_seconds)
        return known(self.detail, fields=tuple(FieldError(*each) for each in self.fields))


def _subclasses(cls: type[EkibenError]) -> list[type[EkibenError]]:
    return [cls, *(below for each in cls.__subclasses__() for below in _subclasses(each))]


@travels
@dataclass(frozen=True)
class Result:
    """What came of an item: an output or an error, and where the time went."""

    output: Output
    error: Fault | None = None
    queued_seconds: float = 0.0
    ran_seconds: float = 0.0
