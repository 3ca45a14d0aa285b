"""Arrangements are measured once, kept beside the export, and only read when the server starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.model import OneShot, Stepwise
from services import tuning
from services.session import CPU, CUDA, available_cpus, provider_for
from services.tuning import Arrangement
from tests.service import tiny_models as tiny


def test_a_measurement_is_kept_and_read(tmp_path: Path) -> None:
    model = tiny.tiny_model(tiny.ONE_SHOT)
    export = tiny.tiny_export(model, tmp_path)
    measured = tuning.tune(model, export, "cpu", sample_seconds=0.01)
    assert measured.workers * measured.threads == available_cpus()
    assert measured.max_batch <= model.max_batch
    assert tuning.arrangement(model, export, "cpu") == measured


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
