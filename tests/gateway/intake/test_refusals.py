"""Whatever is wrong with a cell, no message holds it (a unique text and a unique number stand in each bad cell)."""

from __future__ import annotations

import io
import traceback

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gateway.intake import IntakeError, RawTable, draft_dictionary, read_table, type_table, write_csv
from policies import Dictionary, RowRule, parse_dictionary
from tests.gateway.intake.tables import ROWS, clinic

TEXT = "zebra4711"
NUMBER = "918273645"


def spoilt(column: str, cell: str) -> bytes:
    header, first, *rest = ROWS.splitlines()
    cells = first.split(",")
    cells[header.split(",").index(column)] = cell
    return "\n".join([header, ",".join(cells), *rest]).encode()


def assert_silent(error: BaseException) -> None:
    """Neither the message nor anything a traceback prints of the error and its causes holds the cell."""
    printed = "".join(traceback.format_exception_only(error)) + repr(error) + repr(getattr(error, "problems", ""))
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None
    for canary in (TEXT, NUMBER, "8273"):
        assert canary not in printed


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("age", TEXT),
        ("age", NUMBER),
        ("age", f"-{NUMBER}"),
        ("age", f"1.{NUMBER}"),
        ("age", f"{NUMBER}e999"),
        ("age", f" {NUMBER}"),
        ("weight", f"1.{NUMBER}"),
        ("weight", TEXT),
        ("sex", TEXT),
        ("sex", f" {TEXT}"),
        ("stage", NUMBER),
        ("died", TEXT),
        ("seen", TEXT),
        ("seen", "1812-03-04"),
        ("note", f'{TEXT}"\n"{TEXT}'),
        ("note", f'"{TEXT}'),
        ("note", f'"{TEXT}"x'),
        ("note", f"{TEXT},{TEXT}"),
        ("note", f"{TEXT}\0"),
        ("note", TEXT * 20_000),
        ("pid", f"{TEXT},{TEXT},{TEXT}"),
    ],
)
def test_a_bad_cell_is_never_told(column: str, cell: str) -> None:
    content = spoilt(column, cell)
    try:
        type_table(read_table(content, "csv"), clinic())
    except IntakeError as refusal:
        assert "1812" not in str(refusal)  # noqa: PT017
        assert_silent(refusal)
    else:
        assert column == "note"  # text never leaves, and is not looked at


def test_a_broken_rule_is_never_told_with_its_cells() -> None:
    rules = (RowRule(check="age < 5"),)
    with pytest.raises(IntakeError) as refusal:
        type_table(read_table(ROWS.encode()), clinic(rules=rules))
    assert "61" not in str(refusal.value)
    assert_silent(refusal.value)


def test_a_rejected_parquet_file_is_never_told() -> None:
    for column in (pa.array([TEXT, TEXT]), pa.array([int(NUMBER), 1])):
        sink = io.BytesIO()
        pq.write_table(pa.table({"age": column}), sink)
        with pytest.raises(IntakeError) as refusal:
            type_table(read_table(sink.getvalue()), clinic())
        assert_silent(refusal.value)


def test_a_patient_is_never_told() -> None:
    text = ROWS.replace("p1", TEXT).replace("p2", "")
    with pytest.raises(IntakeError) as refusal:
        type_table(read_table(text.encode()), clinic(max_rows_per_patient=1), minimum_people=10**6)
    assert len(refusal.value.problems) == 3
    assert_silent(refusal.value)


def test_a_draft_that_cannot_be_made_is_never_told() -> None:
    with pytest.raises(IntakeError) as refusal:
        draft_dictionary(RawTable.from_text({"name": [TEXT + str(i) for i in range(20)]}), "t")
    assert_silent(refusal.value)


def test_a_frame_that_cannot_be_written_is_never_told() -> None:
    typed = type_table(read_table(ROWS.encode()), clinic())
    typed.frame.loc[0, "age"] = float(NUMBER)
    with pytest.raises(IntakeError) as refusal:
        write_csv(typed.frame, clinic())
    assert_silent(refusal.value)


def test_warnings_hold_no_cell() -> None:
    dictionary: Dictionary = parse_dictionary(
        f'version = 1\nname = "w"\n[columns.x]\ntype = "category"\ncategories = ["{TEXT}", "b"]\n'.encode()
    )
    typed = type_table(RawTable.from_text({"x": [TEXT, TEXT]}), dictionary)
    assert typed.warnings
    assert TEXT not in "".join(typed.warnings)
