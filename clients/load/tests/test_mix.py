from __future__ import annotations

from collections import Counter
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ekiben_load.mix import DEFAULT_MIX, Mix, parse_mix, poisson
from ekiben_load.queries import TASKS, Query

SEEDS = st.integers(0, 2**32)


@given(st.floats(0.1, 500), st.floats(0.1, 20), SEEDS)
def test_arrivals_are_in_order_within_the_time_and_the_same_for_the_same_seed(
    rate: float, seconds: float, seed: int
) -> None:
    due = poisson(rate, seconds, seed)
    assert due == sorted(due) == poisson(rate, seconds, seed)
    assert all(0 < moment < seconds for moment in due)


@given(st.floats(1, 1000), SEEDS)
@settings(max_examples=30)
def test_arrivals_are_those_of_a_poisson_process(rate: float, seed: int) -> None:
    """Their number and its variance in equal stretches are as they should be, within six standard deviations."""
    expected = 4000
    due = poisson(rate, expected / rate, seed)
    assert abs(len(due) - expected) < 6 * expected**0.5
    stretches = Counter(int(moment * rate) // 10 for moment in due)
    counts = [stretches[place] for place in range(expected // 10)]
    variance = sum((count - 10) ** 2 for count in counts) / len(counts)
    # The variance of so many counts' mean square: (mean + 2 mean²) / number, for a Poisson distribution.
    assert abs(variance - 10) < 6 * ((10 + 2 * 100) / len(counts)) ** 0.5


@given(SEEDS)
def test_another_rate_stretches_the_same_arrivals(seed: int) -> None:
    slow, fast = poisson(10, 5, seed), poisson(20, 2.5, seed)
    assert slow == pytest.approx([2 * moment for moment in fast])


@given(st.floats(0.1, 50), st.integers(0, 100), SEEDS)
def test_there_are_enough_arrivals_where_the_time_is_too_short_for_them(rate: float, enough: int, seed: int) -> None:
    due = poisson(rate, 1.0, seed, at_least=enough)
    in_time = poisson(rate, 1.0, seed)
    assert len(due) == max(enough, len(in_time))
    assert due[: len(in_time)] == in_time


def test_another_seed_gives_other_arrivals() -> None:
    assert poisson(10, 5, 1) != poisson(10, 5, 2)


@given(SEEDS)
@settings(max_examples=20)
def test_what_is_asked_has_nothing_to_do_with_when(seed: int) -> None:
    """No correlation between pauses and kinds of queries, however many queries they are apart."""
    number, apart = 2000, 30
    due = np.array([0.0, *poisson(1, number, seed, at_least=number)[:number]])
    drawn = islice(mix({"a": 1, "b": 1, "c": 2}).draw(seed), number + apart)
    kinds = np.array([ord(query.task) for query in drawn])
    for shift in range(apart):
        assert abs(np.corrcoef(np.diff(due), kinds[shift : shift + number])[0, 1]) < 6 / number**0.5
        ahead = number - shift
        assert abs(np.corrcoef(np.diff(due)[shift:], kinds[:ahead])[0, 1]) < 6 / ahead**0.5


def mix(weights: dict[str, float], inputs: int = 3) -> Mix:
    return Mix(
        weights, {task: [Query(task, f"{task} {place}", "/", "", b"") for place in range(inputs)] for task in weights}
    )


@given(
    st.dictionaries(st.sampled_from(list(TASKS)), st.integers(1, 20).map(float), min_size=1), SEEDS, st.integers(1, 7)
)
@settings(max_examples=30)
def test_a_mix_asks_by_its_weights_and_each_input_as_often(weights: dict[str, float], seed: int, inputs: int) -> None:
    number = 4000
    drawn = list(islice(mix(weights, inputs).draw(seed), number))
    assert drawn == list(islice(mix(weights, inputs).draw(seed), number))
    for task, weight in weights.items():
        share = weight / sum(weights.values())
        count = sum(query.task == task for query in drawn)
        assert abs(count - share * number) <= 6 * (number * share * (1 - share)) ** 0.5
        of_inputs = Counter(query.name for query in drawn if query.task == task)
        assert len(of_inputs) == inputs
        assert max(of_inputs.values()) - min(of_inputs.values()) <= 1


@given(SEEDS)
def test_few_queries_are_the_mix_already(seed: int) -> None:
    """Every twenty of the default mix, whose weights are whole numbers that make twenty."""
    weights = parse_mix(DEFAULT_MIX)
    drawn = mix(dict(weights)).draw(seed)
    blocks = [[query.task for query in islice(drawn, 20)] for _ in range(3)]
    assert [Counter(block) for block in blocks] == [Counter({task: int(each) for task, each in weights.items()})] * 3
    assert blocks[0] != blocks[1]


def test_a_mix_is_read_as_it_is_written() -> None:
    assert parse_mix("translation=2.5, style-transfer") == {"translation": 2.5, "style-transfer": 1.0}
    assert set(parse_mix(DEFAULT_MIX)) == set(TASKS)


@pytest.mark.parametrize(
    "words", ["", "nothing=1", "translation=0", "translation=-1", "translation=x", "translation,translation=2",
              "translation=inf", "translation=nan"],
)  # fmt: skip
def test_a_mix_that_makes_no_sense_is_refused(words: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_mix(words)
