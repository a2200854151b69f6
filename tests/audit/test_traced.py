"""Rows that are somebody's beyond doubt, counted."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from audit.intervals import difference_of_counts
from audit.traced import SURE, beyond_doubt, counted, of_rows


def test_a_ratio_is_beyond_doubt_by_what_chance_gives_or_strangers_reach() -> None:
    by_chance = pytest.approx(math.log(SURE * 250))
    assert beyond_doubt(np.zeros(0), 250) == by_chance
    assert beyond_doubt(np.zeros(1_000), 250) == by_chance
    pair = np.concatenate([np.zeros(996), [9.0, 10.0, 11.0, 12.0]])
    assert beyond_doubt(pair, 250) == by_chance  # four of a thousand are one of 250
    pairs = np.concatenate([np.zeros(995), [8.0, 9.0, 10.0, 11.0, 12.0]])
    assert beyond_doubt(pairs, 250) == 11.0  # one of a thousand is about a fifth of one of 250
    assert beyond_doubt(pairs, 500) == 12.0


@pytest.mark.parametrize("rows", [100, 1_000])
def test_of_rows_drawn_from_the_density_hardly_one_is_beyond_doubt(rows: int, rng: np.random.Generator) -> None:
    """Markov: of rows from N(0, 1), held against N(0, s), a fifth of one at the most; false alarm below 1e-6 a size."""
    draws = rng.standard_normal((200, rows))
    for size in (0.5, 1.5, 3.0):
        ratio = 0.5 * draws**2 * (1 - 1 / size**2) - math.log(size)
        above = (ratio > beyond_doubt(np.zeros(0), rows)).sum()
        assert above <= stats.poisson.isf(1e-6, 200 / SURE)


@given(st.integers(0, 40), st.integers(0, 40), st.floats(0.5, 2.0), st.floats(0.5, 0.999))
def test_the_difference_of_counts_is_the_exact_binomial_given_their_sum(
    first: int, second: int, ratio: float, confidence: float
) -> None:
    low, high = difference_of_counts(first, second, ratio, confidence)
    if not first + second:
        assert (low, high) == (0.0, 0.0)
        return
    share = stats.binomtest(first, first + second).proportion_ci(confidence, "exact")
    expected = [(first + second) * (end - (1 - end) * ratio) for end in (share.low, share.high)]
    assert (low, high) == pytest.approx(expected, abs=1e-6)


@given(st.integers(0, 50), st.integers(0, 50), st.floats(0.9, 1.5), st.floats(1.0, 1.2))
def test_no_more_rows_are_traced_than_were_found_and_may_lie_in_what_was_left_out(
    train: int, holdout: int, ratio: float, scale: float
) -> None:
    found = counted("traced_to_one", (train, holdout), 50, 0.95, "", ratio=ratio, scale=scale)
    assert found.lower <= found.value <= found.upper
    assert found.upper <= train + (scale - 1) * 50 + 1e-9
    if scale == 1:
        assert found.upper <= train


def test_next_to_nobody_at_stake_is_nothing_to_ask_for() -> None:
    assert of_rows(0.5, 250).least == pytest.approx(0.05 * 125)
    assert of_rows(0.07, 250).least == 0
    assert of_rows(0.5, 250, 0.1).least == 0  # four standard errors are a hundred rows
