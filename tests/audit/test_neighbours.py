"""Exact neighbours, against scipy's brute force."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist

from audit import neighbours
from audit.neighbours import farther, nearest, several, squared_blocks, within


@pytest.mark.parametrize("width", [1, 3, 40, 120])
@pytest.mark.parametrize("whole", [False, True], ids=["continuous", "whole numbers full of ties"])
def test_distances_are_those_of_brute_force(width: int, whole: bool, rng: np.random.Generator) -> None:
    a, b = rng.standard_normal((150, width)), rng.standard_normal((210, width))
    if whole:
        a, b = np.round(a), np.round(b)
    b[:30] = a[:30]
    b[30:60] = a[30:60] + 1e-6  # nearer than single precision can tell
    truth = cdist(a, b)
    found = nearest(a, b)
    np.testing.assert_allclose(found.distance, truth.min(axis=1), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(truth[np.arange(150), found.index], truth.min(axis=1), rtol=1e-9, atol=1e-12)


def test_a_copy_in_a_dense_crowd_is_found(rng: np.random.Generator) -> None:
    """More rows than are sorted out at a time lie within the rounding of single precision, and the copy comes last."""
    b = np.hstack([1e-4 * rng.standard_normal((3_000, 1)), np.full((3_000, 60), 3.0)])
    a = b[-50:]
    assert nearest(a, b).distance.max() == 0


def test_one_far_row_hides_no_copy(rng: np.random.Generator) -> None:
    """Lengths as a scale that turns logarithmic leaves them of numbers near the largest there are."""
    b = rng.standard_normal((400, 60))
    b[0] = 700.0
    found = nearest(b[1:], b)
    np.testing.assert_array_equal(found.distance, 0.0)
    np.testing.assert_array_equal(found.index, np.arange(1, 400))
    truth = cdist(b[1:], b)
    np.testing.assert_array_equal(several(b[1:], b, 5), np.argsort(truth, axis=1)[:, :5])


def test_of_a_crowd_of_equals_the_first_that_counts_is_named(rng: np.random.Generator) -> None:
    b = np.repeat(rng.standard_normal((2, 40)), 500, axis=0)
    people = np.arange(1_000)
    found = nearest(b, b, people, people)
    np.testing.assert_array_equal(found.distance, 0.0)
    np.testing.assert_array_equal(found.index, [1, *[0] * 499, 501, *[500] * 499])


def test_rows_without_columns_are_all_equal() -> None:
    found = nearest(np.zeros((3, 0)), np.zeros((50, 0)))
    assert found.distance.tolist() == [0.0] * 3
    assert found.index.tolist() == [0] * 3


def test_blocks_do_not_change_the_answer(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = rng.standard_normal((50, 40)), rng.standard_normal((60, 40))
    whole = nearest(a, b)
    monkeypatch.setattr(neighbours, "CELLS", 300)
    parts = nearest(a, b)
    np.testing.assert_array_equal(whole.index, parts.index)
    np.testing.assert_array_equal(whole.distance, parts.distance)


def test_rows_of_the_same_person_are_passed_over() -> None:
    rows = np.array([[0.0], [0.1], [5.0], [5.5]])
    people = np.array([7, 7, 8, 9])
    found = nearest(rows, rows, people, people)
    np.testing.assert_allclose(found.distance, [5.0, 4.9, 0.5, 0.5])
    np.testing.assert_array_equal(found.index, [2, 2, 3, 2])


def test_nobody_else_is_infinitely_far() -> None:
    found = nearest(np.zeros((2, 1)), np.zeros((2, 1)), np.array([1, 1]), np.array([1, 1]))
    assert np.isinf(found.distance).all()
    assert (found.index == -1).all()


def test_within_finds_all_pairs_and_no_other(rng: np.random.Generator) -> None:
    a, b = rng.standard_normal((40, 35)), rng.standard_normal((70, 35))
    radius = np.full(40, np.quantile(cdist(a, b), 0.03))
    found = set(zip(*(part.tolist() for part in within(a, radius, b)), strict=True))
    assert found == set(zip(*(part.tolist() for part in np.nonzero(cdist(a, b) <= radius[0])), strict=True))


def test_a_radius_of_zero_finds_equal_rows() -> None:
    rows, columns = within(np.array([[1.0], [2.0]]), np.zeros(2), np.array([[2.0], [3.0], [2.0]]))
    assert rows.tolist() == [1, 1]
    assert columns.tolist() == [0, 2]


@settings(deadline=None)
@given(arrays(np.float64, 5, elements=st.floats(0, 10)), arrays(np.float64, 5, elements=st.floats(0, 10)))
def test_farther_is_fair(first: np.ndarray, second: np.ndarray) -> None:
    np.testing.assert_array_equal(farther(first, second) + farther(second, first), 1.0)


def test_equal_distances_count_half_even_when_both_are_infinite() -> None:
    first = np.array([1.0, 2.0, 3.0, np.inf, np.inf])
    second = np.array([2.0, 1.0, 3.0 * (1 + 1e-12), np.inf, 1.0])
    assert farther(first, second).tolist() == [0.0, 1.0, 0.5, 0.5, 1.0]


@pytest.mark.parametrize("width", [2, 40])
def test_the_five_nearest_are_those_of_brute_force_and_never_ones_own(width: int, rng: np.random.Generator) -> None:
    rows = rng.standard_normal((90, width))
    people = np.repeat(np.arange(30), 3)
    truth = cdist(rows, rows)
    truth[people[:, None] == people[None, :]] = np.inf
    np.testing.assert_array_equal(several(rows, rows, 5, people, people), np.argsort(truth, axis=1)[:, :5])


def test_where_there_are_fewer_the_places_stay_empty() -> None:
    rows = np.array([[0.0], [1.0], [3.0]])
    people = np.array([0, 0, 1])
    assert several(rows, rows, 4, people, people).tolist() == [[2, -1, -1, -1], [2, -1, -1, -1], [1, 0, -1, -1]]


def test_a_table_that_nobody_else_holds_is_let_go_before_its_blocks_are_read(rng: np.random.Generator) -> None:
    """Searches over many parts of the columns would else hold each part in two precisions."""
    queries, table = rng.standard_normal((300, 40)), rng.standard_normal((500, 40))
    held = weakref.ref(table)
    truth = cdist(queries, table) ** 2
    blocks = squared_blocks(queries, table)
    del table
    start, squared, _ = next(blocks)
    assert held() is None
    own = np.einsum("ij,ij->i", queries, queries)[: len(squared), None]
    np.testing.assert_allclose(squared + own, truth[start : start + len(squared)], rtol=1e-3, atol=1e-3)
