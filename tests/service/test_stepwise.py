"""Rows of a stepwise model give the same tokens in any company as by hand."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.model import Stepwise
from models.task import Item
from services.runners.binding import Binding
from services.runners.rows import Batch, Row, RunsGraph, StepwiseModel
from services.runners.session import DeviceUnavailable, Session, _driver_present, require_device
from tests.service import tiny_models as tiny
from tests.stepping import BoundSession, CountingBinding, step_together, without_done


def load(
    protocol: Stepwise,
    folder: Path,
    hinder: Callable[[RunsGraph], RunsGraph] = lambda decoder: decoder,
    observe: Callable[[RunsGraph], RunsGraph] = lambda encoder: encoder,
    decoder_session: type[Session] = Session,
    *,
    shared: bool = True,
) -> StepwiseModel:
    export = tiny.tiny_export(tiny.tiny_model(protocol), folder)
    encoder = Session(export.graph(protocol.encoder), protocol.encoder, device="cpu", threads=1)
    decoder = decoder_session(export.graph(protocol.decoder), protocol.decoder, device="cpu", threads=1)
    return StepwiseModel(replace(protocol, shared=shared), observe(encoder), hinder(decoder))


@pytest.fixture(scope="module", params=[Session, BoundSession])
def cache(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> StepwiseModel:
    return load(tiny.CACHE, tmp_path_factory.mktemp("cache"), decoder_session=request.param)


@pytest.fixture(scope="module", params=[Session, BoundSession])
def state(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> StepwiseModel:
    return load(tiny.STATE, tmp_path_factory.mktemp("state"), decoder_session=request.param)


def rows_joining_between_steps(
    model: StepwiseModel,
    requests: Sequence[tuple[Any, tiny.Greedy]],
    arrivals: Sequence[int],
    make: Callable[..., Item],
) -> list[list[int]]:
    items = [make(inputs, replace(search, tokens=[])) for inputs, search in requests]
    return step_together(model, items, arrivals)


searches = st.builds(tiny.Greedy, prompt=st.lists(st.integers(1, 9), min_size=1, max_size=3), most=st.integers(0, 9))
one_token_searches = st.builds(tiny.Greedy, prompt=st.tuples(st.integers(1, 9)), most=st.integers(0, 9))
features = st.tuples(*[st.integers(0, 9)] * 3)
sources = st.lists(st.integers(0, 30), min_size=1, max_size=7)
fixtures_are_pure = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@fixtures_are_pure
@given(data=st.data(), requests=st.lists(st.tuples(features, searches), min_size=1, max_size=6))
def test_rows_with_a_growing_cache_join_and_leave_between_steps(
    cache: StepwiseModel, data: st.DataObject, requests: list[tuple[Any, tiny.Greedy]]
) -> None:
    arrivals = data.draw(st.lists(st.integers(0, 6), min_size=len(requests), max_size=len(requests)))
    by_hand = [tiny.cache_tokens(*request) for request in requests]
    assert rows_joining_between_steps(cache, requests, arrivals, tiny.cache_item) == by_hand


@fixtures_are_pure
@given(data=st.data(), requests=st.lists(st.tuples(sources, one_token_searches), min_size=1, max_size=6))
def test_rows_with_a_recurrent_state_and_sources_of_any_length_share_steps(
    state: StepwiseModel, data: st.DataObject, requests: list[tuple[Any, tiny.Greedy]]
) -> None:
    arrivals = data.draw(st.lists(st.integers(0, 6), min_size=len(requests), max_size=len(requests)))
    by_hand = [tiny.state_tokens(*request) for request in requests]
    assert rows_joining_between_steps(state, requests, arrivals, tiny.state_item) == by_hand


def test_items_of_one_shape_are_encoded_together(state: StepwiseModel) -> None:
    sources = [[3], [1, 4, 1, 5, 9, 2], [6, 5]]
    items = [tiny.state_item(source, tiny.Greedy()) for source in sources]
    assert len({state.shape(item) for item in items}) == 1
    batch = state.start(items)
    while not all(row.done for row in batch.rows):
        batch = state.keep(batch, [place for place, row in enumerate(batch.rows) if not row.done])
        state.step(batch)
    results = [item.search.result() for item in items if item.search]
    assert results == [tiny.state_tokens(source, tiny.Greedy()) for source in sources]


def test_places_that_are_padding_for_every_row_are_cut_out(cache: StepwiseModel) -> None:
    old = cache.start([tiny.cache_item((1, 2, 3), tiny.Greedy(most=9))])
    for _ in range(4):
        cache.step(old)
    young = cache.start([tiny.cache_item((3, 1, 2), tiny.Greedy(most=9))])
    cache.step(young)
    both = cache.join([old, young])
    assert both.tensors["cache"].shape == (2, 4)
    assert cache.keep(both, [1]).tensors["cache"].shape == (1, 1)


@pytest.mark.parametrize(("axis", "together"), [("source", True), ("past", False)])
def test_rows_of_different_lengths_share_steps_only_along_an_axis_with_a_mask(
    state: StepwiseModel, axis: str, together: bool
) -> None:
    shorter, longer = (Batch([], {}, {axis: np.ones((1, length), np.int64)}) for length in (1, 2))
    assert state.can_join(shorter, longer) is together
    assert state.can_join(shorter, shorter)


def test_a_search_that_fails_ends_its_own_row_only(cache: StepwiseModel) -> None:
    good, bad = tiny.Greedy(), tiny.Greedy(fail_at=0)
    batch = cache.start([tiny.cache_item((1, 2, 3), good), tiny.cache_item((4, 4, 4), bad)])
    cache.step(batch)
    first, second = batch.rows
    assert isinstance(second.error, ArithmeticError)
    assert second.done
    assert isinstance(first, Row)
    assert first.error is None


def bound(folder: Path) -> tuple[StepwiseModel, BoundSession]:
    decoders: list[BoundSession] = []

    def keep(decoder: RunsGraph) -> RunsGraph:
        assert isinstance(decoder, BoundSession)
        decoders.append(decoder)
        return decoder

    return load(tiny.CACHE, folder, keep, decoder_session=BoundSession), decoders[0]


def two_rows(model: StepwiseModel, *, most: Sequence[int] = (9, 9)) -> Batch:
    return model.start([tiny.cache_item((place, 2, 2), tiny.Greedy(most=each)) for place, each in enumerate(most)])


def test_between_joins_and_leaves_nothing_of_state_and_context_travels(tmp_path: Path) -> None:
    model, decoder = bound(tmp_path)
    batch = two_rows(model)
    model.step(batch)
    assert decoder.copies["up", "cache"] == decoder.copies["up", "memory"] == 1
    decoder.copies.clear()
    for _ in range(5):
        model.step(batch)
    assert decoder.copies == {("up", "ids"): 5, ("up", "positions"): 5, ("up", "real"): 5, ("down", "logits"): 5}


def test_where_rows_join_and_leave_the_state_travels_once_and_context_up_only(tmp_path: Path) -> None:
    model, decoder = bound(tmp_path)
    first, second = two_rows(model), two_rows(model)
    model.step(first)
    model.step(second)
    decoder.copies.clear()
    both = model.join([first, second])
    assert decoder.copies == {("down", "cache"): 2}
    model.step(both)
    left = model.leave(both, [0, 3])
    model.step(left)
    model.step(left)
    kept = {name: count for name, count in decoder.copies.items() if name[1] in {"cache", "memory"}}
    assert kept == {("down", "cache"): 3, ("up", "cache"): 2, ("up", "memory"): 2}


def test_a_device_keeps_one_state_of_a_batch_and_none_when_it_has_ended(tmp_path: Path) -> None:
    model, _ = bound(tmp_path)
    batch = two_rows(model, most=(3, 3))
    model.step(batch)
    assert isinstance(batch.bound, CountingBinding)
    [before] = map(weakref.ref, batch.bound.held)
    model.step(batch)
    [after] = map(weakref.ref, batch.bound.held)
    assert before() is None and after() is not None
    binding = weakref.ref(batch.bound)
    one = model.keep(batch, [0])
    assert binding() is after() is None
    model.step(one)
    assert isinstance(one.bound, CountingBinding)
    binding = weakref.ref(one.bound)
    while not one.rows[0].done:
        model.step(one)
    del one
    assert binding() is None


@pytest.mark.parametrize("fail_at", [0, 1, 3])
def test_rows_of_a_step_that_failed_on_a_device_go_on_from_the_state_before(tmp_path: Path, fail_at: int) -> None:
    model, _ = bound(tmp_path)
    requests = [((1, 2, 3), tiny.Greedy()), ((3, 2, 1), tiny.Greedy())]
    batch = model.start([tiny.cache_item(features, replace(search, tokens=[])) for features, search in requests])
    rows = batch.rows
    for _ in range(fail_at):
        model.step(batch)
    held = weakref.ref(batch.bound.held[0]) if isinstance(batch.bound, CountingBinding) else None
    masks = batch.masks
    batch.masks = {axis: np.ones((3, mask.shape[1]), np.int64) for axis, mask in masks.items()}  # of two rows
    with pytest.raises(RuntimeError) as error:
        model.step(batch)
    assert error.tb is not None and batch.bound is None
    assert held is None or held() is None, "the error keeps the device's memory"
    batch.masks = masks
    parts = [model.keep(batch, [place]) for place in (0, 1)]
    while parts:
        for part in parts:
            model.step(part)
        parts = [kept for part in parts if (kept := without_done(model, part))]
    assert [row.search.result() for row in rows] == [tiny.cache_tokens(*request) for request in requests]


@pytest.mark.skipif(not _driver_present(), reason="there is no GPU here")
def test_on_a_gpu_the_state_stays_on_the_card(tmp_path: Path) -> None:
    try:
        require_device("cuda")
    except DeviceUnavailable as reason:
        pytest.skip(str(reason))
    export = tiny.tiny_export(tiny.tiny_model(tiny.CACHE), tmp_path)
    encoder, decoder = (Session(export.graph(each), each, device="cuda", threads=1) for each in tiny.CACHE.graphs)
    model = StepwiseModel(tiny.CACHE, encoder, decoder)
    requests = [((place, 2, 3), tiny.Greedy(prompt=[1] * (1 + place % 2), most=3 + place)) for place in range(6)]
    by_hand = [tiny.cache_tokens(*request) for request in requests]
    assert rows_joining_between_steps(model, requests, range(6), tiny.cache_item) == by_hand
    batch = two_rows(model)
    for _ in range(2):
        model.step(batch)
        assert isinstance(batch.bound, Binding)
        assert batch.bound._state["cache"].device_name() == "cuda"
