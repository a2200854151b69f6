"""Dictionaries as files: every rule of the model, one by one."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies import (
    Column,
    Dictionary,
    DictionaryError,
    dictionary_to_toml,
    load_dictionary,
    parse_dictionary,
    released_part,
)

CANARY = "zebra4711"
BASE = """
version = 1
name = "clinic"
target = "died"
patient = "pid"
max_rows_per_patient = 5
missing = ["", "?"]
[columns.pid]
type = "identifier"
[columns.age]
type = "integer"
minimum = 0
maximum = 120
unit = "years"
role = "quasi_identifier"
from_data = ["minimum"]
[columns.weight]
type = "number"
minimum = 0.5
maximum = 400
decimals = 1
nullable = true
missing = ["-9"]
[columns.died]
type = "boolean"
categories = ["no", "yes"]
role = "sensitive"
[columns.seen]
type = "date"
minimum = 2000-01-01
maximum = 2030-12-31
[columns.note]
type = "text"
[[rules]]
check = "age <= 120 and age >= 0"
"""


def refused(text: str, *words: str) -> str:
    with pytest.raises(DictionaryError) as refusal:
        parse_dictionary(text.encode(), name="d.toml")
    message = str(refusal.value)
    assert message.startswith("d.toml: ")
    for word in words:
        assert word in message, message
    assert CANARY not in message
    return message


def column(**fields: object) -> str:
    lines = "\n".join(f"{key} = {value}" for key, value in fields.items())
    return f'version = 1\nname = "d"\n[columns.x]\n{lines}\n'


def test_a_dictionary_says_what_leaves_and_in_which_role() -> None:
    dictionary = parse_dictionary(BASE.encode())
    assert dictionary.released == ("age", "weight", "died", "seen")
    assert dictionary.quasi_identifiers == ("age",)
    assert dictionary.sensitive == ("died",)
    assert dictionary.drafted == ("age",)
    assert dictionary.columns["age"].maximum == 120.0
    assert dictionary.columns["seen"].minimum == dt.date(2000, 1, 1)
    assert dictionary.columns["died"].is_categorical


def test_secrets_are_the_sensitive_columns_or_else_the_target() -> None:
    plain = BASE.replace('role = "sensitive"\n', "")
    told = plain.replace('role = "quasi_identifier"', 'role = "sensitive"')
    assert parse_dictionary(told.encode()).secrets == ("age",)
    assert parse_dictionary(plain.encode()).secrets == ("died",)
    assert parse_dictionary(plain.replace('target = "died"\n', "").encode()).secrets == ()


def test_a_column_whose_role_is_identifier_never_leaves() -> None:
    text = BASE.replace('role = "quasi_identifier"', 'role = "identifier"').replace(
        "age <= 120 and age >= 0", "weight > 0"
    )
    assert "age" not in parse_dictionary(text.encode()).released


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("version = 1", "version = 2"), ["version"]),
        (('name = "clinic"', 'name = "Zebra zebra4711"'), ["name"]),
        (("version = 1", "version = 1\nsurprise = 1"), ["surprise", "unknown key"]),
        (('unit = "years"', 'units = "years"'), ["columns.age.units", "unknown key"]),
        (('target = "died"', 'target = "zebra4711"'), ["target names no released column"]),
        (('target = "died"', 'target = "pid"'), ["target names no released column"]),
        (('target = "died"', 'target = "age"'), ["target must be boolean, category or ordinal"]),
        (('patient = "pid"', 'patient = "zebra4711"'), ["patient names no column"]),
        (('patient = "pid"', 'patient = "age"'), ["patient column must have type or role identifier"]),
        (('patient = "pid"', ""), ["max_rows_per_patient needs patient"]),
        (("max_rows_per_patient = 5", "max_rows_per_patient = 0"), ["max_rows_per_patient"]),
        (('missing = ["", "?"]', 'missing = ["no"]'), ["died", "table-wide missing"]),
        (('missing = ["", "?"]', 'missing = "?"'), ["missing"]),
        (('type = "text"', 'type = "zebra4711"'), ["columns.note.type"]),
        (('type = "text"', 'role = "ordinary"'), ["columns.note.type", "required"]),
        (('role = "sensitive"', 'role = "zebra4711"'), ["columns.died.role"]),
        (('from_data = ["minimum"]', 'from_data = ["zebra4711"]'), ["columns.age.from_data"]),
        (("nullable = true", "nullable = 1"), ["columns.weight.nullable"]),
        (("decimals = 1", "decimals = 13"), ["columns.weight.decimals"]),
        (("decimals = 1", "decimals = -1"), ["columns.weight.decimals"]),
        (("decimals = 1", "decimals = 1.0"), ["columns.weight.decimals"]),
        (("age <= 120 and age >= 0", "zebra < 3"), ["rule uses columns", "zebra"]),
        (("age <= 120 and age >= 0", "died < 3"), ["rule uses columns", "died"]),
        (("age <= 120 and age >= 0", "note < 3"), ["rule uses columns", "note"]),
    ],
)
def test_what_a_dictionary_may_not_say_is_refused_by_its_key(change: tuple[str, str], words: list[str]) -> None:
    assert change[0] in BASE
    refused(BASE.replace(*change), *words)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"type": '"integer"', "minimum": 0}, ["needs minimum and maximum"]),
        ({"type": '"integer"', "maximum": 0}, ["needs minimum and maximum"]),
        ({"type": '"number"'}, ["needs minimum and maximum"]),
        ({"type": '"date"'}, ["needs minimum and maximum"]),
        ({"type": '"integer"', "minimum": 5, "maximum": 5}, ["minimum must be below maximum"]),
        ({"type": '"integer"', "minimum": 6, "maximum": 5}, ["minimum must be below maximum"]),
        ({"type": '"date"', "minimum": "2020-01-01", "maximum": "2020-01-01"}, ["minimum must be below maximum"]),
        ({"type": '"integer"', "minimum": 0.5, "maximum": 5}, ["must be whole"]),
        ({"type": '"integer"', "minimum": "nan", "maximum": 5}, ["minimum"]),
        ({"type": '"number"', "minimum": 0, "maximum": "inf"}, ["maximum"]),
        ({"type": '"integer"', "minimum": "true", "maximum": 5}, ["minimum"]),
        ({"type": '"integer"', "minimum": '"zebra4711"', "maximum": 5}, ["columns.x.minimum"]),
        ({"type": '"integer"', "minimum": "2020-01-01", "maximum": "2021-01-01"}, ["of that type"]),
        ({"type": '"date"', "minimum": 0, "maximum": 5}, ["of that type"]),
        ({"type": '"date"', "minimum": "2020-01-01", "maximum": "2021-01-01T00:00:00"}, ["of that type"]),
        ({"type": '"datetime"', "minimum": "2020-01-01", "maximum": "2021-01-01"}, ["of that type"]),
        ({"type": '"datetime"', "minimum": "2020-01-01T00:00:00Z", "maximum": "2021-01-01T00:00:00Z"}, ["offset"]),
        ({"type": '"category"'}, ["needs categories"]),
        ({"type": '"category"', "categories": "[]"}, ["needs categories"]),
        ({"type": '"category"', "categories": '["zebra4711", "zebra4711"]'}, ["listed twice"]),
        ({"type": '"category"', "categories": "[1, 2]"}, ["columns.x.categories"]),
        ({"type": '"category"', "categories": '["' + "z" * 201 + '"]'}, ["columns.x.categories"]),
        ({"type": '"category"', "categories": '["a", ""]'}, ["column x", "missing spelling"]),
        ({"type": '"category"', "categories": '["a"]', "missing": '["a"]'}, ["both a category and missing"]),
        ({"type": '"category"', "categories": '["a"]', "minimum": 1}, ["do not go with type category"]),
        ({"type": '"category"', "categories": '["a"]', "decimals": 1}, ["decimals do not go with type category"]),
        ({"type": '"integer"', "minimum": 0, "maximum": 5, "decimals": 1}, ["decimals do not go with type integer"]),
        ({"type": '"boolean"', "categories": '["a"]'}, ["exactly two"]),
        ({"type": '"boolean"', "categories": '["a", "b", "c"]'}, ["exactly two"]),
        ({"type": '"integer"', "minimum": 0, "maximum": 5, "categories": '["a"]'}, ["categories do not go with type"]),
        ({"type": '"text"', "minimum": 0}, ["do not go with type text"]),
        ({"type": '"text"'}, ["no column is released"]),
        ({"type": '"integer"', "minimum": 0, "maximum": 5, "role": '"identifier"'}, ["no column is released"]),
    ],
)
def test_what_a_column_may_not_say_is_refused(fields: dict[str, object], words: list[str]) -> None:
    refused(column(**fields), *words)


@pytest.mark.parametrize("name", ["date", "float", "datetime", "minimum"])
def test_a_fault_names_its_column_even_where_the_name_is_a_word_of_types(name: str) -> None:
    text = column(type='"integer"', minimum='"zebra4711"', maximum=5).replace("columns.x", f"columns.{name}")
    assert f"columns.{name}.minimum: " in refused(text)


@pytest.mark.parametrize(
    "text",
    [
        BASE + '[columns.age]\ntype = "text"\n',
        BASE.replace("minimum = 0\n", "minimum = 0\nminimum = 1\n"),
        column(type='"category"', categories="[[[["),
    ],
)
def test_a_key_written_twice_and_other_broken_toml_is_refused(text: str) -> None:
    refused(text, "TOML")


def test_a_dictionary_without_columns_is_refused() -> None:
    refused('version = 1\nname = "d"\n[columns]\n', "no column is released")
    refused('version = 1\nname = "d"\n', "columns", "required")


def test_bounds_may_be_written_whole_or_with_a_point() -> None:
    held = parse_dictionary(column(type='"number"', minimum=0, maximum=1.5).encode()).columns["x"]
    assert (held.minimum, held.maximum) == (0.0, 1.5)


def test_a_file_is_read_and_named(tmp_path: Path) -> None:
    (tmp_path / "d.toml").write_text(BASE)
    assert load_dictionary(tmp_path / "d.toml").name == "clinic"
    with pytest.raises(DictionaryError, match=r"absent.toml: cannot be read"):
        load_dictionary(tmp_path / "absent.toml")


# -- out again -----------------------------------------------------------------------------------------------------

words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=10)


@settings(deadline=None)
@given(words, st.lists(words, min_size=1, max_size=4, unique=True), st.floats(-1e300, 1e300), words)
def test_a_dictionary_written_as_toml_loads_as_itself(
    name: str, categories: list[str], low: float, missing: str
) -> None:
    dictionary = Dictionary(
        version=1,
        name="d",
        missing=tuple({"", missing} - set(categories)),
        columns={
            name: Column(type="category", categories=tuple(categories), nullable=True, from_data=("categories",)),
            name + "x": Column(type="number", minimum=low, maximum=1e301, description='a "b" \\ \x7f'),
            name + "y": Column(type="date", minimum=dt.date(1, 1, 1), maximum=dt.date(9999, 12, 31)),
        },
    )
    assert parse_dictionary(dictionary_to_toml(dictionary).encode()) == dictionary


def test_every_field_survives_as_toml() -> None:
    dictionary = parse_dictionary(BASE.encode())
    assert parse_dictionary(dictionary_to_toml(dictionary).encode()) == dictionary


def test_the_released_part_holds_nothing_that_never_leaves() -> None:
    part = released_part(parse_dictionary(BASE.encode()))
    assert tuple(part.columns) == part.released == ("age", "weight", "died", "seen")
    assert (part.patient, part.max_rows_per_patient) == (None, None)
    assert parse_dictionary(dictionary_to_toml(part).encode()) == part


PER_PATIENT = BASE.replace('role = "quasi_identifier"\nfrom_data = ["minimum"]', "per_patient = true").replace(
    "decimals = 1\n", 'decimals = 1\nper_patient = true\nfrom_data = ["decimals", "per_patient"]\n'
)


def test_what_is_the_same_in_all_rows_of_a_patient_is_declared() -> None:
    dictionary = parse_dictionary(PER_PATIENT.encode())
    assert [name for name, column in dictionary.columns.items() if column.per_patient] == ["age", "weight"]
    assert dictionary.drafted == ("weight",)
    assert parse_dictionary(dictionary_to_toml(dictionary).encode()) == dictionary


def test_per_patient_goes_with_a_patient_and_with_released_columns() -> None:
    without = PER_PATIENT.replace('patient = "pid"\nmax_rows_per_patient = 5\n', "")
    with pytest.raises(DictionaryError, match=r"per_patient of 2 columns needs patient: .*age.*weight"):
        parse_dictionary(without.encode())
    with pytest.raises(DictionaryError, match="per_patient goes with released columns only"):
        parse_dictionary(BASE.replace('type = "text"', 'type = "text"\nper_patient = true').encode())


def test_the_released_part_says_what_is_the_same_only_where_it_says_whose_rows_they_are() -> None:
    part = released_part(parse_dictionary(PER_PATIENT.encode()))
    assert not any(column.per_patient for column in part.columns.values())
    assert part.columns["weight"].from_data == ("decimals",)
    assert parse_dictionary(dictionary_to_toml(part).encode()) == part
    keyed = PER_PATIENT.replace('type = "identifier"', 'type = "identifier"\nsurrogate = true')
    kept = released_part(parse_dictionary(keyed.encode()))
    assert kept.patient == "pid"
    assert kept.columns["age"].per_patient
    assert parse_dictionary(dictionary_to_toml(kept).encode()) == kept
