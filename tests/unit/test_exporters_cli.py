"""`python -m exporters` as a person types it, with a model store of its own."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from models import MODELS, TASKS
from models.manifest import MANIFEST_FILE, Manifest, declaration_digest
from models.model import PackageMember
from tests.serving import ROOT, clean_environment, free_port

SECONDS = 120  # until a command counts as hung


def exporters(home: Path, *arguments: str, options: tuple[str, ...] = (), **environment: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a run."""
    done = subprocess.run(
        [sys.executable, *options, "-m", "exporters", *arguments],
        cwd=ROOT,
        env=clean_environment(BENTOML_HOME=str(home), **environment),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def files(home: Path) -> dict[str, tuple[int, int]]:
    """Every file below, with the time of its last change and its size."""
    found = [path for path in home.rglob("*") if path.is_file()]
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in found}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store into which efficientnet-lite0 was exported, from its real weights."""
    folder = tmp_path_factory.mktemp("bentoml")
    status, output, errors = exporters(folder, "efficientnet-lite0")
    assert status == 0, errors
    assert re.search(r"^efficientnet-lite0: registered, differs .* by \S+ at most \(1e-04 allowed\)$", output, re.M)
    return folder


@pytest.fixture
def export(home: Path) -> Path:
    [manifest] = home.rglob(MANIFEST_FILE)
    return manifest.parent


def test_the_manifest_proves_a_real_export(export: Path) -> None:
    model = MODELS["efficientnet-lite0"]
    manifest = Manifest.read(export)
    assert [each.inputs for each in manifest.comparisons] == [{"image": (n, 224, 224, 3)} for n in (5, 1)]
    assert 0 < manifest.max_difference <= manifest.tolerance == 1e-4
    assert isinstance(model.source, PackageMember) and manifest.source_sha256 == model.source.sha256
    assert (manifest.model, manifest.declaration) == (model.id, declaration_digest(model))
    assert manifest.licence == "Apache-2.0" and "Google" in manifest.provenance
    assert {"python", "torch", "onnx", "onnxscript"} < set(manifest.versions)
    assert set(manifest.files) == {path.name for path in export.glob("*.onnx")} == {"model.onnx"}
    for name, facts in manifest.files.items():
        data = (export / name).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (facts.sha256, facts.bytes)


def test_the_graph_is_the_one_that_is_declared(export: Path) -> None:
    graph = onnx.load(export / "model.onnx").graph
    axes = {
        value.name: [each.dim_param or each.dim_value for each in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }
    assert axes == {"image": ["batch", 224, 224, 3], "probabilities": ["batch", 1000]}
    assert [each.type.tensor_type.elem_type for each in graph.input] == [onnx.TensorProto.UINT8]


def test_the_manifest_holds_no_path_of_this_machine(export: Path) -> None:
    text = (export / MANIFEST_FILE).read_text("utf-8")
    assert str(Path.home()) not in text and str(ROOT) not in text and json.loads(text)["model"] == "efficientnet-lite0"


def test_a_second_export_is_up_to_date_without_torch_and_changes_nothing(home: Path) -> None:
    before = files(home)
    status, output, errors = exporters(home, "efficientnet-lite0", options=("-X", "importtime"))
    assert status == 0 and output.startswith("efficientnet-lite0: up to date, differs from its reference by ")
    imported = {line.rpartition("|")[2].strip() for line in errors.splitlines()}
    assert "exporters.export" in imported and not imported & {"torch", "torchvision", "onnx", "onnxscript"}
    assert files(home) == before


@pytest.mark.parametrize("columns", [80, 200])
def test_the_list_shows_every_model_with_its_whole_id(home: Path, columns: int) -> None:
    status, output, _ = exporters(home, "--list", COLUMNS=str(columns))
    first_words = [line.split()[0] for line in output.splitlines() if line.strip()]
    assert status == 0
    assert [word for word in first_words if word in MODELS] == list(MODELS)
    assert max(map(len, output.splitlines())) <= columns and "…" not in output
    assert re.search(r"efficientnet-lite0 .*e-0\d", output), "what is exported shows its proof"


def test_the_list_marks_each_tasks_default(home: Path) -> None:
    _, output, _ = exporters(home, "--list", COLUMNS="300")
    marked = [line.split()[0] for line in output.splitlines() if "(default)" in line]
    assert marked == [task.models[0].id for task in TASKS.values()]


def test_an_unknown_model_is_a_mistake_in_the_command(tmp_path: Path) -> None:
    status, output, errors = exporters(tmp_path, "efficientnet-lite0", "no-such-model")
    assert status == 2 and not output
    assert "there is no model 'no-such-model'; `--list` shows them all" in errors


def test_a_hub_that_cannot_be_reached_fails_in_words_and_registers_nothing(tmp_path: Path) -> None:
    """Fast, too: nothing listens on the proxy's port, as on a machine that is cut off."""
    proxy = f"http://127.0.0.1:{free_port()}"
    status, _, errors = exporters(tmp_path / "bentoml", "resnet50", TORCH_HOME=str(tmp_path), https_proxy=proxy)
    [message] = [line for line in errors.splitlines() if line.startswith("resnet50: ")]
    assert status == 1 and "Traceback" not in errors
    assert message.startswith("resnet50: FAILED, nothing is registered: torchvision ResNet50_Weights.IMAGENET1K_V2: ")
    assert "cannot be fetched from torchvision's hub" in message and "refused" in message
    assert list((tmp_path / "bentoml" / "models").iterdir()) == []
