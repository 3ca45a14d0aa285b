"""A table of arrangements, each beside the limit that was measured next to it."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field

from benchmarks.limit import Sample

HEADER = """| arrangement | CPU efficiency | throughput | CPU ms/request | p50 ms | p95 ms | p99 ms | errors | busy |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |"""


@dataclass
class Row:
    """What is known of one arrangement after some rounds, each beside the limit of its own round."""

    name: str
    efficiency: list[float] = field(default_factory=list)
    throughput: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p95: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    errors: int = 0
    busy: int = 0

    def add(self, sample: Sample, limit: Sample, *, quiet: bool, errors: int = 0) -> None:
        self.efficiency.append(limit.cpu_per_request / sample.cpu_per_request)
        self.throughput.append(sample.per_second / limit.per_second)
        self.cpu_ms.append(sample.cpu_per_request * 1e3)
        for percent in (50, 95, 99):
            getattr(self, f"p{percent}").append(sample.percentile(percent) * 1e3)
        self.errors += errors
        self.busy += not quiet

    def line(self) -> str:
        def middle(values: list[float]) -> float:
            return statistics.median(values)

        return (
            f"| {self.name:<26} | {middle(self.efficiency):.2f} | {middle(self.throughput):.2f} "
            f"| {middle(self.cpu_ms):.2f} | {middle(self.p50):.1f} | {middle(self.p95):.1f} | {middle(self.p99):.1f} "
            f"| {self.errors} | {self.busy} of {len(self.p50)} |"
        )


def table(rows: Iterable[Row]) -> str:
    return "\n".join([HEADER, *(row.line() for row in rows)])
