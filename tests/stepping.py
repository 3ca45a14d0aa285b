"""Stepping rows that come and go, and a session on the CPU that keeps their tensors as one on a GPU does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import onnxruntime

from models.model import Stepwise
from models.task import Array, Item
from services.exports import Export
from services.runners.binding import Binding
from services.runners.rows import Batch, StepwiseModel
from services.runners.session import Session


class CountingBinding(Binding):
    """Counts by tensor what would travel between the host and a device."""

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        tensors: Mapping[str, Array],
        state: Mapping[str, str],
        copies: Counter[tuple[str, str]],
    ) -> None:
        self._copies = copies
        super().__init__(session, tensors, state)

    def _upload(self, name: str, array: Array) -> None:
        self._copies["up", name] += 1
        super()._upload(name, array)

    def _download(self, name: str, value: onnxruntime.OrtValue) -> Array:
        self._copies["down", name] += 1
        return super()._download(name, value)

    @property
    def held(self) -> list[onnxruntime.OrtValue]:
        """What it has of the last run."""
        return [*self._state.values(), *self._io.get_outputs()]


class BoundSession(Session):
    """A session on the CPU that binds as one on a GPU does."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.copies: Counter[tuple[str, str]] = Counter()

    def bind(self, tensors: Mapping[str, Array], state: Mapping[str, str]) -> CountingBinding:
        return CountingBinding(self._session, tensors, state, self.copies)


def load(protocol: Stepwise, export: Export, decoder: type[Session] = Session) -> StepwiseModel:
    """An export's two graphs, on one thread."""
    return StepwiseModel(
        protocol,
        Session(export.graph(protocol.encoder), protocol.encoder, device="cpu", threads=1),
        decoder(export.graph(protocol.decoder), protocol.decoder, device="cpu", threads=1),
    )


def step_together(model: StepwiseModel, items: Sequence[Item], arrivals: Sequence[int]) -> list[Any]:
    """Start each item at its step, beside whoever is under way, and step until all are done: their results."""
    batches: list[Batch] = []
    step = 0
    while batches or step <= max(arrivals):
        batches += [model.start([item]) for item, arrival in zip(items, arrivals, strict=True) if arrival == step]
        batches = [kept for batch in batches if (kept := without_done(model, batch))]
        merged: list[Batch] = []
        for batch in batches:
            if merged and model.can_join(merged[0], batch):
                merged[0] = model.join([merged[0], batch])
            else:
                merged.append(batch)
        for batch in merged:
            model.step(batch)
        batches = [kept for batch in merged if (kept := without_done(model, batch))]
        step += 1
    return [item.search.result() for item in items if item.search]


def without_done(model: StepwiseModel, batch: Batch) -> Batch | None:
    """The batch without the rows that are done; None where no other is left."""
    stay = [place for place, row in enumerate(batch.rows) if not row.done]
    if len(stay) == len(batch.rows):
        return batch
    return model.leave(batch, stay) if stay else None
