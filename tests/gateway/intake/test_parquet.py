"""Parquet in: the same text as the CSV of the table, whatever types the file has."""

from __future__ import annotations

import datetime as dt
import decimal
import io
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gateway.intake import IntakeError, read_table, type_table
from gateway.intake import parquet as parquet_module
from gateway.intake.raw import encode
from policies import Column, Dictionary
from tests.gateway.intake.tables import CANARY

DICTIONARY = Dictionary(
    version=1,
    name="types",
    missing=("", "-9"),
    columns={
        "count": Column(type="integer", minimum=-5.0, maximum=100.0, nullable=True),
        "dose": Column(type="number", minimum=0.0, maximum=10.0, decimals=2, nullable=True),
        "flag": Column(type="boolean", categories=("False", "True"), nullable=True),
        "code": Column(type="category", categories=("1", "2"), nullable=True),
        "word": Column(type="category", categories=("a", "b"), nullable=True),
        "day": Column(type="date", minimum=dt.date(1900, 1, 1), maximum=dt.date(2100, 1, 1), nullable=True),
        "moment": Column(
            type="datetime",
            minimum=dt.datetime(1900, 1, 1),  # noqa: DTZ001
            maximum=dt.datetime(2100, 1, 1),  # noqa: DTZ001
            nullable=True,
        ),
    },
)
DAY, MOMENT = dt.date(2020, 2, 29), dt.datetime(2020, 2, 29, 13, 5, 7)  # noqa: DTZ001


def parquet(columns: dict[str, Any], **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, **options)
    return sink.getvalue()


def native(**changes: Any) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "count": pa.array([1, None, 3]),
        "dose": pa.array([1.5, None, 2.0]),
        "flag": pa.array([True, None, False]),
        "code": pa.array([1, None, 2]),
        "word": pa.array(["a", None, "b"]),
        "day": pa.array([DAY, None, DAY]),
        "moment": pa.array([MOMENT, None, MOMENT], pa.timestamp("us")),
    }
    return columns | changes


EXPECTED = type_table(
    read_table(
        b"count,dose,flag,code,word,day,moment\n"
        b"1,1.5,True,1,a,2020-02-29,2020-02-29 13:05:07\n"
        b",,,,,,\n"
        b"3,2.0,False,2,b,2020-02-29,2020-02-29T13:05:07\n"
    ),
    DICTIONARY,
).frame


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"count": pa.array([1, -9, 3], pa.int8())},
        {"count": pa.array([1.0, None, 3.0], pa.float32())},
        {"count": pa.array([1, None, 3], pa.float16())},
        {"count": pa.array([1, None, 3], pa.uint64())},
        {"count": pa.array(["1", "", "3"])},
        {"dose": pa.array([decimal.Decimal("1.50"), None, decimal.Decimal("2.00")])},
        {"dose": pa.array([1.5, None, 2.0], pa.float32())},
        {"dose": pa.array([1.5, -9.0, 2.0])},
        {"code": pa.array([1.0, None, 2.0])},
        {"code": pa.array(["1", "", "2"], pa.large_string())},
        {"code": pa.array([1, None, 2]).dictionary_encode()},
        {"word": pa.array(["a", None, "b"]).dictionary_encode()},
        {"word": pa.array(["a", None, "b"], pa.string_view())},
        {"day": pa.array([DAY, None, DAY], pa.date64())},
        {"day": pa.array([DAY, None, DAY]).cast(pa.timestamp("ns"))},
        {"day": pa.array(["2020-02-29", None, "2020-02-29"])},
        {"moment": pa.array([MOMENT, None, MOMENT], pa.timestamp("ns"))},
        {"moment": pa.array([MOMENT, None, MOMENT], pa.timestamp("s"))},
    ],
)
def test_every_native_type_gives_the_frame_of_the_csv(changes: dict[str, Any]) -> None:
    typed = type_table(read_table(parquet(native(**changes)), "parquet"), DICTIONARY)
    pd.testing.assert_frame_equal(typed.frame, EXPECTED)


@pytest.mark.parametrize("options", [{"row_group_size": 1}, {"use_dictionary": False}, {"compression": "zstd"}])
def test_how_the_file_is_laid_out_makes_no_difference(options: dict[str, Any]) -> None:
    pd.testing.assert_frame_equal(type_table(read_table(parquet(native(), **options)), DICTIONARY).frame, EXPECTED)


