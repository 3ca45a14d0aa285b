"""Exporting one model: trace, check, compare with the reference, and register it with the proof."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import inspect
import math
import platform
import re
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bentoml
from bentoml.exceptions import NotFound

from exporters.errors import ProofFailed
from models.manifest import Comparison, ExportedFile, Manifest, declaration_digest
from models.model import Graph, Model, PackageMember

if TYPE_CHECKING:
    import onnx
    import torch

    from exporters.reference import Asset, Reference

OPSET = 18


def version_of(model: Model) -> str:
    """The version that an export made now would get: of the declaration, the code and the libraries."""
    digest = hashlib.sha256(repr((declaration_digest(model), OPSET, _library_versions())).encode())
    for source in sorted(_sources({__name__, f"exporters.{model.architecture}"})):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _sources(modules: set[str]) -> set[Path]:
    """The files of these modules of this package, and of those that they import."""
    seen: dict[str, Path] = {}
    while modules := {module for module in modules if module not in seen}:
        for module in modules:
            specification = importlib.util.find_spec(module)
            assert specification is not None and specification.origin is not None, module
            seen[module] = Path(specification.origin)
        text = "".join(seen[module].read_text("utf-8") for module in modules)
        modules = set(re.findall(r"^ *from (exporters\.\w+) import", text, re.MULTILINE))
        for names in re.findall(r"^ *from exporters import (.+)", text, re.MULTILINE):
            modules |= {f"exporters.{name}" for name in re.findall(r"\w+", names)}
    return set(seen.values())


def find(model: Model) -> Manifest | None:
    """The manifest of the latest export, which is the one that is served, where it is up to date; or None."""
    try:
        latest = bentoml.models.get(f"{model.id}:latest")
    except NotFound:
        return None
    return Manifest.read(Path(latest.path)) if latest.tag.version == version_of(model) else None


def export(model: Model) -> Manifest:
    """Export, prove and register `model` as its latest. Raises `ExportError`, and then registers nothing."""
    # torch takes seconds to import: only where there is something to export.
    from exporters.reference import find_architecture

    return prove(model, find_architecture(model).build(model))


def prove(model: Model, parts: Sequence[Reference | Asset]) -> Manifest:
    """Trace these references and register them as `model`, once each is shown to compute the same."""
    from exporters.reference import Asset

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        comparisons: list[Comparison] = []
        for part in parts:
            if isinstance(part, Asset):
                (folder / part.name).write_bytes(part.data)
                continue
            path = folder / part.graph.file
            print(f"  writing {part.graph.name}", flush=True)
            write(part, path)
            comparisons += compare(part, path, model.tolerance)
        references = [part for part in parts if not isinstance(part, Asset)]
        manifest = _manifest(model, folder, references, comparisons)
        manifest.write(folder)
        _register(model, folder, manifest)
    return manifest


def write(reference: Reference, path: Path) -> None:
    """Write the reference as one ONNX file whose tensors and axes are named as the catalogue names them."""
    import onnx

    from exporters import exact_halves

    if isinstance(reference.module, onnx.ModelProto):
        onnx.save(reference.module, path)
    else:
        _trace(reference, path)
        model = onnx.load(path)
        exact_halves.store(model)
        onnx.save(model, path)
    onnx.checker.check_model(str(path), full_check=True)
    _check_axes(reference.graph, onnx.load(path, load_external_data=False))


def _check_axes(graph: Graph, model: onnx.ModelProto) -> None:
    """Raises `ProofFailed` where an axis that varies has one size only: tracing can fix one without a word."""
    dims = {tensor.name: tensor.type.tensor_type.shape.dim for tensor in model.graph.input}
    for tensor in graph.inputs:
        for axis, dim in zip(tensor.axes, dims[tensor.name], strict=True):
            if isinstance(axis, str) and dim.HasField("dim_value"):
                raise ProofFailed(f"{graph.name}: {tensor.name} has the one size {dim.dim_value} along {axis!r}")


def _trace(reference: Reference, path: Path) -> None:
    import torch

    axes: dict[str, Any] = {}
    shapes = [
        {
            place: axes.setdefault(axis, reference.graph.multiples.get(axis, 1) * torch.export.Dim(axis))
            for place, axis in enumerate(tensor.axes)
            if isinstance(axis, str)
        }
        for tensor in reference.graph.inputs
    ]
    with warnings.catch_warnings():
        # torch warns about its own deprecated calls, and onnxscript about a missing torchvision.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            reference.module,
            tuple(torch.from_numpy(array) for array in reference.cases[0]),
            str(path),
            dynamo=True,
            opset_version=OPSET,
            external_data=False,
            input_names=[tensor.name for tensor in reference.graph.inputs],
            output_names=[tensor.name for tensor in reference.graph.outputs],
            dynamic_shapes=_as_arguments(reference.module, shapes),
            verbose=False,
        )


def _as_arguments(module: torch.nn.Module, shapes: Sequence[Any]) -> tuple[Any, ...]:
    """The shapes as torch wants them: those of `*tensors` are one tuple in the place of that argument."""
    kinds = [each.kind for each in inspect.signature(module.forward).parameters.values()]
    if inspect.Parameter.VAR_POSITIONAL not in kinds:
        return tuple(shapes)
    plain = kinds.index(inspect.Parameter.VAR_POSITIONAL)
    return (*shapes[:plain], tuple(shapes[plain:]))


def compare(reference: Reference, path: Path, tolerance: float) -> list[Comparison]:
    """Run reference and export on every case. Raises `ProofFailed` where they differ by more than `tolerance`."""
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    inputs, outputs = ([t.name for t in side] for side in (reference.graph.inputs, reference.graph.outputs))
    comparisons = []
    for case in reference.cases:
        got = session.run(outputs, dict(zip(inputs, case, strict=True)))
        differences = {}
        for name, export, truth in zip(outputs, got, reference.outputs(case), strict=True):
            if export.shape != truth.shape or export.dtype != truth.dtype:
                raise ProofFailed(
                    f"{name} is {export.dtype}{export.shape}, the reference gives {truth.dtype}{truth.shape}"
                )
            differences[name] = float(np.abs(export.astype(np.float64) - truth.astype(np.float64)).max())
        comparison = Comparison(
            graph=reference.graph.name,
            inputs={name: array.shape for name, array in zip(inputs, case, strict=True)},
            max_difference=differences,
        )
        # Not "> tolerance": a difference of NaN must fail too.
        if not all(difference <= tolerance for difference in differences.values()):
            raise ProofFailed(
                f"{reference.graph.name} differs from its reference by {differences} on inputs of "
                f"{comparison.inputs}; the tolerance is {tolerance:g}"
            )
        comparisons.append(comparison)
    return comparisons


def _precision(graphs: Sequence[onnx.ModelProto]) -> str:
    """The type that most of the weights are stored in, counted by bytes."""
    import onnx

    stored: Counter[str] = Counter()
    for graph in graphs:
        for tensor in graph.graph.initializer:
            dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
            stored[dtype.name] += dtype.itemsize * math.prod(tensor.dims)
    return stored.most_common(1)[0][0] if stored else "none"


def _manifest(
    model: Model, folder: Path, references: Sequence[Reference], comparisons: Sequence[Comparison]
) -> Manifest:
    import onnx

    graphs = [onnx.load(path) for path in sorted(folder.glob("*.onnx"))]
    files = {
        path.name: ExportedFile(sha256=hashlib.sha256(path.read_bytes()).hexdigest(), bytes=path.stat().st_size)
        for path in sorted(folder.iterdir())
    }
    versions = _library_versions()
    return Manifest(
        model=model.id,
        declaration=declaration_digest(model),
        created=int(time.time()),
        source=str(model.source),
        source_sha256=model.source.sha256 if isinstance(model.source, PackageMember) else None,
        licence=model.licence,
        provenance=model.provenance,
        precision=_precision(graphs),
        opset=max(each.version for graph in graphs for each in graph.opset_import if not each.domain),
        files=files,
        reference=f"{' and '.join(dict.fromkeys(part.computed_by for part in references))}, on the CPU",
        tolerance=model.tolerance,
        comparisons=tuple(comparisons),
        versions=versions,
    )


def _register(model: Model, folder: Path, manifest: Manifest) -> None:
    tag = f"{model.id}:{version_of(model)}"
    with contextlib.suppress(NotFound):  # made before, by --force or as what was no longer the latest
        bentoml.models.delete(tag)
    labels = {"source": "ekiben"}
    facts = {"licence": model.licence, "max_difference": manifest.max_difference, "tolerance": model.tolerance}
    with bentoml.models.create(tag, labels=labels, metadata=facts) as stored:
        for path in folder.iterdir():
            path.rename(Path(stored.path) / path.name)


def _library_versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in ("torch", "torchvision", "transformers", "onnx", "onnxscript", "onnxruntime-gpu", "onnxruntime"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
