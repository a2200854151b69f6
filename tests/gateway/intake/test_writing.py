"""Typed frames out: the bytes, and that reading them back loses nothing."""

from __future__ import annotations

import csv
import io
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gateway.intake import IntakeError, RawTable, read_table, type_table, write_csv, write_parquet
from gateway.intake.formulas import guard, unguard
from policies import Column, Dictionary
from tests.gateway.intake.tables import ROWS, clinic, texts, typed_frames


def example() -> tuple[pd.DataFrame, Dictionary]:
    return type_table(read_table(ROWS.encode()), clinic()).frame, clinic()


def test_csv_is_what_the_dictionary_spells() -> None:
    assert write_csv(*example()).decode() == (
        "age,weight,sex,stage,died,seen\n"
        "61,80.5,f,1,no,2020-01-31\n"
        "47,,m,,yes,\n"
        "61,,f,3,no,2020-02-01\n"
    )  # fmt: skip


def test_the_first_missing_spelling_is_the_tables_then_the_columns() -> None:
    frame, _ = example()
    assert b"47,?,m,?,yes,?\n" in write_csv(frame, clinic(missing=("?", "")))
    columns = {"x": Column(type="integer", minimum=0.0, maximum=9.0, nullable=True, missing=("-9", "."))}
    dictionary = Dictionary(version=1, name="d", missing=(), columns=columns)
    typed = type_table(RawTable.from_text({"x": ["1", "."]}), dictionary)
    assert write_csv(typed.frame, dictionary) == b"x\n1\n-9\n"


def test_parquet_has_plain_types_and_nulls() -> None:
    table = pq.read_table(io.BytesIO(write_parquet(*example())))
    kinds = {field.name: str(field.type) for field in table.schema}
    assert kinds == {
        "age": "int64", "weight": "double", "sex": "string", "stage": "string", "died": "string", "seen": "date32[day]",
    }  # fmt: skip
    assert table.schema.metadata is None
    assert pq.read_metadata(io.BytesIO(write_parquet(*example()))).metadata is None  # no Arrow or pandas extras
    assert table.column("weight").to_pylist() == [80.5, None, None]


def test_the_same_frame_gives_the_same_bytes() -> None:
    frame, dictionary = example()
    for write in (write_csv, write_parquet):
        assert write(frame, dictionary) == write(frame.copy(), clinic())


@pytest.mark.slow
@settings(deadline=None)
@given(typed_frames())
def test_parquet_reads_back_to_the_identical_frame(drawn: tuple[pd.DataFrame, Dictionary]) -> None:
    frame, dictionary = drawn
    back = type_table(read_table(write_parquet(frame, dictionary)), dictionary, released=True)
    pd.testing.assert_frame_equal(back.frame, frame, check_exact=True)
    assert write_parquet(back.frame, dictionary) == write_parquet(frame, dictionary)


@pytest.mark.slow
@settings(deadline=None)
@given(typed_frames())
def test_csv_reads_back_to_the_identical_frame(drawn: tuple[pd.DataFrame, Dictionary]) -> None:
    frame, dictionary = drawn
    content = write_csv(frame, dictionary)
    try:
        raw = read_table(content, "csv")
    except IntakeError as refusal:
        assume("mostly numbers" not in str(refusal))  # names a file of ours would hardly have
        assume("separated by" not in str(refusal))
        raise
    back = type_table(raw, dictionary, released=True)
    pd.testing.assert_frame_equal(back.frame, frame, check_exact=True)
    assert write_csv(back.frame, dictionary) == content


@pytest.mark.slow
@settings(deadline=None)
@given(typed_frames())
def test_csv_is_rfc_4180_for_another_reader_and_starts_no_formula(drawn: tuple[pd.DataFrame, Dictionary]) -> None:
    frame, dictionary = drawn
    text = write_csv(frame, dictionary).decode("utf-8")
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert rows[0] == [guard(name) for name in dictionary.released]
    assert {len(row) for row in rows} == {len(dictionary.released)}
    assert len(rows) == len(frame) + 1
    for cell in (cell for row in rows for cell in row):
        if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")):
            float(cell)  # only a number may


def test_formulas_are_guarded_and_numbers_are_not() -> None:
    assert [guard(text) for text in ("=1+1", "@x", "-x", "-1", "+1.5e3", "-", "\tx", "a=b", "'", "'=1")] == [
        "'=1+1", "'@x", "'-x", "-1", "+1.5e3", "'-", "'\tx", "a=b", "'", "''=1",
    ]  # fmt: skip


@settings(deadline=None)
@given(st.one_of(texts, st.text("'=+-@1\t", max_size=5)))
def test_the_guard_comes_off_exactly(text: str) -> None:
    assert unguard(guard(text)) == text


def test_a_file_written_without_guards_reads_the_same() -> None:
    columns = {"=x": Column(type="category", categories=("=1", "'b", "-"))}
    dictionary = Dictionary(version=1, name="d", columns=columns)
    plain = read_table(b"=x\n=1\n'b\n-\n", "csv")
    guarded = read_table(b"'=x\n'=1\n'b\n'-\n", "csv")
    frames = [type_table(raw, dictionary, released=True).frame for raw in (plain, guarded)]
    pd.testing.assert_frame_equal(frames[0], frames[1])
    with pytest.raises(IntakeError):
        type_table(guarded, dictionary)  # in a source table an apostrophe is an apostrophe


def test_one_column_of_gaps_keeps_its_rows() -> None:
    columns = {"x": Column(type="integer", minimum=0.0, maximum=9.0, nullable=True)}
    dictionary = Dictionary(version=1, name="d", columns=columns)
    frame = pd.DataFrame({"x": [np.nan, 1.0, np.nan]})
    content = write_csv(frame, dictionary)
    assert content == b'x\n""\n1\n""\n'
    pd.testing.assert_frame_equal(type_table(read_table(content), dictionary).frame, frame)


def test_floating_point_dust_is_written_on_the_declared_grid() -> None:
    columns = {"x": Column(type="number", minimum=0.0, maximum=9.0, decimals=1)}
    dictionary = Dictionary(version=1, name="d", columns=columns)
    frame = pd.DataFrame({"x": [0.1 + 0.2, -0.0]})
    assert write_csv(frame, dictionary) == b"x\n0.3\n0\n"
    assert pq.read_table(io.BytesIO(write_parquet(frame, dictionary))).column("x").to_pylist() == [0.3, 0.0]


def broken(kind: str) -> pd.DataFrame:
    frame, _ = example()
    changes: dict[str, Any] = {
        "a column less": lambda: frame.drop(columns="age"),
        "another order": lambda: frame[list(reversed(frame.columns))],
        "another index": lambda: frame.iloc[[2, 1, 0]],
        "another type": lambda: frame.astype({"age": "int64"}),
        "another category": lambda: frame.assign(sex=frame["sex"].cat.rename_categories(["f", "x"])),
        "not whole": lambda: frame.assign(age=61.5),
        "below": lambda: frame.assign(age=-1.0),
        "infinite": lambda: frame.assign(weight=np.inf),
        "finer": lambda: frame.assign(weight=80.55),
        "missing": lambda: frame.assign(age=np.nan),
    }
    result: pd.DataFrame = changes[kind]()
    return result


@pytest.mark.parametrize(
    "kind",
    ["a column less", "another order", "another index", "another type", "another category", "not whole", "below",
     "infinite", "finer", "missing"],
)  # fmt: skip
def test_a_frame_that_breaks_its_dictionary_is_never_written(kind: str) -> None:
    for write in (write_csv, write_parquet):
        with pytest.raises(IntakeError):
            write(broken(kind), clinic())
