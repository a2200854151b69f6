"""Rows on the lines between train people."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit import plants
from audit.columns import Cells
from audit.measures.segments import NAMES, _opposite, _squared_departure, segments
from audit.straight import straighten
from audit.tables import AuditTables
from policies import Measurement
from tests.audit.tables import levels, patients, put_together


def measure(tables: AuditTables, rng: np.random.Generator) -> dict[str, Measurement]:
    found = {m.name: m for m in segments(tables, rng)}
    assert tuple(found) == NAMES
    return found


def wide(count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Eight correlated measurements and two categories."""
    health = rng.standard_normal((count, 3))
    numbers = health @ np.random.default_rng(3).standard_normal((3, 8)) + 0.7 * rng.standard_normal((count, 8))
    frame = pd.DataFrame(numbers, columns=[f"m{i}" for i in range(8)])
    frame["ward"] = levels(rng.choice(list("abc"), count).tolist(), "abc")
    frame["sex"] = levels(rng.choice(list("fm"), count).tolist(), "fm")
    return frame


def between(train: pd.DataFrame, holdout: pd.DataFrame, count: int, rng: np.random.Generator) -> pd.DataFrame:
    tables = put_together(train, holdout, train)
    start = rng.choice(len(train), count, replace=False)
    return plants.on_lines(train, tables.dictionary, tables.matrices["train"], tables.people["train"], start, rng)


def row(numbers: list[float], codes: list[int]) -> Cells:
    return Cells(np.array([numbers]), np.array([codes], dtype=np.int64))


def test_the_departure_is_worked_out_by_hand() -> None:
    """From (0, 0) to (4, 0): (1, 2) is 2 off; (6, 0) lies beyond the end, 2 off; a level of neither end adds 2."""
    ends = Cells(np.array([[0.0, 0.0], [4.0, 0.0]]), np.array([[1], [2]]))
    first, second = np.array([[0]]), np.array([[1]])
    assert _squared_departure(row([1.0, 2.0], [1]), ends, first, second)[0, 0] == pytest.approx(4.0)
    assert _squared_departure(row([6.0, 0.0], [2]), ends, first, second)[0, 0] == pytest.approx(4.0)
    assert _squared_departure(row([1.0, 0.0], [3]), ends, first, second)[0, 0] == pytest.approx(2.0)


def test_a_missing_number_must_be_that_of_an_end() -> None:
    ends = Cells(np.array([[0.0, np.nan], [4.0, 1.0]]), np.zeros((2, 0), dtype=np.int64))
    first, second = np.array([[0]]), np.array([[1]])
    for second_number, expected in ((np.nan, 0.0), (1.0, 0.0), (0.5, 2.0)):
        found = _squared_departure(row([1.0, second_number], []), ends, first, second)
        assert found[0, 0] == pytest.approx(expected)


def test_the_pair_on_either_side_is_found_among_many(rng: np.random.Generator) -> None:
    people = rng.standard_normal((60, 5))
    query = 0.3 * people[[7]] + 0.7 * people[[41]]
    first, second = _opposite(query, people, np.arange(60)[None, :])
    assert {7, 41} in [set(pair) for pair in zip(first[0].tolist(), second[0].tolist(), strict=True)]


def test_a_few_interpolated_rows_are_caught_in_a_table_of_500(rng: np.random.Generator) -> None:
    train, holdout, fresh = (wide(500, rng) for _ in range(3))
    released = pd.concat([between(train, holdout, 15, rng), fresh[15:]], ignore_index=True)
    found = measure(put_together(train, holdout, released), rng)
    assert found["segment_excess"].value == pytest.approx(0.03, abs=0.008)
    assert found["segment_excess"].lower > 0


def test_a_table_of_interpolated_rows_leans_on_train(rng: np.random.Generator) -> None:
    train, holdout = patients(200, rng), patients(200, rng)
    found = measure(put_together(train, holdout, between(train, holdout, 200, rng)), rng)
    assert found["segment_share"].lower > 0.75


def test_a_fresh_sample_lies_on_nobodys_lines(rng: np.random.Generator) -> None:
    """Intervals at 99.99 %: false alarm 1e-4 each."""
    found = measure(put_together(*[patients(250, rng) for _ in range(3)], confidence=0.9999), rng)
    assert found["segment_share"].lower <= 0.5 <= found["segment_share"].upper
    assert found["segment_excess"].lower <= 0 <= found["segment_excess"].upper


def test_rows_mixed_of_two_people_show_in_a_table_of_categories(rng: np.random.Generator) -> None:
    def frame() -> pd.DataFrame:
        return pd.DataFrame(
            {f"c{i}": levels(rng.choice(list("abcdefgh"), 150).tolist(), "abcdefgh") for i in range(12)}
        )

    train, holdout = frame(), frame()
    found = measure(put_together(train, holdout, between(train, holdout, 150, rng)), rng)
    assert found["segment_share"].lower > 0.7


def test_row_order_and_units_do_not_matter(rng: np.random.Generator) -> None:
    train, holdout, fresh = (wide(100, rng) for _ in range(3))
    released = pd.concat([between(train, holdout, 20, rng), fresh[20:]], ignore_index=True)
    plain = measure(put_together(train, holdout, released), np.random.default_rng(5))
    frames = [frame.copy() for frame in (train[::-1], holdout, released[::-1])]
    for frame in frames:
        frame["m1"] = 1000 * frame["m1"]
        frame.index = pd.RangeIndex(len(frame))
    again = measure(put_together(*frames), np.random.default_rng(6))
    for name in NAMES:
        assert again[name].value == pytest.approx(plain[name].value)
        assert again[name].upper == pytest.approx(plain[name].upper)


def test_one_scale_for_three_tables(rng: np.random.Generator) -> None:
    tables = put_together(*[patients(50, rng) for _ in range(3)])
    straight = straighten(tables)
    assert straight["released"].numbers.shape == (50, 4)
    assert straight["train"].codes.shape == (50, 3)
    both = np.concatenate([straight[side].numbers for side in ("train", "holdout")])
    np.testing.assert_allclose(np.nanstd(both, axis=0), 1.0)
    np.testing.assert_allclose(np.nanmedian(both, axis=0), 0.0, atol=1e-12)


def test_constant_columns_and_several_rows_per_person(rng: np.random.Generator) -> None:
    frames = [patients(120, rng).assign(constant=1.0, empty=np.nan) for _ in range(3)]
    people = np.repeat(np.arange(60), 2)
    found = measure(put_together(*frames, train_people=people, holdout_people=people), rng)
    assert [m.status for m in found.values()] == ["measured"] * 2
    equal = pd.DataFrame({"x": np.ones(40)})
    nothing = measure(put_together(equal, equal, equal), rng)
    assert nothing["segment_share"].value == 0.5
    assert nothing["segment_excess"].value == 0.0


def test_too_few_people_are_inconclusive(rng: np.random.Generator) -> None:
    found = measure(put_together(*[patients(15, rng) for _ in range(3)]), rng)
    assert {m.status for m in found.values()} == {"inconclusive"}


@pytest.mark.slow
def test_fresh_samples_are_spared_at_the_stated_rate(rng: np.random.Generator) -> None:
    """40 fresh samples at 95 %: each lower end above the innocent value at most 6 times (by chance once in 70 runs)."""
    alarms = dict.fromkeys(NAMES, 0)
    for _ in range(40):
        found = measure(put_together(*[patients(120, rng) for _ in range(3)]), rng)
        alarms["segment_share"] += found["segment_share"].lower > 0.5
        alarms["segment_excess"] += found["segment_excess"].lower > 0
    assert max(alarms.values()) <= 6
