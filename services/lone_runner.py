"""The runner of the one model that `EKIBEN_MODELS` names: `bentoml serve services.lone_runner:Runner`."""

from __future__ import annotations

from services import preflight
from services.placement.runner_services import runner_service
from services.settings import Settings
from services.telemetry import metrics_folder

metrics_folder.use_own_folder()
settings = Settings()
preflight.check(settings)  # raises before a worker is started that could not serve
[model] = settings.models
Runner = runner_service(model, settings)
