"""Nothing of a task is forgotten: its exporters, golden values, page and client."""

from __future__ import annotations

import importlib
import re

import pytest

from models import MODELS, TASKS, task_of
from models.model import HubRepository
from tests.serving import ROOT

CLIENT = ROOT / "clients" / "python"


def module_name(task: str) -> str:
    return task.replace("-", "_")


def shown(value: object) -> str:
    """A default as a page writes it."""
    return f"{value:g}" if isinstance(value, float) else str(value).lower()


@pytest.mark.parametrize("id", MODELS)
def test_every_model_has_an_exporter(id: str) -> None:
    module = importlib.import_module(f"exporters.{MODELS[id].architecture}")
    assert callable(module.build)


@pytest.mark.parametrize("id", [id for id, model in MODELS.items() if isinstance(model.source, HubRepository)])
def test_every_hub_model_is_pinned_to_a_commit(id: str) -> None:
    source = MODELS[id].source
    assert isinstance(source, HubRepository)
    assert re.fullmatch("[0-9a-f]{40}", source.revision)


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_golden_values(task: str) -> None:
    assert "def test_" in (ROOT / "tests" / "golden" / f"test_{module_name(task)}.py").read_text("utf-8")


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_a_page_that_names_its_models_and_parameters(task: str) -> None:
    page = (ROOT / "docs" / "tasks" / f"{task}.md").read_text("utf-8")
    assert f"/v1/{task}" in page
    named = set(re.findall(r"`([^`\n]+)`", page.replace("```", "")))
    assert {model.id for model in TASKS[task].models} <= named
    assert set(TASKS[task].parameters.model_fields) <= named
    assert {each.name for each in TASKS[task].inputs if not each.required} <= named


@pytest.mark.parametrize("task", TASKS)
def test_every_page_states_the_ranges_and_defaults_that_hold(task: str) -> None:
    page = (ROOT / "docs" / "tasks" / f"{task}.md").read_text("utf-8")
    rows = {
        name: row
        for row in page.splitlines()
        if row.startswith("| `") and (name := row.split("`")[1]) in TASKS[task].parameters.model_fields
    }
    schema = TASKS[task].parameters.model_json_schema()["properties"]
    assert set(rows) == set(schema)
    for name, facts in schema.items():
        _, _, values, default, *_ = (cell.strip().strip("`") for cell in rows[name].split("|"))
        if {"minimum", "maximum"} <= facts.keys():
            assert values == f"{facts['minimum']:g} – {facts['maximum']:g}"
        if facts["default"] is not None:
            assert default == shown(facts["default"])


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_a_module_of_the_client(task: str) -> None:
    assert (CLIENT / "src" / "ekiben_client" / f"{module_name(task)}.py").is_file()


def test_every_model_belongs_to_a_task() -> None:
    assert {task_of(model).name for model in MODELS.values()} == set(TASKS)
