"""Image classification: what is in a picture."""

from __future__ import annotations

from dataclasses import dataclass, field

from ekiben_client._answer import Answer, Meta, expect, member
from ekiben_client._call import Call, parameters
from ekiben_client._media import Picture, picture_body

PATH = "/v1/image-classification"


@dataclass(frozen=True)
class Label:
    """A class and its probability."""

    label: str
    score: float


@dataclass(frozen=True)
class Classification:
    """The likeliest classes, best first."""

    labels: tuple[Label, ...]
    meta: Meta = field(compare=False)

    @property
    def best(self) -> Label:
        return self.labels[0]


def classification(*, top_k: int, model: str | None) -> Call[Picture, Classification]:
    return Call(PATH, picture_body, _read, query=parameters(top_k=top_k, model=model))


def _read(answer: Answer, meta: Meta) -> Classification:
    labels = expect(answer.json(), list)
    return Classification(
        tuple(Label(member(each, "label", str), member(each, "score", float)) for each in labels), meta
    )
