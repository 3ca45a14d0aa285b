"""`python -m benchmarks.scenarios`: MLPerf's Server scenario for each task and for their mix, beside the limit.

The limit is a bare loop over the same inputs: its answers for each CPU second, times the cores. Searched is the highest
rate at which no more than one query in a hundred takes longer than ten times what the same query takes alone; for the
mix also with one bound for all, ten times its SingleStream result. A row takes up to eight minutes, on a machine with
nobody else on it; each is printed as soon as it is known, and `python -m benchmarks.scenarios mix` measures one alone.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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

SEARCH = "--search-seconds", "300"
"""After so long no further rate is tried: a row is to be known within ten minutes."""

Inputs = Mapping[str, Sequence[str]]
"""Names of files by task, as `ekiben_load` reports what it asked about: the limit is of the same."""

HEADER = """| what | alone, ms | Server, a second | of the limit | full load, a second | of the limit | limit | proven |
| --- | --- | --- | --- | --- | --- | --- | --- |"""


@dataclass
class Limits:
    """What a bare loop does of each task, measured once where it is asked for; `seconds` is for all of its pictures."""

    seconds: float
    known: dict[str, float] = field(default_factory=dict)

    def rate(self, task: str, inputs: Inputs) -> float:
        """Answers a second."""
        if task not in self.known:
            self.known[task] = available_cpus() / self._cost(task, [EXAMPLES / name for name in inputs[task]])
        return self.known[task]

    def of_mix(self, inputs: Inputs) -> float:
        return sum(MIX.values()) / sum(weight / self.rate(task, inputs) for task, weight in MIX.items())

    def _cost(self, task: str, files: Sequence[Path]) -> float:
        """CPU seconds of one input, mean over them."""
        if task == "translation":
            return _translation_cost()
        asked = [path.read_bytes() for path in files]
        return _speech_cost(asked) if task == "speech-recognition" else _picture_cost(TASKS[task], asked, self.seconds)


def _picture_cost(task: AnyTask, pictures: Sequence[bytes], seconds: float) -> float:
    limit = Limit(task, threads_per_run=1)
    samples = [limit.run(each, seconds=seconds / len(pictures), threads=available_cpus()) for each in pictures]
    return sum(sample.cpu_per_request for sample in samples) / len(samples)


def _speech_cost(recordings: Sequence[bytes]) -> float:
    limit = speech.Limit(threads=1)
    asked = list(itertools.islice(itertools.cycle(recordings), BATCH * len(recordings)))
    limit.run(recordings[:1])
    started = process_time()
    for place in range(0, len(asked), BATCH):
        limit.run(asked[place : place + BATCH])
    return (process_time() - started) / len(asked)


def _translation_cost() -> float:
    """The texts are those of `ekiben_load`, all of them."""
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

    def run(self, scenario: str, *options: str) -> tuple[dict[str, Any], Inputs]:
        """The run as it is reported, see `python -m ekiben_load schema`, and the inputs that were asked about."""
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "report.json"
            asked = ["--url", self.url, "--seconds", str(self.seconds), "--seed", str(self.seed), *options]
            command = [str(LOAD / ".venv/bin/python"), "-m", "ekiben_load", scenario, *asked, "--json", str(path)]
            print(f"\n{scenario} {' '.join(options)}", file=sys.stderr, flush=True)
            # It exits with 1 where a run is not valid: that is said in the report.
            if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode not in (0, 1):
                sys.exit(f"{scenario} could not be measured")
            report = json.loads(path.read_text("utf-8"))
            return report["runs"][0], report["inputs"]


def row(name: str, run: Mapping[str, Any], limit: float) -> str:
    """A line of the table; a rate without a valid run is a lower bound."""
    rate = run["metric"]["value"]
    capacity = next(each["value"] for each in run["further"] if each["name"] == "capacity")
    alone = f"{run['tasks'][0]['lone_ms']:.1f}" if len(run["tasks"]) == 1 else ""
    found = "none" if rate is None else f"{'' if run['valid'] else '≥ '}{rate:.1f}"
    share = "" if rate is None else f"{rate / limit:.2f}"
    proven = any(trial["proven"] for trial in run["trials"] if trial["rate"] == rate)
    cells = [name, alone, found, share, f"{capacity:.1f}", f"{capacity / limit:.2f}", f"{limit:.1f}"]
    return f"| {' | '.join([*cells, 'yes' if proven else 'no'])} |"


def measured(name: str, measure: Measure, limits: Limits) -> str:
    """The row of a task, of `mix` or of `mix-one-bound`."""
    if name in MIX:
        run, inputs = measure.run("server", "--task", name, *SEARCH)
        return row(name, run, limits.rate(name, inputs))
    mix = "--mix", ",".join(f"{task}={weight:g}" for task, weight in MIX.items())
    if name == "mix":
        run, inputs = measure.run("server", *mix, *SEARCH)
        return row("mix, each by its own latency", run, limits.of_mix(inputs))
    single, _ = measure.run("single-stream", *mix)
    bound_ms = f"{10 * single['metric']['value']:.0f}"
    run, inputs = measure.run("server", *mix, "--p99-ms", bound_ms, *SEARCH)
    return row(f"mix, p99 within {bound_ms} ms", run, limits.of_mix(inputs))


def main() -> None:
    names = [*MIX, "mix", "mix-one-bound"]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scenarios", description=__doc__)
    parser.add_argument("what", nargs="*", default=names, help=f"of {', '.join(names)} (default: all)")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each run, at least")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if unknown := set(options.what) - set(names):
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    print(f"{machine.describe()}; seed {options.seed}\n\n{HEADER}", flush=True)
    limits = Limits(options.seconds)
    with tempfile.TemporaryDirectory() as scratch, serving(Path(scratch) / "log") as server:
        measure = Measure(server.url, options.seconds, options.seed)
        for name in options.what:
            print(measured(name, measure, limits), flush=True)


if __name__ == "__main__":
    main()
