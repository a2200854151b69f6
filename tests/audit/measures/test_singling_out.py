"""Statements from the release that fit exactly one person."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit.attacks.predicates import Population, Predicates
from audit.measures.singling_out import CONTROLS, NAMES, _arm, singling_out
from audit.tables import AuditTables
from policies import Measurement
from tests.audit.tables import levels, patients, put_together


def measure(tables: AuditTables, seed: int = 0) -> Measurement:
    (found,) = singling_out(tables, np.random.default_rng(seed))
    assert (found.name,) == NAMES == tuple(CONTROLS)
    return found


def numbers(*values: float) -> pd.DataFrame:
    return pd.DataFrame({"x": np.array(values, dtype=np.float64)})


def test_by_hand() -> None:
    """Twenty values and two ends; ten values and the lower end fit one person of train, none fits a stranger."""
    train, holdout = numbers(*range(20)), numbers(*range(100, 120))
    found = measure(put_together(train, holdout, numbers(*range(10), *range(200, 210))))
    assert found.value == pytest.approx(11 / 22)
    assert "22 attacks, success 0.500 on train, 0.000 on holdout" in found.method


def test_two_rows_of_one_person_are_one_person() -> None:
    train = numbers(*range(20), *range(20))
    assert measure(put_together(train, numbers(*range(100, 140)), numbers(*range(20)))).value == 0.0
    tables = put_together(train, numbers(*range(100, 120)), numbers(*range(20)), train_people=np.tile(np.arange(20), 2))
    assert measure(tables).value == 1.0


def test_a_missing_cell_can_single_out() -> None:
    """One of two kinds of released rows is suggested; it fits one person of train and two strangers."""
    levelled = [levels(["a"] * (31 - lacking) + [None] * lacking, "ab") for lacking in (1, 2, 1)]
    found = measure(put_together(*[pd.DataFrame({"c": part}) for part in levelled]))
    assert found.value == 0.5
    assert found.n == 31


def test_a_fresh_sample_singles_out_train_and_holdout_alike(rng: np.random.Generator) -> None:
    found = measure(put_together(*[patients(400, rng) for _ in range(3)]))
    assert found.lower <= 0 < found.upper < 0.15


@pytest.mark.parametrize("share", [0.2, 1.0])
def test_copies_single_out_their_share(share: float, rng: np.random.Generator) -> None:
    train, holdout, fresh = (patients(400, rng) for _ in range(3))
    copied = round(share * 400)
    found = measure(put_together(train, holdout, pd.concat([train[:copied], fresh[copied:]], ignore_index=True)))
    assert found.lower > 0
    assert found.value == pytest.approx(share, abs=0.08)


def test_copies_of_a_train_larger_than_the_holdout_count_fully(rng: np.random.Generator) -> None:
    train, holdout, fresh = patients(800, rng), patients(200, rng), patients(600, rng)
    found = measure(put_together(train, holdout, pd.concat([train[:200], fresh], ignore_index=True)))
    assert found.lower > 0
    assert found.value == pytest.approx(0.25, abs=0.12)


def test_published_values_of_one_column_show(rng: np.random.Generator) -> None:
    train, holdout, released = (patients(300, rng) for _ in range(3))
    released["pressure"] = rng.permutation(train["pressure"])
    found = measure(put_together(train, holdout, released))
    assert "(one value)" in found.method
    assert found.lower > 0.2


def test_order_of_rows_and_names_of_levels_do_not_matter(rng: np.random.Generator) -> None:
    frames = [patients(80, rng) for _ in range(3)]
    found = measure(put_together(*frames))
    turned = [frame.iloc[rng.permutation(80)].reset_index(drop=True) for frame in frames]
    assert measure(put_together(*turned)) == found
    renamed = [frame.assign(ward=frame["ward"].cat.rename_categories(list("vwxyz"))) for frame in frames]
    assert measure(put_together(*renamed)) == found


def test_constant_and_empty_columns_single_out_nobody(rng: np.random.Generator) -> None:
    frames = [patients(60, rng).assign(same=1.0, gone=np.nan) for _ in range(3)]
    assert measure(put_together(*frames)).lower <= 0
    same = [pd.DataFrame({"same": np.ones(40), "gone": np.full(40, np.nan)}) for _ in range(3)]
    found = measure(put_together(*same[:2], pd.concat([same[2]] * 2, ignore_index=True)))
    assert found.status == "inconclusive" or found.value == 0


def test_a_release_in_which_nobody_is_unique_decides_nothing() -> None:
    crowd = [pd.DataFrame({"a": levels(list("xy") * 20, "xy"), "b": levels(["p"] * 20 + ["q"] * 20, "pq")})] * 3
    tables = put_together(*crowd, attacker_known_columns=1)
    found = measure(tables)
    assert found.value <= 0 or found.status == "inconclusive"


def test_few_people_decide_nothing(rng: np.random.Generator) -> None:
    found = measure(put_together(*[patients(15, rng) for _ in range(3)]))
    assert found.status == "inconclusive"
    assert "needs 20" in found.reason


def test_the_variance_covers_what_other_people_would_give(rng: np.random.Generator) -> None:
    """200 values of 200 people: each alone or not is a toss, so a share of 200 tosses varies by a quarter at most.

    Of 400 draws the true variance is told to 7 % (one standard deviation); the jackknife says three times as much.
    """
    wanted = np.arange(200, dtype=np.float64)
    predicates = Predicates(wanted[:, None], wanted[:, None], np.ones((200, 1), dtype=np.bool_))
    dictionary = put_together(*[numbers(*wanted) for _ in range(3)]).dictionary
    arms = []
    for _ in range(400):
        people = pd.DataFrame({"x": rng.integers(0, 200, 200).astype(np.float64)})
        arms.append(_arm(predicates, Population.of(people, np.arange(200), dictionary), 200, 200))
    true = float(np.var([arm.rate for arm in arms]))
    assert 0.7 * true < np.mean([arm.variance for arm in arms]) <= 0.25 / 200


@pytest.mark.slow
def test_a_fresh_sample_is_spared(rng: np.random.Generator) -> None:
    """40 tables at 90 %: at most 4 misses expected; more than 15 with a chance below 2e-6."""
    tables = [put_together(*[patients(100, rng) for _ in range(3)], confidence=0.9) for _ in range(40)]
    found = [measure(part, seed) for seed, part in enumerate(tables)]
    assert sum(not m.lower <= 0 <= m.upper for m in found) <= 15
