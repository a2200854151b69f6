"""Equivalence classes: bins, codes, subsets, people."""

from __future__ import annotations

import dataclasses
import gc
import weakref

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import classes
from audit.classes import (
    BINS,
    People,
    bin_starts,
    coded,
    codes_of,
    identical_rows,
    knowledge,
    numbered,
    stacked,
    value_codes,
    whole_rows,
)
from tests.audit.tables import levels, patients, put_together


@settings(deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=200), st.integers(2, 20))
def test_every_bin_holds_enough_people_and_splits_no_value(values: list[int], people: int) -> None:
    numbers = np.array(values, dtype=np.float64)
    starts = bin_starts(numbers, np.ones(len(numbers)), people)
    bins = np.searchsorted(starts[1:], numbers, side="right")
    counts = np.bincount(bins, minlength=len(starts))
    assert counts.min() >= min(people, len(numbers))
    assert len(starts) <= BINS
    assert all(len(set(bins[numbers == value])) == 1 for value in set(values))


def test_rows_of_one_person_fill_no_bin() -> None:
    """Ten rows of one person and two of others: no bin of two people can be cut off."""
    values = np.arange(12.0)
    weights = np.array([0.1] * 10 + [1.0, 1.0])
    assert bin_starts(values, weights, 2).tolist() == [0.0]
    assert bin_starts(values, np.ones(12), 6).tolist() == [0.0, 6.0]


def test_a_column_without_values_is_one_bin() -> None:
    assert len(bin_starts(np.array([np.nan, np.nan]), np.ones(2), 2)) == 1


def test_codes_tell_missing_from_every_level_and_bin(rng: np.random.Generator) -> None:
    frames = [patients(80, rng) for _ in range(3)]
    codes = coded(put_together(*frames))
    for side, frame in zip(("train", "holdout", "released"), frames, strict=True):
        for name in frame.columns:
            assert ((codes.codes[side][name] == 0) == frame[name].isna().to_numpy()).all()
            assert codes.codes[side][name].max() < codes.sizes[name]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_classes_are_the_groups_pandas_makes(data: st.DataObject) -> None:
    cell = st.sampled_from(["a", "b", "c", None])
    rows = data.draw(st.lists(st.tuples(cell, cell, cell), min_size=6, max_size=40))
    frame = pd.DataFrame({f"c{i}": levels([row[i] for row in rows], "abc") for i in range(3)})
    tables = put_together(frame, frame, frame)
    ids, _ = coded(tables).classes(("c0", "c1", "c2"))
    groups = frame.groupby(list(frame.columns), dropna=False, observed=True).ngroup()
    assert len(set(zip(ids["released"].tolist(), groups.tolist(), strict=True))) == groups.nunique()
    assert (ids["train"] == ids["released"]).all()


def test_wide_codes_are_folded_not_mixed_up(rng: np.random.Generator) -> None:
    names = [f"v{i}" for i in range(500)]
    frame = pd.DataFrame({f"c{i}": levels(rng.choice(names, 60), names) for i in range(4)})
    tables = put_together(frame, frame, frame)
    ids, total = coded(tables).classes(tuple(frame.columns))
    assert total <= 17 * 180 + 1024
    assert len(np.unique(ids["train"])) == len(frame.drop_duplicates())


def test_identical_rows_are_equal_in_every_value() -> None:
    train = pd.DataFrame({"x": [1.0, np.nan, -0.0], "c": levels(["a", None, "b"], "ab")})
    released = pd.DataFrame({"x": [0.0, 1.0, np.nan], "c": levels(["b", "b", None], "ab")})
    rows = identical_rows(put_together(train, train, released))
    assert rows["released"][0] == rows["train"][2]
    assert rows["released"][2] == rows["train"][1]
    assert rows["released"][1] not in rows["train"]


def test_declared_quasi_identifiers_are_known_together(rng: np.random.Generator) -> None:
    tables = put_together(*[patients(30, rng) for _ in range(3)], quasi_identifiers=["age", "sex"])
    known = knowledge(tables, ("sex",), rng)
    assert known.subsets == (("age",),)
    assert knowledge(tables, (), rng).subsets == (("age", "sex"),)
    assert knowledge(tables, (), rng).declared


def test_without_any_every_subset_is_tried_or_some_are_drawn_and_said(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = put_together(*[patients(30, rng) for _ in range(3)], attacker_known_columns=3)
    every = knowledge(tables, (), rng)
    assert len(every.subsets) == every.possible == 35
    assert "every subset of 3 columns (35)" in every.method
    monkeypatch.setattr(classes, "SUBSETS", (2, 5))
    some = knowledge(tables, (), rng)
    assert len(set(some.subsets)) == len(some.subsets) == 5
    assert "5 of 35 subsets" in some.method


def test_an_attacker_cannot_know_more_columns_than_there_are(rng: np.random.Generator) -> None:
    tables = put_together(*[patients(30, rng)[["age", "sex"]] for _ in range(3)], attacker_known_columns=4)
    assert knowledge(tables, (), rng).subsets == (("age", "sex"),)
    assert knowledge(tables, ("age", "sex"), rng).subsets == ()


def test_rows_of_any_tables_are_told_apart_by_all_their_values() -> None:
    """Missing equals missing, in numbers, levels and days; tables of one row and of none have codes too."""
    nat = np.datetime64("NaT", "s")
    day = np.array(["2020-01-01", nat, "2020-01-01"], dtype="datetime64[s]")
    frame = pd.DataFrame({"a": [1.0, np.nan, 1.0], "b": levels(["x", None, "x"], "xy"), "c": day})
    values = codes_of({"one": frame.iloc[:2], "other": frame.iloc[1:], "none": frame.iloc[:0]})
    rows, total = whole_rows(values)
    assert [size for _, size in values.values()] == [2, 2, 2]
    assert rows["one"][1] == rows["other"][0] != rows["one"][0] == rows["other"][1] < total
    assert len(rows["none"]) == 0
    assert stacked(values, ("other", "one")).tolist() == [[1, 1, 1], [0, 0, 0], [0, 0, 0], [1, 1, 1]]


def test_people_are_numbered_without_gaps() -> None:
    person, count = numbered(np.array([7, 3, 7, 90]))
    assert (person.tolist(), count) == ([1, 0, 1, 2], 3)


def test_a_person_counts_once_per_class() -> None:
    members = People.of(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1]), 2)
    assert members.sizes(2).tolist() == [1, 2]
    assert members.add_up(np.array([10.0, 1.0, 2.0])).tolist() == [11.0, 2.0]
    assert members.most(np.array([10.0, 1.0, 2.0])).tolist() == [10.0, 2.0]


def test_codes_are_kept_as_long_as_their_tables_and_no_longer(rng: np.random.Generator) -> None:
    """Another candidate beside the same people has codes of its own."""
    frames = [patients(50, rng) for _ in range(3)]
    tables = put_together(*frames)
    other = dataclasses.replace(tables, released=frames[0])
    for codes in (coded, value_codes):
        assert codes(tables) is codes(tables)
        assert codes(other) is not codes(tables)
    assert np.array_equal(coded(other).codes["released"]["ward"], coded(other).codes["train"]["ward"])
    watched = weakref.ref(tables)
    kept = len(classes._CODED), len(classes._VALUES)
    del tables
    gc.collect()
    assert watched() is None
    assert (len(classes._CODED), len(classes._VALUES)) == (kept[0] - 1, kept[1] - 1)
