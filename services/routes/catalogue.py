"""`GET /v1/models` and `GET /v1/models/{id}`: what is served, what it was made from, and where it runs."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict

from models import TASKS, find_model, task_of
from models.model import Model
from models.task import Listing
from services.engine import Engine
from services.routes.documentation import problem_responses


class ModelSummary(BaseModel):
    """A served model, in the words of OpenAI's models endpoint and ours."""

    model_config = ConfigDict(extra="allow")

    id: str
    object: str = "model"
    created: int
    owned_by: str
    task: str
    default: bool
    title: str
    provider: str
    ready: bool
    """Whether it can be asked now: not while its runner, in a process of its own, is away."""


class ModelList(BaseModel):
    object: str = "list"
    data: list[ModelSummary]


class Proof(BaseModel):
    """How far the export is from the implementation it was made of, at most."""

    reference: str
    tolerance: float
    max_difference: float
    comparisons: list[dict[str, Any]]
    versions: dict[str, str]


class ModelDetail(ModelSummary):
    licence: str
    provenance: str
    paper: str
    source: str
    source_sha256: str | None
    files: dict[str, Any]
    precision: str
    max_batch: int
    workers: int
    proof: Proof


def add_routes(app: FastAPI, engine: Engine) -> None:
    @app.get("/v1/models", tags=["models"], summary="The models that are served", responses=problem_responses(503))
    async def list_models() -> ModelList:
        return ModelList(data=[summary(engine, model) for model in engine.settings.models])

    @app.get("/v1/models/{id}", tags=["models"], summary="One model in full", responses=problem_responses(404, 503))
    async def show_model(id: str) -> ModelDetail:
        return detail(engine, find_model(id))

    for task in TASKS.values():
        for listing in task.listings:
            _add_listing(app, listing)


def _add_listing(app: FastAPI, listing: Listing) -> None:
    async def show() -> list[Any]:
        return list(listing.entries)

    entry = type(listing.entries[0])
    app.add_api_route(
        f"/v1/{listing.name}",
        show,
        tags=["models"],
        summary=listing.title,
        response_model=list[entry],  # type: ignore[valid-type]
    )


def summary(engine: Engine, model: Model) -> ModelSummary:
    return ModelSummary(**_facts(engine, model))


def detail(engine: Engine, model: Model) -> ModelDetail:
    runner = engine.runner(model)
    manifest = runner.manifest
    facts: dict[str, Any] = {**_facts(engine, model), **model.describe()}
    return ModelDetail(
        **facts,
        licence=model.licence,
        provenance=model.provenance,
        paper=model.paper,
        source=manifest.source,
        source_sha256=manifest.source_sha256,
        files={name: file.model_dump() for name, file in manifest.files.items()},
        precision=manifest.precision,
        max_batch=runner.arrangement.max_batch,
        workers=runner.arrangement.workers,
        proof=Proof(
            reference=manifest.reference,
            tolerance=manifest.tolerance,
            max_difference=manifest.max_difference,
            comparisons=[each.model_dump() for each in manifest.comparisons],
            versions=manifest.versions,
        ),
    )


def _facts(engine: Engine, model: Model) -> dict[str, Any]:
    task, runner = task_of(model), engine.runner(model)
    return {
        "id": model.id,
        "created": runner.manifest.created,
        "owned_by": "ekiben",
        "task": task.name,
        "default": model is engine.candidates(task, None)[0],
        "title": model.title,
        "provider": runner.provider,
        "ready": runner.available,
    }
