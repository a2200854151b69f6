"""Whom released rows point at."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycanon import anonymity as pycanon
from scipy import stats

from audit.measures.anonymity import anonymity
from audit.tables import AuditTables
from policies import Measurement
from tests.audit.tables import levels, patients, put_together


def measure(tables: AuditTables, seed: int = 0) -> dict[str, Measurement]:
    return {m.name: m for m in anonymity(tables, np.random.default_rng(seed))}


def column(cells: str) -> pd.DataFrame:
    return pd.DataFrame({"c": levels([None if cell == "." else cell for cell in cells], "ABC")})


def two(cells: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {"sex": levels([cell[0] for cell in cells], "fm"), "ward": levels([cell[1] for cell in cells], "abc")}
    )


def test_three_rows_by_hand() -> None:
    """Released: three classes of one. (f, a) holds three real people, (m, b) one, (m, c) nobody."""
    tables = put_together(
        two(["fa", "fa", "mb"]), two(["fa", "ma"]), two(["fa", "mb", "mc"]), quasi_identifiers=["sex", "ward"]
    )
    found = measure(tables)
    assert found["k_anonymity"] == Measurement.exact(
        "k_anonymity", 1.0, n=3, method="declared quasi-identifiers (2 columns together)"
    )
    assert found["k_map"].value == 1.0
    crowd = put_together(
        two(["fa", "fa", "mb"]), two(["fa", "ma"]), two(["fa", "mc"]), quasi_identifiers=["sex", "ward"]
    )
    assert measure(crowd)["k_map"].value == 3.0


def test_pointing_at_nobody_is_pointing_at_no_small_class() -> None:
    tables = put_together(column("AAAA"), column("BB"), column("CC"), quasi_identifiers=["c"])
    assert measure(tables)["k_map"].value == 6.0


def test_excess_and_risk_by_hand() -> None:
    """Train: 5 A, 15 B; holdout: 20 B; released: 10 A, 10 B; small is below 11.

    Half of the released rows point at a small train class, none at a small holdout class. Risk: five people at 1/5,
    fifteen at 1/35.
    """
    tables = put_together(column("A" * 5 + "B" * 15), column("B" * 20), column("A" * 10 + "B" * 10))
    found = measure(tables)
    assert found["k_map_excess"].value == pytest.approx(0.5)
    assert found["identity_disclosure_risk"].value == pytest.approx((5 / 5 + 15 / 35) / 20)
    assert found["k_anonymity"].value == 10.0
    assert found["k_map"].value == 5.0


def test_a_missing_value_is_a_class(rng: np.random.Generator) -> None:
    """Where groups drop missing values the lonely row would vanish and k be 19."""
    tables = put_together(column("A" * 20), column("A" * 20), column("A" * 19 + "."), quasi_identifiers=["c"])
    assert measure(tables)["k_anonymity"].value == 1.0


def test_k_is_pycanons(rng: np.random.Generator) -> None:
    names = ["ward", "sex", "outcome"]
    train, holdout, released = (patients(60, rng)[names] for _ in range(3))
    found = measure(put_together(train, holdout, released, quasi_identifiers=names))
    written = released.astype(object).where(released.notna(), "missing").astype(str)
    assert found["k_anonymity"].value == pycanon.k_anonymity(written, names)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("AB."), st.sampled_from("ABC"), st.integers(0, 30)), min_size=4, max_size=30))
def test_one_more_quasi_identifier_never_raises_k(rows: list[tuple[str, str, int]]) -> None:
    frame = pd.DataFrame(
        {
            "a": column("".join(row[0] for row in rows))["c"],
            "b": column("".join(row[1] for row in rows))["c"],
            "age": [float(row[2]) for row in rows],
        }
    )
    k = [
        measure(put_together(frame, frame, frame, quasi_identifiers=known, attacker_class_size=2))["k_anonymity"].value
        for known in (["a"], ["a", "b"], ["a", "b", "age"])
    ]
    assert k == sorted(k, reverse=True)


def test_people_are_counted_not_rows() -> None:
    """Twelve rows of one person are a class of one, however large they look."""
    train = column("A" * 12 + "B" * 20)
    people = np.array([0] * 12 + list(range(1, 21)))
    tables = put_together(
        train, column("B" * 21), column("A" * 5 + "B" * 15), quasi_identifiers=["c"], train_people=people
    )
    found = measure(tables)
    assert found["k_map"].value == 1.0
    assert found["k_map_excess"].value == pytest.approx(0.25)


def test_without_quasi_identifiers_every_subset_counts() -> None:
    """Alone, each column has classes of two or more; together they single out one row."""
    tables = put_together(*[two(["fa", "fa", "ma", "mb", "fb", "mb"])] * 3, attacker_known_columns=1)
    assert measure(tables)["k_anonymity"].value == 3.0
    tables = put_together(*[two(["fa", "fa", "ma", "mb", "fb", "mb"])] * 3, attacker_known_columns=2)
    assert measure(tables)["k_anonymity"].value == 1.0


def brute_excess(train: np.ndarray, holdout: np.ndarray, released: np.ndarray, small: int) -> float:
    counts = [np.bincount(part, minlength=50) for part in (train, holdout)]
    near = [((count > 0) & (count < small))[released] for count in counts]
    return float(near[0].mean() - near[1].mean())


def test_the_closed_form_is_the_delete_one_jackknife(rng: np.random.Generator) -> None:
    names = [f"v{i}" for i in range(40)]
    parts = [rng.choice(40, 60, p=np.arange(1, 41) / 820) for _ in range(3)]
    frames = [pd.DataFrame({"c": levels([names[i] for i in part], names)}) for part in parts]
    found = measure(put_together(*frames, attacker_class_size=4))["k_map_excess"]
    variance = 0.0
    for place in range(3):
        left = [
            brute_excess(*(np.delete(part, i) if place == side else part for side, part in enumerate(parts)), 4)  # type: ignore[arg-type]
            for i in range(60)
        ]
        variance += 59 / 60 * float(((np.array(left) - np.mean(left)) ** 2).sum())
    half = stats.t.ppf(0.975, 59) * np.sqrt(variance)
    assert found.value == pytest.approx(brute_excess(*parts, 4))
    assert (found.lower, found.upper) == pytest.approx((found.value - half, found.value + half))


def test_copies_point_at_train_people(rng: np.random.Generator) -> None:
    train, holdout, fresh = (patients(300, rng) for _ in range(3))
    released = pd.concat([train[:60], fresh[60:]], ignore_index=True)
    assert measure(put_together(train, holdout, released))["k_map_excess"].lower > 0


@pytest.mark.slow
def test_a_fresh_sample_points_at_train_and_holdout_alike(rng: np.random.Generator) -> None:
    """60 tables at 90 %: 6 or fewer misses expected; more than 17 with a chance below 3e-5. And the mean is 0 within
    five standard errors (6e-7)."""
    found = [measure(put_together(*[patients(100, rng) for _ in range(3)], confidence=0.9)) for _ in range(60)]
    excess = [part["k_map_excess"] for part in found]
    assert sum(not m.lower <= 0 <= m.upper for m in excess) <= 17
    values = np.array([m.value for m in excess])
    assert abs(values.mean()) < 5 * values.std() / np.sqrt(60)


def test_a_train_much_larger_than_the_holdout_decides_nothing(rng: np.random.Generator) -> None:
    """What a cut train misses cannot be told: three times as many people are too many, and a tenth more is not."""
    names = [f"v{i}" for i in range(200)]
    train = pd.DataFrame({"c": levels(names[:120], names)})
    holdout = pd.DataFrame({"c": levels(names[120:160], names)})
    found = measure(put_together(train, holdout, train.copy()))["k_map_excess"]
    assert found.status == "inconclusive"
    assert "3.0 times as many people" in found.reason
    holdout = pd.DataFrame({"c": levels(names[90:200], names)})
    found = measure(put_together(train, holdout, train.copy()))["k_map_excess"]
    assert found.status == "measured"


def test_too_few_people_keep_what_is_counted() -> None:
    found = measure(put_together(column("AAB"), column("AB"), column("AB")))
    assert found["k_anonymity"].status == "measured"
    assert found["k_map_excess"].status == found["identity_disclosure_risk"].status == "inconclusive"
