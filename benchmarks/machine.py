"""What else the machine is doing, and what it is."""

from __future__ import annotations

import contextlib
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import psutil

from services.runners.session import available_cpus

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
    """While entered, counts the CPU time that a server's processes use and what everybody else takes from them.

    `server` is its first process; all below it count, whatever they do.
    """

    server: psutil.Process | None = None
    cpu_seconds: float = 0.0
    others_share: float = 0.0

    def __enter__(self) -> Watch:
        self._used = tree_seconds(self.server) if self.server else 0.0
        self._ours = tree_seconds(psutil.Process())
        self._all = psutil.cpu_times()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cpu_seconds = tree_seconds(self.server) - self._used if self.server else 0.0
        now = psutil.cpu_times()
        total = sum(now) - sum(self._all)
        idle = (now.idle + now.iowait) - (self._all.idle + self._all.iowait)
        self.others_share = max(0.0, (total - idle - (tree_seconds(psutil.Process()) - self._ours)) / total)

    @property
    def quiet(self) -> bool:
        return self.others_share <= BUSY_SHARE


def tree_seconds(root: psutil.Process) -> float:
    """CPU seconds of a process, of those below it, and of those below it that have ended."""
    total = 0.0
    for process in (root, *root.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += sum(process.cpu_times()[:4])
    return total
