from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from ekiben_load.search import GROWTH, RESOLUTION, Verdict, highest_rate

from .simulation import simulate


@dataclass(frozen=True)
class Judgement:
    verdict: Verdict


class Threshold:
    """Passes up to a rate; above another one the generator falls behind, where `invalid` says so."""

    def __init__(self, capacity: float, *, generator: float = float("inf"), invalid_first: bool = False) -> None:
        self.rates: list[float] = []
        self._capacity, self._generator, self._invalid_first = capacity, generator, invalid_first

    async def __call__(self, rate: float) -> Judgement:
        first = rate not in self.rates
        self.rates.append(rate)
        if rate > self._generator or (first and self._invalid_first):
            return Judgement(Verdict.INVALID)
        return Judgement(Verdict.PASSED if rate <= self._capacity else Verdict.FAILED)


NEAR = st.floats(0.2, 5)


@given(st.floats(0.01, 1e4), NEAR)
def test_the_search_ends_just_below_what_the_server_can_do(capacity: float, off: float) -> None:
    trial = Threshold(capacity)
    found = simulate(highest_rate(trial, capacity * off))
    assert found is not None
    assert capacity / RESOLUTION <= found <= capacity
    assert len(trial.rates) <= 12


@given(st.floats(0.01, 1e4), NEAR)
def test_the_search_is_as_coarse_as_it_is_asked_to_be(capacity: float, off: float) -> None:
    trial = Threshold(capacity)
    found = simulate(highest_rate(trial, capacity * off, resolution=1.5))
    assert found is not None
    assert capacity / 1.5 <= found <= capacity
    fine = Threshold(capacity)
    simulate(highest_rate(fine, capacity * off))
    assert len(trial.rates) < len(fine.rates)


@given(NEAR)
def test_a_search_that_is_over_ends_once_one_rate_has_passed_and_one_has_not(off: float) -> None:
    trial = Threshold(100)
    found = simulate(highest_rate(trial, 100 * off, is_over=lambda: True))
    passed, failed = [rate for rate in trial.rates if rate <= 100], [rate for rate in trial.rates if rate > 100]
    assert found == max(passed)
    assert failed
    assert 1 in (len(passed), len(failed))


@given(NEAR)
def test_an_invalid_trial_is_made_once_more(off: float) -> None:
    trial = Threshold(100, invalid_first=True)
    found = simulate(highest_rate(trial, 100 * off))
    assert found is not None
    assert 100 / RESOLUTION <= found <= 100
    assert all(trial.rates.count(rate) == 2 for rate in trial.rates)


def test_what_the_generator_cannot_ask_for_is_not_claimed() -> None:
    found = simulate(highest_rate(Threshold(100, generator=40), 60))
    assert found is not None
    assert 40 / RESOLUTION <= found <= 40


def test_a_server_that_answers_nothing_has_no_rate() -> None:
    trial = Threshold(0)
    assert simulate(highest_rate(trial, 50)) is None
    assert trial.rates[1] == 50 / GROWTH
