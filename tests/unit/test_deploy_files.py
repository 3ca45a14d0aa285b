"""What is deployed, as files: each is checked by its own tool where it has one, and against the server's settings."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from models import MODELS, default_models
from services.draining import EXIT_SECONDS
from services.exports import find_export
from services.settings import Settings
from services.version import VERSION
from tests import expressions
from tests.serving import ROOT, clean_environment

DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
STOP_SECONDS = Settings().drain_seconds + Settings().grace_seconds + EXIT_SECONDS


def run(*command: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, **options)


def test_the_composition_follows_the_specification() -> None:
    done = run(
        sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml"
    )
    assert done.returncode == 0, done.stdout


def test_what_the_composition_mounts_exists() -> None:
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert source in COMPOSE["volumes"] or (DEPLOY / source).is_dir(), volume


def test_the_grace_period_is_longer_than_the_drain() -> None:
    assert float(COMPOSE["services"]["ekiben"]["stop_grace_period"].removesuffix("s")) >= STOP_SECONDS


def test_prometheus_asks_the_server_where_it_is() -> None:
    configuration = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text("utf-8"))
    [job] = configuration["scrape_configs"]
    [target] = job["static_configs"][0]["targets"]
    name, _, port = target.partition(":")
    assert COMPOSE["services"][name]["ports"] == [f"127.0.0.1:{port}:{port}"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is in the package `prometheus`")
@pytest.mark.parametrize(
    "command", ["check config prometheus.yml", "check rules alerts.yml", "test rules alerts_test.yml"]
)
def test_promtool_has_nothing_against(command: str) -> None:
    *words, file = command.split()
    done = run("promtool", *words, DEPLOY / "prometheus" / file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested() -> None:
    tested = yaml.safe_load((DEPLOY / "prometheus/alerts_test.yml").read_text("utf-8"))["tests"]
    for case in tested:
        assert {each["alertname"] for each in case["alert_rule_test"]} == set(expressions.alerts())


def test_the_dashboard_is_one_to_grafanas_own_model() -> None:
    """What Grafana's library does not know would be lost on the way through it."""
    plugins.register_default_plugins()
    dashboard = json.loads(expressions.DASHBOARD.read_text("utf-8"))
    returned = json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard)))
    assert lost(dashboard, returned) == []


def lost(wanted: Any, got: Any, place: str = "") -> list[str]:
    if isinstance(wanted, dict) and isinstance(got, dict):
        return [each for name in wanted for each in lost(wanted[name], got.get(name), f"{place}/{name}")]
    if isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
        return [each for at, pair in enumerate(zip(wanted, got, strict=True)) for each in lost(*pair, f"{place}/{at}")]
    return [] if wanted == got else [place]


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(expressions.DASHBOARD.read_text("utf-8"))["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken and at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells


def test_probes_and_scrapes_are_in_no_panel() -> None:
    asked = [each for several in expressions.panels().values() for each in several if "ekiben_request" in each]
    assert len(asked) >= 4
    for expression in asked:
        assert expression.count("ekiben_request") == expression.count('route!~"/(metrics|livez|readyz|healthz)"')


@pytest.mark.parametrize(("device", "build"), [("cpu", "onnxruntime"), ("cuda", "onnxruntime-gpu[cuda,cudnn]")])
def test_an_image_has_one_build_of_onnx_runtime(device: str, build: str) -> None:
    lines = run("sh", DEPLOY / "image/requirements.sh", device, check=True).stdout.splitlines()
    pinned = dict(line.split(" ;")[0].split("==") for line in lines)
    assert [name for name in pinned if name.startswith("onnxruntime")] == [build]
    everything = (ROOT / "requirements/runtime.txt").read_text("utf-8").splitlines()
    assert set(everything) - set(lines) == {line for line in everything if line.startswith("onnxruntime")}


def test_there_is_no_image_for_another_device() -> None:
    assert run("sh", DEPLOY / "image/requirements.sh", "tpu").returncode == 2


def test_an_image_says_which_version_it_is_and_more_options_reach_the_engine(tmp_path: Path) -> None:
    exports = tmp_path / "exports"
    environment = clean_environment(
        ENGINE="echo", EKIBEN_MODELS="multistyle26", PYTHON=sys.executable, EXPORTS=str(exports), SOURCE="https://e.org"
    )
    done = run(DEPLOY / "build", "cuda", "--pull", env=environment, check=True)
    command = done.stdout.splitlines()[-1]
    assert command.startswith("build --file deploy/Containerfile --build-arg DEVICE=cuda --tag ekiben:cuda ")
    assert f" --build-arg VERSION={VERSION} " in command
    assert run("git", "rev-parse", "HEAD").stdout.strip() in command
    assert f" --build-arg CREATED={run('git', 'log', '-1', '--format=%cI').stdout.strip()} " in command
    assert " --build-arg SOURCE=https://e.org " in command
    assert f" --build-context exports={exports} " in command
    assert [folder.name for folder in exports.iterdir()] == ["multistyle26"]
    assert command.endswith(" --pull .")
    again = run(DEPLOY / "build", "cuda", env=environment)
    assert again.returncode == 2 and "is there already" in again.stderr  # nothing that is somebody's is taken away


def test_the_image_is_built_on_a_base_with_its_full_name() -> None:
    """Podman knows no other registry for a short one, and the label of the base needs it."""
    [base] = re.findall(r"^ARG BASE=(\S+)$", (DEPLOY / "Containerfile").read_text("utf-8"), re.MULTILINE)
    assert base.startswith("docker.io/library/python:3.11-")


def test_the_server_of_the_composition_has_bounds() -> None:
    server = COMPOSE["services"]["ekiben"]
    sessions = 2 * sum(len(model.protocol.graphs) for model in default_models())  # alone, and side by side
    assert server["pids_limit"] > 2 * sessions * server["cpus"]
    assert server["tmpfs"] == ["/tmp:size=256m"]


def stage(store: Path, to: Path) -> subprocess.CompletedProcess[str]:
    """Copy one small model from a store whose home is `store`, as a build of the image does."""
    environment = clean_environment(BENTOML_HOME=str(store), PYTHONPATH=str(ROOT))
    script = DEPLOY / "image/exports.py"
    return run(sys.executable, script, "--to", to, "--models", "multistyle26", env=environment)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    export = find_export(MODELS["multistyle26"])
    shutil.copytree(export.folder, tmp_path / "home/models/multistyle26" / export.folder.name)
    return tmp_path / "home"


def test_an_image_gets_the_export_that_is_served(store: Path, tmp_path: Path) -> None:
    done = stage(store, tmp_path / "to")
    assert done.returncode == 0, done.stderr
    export = find_export(MODELS["multistyle26"])
    assert (tmp_path / "to/multistyle26/latest").read_text() == export.folder.name
    for name, file in export.manifest.files.items():
        assert f"{name} sha256:{file.sha256}" in done.stdout
        assert (tmp_path / "to/multistyle26" / export.folder.name / name).stat().st_size == file.bytes


def test_an_export_that_is_not_the_proven_one_gets_into_no_image(store: Path, tmp_path: Path) -> None:
    [graph] = store.glob("models/multistyle26/*/model.onnx")
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 1
    graph.write_bytes(content)
    done = stage(store, tmp_path / "to")
    assert done.returncode == 1 and "SHA-256" in done.stderr
    assert not (tmp_path / "to").exists()
