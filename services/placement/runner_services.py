"""Where runners live is configuration: in the gateway's process, or as BentoML services of their own."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any, cast

import bentoml
from _bentoml_sdk import Service  # type: ignore[import-untyped]
from bentoml._internal.resource import system_resources
from starlette.types import ASGIApp

from models.model import Model
from services.draining import STAY_SECONDS, Drain
from services.exports import find_export
from services.placement.gpus import VISIBLE, visible_gpu
from services.placement.hosting import Host
from services.runners.core_pool import CorePool
from services.runners.runner import make_runner
from services.runners.session import available_cpus
from services.settings import Settings
from services.telemetry import logs, usage

log = logging.getLogger("ekiben.placement")

NO_TIMEOUT = {"timeout": 86_400}


def attribute(model: Model) -> str:
    """The name under which a gateway depends on a model's runner."""
    return "runner_" + model.id.replace("-", "_").replace(".", "_")


def dependencies(settings: Settings) -> type:
    """A base class for the gateway, with a dependency for each runner that is a process of the same server."""
    if settings.runners == "embedded":
        return object
    here = [model for model in settings.models if model.id not in settings.runner_urls]
    links = {
        attribute(model): bentoml.depends(runner_service(model, settings, place=place))
        for place, model in enumerate(here)
    }
    return type("Dependencies", (), links)


def runner_urls(gateway: Any, settings: Settings) -> dict[str, str]:
    """Where the runners are that are not in the gateway's process, by model id.

    BentoML starts those of this machine and says where they listen: unix sockets, in a folder of this user's.
    """
    if settings.runners == "embedded":
        return {}
    return {
        model.id: settings.runner_urls.get(model.id) or getattr(gateway, attribute(model)).to_async.url
        for model in settings.models
    }


def runner_service(model: Model, settings: Settings, *, place: int = 0) -> Any:
    """A BentoML service that runs one model; `place` is its number among those of a server, which share its GPUs."""
    host = Host(CorePool(available_cpus()), stuck_seconds=settings.stuck_seconds, draining=lambda: drain.begun)
    drain = Drain(
        wait_seconds=settings.drain_seconds + STAY_SECONDS,
        grace_seconds=settings.grace_seconds,
        until=host.until_nobody_is_present,
    )

    class HostService(Service[Any]):  # type: ignore[misc]
        """BentoML's service, with what gateways ask for in front of it."""

        def to_asgi(self, is_main: bool = True) -> ASGIApp:
            logs.configure()
            return host.over(cast(ASGIApp, super().to_asgi(is_main)))

    @bentoml.service(
        name=f"runner-{model.id}",
        service_class=HostService,
        traffic=NO_TIMEOUT,
        logging={"access": {"enabled": False}},
    )
    class RunnerService:
        """One model, for gateways. It has no API of BentoML's, whose protocol between services is pickle."""

        @bentoml.on_startup  # type: ignore[untyped-decorator]
        async def start(self) -> None:
            drain.install()
            usage.watch(model.id)
            gpus = len(system_resources()["nvidia.com/gpu"])
            if (gpu := visible_gpu(place, os.environ.get(VISIBLE), gpus)) is not None:
                os.environ[VISIBLE] = gpu  # before CUDA is first asked for in this process
            self.loading = asyncio.create_task(self.load())

        async def load(self) -> None:
            try:
                runner = await asyncio.to_thread(make_runner, model, find_export(model), settings, host.pool)
            except Exception:
                log.critical("a model cannot be served", exc_info=True, extra={"model": model.id})
                raise
            runner.start()
            host.runner = runner

        @bentoml.on_shutdown  # type: ignore[untyped-decorator]
        async def stop(self) -> None:
            if host.runner:
                await asyncio.to_thread(host.runner.close)
            await asyncio.to_thread(host.pool.close)

        async def __is_ready__(self) -> bool:
            return host.runner is not None and not drain.begun

        async def __is_alive__(self) -> bool:
            return not (self.loading.done() and self.loading.exception()) and not host.hangs

    return RunnerService
