"""torchvision's classifiers. Its hub is out of reach of a test, so the weights are random, but well-scaled:
activations keep their range from layer to layer, and probabilities tell pictures apart."""

from __future__ import annotations

import socket
from email.message import Message
from functools import cache
from http.client import HTTPException, IncompleteRead, RemoteDisconnected
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from exporters import torchvision_classifier as exporter
from exporters.errors import HashMismatch, SourceError
from exporters.export import compare, write
from exporters.reference import Reference, picture_batches
from exporters.torchvision_import import torchvision
from models.image_classification import ImageClassification, ImageClassifier, imagenet_labels
from models.model import TorchvisionWeights
from models.pictures.image import Pixels
from models.pictures.views import LARGEST_RESIZED_PIXELS, CentreCrop

MODELS = {model.id: model for model in ImageClassification.models if isinstance(model.source, TorchvisionWeights)}
SOURCE = TorchvisionWeights("ResNet50_Weights.IMAGENET1K_V2")


@cache
def weights(id: str) -> Any:
    source = MODELS[id].source
    assert isinstance(source, TorchvisionWeights)
    return torchvision.models.get_weight(source.name)


def well_scaled(model: ImageClassifier) -> nn.Module:
    """The network with random weights, calibrated on pictures like those that exports are compared on."""
    assert isinstance(model.source, TorchvisionWeights)
    torch.manual_seed(0)
    network: nn.Module = torchvision.models.get_model(exporter.architecture_name(model.source))
    calibrated = exporter.Classifier(network).train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the plain mean over all passes
        elif isinstance(module, nn.Dropout | torchvision.ops.StochasticDepth):
            module.eval()
    logits: list[torch.Tensor] = []
    head = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
    head.register_forward_hook(lambda module, inputs, output: logits.append(output))
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("layer_scale"):  # 1e-6 as torchvision makes it: no block would matter
                parameter.fill_(1.0)
            elif name.endswith("bn3.weight"):  # the end of a residual branch: keeps what tells pictures apart
                parameter.fill_(0.3)
            elif model.id == "convnext-tiny" and parameter.ndim > 1:
                nn.init.kaiming_normal_(parameter)
        [(pictures,)] = picture_batches((224, 224, 3), (8,))
        calibrated(torch.from_numpy(pictures))
        calibrated.eval()(torch.from_numpy(pictures))
        spread = logits[-1] - logits[-1].mean(0)
        head.bias.sub_(logits[-1].mean(0))
        for parameter in head.parameters():
            parameter.mul_(2.5 / spread.std())
    return network


@pytest.mark.parametrize("id", MODELS)
def test_the_export_equals_torch_at_both_batch_sizes(id: str, tmp_path: Path) -> None:
    model = MODELS[id]
    [reference] = exporter.reference(model, well_scaled(model))
    with torch.inference_mode():
        probabilities = reference.module(torch.from_numpy(reference.cases[0][0])).numpy()
    assert probabilities.max() > 0.1 and len(set(probabilities.argmax(1))) > 1, "equal outputs would prove nothing"
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    write(reference, tmp_path / "model.onnx")
    comparisons = compare(reference, tmp_path / "model.onnx", model.tolerance)
    assert model.tolerance <= 1e-4 and [each.inputs["image"][0] for each in comparisons] == [5, 1]


def test_an_export_of_other_weights_is_told_apart(tmp_path: Path) -> None:
    """The comparison above can fail: the tolerance is far below what a wrong network differs by."""
    model = MODELS["mobilenet-v3-large"]
    network = well_scaled(model)
    [reference] = exporter.reference(model, network)
    with torch.inference_mode():
        right = reference.module(torch.from_numpy(reference.cases[1][0]))
        network.features[5].block[0][0].weight[0].mul_(1.5)  # type: ignore[union-attr, index]
        wrong = reference.module(torch.from_numpy(reference.cases[1][0]))
    assert (right - wrong).abs().max() > model.tolerance


@pytest.mark.parametrize("id", MODELS)
def test_the_declaration_is_that_of_torchvisions_preset(id: str) -> None:
    preset, crop = weights(id).transforms(), MODELS[id].crop
    assert (preset.resize_size, preset.crop_size) == ([crop.resize], [crop.size])
    assert preset.interpolation.value == crop.resample.name.lower() and not crop.crop_first
    assert (tuple(preset.mean), tuple(preset.std)) == (exporter.MEAN, exporter.STANDARD_DEVIATION)
    accuracy = weights(id).meta["_metrics"]["ImageNet-1K"]["acc@1"]
    assert f"({accuracy:.1f} % top-1 on ImageNet-1k, as published)" in MODELS[id].title


