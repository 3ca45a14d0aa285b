"""What a picture as phones take them costs, with and without decoding it at a fraction of its size."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from time import perf_counter, process_time

from benchmarks.payloads import camera_picture
from models.image_classification import ImageClassification, ImageClassifier
from models.limits import Limits
from models.model import OneShot
from models.pictures.image import Size, decode
from services.exports import find_export
from services.runners.session import Session


def report(*, rounds: int, seconds: float) -> str:
    """CPU per picture of decoding, crop and model, and the ratio of the two."""
    data = camera_picture()
    model = ImageClassification.models[0]
    assert isinstance(model.protocol, OneShot)
    graph = model.protocol.graph
    session = Session(find_export(model).graph(graph), graph, device="cpu", threads=1)
    ways = {"with draft": model.crop.resampled, "without": None}
    samples: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, resampled in ways.items():
            samples[way].append(_cpu_seconds(model, session, data, resampled, seconds))
    drafted, whole = samples.values()
    ratio = statistics.median(b / a for a, b in zip(drafted, whole, strict=True))
    return (
        f"A 12-megapixel JPEG of {len(data) / 1e6:.1f} MB, decoding + crop + model, CPU per picture:\n"
        f"  with draft     {statistics.median(drafted) * 1e3:7.1f} ms\n"
        f"  without        {statistics.median(whole) * 1e3:7.1f} ms, {ratio:.1f} times as much"
    )


def _cpu_seconds(
    model: ImageClassifier, session: Session, data: bytes, resampled: Callable[[Size], Size] | None, seconds: float
) -> float:
    pictures, until, started = 0, perf_counter() + seconds, process_time()
    while perf_counter() < until:
        picture = decode(data, field="image", limits=Limits(), resampled=resampled)
        session.run({"image": model.crop(picture.image)[None]})
        pictures += 1
    return (process_time() - started) / pictures
