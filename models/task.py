"""What a task is: how a request becomes items for a runner, and the runner's outputs an answer.

A task talks to its model in a *conversation*: a generator that does no input or output itself. It yields

- `Submit(items)`: start these items, with another model of the task where it names one; more may be submitted
  before the first is done;
- `NEXT`: wait for the output of the oldest submitted item that was not taken yet;
- `Partial(value)`: a piece of the answer that a streaming caller may have now;
- `PAUSE`: let others have the thread, between pieces of work that takes seconds before the first item;

and returns the answer. A conversation runs in a worker thread, belongs to one request, and is closed when
its caller goes away. What it may ask next can depend on what it got (the window of a recording that starts
where the last one ended, a second graph that takes the first one's output), which a fixed "prepare, run,
assemble" cannot say. `docs/architecture.md` shows speech and translation in these words.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar

from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from models.limits import Limits
from models.media import MediaKind
from models.model import Model
from models.wire import travels

Array = NDArray[Any]


class TokenSearch(Protocol):
    """How one row of a stepwise model chooses its tokens; it keeps what it needs between steps.

    Before its first choice, and so may its result, it `travels` to a runner in another process.
    """

    @property
    def prompt(self) -> Sequence[int]:
        """The ids that the decoder is fed before the first choice; at least one."""

    def choose(self, logits: Array) -> int | None:
        """The next token, from logits `[step, vocabulary]` (the prompt's at first, then one); None ends the row."""

    def result(self) -> Any:
        """The row's output, once it has ended."""


@travels
@dataclass(frozen=True)
class Item:
    """One unit of a runner's work: tensors by name without their batch axis, and what it costs to run."""

    inputs: Mapping[str, Array]
    cost: int
    search: TokenSearch | None = None
    graph: str | None = None
    """The graph that runs it, by name, where a one-shot model has several; left out, the first. Of a stepwise model,
    an item without a search is one run of that graph by itself, on tensors that have their batch axis."""


Output = Any
"""One shot: `Mapping[str, Array]`, the graph's outputs for this item. Stepwise: what its search resulted in."""


@dataclass(frozen=True)
class Submit:
    """Start these items, with `model` where it is not the one that the request means."""

    items: Sequence[Item]
    model: Model | None = None


class _Next:
    """Wait for the oldest submitted item's output."""

    def __repr__(self) -> str:
        return "NEXT"


NEXT: Final = _Next()


class _Pause:
    """Go on when it is this request's turn again."""

    def __repr__(self) -> str:
        return "PAUSE"


PAUSE: Final = _Pause()


@dataclass(frozen=True)
class Partial:
    """A piece of the answer, for callers that stream."""

    value: Any


R = TypeVar("R")
Action = Submit | _Next | _Pause | Partial
Conversation = Generator[Action, Output, R]


def run(items: Iterable[Item]) -> Conversation[list[Output]]:
    """Submit `items` and wait for all their outputs, in order: `outputs = yield from run(items)`."""
    items = tuple(items)
    yield Submit(items)
    outputs = []
    for _ in items:
        outputs.append((yield NEXT))  # noqa: PERF401 (no yield inside a comprehension)
    return outputs


@dataclass(frozen=True)
class Input:
    """A part of a request that is not a parameter: a medium, as bytes, or texts."""

    name: str
    kind: MediaKind
    required: bool = True


class Parameters(BaseModel):
    """The parameters that every task takes; a task's own add to them. Unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    model: str | None = Field(default=None, description="A model's id; left out, the task's default.")


P = TypeVar("P", bound=Parameters)
M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Request(Generic[P]):
    """One request to a task, whatever form or dialect it came in."""

    media: Mapping[str, bytes]
    parameters: P
    limits: Limits = field(default_factory=Limits)
    media_type: str = ""
    """The one of the task's `media_types` that the caller wants, for answers that are media."""
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The inputs that are text, by name: one text or several."""
    opened: Mapping[str, Any] = field(default_factory=dict)
    """What `Task.open` gave, by id, for every model of the task that is served."""


@dataclass(frozen=True)
class Media:
    """An answer that is not JSON."""

    data: bytes
    media_type: str


@dataclass(frozen=True)
class Listing:
    """What a task has to choose from beside models, as `GET /v1/{name}` shows it."""

    name: str
    title: str
    entries: Sequence[BaseModel]


class Task(ABC, Generic[M, P]):
    """A kind of work and the models that do it; the first model is the default."""

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    inputs: ClassVar[tuple[Input, ...]]
    answer_type: ClassVar[Any]
    """The answer's type, for its JSON and its schema."""
    partial_type: ClassVar[Any] = None
    """What `Partial` holds, where callers may have the answer while it is made."""
    example: ClassVar[Any]
    """A real answer, shown in the documentation."""
    media_types: ClassVar[tuple[str, ...]] = ()
    """Where the answer is media: what it can be, the default first; HTTP's `Accept` chooses."""
    listings: ClassVar[tuple[Listing, ...]] = ()
    deadline_seconds: ClassVar[float] = 60.0

    parameters: type[P]
    models: tuple[M, ...]

    @property
    def default_models(self) -> tuple[M, ...]:
        """The models that are served where nothing else is said."""
        return self.models[:1]

    def choose(self, served: Sequence[M], request: Request[P]) -> M:
        """The model, of those that are served, for a request that names none."""
        return served[0]

    def open(self, model: M, file: Callable[[str], Path]) -> Any:
        """What `converse` needs of a model's exported files, as its vocabulary; loaded once, with the model.

        `file` gives the path of an exported file by its name.
        """
        return None

    @abstractmethod
    def converse(self, model: M, request: Request[P]) -> Conversation[Any]:
        """Turn a request into items and their outputs into an answer of `answer_type`."""
