"""Which released rows point at somebody: whoever it is, seen by the synthesizer or not."""

from __future__ import annotations

import numpy as np
import pandas as pd

from audit.offending import offending_rows
from policies.model import Offence
from tests.audit.tables import levels, patients, put_together

ALL: tuple[Offence, ...] = ("exact_copies", "near_copies", "rare_copies", "small_classes")


def small(ages: list[float], sexes: str) -> pd.DataFrame:
    return pd.DataFrame({"age": np.array(ages, dtype=np.float64), "sex": levels(list(sexes), "fm")})


def test_a_row_that_few_real_people_have_is_a_copy_and_a_common_one_is_not() -> None:
    train, holdout = small([40, 40, 40, 50], "fffm"), small([40, 40, 60, 70], "fffm")
    released = small([40, 50, 60, 80, 40], "fmfmm")
    tables = put_together(train, holdout, released, attacker_class_size=3)
    found = offending_rows(tables, ["exact_copies"])
    assert found["exact_copies"].tolist() == [False, True, True, False, False]


def test_rows_of_one_person_count_once() -> None:
    train, holdout = small([40, 40, 40, 50], "fffm"), small([60, 70], "fm")
    tables = put_together(
        train, holdout, small([40, 41], "ff"), attacker_class_size=2,
        train_people=np.array([7, 7, 7, 8]), holdout_people=np.array([1, 2]),
    )  # fmt: skip
    assert offending_rows(tables, ["exact_copies"])["exact_copies"].tolist() == [True, False]


def test_a_small_class_is_one_of_few_real_people_on_the_declared_columns() -> None:
    train, holdout = small([40] * 5, "ffffm"), small([40] * 5, "fffff")
    released = small([40, 40], "fm")
    known = put_together(train, holdout, released, quasi_identifiers=["sex"], attacker_class_size=3)
    assert offending_rows(known, ["small_classes"])["small_classes"].tolist() == [False, True]
    undeclared = put_together(train, holdout, released, attacker_class_size=3)
    assert offending_rows(undeclared, ["small_classes"])["small_classes"].tolist() == [False, False]


def test_copies_of_train_and_of_holdout_are_found_alike(rng: np.random.Generator) -> None:
    train, holdout, fresh = (patients(200, rng) for _ in range(3))
    released = pd.concat([train.iloc[:20], holdout.iloc[:20], fresh.iloc[:160]], ignore_index=True)
    found = offending_rows(put_together(train, holdout, released), ALL)
    assert found["exact_copies"][:40].all()
    assert not found["exact_copies"][40:].any()
    assert found["near_copies"][:20].mean() > 0.9
    assert found["near_copies"][20:40].mean() > 0.9
    assert found["near_copies"][40:].mean() < 0.08  # about one in a hundred by definition


def test_a_noisy_copy_of_an_isolated_person_is_rare_and_one_in_the_crowd_is_not(rng: np.random.Generator) -> None:
    train, holdout = (pd.DataFrame(rng.standard_normal((200, 4)), columns=list("abcd")) for _ in range(2))
    train.iloc[0] = 9.0
    released = pd.DataFrame(rng.standard_normal((50, 4)) / 3, columns=list("abcd"))
    released.iloc[7] = 9.1
    rare = offending_rows(put_together(train, holdout, released), ["rare_copies"])["rare_copies"]
    assert np.flatnonzero(rare).tolist() == [7]


def test_missing_values_and_constant_columns_are_values(rng: np.random.Generator) -> None:
    train, holdout, released = (patients(60, rng).assign(none=np.nan, same=1.0) for _ in range(3))
    released.iloc[0] = train.iloc[0]
    found = offending_rows(put_together(train, holdout, released), ALL)
    assert found["exact_copies"][0]
    assert set(found) == set(ALL)
    assert all(len(rows) == 60 for rows in found.values())