@pytest.mark.parametrize("id", MODELS)
def test_labels_and_names_are_torchvisions(id: str) -> None:
    source = MODELS[id].source
    assert isinstance(source, TorchvisionWeights)
    assert list(imagenet_labels()) == weights(id).meta["categories"]
    assert torchvision.models.get_model_weights(exporter.architecture_name(source)) is type(weights(id))


def picture(width: int, height: int, seed: int) -> Image.Image:
    """White noise: of all pictures the one in which a wrong sample shows."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def published(id: str, image: Image.Image) -> Pixels:
    """What torchvision's own preset makes of a picture, back to 8-bit samples."""
    preset = weights(id).transforms()
    normalised = preset(image).permute(1, 2, 0).numpy()
    pixels: Pixels = np.rint((normalised * np.array(preset.std) + np.array(preset.mean)) * 255).astype(np.uint8)
    return pixels


sides = st.integers(1, 900)


@pytest.mark.parametrize("id", MODELS)
@settings(max_examples=25, deadline=None)
@given(width=sides, height=sides, seed=st.integers(0, 9))
def test_the_crop_is_that_of_torchvisions_preset(id: str, width: int, height: int, seed: int) -> None:
    width, height = max(width, height // 20), max(height, width // 20)
    image = picture(width, height, seed)
    np.testing.assert_array_equal(MODELS[id].crop(image), published(id, image))


@pytest.mark.parametrize(("width", "height"), [(20, 1100), (1100, 20), (3, 149)])
def test_the_crop_of_a_very_long_picture_is_off_by_rounding_only(width: int, height: int) -> None:
    crop = MODELS["resnet50"].crop
    assert crop.resize**2 * max(width, height) / min(width, height) > LARGEST_RESIZED_PIXELS
    image = picture(width, height, 0)
    assert np.abs(crop(image).astype(int) - published("resnet50", image)).max() <= 1


def test_a_classifier_normalises_what_it_is_fed() -> None:
    network = exporter.Classifier(nn.Sequential(nn.Flatten(), nn.Linear(12, 12, bias=False)))
    nn.init.eye_(network.network[1].weight)  # type: ignore[index]
    pixels = np.array([[[[0, 128, 255], [255, 255, 255]], [[7, 8, 9], [0, 0, 0]]]], dtype=np.uint8)
    expected = (pixels[0] / 255 - exporter.MEAN) / exporter.STANDARD_DEVIATION
    expected = np.exp(expected.transpose(2, 0, 1).ravel())
    with torch.inference_mode():
        np.testing.assert_allclose(network(torch.from_numpy(pixels)).numpy()[0], expected / expected.sum(), rtol=1e-5)


@pytest.mark.parametrize(
    "error",
    [
        URLError(socket.gaierror(-2, "Name or service not known")),
        HTTPError("https://hub.example", 503, "Service Unavailable", Message(), None),
        ConnectionResetError(104, "Connection reset by peer"),
        ConnectionResetError(),
        TimeoutError("timed out"),
        socket.gaierror(-3, "Temporary failure in name resolution"),
        RemoteDisconnected("Remote end closed connection without response"),
        IncompleteRead(b"half"),
        HTTPException("bad status line"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_breaks_a_download_is_a_source_error(error: Exception) -> None:
    with pytest.raises(SourceError) as raised, exporter.hub(SOURCE):
        raise error
    assert str(raised.value).startswith(f"{SOURCE}: cannot be fetched from torchvision's hub: ")
    assert (str(error) or "ConnectionResetError") in str(raised.value)


def test_a_wrong_hash_from_the_hub_is_a_hash_mismatch() -> None:
    with pytest.raises(HashMismatch, match=r"expected .*0676ba61.* got .*ffff"), exporter.hub(SOURCE):
        raise RuntimeError('invalid hash value (expected "0676ba61", got "ffff")')


def test_another_error_of_torch_keeps_its_name() -> None:
    with pytest.raises(RuntimeError, match="size mismatch"), exporter.hub(SOURCE):
        raise RuntimeError("size mismatch for fc.weight")


def test_a_hub_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connections are taken, and nothing is said
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/resnet50.pth"
        with pytest.raises(SourceError, match="timed out"), exporter.hub(SOURCE, timeout_seconds=0.05):
            urlopen(address)
    assert socket.getdefaulttimeout() is None


def test_every_entry_is_covered_here() -> None:
    assert {"resnet50", "mobilenet-v3-large", "convnext-tiny"} <= set(MODELS)
    assert all(isinstance(model.crop, CentreCrop) for model in MODELS.values())
    assert isinstance(exporter.reference(MODELS["resnet50"], nn.Identity())[0], Reference)
