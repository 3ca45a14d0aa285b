"""What ekiben serves: the registry of tasks and their models. No torch, no onnxruntime, no bentoml here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from models.errors import UnknownModel
from models.face_detection import FaceDetection
from models.image_classification import ImageClassification
from models.model import Model
from models.object_detection import ObjectDetection
from models.speech_recognition import SpeechRecognition
from models.style_transfer import StyleTransfer
from models.task import Task
from models.translation import Translation

AnyTask = Task[Any, Any]

_TASKS: Final[tuple[AnyTask, ...]] = (
    ImageClassification(),
    ObjectDetection(),
    FaceDetection(),
    StyleTransfer(),
    SpeechRecognition(),
    Translation(),
)
"""Adding a task is one entry here."""

TASKS: Final[Mapping[str, AnyTask]] = MappingProxyType({task.name: task for task in _TASKS})
"""Every task by name."""

_BY_ID = {model.id: (task, model) for task in TASKS.values() for model in task.models}
if len(_BY_ID) != sum(len(task.models) for task in TASKS.values()):
    raise ValueError("two models share an id")

MODELS: Final[Mapping[str, Model]] = MappingProxyType({id: model for id, (_, model) in _BY_ID.items()})
"""Every model by id, the default model of each task first among its own."""


def task_of(model: Model) -> AnyTask:
    """The task that a model belongs to."""
    return _BY_ID[model.id][0]


def find_model(id: str) -> Model:
    """The model of this id. Raises `UnknownModel`."""
    try:
        return MODELS[id]
    except KeyError:
        raise UnknownModel(f"there is no model {id!r}") from None


def default_models() -> tuple[Model, ...]:
    """The models that are served where nothing else is said, of every task."""
    return tuple(model for task in TASKS.values() for model in task.default_models)
