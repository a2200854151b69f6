"""Released rows that join what two parties hold of one person."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit.attacks.targets import Targets
from audit.measures.linkability import CONTROLS, NAMES, linkability
from audit.tables import AuditTables
from policies import Measurement
from tests.audit.tables import levels, patients, put_together


def measure(tables: AuditTables, seed: int = 0) -> Measurement:
    (found,) = linkability(tables, np.random.default_rng(seed))
    assert (found.name,) == NAMES == tuple(CONTROLS)
    return found


def pairs(first: list[float], second: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"a": np.array(first), "b": np.array(second)})


COUNT = [float(value) for value in range(20)]


def test_by_hand() -> None:
    """The release joins a with the same b; a stranger's b belongs to another row."""
    train, holdout = pairs(COUNT, COUNT), pairs(COUNT, COUNT[10:] + COUNT[:10])
    found = measure(put_together(train, holdout, train))
    assert found.value == 1.0
    assert "20 attacks, success 1.000 on train, 0.000 on holdout, 0.050 without the release" in found.method
    half = pd.concat([train[:10], holdout[10:]], ignore_index=True)
    assert measure(put_together(train, holdout, half)).value <= 0.5


def test_rows_that_tie_link_as_often_as_a_guess_among_them() -> None:
    train = pairs([1.0] * 20, COUNT)
    assert "success 0.050 on train, 0.050 on holdout" in measure(put_together(train, train, train)).method


def test_a_fresh_sample_links_train_and_holdout_alike(rng: np.random.Generator) -> None:
    found = measure(put_together(*[patients(400, rng) for _ in range(3)]))
    assert found.lower <= 0 < found.upper < 0.08


@pytest.mark.parametrize("share", [0.1, 1.0])
def test_copies_link_about_their_share(share: float, rng: np.random.Generator) -> None:
    train, holdout, fresh = (patients(400, rng) for _ in range(3))
    copied = round(share * 400)
    found = measure(put_together(train, holdout, pd.concat([train[:copied], fresh[copied:]], ignore_index=True)))
    assert found.lower > 0
    assert found.value == pytest.approx(share, abs=0.2)


def test_few_people_are_asked_about_more_halves_of_the_columns(rng: np.random.Generator) -> None:
    """As many searches as leave every person a target, from 4 halves to 32."""
    few, many = (put_together(*[patients(rows, rng) for _ in range(3)]) for rows in (100, 6_000))
    assert f"{32 * 100} attacks" in measure(few).method
    assert Targets.searches(many) < 10
    assert " halves" in measure(many).method


def test_declared_quasi_identifiers_are_a_holder_of_their_own(rng: np.random.Generator) -> None:
    frames = [patients(100, rng) for _ in range(3)]
    assert "of 1 attacks" in measure(put_together(*frames)).method
    assert "of 2 attacks" in measure(put_together(*frames, quasi_identifiers=["age", "ward"])).method


def test_order_of_rows_and_names_of_levels_do_not_matter(rng: np.random.Generator) -> None:
    frames = [patients(80, rng) for _ in range(3)]
    found = measure(put_together(*frames))
    turned = [frame.iloc[rng.permutation(80)].reset_index(drop=True) for frame in frames]
    renamed = [frame.assign(ward=frame["ward"].cat.rename_categories(list("vwxyz"))) for frame in frames]
    for other in (measure(put_together(*turned)), measure(put_together(*renamed))):
        assert (other.value, other.lower, other.upper) == pytest.approx((found.value, found.lower, found.upper))


def test_a_person_with_many_rows_weighs_like_any_other() -> None:
    """Nineteen linked people with one row and one unlinked person with twenty: 19 of 20 are linked."""
    away = pairs([100.0 + value for value in COUNT], [200.0 - value for value in COUNT])
    train = pd.concat([pairs(COUNT[:19], COUNT[:19]), away], ignore_index=True)
    people = np.array([*range(19), *[19] * 20])
    released = pairs([*COUNT, *[100.0 + v for v in COUNT]], [*COUNT, *[200.0 - v for v in COUNT[10:] + COUNT[:10]]])
    found = measure(put_together(train, pairs(COUNT, COUNT[10:] + COUNT[:10]), released, train_people=people))
    assert found.value == pytest.approx(19 / 20)


def test_constant_and_empty_columns_are_endured(rng: np.random.Generator) -> None:
    frames = [patients(60, rng).assign(same=1.0, gone=np.nan) for _ in range(3)]
    assert measure(put_together(*frames)).lower <= 0
    same = [pd.DataFrame({"same": np.ones(40), "level": levels(["a"] * 40, "ab")}) for _ in range(3)]
    assert measure(put_together(*same)).value == 0


def test_one_column_and_few_people_decide_nothing(rng: np.random.Generator) -> None:
    few = measure(put_together(*[patients(15, rng) for _ in range(3)]))
    one = measure(put_together(*[pairs(COUNT, COUNT)[["a"]]] * 3))
    assert few.status == one.status == "inconclusive"
    assert "needs 20" in few.reason
    assert "two hands" in one.reason


@pytest.mark.slow
def test_a_fresh_sample_is_spared(rng: np.random.Generator) -> None:
    """80 tables at 90 %: at most 8 misses expected; more than 23 with a chance below 2e-6."""
    tables = [put_together(*[patients(100, rng) for _ in range(3)], confidence=0.9) for _ in range(80)]
    found = [measure(part, seed) for seed, part in enumerate(tables)]
    assert sum(not m.lower <= 0 <= m.upper for m in found) <= 23
