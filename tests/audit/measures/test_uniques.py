"""Replicated uniques."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit.measures import uniques as module
from audit.measures.uniques import NAMES, _replicated, replicated_uniques
from audit.tables import AuditTables
from policies import Measurement
from tests.audit.tables import levels, patients, put_together


def measure(tables: AuditTables, rng: np.random.Generator) -> Measurement:
    (found,) = replicated_uniques(tables, rng)
    assert found.name == NAMES[0]
    return found


def small(numbers: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"age": np.array(numbers), "sex": levels(["f"] * len(numbers), "fm")})


def test_uniques_are_counted_by_hand(rng: np.random.Generator) -> None:
    """Train is 0 to 19, holdout 10 to 29: unique in train 0..9, in holdout 20..29. Of ten released rows four are of the
    first kind, one of the second and five of neither: 0.4 - 0.1."""
    train, holdout = small([float(i) for i in range(20)]), small([float(i) for i in range(10, 30)])
    released = small([0.0, 1.0, 2.0, 3.0, 25.0, 10.0, 11.0, 12.0, 99.0, np.nan] * 2)
    found = measure(put_together(train, holdout, released, quasi_identifiers=["age", "sex"]), rng)
    assert found.value == pytest.approx(0.3)
    assert found.upper == pytest.approx(0.4)  # what is counted bounds what is estimated


def test_a_combination_of_one_person_twice_is_still_one_person() -> None:
    """Keys 5 and 7 belong to one person each (7 in two rows), 6 to two people."""
    found = _replicated(
        np.array([5, 6, 6, 7, 7], np.uint64), np.array([0, 1, 2, 3, 3]), np.array([5, 6, 7, 7, 8], np.uint64)
    )
    np.testing.assert_array_equal(found, [1, 0, 0, 2])


def test_copies_replicate_and_a_fresh_sample_does_not(rng: np.random.Generator) -> None:
    """Interval at 99.99 %: false alarm 1e-4."""
    train, holdout, fresh = (patients(300, rng) for _ in range(3))
    spared = measure(put_together(train, holdout, fresh, confidence=0.9999), rng)
    assert spared.lower <= 0 <= spared.upper
    released = pd.concat([train[:60], fresh[60:]], ignore_index=True)
    caught = measure(put_together(train, holdout, released), rng)
    assert caught.lower > 0.02


def test_a_missing_value_is_a_value(rng: np.random.Generator) -> None:
    train, holdout = small([float(i) for i in range(20)]), small([float(i) for i in range(20, 40)])
    train.loc[3, "age"] = np.nan
    released = small([np.nan, 100.0] * 10)
    found = measure(put_together(train, holdout, released, quasi_identifiers=["age"]), rng)
    assert found.value == pytest.approx(0.5)


def test_row_order_and_names_of_levels_do_not_matter(rng: np.random.Generator) -> None:
    train, holdout, fresh = (patients(100, rng) for _ in range(3))
    released = pd.concat([train[:30], fresh[30:]], ignore_index=True)
    plain = measure(put_together(train, holdout, released), np.random.default_rng(5))
    frames = [frame.copy() for frame in (train.sample(frac=1, random_state=1), holdout, released[::-1])]
    for frame in frames:
        frame["ward"] = frame["ward"].cat.rename_categories(dict(zip("abcde", "vwxyz", strict=True)))
        frame.index = pd.RangeIndex(len(frame))
    again = measure(put_together(*frames), np.random.default_rng(6))
    assert (again.value, again.lower, again.upper) == pytest.approx((plain.value, plain.lower, plain.upper))


def test_a_smaller_holdout_is_scaled_to_train(rng: np.random.Generator) -> None:
    """Unique in train by chance is as likely as in holdout, person by person."""
    values = [
        measure(put_together(patients(400, rng), patients(100, rng), patients(200, rng), confidence=0.9999), rng)
        for _ in range(2)
    ]
    assert all(found.lower <= 0 for found in values)


def test_constant_columns_and_several_rows_per_person(rng: np.random.Generator) -> None:
    frames = [patients(120, rng).assign(constant=1.0, empty=np.nan) for _ in range(3)]
    people = np.repeat(np.arange(60), 2)
    found = measure(put_together(*frames, train_people=people, holdout_people=people), rng)
    assert found.status == "measured"
    assert found.lower <= 0


def test_too_few_people_are_inconclusive(rng: np.random.Generator) -> None:
    found = measure(put_together(*[patients(15, rng) for _ in range(3)]), rng)
    assert found.status == "inconclusive"
    assert "20" in found.reason


@pytest.mark.slow
def test_fresh_samples_are_spared_at_the_stated_rate(rng: np.random.Generator) -> None:
    """60 fresh samples at 95 %: the lower end above 0 at most 7 times (2.5 % expected; by chance less than 1 in 1000).

    The declared columns are whole years and few levels, so that chance replicates are frequent.
    """
    alarms = 0
    for _ in range(60):
        frames = [patients(150, rng) for _ in range(3)]
        alarms += measure(put_together(*frames, quasi_identifiers=["age", "ward", "sex"]), rng).lower > 0
    assert alarms <= 7


def test_how_many_bits_are_looked_at_first_is_nothing(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, released = (rng.integers(0, 2**64, 60, dtype=np.uint64)[rng.integers(0, 60, 400)] for _ in range(2))
    released[:200] = real[rng.integers(0, 400, 200)]
    person = np.arange(400) // 2
    found = []
    for bits in (1, 6, 18):
        monkeypatch.setattr(module, "BITS", bits)
        found.append(_replicated(real, person, released))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_where_no_released_row_has_a_real_rows_values_nobody_is_replicated() -> None:
    found = _replicated(np.array([1, 2], np.uint64), np.array([0, 1]), np.array([3, 3], np.uint64))
    np.testing.assert_array_equal(found, [0, 0])
