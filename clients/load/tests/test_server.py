"""The command against a real server of all tasks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ekiben_load.queries import TASKS
from ekiben_load.report import Report

FOLDER = Path(__file__).parents[1]


def run(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *arguments]
    variables = {**os.environ, **(environment or {})}
    return subprocess.run(command, cwd=FOLDER, env=variables, capture_output=True, text=True, check=False)


def test_every_task_is_asked_and_answered(server: str, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    done = run(
        "ekiben_load", "single-stream", "--url", server, "--seconds", "1", "--api-key=geheim", "--json", str(path)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = Report.model_validate_json(path.read_text())
    (single,) = report.runs
    assert single.outcomes == {"200": single.queries}
    assert {each.task for each in single.tasks if each.good} == set(TASKS)
    assert {model.task for model in report.target.models} == set(TASKS)
    assert report.target.server.startswith("ekiben ")
    assert "geheim" not in path.read_text() + done.stdout
    assert f"p90 {single.metric.value:.3g}" in done.stdout


def test_all_three_scenarios_make_one_page(server: str, tmp_path: Path) -> None:
    json_path, html_path = tmp_path / "report.json", tmp_path / "report.html"
    files = "--json", str(json_path), "--html", str(html_path)
    short = "--seconds", "1", "--min-queries", "20", "--p99-ms", "300"
    done = run("ekiben_load", "all", "--url", server, "--task", "image-classification", *short, *files)
    assert done.returncode in (0, 1), done.stderr  # on a machine that is busy elsewhere no rate may pass
    report = Report.model_validate_json(json_path.read_text())
    assert [each.scenario for each in report.runs] == ["single-stream", "offline", "server"]
    searched = report.runs[2]
    assert searched.metric.value in [None, *(trial.rate for trial in searched.trials if trial.verdict == "passed")]
    assert {trial.verdict for trial in searched.trials} - {"passed"}
    assert report.runs[1].metric.value is not None
    assert 0 < report.runs[1].generator.cpu_ms_per_query < 20
    html = html_path.read_text()
    assert html.count("<figure>") == 7
    assert all(source.startswith("data:") for source in re.findall(r'(?:src|href)="?([^"> ]*)', html))


def test_locust_asks_every_task(server: str) -> None:
    options = "--headless", "--users", "4", "--spawn-rate", "4", "--run-time", "6s", "--only-summary"
    done = run("locust", "-f", "locustfile.py", "--host", server, *options)
    assert done.returncode == 0, done.stderr
    assert set(re.findall(r"/v1/([a-z-]+)", done.stderr + done.stdout)) <= set(TASKS)
    assert "/v1/image-classification" in done.stderr + done.stdout
    assert "implausible" not in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--url", "http://127.0.0.1:9"), "no server answers at 127.0.0.1:9"),
        (("--mix", "nothing=1"), "no such task: 'nothing'"),
        (("--inputs", "/nowhere"), "no pictures or recordings in /nowhere"),
        (("--seconds", "0"), "not above zero"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(arguments: tuple[str, ...], words: str) -> None:
    done = run("ekiben_load", "offline", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
