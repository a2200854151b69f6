"""How near the sensitive values of a class are to those of all, and to those of its people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycanon import anonymity as pycanon
from scipy.optimize import linprog

from audit.measures import closeness as module
from audit.measures.closeness import NAMES, closeness
from audit.tables import AuditTables
from policies import Measurement
from tests.audit.tables import levels, patients, put_together

Pairs = Sequence[tuple[str, float]]


def measure(tables: AuditTables, seed: int = 0) -> dict[str, Measurement]:
    return {m.name: m for m in closeness(tables, np.random.default_rng(seed))}


def salaries(pairs: Pairs) -> pd.DataFrame:
    return pd.DataFrame({"zip": levels([zip_code for zip_code, _ in pairs], "ABC"), "salary": [s for _, s in pairs]})


def nominal(pairs: Pairs) -> pd.DataFrame:
    return salaries(pairs).assign(salary=lambda frame: levels([f"{s:g}" for s in frame["salary"]], "123456789"))


def literal(frame: pd.DataFrame) -> float:
    tables = put_together(frame, frame, frame, quasi_identifiers=["zip"], sensitive=["salary"])
    return measure(tables)["t_closeness"].value


def test_the_tables_of_li_and_others() -> None:
    """Their section 4: {3, 4, 5} of 3..11 thousand is 0.375 away, {6, 8, 11} 0.167; their Table 5 has 0.167."""
    first = [("A", 3.0), ("A", 4.0), ("A", 5.0)]
    second = [("B", 6.0), ("B", 11.0), ("B", 8.0)]
    assert literal(salaries([*first, *second, ("C", 7.0), ("C", 9.0), ("C", 10.0)])) == pytest.approx(0.375)
    table5 = [("A", 3.0), ("A", 5.0), ("A", 9.0), *second, ("C", 4.0), ("C", 7.0), ("C", 10.0)]
    assert literal(salaries(table5)) == pytest.approx(1 / 6)


def test_categories_are_all_equally_far() -> None:
    """A holds 1 and 2 of four equally frequent values: half of its mass is out of place."""
    assert literal(nominal([("A", 1.0), ("A", 2.0), ("B", 3.0), ("B", 4.0)])) == pytest.approx(0.5)


def by_transport(frame: pd.DataFrame) -> float:
    """The earth mover's distance as the linear programme it is, over every class."""
    known = np.unique(frame["salary"].dropna())
    middle = (len(known) - 1) // 2
    place = np.append(np.arange(len(known)), middle)
    cost = np.abs(place[:, None] - place) / max(len(known) - 1, 1)
    cost[-1, :] += 0.5
    cost[:, -1] += 0.5
    cost[-1, -1] = 0.0
    codes = np.where(frame["salary"].isna(), len(known), np.searchsorted(known, frame["salary"]))
    size = len(place)
    overall = np.bincount(codes, minlength=size) / len(codes)
    far = 0.0
    for _, part in frame.groupby("zip", observed=True, dropna=False):
        own = np.bincount(codes[part.index], minlength=size) / len(part)
        rows = np.kron(np.eye(size), np.ones(size))
        columns = np.kron(np.ones(size), np.eye(size))
        solved = linprog(cost.ravel(), A_eq=np.vstack([rows, columns]), b_eq=np.concatenate([own, overall]))
        far = max(far, float(solved.fun or 0.0))
    return far


tables_of_pairs = st.lists(
    st.tuples(st.sampled_from("ABC"), st.sampled_from([1.0, 2.0, 3.0, 5.0, 8.0, float("nan")])), min_size=2, max_size=12
)


@settings(max_examples=40, deadline=None)
@given(tables_of_pairs)
def test_it_is_the_cheapest_transport(pairs: Pairs) -> None:
    frame = salaries(pairs)
    assert literal(frame) == pytest.approx(by_transport(frame), abs=1e-9)


@settings(max_examples=10, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from([1.0, 2.0, 3.0, 5.0])), min_size=3, max_size=15).filter(
        lambda pairs: len({value for _, value in pairs}) > 1
    )
)
def test_it_is_pycanons_t(pairs: Pairs) -> None:
    """Numbers by their order, words as equals; it needs two quasi-identifiers, so one has a single level."""
    for frame in (salaries(pairs), nominal(pairs)):
        plain = frame.assign(zip=frame["zip"].astype(str), land="here")
        if not pd.api.types.is_numeric_dtype(plain["salary"]):
            plain["salary"] = plain["salary"].astype(str)
        assert literal(frame) == pytest.approx(pycanon.t_closeness(plain, ["zip", "land"], ["salary"]), abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(tables_of_pairs, st.randoms(use_true_random=False))
def test_order_of_rows_and_stretched_numbers_change_nothing(pairs: Pairs, random: np.random.RandomState) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)
    assert literal(salaries([(z, value**3) for z, value in shuffled])) == pytest.approx(literal(salaries(pairs)))


def test_gains_by_hand() -> None:
    """Released: class A holds two x, class B two y; overall half and half. Sixteen of twenty train people are right
    about A: each gains 1/2, four lose 1/2. Holdout people are half and half: no gain."""

    def table(cells: Sequence[str]) -> pd.DataFrame:
        return pd.DataFrame(
            {"zip": levels([cell[0] for cell in cells], "AB"), "value": levels([cell[1] for cell in cells], "xy")}
        )

    tables = put_together(
        table(["Ax"] * 16 + ["Ay"] * 4),
        table(["Ax"] * 10 + ["Ay"] * 10),
        table(["Ax", "By"] * 10),
        quasi_identifiers=["zip"],
        sensitive=["value"],
    )
    found = measure(tables)["t_closeness_excess"]
    assert found.value == pytest.approx((16 * 0.5 - 4 * 0.5) / 20)


