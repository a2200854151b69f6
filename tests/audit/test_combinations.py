"""Every small combination of columns, counted."""

from __future__ import annotations

import itertools
import math

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import combinations as module
from audit.combinations import Combinations, classes_of, combinations

Column = list[int]


def people_by_hand(columns: list[np.ndarray], people: np.ndarray) -> dict[tuple[int, ...], int]:
    """Distinct people per value, with sets."""
    members: dict[tuple[int, ...], set[int]] = {}
    for row in range(len(people)):
        members.setdefault(tuple(int(column[row]) for column in columns), set()).add(int(people[row]))
    return {value: len(who) for value, who in members.items()}


def every(columns: int, most: int) -> Combinations:
    return combinations(columns, most, 100, np.random.default_rng(0))


def test_fifty_columns_have_20875_combinations_of_at_most_three() -> None:
    chosen = every(50, 3)
    assert len(chosen.chosen) == chosen.possible == 50 + 1_225 + 19_600
    assert chosen.complete
    assert chosen.method == "every combination of at most 3 columns (20875)"
    assert list(chosen.chosen) == sorted(set(chosen.chosen))


def test_more_known_columns_than_there_are_is_all_of_them() -> None:
    assert every(2, 5).chosen == ((0,), (0, 1), (1,))


def test_beyond_the_budget_combinations_are_drawn_and_the_method_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUDGET", 30 * (100 + module.SETUP))
    chosen = combinations(12, 3, 100, np.random.default_rng(1))
    assert len(set(chosen.chosen)) == 30
    assert all(len(subset) == 3 and list(subset) == sorted(set(subset)) for subset in chosen.chosen)
    assert not chosen.complete
    assert chosen.method == "30 of 298 combinations of at most 3 columns, drawn at random"


rows = st.lists(st.tuples(*[st.integers(0, 3)] * 4, st.integers(0, 6)), min_size=2, max_size=40)


@settings(max_examples=60, deadline=None)
@given(rows, rows, st.sampled_from([(16, 1 << 16), (0, 2)]))
def test_people_are_counted_once_per_class_however_codes_are_kept(
    real: list[tuple[int, ...]], released: list[tuple[int, ...]], sparse: tuple[int, int]
) -> None:
    """Against sets; with codes as they come, and renumbered at every step."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SPARSE", sparse)
        table, other = np.array(real, dtype=np.int64).T, np.array(released, dtype=np.int64).T
        found = list(classes_of(list(table[:4]), list(other[:4]), [4] * 4, table[4], every(4, 3)))
    assert len(found) == sum(math.comb(4, size) for size in (1, 2, 3))
    for classes in found:
        columns = [table[column] for column in classes.columns]
        expected = people_by_hand(columns, table[4])
        for row, code in enumerate(classes.real):
            assert classes.people[code] == expected[tuple(int(column[row]) for column in columns)]
        assert int(classes.people.sum()) == sum(expected.values())
        both = [np.concatenate([table[column], other[column]]) for column in classes.columns]
        codes = np.concatenate([classes.real, classes.released])
        for first, second in itertools.pairwise(np.random.default_rng(0).permutation(len(codes))):
            alike = all(column[first] == column[second] for column in both)
            assert alike == (codes[first] == codes[second])
        assert int(codes.max()) < classes.total


def test_somebody_with_very_many_rows_is_one_person() -> None:
    """Pairs of rows would outnumber rows by far: the other way of counting must agree."""
    rng = np.random.default_rng(3)
    people = np.concatenate([np.zeros(400, dtype=np.int64), np.arange(1, 101)])
    columns = [rng.integers(0, 5, 500) for _ in range(3)]
    for classes in classes_of(columns, columns, [5] * 3, people, every(3, 2)):
        expected = people_by_hand([columns[column] for column in classes.columns], people)
        assert sorted(classes.people[classes.people > 0]) == sorted(expected.values())


def test_every_row_is_in_the_class_a_database_puts_it_in_with_as_many_people_and_released_rows(
    rng: np.random.Generator,
) -> None:
    """SQL group-bys of DuckDB, joined back to 2,000 rows of 1,500 people and 900 released ones, row by row.

    Eight columns of up to 800 levels. A class is named by its first row, so that rows that swap classes of one size are
    found out, and released rows in the wrong class, or in one of their own where they share one, as well.
    """
    sizes = [2, 3, 5, 20, 20, 73, 800, 1]
    real, released = (
        [np.minimum(rng.geometric(3 / (size + 2), rows) - 1, size - 1) for size in sizes] for rows in (2_000, 900)
    )
    people = rng.integers(0, 1_500, 2_000)
    both = {f"c{place}": np.concatenate(pair) for place, pair in enumerate(zip(real, released, strict=True))}
    nobody = pd.array([*people, *[None] * 900], dtype="Int64")
    frame = pd.DataFrame({"row": np.arange(2_900), "person": nobody} | both)
    with duckdb.connect(":memory:", config={"threads": 1}) as database:
        database.register("rows", frame)
        for classes in classes_of(real, released, sizes, people, every(8, 3)):
            names = ", ".join(f"c{column}" for column in classes.columns)
            query = (
                "SELECT people, released, first FROM rows JOIN (SELECT count(DISTINCT person) AS people, "  # noqa: S608
                f"count(*) FILTER (person IS NULL) AS released, min(row) AS first, {names} FROM rows GROUP BY {names}) "
                f"USING ({names}) ORDER BY row"
            )
            expected = database.execute(query).fetchnumpy()
            codes = np.concatenate([classes.real, classes.released.astype(np.int64)])
            assert np.array_equal(classes.people[codes], expected["people"])
            assert np.array_equal(np.bincount(codes[2_000:], minlength=classes.total)[codes], expected["released"])
            _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
            assert np.array_equal(first[inverse], expected["first"])


def test_codes_never_outgrow_their_integers() -> None:
    """Six columns of a million levels would need 120 bits."""
    rng = np.random.default_rng(5)
    column = rng.integers(0, 10**6, 50)
    chosen = Combinations((tuple(range(6)),), 1, 6)
    (classes,) = classes_of([column] * 6, [column] * 6, [10**6] * 6, np.arange(50), chosen)
    assert classes.total <= 100 * 10**6
    assert len(np.unique(classes.real)) == len(np.unique(column))


def test_codes_widen_where_narrow_ones_would_overflow() -> None:
    """300, 300 and 7 levels: 90,000 codes and then 630,000, where two bytes hold 65,536; renumbered they fit again."""
    rng = np.random.default_rng(6)
    sizes = [300, 300, 7]
    columns = [rng.integers(0, size, 40_000) for size in sizes]
    people = np.arange(40_000)
    for classes in classes_of(columns, columns, sizes, people, every(3, 3)):
        expected = people_by_hand([columns[column] for column in classes.columns], people)
        assert len(np.unique(classes.real)) == len(expected)
        assert np.array_equal(classes.real, classes.released)
        assert sorted(classes.people[classes.people > 0]) == sorted(expected.values())
