"""One lot per patient: nobody's side depends on anybody else, and a patient keeps it over releases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.intake import IntakeError, split_alone
from gateway.intake.raw import Cells

KEY = bytes(range(32))


def cells(names: list[str]) -> Cells:
    spellings = list(dict.fromkeys(names))
    return Cells(tuple(spellings), np.array([spellings.index(name) for name in names], dtype=np.int32))


def sides(names: list[str], key: bytes = KEY) -> dict[str, bool]:
    train, holdout = split_alone(len(names), cells(names), key)
    assert sorted([*train, *holdout]) == list(range(len(names)))
    found = {names[row]: True for row in train}
    for row in holdout:
        assert names[row] not in found
    return found | {names[row]: False for row in holdout}


LETTERS = st.characters(categories=("L", "N", "P"))
names = st.lists(st.text(LETTERS, min_size=1, max_size=5), min_size=30, max_size=60)


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


def test_about_the_asked_share_is_held_out() -> None:
    people = [f"P{i}" for i in range(4000)]
    for fraction in (0.2, 0.5):
        for column in (cells(people), None):
            _, holdout = split_alone(4000, column, KEY, fraction)
            # six standard deviations of a binomial: a false alarm in 2e-9 of all runs
            assert abs(len(holdout) - 4000 * fraction) < 6 * np.sqrt(4000 * fraction * (1 - fraction))


def test_rows_without_a_patient_column_draw_anew_each_time() -> None:
    first, again = (split_alone(300, None, KEY)[0].tolist() for _ in range(2))
    assert first != again  # equal by chance in 2e-90 of all runs


def test_lots_of_rows_agree_for_neighbouring_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """The coupling of the docstring: with the shared rows' lots equal, only the added row differs."""
    shared = np.random.default_rng(3).integers(0, 2**64, 50, dtype=np.uint64)
    with_row = np.insert(shared, 20, np.uint64(7))
    monkeypatch.setattr("os.urandom", lambda size: shared.tobytes() if size == 400 else with_row.tobytes())
    small, large = split_alone(50, None, KEY)[1], split_alone(51, None, KEY)[1]
    moved = [row + (row >= 20) for row in small]
    assert sorted([*moved, 20]) == large.tolist()


@pytest.mark.parametrize(
    ("rows", "column", "key", "fraction"),
    [
        (30, None, KEY, 0.0),
        (30, None, KEY, 1.0),
        (30, None, b"short", 0.5),
        (31, cells([f"P{i}" for i in range(30)]), KEY, 0.5),
        (3, cells(["one", "one", "one"]), KEY, 0.5),
    ],
)
def test_what_cannot_be_split_is_refused(rows: int, column: Cells | None, key: bytes, fraction: float) -> None:
    with pytest.raises(IntakeError):
        split_alone(rows, column, key, fraction)
