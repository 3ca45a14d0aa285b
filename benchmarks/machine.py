"""What else the machine is doing, and what it is."""

from __future__ import annotations

import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import psutil

from services.session import available_cpus

BUSY_SHARE = 0.10
"""Above this share of the cores taken by others, a sample does not count as quiet."""


def describe() -> str:
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    return f"{available_cpus()} cores of {model}, {platform.system()}, float32, commit {commit.strip()}"


@dataclass
class Watch:
    """While entered, counts the CPU time that `processes` use and what everybody else takes from them."""

    processes: list[psutil.Process]
    cpu_seconds: float = 0.0
    others_share: float = 0.0

    def __enter__(self) -> Watch:
        self._own = self._used()
        self._ours = _tree_seconds()
        self._all = psutil.cpu_times()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cpu_seconds = self._used() - self._own
        now = psutil.cpu_times()
        total = sum(now) - sum(self._all)
        idle = (now.idle + now.iowait) - (self._all.idle + self._all.iowait)
        self.others_share = max(0.0, (total - idle - (_tree_seconds() - self._ours)) / total)

    def _used(self) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in self.processes)

    @property
    def quiet(self) -> bool:
        return self.others_share <= BUSY_SHARE


def _tree_seconds() -> float:
    """CPU seconds of this process, of those that it started, and of those that have ended."""
    own = psutil.Process()
    total = sum(own.cpu_times()[:4])
    for process in own.children(recursive=True):
        try:
            total += sum(process.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return total
