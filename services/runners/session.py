"""ONNX Runtime sessions that say where they really run."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument

from models.model import Graph
from models.task import Array
from services.runners.binding import Binding
from services.settings import Device

CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"

# Measured advice for CUDA: EXHAUSTIVE search costs up to 1.3 s for each new shape, and the default arena
# doubles whenever it grows.
CUDA_OPTIONS = {"cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested"}


MISFITS = ("Broadcast", "dimension mismatch", "cannot be reshaped")
"""What ONNX Runtime says of sizes that do not go together where it finds out in the middle of a run; of failures that
nobody's input is to blame for it says `Fail` too."""


class DeviceUnavailable(RuntimeError):
    """CUDA was asked for and is not to be had."""


def available_cpus() -> int:
    """The cores that this process may use; a container's quota can be less than the host's count."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, _cgroup_quota(Path("/sys/fs/cgroup")) or cores))


def _cgroup_quota(root: Path) -> int | None:
    """Whole cores of the CPU quota (cgroup v2, then v1), at least 1; None without a quota."""
    try:
        quota, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (root / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (root / "cpu/cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    if not quota.isdecimal() or int(period) <= 0:
        return None
    return max(1, int(quota) // int(period))


@cache
def share_arena() -> None:
    """One arena for all sessions of this process: what one model has put down another one takes up."""
    where = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    onnxruntime.create_and_register_allocator(where, None)


def trim_heap() -> None:
    """Give the system what loading has left free in the C library's heap: most of a graph's size, where it is glibc."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


class UnsuitableTensors(ValueError):
    """A graph cannot be run with the values that it got, as the index of a token that there is not."""


class Session:
    """One graph, loaded. Safe to call from several threads at once."""

    def __init__(
        self, path: Path, graph: Graph, *, device: Device, threads: int, gpu_memory_bytes: int | None = None
    ) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Threads that spin while they wait take the cores from other sessions and from decoding.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        options.log_severity_level = 3
        share_arena()
        options.add_session_config_entry("session.use_env_allocators", "1")
        # Memory is planned, and the plan kept, for each shape anew: of pictures there is no end of shapes.
        options.enable_mem_pattern = not any(tensor.varying for tensor in graph.inputs)
        self._session = onnxruntime.InferenceSession(path, options, providers=_providers(device, gpu_memory_bytes))
        # Asking for CUDA where there is none raises nothing; only the session knows what it got.
        self.provider: str = self._session.get_providers()[0]
        if device == "cuda" and self.provider != CUDA:
            raise DeviceUnavailable(f"EKIBEN_DEVICE=cuda, but {path.name} would run on {self.provider}")
        self._outputs = [tensor.name for tensor in graph.outputs]
        self._check(path, graph)

    def _check(self, path: Path, graph: Graph) -> None:
        sides = ((graph.inputs, self._session.get_inputs()), (graph.outputs, self._session.get_outputs()))
        for declared, actual in sides:
            wanted, found = {tensor.name for tensor in declared}, {tensor.name for tensor in actual}
            if wanted != found:
                raise ValueError(f"{path.name} has the tensors {sorted(found)}, declared are {sorted(wanted)}")

    def run(self, inputs: Mapping[str, Array], *, give_back: bool = False) -> Sequence[Array]:
        """The outputs, in the order in which the graph declares them.

        `give_back`: the memory that this and earlier runs needed goes back to the system, which costs a run that
        needs much of it a fifth more CPU time. Raises `UnsuitableTensors`.
        """
        options = None
        if give_back:
            options = onnxruntime.RunOptions()
            arenas = "cpu:0" if self.provider == CPU else "cpu:0;gpu:0"
            options.add_run_config_entry("memory.enable_memory_arena_shrinkage", arenas)
        try:
            outputs: Sequence[Array] = self._session.run(self._outputs, inputs, options)
        except (InvalidArgument, Fail) as error:
            if isinstance(error, Fail) and not any(words in str(error) for words in MISFITS):
                raise
            raise UnsuitableTensors(str(error)) from None
        return outputs

    def bind(self, tensors: Mapping[str, Array], state: Mapping[str, str]) -> Binding | None:
        """Runs for which `tensors` stay on the card, as do the outputs `state`, which become the inputs of these names;
        None on a CPU, which has the arrays before it as they are."""
        return Binding(self._session, tensors, state) if self.provider == CUDA else None


def _providers(device: Device, gpu_memory_bytes: int | None = None) -> list[str | tuple[str, dict[str, str]]]:
    if device == "cpu" or (device == "auto" and not _driver_present()):
        return [CPU]
    onnxruntime.preload_dlls()
    return [(CUDA, _cuda_options(gpu_memory_bytes)), CPU]


def _cuda_options(memory_bytes: int | None) -> dict[str, str]:
    """How a session uses its card: with at most so many bytes for its arena, or all that there are."""
    return CUDA_OPTIONS if memory_bytes is None else CUDA_OPTIONS | {"gpu_mem_limit": str(memory_bytes)}


def provider_for(device: Device) -> str:
    """The provider that a session will have, if it is what `device` asks for."""
    provider = _providers(device)[0]
    return provider if isinstance(provider, str) else provider[0]


def _driver_present() -> bool:
    """Whether an NVIDIA driver is loaded: without one, asking for CUDA only logs errors."""
    return Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidiactl").exists()


def require_device(device: Device) -> None:
    """Raises `DeviceUnavailable` where CUDA is asked for and a session would silently run on the CPU.

    Tried in a process of its own: a CUDA context stays with the process that made it.
    """
    if device != "cuda":
        return
    trial = subprocess.run([sys.executable, "-m", __name__], capture_output=True, text=True, check=False)
    if trial.returncode != 0:
        raise DeviceUnavailable(
            "EKIBEN_DEVICE=cuda, but ONNX Runtime cannot use CUDA here. A driver and the CUDA and cuDNN libraries "
            f"are needed (`pip install 'onnxruntime-gpu[cuda,cudnn]'`). It says:\n{trial.stderr.strip()[-2000:]}"
        )


# An ONNX graph that copies one number: enough to see which provider a session gets.
IDENTITY = bytes.fromhex(
    "08083a370a100a017812017922084964656e746974791201675a0f0a0178120a0a08080112040a020801620f0a0179120a0a"
    "08080112040a02080142040a001012"
)


if __name__ == "__main__":
    trial = onnxruntime.InferenceSession(IDENTITY, providers=_providers("cuda"))
    sys.exit(trial.get_providers()[0] != CUDA)
