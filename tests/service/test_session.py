"""Sessions say where they run, and take no more cores than they may."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx.parser
import psutil
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import Fail

from models.model import Graph, Tensor
from services.runners.session import (
    CPU,
    CUDA,
    CUDA_OPTIONS,
    DeviceUnavailable,
    Session,
    UnsuitableTensors,
    _cgroup_quota,
    _driver_present,
    _providers,
    available_cpus,
    require_device,
)
from tests.service import tiny_models as tiny

GRAPH = tiny.ONE_SHOT.graph


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tiny.tiny_export(tiny.tiny_model(tiny.ONE_SHOT), tmp_path).graph(GRAPH)


def test_memory_of_a_large_run_goes_back_to_the_system(path: Path) -> None:
    session = Session(path, GRAPH, device="cpu", threads=1)
    this_process = psutil.Process()
    large, small = (np.ones((1, length), np.float32) for length in (50_000_000, 1))
    session.run({"numbers": small})  # what the first run takes is kept
    session.run({"numbers": large})
    held = this_process.memory_info().rss
    [doubled] = session.run({"numbers": small}, give_back=True)
    assert (doubled == 2).all()
    assert this_process.memory_info().rss < held - 150_000_000


def test_a_session_names_the_provider_that_it_has(path: Path) -> None:
    session = Session(path, GRAPH, device="cpu", threads=1)
    assert session.provider == CPU
    [doubled] = session.run({"numbers": np.ones((2, 3), np.float32)})
    assert (doubled == 2).all()


def session_of(body: str, folder: Path) -> Session:
    """A graph of two inputs, whose lengths are declared to be independent."""
    text = f"{tiny.HEADER}\ngraph (float[batch, n] a, float[batch, m] b) => (float[batch, k] y) {{ {body} }}"
    onnx.save_model(onnx.parser.parse_model(text), folder / "graph.onnx")
    inputs = Tensor("a", "float32", ("batch", "n")), Tensor("b", "float32", ("batch", "m"))
    graph = Graph("graph", inputs, (Tensor("y", "float32", ("batch", "k")),))
    return Session(folder / graph.file, graph, device="cpu", threads=1)


@pytest.mark.parametrize(
    "body", ["y = Add(a, b)", "t = Transpose(b) y = MatMul(a, t)", "s = Shape(b) y = Reshape(a, s)"]
)
def test_sizes_that_do_not_go_together_are_the_caller_s_error(tmp_path: Path, body: str) -> None:
    session = session_of(body, tmp_path)
    session.run({"a": np.ones((1, 3), np.float32), "b": np.ones((1, 3), np.float32)})
    with pytest.raises(UnsuitableTensors):
        session.run({"a": np.ones((1, 3), np.float32), "b": np.ones((1, 2), np.float32)})


def test_other_failures_are_not(tmp_path: Path) -> None:
    session = session_of("axes = Constant<value_ints=[0]>() s = Squeeze(a, axes) y = Add(s, b)", tmp_path)
    with pytest.raises(Fail, match="Squeeze"):
        session.run({"a": np.ones((2, 3), np.float32), "b": np.ones((2, 3), np.float32)})


@pytest.mark.skipif(_driver_present(), reason="there is a GPU here")
def test_cuda_is_refused_where_the_session_would_run_on_the_cpu(path: Path) -> None:
    with pytest.raises(DeviceUnavailable, match=CPU):
        Session(path, GRAPH, device="cuda", threads=1)
    with pytest.raises(DeviceUnavailable, match="EKIBEN_DEVICE=cuda"):
        require_device("cuda")


@pytest.mark.parametrize(("bound", "option"), [(None, {}), (2_000_000_000, {"gpu_mem_limit": "2000000000"})])
def test_a_session_asks_for_no_more_of_its_card_than_it_may(bound: int | None, option: dict[str, str]) -> None:
    assert _providers("cuda", bound) == [(CUDA, CUDA_OPTIONS | option), CPU]
    assert _providers("cpu", bound) == [CPU]


def test_other_devices_need_no_proof() -> None:
    require_device("auto")
    require_device("cpu")


def test_a_graph_with_other_tensors_than_declared_is_refused(path: Path) -> None:
    other: Graph = replace(GRAPH, inputs=(Tensor("figures", "float32", ("batch", "length")),))
    with pytest.raises(ValueError, match="figures"):
        Session(path, other, device="cpu", threads=1)


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "max 100000"}, None),
        ({"cpu.max": "150000 100000"}, 1),
        ({"cpu.max": "400000 100000"}, 4),
        ({"cpu.max": "5000 100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "250000", "cpu/cpu.cfs_period_us": "100000"}, 2),
        ({}, None),
    ],
)
def test_the_quota_of_a_container_is_read(tmp_path: Path, files: dict[str, str], cores: int | None) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert _cgroup_quota(tmp_path) == cores
    assert available_cpus() >= 1
