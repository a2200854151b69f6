"""What a plot may show of real people: cells of nobody, or of eleven and more."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from audit.report.cells import MINIMUM_PEOPLE, Cells, column_cells, shared_cells
from audit.report.edges import date_edges, number_edges, span
from audit.report.plots import percent
from policies import Column

NUMBER = Column.model_validate({"type": "number", "minimum": -1e6, "maximum": 1e6, "nullable": True})
WHOLE = Column.model_validate({"type": "integer", "minimum": -1e6, "maximum": 1e6, "nullable": True})
WARDS = tuple(f"ward {i}" for i in range(20))


def category(kind: str = "category", names: tuple[str, ...] = WARDS) -> Column:
    return Column.model_validate({"type": kind, "categories": names, "nullable": True})


def codes(column: Column, values: Any) -> pd.Series:
    kind = pd.CategoricalDtype(list(column.categories or ()), ordered=column.type == "ordinal")
    return pd.Series(pd.Categorical.from_codes(np.asarray(values, dtype=np.int64), dtype=kind))


def numbers(*counts: tuple[float, int]) -> pd.Series:
    return pd.Series(np.repeat([value for value, _ in counts], [count for _, count in counts]), dtype=np.float64)


def counted(cells: Cells, rows: int) -> list[int]:
    """How many real rows stand behind each drawn cell, missing included."""
    shares = [*cells.real, *([] if cells.missing is None else [cells.missing[0]])]
    return [round(share * rows) for share in shares]


def drawn(column: Column, real: pd.Series, people: Any = None) -> Cells:
    cells = shared_cells(column, real, real, np.arange(len(real)) if people is None else people)
    assert cells is not None
    return cells


def test_a_small_bin_is_pooled_with_its_neighbour() -> None:
    cells = drawn(WHOLE, numbers((1, 20), (2, 5), (3, 20)))
    assert counted(cells, 45) == [20, 25]
    assert cells.edges is not None
    assert cells.edges.tolist() == [0.5, 1.5, 3.5]


def test_an_empty_bin_between_full_ones_stays_empty() -> None:
    assert counted(drawn(WHOLE, numbers((1, 20), (3, 20))), 40) == [20, 0, 20]


def test_few_missing_cells_are_counted_with_the_last_bar() -> None:
    cells = drawn(WHOLE, numbers((1, 20), (2, 20), (np.nan, 5)))
    assert cells.missing is None
    assert counted(cells, 45) == [20, 25]
    assert any("missing" in note for note in cells.notes)


def test_few_known_cells_are_pooled_with_the_missing_ones() -> None:
    cells = drawn(NUMBER, numbers((1, 5), (np.nan, 30)))
    assert counted(cells, 35) == [35]


def test_small_categories_are_pooled_and_the_pool_takes_the_next_if_it_is_small_itself() -> None:
    column = category(names=("a", "b", "c"))
    cells = drawn(column, codes(column, [0] * 30 + [1] * 20 + [2] * 4))
    assert cells.labels == ("a", "b or c")
    assert counted(cells, 54) == [30, 24]


def test_a_two_valued_column_with_one_small_value_becomes_one_bar() -> None:
    column = category("boolean", ("no", "yes"))
    assert counted(drawn(column, codes(column, [0] * 30 + [1] * 3)), 33) == [33]


def test_a_category_nobody_has_may_stand_at_zero() -> None:
    column = category(names=("a", "b"))
    assert counted(drawn(column, codes(column, [0] * 30)), 30) == [30, 0]


def test_people_count_not_rows() -> None:
    column = category(names=("a", "b", "c"))
    real = codes(column, [0] * 30 + [1] * 30 + [2] * 30)
    people = np.r_[np.arange(30), np.arange(30, 60), np.zeros(30, dtype=np.int64)]  # one person has every row of c
    assert counted(drawn(column, real, people), 90) == [30, 60]


def test_a_table_of_fewer_than_eleven_people_is_not_drawn() -> None:
    real = numbers((1, 10))
    assert shared_cells(WHOLE, real, real, np.arange(10)) is None
    assert shared_cells(WHOLE, numbers((1, 30)), real, np.zeros(30, dtype=np.int64)) is None
    assert shared_cells(WHOLE, numbers((1, 30)), real[:0], np.arange(30)) is None


def test_long_category_lists_keep_the_largest_and_pool_the_rest() -> None:
    column = category()
    cells = drawn(column, codes(column, np.repeat(np.arange(20), np.arange(31, 11, -1))))
    assert len(cells.labels) == 12
    assert cells.labels[:2] == ("ward 0", "ward 1")
    assert cells.labels[-1] == "9 pooled"


def test_ordered_categories_keep_their_order() -> None:
    column = category("ordinal", ("low", "mid", "high"))
    assert drawn(column, codes(column, [2] * 40 + [0] * 20 + [1] * 30)).labels == ("low", "mid", "high")


def test_the_axis_does_not_end_at_a_real_extreme() -> None:
    """One person of 117 among people of 40 to 60: nothing drawn comes near 117."""
    real = pd.Series(np.r_[np.linspace(40, 60, 99), 117.0])
    cells = shared_cells(NUMBER, real, real[:99], np.arange(100))
    assert cells is not None
    assert cells.edges is not None
    assert cells.edges[-1] < 70


def test_every_synthetic_row_is_somewhere_even_far_outside() -> None:
    real = numbers((1, 20), (2, 20))
    cells = shared_cells(WHOLE, real, numbers((-500, 1), (1, 200), (900, 1)), np.arange(40))
    assert cells is not None
    assert cells.synthetic.sum() == 1


def test_the_difference_is_total_variation_on_the_drawn_cells() -> None:
    column = category(names=("a", "b"))
    real, made = codes(column, [0] * 50 + [1] * 50), codes(column, [0] * 75 + [1] * 25)
    cells = shared_cells(column, real, made, np.arange(100))
    assert cells is not None
    assert cells.difference == 0.25
    assert drawn(column, real).difference == 0


cell = st.one_of(st.just(np.nan), st.integers(-3, 3).map(float), st.floats(-1e5, 1e5))


@given(st.lists(st.tuples(cell, st.integers(0, 40)), min_size=1, max_size=120), st.lists(cell, min_size=1, max_size=40))
def test_no_number_column_ever_shows_one_to_ten_people(rows: list[tuple[float, int]], made: list[float]) -> None:
    real, people = pd.Series([v for v, _ in rows], dtype=np.float64), np.array([p for _, p in rows], dtype=np.int64)
    cells = shared_cells(NUMBER, real, pd.Series(made, dtype=np.float64), people)
    if cells is None:
        assert len(np.unique(people)) < MINIMUM_PEOPLE
        return
    people_in = _people_by_cell(cells, real.to_numpy(), people)
    assert all(n == 0 or n >= MINIMUM_PEOPLE for n in people_in)
    total = cells.real.sum() + (0 if cells.missing is None else cells.missing[0])
    assert np.isclose(total, 1)  # nobody is left out, so no cell is total minus the rest


def _people_by_cell(cells: Cells, values: Any, people: Any) -> list[int]:
    """Counted anew from the drawn edges: few missing rows belong to the last bar."""
    if cells.edges is None:
        return [len(np.unique(people))] if len(cells.labels) == 1 else [len(np.unique(people[np.isnan(values)]))]
    place = np.clip(np.searchsorted(cells.edges, values, side="right") - 1, 0, len(cells.real) - 1)
    apart = cells.missing is not None or not np.isnan(values).any()
    place = np.where(np.isnan(values), len(cells.real) if apart else len(cells.real) - 1, place)
    return [len(np.unique(people[place == i])) for i in range(len(cells.real) + 1)]


@given(
    st.lists(st.tuples(st.integers(-1, 19), st.integers(0, 60)), min_size=1, max_size=200), st.sampled_from(["a", "o"])
)
def test_no_category_column_ever_shows_one_to_ten_people(rows: list[tuple[int, int]], kind: str) -> None:
    column = category("ordinal" if kind == "o" else "category")
    values, people = np.array([v for v, _ in rows]), np.array([p for _, p in rows], dtype=np.int64)
    real = codes(column, values)
    cells = shared_cells(column, real, real, people)
    if cells is None:
        assert len(np.unique(people)) < MINIMUM_PEOPLE
        return
    named = {name: code for code, name in enumerate(WARDS)} | {"missing": -1}
    alone = [np.unique(people[values == named[label]]) for label in cells.labels if label in named]
    assert all(len(n) == 0 or len(n) >= MINIMUM_PEOPLE for n in alone)
    shown = {named[label] for label in cells.labels if label in named}
    pooled = people[~np.isin(values, list(shown))]
    assert len(pooled) == 0 or len(np.unique(pooled)) >= MINIMUM_PEOPLE
    assert np.isclose(cells.real.sum(), 1)


def test_whole_numbers_in_a_short_range_get_one_bin_each() -> None:
    assert number_edges(3, 5, whole=True, rows=100).tolist() == [2.5, 3.5, 4.5, 5.5]


def test_bins_lie_on_round_numbers() -> None:
    edges = number_edges(13.37, 88.1, whole=False, rows=100)
    assert edges.tolist() == [10, 20, 30, 40, 50, 60, 70, 80, 90]


def test_dates_are_cut_at_calendar_steps() -> None:
    low, high = (float(np.datetime64(day, "s").astype(np.int64)) for day in ("2001-03-17", "2008-11-02"))
    cut = date_edges(low, high, rows=100).astype(np.int64).astype("datetime64[s]")
    assert str(cut[0]) == "2001-01-01T00:00:00"
    assert all(str(day).endswith("-01-01T00:00:00") for day in cut)
    assert cut[-1] > np.datetime64("2008-11-02")


def test_weeks_begin_on_monday() -> None:
    low, high = (float(np.datetime64(day, "s").astype(np.int64)) for day in ("2024-01-10", "2024-03-06"))
    cut = date_edges(low, high, rows=1000).astype(np.int64).astype("datetime64[s]").astype("datetime64[D]")
    assert {pd.Timestamp(day).day_name() for day in cut} == {"Monday"}


def test_the_span_stays_within_the_declared_bounds() -> None:
    values = np.arange(100.0)
    low, high = span(values, values[:0], np.arange(100), 11, within=(0.0, 99.0))
    assert low >= 0
    assert high <= 99
    low, high = span(values, values[:0], np.arange(100), 11)
    assert low < 10
    assert high > 89


def test_percentages_are_not_rounded_to_nothing_or_all() -> None:
    assert [percent(share) for share in (0.0, 0.001, 0.425, 0.999, 1.0)] == ["0 %", "<1 %", "42 %", ">99 %", "100 %"]


@given(st.lists(st.integers(0, 30), min_size=2, max_size=20), st.sampled_from(["category", "ordinal"]))
def test_categories_of_a_few_people_are_never_named_where_they_come_from_the_rows(held: list[int], kind: str) -> None:
    column = category(kind, WARDS[: len(held)])
    real = codes(column, np.repeat(np.arange(len(held)), held))
    cells = column_cells(column, real, np.arange(len(real)))
    assert (cells is None) == (sum(held) < MINIMUM_PEOPLE)
    if cells is not None:
        assert not {WARDS[i] for i, people in enumerate(held) if 0 < people < MINIMUM_PEOPLE} & set(cells.labels)
        assert all(people == 0 or people >= MINIMUM_PEOPLE for people in counted(cells, len(real)))
        pooled = cells.labels[-1].removesuffix(" pooled") if "pooled" in cells.labels[-1] else "1"
        assert len(cells.labels) - 1 + int(pooled) == len(held)
        assert not cells.synthetic.any()


def test_two_pooled_categories_are_counted_where_a_code_book_would_name_them() -> None:
    column = category(names=("a", "b", "c"))
    real = codes(column, np.repeat([0, 1, 2], [30, 12, 3]))
    cells = column_cells(column, real, np.arange(45))
    assert cells is not None
    assert cells.labels == ("a", "2 pooled")
    assert drawn(column, real).labels == ("a", "b or c")


def test_real_rows_alone_have_the_bins_they_have_beside_synthetic_ones() -> None:
    real = numbers((1, 20), (2, 5), (3, 20), (np.nan, 15))
    alone, beside = column_cells(WHOLE, real, np.arange(60)), drawn(WHOLE, real)
    assert alone is not None
    assert alone.edges is not None
    assert beside.edges is not None
    assert alone.edges.tolist() == beside.edges.tolist()
    assert alone.real.tolist() == beside.real.tolist()
    assert alone.missing == (0.25, 0.0)
