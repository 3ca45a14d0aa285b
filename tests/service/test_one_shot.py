"""Items that share a run get what they get alone: with tiny graphs by hand, and with every picture model's own."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import MODELS
from models.model import Model
from models.pictures.styles import mixture, style_name
from models.task import Item
from services.exports import find_export
from services.runners.core_pool import CorePool
from services.runners.runner import OneShotRunner, make_runner
from services.settings import Settings
from tests.service import tiny_models as tiny
from tests.serving import PICTURE_MODELS

SETTINGS = Settings(device="cpu")


@pytest.fixture(scope="module")
def pool() -> Iterator[CorePool]:
    pool = CorePool(1)
    yield pool
    pool.close()


@pytest.fixture(scope="module")
def scaler(pool: CorePool, tmp_path_factory: pytest.TempPathFactory) -> OneShotRunner:
    model = tiny.tiny_model(tiny.TWO_GRAPHS)
    runner = make_runner(model, tiny.tiny_export(model, tmp_path_factory.mktemp("tiny")), SETTINGS, pool)
    assert isinstance(runner, OneShotRunner)
    return runner


def batches(runner: OneShotRunner, items: Sequence[Item], most: int) -> Iterator[list[int]]:
    """The places of items that the runner lets share a run, at most so many at once, as a queue hands them out."""
    groups: dict[Hashable, list[int]] = {}
    for place, item in enumerate(items):
        groups.setdefault(runner.shape(item), []).append(place)
    for places in groups.values():
        for start in range(0, len(places), most):
            yield places[start : start + most]


numbers = st.integers(-1000, 1000)
scaler_items = st.lists(
    st.one_of(
        st.tuples(st.just("model"), st.lists(numbers, min_size=1, max_size=4), numbers),
        st.tuples(st.just("factor"), st.lists(numbers, min_size=3, max_size=3), st.just(0)),
    ),
    min_size=1,
    max_size=12,
)


@settings(deadline=None)
@given(wanted=scaler_items, most=st.integers(1, 5), alone=st.booleans())
def test_items_of_two_graphs_and_many_shapes_get_their_own_answers(
    scaler: OneShotRunner, wanted: list[tuple[str, list[int], int]], most: int, alone: bool
) -> None:
    items, expected = [], []
    for graph, values, factor in wanted:
        inputs = {"numbers": np.array(values, np.float32)}
        if graph == "model":
            inputs["factor"] = np.array([factor], np.float32)
            items.append(Item(inputs, cost=1))
            expected.append({"scaled": [value * factor for value in values]})
        else:
            items.append(Item(inputs, cost=1, graph=graph))
            expected.append({"factor": [sum(values)]})
    answers: dict[int, Any] = {}
    for places in batches(scaler, items, most):
        answers |= zip(places, scaler.execute([items[place] for place in places], alone=alone), strict=True)
    found = [{name: array.tolist() for name, array in answers[place].items()} for place in range(len(items))]
    assert found == expected


def test_graphs_whose_items_look_alike_do_not_share_a_run(scaler: OneShotRunner) -> None:
    values = {"numbers": np.zeros(3, np.float32)}
    assert scaler.shape(Item(values, cost=1)) != scaler.shape(Item(values, cost=1, graph="factor"))


def noise(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    return random.integers(0, 256, (height, width, 3), dtype=np.uint8)


def fixed(model: Model, random: np.random.Generator) -> Item:
    _, height, width, _ = model.protocol.graphs[0].inputs[0].axes
    return Item({"image": noise(random, int(height), int(width))}, cost=1)


def face(model: Model, random: np.random.Generator) -> Item:
    return Item({"image": noise(random, int(random.choice([64, 96])), 64)}, cost=1)


def named_style(model: Model, random: np.random.Generator) -> Item:
    styles = [f"{style_name(int(random.integers(26)))}:{random.random():.3f}1" for _ in range(random.integers(1, 4))]
    return Item({"image": noise(random, int(random.choice([32, 44])), 36), "style": mixture(",".join(styles))}, cost=1)


def style_of_a_picture(model: Model, random: np.random.Generator) -> Item:
    if random.random() < 0.3:
        return Item({"image": noise(random, 256, 256)}, cost=1, graph="predict")
    vector = random.normal(0, 0.5, 100).astype(np.float32)
    return Item({"image": noise(random, int(random.choice([32, 44])), 36), "style": vector}, cost=1)


# model → an item of it, and by how much an answer may differ for its company: another order of the same sums
KINDS: dict[str, tuple[Callable[[Model, np.random.Generator], Item], float]] = {
    "efficientnet-lite0": (fixed, 1e-5),
    "efficientnet-lite2": (fixed, 1e-5),
    "ssd-mobilenet-v2": (fixed, 1e-5),
    "centerface": (face, 1e-5),
    "multistyle26": (named_style, 0),
    "magenta-arbitrary": (style_of_a_picture, 0),
}


LONE_DIFFERENCE = {"magenta-arbitrary": 1.0}
"""By how much an answer may differ on average where an item that is alone runs on all cores, which add sums up in
another order: this model quantises what it computes, and now and then a pixel jumps by twenty of 255."""


def test_every_picture_model_is_tried() -> None:
    assert tuple(KINDS) == PICTURE_MODELS


@pytest.mark.parametrize("id", KINDS)
def test_pictures_that_share_a_run_get_what_they_get_alone(pool: CorePool, id: str) -> None:
    model, (make, tolerance) = MODELS[id], KINDS[id]
    runner = make_runner(model, find_export(model), SETTINGS, pool)
    assert isinstance(runner, OneShotRunner)

    @settings(deadline=None, max_examples=6)
    @given(seeds=st.lists(st.integers(0, 99), min_size=2, max_size=6), most=st.integers(2, 4))
    def check(seeds: list[int], most: int) -> None:
        items = [make(model, np.random.default_rng(seed)) for seed in seeds]
        for places in batches(runner, items, most):
            together = runner.execute([items[place] for place in places])
            for place, shared in zip(places, together, strict=True):
                [single] = runner.execute([items[place]])
                [alone] = runner.execute([items[place]], alone=True)
                assert shared.keys() == single.keys() == alone.keys()
                for name, array in single.items():
                    assert shared[name].dtype == alone[name].dtype == array.dtype
                    np.testing.assert_allclose(shared[name], array, rtol=0, atol=tolerance, err_msg=name)
                    difference = np.abs(alone[name].astype(np.float64) - array)
                    assert difference.mean() <= LONE_DIFFERENCE.get(id, tolerance), name

    check()
