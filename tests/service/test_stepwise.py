"""Rows of a stepwise model give the same tokens in any company as by hand."""

from __future__ import annotations

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
from services.runners.rows import Batch, Row, RunsGraph, StepwiseModel
from services.runners.session import Session
from tests.service import tiny_models as tiny


def load(
    protocol: Stepwise,
    folder: Path,
    hinder: Callable[[RunsGraph], RunsGraph] = lambda decoder: decoder,
    observe: Callable[[RunsGraph], RunsGraph] = lambda encoder: encoder,
    *,
    shared: bool = True,
) -> StepwiseModel:
    export = tiny.tiny_export(tiny.tiny_model(protocol), folder)
    encoder, decoder = (
        Session(export.graph(graph), graph, device="cpu", threads=1) for graph in (protocol.encoder, protocol.decoder)
    )
    return StepwiseModel(replace(protocol, shared=shared), observe(encoder), hinder(decoder))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> StepwiseModel:
    return load(tiny.CACHE, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> StepwiseModel:
    return load(tiny.STATE, tmp_path_factory.mktemp("state"))


def rows_joining_between_steps(
    model: StepwiseModel,
    requests: Sequence[tuple[Any, tiny.Greedy]],
    arrivals: Sequence[int],
    make: Callable[..., Item],
) -> list[list[int]]:
    """Start each request at its step, beside whoever is under way, and step until all are done."""
    searches = [replace(search, tokens=[]) for _, search in requests]
    batches: list[Batch] = []
    step = 0
    while batches or step <= max(arrivals):
        for number, arrival in enumerate(arrivals):
            if arrival == step:
                batches.append(model.start([make(requests[number][0], searches[number])]))
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
    return [search.result() for search in searches]


def without_done(model: StepwiseModel, batch: Batch) -> Batch | None:
    stay = [place for place, row in enumerate(batch.rows) if not row.done]
    if len(stay) == len(batch.rows):
        return batch
    return model.leave(batch, stay) if stay else None


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
