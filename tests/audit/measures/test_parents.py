"""Rows mixed of two train people, wherever those two stand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from audit import controls, pair_search, plants
from audit.controls import run_controls
from audit.line_stakes import mixed
from audit.measures import parents, segments
from audit.measures.parents import CONTROLS, NAMES, two_parents
from audit.rounding import half_steps
from audit.tables import AuditTables
from policies import Measurement
from tests.audit.tables import levels, patients, put_together

SEXES, WARDS = "fm", "abcdef"


def measure(tables: AuditTables, rng: np.random.Generator) -> Measurement:
    return both(tables, rng)[0]


def both(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, Measurement]:
    """The share and the number of those beyond doubt."""
    share, count = two_parents(tables, rng)
    assert (share.name, count.name) == NAMES
    return share, count


def clinic(count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Two sorts of patients: five whole numbers, one with a decimal and gaps, four categories, two that go with it."""
    sort = rng.integers(0, 2, count)
    frame = pd.DataFrame(
        {
            "age": np.round(30 + 35 * sort + 8 * rng.standard_normal(count)),
            "systolic": np.round(110 + 40 * sort + 12 * rng.standard_normal(count)),
            "pulse": np.round(70 + 20 * sort + 10 * rng.standard_normal(count)),
            "weight": np.round(75 + 10 * sort + 15 * rng.standard_normal(count)),
            "stay": np.round(3 + 9 * sort + 3 * rng.exponential(size=count)),
            "marker": np.round(1 + 4 * sort + rng.standard_normal(count), 1),
        }
    )
    frame.loc[rng.random(count) < 0.1, "marker"] = np.nan
    ward = (3 * sort + rng.integers(0, 3, count)).tolist()
    surgery = (3 * sort + rng.integers(0, 3, count)).tolist()
    frame["surgery"] = levels([WARDS[each] for each in surgery], WARDS)
    frame["smoker"] = levels(rng.choice(list(SEXES), count).tolist(), SEXES)
    frame["ward"] = levels([WARDS[each] for each in ward], WARDS)
    frame["sex"] = levels(rng.choice(list(SEXES), count).tolist(), SEXES)
    return frame


