"""What HIPAA's Safe Harbor method removes, counted by a dictionary alone (45 CFR 164.514(b)(2)(i))."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from gateway.safe_harbor import NAMES, safe_harbor
from policies import Column, Dictionary

AGE = {"type": "integer", "minimum": 0.0}
SEX = {"type": "category", "categories": ("F", "M")}
DATE = {"type": "date", "minimum": dt.date(2000, 1, 1), "maximum": dt.date(2030, 1, 1)}


def counts(**columns: dict[str, Any]) -> dict[str, float]:
    dictionary = Dictionary.model_validate(
        {"version": 1, "name": "t", "columns": {"sex": SEX, **columns}},
    )
    return {m.name.removeprefix("safe_harbor_"): m.value for m in safe_harbor(dictionary)}


def category(*spellings: str) -> dict[str, Any]:
    return {"type": "category", "categories": spellings}


@pytest.mark.parametrize(
    ("name", "column", "group"),
    [
        ("admitted", DATE, "dates"),
        ("age", {**AGE, "maximum": 91.0}, "ages"),
        ("age_at_visit", {**AGE, "maximum": 110.0}, "ages"),
        ("oldness", {**AGE, "maximum": 110.0, "unit": "years"}, "ages"),
        ("AgeGroup", category("80-89", "90-94", "95+"), "ages"),
        ("zip", category("02138"), "places"),
        ("home", category("02138", "10001-1234"), "places"),
        ("ZipCode", {"type": "integer", "minimum": 0.0, "maximum": 99999.0}, "places"),
        ("county", category("a", "b"), "places"),
        ("email", category("x", "y"), "numbers"),
        ("contact", category("a@example.org", "none"), "numbers"),
        ("contact", category("https://example.org/p/1", "none"), "numbers"),
        ("contact", category("192.0.2.17", "none"), "numbers"),
        ("contact", category("078-05-1120", "none"), "numbers"),
        ("contact", category("(555) 010-1234", "none"), "numbers"),
        ("mrn", {"type": "integer", "minimum": 0.0, "maximum": 1e6}, "numbers"),
    ],
)
def test_a_column_of_a_listed_kind_is_counted_once_in_its_group(name: str, column: dict[str, Any], group: str) -> None:
    assert counts(**{name: column}) == {"dates": 0, "ages": 0, "places": 0, "numbers": 0, group: 1}


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("age", {**AGE, "maximum": 90.0}),  # 90 stands for 90 or older
        ("age", category("0-17", "18-89", "90 or older")),
        ("zip", category("021", "000")),
        ("zip3", {"type": "integer", "minimum": 0.0, "maximum": 999.0}),
        ("stage", {**AGE, "maximum": 200.0}),  # "age" is no word of it
        ("dose", {**AGE, "maximum": 12345.0}),
        ("year", {**AGE, "maximum": 2030.0}),
        ("code", category("250.83", "V27", "12345678")),
    ],
)
def test_what_may_stay_is_not_counted(name: str, column: dict[str, Any]) -> None:
    assert set(counts(**{name: column}).values()) == {0}


def test_what_is_never_released_is_not_counted() -> None:
    assert set(counts(email={"type": "identifier"}, street={"type": "text"}).values()) == {0}


def test_counts_are_exact_carry_the_columns_and_name_no_column() -> None:
    columns = {"secretzip": Column(type="category", categories=("02138",))}
    found = safe_harbor(Dictionary(version=1, name="t", columns=columns))
    assert tuple(m.name for m in found) == NAMES
    for m in found:
        assert (m.lower, m.upper, m.confidence, m.n, m.status) == (m.value, m.value, 1.0, 1, "measured")
        assert "secretzip" not in m.method
        assert "02138" not in m.method
