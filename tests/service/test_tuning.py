"""Arrangements are measured once, kept beside the export, and only read when the server starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import MODELS
from models.model import OneShot, Stepwise
from services.runners import tuning
from services.runners.session import CPU, CUDA, available_cpus, provider_for
from services.runners.tuning import Arrangement
from services.telemetry import metrics
from tests.service import tiny_models as tiny


def test_a_measurement_is_kept_and_read(tmp_path: Path) -> None:
    model = tiny.tiny_model(tiny.ONE_SHOT)
    export = tiny.tiny_export(model, tmp_path)
    measured = tuning.tune(model, export, "cpu", sample_seconds=0.01)
    assert measured.workers * measured.threads == available_cpus()
    assert measured.max_batch <= model.max_batch
    assert tuning.arrangement(model, export, "cpu") == measured


@pytest.mark.parametrize(
    ("usual", "other", "winner"),
    [
        ([10.0, 10.2, 10.1], [9.9, 9.6, 9.8], "usual"),  # as good as equal
        ([10.0, 10.2, 10.1], [9.0, 9.1, 9.2], "other"),
        ([30.0, 10.0, 45.0], [12.0, 12.1, 12.2], "usual"),  # the usual had a busy neighbour twice
        ([10.0, 10.2, 10.1], [30.0, 9.0, 45.0], "other"),  # and here the other
        ([10.0], [10.0], "usual"),
    ],
)
def test_the_usual_stays_unless_another_is_clearly_cheaper(usual: list[float], other: list[float], winner: str) -> None:
    assert tuning.clear_winner({"usual": usual, "other": other}, 1.05) == winner


@given(
    costs=st.lists(st.floats(1, 100), min_size=1, max_size=5),
    interference=st.lists(st.lists(st.floats(0, 1000), min_size=1, max_size=4), min_size=5, max_size=5),
)
def test_what_neighbours_take_changes_no_choice(costs: list[float], interference: list[list[float]]) -> None:
    quiet = {place: [cost] for place, cost in enumerate(costs)}
    busy = {place: [cost, *(cost + more for more in interference[place])] for place, cost in enumerate(costs)}
    winner = tuning.clear_winner(quiet, 1.05)
    assert winner == tuning.clear_winner(busy, 1.05)
    assert costs[winner] < min(costs) * 1.05
    assert all(cost >= min(costs) * 1.05 for cost in costs[:winner])


@pytest.mark.parametrize(
    ("all_cores", "one", "winner"),
    [
        ([9.0, 9.1, 9.3], [12.0, 12.1, 12.4], 4),
        ([12.5, 12.6, 12.8], [12.0, 12.1, 12.4], 4),  # never were all cores free
        ([16.0, 30.0, 40.0], [12.0, 30.0, 41.0], 4),  # one thread found a quiet moment
        ([12.0, 40.0, 41.0], [12.0, 12.1, 12.2], 4),  # it had a neighbour's core to itself
        ([0.3, 0.31, 0.4], [0.1, 0.1, 0.2], 1),
    ],
)
def test_a_lone_item_has_all_cores_unless_one_is_clearly_faster(
    all_cores: list[float], one: list[float], winner: int
) -> None:
    assert tuning.lone_winner({4: all_cores, 1: one}) == winner


def test_a_machine_that_was_not_measured_takes_what_is_usual(tmp_path: Path) -> None:
    model = tiny.tiny_model(tiny.ONE_SHOT)
    export = tiny.tiny_export(model, tmp_path)
    other = Arrangement(workers=9, threads=9, max_batch=9, lone_threads=9)
    (tmp_path / tuning.FILE).write_text(f'{{"another machine": {other.model_dump_json()}}}')
    assert tuning.arrangement(model, export, "cpu") == tuning.usual(model, CPU)
    tuning.tune(model, export, "cpu", sample_seconds=0.01)
    assert "another machine" in (tmp_path / tuning.FILE).read_text(), "it was measured too, elsewhere"


@pytest.mark.parametrize("protocol", [tiny.ONE_SHOT, tiny.CACHE])
@pytest.mark.parametrize("provider", [CPU, CUDA])
def test_the_usual_arrangement_uses_every_core_and_no_more(protocol: OneShot | Stepwise, provider: str) -> None:
    model = tiny.tiny_model(protocol)
    usual = tuning.usual(model, provider)
    assert 1 <= usual.max_batch <= model.max_batch
    if provider == CPU:
        assert usual.workers * usual.threads <= max(2, available_cpus())


def test_what_a_measurement_holds_for_names_provider_and_machine() -> None:
    assert tuning.machine(provider_for("cpu")).startswith(f"{CPU}, {available_cpus()} cores of ")


def test_blank_inputs_have_the_sizes_that_are_asked_for() -> None:
    blank = tuning.blank(tiny.ONE_SHOT.graph, 3, {"length": 5})
    assert blank["numbers"].shape == (3, 5)
    assert tuning.blank(tiny.ONE_SHOT.graph, 2)["numbers"].shape == (2, 1)


def test_the_largest_batch_of_every_model_has_a_place_in_the_metrics() -> None:
    assert max(model.max_batch for model in MODELS.values()) <= max(metrics.ITEMS)
