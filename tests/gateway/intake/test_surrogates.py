"""Fresh keys in place of identifiers, and functional dependencies, in what is read and what is released."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gateway.intake import IntakeError, read_table, type_table, write_csv, write_parquet
from gateway.intake.surrogates import fresh_keys
from policies import Dictionary, DictionaryError, dictionary_to_toml, parse_dictionary, released_part

TEXT = """
version = 1
name = "stays"
patient = "person"
[columns.stay]
type = "identifier"
surrogate = true
[columns.person]
type = "identifier"
surrogate = true
[columns.ssn]
type = "identifier"
[columns.code]
type = "category"
categories = ["a", "b", "c"]
[columns.years]
type = "integer"
minimum = 0
maximum = 20
"""
LEARNED = '[[dependencies]]\nsource = "code"\ndetermines = "years"\n'
STATED = LEARNED + 'values = { a = "3", b = "7" }\n'


def dictionary(more: str = "") -> Dictionary:
    return parse_dictionary((TEXT + more).encode())


def frame_of(codes: list[int], years: list[float]) -> pd.DataFrame:
    kind = pd.CategoricalDtype(["a", "b", "c"])
    return pd.DataFrame({"code": pd.Categorical.from_codes(codes, dtype=kind), "years": years})


def test_keys_are_one_per_person_and_one_per_row_and_none_is_used_twice() -> None:
    people = np.array([4, 0, 4, 2, 0])
    keys = fresh_keys(dictionary(), people, np.random.default_rng(1))
    assert len(set(keys["stay"])) == 5
    assert keys["person"][0] == keys["person"][2] != keys["person"][1] == keys["person"][4]
    assert len(set(keys["person"])) == 3
    assert not set(keys["stay"]) & set(keys["person"])
    assert all(key.startswith("SYN") and len(key) == 15 and key.isalnum() for key in keys["stay"] + keys["person"])


def test_released_files_hold_the_keys_in_the_dictionarys_order_and_tell_who_is_who() -> None:
    people = np.array([4, 0, 4, 2, 0])
    frame = frame_of([0, 1, 2, 0, 0], [3.0, 7.0, 1.0, 3.0, 3.0])
    keys = fresh_keys(dictionary(), people, np.random.default_rng(1))
    for content, form in (
        (write_csv(frame, dictionary(), keys), "csv"),
        (write_parquet(frame, dictionary(), keys), "parquet"),
    ):
        raw = read_table(content, form)  # type: ignore[arg-type]
        assert list(raw.columns) == ["stay", "person", "code", "years"]
        table = type_table(raw, dictionary(), released=True)
        pd.testing.assert_frame_equal(table.frame, frame)
        assert [sorted(np.flatnonzero(table.people == who)) for who in dict.fromkeys(table.people)] == [
            [0, 2],
            [1, 4],
            [3],
        ]


def test_a_release_without_its_keys_or_with_others_is_refused() -> None:
    frame = frame_of([0, 1], [3.0, 7.0])
    keys = fresh_keys(dictionary(), np.arange(2), np.random.default_rng(1))
    for wrong in (None, {"stay": keys["stay"]}, {**keys, "ssn": keys["stay"]}, {**keys, "stay": keys["stay"][:1]}):
        with pytest.raises(IntakeError, match="fresh keys"):
            write_csv(frame, dictionary(), wrong)


def test_the_recipients_dictionary_knows_the_keys_and_no_other_identifier() -> None:
    part = released_part(dictionary(STATED))
    assert list(part.columns) == ["stay", "person", "code", "years"]
    assert part.patient == "person"
    assert parse_dictionary(dictionary_to_toml(part).encode()) == part


def test_only_identifiers_have_fresh_keys() -> None:
    with pytest.raises(DictionaryError):
        dictionary('[columns.x]\ntype = "integer"\nminimum = 0\nmaximum = 1\nsurrogate = true\n')


@pytest.mark.parametrize(
    ("more", "years", "broken"),
    [
        (LEARNED, "3 3 3 7 7 1", 0),
        (LEARNED, "3 3 9 7 7 1", 1),
        (STATED, "3 3 3 7 7 1", 0),
        (STATED, "9 9 9 7 7 1", 3),
    ],
)
def test_a_table_that_breaks_a_dependency_is_refused_with_the_number_of_rows(
    more: str, years: str, broken: int
) -> None:
    rows = zip("aaabbc", years.split(), strict=True)
    text = "stay,person,ssn,code,years\n" + "".join(f"{i},{i},x{i},{a},{b}\n" for i, (a, b) in enumerate(rows))
    raw = read_table(text.encode(), "csv")
    if not broken:
        assert len(type_table(raw, dictionary(more)).frame) == 6
        return
    with pytest.raises(IntakeError, match=rf"determines by the dictionary.*{broken} row") as refusal:
        type_table(raw, dictionary(more))
    assert "9" not in str(refusal.value)


@pytest.mark.parametrize(
    "more",
    [
        '[[dependencies]]\nsource = "years"\ndetermines = "code"\n',
        '[[dependencies]]\nsource = "code"\ndetermines = "ssn"\n',
        '[[dependencies]]\nsource = "code"\ndetermines = "code"\n',
        LEARNED + 'values = { d = "3" }\n',
        LEARNED + 'values = { a = "21" }\n',
        LEARNED + 'values = { a = "many" }\n',
        LEARNED + LEARNED,
    ],
)
def test_dependencies_that_cannot_be_are_refused(more: str) -> None:
    with pytest.raises(DictionaryError):
        dictionary(more)
