"""Among very many rows the nearest are found by landmarks: no distance is too short, and few are too long."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from synth import nearness, spacing
from synth.calibration.quantiles import Floats
from synth.nearness import PROBES, Small, nearest, nearest_by_landmarks
from synth.spacing import BANDS, Spacing
from synth.thinning import kept

seeds = st.integers(0, 2**32 - 1)
ROUNDING = 2e-3
"""Of squared distances in single precision, of rows whose squared length is some hundreds."""


def crowds(n: int, rng: np.random.Generator, width: int = 6) -> Small:
    """Rows around forty centres, some of them many times."""
    centres = np.random.default_rng(7).normal(scale=3.0, size=(40, width))
    rows = centres[rng.integers(40, size=n)] + rng.normal(size=(n, width))
    copied = rng.random(n) < 0.1
    return np.where(copied[:, None], rows[rng.integers(n, size=n)], rows).astype(np.float32)


def alike(found: Floats, expected: Floats) -> bool:
    return bool(np.allclose(found**2, expected**2, rtol=1e-4, atol=ROUNDING))


@given(seeds, st.integers(2, 300), st.integers(1, 60))
@settings(max_examples=60)
def test_where_all_landmarks_are_probed_distances_are_those_of_an_independent_library(
    seed: int, n: int, m: int
) -> None:
    """300 rows have 28 landmarks, fewer than are probed."""
    rng = np.random.default_rng(seed)
    rows, among = crowds(m, rng), crowds(n, rng)
    place = int(rng.integers(1, n + 1))
    expected = np.sort(cdist(rows, among), axis=1)[:, place - 1]
    assert alike(nearest_by_landmarks(rows, among, rng, place=place), expected)


@given(seeds, st.integers(2, 300))
@settings(max_examples=60)
def test_a_row_that_stands_among_the_others_is_passed_over(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    among = crowds(n, rng)
    own = np.where(rng.random(n) < 0.7, np.arange(n), -1)
    distances = cdist(among, among)
    distances[np.flatnonzero(own >= 0), own[own >= 0]] = np.inf
    found = nearest_by_landmarks(among, among, rng, own.astype(np.intp))
    assert alike(found, distances.min(axis=1))


@given(seeds, st.integers(1, 5), st.integers(1, 8))
@settings(max_examples=40)
def test_no_distance_is_too_short_however_few_landmarks_are_probed(seed: int, place: int, probes: int) -> None:
    rng = np.random.default_rng(seed)
    rows, among = crowds(50, rng), crowds(600, rng)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearness, "PROBES", probes)
        found = nearest_by_landmarks(rows, among, rng, place=place)
    assert np.isfinite(found).all()
    assert (found**2 >= nearest(rows, among, place=place) ** 2 - ROUNDING).all()


@given(seeds)
@settings(max_examples=20)
def test_a_copy_is_found_by_a_single_probe(seed: int) -> None:
    """The nearest landmark of both is the same one, whatever rounding makes of two that are about as near."""
    rng = np.random.default_rng(seed)
    among = crowds(2_000, rng)
    copies = among[rng.integers(len(among), size=100)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearness, "PROBES", 1)
        found = nearest_by_landmarks(copies, among, rng)
    assert np.mean(found**2 < ROUNDING) >= 0.98


def test_of_many_rows_nearly_all_nearest_are_found_and_surest_the_nearest_of_them() -> None:
    """Of forty seeds every one found them all."""
    rng = np.random.default_rng(5)
    rows, among = crowds(1_000, rng), crowds(12_000, rng)
    assert len(nearness._landmarks(among, rng)) > 5 * PROBES
    exact, found = nearest(rows, among), nearest_by_landmarks(rows, among, rng)
    hit = found**2 <= exact**2 + ROUNDING
    near = exact <= np.quantile(exact, 0.1)
    assert hit.mean() > 0.9
    assert hit[near].mean() >= hit.mean()
    assert found.mean() < 1.02 * exact.mean()


def test_equal_rows_by_the_thousand_leave_one_landmark() -> None:
    rng = np.random.default_rng(6)
    among = np.repeat(crowds(3, rng), 1_000, axis=0)
    assert alike(nearest_by_landmarks(among[::100], among, rng, place=5), np.zeros(30))


@pytest.mark.parametrize("people", [60, 200])
def test_small_tables_are_looked_at_whole_and_chance_is_asked_nothing_for_it(
    people: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Landmarks are for tables beyond the bound alone; below it what is kept must stay what it was."""

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("landmarks were used")

    monkeypatch.setattr(spacing, "MANY", 100)
    monkeypatch.setattr(spacing, "nearest_by_landmarks", refused)
    rng = np.random.default_rng(8)
    one = Spacing(crowds(people, rng), np.linspace(0.5, 1.5, BANDS))
    made = crowds(90, rng)
    if people > 100:
        with pytest.raises(AssertionError, match="landmarks"):
            one.of(made, rng)
    else:
        assert len(one.of(made, rng)) == 90


def test_beyond_the_bound_the_same_rows_are_thinned_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two draws of the same odds differ by a standard deviation of 0.017 in the share that lies near."""
    rng = np.random.default_rng(9)
    learned = crowds(3_000, rng)
    near = learned[rng.integers(3_000, size=1_500)] + rng.normal(scale=0.1, size=(1_500, 6))
    made = np.vstack([near, crowds(1_500, rng)]).astype(np.float32)
    one = Spacing(learned, np.linspace(0.1, 1.9, BANDS))
    strata = np.zeros(3_000, dtype=np.int64)
    whole = kept(one.of(made, np.random.default_rng(1)), strata, np.array([1_000]), np.random.default_rng(2))
    monkeypatch.setattr(spacing, "MANY", 100)
    parts = kept(one.of(made, np.random.default_rng(1)), strata, np.array([1_000]), np.random.default_rng(2))
    assert abs(np.mean(whole < 1_500) - np.mean(parts < 1_500)) < 0.08
    assert np.mean(parts < 1_500) < 0.4
