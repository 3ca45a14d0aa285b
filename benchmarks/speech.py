"""`python -m benchmarks.speech`: speech over HTTP beside the same sessions in a bare loop.

The loop runs on one thread, and on all cores at once. Seconds of audio for a second of CPU time are what neighbours on
the machine disturb least.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter, process_time

import httpx

from benchmarks import machine
from benchmarks.load import Target
from benchmarks.shares import Sample, table
from models.limits import Limits
from models.model import Stepwise
from models.speech.audio import RATE, File
from models.speech.model import Transcript, Wish
from models.speech_recognition import SpeechRecognition
from models.task import Conversation, Item, Submit
from services.exports import find_export
from services.runners.rows import Batch, StepwiseModel
from services.runners.session import Session, available_cpus
from tests import recordings
from tests.serving import serving

MODEL = SpeechRecognition.models[0]
ROUTE = "/v1/speech-recognition"
SECONDS = (3, 5, 8, 11, 15, 20, 25, 30)
CLIENTS = 8


def clips() -> list[bytes]:
    """Speech of 3 to 30 seconds."""
    samples = recordings.samples("two_cities")
    return [recordings.encoded(samples[: seconds * RATE]) for seconds in SECONDS]


class Limit:
    """The model called as directly as can be; clips are of one window, so a conversation has one item."""

    def __init__(self, *, threads: int) -> None:
        assert isinstance(MODEL.protocol, Stepwise)
        export, protocol = find_export(MODEL), MODEL.protocol
        encoder, decoder = (
            Session(export.graph(graph), graph, device="cpu", threads=threads)
            for graph in (protocol.encoder, protocol.decoder)
        )
        self._opened = MODEL.open(export.file)
        self._model = StepwiseModel(protocol, encoder, decoder)

    def run(self, batch: Sequence[bytes]) -> list[Transcript]:
        """Decode and encode one clip after the other, then step them all together."""
        conversations = [self._converse(data) for data in batch]
        started = [self._model.start([self._first(each)]) for each in conversations]
        rows = [each.rows[0] for each in started]
        running = self._running(self._model.join(started) if len(started) > 1 else started[0])
        while running is not None:
            self._model.step(running)
            running = self._running(running)
        return [_end(each, row.search.result()) for each, row in zip(conversations, rows, strict=True)]

    def _converse(self, data: bytes) -> Conversation[Transcript]:
        return MODEL.transcribe(File(data, "audio", Limits()), Wish(temperature=0.0), self._opened)

    def _first(self, conversation: Conversation[Transcript]) -> Item:
        action = next(conversation)
        assert isinstance(action, Submit)
        next(conversation)
        return action.items[0]

    def _running(self, batch: Batch) -> Batch | None:
        stay = [place for place, row in enumerate(batch.rows) if not row.done]
        if len(stay) == len(batch.rows):
            return batch
        return self._model.leave(batch, stay) if stay else None


def _end(conversation: Conversation[Transcript], output: object) -> Transcript:
    try:
        conversation.send(output)
        while True:
            next(conversation)
    except StopIteration as end:
        transcript: Transcript = end.value
        return transcript


def in_process(limit: Limit, data: Sequence[bytes], size: int, threads: int) -> Sample:
    """So many clips at a time, in so many threads."""
    cpu, started = process_time(), perf_counter()
    with ThreadPoolExecutor(threads) as executor:
        list(executor.map(limit.run, (data[place : place + size] for place in range(0, len(data), size))))
    return Sample(sum(SECONDS), process_time() - cpu, perf_counter() - started)


def over_http(target: Target, url: str, data: Sequence[bytes], clients: int) -> Sample:
    """Each clip in a request of its own."""

    def ask(body: bytes) -> None:
        httpx.post(f"{url}{ROUTE}?temperature=0", content=body, timeout=600).raise_for_status()

    started = perf_counter()
    with machine.Watch(target.process) as watch, ThreadPoolExecutor(clients) as executor:
        list(executor.map(ask, data))
    return Sample(sum(SECONDS), watch.cpu_seconds, perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speech", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    data = clips()
    limit = Limit(threads=1)
    limits: dict[str, list[Sample]] = {}
    servers: dict[str, list[Sample]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        settings = {"EKIBEN_MODELS": MODEL.id}
        with serving(Path(scratch) / "log", settings) as server:
            target = Target.of(server)
            over_http(target, server.url, data, CLIENTS)
            for number in range(options.rounds):
                print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
                for threads, size in itertools.product(sorted({1, available_cpus()}), (1, 4, CLIENTS)):
                    if threads * size <= CLIENTS:
                        sample = in_process(limit, data, size, threads)
                        limits.setdefault(f"limit, {threads} x {size} clips", []).append(sample)
                for clients in (1, CLIENTS):
                    sample = over_http(target, server.url, data, clients)
                    servers.setdefault(f"over HTTP, {clients} at once", []).append(sample)
    print(f"{machine.describe()}; clips of {SECONDS[0]} to {SECONDS[-1]} s, {MODEL.id}\n")
    print(table("audio seconds", limits, servers))
    one, many = (statistics.median(each.per_second for each in samples) for samples in servers.values())
    print(f"\n{CLIENTS} clients have {many / one:.2f} times the throughput of one.")


if __name__ == "__main__":
    main()
