"""Raw text under a dictionary: one typed frame, or every problem at once and never a cell."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from gateway.intake import IntakeError, RawTable, TypedTable, read_table, type_table
from gateway.intake.errors import MAX_TOLD, Problem
from policies import Column, Dictionary, RowRule
from tests.gateway.intake.tables import CANARY, ROWS, clinic


def one(column: Column, *cells: str | None, missing: tuple[str, ...] = ("",)) -> TypedTable:
    """A table of one column ``x``."""
    dictionary = Dictionary(version=1, name="one", missing=missing, columns={"x": column})
    return type_table(RawTable.from_text({"x": list(cells)}), dictionary)


def problems(column: Column, *cells: str | None, missing: tuple[str, ...] = ("",)) -> list[tuple[str, int | None]]:
    with pytest.raises(IntakeError) as refusal:
        one(column, *cells, missing=missing)
    assert all(problem.column in ("x", None) for problem in refusal.value.problems)
    assert all(problem.advice for problem in refusal.value.problems)
    return [(problem.rule, problem.rows) for problem in refusal.value.problems]


def integer(**fields: object) -> Column:
    return Column.model_validate({"type": "integer", "minimum": 0.0, "maximum": 10.0} | fields)


def number(**fields: object) -> Column:
    return Column.model_validate({"type": "number", "minimum": -10.0, "maximum": 10.0} | fields)


def category(*categories: str, kind: str = "category", **fields: object) -> Column:
    return Column.model_validate({"type": kind, "categories": categories} | fields)


def date(**fields: object) -> Column:
    bounds = {"minimum": dt.date(2000, 1, 1), "maximum": dt.date(2030, 12, 31)}
    return Column.model_validate({"type": "date"} | bounds | fields)


def datetime(**fields: object) -> Column:
    bounds = {"minimum": dt.datetime(2000, 1, 1), "maximum": dt.datetime(2030, 12, 31)}  # noqa: DTZ001
    return Column.model_validate({"type": "datetime"} | bounds | fields)


def test_a_clinic_table_becomes_the_frame_worked_out_by_hand() -> None:
    typed = type_table(read_table(ROWS.encode(), "csv"), clinic())
    expected = pd.DataFrame(
        {
            "age": [61.0, 47.0, 61.0],
            "weight": [80.5, np.nan, np.nan],
            "sex": pd.Categorical(["f", "m", "f"], categories=["f", "m"]),
            "stage": pd.Categorical(["1", None, "3"], categories=["1", "2", "3"], ordered=True),
            "died": pd.Categorical(["no", "yes", "no"], categories=["no", "yes"], ordered=True),
            "seen": np.array(["2020-01-31", "NaT", "2020-02-01"], dtype="datetime64[s]"),
        }
    )
    pd.testing.assert_frame_equal(typed.frame, expected)
    assert typed.people.tolist() == [0, 1, 0]
    assert typed.people.dtype == np.int64
    assert (typed.row_count, typed.people_count, typed.dropped) == (3, 2, ("pid", "note"))


def test_the_order_of_columns_in_the_file_does_not_matter() -> None:
    lines = [line.split(",")[:7] for line in ROWS.replace(',"says: ""well"", goes home"', ",").splitlines()]
    turned = "\n".join(",".join([*reversed(line), "x" if i else "note"]) for i, line in enumerate(lines))
    assert type_table(read_table(turned.encode()), clinic()).frame.equals(
        type_table(read_table(ROWS.encode()), clinic()).frame
    )


def test_without_a_patient_column_every_row_is_a_person() -> None:
    assert one(integer(), "1", "1", "2").people.tolist() == [0, 1, 2]


def test_parts_keep_the_codes_of_their_people() -> None:
    part = type_table(read_table(ROWS.encode()), clinic()).take(np.array([1]))
    assert (part.people.tolist(), part.row_count, part.people_count, part.frame.index.tolist()) == ([1], 1, 1, [0])


# -- columns -------------------------------------------------------------------------------------------------------


def test_an_unknown_and_an_absent_column_are_both_named() -> None:
    with pytest.raises(IntakeError) as refusal:
        type_table(read_table(ROWS.replace("age", "years", 1).encode()), clinic())
    message = str(refusal.value)
    assert "1 of the dictionary's 8 columns are not in the table: age" in message
    assert "1 of the table's 8 columns are not in the dictionary (years)" in message


def test_a_file_without_header_never_has_its_first_row_told() -> None:
    body = ROWS.replace("p1", CANARY).split("\n", 1)[1]
    with pytest.raises(IntakeError) as refusal:
        type_table(read_table(body.encode()), clinic())
    message = str(refusal.value)
    assert CANARY not in message
    assert "2020-01-31" not in message
    assert "first row is the header" in message


def test_a_released_table_holds_the_released_columns_only() -> None:
    text = "age,weight,sex,stage,died,seen\n61,80.5,f,1,no,2020-01-31\n"
    typed = type_table(read_table(text.encode()), clinic(), released=True)
    assert typed.people.tolist() == [0]
    assert typed.dropped == ()
    with pytest.raises(IntakeError, match="not in the dictionary"):
        type_table(read_table(ROWS.encode()), clinic(), released=True)


def test_columns_that_never_leave_are_not_checked() -> None:
    columns = {"x": integer(), "y": Column(type="integer", minimum=0.0, maximum=1.0, role="identifier")}
    dictionary = Dictionary(version=1, name="d", columns=columns)
    typed = type_table(RawTable.from_text({"x": ["1"], "y": [CANARY]}), dictionary)
    assert typed.dropped == ("y",)


# -- missing -------------------------------------------------------------------------------------------------------


def test_missing_is_what_the_dictionary_spells_and_nothing_else() -> None:
    column = category("NA", "None", "nan", "null", nullable=True, missing=("-",))
    frame = one(column, "NA", "None", "nan", "null", "", "?", "-", None, missing=("", "?")).frame
    assert frame["x"].isna().tolist() == [False] * 4 + [True] * 4
    assert problems(number(nullable=True), "NA", "1") == [("not a number", 1)]


def test_missing_where_it_may_not_be_is_counted() -> None:
    for column, value in ((integer(), "1"), (category("1"), "1"), (date(), "2020-01-01")):
        assert problems(column, value, "", None) == [("missing", 2)]


def test_a_number_equal_to_a_missing_spelling_is_missing() -> None:
    column = integer(nullable=True, missing=("-9",))
    assert one(column, "-9", "-9.0", "-9.00", "1").frame["x"].isna().tolist() == [True, True, True, False]


def test_nullable_without_any_spelling_of_missing_is_a_problem_at_the_door() -> None:
    with pytest.raises(IntakeError, match="no spelling of missing is declared"):
        one(integer(nullable=True), "1", missing=())


# -- numbers -------------------------------------------------------------------------------------------------------


def test_numbers_are_read_to_the_last_bit() -> None:
    cells = ["1", "+1", "-0", ".5", "5.", "1e1", "0.1", "3.141592653589793", "1e-300"]
    frame = one(number(), *cells).frame
    assert frame["x"].tolist() == [float(cell) for cell in cells]
    assert not np.signbit(frame["x"].to_numpy()[2])  # a negative zero would print as another number


@pytest.mark.parametrize(
    "cell", ["abc", "1 ", " 1", "1,5", "1_0", "0x1", "1e", "--1", "\u0661", "1\u00a0000", "1/2", "."]
)
def test_what_is_no_number_is_refused(cell: str) -> None:
    assert problems(number(), "1", cell) == [("not a number", 1)]


def test_hints_count_spaces_and_decimal_commas() -> None:
    with pytest.raises(
        IntakeError, match=r"column x: not a number in 3 rows; 1 begin or end with a space; 1 have a decimal comma"
    ):
        one(number(), "1 ", "1,5", "x")


@pytest.mark.parametrize("cell", ["nan", "NaN", "inf", "-inf", "Infinity", "+INF", "1e999"])
def test_numbers_that_are_not_finite_are_refused(cell: str) -> None:
    assert problems(number(), "1", cell) == [("a number that is not finite", 1)]


def test_integers_are_whole_and_exact() -> None:
    assert one(integer(), "5", "5.0", "5e0").frame["x"].tolist() == [5.0, 5.0, 5.0]
    assert problems(integer(), "5.5", "1") == [("not whole", 1)]
    wide = integer(maximum=1e300)
    assert one(wide, "9007199254740992").frame["x"].tolist() == [2.0**53]
    assert problems(wide, "9007199254740994") == [("too large to be held exactly", 1)]


def test_bounds_are_inclusive_and_told_apart() -> None:
    assert one(integer(), "0", "10").row_count == 2
    found = problems(integer(), "-1", "11", "12", "5")
    assert found == [("below the declared minimum", 1), ("above the declared maximum", 2)]


def test_decimals_snap_to_the_declared_grid_and_finer_values_are_refused() -> None:
    column = number(decimals=1)
    assert one(column, "0.30000000000000004", "0.3", "2").frame["x"].tolist() == [0.3, 0.3, 2.0]
    assert problems(column, "0.3", "0.31", "0.3001") == [("more decimals than declared", 2)]
    wide = Column(type="number", minimum=0.0, maximum=1e18, decimals=2)
    assert problems(wide, "12345678.987") == [("more decimals than declared", 1)]
    assert one(wide, "123456789012345678").frame["x"].tolist() == [123456789012345678.0]


# -- categories ----------------------------------------------------------------------------------------------------


def test_a_category_outside_the_dictionary_is_counted() -> None:
    assert problems(category("a", "b"), "a", "c", "c", "A") == [("a category the dictionary does not list", 3)]


def test_whole_and_decimal_spellings_stand_for_each_other_only_when_unambiguous() -> None:
    assert one(category("1", "2"), "1.0", "2", "2.00").frame["x"].tolist() == ["1", "2", "2"]
    assert one(category("1.0", "2.0"), "1", "2.0").frame["x"].tolist() == ["1.0", "2.0"]
    assert one(category("1", "1.0"), "1", "1.0").frame["x"].tolist() == ["1", "1.0"]
    assert problems(category("1", "1.0"), "1.00") == [("a category the dictionary does not list", 1)]


@pytest.mark.parametrize("cell", ["07", "+7", " 7", "7e0", "7.", "7.5", "\uff17"])
def test_codes_are_not_numbers(cell: str) -> None:
    assert problems(category("7", "8"), cell) == [("a category the dictionary does not list", 1)]


def test_a_category_is_never_missing_because_a_missing_spelling_looks_alike() -> None:
    column = category("9.0", nullable=True, missing=("9",))
    assert one(column, "9.0", "9", "9.00").frame["x"].isna().tolist() == [False, True, False]


def test_booleans_are_ordered_false_before_true() -> None:
    values = one(category("no", "yes", kind="boolean"), "yes", "no").frame["x"]
    assert values.cat.ordered
    assert values.cat.codes.tolist() == [1, 0]


# -- dates ---------------------------------------------------------------------------------------------------------


def test_dates_are_iso_and_midnight_is_a_day() -> None:
    frame = one(date(), "2020-02-29", "2020-02-29T00:00:00", "2020-02-29 00:00:00.000").frame
    assert frame["x"].dtype == np.dtype("datetime64[s]")
    assert frame["x"].nunique() == 1


@pytest.mark.parametrize(
    "cell",
    ["2021-02-29", "29.02.2020", "2020-2-9", "20200229", "2020-02-29T10:00", "2020-W09", " 2020-02-29", "2020-02-29Z"],
)
def test_what_is_no_date_is_refused(cell: str) -> None:
    [(rule, rows)] = problems(date(), "2020-01-01", cell)
    assert rule.startswith("not a date in ISO 8601")
    assert rows == 1


def test_times_are_local_and_whole_seconds() -> None:
    frame = one(datetime(), "2020-02-29T13:05:07", "2020-02-29 13:05:07.000", "2020-02-29 13:05", "2020-02-29").frame
    assert frame["x"].dt.strftime("%H:%M:%S").tolist() == ["13:05:07", "13:05:07", "13:05:00", "00:00:00"]


@pytest.mark.parametrize(
    "cell", ["2020-02-29T13:05:07Z", "2020-02-29T13:05:07+01:00", "2020-02-29T13:05:07.5", "13:05"]
)
def test_zones_and_fractions_of_seconds_are_refused(cell: str) -> None:
    [(rule, _)] = problems(datetime(), "2020-01-01", cell)
    assert "no zone, whole seconds" in rule


def test_dates_have_inclusive_bounds() -> None:
    assert one(date(), "2000-01-01", "2030-12-31").row_count == 2
    found = problems(date(), "1999-12-31", "2031-01-01", "0001-01-01")
    assert found == [("below the declared minimum", 2), ("above the declared maximum", 1)]


# -- people, rows, rules -------------------------------------------------------------------------------------------


def test_a_row_without_patient_is_refused() -> None:
    with pytest.raises(IntakeError, match="column pid: no patient named in 1 row"):
        type_table(read_table(ROWS.replace("p2,", ",").encode()), clinic())


def test_more_rows_of_a_patient_than_allowed_are_refused_not_cut() -> None:
    with pytest.raises(
        IntakeError, match="column pid: more rows than max_rows_per_patient allows for 1 patient; keep at most"
    ):
        type_table(read_table(ROWS.encode()), clinic(max_rows_per_patient=1))
    assert type_table(read_table(ROWS.encode()), clinic(max_rows_per_patient=2)).people_count == 2


def test_people_are_counted_not_rows() -> None:
    raw = read_table(ROWS.encode())
    assert type_table(raw, clinic(), minimum_people=2).people_count == 2
    with pytest.raises(IntakeError, match="holds 2 people, fewer than the 3"):
        type_table(raw, clinic(), minimum_people=3)


def test_broken_row_rules_are_counted_by_their_number() -> None:
    columns = {"low": integer(), "high": integer(nullable=True)}
    rules = (RowRule(check="low <= 9"), RowRule(check="low < high"))
    dictionary = Dictionary(version=1, name="r", columns=columns, rules=rules)
    raw = RawTable.from_text({"low": ["1", "5", "6", "7"], "high": ["2", "5", "4", ""]})
    with pytest.raises(IntakeError, match="row rule 2 of the dictionary broken in 2 rows") as refusal:
        type_table(raw, dictionary)
    assert len(refusal.value.problems) == 1


def test_every_problem_is_told_at_once_and_no_row_twice() -> None:
    text = ROWS.replace("61,80.5", "old,thin").replace("p2,47", ",300").replace(",m,,yes", ",x,4,perhaps")
    with pytest.raises(IntakeError) as refusal:
        type_table(read_table(text.encode()), clinic(), minimum_people=50)
    found = {(problem.column, problem.rows) for problem in refusal.value.problems}
    expected = {("age", 1), ("weight", 1), ("sex", 1), ("stage", 1), ("died", 1), ("pid", 1), (None, None)}
    assert found == expected
    assert len(refusal.value.problems) == 8  # age twice: one no number, one above its maximum


def test_the_list_of_problems_is_bounded() -> None:
    error = IntakeError([Problem("is wrong", "mend it", f"c{i}") for i in range(MAX_TOLD + 5)])
    assert len(error.problems) == MAX_TOLD + 5
    assert str(error).splitlines()[-1] == "and 5 more problems"
    assert len(str(error).splitlines()) == MAX_TOLD + 1


# -- warnings ------------------------------------------------------------------------------------------------------


def test_poor_columns_and_classes_are_warned_of_not_refused() -> None:
    columns = {
        "gone": integer(nullable=True),
        "same": integer(),
        "y": category("0", "1", "2", kind="ordinal", nullable=True),
    }
    dictionary = Dictionary(version=1, name="w", target="y", columns=columns)
    typed = type_table(
        RawTable.from_text({"gone": [""] * 5, "same": ["1"] * 5, "y": ["0", "0", "0", "1", ""]}), dictionary
    )
    assert typed.warnings == (
        "column gone: every row is missing",
        "column same: constant, it holds one value only",
        "target y: 1 class held by one person only",
        "target y: 1 row without a class",
        "2 rows repeat an earlier row in every released column",
    )


def test_a_target_of_one_class_is_warned_of() -> None:
    dictionary = Dictionary(version=1, name="w", target="y", columns={"y": category("0", "1", kind="boolean")})
    typed = type_table(RawTable.from_text({"y": ["0", "0"]}), dictionary)
    assert "target y: all rows are of one class" in typed.warnings


def test_a_column_half_missing_is_not_constant() -> None:
    assert not any("constant" in warning for warning in one(integer(nullable=True), "1", "").warnings)
