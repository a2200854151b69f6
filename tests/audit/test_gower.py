"""Nearest rows under Gower's distance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.errors import AuditError
from audit.gower import Mixed, gower_nearest

NO_LEVELS = np.zeros((1, 0), dtype=np.int64)


def plain(a: Mixed, b: Mixed) -> np.ndarray:
    """The formula, over all pairs: missing against missing 0, against known 1."""
    gaps = np.abs(a.numbers[:, None] - b.numbers[None])
    missing = np.isnan(a.numbers)[:, None], np.isnan(b.numbers)[None]
    gaps = np.where(missing[0] & missing[1], 0.0, np.where(missing[0] | missing[1], 1.0, gaps))
    return np.asarray((gaps.sum(axis=2) + (a.codes[:, None] != b.codes[None]).sum(axis=2)) / a.columns)


@st.composite
def tables(draw: st.DrawFn) -> tuple[Mixed, Mixed, bool]:
    """Two tables of the same columns: fine or coarse numbers, gaps, few levels or over 256; people recur or not."""
    p, q = draw(st.integers(0, 5)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    grid, levels, gap = draw(st.sampled_from([3, 63, 10**6])), draw(st.sampled_from([2, 300])), draw(st.booleans())

    def table(rows: int) -> Mixed:
        numbers = rng.integers(0, grid + 1, (rows, p)) / grid
        numbers[rng.random((rows, p)) < 0.3 * gap] = np.nan
        return Mixed(numbers, rng.integers(0, levels, (rows, q)))

    return table(draw(st.integers(1, 30))), table(draw(st.integers(1, 200))), draw(st.booleans())


@settings(max_examples=150, deadline=None)
@given(tables())
def test_the_search_finds_what_the_formula_over_all_pairs_finds(drawn: tuple[Mixed, Mixed, bool]) -> None:
    a, b, apart = drawn
    distance = plain(a, b)
    people = np.arange(len(a)) % 7, np.arange(len(b)) % 7
    if apart:
        distance[people[0][:, None] == people[1]] = np.inf
    found = gower_nearest(a, b, *people) if apart else gower_nearest(a, b)
    assert found.distance == pytest.approx(distance.min(axis=1), abs=1e-12)
    some = np.flatnonzero(np.isfinite(found.distance))
    assert (found.index[np.isinf(found.distance)] == -1).all()
    assert distance[some, found.index[some]] == pytest.approx(found.distance[some], abs=1e-12)


def test_wide_tables_with_many_rows_are_searched_over_some_columns_first() -> None:
    rng = np.random.default_rng(4)
    a, b = (Mixed(rng.random((rows, 30)) ** 4, rng.integers(0, 3, (rows, 20))) for rows in (40, 3_000))
    assert gower_nearest(a, b).distance == pytest.approx(plain(a, b).min(axis=1), abs=1e-12)


def test_numbers_of_very_unlike_size_are_searched_exactly_though_the_grid_cannot_tell_them_apart() -> None:
    rng = np.random.default_rng(5)
    rows = [np.exp(3 * rng.standard_normal((count, 2))) for count in (50, 4_000)]
    a, b = (Mixed(each / max(x.max() for x in rows), np.zeros((len(each), 0), dtype=np.int64)) for each in rows)
    assert gower_nearest(a, b).distance == pytest.approx(plain(a, b).min(axis=1), rel=1e-9)


def test_four_rows_by_hand() -> None:
    """To (0.5, a): (0.5, b) is (0 + 1) / 2 away, (0.9, a) (0.4 + 0) / 2, (missing, a) (1 + 0) / 2."""
    asked = Mixed(np.array([[0.5]]), np.array([[0]]))
    others = Mixed(np.array([[0.5], [0.9], [np.nan]]), np.array([[1], [0], [0]]))
    found = gower_nearest(asked, others)
    assert found.distance[0] == pytest.approx(0.2)
    assert found.index[0] == 1


def test_missing_is_a_value() -> None:
    missing = Mixed(np.array([[np.nan]]), NO_LEVELS)
    assert gower_nearest(missing, missing).distance[0] == 0.0
    assert gower_nearest(missing, Mixed(np.array([[0.0]]), NO_LEVELS)).distance[0] == 1.0


def test_of_equal_rows_a_stranger_s_is_found() -> None:
    rows = Mixed(np.array([[0.1], [0.1], [0.1], [0.7]]), np.zeros((4, 0), dtype=np.int64))
    people = np.array([5, 5, 6, 7])
    found = gower_nearest(rows, rows, people, people)
    assert found.distance[:3].tolist() == [0.0, 0.0, 0.0]
    assert (people[found.index] != people).all()


def test_a_table_of_one_person_has_nobody_near() -> None:
    rows, same = Mixed(np.array([[0.1], [0.2]]), np.zeros((2, 0), dtype=np.int64)), np.zeros(2, dtype=np.int64)
    found = gower_nearest(rows, rows, same, same)
    assert np.isinf(found.distance).all()
    assert (found.index == -1).all()


def test_numbers_beyond_their_range_are_refused() -> None:
    with pytest.raises(AuditError):
        Mixed(np.array([[1.5]]), NO_LEVELS)
