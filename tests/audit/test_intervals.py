"""Intervals, against published examples, scipy, and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from audit.auc import auc
from audit.intervals import (
    around,
    clopper_pearson,
    clustered_variance,
    difference_of_means,
    difference_of_shares,
    share_interval,
    touched_variance,
)

SIZES = (20, 50, 150, 500)
SHARES = (0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.8, 0.95, 0.99)


@settings(deadline=None)
@given(st.floats(0, 1), st.floats(0, 0.1), st.integers(1, 10_000), st.floats(0.5, 0.999))
def test_a_share_interval_holds_its_share_and_stays_possible(
    share: float, variance: float, n: int, confidence: float
) -> None:
    low, high = share_interval(share, variance, n, confidence)
    assert 0 <= low <= share <= high <= 1
    assert low < high


def test_nothing_is_known_of_no_trials() -> None:
    assert clopper_pearson(0.3, 0, 0.95) == (0.0, 1.0)


def test_around_is_students_interval() -> None:
    assert around(1.0, 4.0, 0.95, df=19) == pytest.approx((1 - 2.093 * 2, 1 + 2.093 * 2), abs=1e-3)
    assert around(0.1, 1.0, 0.95, low=0.0, high=0.5) == (0.0, 0.5)


@given(st.integers(2, 60), st.integers(2, 60), st.floats(0.01, 100.0), st.integers(0, 1000))
def test_a_difference_of_means_has_welchs_interval(first: int, second: int, scale: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(1.0, 1.0, first), rng.normal(0.0, scale, second)
    expected = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.9)
    found = difference_of_means(a, b, 0.9)
    assert found == pytest.approx((expected.low, expected.high), rel=1e-6)


def test_a_difference_of_means_that_never_vary_has_no_width() -> None:
    assert difference_of_means(np.full(5, 0.75), np.full(3, 0.25), 0.95) == (0.5, 0.5)
    assert difference_of_means(np.array([0.0, 1.0]), np.array([0.0, 1.0]), 0.95, low=-1.0, high=1.0) == (-1.0, 1.0)


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


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (3, 17), (50, 100), (99, 100), (10, 10)])
def test_clopper_pearson_is_scipys(hits: int, n: int) -> None:
    truth = stats.binomtest(hits, n).proportion_ci(0.95, method="exact")
    assert clopper_pearson(hits / n, n, 0.95) == pytest.approx((truth.low, truth.high), abs=1e-12)


@given(st.floats(0, 1), st.floats(0.5, 5_000), st.floats(0.5, 0.999))
def test_an_exact_interval_of_an_effective_number_holds_its_share(share: float, n: float, confidence: float) -> None:
    low, high = clopper_pearson(share, n, confidence)
    assert 0 <= low <= share <= high <= 1
    assert clopper_pearson(share, 2 * n, confidence)[1] <= high + 1e-9


def test_few_clusters_widen_a_share() -> None:
    """Four groups of five that agree within: as many trials as groups, and t with 3 instead of 19 degrees."""
    many, few = (share_interval(0.5, 0.0625, 20, 0.95, clusters=clusters) for clusters in (20, 4))
    assert few[0] < many[0] < 0.5 < many[1] < few[1]


@pytest.mark.parametrize("n", SIZES)
def test_exact_intervals_of_shares_and_their_differences_cover(n: int) -> None:
    """Counted over every outcome, no simulation: never below 95 %."""
    hits = np.arange(n + 1)
    bounds = np.array([clopper_pearson(k / n, n, 0.95) for k in hits])
    half = np.arange(n // 2 + 1)
    wide = np.array([clopper_pearson(k / (n // 2), n // 2, 0.95) for k in half])
    first, second = hits / n, half / (n // 2)
    gap = first[:, None] - second[None, :]
    low = gap - np.hypot((first - bounds[:, 0])[:, None], (wide[:, 1] - second)[None, :])
    high = gap + np.hypot((bounds[:, 1] - first)[:, None], (second - wide[:, 0])[None, :])
    i, j = n // 3, n // 5
    assert difference_of_shares(i / n, n, j / (n // 2), n // 2, 0.95) == pytest.approx((low[i, j], high[i, j]))
    for p in SHARES:
        chance = stats.binom.pmf(hits, n, p)
        assert chance[(bounds[:, 0] <= p) & (p <= bounds[:, 1])].sum() >= 0.95
        for q in (0.0, *SHARES):
            both = np.outer(chance, stats.binom.pmf(half, n // 2, q))
            assert both[(low <= p - q + 1e-12) & (p - q <= high + 1e-12)].sum() >= 0.95, (p, q)


def test_a_difference_of_nothing_keeps_the_width_of_its_shares() -> None:
    """0 of 10 against 0 of 20: up to 1 - 0.025^(1/10) and down to 1 - 0.025^(1/20), as the two exact limits."""
    assert difference_of_shares(0.0, 10, 0.0, 20, 0.95) == pytest.approx((-0.16843, 0.30850), abs=1e-5)
    low, high = difference_of_shares(0.8, 70, 0.6, 80, 0.95)
    assert low < 0.2 < high
    assert difference_of_shares(0.6, 80, 0.8, 70, 0.95) == pytest.approx((-high, -low))


def covered(intervals: list[tuple[float, float]], truth: float) -> float:
    found = np.array(intervals)
    return float(((found[:, 0] <= truth + 1e-12) & (truth <= found[:, 1] + 1e-12)).mean())


@pytest.mark.slow
@pytest.mark.parametrize("n", SIZES)
def test_intervals_of_dependent_rows_cover(n: int, rng: np.random.Generator) -> None:
    """Shares of rows in clusters of one to five, and means of normal values: nominal 95 %, at least 94 %.

    400 tables know a coverage of 94 % to a standard error of 1.2 %: each check allows three of them, so each of the
    seven per size alarms falsely at most once in 700 where coverage is 94 %, and less often where it is higher.
    """
    allowed = 0.94 - 3 * 0.012
    for p in (0.02, 0.05, 0.2, 0.5, 0.9):
        found = []
        for _ in range(400):
            clusters = np.repeat(np.arange(n), rng.integers(1, 6, n))[:n]
            rows = (rng.random(n) < rng.beta(2 * p, 2 * (1 - p), n)[clusters]).astype(np.float64)
            share, count = float(rows.mean()), len(np.unique(clusters))
            variance = clustered_variance((rows - share) / n, clusters)
            found.append(share_interval(share, variance, n if variance > 0 else count, 0.95, clusters=count))
        assert covered(found, p) >= allowed, p
    values = rng.standard_normal((400, n))
    found = [around(float(row.mean()), float(row.var(ddof=1)) / n, 0.95, df=n - 1.0) for row in values]
    assert covered(found, 0.0) >= allowed
    # terms that share a point: each value is the mean of two neighbours on a ring, so neighbours touch a common point
    ring = (np.arange(n), (np.arange(n) + 1) % n)
    found = []
    for row in values:
        pairs = (row[ring[0]] + row[ring[1]]) / 2
        variance = touched_variance([((pairs - pairs.mean()) / n, ring)], n)
        found.append(around(float(pairs.mean()), variance, 0.95, df=n / 2 - 1))
    assert covered(found, 0.0) >= allowed


@pytest.mark.slow
@pytest.mark.parametrize("n", SIZES)
def test_intervals_of_an_area_cover(n: int, rng: np.random.Generator) -> None:
    """Two normal samples of n, areas 0.5 to 0.98, DeLong's variance: false alarm as above, four checks a size."""
    for truth in (0.5, 0.7, 0.9, 0.98):
        shift = stats.norm.ppf(truth) * np.sqrt(2)
        found = []
        for _ in range(400):
            area = auc(rng.normal(shift, 1, n), rng.normal(0, 1, n))
            variance = sum(float((part**2).sum()) for part in area.influence)
            found.append(share_interval(area.value, variance, 2 * n, 0.95))
        assert covered(found, truth) >= 0.94 - 3 * 0.012, truth
