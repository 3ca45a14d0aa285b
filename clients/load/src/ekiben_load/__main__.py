"""`python -m ekiben_load SCENARIO --url …`: how a server does under load."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path

from ekiben_load import VERSION, inputs, page
from ekiben_load.driving import Driver
from ekiben_load.mix import DEFAULT_MIX, Mix, parse_mix
from ekiben_load.queries import TASKS, queries
from ekiben_load.report import Report
from ekiben_load.runs import GOOD_WITHIN_SECONDS, Runner
from ekiben_load.scenarios import BOUNDS_PER_RUN, Options
from ekiben_load.search import RESOLUTION
from ekiben_load.sender import HttpSender
from ekiben_load.surroundings import describe, this_machine
from ekiben_load.terminal import Progress, summary

SCENARIOS = {
    "single-stream": "the next query as soon as the last is answered: the 90th percentile of the latency",
    "server": "Poisson arrivals: the highest rate whose 99th percentile is within a bound",
    "offline": "as much as the server takes: the throughput",
    "overload": "several times what the server can do: the share of it that is still done",
    "all": "single-stream, offline and server, one after the other",
}


def parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--url", default=os.environ.get("EKIBEN_URL", "http://127.0.0.1:3000"))
    shared.add_argument("--api-key", default=os.environ.get("EKIBEN_API_KEY"), help="also EKIBEN_API_KEY")
    what = shared.add_mutually_exclusive_group()
    what.add_argument("--task", choices=TASKS, help="one task only")
    what.add_argument("--mix", default=DEFAULT_MIX, help="tasks with weights, a=3,b=1 (default: %(default)s)")
    shared.add_argument("--inputs", type=Path, default=inputs.EXAMPLES, help="folder of pictures and recordings")
    shared.add_argument("--seconds", type=positive, default=20.0, help="of each run, at least (default: %(default)s)")
    shared.add_argument(
        "--in-flight", type=count, default=16, help="at full load: queries at a time (default: %(default)s)"
    )
    shared.add_argument("--min-queries", type=count, default=100, help="server: for each rate (default: %(default)s)")
    shared.add_argument("--p99-ms", type=positive, help="server: the bound, in milliseconds, for every query")
    shared.add_argument(
        "--times-lone", type=positive, default=10.0, help="server: or as a multiple of the latency alone"
    )
    shared.add_argument(
        "--bounds-per-run", type=positive, default=BOUNDS_PER_RUN,
        help="server: how many times the bound each rate is tried for, at least (default: %(default)s)",
    )  # fmt: skip
    shared.add_argument(
        "--resolution", type=above_one, default=RESOLUTION,
        help="server: how close the rates that passed and did not come, by ratio (default: %(default)s)",
    )  # fmt: skip
    shared.add_argument(
        "--search-seconds", type=positive, default=float("inf"),
        help="server: after so long no further rate is tried, once one has passed and one has not (default: no end)",
    )  # fmt: skip
    shared.add_argument("--factor", type=positive, default=3.0, help="overload: of the capacity (default: %(default)s)")
    shared.add_argument(
        "--good-within", type=positive, default=GOOD_WITHIN_SECONDS,
        help="overload: seconds within which an answer counts (default: %(default)s)",
    )  # fmt: skip
    shared.add_argument("--pid", type=int, help="overload: first process of the server here, for its memory")
    shared.add_argument("--timeout", type=positive, default=120.0, help="seconds of one query (default: %(default)s)")
    shared.add_argument("--seed", type=int, default=0)
    shared.add_argument("--json", type=Path, help="write the report as JSON")
    shared.add_argument("--html", type=Path, help="write the report as a page")
    whole = argparse.ArgumentParser(prog="python -m ekiben_load", description=__doc__)
    commands = whole.add_subparsers(dest="scenario", required=True)
    for name, words in SCENARIOS.items():
        # No abbreviations: a key after "--api" would go into the report.
        commands.add_parser(name, help=words, description=words, parents=[shared], allow_abbrev=False)
    commands.add_parser("schema", help="print the JSON Schema of the report")
    again = commands.add_parser("page", help="make a page of reports that were written as JSON")
    again.add_argument("report", type=Path)
    again.add_argument("html", type=Path)
    return whole


def positive(words: str) -> float:
    number = float(words)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError("not above zero")
    return number


def above_one(words: str) -> float:
    number = positive(words)
    if number <= 1:
        raise argparse.ArgumentTypeError("not above one")
    return number


def count(words: str) -> int:
    return int(positive(words))


async def measure(options: argparse.Namespace, show: Progress) -> Report:
    """Raises `ValueError` for options that make no sense, `ConnectionError` where no server answers."""
    files, texts = inputs.read_files(options.inputs), inputs.texts()
    weights = parse_mix(options.task or options.mix)
    mix = Mix(weights, {task: queries(task, files, texts) for task in weights})
    sender = HttpSender(options.url, api_key=options.api_key)
    started = datetime.now(UTC)
    target = await describe(options.url, sender)
    runner = Runner(
        Driver(sender, timeout=options.timeout),
        mix,
        Options(options.seconds, options.seed, options.in_flight, options.min_queries, options.bounds_per_run),
        show,
        p99_ms=options.p99_ms,
        times_lone=options.times_lone,
        factor=options.factor,
        pid=options.pid,
        resolution=options.resolution,
        search_seconds=options.search_seconds,
        good_within=options.good_within,
    )
    # A collection over all that is loaded takes long enough to make queries late.
    gc.collect()
    gc.freeze()
    if options.scenario == "all":
        runs = await runner.all()
    else:
        runs = [await getattr(runner, options.scenario.replace("-", "_"))()]
    show.clear()
    sender.close()
    return Report(
        generator_version=VERSION,
        command=shlex.join(["python", "-m", "ekiben_load", *_without_secrets(sys.argv[1:])]),
        started=started.isoformat(timespec="seconds"),
        seed=options.seed,
        inputs={task: [query.name for query in each] for task, each in mix.queries.items()},
        machine=this_machine(),
        target=target,
        runs=runs,
    )


def _without_secrets(arguments: list[str]) -> list[str]:
    kept = []
    for previous, argument in zip(["", *arguments], arguments, strict=False):
        if previous == "--api-key":
            kept.append("…")
        else:
            kept.append("--api-key=…" if argument.startswith("--api-key=") else argument)
    return kept


def main() -> int:
    options = parser().parse_args()
    if options.scenario == "schema":
        print(json.dumps(Report.model_json_schema(), indent=2))
        return 0
    if options.scenario == "page":
        options.html.write_text(page.html(Report.model_validate_json(options.report.read_text())), "utf-8")
        return 0
    try:
        report = _run(options)
    except (ValueError, ConnectionError) as error:
        print(f"ekiben_load: {error}", file=sys.stderr)
        return 2
    print(summary(report))
    if options.json:
        options.json.write_text(report.model_dump_json(indent=1), "utf-8")
    if options.html:
        options.html.write_text(page.html(report), "utf-8")
        print(f"\nthe report: {options.html}")
    return 0 if all(run.valid for run in report.runs) else 1


def _run(options: argparse.Namespace) -> Report:
    if sys.platform == "win32":
        return asyncio.run(measure(options, Progress()))
    import uvloop

    return uvloop.run(measure(options, Progress()))


if __name__ == "__main__":
    sys.exit(main())
