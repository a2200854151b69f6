"""What homogeneous released classes give away."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pycanon import anonymity as pycanon

from audit.measures import homogeneity as module
from audit.measures.homogeneity import NAMES, homogeneity
from audit.tables import AuditTables
from policies import Measurement
from tests.audit.tables import levels, patients, put_together


def measure(tables: AuditTables, seed: int = 0) -> dict[str, Measurement]:
    return {m.name: m for m in homogeneity(tables, np.random.default_rng(seed))}


def rows(cells: list[str]) -> pd.DataFrame:
    """Each cell a known column and a sensitive one; a dot is missing."""
    values = [[None if part == "." else part for part in cell] for cell in cells]
    return pd.DataFrame(
        {
            "known": levels([value[0] for value in values], "AB"),
            "secret": levels([value[1] for value in values], "xyz"),
        }
    )


def test_by_hand() -> None:
    """Released: A is always x, B x or y. Train: 8 of 20 are A, 6 of them x; holdout: 10 of 20 are A, 4 of them x."""
    train = rows(["Ax"] * 6 + ["Ay"] * 2 + ["Bx"] * 12)
    holdout = rows(["Ax"] * 4 + ["Ay"] * 6 + ["By"] * 10)
    released = rows(["Ax"] * 10 + ["Bx"] * 5 + ["By"] * 5)
    found = measure(put_together(train, holdout, released, sensitive=["secret"]))
    assert found["l_diversity"].value == 1.0
    assert found["homogeneity_excess"].value == pytest.approx(6 / 20 - 4 / 20)


def test_l_is_pycanons(rng: np.random.Generator) -> None:
    train, holdout, released = (patients(150, rng)[["ward", "sex", "outcome"]] for _ in range(3))
    tables = put_together(train, holdout, released, quasi_identifiers=["ward", "sex"], sensitive=["outcome"])
    written = released.astype(object).where(released.notna(), "missing").astype(str)
    assert measure(tables)["l_diversity"].value == pycanon.l_diversity(written, ["ward", "sex"], ["outcome"])


def test_a_missing_sensitive_value_is_a_value() -> None:
    tables = put_together(*[rows(["Ax", "A.", "Bx", "By"])] * 3, sensitive=["secret"])
    assert measure(tables)["l_diversity"].value == 2.0
    tables = put_together(*[rows(["A.", "A.", "Bx", "By"])] * 3, sensitive=["secret"])
    assert measure(tables)["l_diversity"].value == 1.0


def test_a_missing_known_value_forms_a_class() -> None:
    tables = put_together(*[rows([".x", "Ax", "Ay"])] * 3, sensitive=["secret"])
    assert measure(tables)["l_diversity"].value == 1.0


def test_the_target_is_sensitive_where_nothing_is_declared_so(rng: np.random.Generator) -> None:
    frames = [patients(80, rng) for _ in range(3)]
    by_target = measure(put_together(*frames, target="outcome"))
    declared = measure(put_together(*frames, sensitive=["outcome"]))
    assert by_target == declared


def test_nothing_sensitive_decides_nothing(rng: np.random.Generator) -> None:
    found = homogeneity(put_together(*[patients(30, rng) for _ in range(3)]), rng)
    assert tuple(m.name for m in found) == NAMES
    assert all(m.status == "inconclusive" and "neither" in m.reason for m in found)


def test_a_rule_that_holds_for_all_people_is_no_leak() -> None:
    """Every A is x in the population: naming it right is knowledge, not memory."""
    tables = put_together(*[rows(["Ax"] * 15 + ["By"] * 15)] * 3, sensitive=["secret"])
    found = measure(tables)["homogeneity_excess"]
    assert found.value == 0.0
    assert found.lower < 0 < found.upper


def test_copies_give_away_train_people(rng: np.random.Generator) -> None:
    train, holdout, fresh = (patients(300, rng) for _ in range(3))
    released = pd.concat([train[:60], fresh[60:]], ignore_index=True)
    assert measure(put_together(train, holdout, released, target="outcome"))["homogeneity_excess"].lower > 0.02


def test_a_person_named_by_one_of_several_rows_is_named() -> None:
    train = rows(["Ax"] * 20 + ["Ay"] * 20)
    people = np.tile(np.arange(20), 2)
    tables = put_together(train, rows(["Ay"] * 20), rows(["Ax"] * 20), sensitive=["secret"], train_people=people)
    assert measure(tables)["homogeneity_excess"].value == 1.0


@pytest.mark.slow
def test_a_fresh_sample_gives_away_train_and_holdout_alike(rng: np.random.Generator) -> None:
    """80 tables at 90 %: 8 misses expected; more than 23 with a chance below 2e-6. Mean 0 within five errors (6e-7)."""
    found = [
        measure(put_together(*[patients(100, rng) for _ in range(3)], target="outcome", confidence=0.9))
        for _ in range(80)
    ]
    excess = [part["homogeneity_excess"] for part in found]
    assert sum(not m.lower <= 0 <= m.upper for m in excess) <= 23
    values = np.array([m.value for m in excess])
    assert abs(values.mean()) < 5 * values.std() / np.sqrt(80)


def test_counting_in_one_table_and_row_by_row_agree(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once with a homogeneous class, once with crowds of two wards and three outcomes only."""
    mixed = [patients(150, rng) for _ in range(3)]
    crowds = [frame[["sex", "ward"]] for frame in mixed]
    for frames, sensitive in ((mixed, "outcome"), (crowds, "ward")):
        tables, found = put_together(*frames, sensitive=[sensitive]), []
        for dense in (0, 10**9):
            monkeypatch.setattr(module, "DENSE", dense)
            found.append(measure(tables))
        assert found[0] == found[1]
    assert found[0]["l_diversity"].value > 1
