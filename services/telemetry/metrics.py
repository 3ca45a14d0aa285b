"""Prometheus metrics; every label has a bounded set of values, whatever callers send."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

SECONDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
STAGE_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)
ITEMS = (1, 2, 4, 8, 16, 32, 64, 128)

requests = Counter("ekiben_requests", "Requests by route template and status", ["route", "status"])
request_seconds = Histogram(
    "ekiben_request_seconds", "From the first byte of a request to the last of its answer", ["route"], buckets=SECONDS
)
stage_seconds = Histogram(
    "ekiben_stage_seconds",
    "Time of a request by stage: decode, queue, infer, post",
    ["model", "stage"],
    buckets=STAGE_SECONDS,
)
rejections = Counter("ekiben_rejections", "Requests that were refused, by reason", ["reason"])
key_requests = Counter("ekiben_key_requests", "Requests by the holder of their key and status", ["key", "status"])
key_requests_in_flight = Gauge(
    "ekiben_key_requests_in_flight", "Requests of a key's holder being served", ["key"], multiprocess_mode="livesum"
)
batch_size = Histogram("ekiben_batch_size", "Items that ran together", ["model"], buckets=ITEMS)
queue_cost = Gauge(
    "ekiben_queue_cost", "Cost that waits for a model, in its units", ["model"], multiprocess_mode="livesum"
)
provider = Gauge(
    "ekiben_provider",
    "1 for the ONNX Runtime provider that a model's sessions really run on",
    ["model", "provider", "precision"],
    multiprocess_mode="livemax",
)
# With a label, as all are: a metric without one opens its file at once, before the server has a folder of its own.
cpu_seconds = Counter("ekiben_cpu_seconds", "CPU time of the processes that answer and run models", ["process"])
resident_bytes = Gauge(
    "ekiben_resident_bytes",
    "Memory of the processes that answer and run models",
    ["process"],
    multiprocess_mode="livesum",
)
