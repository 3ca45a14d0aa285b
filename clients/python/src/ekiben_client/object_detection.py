"""Object detection: what is in a picture, and where."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ekiben_client._answer import Answer, Meta, expect, member
from ekiben_client._call import Call, parameters
from ekiben_client._media import Picture, picture_body

PATH = "/v1/object-detection"


@dataclass(frozen=True)
class Box:
    """A rectangle, in pixels of the upright picture (EXIF orientation applied)."""

    xmin: int
    ymin: int
    xmax: int
    ymax: int

    @classmethod
    def of(cls, document: Any) -> Box:
        return cls(*(member(document, side, int) for side in ("xmin", "ymin", "xmax", "ymax")))


@dataclass(frozen=True)
class DetectedObject:
    label: str
    score: float
    box: Box


@dataclass(frozen=True)
class ObjectDetection:
    """The objects in a picture, best first."""

    objects: tuple[DetectedObject, ...]
    meta: Meta = field(compare=False)


def detection(*, threshold: float, model: str | None) -> Call[Picture, ObjectDetection]:
    return Call(PATH, picture_body, _read, query=parameters(threshold=threshold, model=model))


def _read(answer: Answer, meta: Meta) -> ObjectDetection:
    objects = tuple(
        DetectedObject(member(each, "label", str), member(each, "score", float), Box.of(member(each, "box", dict)))
        for each in expect(answer.json(), list)
    )
    return ObjectDetection(objects, meta)
