"""Where runners live is configuration: in the gateway's process, or as BentoML services of their own."""

from __future__ import annotations

import asyncio
from typing import Any

import bentoml

from models.model import Model
from services import logs, usage
from services.core_pool import CorePool
from services.draining import Drain
from services.exports import find_export
from services.remote import Host
from services.runners import make_runner
from services.session import available_cpus
from services.settings import Settings

# BentoML closes the connections to a service every 100 requests, under whatever is in flight on them.
KEEP_CONNECTIONS = {"max_requests": 10**9, "max_age": 1e9}
NO_TIMEOUT = {"timeout": 86_400}

STAY_SECONDS = 1.0
"""How much longer than its gateway, which gets its SIGTERM at the same moment, a runner lets work in."""


def attribute(model: Model) -> str:
    """The name under which a gateway depends on a model's runner."""
    return "runner_" + model.id.replace("-", "_").replace(".", "_")


def dependencies(settings: Settings) -> type:
    """A base class for the gateway, with a dependency for each runner that is not in its process."""
    if settings.runners == "embedded":
        return object
    links = {
        attribute(model): bentoml.depends(runner_service(model, settings), url=settings.runner_urls.get(model.id))
        for model in settings.models
    }
    return type("Dependencies", (), links)


def runner_service(model: Model, settings: Settings) -> Any:
    """A BentoML service that runs one model."""

    @bentoml.service(
        name=f"runner-{model.id}",
        traffic=NO_TIMEOUT,
        logging={"access": {"enabled": False}},
        runner_connection=KEEP_CONNECTIONS,
    )
    class RunnerService:
        """One model, for gateways; its protocol is pickle, so its port is not for anybody else."""

        def __init__(self) -> None:
            self.host: Host | None = None
            self.pool = CorePool(available_cpus())
            self.drain = Drain(wait_seconds=settings.drain_seconds + STAY_SECONDS, grace_seconds=settings.grace_seconds)

        @bentoml.on_startup  # type: ignore[untyped-decorator]
        async def start(self) -> None:
            logs.configure()
            self.drain.install()
            usage.watch(model.id)
            self.loading = asyncio.create_task(self.load())

        async def load(self) -> None:
            self.runner = await asyncio.to_thread(make_runner, model, find_export(model), settings, self.pool)
            self.runner.start()
            self.host = Host(self.runner)

        @bentoml.on_shutdown  # type: ignore[untyped-decorator]
        async def stop(self) -> None:
            if self.host:
                await asyncio.to_thread(self.runner.close)
            await asyncio.to_thread(self.pool.close)

        @bentoml.api  # type: ignore[untyped-decorator]
        async def describe(self) -> str:
            return self.host.describe() if self.host else ""

        @bentoml.api  # type: ignore[untyped-decorator]
        async def run(self, work: bytes) -> bytes:
            assert self.host, "asked before it was ready"
            return await self.host.run(work)

        @bentoml.api  # type: ignore[untyped-decorator]
        async def drop(self, id: str) -> None:
            if self.host:
                self.host.drop(id)

        @bentoml.api  # type: ignore[untyped-decorator]
        async def hangs(self) -> bool:
            return self.pool.watch.hangs(settings.stuck_seconds)

        async def __is_ready__(self) -> bool:
            return self.host is not None

        async def __is_alive__(self) -> bool:
            return not (self.loading.done() and self.loading.exception()) and not self.pool.watch.hangs(
                settings.stuck_seconds
            )

    return RunnerService