def interpolated(train: pd.DataFrame, count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Rows between any two rows, rounded as the columns are."""
    tables = put_together(train, train, train)
    start, end = rng.permutation(len(train))[:count], rng.permutation(len(train))[:count]
    rows = plants.between(train, tables.dictionary, start, end, rng)
    return rows.round({"marker": 1})


def test_the_step_of_a_column_is_read_off_its_values(rng: np.random.Generator) -> None:
    whole = np.round(50 + 12 * rng.standard_normal(400))
    columns = {
        "whole": (whole, 1.0),
        "tenths": (np.round(whole + rng.random(400), 1), 0.1),
        "fives": (5 * np.round(whole / 5), 5.0),
        "another unit": (2.2046 * whole, 2.2046),
        "tiny": (1e-9 * whole, 1e-9),
        "flags": ((whole > 60) * 1.0, 1.0),
        "one in 200 off": (np.where(np.arange(400) % 200 == 7, whole + 0.37, whole), 1.0),
        "constant": (np.full(400, 3.0), 0.0),
        "continuous": (rng.standard_normal(400), 0.0),
        "missing": (np.full(400, np.nan), 0.0),
    }
    half = half_steps(np.column_stack([column for column, _ in columns.values()]), [False] * len(columns))
    assert half == pytest.approx([step / 2 for _, step in columns.values()], rel=1e-3, abs=1e-5)
    assert half[4] == pytest.approx(5e-10, rel=1e-3)
    assert half_steps(np.array([[0.0], [0.0], [7.0]]), [True]) == pytest.approx([3.5], rel=1e-3)
    assert half_steps(np.array([[0.0], [1.0], [7.0], [3.0]]), [True]) == pytest.approx([0.5], rel=1e-3)


def with_flags(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return frame.assign(**{f"flag{k}": (rng.random(len(frame)) < 0.3) * 1.0 for k in range(5)})


def test_a_few_flags_hide_nothing(rng: np.random.Generator) -> None:
    train, holdout, fresh = (with_flags(clinic(250, rng), rng) for _ in range(3))
    released = pd.concat([interpolated(train, 25, rng), fresh[25:]], ignore_index=True)
    assert measure(put_together(train, holdout, released), rng).value > 0.07


def test_a_few_rows_that_both_real_tables_have_hide_nothing(rng: np.random.Generator) -> None:
    train, holdout, fresh = (clinic(250, rng) for _ in range(3))
    holdout = pd.concat([holdout[8:], train[:8]], ignore_index=True)
    released = pd.concat([interpolated(train, 25, rng), fresh[25:]], ignore_index=True)
    assert measure(put_together(train, holdout, released), rng).value > 0.07


def test_no_pair_is_left_out_where_many_might_be_it(rng: np.random.Generator) -> None:
    """Three unrounded numbers: a tenth of 180,000 pairs have a row within their box, and one has it on its line."""
    train, holdout, fresh = (pd.DataFrame(rng.standard_normal((600, 3)), columns=list("abc")) for _ in range(3))
    start, end, at = rng.permutation(600)[:15], rng.permutation(600)[:15], rng.random((15, 1))
    lines = train.iloc[start].to_numpy() * at + train.iloc[end].to_numpy() * (1 - at)
    released = pd.concat([pd.DataFrame(lines, columns=list("abc")), fresh[:135]], ignore_index=True)
    found = measure(put_together(train, holdout, released), rng)
    assert found.value == pytest.approx(0.1, abs=0.01)
    single = released.astype(np.float32).astype(np.float64)
    assert measure(put_together(train, holdout, single), rng).value == pytest.approx(0.1, abs=0.01)


def test_a_tenth_of_rows_mixed_of_any_two_people_is_caught(rng: np.random.Generator) -> None:
    train, holdout, fresh = (clinic(250, rng) for _ in range(3))
    released = pd.concat([interpolated(train, 25, rng), fresh[25:]], ignore_index=True)
    found = measure(put_together(train, holdout, released), rng)
    assert found.lower > 0
    assert 0.04 < found.value <= 0.12


def test_a_fresh_sample_has_nobody_for_parents(rng: np.random.Generator) -> None:
    """Intervals at 99.99 %: false alarm 1e-4."""
    found = measure(put_together(*[clinic(250, rng) for _ in range(3)], confidence=0.9999), rng)
    assert found.lower <= 0 <= found.upper < 0.05


def test_three_mixtures_among_150_rows_are_counted(rng: np.random.Generator) -> None:
    train, holdout, fresh = (clinic(150, rng) for _ in range(3))
    released = pd.concat([interpolated(train, 3, rng), fresh[3:]], ignore_index=True)
    share, count = both(put_together(train, holdout, released), rng)
    assert share.lower < 0
    assert 2 <= count.upper <= 4


def test_hardly_an_honest_row_is_traced() -> None:
    """As in ``test_noised``."""
    traced = []
    for seed in range(8):
        rng = np.random.default_rng([2, seed])
        traced.append(both(put_together(*[clinic(100, rng) for _ in range(3)]), rng)[1].upper)
    assert sum(each >= 3 for each in traced) <= 1


def test_rows_mixed_of_holdout_people_are_no_leak(rng: np.random.Generator) -> None:
    train, holdout = clinic(150, rng), clinic(150, rng)
    found = measure(put_together(train, holdout, interpolated(holdout, 150, rng)), rng)
    assert found.value < 0


def test_mixtures_show_in_a_table_of_categories(rng: np.random.Generator) -> None:
    def frame() -> pd.DataFrame:
        return pd.DataFrame(
            {f"c{i}": levels(rng.choice(list("abcdefgh"), 120).tolist(), "abcdefgh") for i in range(12)}
        )

    train, holdout = frame(), frame()
    tables = put_together(train, holdout, train)
    ends = rng.permutation(120), rng.permutation(120)
    mixtures = plants.between(train, tables.dictionary, *ends, rng)
    assert measure(put_together(train, holdout, mixtures), rng).lower > 0.5


def test_row_order_and_units_do_not_matter(rng: np.random.Generator) -> None:
    train, holdout, fresh = (clinic(100, rng) for _ in range(3))
    released = pd.concat([interpolated(train, 20, rng), fresh[20:]], ignore_index=True)
    plain = measure(put_together(train, holdout, released), np.random.default_rng(5))
    frames = [frame.copy() for frame in (train[::-1], holdout, released[::-1])]
    for frame in frames:
        frame.index = pd.RangeIndex(len(frame))
    again = measure(put_together(*frames), np.random.default_rng(5))
    assert again.value == pytest.approx(plain.value, abs=0.03)  # which rows choose the kernels is drawn


def test_degenerate_columns_are_no_obstacle(rng: np.random.Generator) -> None:
    frames = [patients(120, rng).assign(constant=1.0, empty=np.nan) for _ in range(3)]
    who = np.repeat(np.arange(60), 2)
    found = measure(put_together(*frames, train_people=who, holdout_people=who), rng)
    assert found.status == "measured"
    equal = pd.DataFrame({"x": np.ones(40)})
    assert measure(put_together(equal, equal, equal), rng).value == 0.0


def test_several_rows_of_a_person_are_taken_for_that_person(rng: np.random.Generator) -> None:
    """Everybody twice: nobody's own second row is what explains the first, and mixtures of two people still show."""
    train, holdout, fresh = (clinic(120, rng) for _ in range(3))
    who = np.repeat(np.arange(120), 2)
    again = [frame.loc[who].reset_index(drop=True) for frame in (train, holdout)]
    for frame in again:
        frame.loc[1::2, "weight"] += 1.0
    released = pd.concat([interpolated(train, 20, rng), fresh[20:]], ignore_index=True)
    for rows, low, high in ((released, 0.05, 0.18), (fresh, -0.05, 0.04)):
        tables = put_together(*again, rows, train_people=who, holdout_people=who)
        assert low < measure(tables, rng).value < high


def test_among_more_people_mixtures_are_caught_as_well_and_of_more_rows_some_are_asked_about(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, holdout, fresh = (clinic(250, rng) for _ in range(3))
    released = pd.concat([interpolated(train, 25, rng), fresh[25:]], ignore_index=True)
    monkeypatch.setattr(parents, "FEW_ROWS", 249)
    monkeypatch.setattr(parents, "MORE_STRANGERS", 200)
    found = measure(put_together(train, holdout, released), rng)
    assert 0.04 < found.value <= 0.12
    monkeypatch.setattr(parents, "QUERIES", 60)
    some = measure(put_together(train, holdout, released), rng)
    assert (found.n, some.n) == (250, 60)
    assert some.upper - some.lower > found.upper - found.lower


@pytest.mark.parametrize("columns", [1, 2])
def test_few_columns_take_no_more_pairs_than_those_of_a_thousand_people(
    columns: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two coarse numbers, so that nearly all pairs have a row between them: an honest table stays honest."""
    monkeypatch.setattr(pair_search, "MOST_PAIRS", 2_000)
    monkeypatch.setattr(parents, "FEW_ROWS", 100)
    monkeypatch.setattr(parents, "MOST_TRIED", 400_000)
    frames = [pd.DataFrame(np.round(rng.normal(0, 9, (150, columns))), columns=list("ab")[:columns]) for _ in range(3)]
    found = measure(put_together(*frames, confidence=0.9999), rng)
    assert 20 <= found.n < 150
    assert found.lower <= 0 <= found.upper


def test_too_few_and_too_many_rows_are_inconclusive(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    assert measure(put_together(*[patients(15, rng) for _ in range(3)]), rng).status == "inconclusive"
    monkeypatch.setattr(parents, "MOST_ROWS", 100)
    found = measure(put_together(*[patients(101, rng) for _ in range(3)]), rng)
    assert found.status == "inconclusive"
    assert "101 train rows" in found.reason


def test_what_lines_expose_is_counted_by_hand() -> None:
    """(5, a) lies between the two holdout rows; (5, c) has a level of neither, (50, a) is larger than both."""
    holdout = pd.DataFrame({"x": [0.0, 10.0], "c": levels(["a", "b"], "abc")})
    released = pd.DataFrame({"x": [5.0, 5.0, 50.0], "c": levels(["a", "c", "a"], "abc")})
    stake = mixed(put_together(released, holdout, released), np.random.default_rng(0))["two_parent_excess"]
    assert stake.exposed == pytest.approx(2 / 3)
    assert stake.spread == 0.0


def test_a_right_figure_says_more_of_lines_than_its_stake(rng: np.random.Generator) -> None:
    train, holdout = clinic(150, rng), clinic(150, rng)
    tables = put_together(train, holdout, interpolated(train, 150, rng))
    stake = mixed(tables, rng)["two_parent_excess"]
    assert stake.least > 0.05
    assert measure(tables, rng).value >= stake.least


def test_its_control_is_passed_by_it_and_failed_by_one_that_says_nothing(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def blind(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
        return tuple(replace(m, value=0.0, lower=-0.01, upper=0.01) for m in two_parents(tables, rng))

    plans = {"segments": segments.CONTROLS, "parents": CONTROLS}
    monkeypatch.setattr(controls, "CONTROLS_OF", plans)
    monkeypatch.setattr(controls, "PLANS", {**segments.CONTROLS, **CONTROLS})
    tables = put_together(*[clinic(150, rng) for _ in range(3)])
    for measure, fault in ((two_parents, ""), (blind, "was not seen by {}")):
        monkeypatch.setattr(controls, "REGISTRY", {"segments": segments.segments, "parents": measure})
        tried = [each for each in run_controls(tables, rng) if each.name in NAMES]
        assert len(tried) == len(NAMES)
        for control in tried:
            assert fault.format(control.name) in control.fault
            assert control.passed == (not fault)
