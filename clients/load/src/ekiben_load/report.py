"""The report as data: what is written as JSON, and what the page is made from.

`python -m ekiben_load schema` prints its JSON Schema. Times are milliseconds or seconds, as their names say.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ekiben_load.search import Verdict

Scenario = Literal["single-stream", "server", "offline", "overload"]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Machine(Part):
    """Where the generator runs; the server's machine is its own affair."""

    processor: str
    cores: int
    memory_gb: float
    system: str
    python: str


class ServedModel(Part):
    id: str
    task: str
    default: bool
    provider: Annotated[str, Field(description="ONNX Runtime's execution provider really in use")]


class Target(Part):
    url: str
    server: Annotated[str, Field(description="title and version, of /openapi.json; empty where it has none")]
    models: Annotated[list[ServedModel], Field(description="of /v1/models; empty where there is none")]


class Percentiles(Part):
    """Latencies of good answers only, milliseconds since they were due; by nearest rank."""

    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    max: float


class TaskResult(Part):
    task: str
    queries: int
    good: int
    latency_ms: Percentiles | None
    lone_ms: Annotated[float | None, Field(description="median over its inputs, each asked by itself")] = None
    late: Annotated[int | None, Field(description="not answered within the bound of their input")] = None
    capacity: Annotated[float | None, Field(description="answers a second of this task by itself")] = None


class Generator(Part):
    """What the generator itself did to the run."""

    cpu_ms_per_query: float
    core_share: Annotated[float, Field(description="its CPU time, as a share of one core")]
    lag_p99_ms: Annotated[float, Field(description="how late queries were sent")]
    kept_schedule: bool


class Metric(Part):
    name: str
    value: float | None
    unit: str


class TrialResult(Part):
    """One rate of the Server scenario's search. Where it was cut short its percentiles are lower bounds."""

    rate: float
    planned: int
    sent: int
    late: int
    p99_ms: Annotated[float | None, Field(description="of all that were sent; none where it had no answer")]
    slowdown_p99: Annotated[float | None, Field(description="latency over the bound; above 1 is late")]
    lag_p99_ms: float
    verdict: Verdict
    cut: Annotated[bool, Field(description="ended early, since it could not pass any more")]
    proven: Annotated[bool, Field(description="queries enough for a confidence of .99, by MLPerf's early stopping")]


class Samples(Part):
    """Single queries for the figures, evenly picked where there were too many; lists of equal length."""

    due_s: list[float]
    latency_ms: list[float]
    task: list[str]
    outcome: list[str]


class Memory(Part):
    """Resident memory of the server's processes, where `--pid` named the first of them."""

    seconds: list[float]
    megabytes: list[float]


class Run(Part):
    scenario: Scenario
    mix: dict[str, float]
    seconds: float
    queries: int
    good: Annotated[int, Field(description="status 200 with a plausible body")]
    outcomes: Annotated[dict[str, int], Field(description="by status; `no answer`, `timed out`, `200, implausible`")]
    metric: Annotated[Metric, Field(description="the scenario's result")]
    further: Annotated[list[Metric], Field(description="other figures of the scenario")] = []
    valid: Annotated[bool, Field(description="enough queries, nearly all answered, and the schedule kept")]
    remarks: list[str] = []
    latency_ms: Percentiles | None
    tasks: list[TaskResult]
    generator: Generator
    trials: list[TrialResult] = []
    samples: Samples
    memory: Memory | None = None


class Report(Part):
    """Runs of scenarios against one server."""

    version: Literal[1] = 1
    generator_version: str
    command: str
    started: Annotated[str, Field(description="ISO 8601, UTC")]
    seed: int
    inputs: Annotated[dict[str, list[str]], Field(description="names of the inputs by task")]
    machine: Machine
    target: Target
    runs: list[Run]
