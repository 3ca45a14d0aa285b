"""Everything that would keep the server from ever becoming ready, found before it is started."""

from __future__ import annotations

import os

from services.exports import find_export
from services.runners.session import require_device
from services.settings import Settings
from services.telemetry import metrics_port

_DONE = "_EKIBEN_PREFLIGHT"


def check(settings: Settings) -> None:
    """Raises `ExportMissing`, `DeviceUnavailable` or `PortUnavailable`.

    Done once: the processes that this one starts inherit it.
    """
    if _DONE in os.environ:
        return
    elsewhere = settings.runner_urls if settings.runners == "services" else {}
    here = [model for model in settings.models if model.id not in elsewhere]
    for model in here:
        find_export(model)
    if here:
        require_device(settings.device)
    if settings.metrics_port:
        metrics_port.check(settings.metrics_host, settings.metrics_port)
    os.environ[_DONE] = "1"
