"""Rows that are one train person each, with noise on the numbers."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from audit import controls, plants
from audit.columns import Cells
from audit.controls import run_controls
from audit.measures import copies, noised
from audit.measures.noised import CONTROLS, NAMES, one_parent
from audit.noise import ANEW, LOOSE, MIDDLING, MOVED, REDRAWN, WIDTHS, _nearest, as_anybody, as_one_person
from audit.noise_stakes import near
from audit.standard import NOISE, Points, Scale
from audit.tables import AuditTables
from policies import Measurement
from tests.audit.tables import levels, patients, put_together, skewed

WARDS = "abcdef"


def measure(tables: AuditTables, rng: np.random.Generator) -> Measurement:
    return both(tables, rng)[0]


def both(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, Measurement]:
    """The share and the number of those beyond doubt."""
    share, count = one_parent(tables, rng)
    assert (share.name, count.name) == NAMES
    return share, count


def laboratory(count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Twelve numbers that follow six, as in a blood count, one whole, one with gaps; a ward and a flag."""
    six = rng.standard_normal((count, 6))
    mixing = np.array([[math.cos((k + 1) * (j + 1)) for j in range(6)] for k in range(12)])
    values = 10 + six @ mixing.T + 0.1 * rng.standard_normal((count, 12))
    frame = pd.DataFrame(np.round(values, 3), columns=[f"x{k}" for k in range(12)])
    frame["x0"] = np.round(30 * frame["x0"])
    frame.loc[rng.random(count) < 0.1, "x1"] = np.nan
    frame["ward"] = levels(rng.choice(list(WARDS), count).tolist(), WARDS)
    frame["flag"] = levels(np.where(six[:, 0] > 0, "y", "n").tolist(), "ny")
    return frame


def with_noise(rows: pd.DataFrame, noise: float, rng: np.random.Generator) -> pd.DataFrame:
    dictionary = put_together(rows, rows, rows).dictionary
    return plants.noised(rows, dictionary, np.full(len(rows), noise), rng)


def planted(
    train: pd.DataFrame, fresh: pd.DataFrame, count: int, noise: float, rng: np.random.Generator
) -> pd.DataFrame:
    some = train.iloc[rng.permutation(len(train))[:count]].reset_index(drop=True)
    return pd.concat([with_noise(some, noise, rng), fresh.iloc[count:]], ignore_index=True)


def scene(numbers: list[list[float]], codes: list[list[int]], size: int) -> tuple[Scale, Points]:
    """Rows of a real table, each of its own person, on their own scale."""
    values, kinds = np.array(numbers), np.array(codes, dtype=np.int64).reshape(len(numbers), -1)
    gappy = np.isnan(values).any(axis=0)
    cells = Cells(values, kinds)
    scale = Scale.of(cells, [size] * kinds.shape[1], [False] * values.shape[1], gappy)
    return scale, scale.points(cells, np.arange(len(values)))


def normal(x: float, variance: float) -> float:
    return math.exp(-0.5 * x * x / variance) / math.sqrt(variance)


def test_one_person_with_noise_is_worked_out_pair_by_pair(rng: np.random.Generator) -> None:
    """Against plain loops over people, sizes of noise and chances; one number is missing here and there."""
    values = np.round(rng.standard_normal((9, 2)), 2)
    values[[0, 3], 1] = np.nan
    scale, people = scene(values.tolist(), rng.integers(0, 3, (9, 1)).tolist(), 3)
    asked = replace(people.take(np.arange(5)), person=100 + np.arange(5))
    asked = replace(asked, numbers=np.where(asked.known, asked.numbers + 0.2, 0.0))
    found, parent = as_one_person(asked, people, scale)
    for q in range(5):
        each = []
        for m in range(9):
            same = asked.codes[q] == people.codes[m]  # the level, and whether the number is known
            shares = [share[code] for share, code in zip(scale.shares, asked.codes[q], strict=True)]
            kept = [math.prod(r * p + (1 - r) * e for p, e in zip(shares, same, strict=True)) for r in REDRAWN]
            density = [
                math.prod(
                    normal(asked.numbers[q, k] - people.numbers[m, k], s**2 + scale.cell[k] ** 2 / 12)
                    for k in range(2)
                    if asked.known[q, k]
                )
                for s in NOISE
            ]
            each.append(np.mean(kept) * np.mean(density))
        assert found[q] == pytest.approx(math.log(np.mean(each)), abs=1e-6)
        assert parent[q] == int(np.argmax(each))


