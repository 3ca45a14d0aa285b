"""`python -m benchmarks.translation_speed`: a long document beside the limit, and a short text beside it.

The limit is a bare loop over the same rows: the document's sentences, as protection asks for them, all of them sorted
by length, in batches, without HTTP, queue or other requests; on one thread, and on all cores at once.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import chain
from pathlib import Path
from time import perf_counter, process_time

import httpx
import psutil

from benchmarks import machine
from benchmarks.sentence_pairs import sentence_pairs
from benchmarks.shares import Sample, table
from models.model import Stepwise
from models.task import Item
from models.text.sentence_translation import row, translate
from models.text.sentences import parts
from models.text.translators import CATALOGUE
from services.exports import find_export
from services.runners.rows import StepwiseModel
from services.runners.session import Session, available_cpus
from tests.serving import serving

MODEL = CATALOGUE[0]
SHORT = "Where is the nearest train station?"


def limit(document: str, batch_size: int, *, threads: int = 1) -> Sample:
    """The bare loop; each thread has batches of its own."""
    protocol, export = MODEL.protocol, find_export(MODEL)
    assert isinstance(protocol, Stepwise)
    graphs = (protocol.encoder, protocol.decoder)
    model = StepwiseModel(protocol, *(Session(export.graph(each), each, device="cpu", threads=1) for each in graphs))
    vocabulary = MODEL.open(export.file)
    cpu, started = process_time(), perf_counter()
    asking = [translate(part.text, MODEL, vocabulary) for part in parts(document, "en") if part.is_sentence]
    waiting = [(each, texts) for each in asking if (texts := next(each, None)) is not None]
    tokens = 0
    while waiting:  # once for nearly all sentences, and again for those in which something was lost
        items = [[row(MODEL, vocabulary, text) for text in texts] for _, texts in waiting]
        in_order = sorted(chain.from_iterable(items), key=lambda item: item.cost)
        batches = [in_order[start : start + batch_size] for start in range(0, len(in_order), batch_size)]
        with ThreadPoolExecutor(threads) as executor:
            list(executor.map(partial(run, model), reversed(batches)))  # the longest first, so that all end together
        still = []
        for (each, _), some in zip(waiting, items, strict=True):
            written = [item.search.result() for item in some if item.search]
            tokens += sum(map(len, written))
            with suppress(StopIteration):
                still.append((each, each.send([vocabulary.decode(ids) for ids in written])))
        waiting = still
    return Sample(tokens, process_time() - cpu, perf_counter() - started)


def run(model: StepwiseModel, items: Sequence[Item]) -> None:
    """Encode items together and step them until all have ended."""
    batch = model.start(items)
    while stay := [place for place, each in enumerate(batch.rows) if not each.done]:
        if len(stay) < len(batch.rows):
            batch = model.keep(batch, stay)
        model.step(batch)


def ask(http: httpx.Client, text: str) -> float:
    """Seconds until a text's translation is there."""
    started = perf_counter()
    document = {"inputs": text, "parameters": {"src_lang": "en"}}
    http.post("/v1/translation", json=document).raise_for_status()
    return perf_counter() - started


def beside(http: httpx.Client, text: str) -> list[float]:
    """The latencies of short texts while a long one is translated."""
    worker = threading.Thread(target=ask, args=(http, text))
    worker.start()
    latencies = []
    while worker.is_alive():
        latencies.append(ask(http, SHORT))
    return latencies[1:-1]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.translation_speed", description=__doc__)
    parser.add_argument("--sentences", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    english = [pair[0] for pair in sentence_pairs()]
    sentences = [english[place % len(english)] for place in range(options.sentences)]
    document = "\n".join(sentences)
    print(f"{machine.describe()}; {MODEL.id}, {len(sentences)} sentences, {len(document):,} characters\n", flush=True)
    limits: dict[str, list[Sample]] = {}
    served: list[Sample] = []
    with (
        tempfile.TemporaryDirectory() as scratch,
        serving(Path(scratch) / "log", {"EKIBEN_MODELS": MODEL.id, "EKIBEN_DEVICE": "cpu"}) as server,
        httpx.Client(base_url=server.url, timeout=3600) as http,
    ):
        process = psutil.Process(server.process.pid)
        ask(http, SHORT)
        for number in range(options.rounds):
            for threads, size in itertools.product(sorted({1, available_cpus()}), (16, 32)):
                sample = limit(document, size, threads=threads)
                limits.setdefault(f"limit, {threads} x {size} rows", []).append(sample)
            before = server.worker().memory_info().rss
            with machine.Watch(process) as watch:
                seconds = ask(http, document)
            served.append(Sample(sample.amount, watch.cpu_seconds, seconds))
            grown = server.worker().memory_info().rss - before
            alone = [ask(http, SHORT) for _ in range(20)]
            crowded = beside(http, "\n".join(sentences[:400]))
            again = [ask(http, SHORT) for _ in range(20)]
            lone, company = statistics.median(alone + again), statistics.median(crowded)
            print(
                f"round {number + 1}: {sample.amount:,.0f} tokens in {seconds:.1f} s; memory {grown / 1e6:+.0f} MB; "
                f"a short text {lone * 1e3:.0f} ms alone, {company * 1e3:.0f} beside ({company / lone:.1f}x)"
                + ("" if watch.quiet else "; others took CPU time"),
                flush=True,
            )
    print("\n" + table("tokens", limits, {"over HTTP": served}))


if __name__ == "__main__":
    main()
