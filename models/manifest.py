"""The manifest of an export: what was made from what, and the proof that it computes the same."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from models.model import Model

MANIFEST_FILE = "manifest.json"


def declaration_digest(model: Model) -> str:
    """SHA-256 of a model's declaration: an export made from another one is out of date."""
    return hashlib.sha256(repr(model).encode()).hexdigest()


class ExportedFile(BaseModel):
    model_config = ConfigDict(frozen=True)

    sha256: str
    bytes: int


class Comparison(BaseModel):
    """The largest absolute difference between export and reference for each output, on inputs of these shapes."""

    model_config = ConfigDict(frozen=True)

    graph: str
    inputs: dict[str, tuple[int, ...]]
    max_difference: dict[str, float]


class Manifest(BaseModel):
    model_config = ConfigDict(frozen=True)

    model: str
    declaration: str
    created: int
    """Unix time, seconds."""
    source: str
    source_sha256: str | None
    licence: str
    provenance: str
    precision: str
    opset: int
    files: dict[str, ExportedFile]
    reference: str
    tolerance: float
    comparisons: tuple[Comparison, ...]
    versions: dict[str, str]

    @property
    def max_difference(self) -> float:
        return max(value for each in self.comparisons for value in each.max_difference.values())

    def write(self, folder: Path) -> None:
        (folder / MANIFEST_FILE).write_text(self.model_dump_json(indent=2) + "\n", "utf-8")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        return cls.model_validate_json((folder / MANIFEST_FILE).read_text("utf-8"))
