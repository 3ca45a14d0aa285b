"""What happened between two looks at `/metrics`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

STAGES = ("decode", "queue", "infer", "post")
NO_TASKS = frozenset({"/metrics", "/livez", "/readyz", "/healthz", "/", "/docs", "/openapi.json", "/v1/models"})
"""Routes that ask no model anything."""

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Snapshot:
    """All of a server's numbers; `at` is a monotonic time in seconds."""

    at: float
    values: Mapping[tuple[str, Labels], float]

    @classmethod
    def read(cls, text: str, at: float) -> Snapshot:
        """From Prometheus' text format. Raises `ValueError`."""
        return cls(
            at,
            {
                (sample.name, frozenset(sample.labels.items())): sample.value
                for family in text_string_to_metric_families(text)
                if family.name.startswith("ekiben_")
                for sample in family.samples
                if not sample.name.endswith("_bucket")
            },
        )

    def of(self, name: str) -> list[tuple[dict[str, str], float]]:
        """The labels and values of a metric."""
        return [(dict(labels), value) for (own, labels), value in self.values.items() if own == name]


@dataclass(frozen=True)
class ModelActivity:
    """What a model did; `stage_ms` are means over its requests, `items_per_run` is None where it did not run."""

    model: str
    provider: str
    precision: str
    requests: float
    stage_ms: Mapping[str, float]
    items_per_run: float | None
    waiting: float
    """Cost in the queue at the end, in the model's unit."""

    @property
    def total_ms(self) -> float:
        return sum(self.stage_ms.values())


@dataclass(frozen=True)
class Activity:
    seconds: float
    requests: float
    refused: float
    models: tuple[ModelActivity, ...]

    @property
    def requests_per_second(self) -> float:
        return self.requests / self.seconds if self.seconds > 0 else 0.0


def between(before: Snapshot, after: Snapshot) -> Activity:
    """What happened from one snapshot to the other; a server that was started anew begins at 0 again."""

    def grown(name: str, **labels: str) -> float:
        key = name, frozenset(labels.items())
        now, then = after.values.get(key, 0.0), before.values.get(key, 0.0)
        return now - then if now >= then else now

    def activity(model: str, provider: str, precision: str) -> ModelActivity:
        counts = {stage: grown("ekiben_stage_seconds_count", model=model, stage=stage) for stage in STAGES}
        runs = grown("ekiben_batch_size_count", model=model)
        return ModelActivity(
            model,
            provider.removesuffix("ExecutionProvider"),
            precision,
            counts["infer"],
            {
                stage: grown("ekiben_stage_seconds_sum", model=model, stage=stage) / count * 1e3
                for stage, count in counts.items()
                if count
            },
            grown("ekiben_batch_size_sum", model=model) / runs if runs else None,
            after.values.get(("ekiben_queue_cost", frozenset({("model", model)})), 0.0),
        )

    return Activity(
        after.at - before.at,
        sum(
            grown("ekiben_requests_total", **labels)
            for labels, _ in after.of("ekiben_requests_total")
            if labels["route"] not in NO_TASKS
        ),
        sum(grown("ekiben_rejections_total", **labels) for labels, _ in after.of("ekiben_rejections_total")),
        tuple(activity(**labels) for labels, value in after.of("ekiben_provider") if value),
    )
