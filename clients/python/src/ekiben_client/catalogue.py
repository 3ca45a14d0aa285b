"""What a server serves."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ekiben_client._answer import Answer, Meta, member
from ekiben_client._call import Call, question

PATH = "/v1/models"
READY_PATH = "/readyz"
METRICS_PATH = "/metrics"


@dataclass(frozen=True)
class Model:
    """A served model; `default` says that its task uses it where none is named, `provider` what it really runs on."""

    id: str
    task: str
    default: bool
    title: str
    provider: str


def models() -> Call[None, tuple[Model, ...]]:
    return question(PATH, _read)


def _read(answer: Answer, meta: Meta) -> tuple[Model, ...]:
    return tuple(
        Model(
            member(each, "id", str),
            member(each, "task", str),
            member(each, "default", bool),
            member(each, "title", str),
            member(each, "provider", str),
        )
        for each in member(answer.json(), "data", list)
    )


def readiness() -> Call[None, bool]:
    return replace(question(READY_PATH, lambda answer, meta: True), retried=False)


def metrics() -> Call[None, str]:
    text = question(METRICS_PATH, lambda answer, meta: answer.content.decode("utf-8", "replace"))
    return replace(text, accept="text/plain")