def test_gains_of_numbers_by_hand() -> None:
    """Ranks 0 1 2, everything over 2. Class A is released as {0, 0}, the whole as {0, 0, 1, 2}.

    A person at 0: (0 + 0 + 1 + 2)/4/2 - 0 = 3/8. At 2: (2 + 2 + 1 + 0)/4/2 - 1 = -3/8. Unknown: 1/2 is added to both.
    """
    released = salaries([("A", 10.0), ("A", 10.0), ("B", 20.0), ("B", 30.0)] * 5)
    train = salaries([("A", 10.0)] * 20)
    high, lost = salaries([("A", 30.0)] * 20), salaries([("A", float("nan"))] * 20)
    found = [
        measure(put_together(train, holdout, released, quasi_identifiers=["zip"], sensitive=["salary"]))
        for holdout in (high, lost)
    ]
    assert found[0]["t_closeness_excess"].value == pytest.approx(3 / 8 + 3 / 8)
    # A missing value lies at the middle, rank 1: (1 + 1 + 0 + 1)/4/2 - 1/2 = -1/8.
    assert found[1]["t_closeness_excess"].value == pytest.approx(3 / 8 + 1 / 8)


def test_people_in_classes_that_were_not_released_gain_nothing() -> None:
    released, absent = salaries([("B", 1.0), ("B", 2.0)] * 10), salaries([("A", 1.0)] * 20)
    tables = put_together(absent, absent, released, quasi_identifiers=["zip"], sensitive=["salary"])
    assert measure(tables)["t_closeness_excess"].value == 0.0


@settings(max_examples=30, deadline=None)
@given(tables_of_pairs)
def test_no_gain_exceeds_t(pairs: Pairs) -> None:
    """Train people get all there is to gain, holdout people are in no released class: the excess is the mean gain."""
    frame = salaries([pair for pair in pairs for _ in range(10)])
    nowhere = salaries([("C", 1.0)] * 20)
    released = frame[frame["zip"] != "C"].reset_index(drop=True)
    if len(released) < 20:
        return
    tables = put_together(released, nowhere, released, quasi_identifiers=["zip"], sensitive=["salary"])
    if set(released["salary"].dropna()) >= {1.0}:  # else the ranks of all tables are not those of the release
        found = measure(tables)
        assert found["t_closeness_excess"].value <= found["t_closeness"].value + 1e-9


def test_copies_bring_train_people_nearer(rng: np.random.Generator) -> None:
    train, holdout, fresh = (patients(300, rng) for _ in range(3))
    released = pd.concat([train[:150], fresh[150:]], ignore_index=True)
    assert measure(put_together(train, holdout, released, sensitive=["enzyme"]))["t_closeness_excess"].lower > 0


def test_several_sensitive_columns_rows_and_odd_columns_are_measured(rng: np.random.Generator) -> None:
    frames = [patients(120, rng) for _ in range(3)]
    for frame in frames:
        frame["dose"], frame["age"] = np.nan, 50.0
        frame["ward"] = pd.Categorical(frame["ward"], categories=list("abcde"), ordered=True)
    people = np.tile(np.arange(60), 2)
    tables = put_together(
        *frames,
        quasi_identifiers=["sex"],
        sensitive=["dose", "age", "ward", "outcome"],
        train_people=people,
        holdout_people=people,
    )
    found = measure(tables)
    assert 0 < found["t_closeness"].value < 1
    assert found["t_closeness_excess"].n == 120
    assert found["t_closeness_excess"].lower < 0 < found["t_closeness_excess"].upper


def test_nothing_sensitive_nothing_known_or_too_few_decide_nothing(rng: np.random.Generator) -> None:
    found = measure(put_together(*[patients(30, rng) for _ in range(3)]))
    assert tuple(found) == NAMES
    assert all(m.status == "inconclusive" and "neither" in m.reason for m in found.values())
    only = [patients(30, rng)[["outcome"]] for _ in range(3)]
    assert "nothing to match" in measure(put_together(*only, target="outcome"))["t_closeness"].reason
    few = measure(put_together(*[patients(12, rng) for _ in range(3)], target="outcome"))
    assert [m.status for m in few.values()] == ["measured", "inconclusive"]


@pytest.mark.slow
def test_a_fresh_sample_brings_train_and_holdout_alike(rng: np.random.Generator) -> None:
    """80 tables at 90 %: 8 misses expected; more than 23 with a chance below 2e-6. Mean 0 within five errors (6e-7)."""
    found = [
        measure(
            put_together(
                *[patients(100, rng) for _ in range(3)],
                quasi_identifiers=["ward", "sex"],
                sensitive=["enzyme", "outcome"],
                confidence=0.9,
            )
        )
        for _ in range(80)
    ]
    excess = [part["t_closeness_excess"] for part in found]
    assert sum(not m.lower <= 0 <= m.upper for m in excess) <= 23
    values = np.array([m.value for m in excess])
    assert abs(values.mean()) < 5 * values.std() / np.sqrt(80)


@pytest.mark.parametrize("sensitive", ["outcome", "dose", "enzyme"])
def test_counting_by_code_and_sorting_agree(
    sensitive: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Categories, a number with many ties and one without; missing values in the last."""
    train, holdout, fresh = (patients(150, rng) for _ in range(3))
    released = pd.concat([train[:50], fresh[50:]], ignore_index=True)
    tables = put_together(train, holdout, released, sensitive=[sensitive])
    found = []
    for dense in (0, 10**9):
        monkeypatch.setattr(module, "DENSE", dense)
        found.append(measure(tables))
    assert found[0] == found[1]
