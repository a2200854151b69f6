"""Secrets read off the release."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit.measures.inference import CONTROLS, NAMES, inference
from audit.tables import AuditTables
from policies import Measurement
from tests.audit.tables import levels, patients, put_together


def measure(tables: AuditTables, seed: int = 0) -> Measurement:
    (found,) = inference(tables, np.random.default_rng(seed))
    assert (found.name,) == NAMES == tuple(CONTROLS)
    return found


def people(known: list[float], secret: str) -> pd.DataFrame:
    return pd.DataFrame({"known": np.array(known), "secret": levels(list(secret), "xyz")})


PLACES = [float(value * value) for value in range(20)]


def test_by_hand() -> None:
    """Every place stands out; the release has the secrets of train and the wrong ones of holdout."""
    train, holdout = people(PLACES, "xyxyy" * 4), people(PLACES, "yxyxx" * 4)
    found = measure(put_together(train, holdout, train, sensitive=["secret"]))
    assert found.value == 1.0
    assert "(lonely match, column secret): 20 attacks, success 1.000 on train, 0.000 on holdout" in found.method


def test_what_is_true_of_the_population_is_no_risk(rng: np.random.Generator) -> None:
    """All above zero are x: every guess is right, of train and holdout alike."""
    frames = []
    for _ in range(3):
        known = rng.standard_normal(300)
        frames.append(people(list(known), "".join("x" if value > 0 else "y" for value in known)))
    found = measure(put_together(*frames, sensitive=["secret"]))
    assert found.lower <= 0 < found.upper < 0.08


def test_a_missing_secret_is_a_secret() -> None:
    train, holdout = people(PLACES, "xyxyy" * 4), people(PLACES, "xyxyy" * 4)
    train["secret"] = levels([None if place % 2 else "x" for place in range(20)], "xyz")
    holdout["secret"] = levels(["x" if place % 2 else None for place in range(20)], "xyz")
    assert measure(put_together(train, holdout, train, sensitive=["secret"])).value == 1.0


@pytest.mark.parametrize("share", [0.1, 1.0])
def test_copies_give_away_about_their_share(share: float, rng: np.random.Generator) -> None:
    train, holdout, fresh = (patients(400, rng) for _ in range(3))
    copied = round(share * 400)
    released = pd.concat([train[:copied], fresh[copied:]], ignore_index=True)
    found = measure(put_together(train, holdout, released, target="outcome"))
    assert found.lower > 0
    assert found.value == pytest.approx(share, abs=0.06)


def test_the_target_is_the_secret_where_nothing_is_declared_so(rng: np.random.Generator) -> None:
    frames = [patients(60, rng) for _ in range(3)]
    by_target = measure(put_together(*frames, target="outcome"))
    assert by_target == measure(put_together(*frames, sensitive=["outcome"]))
    assert "1 secret columns" in by_target.method


def test_declared_quasi_identifiers_are_what_the_weaker_attacker_knows(rng: np.random.Generator) -> None:
    train, holdout, released = (patients(500, rng) for _ in range(3))
    released[["age", "pressure", "outcome"]] = train[["age", "pressure", "outcome"]]
    tables = put_together(train, holdout, released, sensitive=["outcome"], quasi_identifiers=["age", "pressure"])
    found = measure(tables)
    assert "(known columns, column outcome)" in found.method
    assert found.lower > 0


def test_order_of_rows_does_not_matter_to_matches(rng: np.random.Generator) -> None:
    train, holdout = people(PLACES, "xyxyy" * 4), people(PLACES, "yxyxx" * 4)
    turned = [frame.iloc[rng.permutation(20)].reset_index(drop=True) for frame in (train, holdout, train)]
    assert measure(put_together(*turned, sensitive=["secret"])).value == 1.0


def test_names_of_levels_do_not_matter(rng: np.random.Generator) -> None:
    frames = [patients(60, rng) for _ in range(3)]
    renamed = [frame.assign(ward=frame["ward"].cat.rename_categories(list("vwxyz"))) for frame in frames]
    assert measure(put_together(*frames, target="outcome")) == measure(put_together(*renamed, target="outcome"))


def test_a_person_with_many_rows_weighs_like_any_other() -> None:
    train, holdout = people(PLACES, "xyxyy" * 4), people(PLACES, "yxyxx" * 4)
    wrong = people(PLACES[:1] * 20, "y" * 20)  # a twentieth person whose rows all say otherwise than the release
    train = pd.concat([train[1:], wrong], ignore_index=True)
    released = people(PLACES, "xyxyy" * 4)
    codes = np.array([*range(1, 20), *[0] * 20])
    found = measure(put_together(train, holdout, released, sensitive=["secret"], train_people=codes))
    assert found.value == pytest.approx(19 / 20)


def test_every_column_is_a_secret_where_nothing_is_declared_but_constant_and_empty_ones(
    rng: np.random.Generator,
) -> None:
    frames = [patients(40, rng).assign(same=1.0, gone=np.nan) for _ in range(3)]
    found = measure(put_together(*frames))
    assert found.lower <= 0
    assert "7 secret columns" in found.method


def test_nothing_to_guess_or_to_guess_by_decides_nothing(rng: np.random.Generator) -> None:
    few = measure(put_together(*[patients(15, rng) for _ in range(3)]))
    alone = measure(put_together(*[people(PLACES, "xyxyy" * 4)[["secret"]]] * 3))
    same = measure(put_together(*[people(PLACES, "x" * 20)] * 3, sensitive=["secret"]))
    assert few.status == alone.status == same.status == "inconclusive"
    assert "needs 20" in few.reason
    assert "one released column" in alone.reason
    assert "one value only" in same.reason


@pytest.mark.slow
def test_a_fresh_sample_is_spared(rng: np.random.Generator) -> None:
    """25 tables at 90 %: at most 2.5 misses expected; more than 12 with a chance below 2e-6."""
    tables = [
        put_together(*[patients(100, rng) for _ in range(3)], target="outcome", confidence=0.9) for _ in range(25)
    ]
    found = [measure(part, seed) for seed, part in enumerate(tables)]
    assert sum(not m.lower <= 0 <= m.upper for m in found) <= 12
