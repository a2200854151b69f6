"""Coarse cells, the log-linear model, exchange of records and weights, each on tables worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth.dp.coarsen import ALONE, coarse_cells, coarser, denoised, merged_neighbours, merged_rare, on_simplex
from synth.dp.factors import factor_of, united
from synth.dp.loglinear import Factor, LogLinear, cells_of
from synth.dp.update import exchanged
from synth.dp.weights import learned_weights, shares_of


def test_the_simplex_projection_is_the_nearest_point() -> None:
    assert on_simplex(np.array([5.0, 3.0, -2.0]), 6.0).tolist() == [4.0, 2.0, 0.0]
    assert on_simplex(np.array([1.0, 1.0]), 4.0).tolist() == [2.0, 2.0]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-50, 500), min_size=1, max_size=30), st.integers(2, 12))
def test_merged_neighbours_are_neighbours_and_every_group_is_used(counts: list[float], cells: int) -> None:
    mass = on_simplex(np.array(counts), 100.0)
    groups = merged_neighbours(mass, 100.0 / cells)
    assert groups[0] == 0
    assert set(np.diff(groups).tolist()) <= {0, 1}
    # H heavy cells part the others into at most H + 1 runs, and a run of mass r has at most 1 + r / wanted groups;
    # a heavy cell holds ALONE * wanted or more, so H is at most cells / ALONE
    assert groups.max() + 1 <= 2 * cells / ALONE + 1


def test_a_spike_keeps_a_cell_of_its_own() -> None:
    groups = merged_neighbours(np.array([60.0, 1, 2, 1, 2, 1, 30.0, 3.0]), 20.0)
    assert groups.tolist() == [0, 1, 1, 1, 1, 1, 2, 3]


def test_rare_levels_share_the_last_cell() -> None:
    assert merged_rare(np.array([50.0, 2.0, 40.0, 1.0, 3.0]), 10.0).tolist() == [0, 2, 1, 2, 2]
    assert merged_rare(np.array([50.0, 2.0, 40.0]), 10.0).tolist() == [0, 1, 2]


def test_coarser_cells_keep_missing_apart() -> None:
    groups = coarser(np.array([0.2, 0.2, 0.2, 0.2, 0.2]), 2, ordered=True, nullable=True)
    assert groups[-1] == groups.max()
    assert (groups[:-1] < groups.max()).all()


def test_noise_is_levelled_and_a_step_is_kept() -> None:
    noise = np.random.default_rng(0).normal(0, 5, 60)  # one table of noise; a step of 20 standard deviations
    truth = np.repeat([100.0, 200.0], 30)
    smooth = denoised(truth + noise, 5.0, ordered=True, nullable=False)
    assert np.abs(smooth - truth).mean() < np.abs(noise).mean() / 2
    assert len(np.unique(np.round(smooth, 6))) == 2


def test_coarse_cells_share_out_to_the_fine_ones() -> None:
    coarse = coarse_cells(np.array([400.0, 5, 10, 5, 380.0, 50.0]), 2.0, 4, 8.0, ordered=True, nullable=True)
    assert coarse.shares.sum() == pytest.approx(1.0)
    for cell in range(coarse.size):
        assert coarse.inside[coarse.groups == cell].sum() == pytest.approx(1.0)
    assert coarse.groups[-1] == coarse.size - 1


def model_of(counts: np.ndarray, noise: float, size: int = 20_000) -> tuple[LogLinear, Factor]:
    rng = np.random.default_rng(1)
    shape = counts.shape
    shares = [np.full(cells, 1.0 / cells) for cells in shape]
    records = np.stack([rng.choice(len(share), size, p=share) for share in shares], axis=1).astype(np.int32)
    model = LogLinear(records, shape, [np.log(share) for share in shares], float(counts.sum()), rng)
    every = tuple(np.arange(cells) for cells in shape)
    factor = factor_of(model, tuple(range(len(shape))), every, counts.ravel().astype(np.float64), noise)
    model.add(factor)
    return model, factor


def test_the_model_meets_a_table_without_noise() -> None:
    counts = np.array([[900.0, 50.0], [30.0, 20.0], [400.0, 600.0]])
    model, factor = model_of(counts, 1e-6)
    model.fit(30)
    found = model.expected(factor.columns, factor.groups)
    assert np.abs(found - counts.ravel()).sum() / counts.sum() < 0.02  # chance alone leaves about 0.01


def test_what_two_overlapping_tables_say_holds_together_and_the_rest_is_independent() -> None:
    """x-y and y-z are dependent; given y, x and z are independent, so p(x, z) follows by hand."""
    rng = np.random.default_rng(3)
    sizes = (2, 2, 2)
    records = rng.integers(0, 2, (30_000, 3)).astype(np.int32)
    model = LogLinear(records, sizes, [np.zeros(2)] * 3, 1000.0, rng)
    two = np.arange(2)
    table = np.array([400.0, 100.0, 100.0, 400.0])
    for pair in ((0, 1), (1, 2)):
        model.add(factor_of(model, pair, (two, two), table, 1e-6))
    model.fit(30)
    expected = np.array([340.0, 160.0, 160.0, 340.0])  # 500 (0.8 0.8 + 0.2 0.2) = 340
    assert np.abs(model.expected((0, 2), (two, two)) - expected).max() < 25  # over 5 standard deviations of a draw


def test_a_table_that_is_all_noise_moves_the_model_less_than_the_table() -> None:
    rng = np.random.default_rng(5)
    truth = np.full((8, 8), 20.0)
    noisy = truth + rng.normal(0, 20, (8, 8))
    model, factor = model_of(noisy, 400.0)
    model.fit(20)
    moved = np.abs(model.expected(factor.columns, factor.groups) - truth.ravel()).sum()
    assert moved < 0.5 * np.abs(noisy - truth).sum()


def test_a_copy_of_the_model_moves_alone() -> None:
    model, factor = model_of(np.array([[90.0, 10.0], [10.0, 90.0]]), 1e-6)
    other = model.copy()
    other.fit(3)
    assert not factor.theta.any()
    assert other.factors[0].theta.any()


def test_a_fine_and_a_coarse_table_unite_by_least_squares() -> None:
    every, halves = np.arange(4), np.array([0, 0, 1, 1])
    known = Factor((0,), (every,), np.array([10.0, 10.0, 10.0, 10.0]), np.ones(4), 1.0)
    groups, counts, noise = united(known, (halves,), np.array([24.0, 20.0]), 2.0)
    assert groups[0].tolist() == every.tolist()
    # the sum of two fine cells has variance 2 like the coarse one: half of the gap of 4 is taken over
    assert counts.tolist() == [11.0, 11.0, 10.0, 10.0]
    assert noise == pytest.approx(0.75)


def test_exchanged_records_stand_for_the_tables_better_than_chance() -> None:
    rng = np.random.default_rng(7)
    codes = rng.integers(0, 4, (12_000, 3)).astype(np.int32)
    every = np.arange(4)
    places = [cells_of(codes, pair, (every, every)) for pair in ((0, 1), (0, 2), (1, 2))]
    target = np.full(16, 1 / 16)
    kept = exchanged(places, [target] * 3, 3_000, rng)
    assert len(kept) == len(np.unique(kept)) == 3_000

    def distance(rows: np.ndarray) -> float:
        return float(sum(np.abs(np.bincount(place[rows], minlength=16) / len(rows) - target).sum() for place in places))

    assert distance(kept) < 0.3 * distance(rng.permutation(12_000)[:3_000])


def test_the_generator_that_fits_the_tables_gets_the_weight() -> None:
    rng = np.random.default_rng(11)
    good = np.repeat([0, 1], [800, 200])[:, None].astype(np.int32)
    bad = np.repeat([0, 1], [100, 900])[:, None].astype(np.int32)
    factor = Factor((0,), (np.arange(2),), np.array([801.0, 199.0]), np.ones(2), 2.0)
    trace = learned_weights({"good": good, "bad": bad}, [factor], [2.0], rng)
    assert shares_of(trace)["good"] > 0.95
    best = trace.best("single")
    assert best is not None
    assert best.weights["good"] == 1.0
    assert {point.source for point in trace.points} == {"single", "uniform", "reinforce"}
