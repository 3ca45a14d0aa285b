"""The public BentoML service: `bentoml serve services.gateway:Gateway`."""

from __future__ import annotations

from typing import Any, cast

import bentoml
from _bentoml_sdk import Service  # type: ignore[import-untyped]
from starlette.types import ASGIApp

from services import preflight
from services.app import Application
from services.doors import doors
from services.draining import Drain
from services.edge import SYSTEM_PATHS, Edge
from services.engine import Engine
from services.placement.runner_services import NO_TIMEOUT, dependencies, runner_urls
from services.routes import paths
from services.settings import Settings
from services.telemetry import logs, metrics_folder, metrics_port, usage

metrics_folder.use_own_folder()
settings = Settings()
preflight.check(settings)  # raises before a worker is started that could not serve
engine = Engine(settings)
drain = Drain(wait_seconds=settings.drain_seconds, grace_seconds=settings.grace_seconds)
app = Application(engine, draining=lambda: drain.begun)


class GatewayService(Service[Any]):  # type: ignore[misc]
    """BentoML's service, with our edge in front of what it serves."""

    def to_asgi(self, is_main: bool = True) -> ASGIApp:
        logs.configure()
        system = cast(ASGIApp, super().to_asgi(is_main))
        application = traced(app) if settings.tracing_endpoint else app
        return Edge(
            system,
            application,
            draining=lambda: drain.begun,
            doors=doors(settings),
            system_paths=SYSTEM_PATHS - {paths.METRICS} if settings.metrics_port else SYSTEM_PATHS,
        )


def traced(application: ASGIApp) -> ASGIApp:
    """A span for each request, by the tracer that BentoML configures."""
    from bentoml._internal.configuration.containers import BentoMLContainer
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

    provider = BentoMLContainer.tracer_provider.get()
    return cast(ASGIApp, OpenTelemetryMiddleware(application, tracer_provider=provider))


TRACING: dict[str, Any] = {
    "exporter_type": "otlp",
    "sample_rate": 1.0,
    "otlp": {"protocol": "http", "endpoint": settings.tracing_endpoint},
}


@bentoml.service(
    name="ekiben",
    service_class=GatewayService,
    workers=settings.gateway_workers,
    # Whether runners are there is the engine's to say: BentoML would wait for one that is away without end.
    runner_probe={"enabled": False},
    # Deadlines are the engine's: BentoML's timer would answer first, in its own words.
    traffic=NO_TIMEOUT,
    logging={"access": {"enabled": False}},
    **({"tracing": TRACING} if settings.tracing_endpoint else {}),
)
class Gateway(dependencies(settings)):  # type: ignore[misc]
    """Pretrained models behind HTTP: `/docs` describes every route."""

    @bentoml.on_startup  # type: ignore[untyped-decorator]
    async def start(self) -> None:
        drain.install()
        usage.watch("gateway")
        if settings.metrics_port:
            try:
                metrics_port.serve(settings.metrics_host, settings.metrics_port)
            except OSError as failure:  # somebody has taken it since the start was allowed
                engine.fail("the metrics cannot be served", failure)
        engine.start(runner_urls(self, settings), stopping=lambda: drain.begun)

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    async def stop(self) -> None:
        await engine.stop()

    async def __is_alive__(self) -> bool:
        return await engine.is_alive()

    async def __is_ready__(self) -> bool:
        return engine.ready and not drain.begun


# What `bentoml build` packs with the code.
cast(Any, Gateway).models.extend(bentoml.models.BentoModel(f"{model.id}:latest") for model in settings.models)