def test_anybody_is_worked_out_pair_by_pair(rng: np.random.Generator) -> None:
    """One number and one category, so that every kernel is a product of two factors; own rows left out."""
    scale, people = scene(np.round(rng.standard_normal((8, 1)), 1).tolist(), rng.integers(0, 2, (8, 1)).tolist(), 2)
    (share,), cell, recurring = scale.shares, scale.cell[0], scale.recurring[0]
    found = as_anybody(people, people, scale)
    for q in range(8):
        others = [m for m in range(8) if m != q]
        gap = {m: people.numbers[q, 0] - people.numbers[m, 0] for m in others}
        same = {m: float(people.codes[q, 0] == people.codes[m, 0]) for m in others}
        drawn = share[people.codes[q, 0]]
        narrow = NOISE[0] ** 2 + cell**2 / 12
        along, column = [], []
        for m in others:
            kept = np.mean([r * drawn + (1 - r) * same[m] for r in ANEW])
            wide = [normal(gap[m], w**2 * scale.covariance[0, 0] + s**2 + cell**2 / 12) for w in WIDTHS for s in NOISE]
            along.append(kept * np.mean(wide))
        for moved, loose in itertools.product(MOVED, LOOSE):
            bell = {
                m: recurring * normal(gap[m], narrow) + (1 - recurring) * normal(gap[m], moved**2 + narrow)
                for m in others
            }
            anywhere = (sum(bell.values()) + 0.1 / 8) / 8
            column += [
                ((1 - loose) * bell[m] + loose * anywhere) * (loose * drawn + (1 - loose) * same[m]) for m in others
            ]
        expected = sum(along) / 7 + sum(column) / 6 / 7
        assert found[q] == pytest.approx(math.log(expected), abs=1e-3)


