"""Exports as the server finds them: in BentoML's model store, or packed into the bento it runs from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import bentoml
from bentoml.exceptions import NotFound

from models.manifest import Manifest, declaration_digest
from models.model import Graph, Model


class ExportMissing(RuntimeError):
    """A model cannot be served from what is in the model store; the text says what to do."""


@dataclass(frozen=True)
class Export:
    folder: Path
    manifest: Manifest

    def graph(self, graph: Graph) -> Path:
        """The graph's file; as `file`."""
        return self.file(graph.file)

    def file(self, name: str) -> Path:
        """An exported file. Raises `ExportMissing` where it is not the one that the proof was made with."""
        path = self.folder / name
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        wanted = self.manifest.files[name].sha256
        if found != wanted:
            raise ExportMissing(f"{path}: SHA-256 is {found}, its manifest says {wanted}; export it anew")
        return path


def find_export(model: Model) -> Export:
    """The newest export of `model` as it is declared now. Raises `ExportMissing`.

    Not simply the newest: a bento that was packed before the declaration changed finds its own.
    """
    try:
        stored = sorted(bentoml.models.list(model.id), key=lambda each: each.creation_time, reverse=True)
    except NotFound:
        stored = []
    exports = [Export(Path(each.path), Manifest.read(Path(each.path))) for each in stored]
    for export in exports:
        if export.manifest.declaration == declaration_digest(model):
            return export
    state = "was exported from another declaration of it" if exports else "is not exported"
    raise ExportMissing(f"{model.id} {state}: run `make export MODELS={model.id}`")
