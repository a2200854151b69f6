"""Statements drawn from one table and the people of another they fit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from audit.attacks.predicates import LARGEST, MISSING, Population, Predicates, alone_by_chance


def table(*columns: list[float], numeric: list[bool], person: list[int] | None = None) -> Population:
    codes = np.arange(len(columns[0])) if person is None else np.array(person)
    return Population([np.array(column, dtype=np.float64) for column in columns], np.array(numeric), codes)


def test_neighbourhoods_by_hand() -> None:
    """Ten values, a tenth either way: one neighbour down and up, open beyond the ends."""
    numbers = [float(value) for value in range(10, 20)]
    low, high, share = table(numbers, numeric=[True]).neighbourhoods(np.array([0, 4, 9]), 0.1)
    assert low[:, 0].tolist() == [-LARGEST, 13.0, 18.0]
    assert high[:, 0].tolist() == [11.0, 15.0, LARGEST]
    assert share[:, 0].tolist() == pytest.approx([0.2, 0.3, 0.2])


def test_a_level_a_missing_cell_and_a_crowded_value_stand_by_themselves() -> None:
    numbers = [MISSING, 0.0, 0.0, 0.0, 0.0, 0.0, 7.0, 8.0, 9.0, 10.0]
    low, high, share = table(numbers, [1.0] * 3 + [2.0] * 7, numeric=[True, False]).neighbourhoods(
        np.array([0, 1]), 0.1
    )
    assert low.tolist() == high.tolist() == [[MISSING, 1.0], [0.0, 1.0]]
    assert share.tolist() == [[0.1, 0.3], [0.5, 0.3]]


def test_people_are_counted_not_rows() -> None:
    people = table([1.0, 1.0, 2.0, 3.0, MISSING], numeric=[True], person=[7, 7, 8, 9, 9])
    every = np.ones((4, 1), dtype=np.bool_)
    low, high = np.array([[1.0], [1.0], [-LARGEST], [MISSING]]), np.array([[1.0], [2.0], [LARGEST], [MISSING]])
    count, predicate, person = people.meet(Predicates(low, high, every), most=2)
    assert count.tolist() == [1, 2, 3, 1]
    assert sorted(zip(predicate.tolist(), person.tolist(), strict=True)) == [(0, 0), (1, 0), (1, 1), (3, 2)]


@given(st.data())
def test_meeting_is_what_comparing_every_row_gives(data: st.DataObject) -> None:
    cells = st.sampled_from([MISSING, 0.0, 1.0, 2.0, 3.0])
    rows = data.draw(st.lists(st.tuples(cells, cells, st.integers(0, 4)), min_size=2, max_size=12))
    people = table([r[0] for r in rows], [r[1] for r in rows], numeric=[True, True], person=[r[2] for r in rows])
    bounds = np.array(data.draw(st.lists(st.tuples(cells, cells, cells, cells), min_size=1, max_size=4)))
    asked = np.array([data.draw(st.sampled_from([[True, False], [False, True], [True, True]])) for _ in bounds])
    count, _, _ = people.meet(Predicates(bounds[:, :2], bounds[:, 2:], asked), most=0)
    for place, (bound, columns) in enumerate(zip(bounds, asked, strict=True)):
        fits = {r[2] for r in rows if all(not columns[c] or bound[c] <= r[c] <= bound[2 + c] for c in (0, 1))}
        assert count[place] == len(fits)


@given(st.integers(2, 60), st.data())
def test_the_chance_to_be_alone_in_a_draw_is_hypergeometric(people: int, data: st.DataObject) -> None:
    drawn, fitting = data.draw(st.integers(1, people)), data.draw(st.integers(0, people))
    expected = stats.hypergeom.pmf(1, people, fitting, drawn)
    assert alone_by_chance(np.array([fitting]), people, drawn)[0] == pytest.approx(expected, abs=1e-9)
