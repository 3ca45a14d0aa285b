"""What a picture as phones take them costs, with and without decoding it at a fraction of its size."""

from __future__ import annotations

import statistics
from pathlib import Path

from benchmarks.limit import MODEL, Limit, Sample
from benchmarks.payloads import camera_picture


def report(path: Path, *, rounds: int, seconds: float) -> str:
    """CPU per picture of decoding, crop and model, and the ratio of the two."""
    data = camera_picture()
    samples: dict[bool, list[Sample]] = {True: [], False: []}
    for _ in range(rounds):
        for draft, those in samples.items():
            limit = Limit(MODEL, path, threads_per_run=1, draft=draft)
            limit.classify(data)  # the first run of a session is a slow one
            those.append(limit.run(data, seconds=seconds, threads=1))
    drafted, whole = ([sample.cpu_per_request * 1e3 for sample in samples[draft]] for draft in (True, False))
    ratio = statistics.median(b / a for a, b in zip(drafted, whole, strict=True))
    return (
        f"A 12-megapixel JPEG of {len(data) / 1e6:.1f} MB, decoding + crop + model, CPU per picture:\n"
        f"  with draft     {statistics.median(drafted):7.1f} ms\n"
        f"  without        {statistics.median(whole):7.1f} ms, {ratio:.1f} times as much"
    )
