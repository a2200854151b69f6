"""What each calibration promises of its columns, and what the smoothed targets never give away."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy import stats

from synth.calibration import METHODS, Target, smoothed_quantiles
from synth.calibration.methods import ks_distances, noise_floor, soft

Floats = NDArray[np.float64]
samples = hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e6, 1e6, width=32))


@pytest.fixture
def columns() -> tuple[Floats, Floats, Target, NDArray[np.bool_]]:
    """(synthetic, real, target, known): 300 skewed real rows; 240 synthetic ones with other moments."""
    rng = np.random.default_rng(4)
    real = np.column_stack([rng.gamma(2, 1, 300), rng.normal(0, 1, 300)])
    synthetic = rng.normal(3, 2, (240, 2))
    return synthetic, real, Target.of(real, np.ones_like(real, dtype=np.bool_)), np.ones((240, 2), dtype=np.bool_)


def worst_ks(a: Floats, b: Floats) -> float:
    return max(float(stats.ks_2samp(a[:, j], b[:, j]).statistic) for j in range(a.shape[1]))


def test_knots_of_a_hand_worked_sample() -> None:
    """Six values, knots of three: means 2 and 11 at 1/4 and 3/4; the ends half a step (4.5) beyond."""
    quantiles = smoothed_quantiles(np.array([1.0, 2.0, 3.0, 10.0, 11.0, 12.0]))
    assert quantiles.positions.tolist() == [0.0, 0.25, 0.75, 1.0]
    assert quantiles.values.tolist() == [-2.5, 2.0, 11.0, 15.5]
    assert quantiles(np.array([0.5])).tolist() == [6.5]


@given(samples)
def test_a_quantile_function_never_decreases_and_stays_in_its_bounds(sample: Floats) -> None:
    quantiles = smoothed_quantiles(sample, lower=-10.0, upper=10.0)
    values = quantiles(np.linspace(0, 1, 101))
    assert (np.diff(values) >= -1e-9).all()
    assert values.min() >= -10.0
    assert values.max() <= 10.0


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(9, 80))
def test_no_continuous_value_and_no_extreme_is_a_knot(seed: int, n: int) -> None:
    """(I-12)"""
    sample = np.random.default_rng(seed).normal(size=n)
    knots = smoothed_quantiles(sample).values[1:-1]
    assert not np.isin(knots, sample).any()
    assert knots.max() < sample.max()
    assert knots.min() > sample.min()


def test_one_patient_with_many_rows_never_makes_a_knot_alone() -> None:
    """Ten rows of one patient stand together; the knot around them rests on at least three people."""
    sample = np.concatenate([np.full(10, 100.0), np.arange(20.0)])
    people = np.concatenate([np.zeros(10, dtype=np.int64), np.arange(1, 21)])
    assert smoothed_quantiles(sample, people=people).values[1:-1].max() < 100.0
    assert smoothed_quantiles(sample).values.max() == 100.0  # rows alone would let the patient through


def test_moment_matching_matches_the_moments(columns: tuple[Floats, Floats, Target, NDArray[np.bool_]]) -> None:
    synthetic, real, target, known = columns
    out = METHODS["moment"](synthetic, known, target, np.random.default_rng(0))
    assert np.allclose(out.mean(axis=0), real.mean(axis=0))
    assert np.allclose(out.std(axis=0), real.std(axis=0))


def test_full_matching_reaches_the_resolution_of_its_knots(
    columns: tuple[Floats, Floats, Target, NDArray[np.bool_]],
) -> None:
    synthetic, real, target, known = columns
    out = METHODS["full"](synthetic, known, target, np.random.default_rng(0))
    assert worst_ks(out, real) < 3 / 300 + 1 / 240 + 0.01


def test_soft_with_nothing_is_the_identity_and_with_all_is_full(
    columns: tuple[Floats, Floats, Target, NDArray[np.bool_]],
) -> None:
    synthetic, _, target, known = columns
    assert np.array_equal(soft(synthetic, known, target, np.random.default_rng(0), alpha=0.0), synthetic)
    whole = soft(synthetic, known, target, np.random.default_rng(0), alpha=1.0)
    assert np.allclose(whole, METHODS["full"](synthetic, known, target, np.random.default_rng(0)))


@pytest.mark.parametrize("name", ["full", "soft", "adaptive_soft", "iterative", "exact"])
def test_every_matching_keeps_the_ranks(columns: tuple[Floats, Floats, Target, NDArray[np.bool_]], name: str) -> None:
    synthetic, _, target, known = columns
    out = METHODS[name](synthetic, known, target, np.random.default_rng(0))
    for j in range(2):
        order = np.argsort(synthetic[:, j])
        assert (np.diff(out[order, j]) >= -1e-12).all()


def test_adaptive_soft_hardly_moves_what_already_fits() -> None:
    rng = np.random.default_rng(5)
    real = rng.normal(size=(2_000, 1))
    known = np.ones_like(real, dtype=np.bool_)
    target = Target.of(real, known)
    fitting = target.quantiles[0]((np.arange(2_000) + 0.5) / 2_000)[:, None]
    out = METHODS["adaptive_soft"](fitting, known, target, rng)
    assert np.abs(out - fitting).max() < 0.02


def test_iterative_refinement_stops_at_the_noise_of_a_fresh_sample(
    columns: tuple[Floats, Floats, Target, NDArray[np.bool_]],
) -> None:
    """(I-12): it ends below the floor, and not far below, where it would only repeat the sample."""
    synthetic, _, target, known = columns
    out = METHODS["iterative"](synthetic, known, target, np.random.default_rng(0))
    distance, floor = ks_distances(out, known, target), noise_floor(known, target)
    assert (distance <= floor).all()
    assert (distance > floor / 10).all()
    again = METHODS["iterative"](out, known, target, np.random.default_rng(0))
    assert np.array_equal(again, out)


def test_the_noise_floor_is_the_mean_distance_of_two_fresh_samples() -> None:
    """400 pairs: the mean has a standard error of about 0.0012; five of them are allowed (false alarm below 1e-6)."""
    rng = np.random.default_rng(6)
    seen = [stats.ks_2samp(rng.normal(size=300), rng.normal(size=240)).statistic for _ in range(400)]
    real = rng.normal(size=(300, 1))
    floor = noise_floor(np.ones((240, 1), dtype=np.bool_), Target.of(real, np.ones((300, 1), dtype=np.bool_)))
    assert abs(np.mean(seen) - floor[0]) < 0.006


def test_unknown_cells_are_left_alone(columns: tuple[Floats, Floats, Target, NDArray[np.bool_]]) -> None:
    synthetic, _, target, known = columns
    known = known.copy()
    known[:50, 0] = False
    for method in METHODS.values():
        out = method(synthetic, known, target, np.random.default_rng(0))
        assert np.array_equal(out[:50, 0], synthetic[:50, 0])
