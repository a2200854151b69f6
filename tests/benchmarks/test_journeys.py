"""A draft with its own suggestions accepted: a dictionary that loads and says what was suggested."""

from __future__ import annotations

import numpy as np

from benchmarks.journeys.run import accepted
from gateway.intake import RawTable, draft_dictionary, type_table
from policies import parse_dictionary

DOSES = [str(value) for value in np.random.default_rng(7).integers(85, 300, 83)]


def test_levels_and_numbers_held_out_as_missing_become_missing() -> None:
    wards = [f"a ward with a long name, number {i}" for i in range(8)]
    cells = {
        "sex": ["f", "m"] * 50 + ["Unknown"] * 3,
        "ward": [wards[i % 8] for i in range(90)] + ["?"] * 4 + ["Not recorded"] * 9,
        "dose": ["0"] * 20 + DOSES,
        "test": ["None", "high", "low"] * 34 + ["low"],
    }
    raw = RawTable.from_text(cells)
    text, edits = accepted(draft_dictionary(raw, "t"))
    assert edits == (
        'target = "test"',
        '[columns.sex] missing = ["Unknown"]',
        '[columns.ward] missing = ["?", "Not recorded"]',
        '[columns.dose] missing = ["0"]',
    )
    dictionary = parse_dictionary(text.encode())
    typed = type_table(raw, dictionary)
    assert typed.frame.isna().sum().to_dict() == {"sex": 3, "ward": 13, "dose": 20, "test": 0}
    assert dictionary.columns["sex"].categories == ("f", "m")
    assert dictionary.columns["ward"].categories == tuple(wards)
    assert dictionary.columns["test"].categories == ("None", "high", "low")


def test_dependencies_and_rules_held_out_become_binding() -> None:
    rows = range(120)
    raw = RawTable.from_text(
        {
            "low": [str(40 + i % 37) for i in rows],
            "high": [str(60 + i % 37) for i in rows],
            "ward": [("north", "south", "east")[i % 3] for i in rows],
            "floor": [("first", "second", "first")[i % 3] for i in rows],
            "died": ["yes" if i % 3 == 0 else "no" for i in rows],
        }
    )
    text, edits = accepted(draft_dictionary(raw, "t"))
    dictionary = parse_dictionary(text.encode())
    assert edits == ('target = "died"', "dependencies: 1", "rules: 1")  # that the ward gives death away is a trap
    assert [(each.source, each.determines) for each in dictionary.dependencies] == [("ward", "floor")]
    assert [rule.check for rule in dictionary.rules] == ["low < high"]


def test_rows_of_one_patient_are_kept_together_under_fresh_keys() -> None:
    people = [f"p{i // 2}" for i in range(60)]
    raw = RawTable.from_text({"patient_id": people, "x": DOSES[:60]})
    text, edits = accepted(draft_dictionary(raw, "t"))
    assert edits == ("[columns.patient_id] surrogate = true",)
    assert parse_dictionary(text.encode()).surrogates == ("patient_id",)
    alone = RawTable.from_text({"patient_id": [f"p{i}" for i in range(60)], "x": DOSES[:60]})
    assert accepted(draft_dictionary(alone, "t"))[1] == ()


def test_a_draft_without_suggestions_stays_as_it_is() -> None:
    draft = draft_dictionary(RawTable.from_text({"x": [f"{i}.5" for i in range(60)], "y": DOSES[:60]}), "t")
    assert accepted(draft) == (draft, ())
