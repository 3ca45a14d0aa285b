"""The smallest bento: packed, then served from its tag where no torch can be imported."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests import photographs
from tests.serving import ROOT, clean_environment, serving

BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision", "transformers", "onnx", "onnxscript", "exporters"):
            raise ImportError(f"{name} does not belong into the serving environment")

sys.meta_path.insert(0, Blocker())
"""


@pytest.fixture
def tag() -> Iterator[str]:
    bentoml = str(Path(sys.executable).with_name("bentoml"))
    command = [bentoml, "build", "--output", "tag"]
    built = subprocess.run(command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=True)
    tag = built.stdout.strip().removeprefix("__tag__:")
    yield tag
    subprocess.run([bentoml, "delete", "--yes", tag], env=clean_environment(), capture_output=True, check=True)


def test_a_bento_answers_from_its_tag_without_torch(tag: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(BLOCKER)
    with serving(tmp_path / "log", {"PYTHONPATH": str(tmp_path)}, service=tag, folder=tmp_path) as server:
        answer = httpx.post(
            f"{server.url}/v1/image-classification", content=photographs.path("coffee").read_bytes(), timeout=60
        )
        assert answer.json()[0]["label"] == "espresso"