def test_of_many_people_only_the_near_ones_are_worked_out(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = laboratory(600, rng)
    tables = put_together(frame[:500].reset_index(drop=True), frame[:500].reset_index(drop=True), frame[500:])
    drawn = noised._Drawn(tables, 500, rng)
    asked = replace(drawn.points["train"].take(np.arange(40)), person=10_000 + np.arange(40))
    asked = drawn._scale.noised(asked, rng)
    some, parents = as_one_person(asked, drawn.points["train"], drawn._scale)
    monkeypatch.setattr("audit.noise.NEAR", 1_000)
    every, exact = as_one_person(asked, drawn.points["train"], drawn._scale)
    assert (some <= every + 1e-9).all()
    assert some == pytest.approx(every, abs=0.1)
    assert (parents == exact).mean() > 0.9


def test_nobody_counts_twice_for_want_of_more(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of sixty rows forty are the asked person's, so that thirty others are sought and twenty found."""
    scale, people = scene(rng.standard_normal((60, 3)).tolist(), rng.integers(0, 3, (60, 1)).tolist(), 3)
    people = replace(people, person=np.concatenate([np.arange(20), np.full(40, 1_000)]))
    every, _ = as_one_person(people.take(np.arange(20, 25)), people, scale)
    monkeypatch.setattr("audit.noise.NEAR", 30)
    some, parents = as_one_person(people.take(np.arange(20, 25)), people, scale)
    assert some == pytest.approx(every)
    assert (parents < 20).all()


def test_the_near_ones_are_those_of_all_pairs_tried_one_by_one(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In blocks that cut both tables unevenly; of eleven levels some count as one; two rows have one stranger less."""
    for name, size in (("NEAR", 6), ("BLOCK", 9), ("ROWS", 5), ("LEVELS", 4)):
        monkeypatch.setattr(f"audit.noise.{name}", size)
    values = rng.standard_normal((40, 3))
    values[rng.random(values.shape) < 0.2] = np.nan
    scale, people = scene(values.tolist(), rng.integers(0, 11, (40, 2)).tolist(), 11)
    asked = replace(people.take(rng.permutation(40)[:13]), person=np.concatenate([np.arange(2), np.full(11, 99)]))
    variance = MIDDLING**2 + scale.rounding

    def log(q: int, i: int) -> float:
        """But for what depends on the asked row alone."""
        x, a = asked.numbers[q], people.numbers[i]
        total = float((asked.known[q] * (x * a - a * a / 2) / variance).sum())
        for k, share in enumerate(scale.shares):
            level = asked.codes[q, k]
            if level % 4 == people.codes[i, k] % 4:
                total += math.log1p((1 - REDRAWN[0]) / (REDRAWN[0] * share[level]))
        return total

    found = _nearest(asked, people, scale)
    for q, person in enumerate(asked.person):
        others = {i: log(q, i) for i in range(40) if people.person[i] != person}
        assert len(set(found[q])) == 6
        assert sorted(others[i] for i in found[q]) == pytest.approx(sorted(others.values())[-6:], abs=1e-3)


@pytest.mark.parametrize("noise", [0.05, 0.2, 0.5])
def test_a_tenth_of_rows_with_noise_is_seen(noise: float, rng: np.random.Generator) -> None:
    train, holdout, fresh = (laboratory(150, rng) for _ in range(3))
    found = measure(put_together(train, holdout, planted(train, fresh, 15, noise, rng)), rng)
    assert found.lower > 0
    assert 0.05 < found.value <= 0.13


def test_a_fresh_sample_is_nobody_with_noise(rng: np.random.Generator) -> None:
    """Nor one with noise of its own, nor one drawn column by column. Intervals at 99.99 %: false alarm 1e-4 each."""
    train, holdout, fresh = (laboratory(150, rng) for _ in range(3))
    for released in (fresh, with_noise(fresh, 0.5, rng), plants.shuffled(fresh, 150, rng)):
        found = measure(put_together(train, holdout, released, confidence=0.9999), rng)
        assert found.lower <= 0 <= found.upper
        assert abs(found.value) < 0.06


@pytest.mark.parametrize("noise", [0.05, 0.2])
def test_three_copies_with_noise_among_150_rows_are_counted(noise: float, rng: np.random.Generator) -> None:
    """Too few for the share; all three, or one less or more."""
    train, holdout, fresh = (laboratory(150, rng) for _ in range(3))
    share, count = both(put_together(train, holdout, planted(train, fresh, 3, noise, rng)), rng)
    assert share.lower < 0
    assert 2 <= count.upper <= 4
    assert count.n == 150


def test_hardly_an_honest_row_is_traced() -> None:
    """A fifth of one is expected at the most, so that one release in 900 has three; two of ten: 1 in 18,000."""
    traced = []
    for seed in range(10):
        rng = np.random.default_rng([1, seed])
        train, holdout, fresh = (laboratory(100, rng) for _ in range(3))
        traced.append(both(put_together(train, holdout, fresh), rng)[1].upper)
    assert sum(each >= 3 for each in traced) <= 1


def test_copies_that_rounding_left_as_they_stand_count_with_the_others(rng: np.random.Generator) -> None:
    train, holdout, fresh = (laboratory(150, rng) for _ in range(3))
    released = pd.concat([train[:2], planted(train[2:], fresh, 2, 0.05, rng)[:148]], ignore_index=True)
    assert both(put_together(train, holdout, released), rng)[1].value == pytest.approx(4, abs=1)
    shared = pd.concat([train[:10], holdout[10:]], ignore_index=True)  # ten rows that both have are nobody's alone
    released = pd.concat([train[:10], fresh[10:]], ignore_index=True)
    assert both(put_together(train, shared, released), rng)[1].upper < 3


def test_honest_rows_are_spared_where_real_people_recur_a_little_changed() -> None:
    """A tenth of everybody has a double somewhere: six or seven honest rows are a train person's double.

    Four of 56 such releases had three rows or more; that three of five have is a chance of 1 in 300.
    """
    found = []
    for seed in range(5):
        rng = np.random.default_rng([3, seed])
        everybody = laboratory(600, rng)
        everybody.iloc[30:60] = with_noise(everybody.iloc[:30], 0.1, rng).to_numpy()
        everybody = everybody.iloc[rng.permutation(600)].reset_index(drop=True).infer_objects()
        everybody = everybody.astype(laboratory(2, rng).dtypes.to_dict())
        tables = [everybody.iloc[start : start + 200].reset_index(drop=True) for start in (0, 200, 400)]
        found.append(both(put_together(*tables), rng)[1].upper)
    assert sum(each >= 3 for each in found) <= 2


def test_train_and_holdout_are_treated_alike(rng: np.random.Generator) -> None:
    train, holdout, fresh = (laboratory(100, rng) for _ in range(3))
    released = planted(train, fresh, 20, 0.2, rng)
    there = measure(put_together(train, holdout, released), np.random.default_rng(3))
    back = measure(put_together(holdout, train, released), np.random.default_rng(3))
    assert there.value > 0.1
    assert back.value == pytest.approx(-there.value, abs=0.03)  # which strangers get how much noise is drawn
    assert back.upper < 0.05


def test_order_and_units_do_not_matter(rng: np.random.Generator) -> None:
    train, holdout, fresh = (laboratory(100, rng) for _ in range(3))
    frames = [train, holdout, planted(train, fresh, 20, 0.5, rng)]
    plain = measure(put_together(*frames), np.random.default_rng(5))
    turned = [frame[frame.columns[::-1]].assign(x0=2.2 * frame["x0"], x3=1e-9 * frame["x3"]) for frame in frames]
    turned[2] = turned[2][::-1].reset_index(drop=True)
    again = measure(put_together(*turned), np.random.default_rng(5))
    assert plain.value > 0.05
    assert again.value == pytest.approx(plain.value, abs=0.04)  # as above


def test_rows_that_a_real_table_has_are_left_to_other_measures(rng: np.random.Generator) -> None:
    train, holdout, fresh = (laboratory(100, rng) for _ in range(3))
    assert abs(measure(put_together(train, holdout, train), rng).value) == 0.0
    shared = pd.concat([holdout[8:], train[:8]], ignore_index=True)  # a few people are in both: they hide nothing
    assert measure(put_together(train, shared, planted(train[8:], fresh, 15, 0.2, rng)), rng).value > 0.05


def test_single_precision_does_not_hide_a_copy(rng: np.random.Generator) -> None:
    train, holdout, fresh = (laboratory(100, rng) for _ in range(3))
    copied = train[:15].copy()
    numeric = [name for name in copied.columns if name.startswith("x") and name != "x0"]
    copied[numeric] = copied[numeric].astype(np.float32).astype(np.float64)
    released = pd.concat([copied, fresh[15:]], ignore_index=True)
    assert measure(put_together(train, holdout, released), rng).value > 0.1


def test_a_persons_other_rows_are_no_strangers(rng: np.random.Generator) -> None:
    """Everybody is there twice, the second time nearly the same: else nothing would be unusual any more."""
    tables = []
    for _ in range(3):
        once = laboratory(60, rng)
        tables.append(pd.concat([once, with_noise(once, 0.05, rng)], ignore_index=True))
    train, holdout, fresh = tables
    who = np.tile(np.arange(60), 2)
    released = planted(train, fresh, 20, 0.2, rng)
    found = measure(put_together(train, holdout, released, train_people=who, holdout_people=who), rng)
    assert found.value > 0.08
    apart = measure(put_together(train, holdout, released), rng)
    assert apart.value < found.value


def test_an_uneven_split_is_scaled_back(rng: np.random.Generator) -> None:
    train, holdout, fresh = laboratory(200, rng), laboratory(100, rng), laboratory(100, rng)
    found = measure(put_together(train, holdout, planted(train, fresh, 30, 0.1, rng)), rng)
    assert found.value == pytest.approx(0.3, abs=0.15)
    assert found.upper >= 0.28


def test_degenerate_columns_are_no_obstacle(rng: np.random.Generator) -> None:
    frames = [patients(80, rng).assign(constant=1.0, empty=np.nan) for _ in range(3)]
    frames[2]["constant"] = 1e12
    assert measure(put_together(*frames), rng).status == "measured"
    equal = pd.DataFrame({"x": np.ones(40)})
    assert measure(put_together(equal, equal, equal), rng).value == 0.0
    nominal = [skewed(60, 5, rng) for _ in range(3)]
    found = measure(put_together(*nominal, confidence=0.9999), rng)
    assert found.lower <= 0
    plain = [pd.DataFrame(rng.standard_normal((60, 2)), columns=["x", "y"]) for _ in range(3)]
    assert measure(put_together(*plain, confidence=0.9999), rng).lower <= 0


def test_too_few_people_are_inconclusive(rng: np.random.Generator) -> None:
    found = measure(put_together(*[patients(15, rng) for _ in range(3)]), rng)
    assert found.status == "inconclusive"
    frames = [patients(60, rng), patients(25, rng), patients(60, rng)]
    who = np.concatenate([np.repeat(np.arange(4), 10), 4 + np.arange(20)])  # of 25 rows drawn some are one person's
    found = measure(put_together(*frames, train_people=who), rng)
    assert found.status == "inconclusive"


def test_what_near_copies_expose_is_counted_by_hand() -> None:
    """The first is alone, the second beside a holdout row, the third with its ward to itself, the last a train row."""
    train = pd.DataFrame({"x": [0.0, 100.0, 100.0, 40.0], "ward": levels(list("aabb"), "ab")})
    holdout = pd.DataFrame({"x": [101.0, 101.0, 99.0, 60.0], "ward": levels(list("aaaa"), "ab")})
    released = train.assign(x=[1.0, 100.5, 100.5, 40.0])  # a standard deviation is 36
    stakes = near(put_together(train, holdout, released), np.random.default_rng(0))
    assert stakes["one_parent_excess"].exposed == pytest.approx(0.5)
    assert stakes["traced_to_one"].exposed == 0  # a twentieth of two rows is no row


def test_a_number_of_near_copies_is_asked_of_people_whom_nobody_is_like_but_in_two_columns() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    turned = {"x": letters, "y": letters[1:] + letters[:1], "z": letters[2:] + letters[:2]}
    train = pd.DataFrame({name: levels(list(letters), letters) for name in turned}).assign(age=50.0)
    strangers = pd.DataFrame({name: levels(list(row), letters) for name, row in turned.items()}).assign(age=50.0)
    copies = train.assign(age=50.5)
    for holdout, exposed in ((strangers, 26), (train, 0)):
        stakes = near(put_together(train, holdout, copies), np.random.default_rng(0))
        assert stakes["traced_to_one"].exposed == exposed
        assert stakes["one_parent_excess"].exposed == 1


def test_its_control_is_passed_by_it_and_failed_by_broken_ones(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def blind(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
        return tuple(replace(m, value=0.0, lower=-0.01, upper=0.01) for m in one_parent(tables, rng))

    def swapped(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
        return tuple(replace(m, value=-m.value, lower=-m.upper, upper=-m.lower) for m in one_parent(tables, rng))

    monkeypatch.setattr(controls, "CONTROLS_OF", {"copies": copies.CONTROLS, "noised": CONTROLS})
    monkeypatch.setattr(controls, "PLANS", {**copies.CONTROLS, **CONTROLS})
    tables = put_together(*[laboratory(100, rng) for _ in range(3)])
    for each, fault in ((one_parent, ""), (blind, "was not seen by {}"), (swapped, "was not seen")):
        monkeypatch.setattr(controls, "REGISTRY", {"copies": copies.copies, "noised": each})
        tried = [each for each in run_controls(tables, rng) if each.name in NAMES]
        assert len(tried) == len(NAMES)
        for control in tried:
            assert fault.format(control.name) in control.fault
            assert control.passed == (not fault)
    nominal = put_together(*[skewed(60, 5, rng) for _ in range(3)])
    monkeypatch.setattr(controls, "REGISTRY", {"copies": copies.copies, "noised": one_parent})
    for control in (each for each in run_controls(nominal, rng) if each.name in NAMES):
        assert control.passed
        assert "nothing to see" in control.note


def test_one_row_more_in_train_than_in_holdout_costs_nothing() -> None:
    """Honest rows, eight draws: three rows of 501 at the most, as where the tables are equal."""
    for seed in range(8):
        rng = np.random.default_rng(seed)
        tables = put_together(laboratory(501, rng), laboratory(500, rng), laboratory(501, rng))
        assert measure(tables, rng).upper < 3.5 / 501


def test_people_who_recur_a_little_changed_blind_it_and_its_control_says_so(rng: np.random.Generator) -> None:
    everybody = laboratory(400, rng)
    everybody.iloc[24:48] = with_noise(everybody.iloc[:24], 0.1, rng).to_numpy()
    everybody = everybody.sample(frac=1.0, random_state=1).reset_index(drop=True).infer_objects()
    everybody = everybody.astype(laboratory(2, rng).dtypes.to_dict())
    train, holdout = everybody.iloc[:200].reset_index(drop=True), everybody.iloc[200:].reset_index(drop=True)
    found = run_controls(put_together(train, holdout, laboratory(200, rng)), rng)
    (own,) = [control for control in found if control.name == "one_parent_excess"]
    assert own.fault
