"""Which of a request's rows are submitted next: like with like, wherever in the text they stand.

An encoder pads what it takes at once to the longest, and rows that start together had best end together. So a request
reads ahead, and submits the first row of its text that waits together with those that are most like it in length.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from models.model import Model
from models.task import NEXT, Conversation, Item, Output, Submit

T = TypeVar("T")

TOGETHER = 32
"""Rows that are submitted at once."""

WINDOW = 128
"""Rows of one request that are under way at a time: enough to fill batches, few enough to leave others room."""

MOST_AHEAD = 512
"""Rows that wait to be submitted: more would hardly be more alike."""


@dataclass(frozen=True, eq=False)
class Row(Generic[T]):
    """A text for a model, and who asks for it."""

    asker: T
    place: int
    item: Item
    model: Model


class Lookahead(Generic[T]):
    """One request's rows: those that wait, in the text's order, and those that are under way."""

    def __init__(self) -> None:
        self._waiting: deque[Row[T]] = deque()
        self._under_way: deque[Row[T]] = deque()
        self._answered = 0

    @property
    def idle(self) -> bool:
        return not self._waiting and not self._under_way

    @property
    def full(self) -> bool:
        """Whether reading on can wait: the further ahead, the later comes the beginning, so that it is further where
        more was answered already."""
        return len(self._waiting) >= min(TOGETHER + 2 * self._answered, MOST_AHEAD)

    def add(self, rows: Sequence[Row[T]]) -> None:
        """Rows of what comes next in the text."""
        self._waiting.extend(rows)

    def add_first(self, rows: Sequence[Row[T]]) -> None:
        """Rows of what was asked for already, and has to be asked again."""
        self._waiting.extendleft(reversed(rows))

    def submit(self) -> Conversation[None]:
        """Submit as much as may be under way, each group in the text's order."""
        while self._waiting and len(self._under_way) + TOGETHER <= WINDOW:
            group = self._alike()
            self._under_way.extend(group)
            yield Submit([row.item for row in group], group[0].model)

    def take(self) -> Conversation[tuple[Row[T], Output]]:
        """Wait for the output of the row that has been under way for longest."""
        output = yield NEXT
        self._answered += 1
        return self._under_way.popleft(), output

    def _alike(self) -> list[Row[T]]:
        first = self._waiting[0]
        company = (row for row in self._waiting if row.model is first.model)
        chosen = set(heapq.nsmallest(TOGETHER, company, key=lambda row: abs(row.item.cost - first.item.cost)))
        group = [row for row in self._waiting if row in chosen]
        self._waiting = deque(row for row in self._waiting if row not in chosen)
        return group
