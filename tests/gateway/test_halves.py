"""Halves that are kept: whoever was learned from once is never held out, whatever else comes and goes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gateway.errors import WorkspaceError
from gateway.halves import KeptHalves, LoneHalves, split_key
from gateway.intake import IntakeError, RawTable, TypedTable, draw_lots, type_table
from policies import parse_dictionary
from tests.gateway.conftest import DICTIONARY

PATIENTS = parse_dictionary(DICTIONARY.encode())
ROWS = parse_dictionary(DICTIONARY.replace('patient = "patient"\n', "").encode())
KEY = split_key(bytes(32), "clinic")


def table(people: list[int], dictionary: object = PATIENTS) -> tuple[RawTable, TypedTable]:
    """Two visits of each person; one person in ten has the rare outcome."""
    numbers = np.repeat(people, 2)
    raw = RawTable.from_text(
        {
            "patient": [f"P{number}" for number in numbers],
            "age": [str(20 + number % 60) for number in numbers],
            "sex": ["F" if number % 3 else "M" for number in numbers],
            "systolic": [str(100 + number % 90) for number in numbers],
            "seen": ["2024-02-03"] * len(numbers),
            "outcome": ["1" if number % 10 == 0 else "0" for number in numbers],
        }
    )
    assert dictionary in (PATIENTS, ROWS)
    return raw, type_table(raw, PATIENTS if dictionary is PATIENTS else ROWS)


def kept(folder: Path, dataset: str = "clinic") -> KeptHalves:
    return KeptHalves(PATIENTS, KEY, folder / "splits", dataset)


def held_out(halves: KeptHalves, people: list[int]) -> set[int]:
    raw, typed = table(people)
    train, holdout = halves(raw, typed)
    assert sorted([*train, *holdout]) == list(range(2 * len(people)))
    unseen = {people[row // 2] for row in holdout}
    assert unseen.isdisjoint(people[row // 2] for row in train)
    return unseen


def test_halves_are_even_within_each_class_of_the_target(tmp_path: Path) -> None:
    unseen = held_out(kept(tmp_path), list(range(101)))
    assert len(unseen) in (50, 51)
    assert sum(number % 10 == 0 for number in unseen) in (5, 6)  # of eleven with the rare outcome


@pytest.mark.parametrize("seed", range(8))
def test_a_person_stays_on_one_side_whoever_comes_and_goes(tmp_path: Path, seed: int) -> None:
    rng, halves = np.random.default_rng(seed), kept(tmp_path)
    everyone, sides = np.arange(200), dict[int, bool]()
    for _ in range(8):
        people = rng.permutation(everyone)[: rng.integers(60, 180)].tolist()
        unseen = held_out(halves, people)
        found = {person: person in unseen for person in people}
        assert all(sides.get(person, side) == side for person, side in found.items())
        sides |= found


def test_newcomers_even_out_what_others_left(tmp_path: Path) -> None:
    halves = kept(tmp_path)
    first = held_out(halves, list(range(100)))
    left = [*range(100, 160), *(number for number in range(100) if number not in first)]
    assert len(held_out(halves, left)) == 55  # sixty newcomers beside fifty who were learned from


def test_with_nobody_left_on_one_side_the_table_is_refused(tmp_path: Path) -> None:
    halves = kept(tmp_path)
    first = held_out(halves, list(range(100)))
    with pytest.raises(IntakeError, match="one side of the split"):
        held_out(halves, sorted(first))


def test_rows_without_a_patient_column_are_known_by_their_cells(tmp_path: Path) -> None:
    halves = KeptHalves(ROWS, KEY, tmp_path / "splits", "clinic")
    raw, typed = table(list(range(60)), ROWS)
    _, unseen = halves(raw, typed)
    frame = pd.DataFrame({name: np.array(cells.spellings)[cells.codes] for name, cells in raw.columns.items()})
    shuffled = frame.sample(frac=1.0, random_state=4).reset_index(drop=True)
    again_raw = RawTable.from_text({name: shuffled[name].tolist() for name in raw.columns})
    _, again = halves(again_raw, type_table(again_raw, ROWS))
    assert shuffled.iloc[again].value_counts().sort_index().equals(frame.iloc[unseen].value_counts().sort_index())


def test_a_lost_file_of_sides_gives_the_same_halves_of_the_same_table(tmp_path: Path) -> None:
    halves = kept(tmp_path)
    first = held_out(halves, list(range(100)))
    (halves.folder / "clinic.sides").unlink()
    assert held_out(halves, list(reversed(range(100)))) == first


def test_a_release_under_differential_privacy_nearly_agrees(tmp_path: Path) -> None:
    """Lots alone decide there; here only as many people more or less as make the halves even."""
    people = list(range(2000))
    raw, typed = table(people)
    lone = {people[row // 2] for row in LoneHalves(PATIENTS, KEY)(raw, typed).unseen}
    unseen = held_out(kept(tmp_path), people)
    # moved: the binomial's distance from its middle, in classes of 1800 and 200: four deviations are 85 and 28
    assert len(lone ^ unseen) < 115


def test_the_file_of_sides_tells_nothing_without_the_key(tmp_path: Path) -> None:
    halves = kept(tmp_path)
    held_out(halves, list(range(100)))
    content = (halves.folder / "clinic.sides").read_bytes()
    assert b"P1" not in content
    raw, _ = table([1])
    stranger = draw_lots(raw, "patient", bytes(32))[0]
    assert int(stranger).to_bytes(8, "little") not in content
    assert int(draw_lots(raw, "patient", KEY)[0]).to_bytes(8, "little") in content
    assert (halves.folder / "clinic.sides").stat().st_mode & 0o077 == 0
    assert halves.folder.stat().st_mode & 0o077 == 0


def test_an_altered_file_of_sides_is_refused(tmp_path: Path) -> None:
    halves = kept(tmp_path)
    held_out(halves, list(range(100)))
    path = halves.folder / "clinic.sides"
    for content in (path.read_bytes()[:-1], b"something else"):
        path.write_bytes(content)
        with pytest.raises(WorkspaceError, match="not as Sluice wrote it"):
            held_out(halves, list(range(100)))


def test_datasets_have_halves_of_their_own(tmp_path: Path) -> None:
    here = kept(tmp_path)
    there = replace(here, dataset="registry", key=split_key(bytes(32), "registry"))
    assert held_out(here, list(range(100))) != held_out(there, list(range(100)))
