"""`python -m benchmarks.scenarios`: MLPerf's Server scenario for each task and for their mix, beside the limit.

The limit is a bare loop over the same inputs: its answers for each CPU second, times the cores. Searched is the highest
rate at which no more than one query in a hundred takes longer than ten times what the same query takes alone; for the
mix also with one bound for all, ten times its SingleStream result. Ten minutes on a machine with nobody else on it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any

from benchmarks import machine, speech, translation_speed
from benchmarks.limit import Limit
from models import TASKS, AnyTask
from services.runners.session import available_cpus
from tests.serving import ROOT, serving

LOAD = ROOT / "clients/load"
EXAMPLES = ROOT / "clients/examples"
MIX = {
    "image-classification": 8.0,
    "object-detection": 4.0,
    "face-detection": 4.0,
    "translation": 2.0,
    "style-transfer": 1.0,
    "speech-recognition": 1.0,
}
BATCH = 4
"""Recordings at a time, the best in process by `benchmarks.speech`."""

HEADER = """| what | alone, ms | Server, a second | of the limit | full load, a second | of the limit | limit | proven |
| --- | --- | --- | --- | --- | --- | --- | --- |"""


def limit_of(name: str, seconds: float) -> float:
    """A task's answers a second."""
    others = {"speech-recognition": _speech_cost, "translation": _translation_cost}
    cost = others[name]() if name in others else _picture_cost(TASKS[name], seconds)
    return available_cpus() / cost


def _picture_cost(task: AnyTask, seconds: float) -> float:
    """CPU seconds of one picture, mean over them."""
    pictures = [path.read_bytes() for path in sorted(EXAMPLES.glob("*.jpg"))]
    limit = Limit(task, threads_per_run=1)
    samples = [limit.run(each, seconds=seconds / len(pictures), threads=available_cpus()) for each in pictures]
    return sum(sample.cpu_per_request for sample in samples) / len(samples)


def _speech_cost() -> float:
    """CPU seconds of one recording, mean over them."""
    recordings = [path.read_bytes() for path in sorted(EXAMPLES.glob("*.mp3"))]
    limit = speech.Limit(threads=1)
    asked = list(itertools.islice(itertools.cycle(recordings), BATCH * len(recordings)))
    limit.run(recordings[:1])
    started = process_time()
    for place in range(0, len(asked), BATCH):
        limit.run(asked[place : place + BATCH])
    return (process_time() - started) / len(asked)


def _translation_cost() -> float:
    """CPU seconds of one text, mean over them."""
    texts = (LOAD / "src/ekiben_load/texts.txt").read_text("utf-8").splitlines()
    times = 8
    samples = [translation_speed.limit("\n".join(times * texts), size) for size in (8, 16)]
    return min(each.cpu_seconds for each in samples) / (times * len(texts))


@dataclass(frozen=True)
class Measure:
    """Asks a server with `ekiben_load`, in the environment that it has of its own."""

    url: str
    seconds: float
    seed: int

    def run(self, scenario: str, *options: str) -> dict[str, Any]:
        """The run as it is reported, see `python -m ekiben_load schema`."""
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "report.json"
            asked = ["--url", self.url, "--seconds", str(self.seconds), "--seed", str(self.seed), *options]
            command = [str(LOAD / ".venv/bin/python"), "-m", "ekiben_load", scenario, *asked, "--json", str(path)]
            print(f"\n{scenario} {' '.join(options)}", file=sys.stderr, flush=True)
            # It exits with 1 where a run is not valid: that is said in the report.
            subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
            run: dict[str, Any] = json.loads(path.read_text("utf-8"))["runs"][0]
            return run


def row(name: str, run: Mapping[str, Any], limit: float) -> str:
    """A line of the table; a rate without a valid run is a lower bound."""
    rate, capacity = run["metric"]["value"], run["further"][0]["value"]
    alone = f"{run['tasks'][0]['lone_ms']:.1f}" if len(run["tasks"]) == 1 else ""
    found = "none" if rate is None else f"{'' if run['valid'] else '≥ '}{rate:.1f}"
    share = "" if rate is None else f"{rate / limit:.2f}"
    proven = any(trial["proven"] for trial in run["trials"] if trial["rate"] == rate)
    cells = [name, alone, found, share, f"{capacity:.1f}", f"{capacity / limit:.2f}", f"{limit:.1f}"]
    return f"| {' | '.join([*cells, 'yes' if proven else 'no'])} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scenarios", description=__doc__)
    parser.add_argument("tasks", nargs="*", default=[*MIX, "mix"], help="tasks, or mix (default: all)")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each run, at least")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chosen: Sequence[str] = options.tasks
    print(f"{machine.describe()}; seed {options.seed}\n", flush=True)
    lines = [HEADER]
    bare = {task: limit_of(task, options.seconds) for task in MIX if task in chosen or "mix" in chosen}
    mix = "--mix", ",".join(f"{task}={weight:g}" for task, weight in MIX.items())
    with tempfile.TemporaryDirectory() as scratch, serving(Path(scratch) / "log") as server:
        measure = Measure(server.url, options.seconds, options.seed)
        lines += [row(task, measure.run("server", "--task", task), bare[task]) for task in MIX if task in chosen]
        if "mix" in chosen:
            mixed = sum(MIX.values()) / sum(weight / bare[task] for task, weight in MIX.items())
            lines.append(row("mix, each by its own latency", measure.run("server", *mix), mixed))
            p90: float = measure.run("single-stream", *mix)["metric"]["value"]
            one = measure.run("server", *mix, "--p99-ms", f"{10 * p90:.0f}")
            lines.append(row(f"mix, p99 within {10 * p90:.0f} ms", one, mixed))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
