"""The limit: the same decoding, crop, session and top-5 in a bare loop, without HTTP, queue or batching."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

from models.image import decode
from models.image_classification import ImageClassification, ImageClassifier
from models.limits import Limits
from models.model import OneShot
from services.session import Session

MODEL = ImageClassification.models[0]
TOP_K = 5


@dataclass(frozen=True)
class Sample:
    """One measured stretch of work."""

    requests: int
    seconds: float
    cpu_seconds: float
    latencies: list[float]

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    @property
    def cpu_per_request(self) -> float:
        return self.cpu_seconds / self.requests

    def percentile(self, percent: float) -> float:
        return float(np.percentile(self.latencies, percent))


class Limit:
    """A classifier called as directly as can be."""

    def __init__(self, model: ImageClassifier, path: Path, *, threads_per_run: int, draft: bool = True) -> None:
        assert isinstance(model.protocol, OneShot)
        self._model = model
        self._resampled = model.crop.resampled if draft else None
        self._session = Session(path, model.protocol.graph, device="cpu", threads=threads_per_run)

    def classify(self, data: bytes) -> list[tuple[str, float]]:
        pixels = self._model.crop(decode(data, field="image", limits=Limits(), resampled=self._resampled).image)
        [probabilities] = self._session.run({"image": pixels[None]})
        scores = probabilities[0]
        best = np.argsort(-scores, kind="stable")[:TOP_K]
        return [(self._model.labels[index], float(scores[index])) for index in best]

    def run(self, data: bytes, *, seconds: float, threads: int) -> Sample:
        """Classify again and again in `threads` threads for `seconds`."""
        until = perf_counter() + seconds
        latencies: list[list[float]] = [[] for _ in range(threads)]

        def work(own: list[float]) -> None:
            while (started := perf_counter()) < until:
                self.classify(data)
                own.append(perf_counter() - started)

        started, cpu = perf_counter(), process_time()
        workers = [threading.Thread(target=work, args=(own,)) for own in latencies]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        all_latencies = sum(latencies, [])
        return Sample(len(all_latencies), perf_counter() - started, process_time() - cpu, all_latencies)
