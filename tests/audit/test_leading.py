"""Bounds from leading directions change what a search costs, never what it finds."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from audit import leading, neighbours
from audit.leading import Axes
from audit.neighbours import Reference, nearest, several, within

Floats = NDArray[np.float64]


def skewed(rows: int, rng: np.random.Generator, width: int = 80) -> Floats:
    """Rows that differ in few directions much and in many a little, some of them equal."""
    turn = np.linalg.qr(rng.standard_normal((width, width)))[0]
    made: Floats = rng.standard_normal((rows, width)) * 0.8 ** np.arange(width) @ turn + 5.0
    made[rows // 2 : rows // 2 + 20] = made[:20]
    made[rows // 2 + 20 : rows // 2 + 40] = made[:20] + 1e-7
    return made


@pytest.fixture(autouse=True)
def bounds_on_few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "MANY", 0)
    monkeypatch.setattr(leading, "QUERIES", 50)
    monkeypatch.setattr(leading, "REFERENCES", 70)


@pytest.mark.parametrize("left", [1, 16, 10**9], ids=["all pairs may be left", "some may", "none may"])
def test_the_nearest_row_is_that_of_a_search_without_bounds(
    left: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leading, "LEFT", left)
    rows = skewed(700, rng)
    a, b = rows[:300], rows[300:]
    assert Reference(b).leading is not None
    bounded = nearest(a, b)
    monkeypatch.setattr(neighbours, "MANY", 10**9)
    plain = nearest(a, b)
    np.testing.assert_array_equal(bounded.index, plain.index)
    np.testing.assert_array_equal(bounded.distance, plain.distance)
    truth = cdist(a, b)
    np.testing.assert_allclose(bounded.distance, truth.min(axis=1), rtol=1e-9, atol=1e-12)


def test_directions_of_another_table_bound_as_well(rng: np.random.Generator) -> None:
    rows, other = skewed(400, rng), skewed(300, rng)
    found = nearest(rows[:100], Reference(rows[100:], Reference(other)))
    np.testing.assert_allclose(found.distance, cdist(rows[:100], rows[100:]).min(axis=1), rtol=1e-9, atol=1e-12)


def test_rows_of_ones_own_person_are_passed_over(rng: np.random.Generator) -> None:
    rows = skewed(400, rng)
    people = rng.integers(0, 60, 400)
    truth = cdist(rows, rows)
    truth[people[:, None] == people[None, :]] = np.inf
    found = nearest(rows, rows, people, people)
    np.testing.assert_allclose(found.distance, truth.min(axis=1), rtol=1e-9, atol=1e-12)
    one = np.zeros(400, dtype=np.int64)
    assert np.isinf(nearest(rows, rows, one, one).distance).all()


def test_within_finds_all_pairs_and_no_other(rng: np.random.Generator) -> None:
    rows = skewed(400, rng)
    a, b = rows[:150], rows[150:]
    truth = cdist(a, b)
    radius = rng.uniform(0, np.quantile(truth, 0.1), 150)
    found = set(zip(*(part.tolist() for part in within(a, radius, b)), strict=True))
    assert found == set(zip(*(part.tolist() for part in np.nonzero(truth <= radius[:, None])), strict=True))


def test_equal_rows_have_no_directions_and_are_found(rng: np.random.Generator) -> None:
    rows = np.ones((30, 80))
    assert Axes.of(rows) is None
    assert nearest(rows, rows).distance.tolist() == [0.0] * 30


def test_where_rows_differ_alike_in_all_directions_there_are_no_bounds(rng: np.random.Generator) -> None:
    assert Axes.of(rng.standard_normal((500, 80))) is None


@pytest.mark.parametrize("whole", [False, True], ids=["continuous", "full of ties"])
def test_several_of_a_wide_block_are_those_of_brute_force(whole: bool, rng: np.random.Generator) -> None:
    a, b = rng.standard_normal((40, 3)), rng.standard_normal((3_000, 3))
    if whole:
        a, b = np.round(2 * a), np.round(2 * b)
    truth = cdist(a, b)
    found = several(a, b, 60)
    assert all(len(set(row)) == 60 for row in found.tolist())
    np.testing.assert_allclose(
        np.take_along_axis(truth, found, axis=1), np.sort(truth, axis=1)[:, :60], rtol=1e-9, atol=1e-9
    )
