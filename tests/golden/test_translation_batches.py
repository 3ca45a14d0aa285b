"""Sentences that share steps are translated as each alone: with the real weights, in any company and order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.model import Stepwise
from models.task import Array, Item
from models.text.sentence_translation import GreedySearch, row
from models.text.translators import CATALOGUE
from models.text.vocabulary import Vocabulary
from services.exports import find_export
from services.runners.rows import Batch, StepwiseModel
from tests.golden.test_translation import EN_PT
from tests.stepping import BoundSession, load, step_together

MODEL = CATALOGUE[0]
MARGIN = 1e-3
"""Where the two best logits are closer than this, the order of additions may decide."""

SENTENCES = [
    *EN_PT,
    "Yes.",
    "Stop!",
    "X1 and X2 are names.",
    "aaaa bbbb cccc " * 12,
    "The installer will then ask you whether you want to use the whole disk, a part of it, or none, " * 3,
]


@dataclass
class Watched(GreedySearch):
    """Notes how far the best logit was above the second."""

    margins: list[float] = field(default_factory=list)

    def choose(self, logits: Array) -> int | None:
        second, best = np.partition(logits[-1], -2)[-2:]
        self.margins.append(float(best - second))
        return super().choose(logits)


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return MODEL.open(find_export(MODEL).file)


@pytest.fixture(scope="module")
def stepwise() -> StepwiseModel:
    assert isinstance(MODEL.protocol, Stepwise)
    return load(MODEL.protocol, find_export(MODEL))


@pytest.fixture(scope="module")
def alone(stepwise: StepwiseModel, vocabulary: Vocabulary) -> dict[str, Watched]:
    return {text: together(stepwise, vocabulary, [text], [0])[0] for text in SENTENCES}


def watched(vocabulary: Vocabulary, text: str) -> Item:
    item = row(MODEL, vocabulary, text)
    search = item.search
    assert isinstance(search, GreedySearch)
    return Item(item.inputs, item.cost, Watched(search.prompt, search.end, search.most, may_loop=search.may_loop))


def together(
    model: StepwiseModel, vocabulary: Vocabulary, texts: Sequence[str], arrivals: Sequence[int]
) -> list[Watched]:
    """Let each sentence join at its step those that are under way, and step until all are done."""
    items = [watched(vocabulary, text) for text in texts]
    batch: Batch | None = None
    step = 0
    while batch or step <= max(arrivals):
        joining = [item for item, arrival in zip(items, arrivals, strict=True) if arrival == step]
        parts = [part for part in (batch, model.start(joining) if joining else None) if part]
        batch = model.join(parts) if len(parts) > 1 else parts[0] if parts else None
        if batch:
            stay = [place for place, each in enumerate(batch.rows) if not each.done]
            batch = model.keep(batch, stay) if stay else None
        if batch:
            model.step(batch)
        step += 1
    return [item.search for item in items if isinstance(item.search, Watched)]


@settings(deadline=None, max_examples=25)
@given(places=st.lists(st.tuples(st.integers(0, len(SENTENCES) - 1), st.integers(0, 20)), min_size=2, max_size=9))
def test_a_sentence_is_translated_in_company_as_alone(
    stepwise: StepwiseModel, vocabulary: Vocabulary, alone: dict[str, Watched], places: list[tuple[int, int]]
) -> None:
    texts = [SENTENCES[place] for place, _ in places]
    for text, search in zip(texts, together(stepwise, vocabulary, texts, [step for _, step in places]), strict=True):
        lone = alone[text]
        if search.tokens != lone.tokens:
            flips = [
                place for place, pair in enumerate(zip(search.tokens, lone.tokens, strict=False)) if len(set(pair)) > 1
            ]
            first = flips[0] if flips else min(len(search.tokens), len(lone.tokens))
            assert lone.margins[first] < MARGIN, (text, first, lone.margins[first])


def test_sentences_are_translated_the_same_where_the_state_stays_on_a_device(
    stepwise: StepwiseModel, vocabulary: Vocabulary
) -> None:
    assert isinstance(MODEL.protocol, Stepwise)
    bound = load(MODEL.protocol, find_export(MODEL), BoundSession)
    arrivals = [place * 3 % 20 for place in range(len(SENTENCES))]
    on_host, on_device = (
        step_together(model, [watched(vocabulary, text) for text in SENTENCES], arrivals) for model in (stepwise, bound)
    )
    assert on_device == on_host


def test_the_sentences_differ_in_length(vocabulary: Vocabulary) -> None:
    lengths = {len(vocabulary.encode(text)) for text in SENTENCES}
    assert min(lengths) < 4 and max(lengths) > 60 and len(lengths) > 6
