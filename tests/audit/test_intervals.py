"""Intervals, against published examples, scipy, and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from audit.auc import auc
from audit.intervals import around, clustered_variance, newcombe, share_interval, touched_variance, wilson


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (3, 17), (50, 100), (99, 100), (10, 10)])
def test_wilson_is_scipys(hits: int, n: int) -> None:
    truth = stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
    assert wilson(hits / n, n, 0.95) == pytest.approx((truth.low, truth.high), abs=1e-12)


@pytest.mark.parametrize(
    ("first", "second", "interval"),
    [
        ((56, 70), (48, 80), (0.0524, 0.3339)),
        ((9, 10), (3, 10), (0.1705, 0.8090)),
        ((6, 7), (2, 7), (0.0582, 0.8062)),
        ((0, 10), (0, 20), (-0.1611, 0.2775)),
        ((10, 10), (0, 20), (0.6791, 1.0)),
    ],
)
def test_newcombe_is_the_published_table(
    first: tuple[int, int], second: tuple[int, int], interval: tuple[float, float]
) -> None:
    """Newcombe 1998, Statistics in Medicine 17:873, table II, method 10."""
    (a, m), (b, n) = first, second
    assert newcombe(a / m, m, b / n, n, 0.95) == pytest.approx(interval, abs=6e-5)


@settings(deadline=None)
@given(st.floats(0, 1), st.floats(0, 0.1), st.integers(1, 10_000), st.floats(0.5, 0.999))
def test_a_share_interval_holds_its_share_and_stays_possible(
    share: float, variance: float, n: int, confidence: float
) -> None:
    low, high = share_interval(share, variance, n, confidence)
    assert 0 <= low <= share <= high <= 1
    assert low < high


def test_nothing_is_known_of_no_trials() -> None:
    assert wilson(0.3, 0, 0.95) == (0.0, 1.0)


def test_around_is_students_interval() -> None:
    assert around(1.0, 4.0, 0.95, df=19) == pytest.approx((1 - 2.093 * 2, 1 + 2.093 * 2), abs=1e-3)
    assert around(0.1, 1.0, 0.95, low=0.0, high=0.5) == (0.0, 0.5)


def test_rows_of_one_cluster_add_before_they_are_squared() -> None:
    residuals = np.array([1.0, 1.0, -1.0, -1.0])
    assert clustered_variance(residuals, np.arange(4)) == 4.0
    assert clustered_variance(residuals, np.array([5, 5, 9, 9])) == 8.0
    assert clustered_variance(residuals, np.array([5, 9, 5, 9])) == 0.0


def test_terms_that_share_a_point_are_dependent() -> None:
    """Terms 1 and 2 touch point 1, term 3 stands alone: (1 + 1)^2 + 1."""
    touched = [np.array([0, 2, 3]), np.array([1, 1, 4])]
    assert touched_variance([(np.array([1.0, 1.0, -1.0]), touched)], 5) == pytest.approx(5.0)
    # the same by one term in each of two parts, and never below what independent terms have
    parts = [(np.array([1.0]), [np.array([0])]), (np.array([-1.0]), [np.array([0])])]
    assert touched_variance(parts, 1) == pytest.approx(2.0)


def test_auc_counts_pairs_won_and_half_of_those_tied() -> None:
    """Pairs (3,1) (3,2) (2,1) won, (2,2) tied: 3.5 of 4."""
    result = auc(np.array([3.0, 2.0]), np.array([1.0, 2.0]))
    assert result.value == pytest.approx(3.5 / 4)
    assert result.positive.tolist() == [1.0, 0.75]
    assert result.negative.tolist() == [1.0, 0.75]
    assert [part.sum() for part in result.influence] == pytest.approx([0.0, 0.0])


def test_delongs_variance_is_the_bootstraps(rng: np.random.Generator) -> None:
    """3,000 replicates know the variance to 2.6 %; 15 % is more than five times that (false alarm below 1e-7)."""
    positive, negative = rng.normal(0.7, 1, 120), rng.normal(0, 1, 160)
    delong = sum(float((part**2).sum()) for part in auc(positive, negative).influence)
    replicates = [
        auc(rng.choice(positive, len(positive)), rng.choice(negative, len(negative))).value for _ in range(3000)
    ]
    assert delong == pytest.approx(np.var(replicates), rel=0.15)
