"""Numbers depend on each other as real ones do, whatever was drawn, and tell of no group of people."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from synth.calibration.association import Association, smallest_move

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


def everything(numbers: Floats) -> NDArray[np.bool_]:
    return np.ones(numbers.shape, dtype=np.bool_)


def related(rows: int, rng: np.random.Generator, correlation: float = 0.8) -> tuple[Floats, Codes]:
    """Two numbers with this correlation within each of two strata, which shift the second in opposite ways."""
    stratum = rng.integers(2, size=rows)
    first = rng.standard_normal(rows)
    second = correlation * first + np.sqrt(1 - correlation**2) * rng.standard_normal(rows)
    return np.column_stack([first, second + np.where(stratum == 1, 1.5, -1.5)]), stratum


def within(numbers: Floats, stratum: Codes, code: int) -> float:
    return float(np.corrcoef(numbers[stratum == code].T)[0, 1])


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_the_smallest_move_leads_from_one_covariance_to_the_other(seed: int, d: int) -> None:
    """M S M = W, M symmetric, and between equal covariances it is the identity (Olkin and Pukelsheim 1982)."""
    rng = np.random.default_rng(seed)
    there, wanted = (a @ a.T + 0.1 * np.eye(d) for a in rng.standard_normal((2, d, d)))
    move = smallest_move(there, wanted)
    assert np.allclose(move, move.T)
    assert np.allclose(move @ there @ move, wanted, atol=1e-6)
    assert np.allclose(smallest_move(there, there), np.eye(d), atol=1e-6)


def test_no_other_move_to_that_covariance_is_smaller() -> None:
    """Any other is this one and a turn; turned by any angle rows move farther."""
    there, wanted = np.array([[1.0, 0.2], [0.2, 1.0]]), np.array([[1.0, -0.6], [-0.6, 1.0]])
    move, root = smallest_move(there, wanted), np.linalg.cholesky(wanted)
    back = np.linalg.inv(root)

    def moved(turned: Floats) -> float:
        change = turned - np.eye(2)
        return float(np.trace(change @ there @ change.T))

    for angle in np.linspace(0.1, 6.1, 13):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        assert moved(root @ turn @ back @ move) > moved(move)


def test_strangers_come_to_depend_on_each_other_and_stay_in_their_strata() -> None:
    """5,000 real and 3,000 drawn rows: the standard error of a correlation of 0.8 is about 0.01."""
    rng = np.random.default_rng(4)
    real, stratum = related(5_000, rng)
    association = Association.of(real, everything(real), stratum)
    drawn, codes = related(3_000, rng, correlation=0.0)
    moved = association.applied(drawn, everything(drawn), codes)
    for code in (0, 1):
        assert within(moved, codes, code) == pytest.approx(0.8, abs=0.04)
        assert moved[codes == code].mean(axis=0) == pytest.approx(drawn[codes == code].mean(axis=0), abs=1e-9)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_another_mix_of_strata_changes_nothing_within_them(share: float) -> None:
    rng = np.random.default_rng(7)
    real, stratum = related(5_000, rng)
    association = Association.of(real, everything(real), stratum)
    drawn, codes = related(20_000, rng)
    kept = rng.permutation(np.flatnonzero(codes == 1))[: round(share * 5_000)]
    kept = np.concatenate([kept, np.flatnonzero(codes == 0)[: 5_000 - len(kept)]])
    moved = association.applied(drawn[kept], everything(drawn[kept]), codes[kept])
    for code in (0, 1):
        assert within(moved, codes[kept], code) == pytest.approx(0.8, abs=0.06)


def test_rows_that_are_as_they_should_be_hardly_move() -> None:
    rng = np.random.default_rng(5)
    real, stratum = related(5_000, rng)
    moved = Association.of(real, everything(real), stratum).applied(real, everything(real), stratum)
    assert np.abs(moved - real).max() < 0.02


def test_missing_cells_stay_as_they_are_and_rows_are_spread_alike_with_and_without_them() -> None:
    rng = np.random.default_rng(6)
    real, stratum = related(4_000, rng)
    known = everything(real)
    known[::2, 1] = False
    real[::2, 1] = 50.0
    association = Association.of(real, known, stratum)
    drawn, codes = related(4_000, rng, correlation=0.2)
    drawn_known = everything(drawn)
    drawn_known[:2_000, 1] = False
    moved = association.applied(drawn, drawn_known, codes)
    assert np.allclose(moved[:2_000], drawn[:2_000], atol=1e-9)  # one number alone: nothing to bring together
    assert within(moved[2_000:], codes[2_000:], 0) == pytest.approx(0.8, abs=0.06)
    assert moved[2_000:, 0].std() == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("common", [0, 2, 10])
def test_numbers_that_few_people_have_both_of_disturb_nothing(common: int) -> None:
    """Of columns 0 and 1 hardly anybody has both; what 2 and 3 have to do with each other stays right."""
    rng = np.random.default_rng(8)
    root = np.linalg.cholesky(0.5 * np.eye(4) + 0.5)
    real, drawn = (rng.standard_normal((1_000, 4)) @ root.T for _ in range(2))
    known = everything(real)
    known[: 500 - common, 0] = False
    known[500:, 1] = False
    moved = Association.of(real, known, np.zeros(1_000, dtype=np.int64)).applied(
        drawn, known, np.zeros(1_000, dtype=np.int64)
    )
    assert np.corrcoef(moved[:, 2], moved[:, 3])[0, 1] == pytest.approx(0.5, abs=0.1)


def test_chance_correlations_of_few_people_are_shrunk_away() -> None:
    """40 people with ten independent numbers: their correlations are of 0.13 on average, all by chance."""
    found = []
    for seed in range(20):
        real = np.random.default_rng(seed).standard_normal((40, 10))
        association = Association.of(real, everything(real), np.zeros(40, dtype=np.int64))
        found.append(association.correlation[np.triu_indices(10, 1)])
    assert np.abs(np.concatenate(found)).mean() < 0.06


def test_many_rows_of_few_people_are_no_more_than_few_people() -> None:
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        people = np.repeat(np.arange(40), 30)
        real = rng.standard_normal((40, 10))[people] + 0.01 * rng.standard_normal((1_200, 10))
        association = Association.of(real, everything(real), np.zeros(1_200, dtype=np.int64), people)
        found.append(association.correlation[np.triu_indices(10, 1)])
    assert np.abs(np.concatenate(found)).mean() < 0.06


def test_one_person_of_many_rows_does_not_decide() -> None:
    """200 rows of one person on a line, 300 people without any relation."""
    rng = np.random.default_rng(9)
    own = np.repeat(np.linspace(-3, 3, 200)[:, None], 2, axis=1)
    real = np.vstack([own, rng.standard_normal((300, 2))])
    people = np.concatenate([np.zeros(200, dtype=np.int64), np.arange(1, 301)])
    stratum = np.zeros(500, dtype=np.int64)
    assert abs(Association.of(real, everything(real), stratum, people).correlation[0, 1]) < 0.2
    assert Association.of(real, everything(real), stratum).correlation[0, 1] > 0.4


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 90),
    drawn_rows=st.integers(1, 90),
    d=st.integers(1, 5),
    strata=st.integers(1, 4),
)
def test_whatever_is_constant_empty_or_scarce_gives_finite_numbers(
    seed: int, rows: int, drawn_rows: int, d: int, strata: int
) -> None:
    rng = np.random.default_rng(seed)

    def table(n: int) -> tuple[Floats, NDArray[np.bool_], Codes]:
        numbers = rng.standard_normal((n, d))
        numbers[:, rng.random(d) < 0.3] = 1.0
        known = rng.random((n, d)) < rng.choice([0.0, 0.5, 1.0], d)
        return numbers, known, rng.integers(strata, size=n)

    association = Association.of(*table(rows))
    drawn, known, codes = table(drawn_rows)
    moved = association.applied(drawn, known, codes)
    assert np.isfinite(moved).all()
    assert np.array_equal(moved[~known], drawn[~known])
