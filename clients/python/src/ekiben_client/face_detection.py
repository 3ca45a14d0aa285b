"""Face detection: where faces are in a picture, with five landmarks each."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from ekiben_client._answer import Answer, Meta, expect, member
from ekiben_client._call import Call, parameters
from ekiben_client._media import Picture, picture_body
from ekiben_client.errors import UnexpectedAnswer
from ekiben_client.object_detection import Box

PATH = "/v1/face-detection"


@dataclass(frozen=True)
class Landmarks:
    """Points `(x, y)` in pixels; left and right as seen in the picture."""

    left_eye: tuple[float, float]
    right_eye: tuple[float, float]
    nose: tuple[float, float]
    left_mouth: tuple[float, float]
    right_mouth: tuple[float, float]

    @classmethod
    def of(cls, document: Any) -> Landmarks:
        return cls(*(_point(member(document, each.name, list)) for each in fields(cls)))


@dataclass(frozen=True)
class Face:
    label: str
    score: float
    box: Box
    landmarks: Landmarks


@dataclass(frozen=True)
class FaceDetection:
    """The faces in a picture, best first."""

    faces: tuple[Face, ...]
    meta: Meta = field(compare=False)


def detection(*, threshold: float, model: str | None) -> Call[Picture, FaceDetection]:
    return Call(PATH, picture_body, _read, query=parameters(threshold=threshold, model=model))


def _read(answer: Answer, meta: Meta) -> FaceDetection:
    faces = tuple(
        Face(
            member(each, "label", str),
            member(each, "score", float),
            Box.of(member(each, "box", dict)),
            Landmarks.of(member(each, "landmarks", dict)),
        )
        for each in expect(answer.json(), list)
    )
    return FaceDetection(faces, meta)


def _point(values: list[Any]) -> tuple[float, float]:
    if len(values) != 2:
        raise UnexpectedAnswer(f"a point has {len(values)} coordinates")
    return expect(values[0], float, "x"), expect(values[1], float, "y")
