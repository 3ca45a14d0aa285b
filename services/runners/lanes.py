"""Lanes: rows of all requests that step together, join between two steps, and leave when they are done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from time import thread_time
from typing import Any

from services.runners.queueing import Ticket
from services.runners.rows import Batch, Row, StepwiseModel

Stepped = tuple[list[Batch], list[tuple[Row, Any]], float]
"""The batches after a step, the rows that ended with their results, and the CPU seconds that it took."""


class Lane:
    """Rows that share steps. What is asked of it is asked on the event loop; a step itself runs in a thread."""

    def __init__(self, model: StepwiseModel, *, express: bool, spent: float) -> None:
        self.tickets: dict[Row, Ticket] = {}
        self.express = express
        """Of requests with few rows, beside one with many."""
        self.spent = spent
        """CPU seconds of its steps."""
        self.stepping = False
        self._model = model
        self._batches: list[Batch] = []

    def join(self, batch: Batch, tickets: Mapping[Row, Ticket]) -> None:
        """From the next step on these rows are among it."""
        self._batches.append(batch)
        self.tickets |= tickets

    def begin(self) -> tuple[int, Callable[[], Stepped]]:
        """How many rows the next step has, and the step, for a thread; then comes `end`."""
        self.stepping = True
        batches, self._batches = self._batches, []
        gone = {row for row, ticket in self.tickets.items() if ticket.gone}
        return len(self.tickets) - len(gone), partial(self._step, batches, gone)

    def end(self, stepped: Stepped | BaseException) -> list[tuple[Ticket, Any]]:
        """What became of the rows that a step was the last of; of all that were in it where it failed as a whole."""
        self.stepping = False
        if isinstance(stepped, BaseException):
            joined = {row for batch in self._batches for row in batch.rows}
            ended = [(row, stepped) for row in self.tickets if row not in joined]
        else:
            after, ended, seconds = stepped
            self._batches = after + self._batches
            self.spent += seconds
        return [(self.tickets.pop(row), result) for row, result in ended]

    # In a thread.

    def _step(self, batches: Sequence[Batch], gone: set[Row]) -> Stepped:
        """Let rows leave and join, and step the others."""
        started = thread_time()
        ended: list[tuple[Row, Any]] = [(row, None) for row in gone]
        staying = [left for batch in batches for left in self._sweep(batch, gone, ended)]
        after = [stepped for batch in self._merge(staying) for stepped in self._step_one(batch, ended)]
        return after, ended, thread_time() - started

    def _sweep(self, batch: Batch, gone: set[Row], ended: list[tuple[Row, Any]]) -> list[Batch]:
        """The batch without the rows that are done or gone."""
        stay = []
        for place, row in enumerate(batch.rows):
            if row in gone:
                continue
            if row.done:
                ended.append((row, _result(row)))
            else:
                stay.append(place)
        if not stay:
            return []
        return [batch if len(stay) == len(batch.rows) else self._model.leave(batch, stay)]

    def _merge(self, batches: Sequence[Batch]) -> list[Batch]:
        """As few batches as can be: those whose rows can share a step become one."""
        groups: list[list[Batch]] = []
        for batch in batches:
            group = next((group for group in groups if self._model.can_join(group[0], batch)), None)
            if group is None:
                groups.append([batch])
            else:
                group.append(batch)
        return [self._model.join(group) if len(group) > 1 else group[0] for group in groups]

    def _step_one(self, batch: Batch, ended: list[tuple[Row, Any]]) -> list[Batch]:
        """A batch after its step; one that fails is tried again in halves."""
        try:
            self._model.step(batch)
        except BaseException as error:
            if len(batch.rows) == 1:
                ended.append((batch.rows[0], error))
                return []
        else:
            return self._sweep(batch, set(), ended)
        # After `except`, where the error would keep what the step that failed had: on a GPU, memory of the card.
        half = len(batch.rows) // 2
        places = range(len(batch.rows))
        parts = [self._model.keep(batch, places[:half]), self._model.keep(batch, places[half:])]
        return [after for part in parts for after in self._step_one(part, ended)]


def _result(row: Row) -> Any:
    if row.error is not None:
        return row.error
    try:
        return row.search.result()
    except BaseException as error:
        return error
