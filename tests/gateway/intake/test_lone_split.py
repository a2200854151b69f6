"""One lot per patient: nobody's side depends on anybody else, and a patient keeps it over releases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.intake import IntakeError, RawTable, draw_lots, split_alone

KEY = bytes(range(32))


def sides(names: list[str], key: bytes = KEY) -> dict[str, bool]:
    train, holdout = split_alone(draw_lots(RawTable.from_text({"patient": names}), "patient", key))
    assert sorted([*train, *holdout]) == list(range(len(names)))
    found = {names[row]: True for row in train}
    for row in holdout:
        assert names[row] not in found
    return found | {names[row]: False for row in holdout}


def lots_of_rows(rows: list[tuple[str, str | None]]) -> list[int]:
    ages, sexes = zip(*rows, strict=True)
    found: list[int] = draw_lots(RawTable.from_text({"age": ages, "sex": sexes}), None, KEY).tolist()
    return found


LETTERS = st.characters(categories=("L", "N", "P"))
names = st.lists(st.text(LETTERS, min_size=1, max_size=5), min_size=30, max_size=60)
rows = st.lists(st.tuples(st.sampled_from(["", "40", "4"]), st.sampled_from([None, "", "0", "f"])), min_size=1)


@given(names, st.integers(0, 60), st.text(LETTERS, min_size=1, max_size=5))
def test_one_more_patient_anywhere_moves_nobody_else(found: list[str], place: int, newcomer: str) -> None:
    people = [f"{i}-{name}" for i, name in enumerate(found)]
    before = sides(people)
    after = sides([*people[:place], f"new-{newcomer}", *people[place:]])
    assert {name: side for name, side in after.items() if name in before} == before


def test_a_patient_keeps_the_side_in_another_table_and_another_order() -> None:
    people = [f"P{i:04d}" for i in range(400)]
    first = sides(people)
    assert {name: side for name, side in sides([*reversed(people), "Q1"]).items() if name != "Q1"} == first
    assert sides(people, bytes(32)) != first  # another key, other lots


@given(rows, st.integers(0, 20), st.tuples(st.sampled_from(["", "40"]), st.sampled_from([None, "0"])))
def test_one_more_row_anywhere_adds_one_lot_and_changes_none(
    found: list[tuple[str, str | None]], place: int, newcomer: tuple[str, str | None]
) -> None:
    """Without a patient column a row is known by its cells; of equal rows it does not matter which has which lot."""
    before = list(zip(found, lots_of_rows(found), strict=True))
    longer = [*found[:place], newcomer, *found[place:]]
    after = list(zip(longer, lots_of_rows(longer), strict=True))
    for pair in before:
        after.remove(pair)
    assert [row for row, _ in after] == [newcomer]
    assert len({lot for _, lot in before}) == len(before)  # equal rows have lots of their own


def test_the_order_of_columns_does_not_matter_and_null_is_not_an_empty_text() -> None:
    table = {"age": ["4", "40"], "sex": ["0", ""]}
    turned = draw_lots(RawTable.from_text(dict(reversed(table.items()))), None, KEY)
    assert draw_lots(RawTable.from_text(table), None, KEY).tolist() == turned.tolist()
    assert len(set(lots_of_rows([("4", None), ("4", ""), ("", "4")]))) == 3


def test_about_the_asked_share_is_held_out() -> None:
    table = RawTable.from_text({"patient": [f"P{i}" for i in range(4000)]})
    for fraction in (0.2, 0.5):
        for patient in ("patient", None):
            _, holdout = split_alone(draw_lots(table, patient, KEY), fraction)
            # six standard deviations of a binomial: a false alarm in 2e-9 of all keys
            assert abs(len(holdout) - 4000 * fraction) < 6 * np.sqrt(4000 * fraction * (1 - fraction))


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_a_fraction_that_leaves_a_side_empty_is_refused(fraction: float) -> None:
    with pytest.raises(IntakeError, match="fraction"):
        split_alone(np.arange(30, dtype=np.uint64), fraction)


def test_a_short_key_and_people_all_on_one_side_are_refused() -> None:
    with pytest.raises(IntakeError, match="32 bytes"):
        draw_lots(RawTable.from_text({"patient": ["a", "b"]}), "patient", b"short")
    with pytest.raises(IntakeError, match="one side"):
        split_alone(np.zeros(3, dtype=np.uint64))
