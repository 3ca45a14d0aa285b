"""A native call that never returns shows in `/livez`, wherever the runner lives, and does not keep it from ending."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import time
from pathlib import Path

import httpx
import numpy as np
import onnx
import psutil
import pytest
from PIL import Image

from models.image_classification import ImageClassification
from models.manifest import ExportedFile
from services.exports import find_export
from tests.e2e.checks import ROUTE, connection, head, png
from tests.e2e.test_runners_elsewhere import processes
from tests.serving import Server, serving

MODEL = ImageClassification.models[0]
SECONDS = 60.0
BLACK, WHITE = (png(Image.fromarray(np.full((8, 8, 3), grey, np.uint8))) for grey in (0, 255))

# Black, as what a model is warmed up with, is answered at once; any light keeps its thread for an hour.
HANGING = """<ir_version: 8, opset_import: ["" : 18]>
model (uint8[batch, 224, 224, 3] image) => (float[batch, 1000] probabilities)
<float zero = {0}, int64 rounds = {20000000}, int64[1] classes = {1000}, bool always = {1}> {
    brightness = Cast<to = 7>(image)
    lightest = ReduceMax<keepdims = 0>(brightness)
    trips = Mul(lightest, rounds)
    slowly = Loop(trips, always, zero) <body = round (int64 trip, bool more, float sum) => (bool still, float next) {
        still = Identity(more)
        next = Identity(sum)
    }>
    pictures = Shape<end = 1>(image)
    shape = Concat<axis = 0>(pictures, classes)
    probabilities = Expand(slowly, shape)
}"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A model store whose one export hangs."""
    export = find_export(MODEL)
    home = tmp_path / "home"
    folder = home / "models" / MODEL.id / export.folder.name
    shutil.copytree(export.folder, folder)
    (folder.parent / "latest").write_text(folder.name)
    data = onnx.parser.parse_model(HANGING).SerializeToString()
    (folder / "model.onnx").write_bytes(data)
    hanging = ExportedFile(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
    export.manifest.model_copy(update={"files": {"model.onnx": hanging}}).write(folder)
    return home


def process_of_the_runner(server: Server, placement: str) -> psutil.Process:
    if placement == "embedded":
        return server.worker()
    [runner] = processes(server, f"runner-{MODEL.id}")
    return runner


@pytest.mark.parametrize("placement", ["embedded", "services"])
def test_a_run_that_hangs_is_told_and_left_behind(tmp_path: Path, home: Path, placement: str) -> None:
    settings = {
        "EKIBEN_MODELS": MODEL.id,
        "EKIBEN_RUNNERS": placement,
        "EKIBEN_STUCK_SECONDS": "0.3",
        "EKIBEN_GRACE_SECONDS": "0.2",
        "BENTOML_HOME": str(home),
    }
    with serving(tmp_path / "log", settings) as server, httpx.Client(base_url=server.url, timeout=SECONDS) as http:
        assert http.post(ROUTE, content=BLACK).status_code == 200
        assert http.get("/livez").status_code == 200
        victim = process_of_the_runner(server, placement)
        try:
            with connection(server) as opened:
                opened.sendall(head(f"Content-Length: {len(WHITE)}") + WHITE)
                until = time.monotonic() + SECONDS
                while http.get("/livez").status_code == 200:
                    assert time.monotonic() < until
                assert http.get("/livez").status_code == 503
            server.process.terminate()
            server.process.wait(SECONDS)
            assert not victim.is_running(), "its process waits for it still"
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.kill()
        [line] = (line for line in server.log.read_text().splitlines() if '"a run hangs"' in line)
        assert f'"model": "{MODEL.id}"' in line
