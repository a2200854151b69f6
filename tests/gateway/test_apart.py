"""A holdout that shares rows with the real table is refused; one that only looks like it by chance is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from gateway.apart import _by_twins, check_rows
from gateway.intake import IntakeError, TypedTable
from tests.audit.tables import levels, skewed


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261123)


def clinical(rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """Age in years, sex, a pressure with a decimal that is missing now and then, a day, and a grade."""
    age = rng.integers(18, 90, rows)
    pressure = np.round(rng.normal(110 + 0.3 * age, 15), 1)
    pressure[rng.random(rows) < 0.1] = np.nan
    day = np.datetime64("2020-01-01", "s") + rng.integers(0, 2000, rows).astype("timedelta64[D]")
    return pd.DataFrame(
        {
            "age": age.astype(np.float64),
            "sex": levels(list(rng.choice(["F", "M"], rows)), "FM"),
            "pressure": pressure,
            "day": day.astype("datetime64[s]"),
            "grade": levels(list(rng.choice(list("abc"), rows)), "abc"),
        }
    )


def typed(frame: pd.DataFrame, people: NDArray[np.int64] | None = None) -> TypedTable:
    frame = frame.reset_index(drop=True)
    whose = np.arange(len(frame), dtype=np.int64) if people is None else people
    return TypedTable(frame, whose, len(frame), (), ())


def sharing(frame: pd.DataFrame, count: int, at: int = 0) -> tuple[TypedTable, TypedTable]:
    """Halves, the first ``count`` rows of the second replaced by rows of the first."""
    half = len(frame) // 2
    second = pd.concat([frame.iloc[at : at + count], frame.iloc[half + count :]])
    return typed(frame.iloc[:half]), typed(second)


@pytest.mark.parametrize("count", [3, 5, 50])
def test_a_few_rows_of_three_hundred_in_both_are_refused_by_their_number(rng: np.random.Generator, count: int) -> None:
    with pytest.raises(IntakeError, match=f"^{count} rows of the holdout are in the real table too") as refused:
        check_rows(*sharing(clinical(600, rng), count), rng)
    assert "leave out of the holdout" in str(refused.value)


def test_rows_with_a_missing_value_are_equal_as_well(rng: np.random.Generator) -> None:
    table = clinical(600, rng)
    table.loc[:4, "pressure"] = np.nan
    table.loc[:4, "day"] = np.datetime64("NaT")
    table.loc[:4, "sex"] = None
    with pytest.raises(IntakeError, match=r"^5 rows"):
        check_rows(*sharing(table, 5), rng)


def test_two_shared_rows_pass_and_so_do_other_people(rng: np.random.Generator) -> None:
    check_rows(*sharing(clinical(600, rng), 2), rng)
    check_rows(*sharing(clinical(600, rng), 0), rng)


def test_where_everybody_has_twins_equal_rows_say_nothing(rng: np.random.Generator) -> None:
    """64 different rows at most: nearly all of the holdout is in the real table."""
    real, holdout = sharing(skewed(600, 3, rng), 0)
    assert set(map(tuple, holdout.frame.to_numpy())) & set(map(tuple, real.frame.to_numpy()))
    check_rows(real, holdout, rng)


@pytest.mark.parametrize("width", [5, 7, 9, 12])
def test_honest_halves_of_a_clumpy_table_pass(rng: np.random.Generator, width: int) -> None:
    """40 splits in all, each refused about once in ten thousand times were the expectation exact; it is too large."""
    for _ in range(10):
        check_rows(*sharing(skewed(500, width, rng), 0), rng)


def test_twins_within_the_files_explain_as_many_between_them(rng: np.random.Generator) -> None:
    table = clinical(600, rng)
    with pytest.raises(IntakeError):
        check_rows(*sharing(table, 6), rng)
    table.iloc[20:26] = table.iloc[30:36].to_numpy()
    table.iloc[320:326] = table.iloc[330:336].to_numpy()
    check_rows(*sharing(table.astype(clinical(1, rng).dtypes.to_dict()), 6), rng)


def test_rows_of_three_people_each_are_dealt_to_the_files_as_chance_has_it(rng: np.random.Generator) -> None:
    """Of 256 a quarter is in one file alone; of the rest every other has two people in the holdout: 288 in all."""
    table = clinical(856, rng)
    here = table.index.repeat([3] * 32 + [0] * 32 + [2] * 96 + [1] * 96 + [1] * 300 + [0] * 300)
    there = table.index.repeat([0] * 32 + [3] * 32 + [1] * 96 + [2] * 96 + [0] * 300 + [1] * 300)
    check_rows(typed(table.loc[here]), typed(table.loc[there]), rng)


def test_people_expected_in_both_files_follow_from_the_ways_to_deal_them() -> None:
    """Three people each: two alike are in one file in 6 ways of 15, three in 2 of 20; else 9, and 9 and twice 9."""
    two = np.array([2, 0, 1]), np.array([0, 2, 1])
    three = np.array([3, 1]), np.array([0, 2])
    assert _by_twins(*two, 3, 3) == pytest.approx(2 * 9 / 6)
    assert _by_twins(*three, 3, 3) == pytest.approx((9 + 2 * 9) / 2)
    assert _by_twins(np.array([1]), np.array([1]), 1, 1) == 0


@pytest.mark.parametrize("held", [2, 3])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_as_many_people_are_met_as_expected_where_kinds_are_dealt_at_random(
    rng: np.random.Generator, held: int, share: float
) -> None:
    """Over 200 deals of 500 kinds; 5 % off is 6 standard errors."""
    met = expected = 0.0
    for _ in range(200):
        there = (rng.permutation(2_000) < 2_000 * share)[: 500 * held].reshape(500, held).sum(axis=1)
        met += float(there[(there > 0) & (there < held)].sum())
        expected += _by_twins(held - there, there, round(2_000 * (1 - share)), round(2_000 * share))
    assert met == pytest.approx(expected, rel=0.05)


def test_many_rows_of_one_person_count_once(rng: np.random.Generator) -> None:
    real, holdout = sharing(clinical(600, rng), 10)
    people = holdout.people.copy()
    people[:10] = 0
    check_rows(real, typed(holdout.frame, people), rng)
    people[5:8] = 1
    people[8:10] = 2
    with pytest.raises(IntakeError, match=r"^10 rows"):
        check_rows(real, typed(holdout.frame, people), rng)


@pytest.mark.parametrize("fillers", [(10, 10), (0, 25), (25, 0), (30, 30)])
def test_what_many_people_have_in_common_explains_nothing_else(
    rng: np.random.Generator, fillers: tuple[int, int]
) -> None:
    """Empty rows, say: they are in both files, and tell nothing of the six that are in both as well."""
    table = clinical(600, rng)
    for start, count in zip((100, 400), fillers, strict=True):
        table.iloc[start : start + count] = table.iloc[[100] * count].to_numpy()
    real, holdout = sharing(table.astype(clinical(1, rng).dtypes.to_dict()), 6)
    with pytest.raises(IntakeError, match=r"^6 rows"):
        check_rows(real, holdout, rng)


def test_the_real_table_as_its_own_holdout_is_refused_whatever_is_empty(rng: np.random.Generator) -> None:
    table = clinical(300, rng)
    table.iloc[:40] = table.iloc[[0] * 40].to_numpy()
    whole = typed(table.astype(clinical(1, rng).dtypes.to_dict()))
    with pytest.raises(IntakeError, match=r"^260 rows"):
        check_rows(whole, whole, rng)


def test_a_row_shared_twice_over_is_refused_too(rng: np.random.Generator) -> None:
    real, holdout = sharing(clinical(600, rng), 6)
    frame = pd.concat([holdout.frame.iloc[:6], holdout.frame], ignore_index=True)
    with pytest.raises(IntakeError, match=r"^12 rows"):
        check_rows(real, typed(frame), rng)
