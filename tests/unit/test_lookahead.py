"""What is submitted together, driven by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from models.model import Model
from models.task import NEXT, Item, Submit
from models.text.lookahead import MOST_AHEAD, TOGETHER, WINDOW, Lookahead, Row
from models.text.translators import CATALOGUE


def row(number: int, length: int, model: Model = CATALOGUE[0]) -> Row[int]:
    return Row(number, 0, Item({}, cost=length), model)


class Driven:
    """All rows through a lookahead: the numbers of those in each submission, and how many had been read before it."""

    def __init__(self, rows: Sequence[Row[int]]) -> None:
        self.submitted: list[list[int]] = []
        self.read: list[int] = []
        self.answered: list[int] = []
        self.most_under_way = 0
        self._lookahead = Lookahead[int]()
        self._numbers = {id(each.item): each.asker for each in rows}
        self._under_way: list[int] = []
        for read, each in enumerate(rows, 1):
            self._lookahead.add([each])
            while self._lookahead.full:
                self._submit(read)
                if self._lookahead.full:
                    self._take()
        while not self._lookahead.idle:
            self._submit(len(rows))
            self._take()

    def _submit(self, read: int) -> None:
        for action in self._lookahead.submit():
            assert isinstance(action, Submit)
            self.submitted.append([self._numbers[id(item)] for item in action.items])
            self.read.append(read)
            self._under_way += self.submitted[-1]
            self.most_under_way = max(self.most_under_way, len(self._under_way))

    def _take(self) -> None:
        taken, output = taken_by(self._lookahead, self._under_way.pop(0))
        assert taken.asker == output, "outputs come in the order of submission"
        self.answered.append(output)


def taken_by(lookahead: Lookahead[int], output: int) -> Any:
    conversation = lookahead.take()
    assert next(conversation) is NEXT
    try:
        conversation.send(output)
    except StopIteration as end:
        return end.value


@given(st.lists(st.tuples(st.integers(1, 60), st.sampled_from(CATALOGUE[:2])), max_size=400))
def test_every_row_is_submitted_once_with_the_first_that_waits(asked: list[tuple[int, Model]]) -> None:
    driven = Driven([row(number, *each) for number, each in enumerate(asked)])
    assert sorted(driven.answered) == list(range(len(asked)))
    assert driven.most_under_way <= WINDOW
    left = set(range(len(asked)))
    for group in driven.submitted:
        assert len(group) <= TOGETHER
        assert len({asked[number][1].id for number in group}) == 1
        assert group[0] == min(left)
        assert group == sorted(group), "in the text's order, for those who read along"
        left -= set(group)


def test_sentences_of_a_long_text_have_company_of_their_own_length() -> None:
    lengths = [10, 60, 30, 45, 20] * 400
    submitted = Driven([row(*each) for each in enumerate(lengths)]).submitted
    late = submitted[len(submitted) // 2 : -5]
    assert [{lengths[number] for number in group} for group in late] == [{lengths[group[0]]} for group in late]


def test_it_reads_further_ahead_where_more_was_answered() -> None:
    driven = Driven([row(number, 1 + number % 50) for number in range(2000)])
    assert driven.submitted[0] == list(range(TOGETHER)), "the beginning waits for nothing that comes later"
    before = [sum(map(len, driven.submitted[:place])) for place in range(len(driven.read))]
    ahead = [read - submitted for read, submitted in zip(driven.read, before, strict=True)]
    assert ahead[:4] == [TOGETHER] * 4
    assert max(ahead) == MOST_AHEAD


def test_what_has_to_be_asked_again_goes_first() -> None:
    lookahead = Lookahead[int]()
    lookahead.add([row(number, 5) for number in range(3)])
    lookahead.add_first([row(7, 5), row(8, 5)])
    list(lookahead.submit())
    assert [taken_by(lookahead, 0)[0].asker for _ in range(5)] == [7, 8, 0, 1, 2]
