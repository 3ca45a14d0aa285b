"""Cat or dog?, added up over ImageNet's classes."""

from __future__ import annotations

import pytest
from ekiben_client import Label
from hypothesis import given
from hypothesis import strategies as some

from ekiben_demos.pictures.cats_and_dogs import CATS, DOGS, verdict

from .processes import ROOT

IMAGENET = (ROOT / "models/labels/imagenet.txt").read_text("utf-8").splitlines()

scores = some.dictionaries(some.integers(0, 999), some.floats(0.01, 1), min_size=1, max_size=30).map(
    lambda raw: {place: score / sum(raw.values()) for place, score in raw.items()}
)
"""Probabilities by class; those that are not named are 0."""


def test_breeds_are_those_of_imagenet() -> None:
    assert set(IMAGENET[151:269]) == DOGS
    assert set(IMAGENET[281:286]) == CATS


@given(scores)
def test_verdict_adds_up(probabilities: dict[int, float]) -> None:
    found = verdict(Label(IMAGENET[place], score) for place, score in probabilities.items())
    assert found.cat == pytest.approx(sum(score for place, score in probabilities.items() if 281 <= place <= 285))
    assert found.dog == pytest.approx(sum(score for place, score in probabilities.items() if 151 <= place <= 268))
    assert 0 <= found.cat_of_two <= 1
    assert found.either <= 1


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ([Label("tabby", 0.5), Label("tiger cat", 0.4)], "A cat."),
        ([Label("pug", 0.5), Label("Egyptian cat", 0.3)], "Rather a dog."),
        ([Label("espresso", 0.9), Label("pug", 0.02)], "Probably neither: only 2% speaks for a cat or a dog."),
        ([], "Probably neither: only 0% speaks for a cat or a dog."),
    ],
)
def test_sentence(labels: list[Label], sentence: str) -> None:
    assert verdict(labels).sentence == sentence