def test_what_pandas_writes_is_read() -> None:
    sink = io.BytesIO()
    EXPECTED.to_parquet(sink)
    pd.testing.assert_frame_equal(type_table(read_table(sink.getvalue()), DICTIONARY).frame, EXPECTED)


def test_native_booleans_go_by_position_in_a_boolean_column() -> None:
    dictionary = Dictionary(version=1, name="b", columns={"x": Column(type="boolean", categories=("well", "ill"))})
    frame = type_table(read_table(parquet({"x": pa.array([True, False])})), dictionary).frame
    assert frame["x"].tolist() == ["ill", "well"]


def test_a_dictionary_with_repeated_unused_and_null_entries_reads_by_meaning() -> None:
    entries = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 3]), pa.array(["a", "a", "b", None]))
    column = encode(entries)
    assert column.spellings == ("a",)
    assert column.codes.tolist() == [0, 0, -1, -1]


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pa.array([MOMENT], pa.timestamp("us", tz="UTC")), "zone"),
        (pa.array([[1]]), "single"),
        (pa.array([{"a": 1}]), "single"),
        (pa.array([b"zebra4711"]), "single"),
        (pa.array([dt.time(1, 2)]), "single"),
        (pa.array([dt.timedelta(1)]), "single"),
        (pa.array([CANARY * 20_000]), "longer"),
        (pa.array([CANARY + "\0"]), "NUL"),
        (pa.array([b"\xff" + CANARY.encode()]).view(pa.string()), "UTF-8"),
    ],
)
def test_cells_that_are_no_single_value_are_refused(column: Any, words: str) -> None:
    with pytest.raises(IntakeError, match=words) as refusal:
        read_table(parquet({"x": column}), "parquet")
    assert CANARY not in str(refusal.value)


@pytest.mark.parametrize(
    "content",
    [
        b"PAR1",
        b"a,b\n1,2\n",
        parquet({"x": [CANARY]})[:-1],
        parquet({"x": [CANARY]})[:40] + b"PAR1",
        b"PAR1" + b"\xff" * 60 + b"\x20\0\0\0PAR1",
    ],
    ids=["magic only", "csv", "cut short", "no footer", "nonsense footer"],
)
def test_a_damaged_file_is_refused_without_its_content(content: bytes) -> None:
    with pytest.raises(IntakeError, match="damaged") as refusal:
        read_table(content, "parquet")
    assert CANARY not in str(refusal.value)


def test_damage_anywhere_is_a_refusal_or_a_table() -> None:
    content = parquet({"x": [CANARY, "b", None], "y": [1.5, 2.5, 3.5]})
    for i in range(4, len(content) - 4):
        damaged = bytearray(content)
        damaged[i] ^= 0xFF
        try:
            assert read_table(bytes(damaged), "parquet").row_count >= 1
        except IntakeError as refusal:
            assert CANARY not in str(refusal)  # noqa: PT017


def test_a_table_without_rows_or_with_a_faulty_header_is_refused() -> None:
    with pytest.raises(IntakeError, match="no rows"):
        read_table(parquet({"x": pa.array([], pa.int64())}))
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"]), sink)
    with pytest.raises(IntakeError, match="columns 1 and 2"):
        read_table(sink.getvalue())


def test_limits_hold_before_anything_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    content = parquet({"x": ["a"] * 100_000})
    assert len(content) < 10_000  # a small file may stand for many cells
    monkeypatch.setattr(parquet_module, "MAX_CELLS", 99_999)
    with pytest.raises(IntakeError, match="99999 cells"):
        read_table(content)
    monkeypatch.setattr(parquet_module, "MAX_CELLS", 100_000)
    monkeypatch.setattr(parquet_module, "MAX_UNPACKED", 10)
    with pytest.raises(IntakeError, match="unpacks"):
        read_table(content)


def test_nan_and_infinity_in_a_float_column_are_refused_as_in_csv() -> None:
    for value in (float("nan"), float("inf")):
        raw = read_table(parquet(native(dose=pa.array([1.5, None, value], from_pandas=False))))
        with pytest.raises(IntakeError, match="column dose: a number that is not finite in 1 row"):
            type_table(raw, DICTIONARY)
