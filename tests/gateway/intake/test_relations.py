"""What columns say of each other, of persons and of units, and what the draft makes of it."""

from __future__ import annotations

import numpy as np
import pytest

from gateway.intake import draft_dictionary
from gateway.intake.identifying import kind_of_identifier
from gateway.intake.names import unit_of
from gateway.intake.raw import RawTable
from gateway.intake.relations import determined, gives_away, ordered
from policies import parse_dictionary


def cells(**columns: object) -> RawTable:
    return RawTable.from_text({name: [str(cell) for cell in column] for name, column in columns.items()})  # type: ignore[attr-defined]


def ward(n: int = 400) -> RawTable:
    rng = np.random.default_rng(0)
    code = rng.integers(0, 12, n)
    diastolic = np.round(rng.normal(80, 15, n))
    systolic = diastolic + np.round(rng.gamma(4, 10, n)) + 1
    died = rng.random(n) < 0.4
    return cells(
        code=[f"c{c}" for c in code],
        group=[f"g{c // 3}" for c in code],
        other=rng.choice(["x", "y"], n),
        systolic=systolic.astype(int),
        diastolic=diastolic.astype(int),
        year=rng.integers(2000, 2010, n),
        followup=np.where(died, rng.integers(1, 60, n), rng.integers(50, 300, n)),
        death=np.where(died, "yes", "no"),
    )


def test_a_code_determines_its_group_and_sparseness_is_no_dependency() -> None:
    columns = ward().columns
    named = {name: columns[name] for name in ("code", "group", "other", "death")}
    assert determined(named) == [("code", "group")]
    keys = cells(key=range(400), flag=["a", "b"] * 200)
    assert determined(keys.columns) == []


def test_an_order_is_told_where_another_order_of_rows_would_break_it() -> None:
    columns = ward().columns
    named = {name: columns[name] for name in ("systolic", "diastolic", "year")}
    assert ordered(named, np.random.default_rng(1)) == [("diastolic", "<", "systolic")]  # never above 2000: no news


def test_what_is_known_only_after_the_outcome_gives_it_away() -> None:
    columns = dict(ward().columns)
    outcome = columns.pop("death")
    numeric = frozenset({"systolic", "diastolic", "year", "followup"})
    assert gives_away(columns, numeric, outcome) == ["followup"]


def test_a_rare_category_does_not_tell_on_itself() -> None:
    """Every patient has a code of their own: it tells nothing of anyone else."""
    rng = np.random.default_rng(2)
    table = cells(code=[f"c{i // 2}" for i in range(400)], outcome=rng.choice(["a", "b"], 400))
    assert gives_away({"code": table.columns["code"]}, frozenset(), table.columns["outcome"]) == []


def test_the_largest_doubles_are_ranked_without_overflow() -> None:
    table = cells(x=["1e300", "1.7976931348623157e308", ""] * 8, outcome=["a", "b", "a"] * 8)
    assert gives_away({"x": table.columns["x"]}, frozenset({"x"}), table.columns["outcome"]) == ["x"]


def test_the_draft_tells_them_as_sections_to_be_uncommented() -> None:
    text = draft_dictionary(ward(), "ward")
    assert '# TRAP "followup" alone nearly gives "death" away' in text
    accepted = "\n".join(
        line.removeprefix("# ") if line.startswith(("# [[", "# source", "# determines", "# check")) else line
        for line in text.splitlines()
    )
    dictionary = parse_dictionary(accepted.encode())
    assert [(each.source, each.determines) for each in dictionary.dependencies] == [("code", "group")]
    assert [rule.check for rule in dictionary.rules] == ["diastolic < systolic"]
    assert dictionary != parse_dictionary(text.encode())


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["ann@example.org", "b.c@x.co.uk", "d@y.de", "e@z.fr", "f@a.it"], "e-mail addresses"),
        (["+44 20 7946 0018", "+4930901820", "+1 650-253-0000", "+33 1 42 68 53 00", "+39 06 698 82022"], "telephone"),
        (["943 476 5919", "4010232137", "987 654 4322", "450 557 7104", "592 342 3677"], "NHS"),
        (["536-90-4399", "078-05-1120", "219-09-9999", "457-55-5462", "212-09-7694"], "social security"),
        (["DE89370400440532013000", "GB29NWBK60161331926819", "FR1420041010050500013M02606",
          "NL91ABNA0417164300", "BE68539007547034"], "IBAN"),
        (["10.0.0.1", "10.0.0.2", "192.168.1.9", "::1", "fe80::1"], "network"),
        (["https://a.b/c", "http://x.y", "www.z.org", "https://q.r", "https://s.t"], "web"),
    ],
)  # fmt: skip
def test_what_names_a_person_is_known_by_its_own_rules(texts: list[str], kind: str) -> None:
    assert kind in (kind_of_identifier(texts) or "")
    spoiled = [text[:-1] + ("0" if text[-1] != "0" else "1") for text in texts]
    if kind in ("NHS", "IBAN"):
        assert kind_of_identifier(spoiled) is None


def test_laboratory_values_codes_and_dates_name_nobody() -> None:
    for texts in (["12.5", "13", "14.25", "9", "8"], ["E11.9", "I10", "J45", "K21", "M54"], ["2020-01-01"] * 5):
        assert kind_of_identifier(texts) is None
    ten_digits = [str(1_000_000_000 + 7 * i) for i in range(500)]  # one in eleven passes by chance
    assert kind_of_identifier(ten_digits) is None


def test_an_address_book_is_drafted_as_identifiers() -> None:
    table = cells(contact=[f"a{i}@example.org" for i in range(40)], x=[i % 7 + 0.5 for i in range(40)])
    dictionary = parse_dictionary(draft_dictionary(table, "t").encode())
    assert dictionary.columns["contact"].type == "identifier"


@pytest.mark.parametrize(
    ("name", "unit"),
    [("weight_kg", "kg"), ("age", "years"), ("timeInDays", "days"), ("dose_mg_per_kg", None), ("sodium", None)],
)
def test_a_unit_is_taken_from_a_name_that_tells_it(name: str, unit: str | None) -> None:
    assert unit_of(name) == unit
