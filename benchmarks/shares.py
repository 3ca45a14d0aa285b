"""What a server gets done beside bare loops over the same work: in CPU time, and by the clock."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """An amount of work (tokens, seconds of audio), and what it took."""

    amount: float
    cpu_seconds: float
    seconds: float

    @property
    def per_cpu_second(self) -> float:
        return self.amount / self.cpu_seconds

    @property
    def per_second(self) -> float:
        return self.amount / self.seconds


def table(unit: str, limits: Mapping[str, Sequence[Sample]], servers: Mapping[str, Sequence[Sample]]) -> str:
    """Medians; each share is of the limit that has the best median, round by round."""
    lines = [
        f"| what | {unit} a CPU second | of the best limit | {unit} a second | of the best limit |",
        "| --- " * 5 + "|",
    ]
    best = {
        rate: max(limits.values(), key=lambda samples: statistics.median(getattr(each, rate) for each in samples))
        for rate in ("per_cpu_second", "per_second")
    }
    for name, samples in {**limits, **servers}.items():
        cells = [name]
        for rate, top in best.items():
            values = [getattr(each, rate) for each in samples]
            shares = [value / getattr(each, rate) for value, each in zip(values, top, strict=True)]
            cells += [
                f"{statistics.median(values):,.{0 if values[0] > 100 else 1}f}",
                f"{statistics.median(shares):.2f}",
            ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
