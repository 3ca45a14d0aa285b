"""The inputs: pictures and recordings of a folder, and texts that come with this package."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from ekiben_load.queries import PICTURES, RECORDINGS, Input

EXAMPLES = Path(__file__).parents[3] / "examples"
"""Beside this package in the repository; elsewhere a folder has to be named."""

COVERS = "card-*"
"""Pictures of the demos' own pages, which are among the examples: nobody asks a model about them."""

MAX_BYTES = 2_000_000
"""Larger files are left out: what is measured is the server, not a single long recording."""


def read_files(folder: Path) -> list[Input]:
    """The pictures and recordings below a folder, by path. Raises `ValueError` where there are none."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in {**PICTURES, **RECORDINGS})
    if folder.resolve() == EXAMPLES.resolve():
        paths = [path for path in paths if not path.match(COVERS)]
    files = [
        Input(str(path.relative_to(folder)), path.suffix.lower(), path.read_bytes())
        for path in paths
        if path.stat().st_size <= MAX_BYTES
    ]
    if not files:
        raise ValueError(f"no pictures or recordings in {folder}")
    return files


def texts() -> Sequence[str]:
    """English, from a word to a paragraph, one a line."""
    return resources.files("ekiben_load").joinpath("texts.txt").read_text("utf-8").splitlines()
