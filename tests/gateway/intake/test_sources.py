"""Text of any usual make, workbooks, parts and databases: the same table, however it comes."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import re
import sqlite3
import zipfile
from decimal import Decimal
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gateway.intake import IntakeError, read_table, take_snapshot, type_chunks, type_table
from gateway.intake.database import _table
from gateway.intake.dialect import propose_source
from gateway.intake.raw import RawTable
from gateway.intake.snapshot import Snapshot
from policies import Dictionary, DictionaryError, Source, dictionary_to_toml, parse_dictionary
from tests.gateway.ledger.conftest import Server, server  # noqa: F401  # a fixture

HEAD = 'version = 1\nname = "t"\npatient = "id"\n'
COLUMNS = """
[columns.id]
type = "identifier"
[columns.sex]
type = "category"
categories = ["männlich", "weiblich"]
nullable = true
[columns.weight]
type = "number"
minimum = 0
maximum = 300
decimals = 1
[columns.seen]
type = "date"
minimum = 2000-01-01
maximum = 2030-01-01
"""
ROWS = [
    (f"p{i // 2}", None if i == 3 else ("männlich", "weiblich")[i % 2], 50 + i / 10, dt.date(2020, 1, 1 + i))
    for i in range(20)
]


def dictionary(source: str = "") -> Dictionary:
    return parse_dictionary((HEAD + source + COLUMNS).encode())


def text(delimiter: str = ",", decimal: str = ".", quote: str = "") -> str:
    lines = [delimiter.join(("id", "sex", "weight", "seen"))]
    for row in ROWS:
        cells = [row[0], row[1] or "", str(row[2]).replace(".", decimal), row[3].isoformat()]
        lines.append(delimiter.join(quote + cell + quote for cell in cells))
    return "\n".join(lines) + "\n"


def expected() -> pd.DataFrame:
    return type_table(read_table(text().encode(), "csv"), dictionary()).frame


def digest(snapshot: Snapshot) -> str:
    hashed = hashlib.sha256()
    snapshot.feed(hashed.update)
    return hashed.hexdigest()


@pytest.mark.parametrize(
    ("source", "content"),
    [
        ("", text().encode()),
        ('[source]\ndelimiter = ";"\ndecimal = ","\nencoding = "windows-1252"\n', text(";", ",").encode("cp1252")),
        ('[source]\ndelimiter = "\\t"\nencoding = "utf-16"\n', text("\t").encode("utf-16")),
        ('[source]\ndelimiter = "|"\nquote = "\'"\n', text("|", quote="'").encode()),
        ('[source]\nencoding = "iso-8859-15"\n', text().encode("iso-8859-15")),
    ],
)
def test_a_text_is_read_as_the_dictionary_says_and_proposed_as_it_is(
    source: str, content: bytes, tmp_path: Path
) -> None:
    declared = dictionary(source)
    (tmp_path / "t.csv").write_bytes(content)
    raw = take_snapshot(tmp_path / "t.csv", declared.source).table()
    pd.testing.assert_frame_equal(type_table(raw, declared).frame, expected())
    proposed, reasons = propose_source(content)
    again = read_table(content, "csv", proposed)
    pd.testing.assert_frame_equal(type_table(again, declared.model_copy(update={"source": proposed})).frame, expected())
    assert "männlich" not in " ".join(reasons)
    assert parse_dictionary(dictionary_to_toml(declared).encode()) == declared


def test_another_make_than_declared_is_refused_and_not_guessed() -> None:
    for content, source, message in (
        (text(";").encode(), Source(), "separated by semicolons.*state the delimiter"),
        (text().encode("cp1252"), Source(), "not UTF-8.*state the encoding"),
        (text().encode("utf-16"), Source(), "UTF-16.*state the encoding"),
        (text().encode(), Source(encoding="utf-16"), "not utf-16"),
    ):
        with pytest.raises(IntakeError, match=message):
            read_table(content, "csv", source)


def test_under_a_decimal_comma_a_number_with_a_point_is_refused() -> None:
    declared = dictionary('[source]\ndelimiter = ";"\ndecimal = ","\n')
    raw = read_table(text(";", ",").replace("50,3", "50.3").encode(), "csv", declared.source)
    with pytest.raises(IntakeError, match=r"weight.*not a number.*1 row") as refusal:
        type_table(raw, declared)
    assert "50.3" not in str(refusal.value)


def test_contradictions_in_a_source_are_refused() -> None:
    for source in ('table = "a"\nquery = "b"', 'decimal = ","', "parameters = { a = 1 }", 'delimiter = ":"'):
        with pytest.raises(DictionaryError):
            dictionary(f"[source]\n{source}\n")


# -- workbooks ---------------------------------------------------------------------------------------------------------


def workbook(rows: list[tuple[object, ...]], sheet: str = "data") -> bytes:
    book = openpyxl.Workbook()
    book.active.title = "notes"
    page = book.create_sheet(sheet)
    for row in rows:
        page.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def test_a_sheet_is_the_same_table(tmp_path: Path) -> None:
    declared = dictionary('[source]\nsheet = "data"\n')
    (tmp_path / "t.xlsx").write_bytes(workbook([("id", "sex", "weight", "seen"), *ROWS]))
    raw = take_snapshot(tmp_path / "t.xlsx", declared.source).table()
    pd.testing.assert_frame_equal(type_table(raw, declared).frame, expected())


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("a", "b"), (1, 2, 3)], "cells beyond the 2 of the header in 1 row"),
        ([("a", "b"), (1, 2), (), (3, 4)], "empty rows between the others in 1 row"),
        ([("a", "b"), (1, "#DIV/0!")], "1 cells hold an error"),
        ([("a", "b"), (1, dt.time(3, 4))], "times without a date"),
        ([("a", "a"), (1, 2)], "repeats a name"),
        ([("a", None, "c"), (1, 2, 3)], "empty at column 2"),
        ([("a",)], "no rows"),
        ([], "no columns"),
    ],
)
def test_a_sheet_that_is_no_table_is_refused(rows: list[tuple[object, ...]], message: str) -> None:
    with pytest.raises(IntakeError, match=message):
        read_table(workbook(rows), "xlsx", Source(sheet="data"))


def test_an_unknown_sheet_a_bomb_and_what_is_no_workbook_are_refused() -> None:
    good = workbook([("a",), (1,)])
    with pytest.raises(IntakeError, match="no sheet"):
        read_table(good, "xlsx", Source(sheet="other"))
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f"xl/{number}.xml", b"0" * 50_000_000)
    with pytest.raises(IntakeError, match="unpacks to far more"):
        read_table(bomb.getvalue(), "xlsx")
    for broken in (good[: len(good) // 2], b"PK\x03\x04" + bytes(100), good.replace(b"worksheets", b"worksheetz")):
        with pytest.raises(IntakeError, match=r"not an \.xlsx workbook"):
            read_table(broken, "xlsx")


# -- parts -------------------------------------------------------------------------------------------------------------


def parts(folder: Path, sizes: tuple[int, ...] = (7, 12, 1)) -> Path:
    folder.mkdir()
    start = 0
    for number, size in enumerate(sizes):
        columns = [list(column) for column in zip(*ROWS[start : start + size], strict=True)]
        table = pa.table(dict(zip(("id", "sex", "weight", "seen"), columns, strict=True)))
        pq.write_table(table, folder / f"part-{number}.parquet")
        start += size
    (folder / "_SUCCESS").write_text("")
    (folder / "_metadata.parquet").write_text("no table")
    return folder


def test_a_folder_of_parts_is_one_table_in_the_order_of_its_names(tmp_path: Path) -> None:
    snapshot = take_snapshot(parts(tmp_path / "t"))
    pd.testing.assert_frame_equal(type_table(snapshot.table(), dictionary()).frame, expected())
    assert [part.row_count for part in snapshot.chunks(5)] == [5, 2, 5, 5, 2, 1]


def test_parts_that_differ_and_a_folder_without_any_are_refused(tmp_path: Path) -> None:
    folder = parts(tmp_path / "t")
    pq.write_table(pa.table({"id": ["p1"]}), folder / "part-9.parquet")
    with pytest.raises(IntakeError, match="different columns"):
        take_snapshot(folder).table()
    (tmp_path / "none").mkdir()
    with pytest.raises(IntakeError, match="0 Parquet parts"):
        take_snapshot(tmp_path / "none")


def test_chunks_are_the_table_and_a_patient_has_one_code_in_all_of_them(tmp_path: Path) -> None:
    snapshot = take_snapshot(parts(tmp_path / "t"))
    typed = list(type_chunks(snapshot.chunks(3), dictionary()))
    assert all(part.row_count <= 3 for part in typed)
    pd.testing.assert_frame_equal(pd.concat([part.frame for part in typed], ignore_index=True), expected())
    assert np.concatenate([part.people for part in typed]).tolist() == [i // 2 for i in range(20)]


def test_a_snapshot_stays_what_it_was_when_the_file_is_changed(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text(text(), encoding="utf-8")
    snapshot = take_snapshot(file)
    before = digest(snapshot)
    file.write_text(text().replace("weiblich", "männlich"), encoding="utf-8")
    assert digest(snapshot) == before == hashlib.sha256(text().encode()).hexdigest()
    pd.testing.assert_frame_equal(type_table(snapshot.table(), dictionary()).frame, expected())
    assert digest(take_snapshot(file)) != before


def test_the_digest_of_parts_depends_on_where_one_ends(tmp_path: Path) -> None:
    one, other = parts(tmp_path / "a"), parts(tmp_path / "b", (8, 11, 1))
    assert digest(take_snapshot(one)) != digest(take_snapshot(other))
    assert digest(take_snapshot(one)) == digest(take_snapshot(parts(tmp_path / "c")))


# -- databases ---------------------------------------------------------------------------------------------------------

NASTY = 'st"ays; DROP TABLE x'


def sqlite(path: Path, rows: list[tuple[object, ...]]) -> str:
    with sqlite3.connect(path) as connection:
        quoted = NASTY.replace('"', '""')
        connection.execute(f'CREATE TABLE "{quoted}" (id TEXT, sex TEXT, weight REAL, seen TEXT)')
        connection.executemany(
            f'INSERT INTO "{quoted}" VALUES (?, ?, ?, ?)',  # noqa: S608
            [(*row[:3], row[3].isoformat()) for row in rows],  # type: ignore[attr-defined]
        )
    connection.close()
    return f"sqlite://{path}"


def by_row(raw: RawTable, declared: Dictionary) -> pd.DataFrame:
    frame = type_table(raw, declared).frame
    return frame.sort_values("seen").reset_index(drop=True)


def test_a_sqlite_table_is_read_whatever_its_name_and_in_an_order_of_its_own(tmp_path: Path) -> None:
    source = Source(table=NASTY)
    first = take_snapshot(sqlite(tmp_path / "a.db", list(ROWS)), source)
    second = take_snapshot(sqlite(tmp_path / "b.db", list(reversed(ROWS))), source)
    pd.testing.assert_frame_equal(by_row(first.table(), dictionary()), expected())
    assert digest(first) == digest(second)
    fewer = take_snapshot(sqlite(tmp_path / "c.db", list(ROWS[:-1])), source)
    assert digest(fewer) != digest(first)


def test_a_query_has_its_parameters_bound_and_can_change_nothing(tmp_path: Path) -> None:
    url = sqlite(tmp_path / "a.db", list(ROWS))
    quoted = NASTY.replace('"', '""')
    query = f'SELECT * FROM "{quoted}" WHERE sex = :sex'  # noqa: S608
    for sex, rows in (("weiblich", 9), ("weiblich' OR '1'='1", 0)):
        source = Source(query=query, parameters={"sex": sex})
        if rows:
            assert take_snapshot(url, source).table().row_count == rows
        else:
            with pytest.raises(IntakeError, match="no rows"):
                take_snapshot(url, source)
    before = (tmp_path / "a.db").read_bytes()
    for attempt in (f'DELETE FROM "{quoted}"', "SELECT 1; SELECT 2", "PRAGMA journal_mode = delete", "nonsense"):  # noqa: S608
        with pytest.raises(IntakeError):
            take_snapshot(url, Source(query=attempt))
    assert (tmp_path / "a.db").read_bytes() == before


def test_a_database_that_cannot_be_read_is_named_without_its_password(tmp_path: Path) -> None:
    for url in (
        f"sqlite://{tmp_path}/none.db",
        "sqlite://host/x",
        "postgresql://u:geheim@127.0.0.1:1/x",
        "postgresql://u:geheim@h/x?nonsense=1",
        "mysql://u:geheim@h/x",
        "POSTGRESQL://u:geheim@h/x",
        "postgres:/u:geheim@h",
    ):
        with pytest.raises(IntakeError) as refusal:
            take_snapshot(url, Source(table="t"))
        assert "geheim" not in str(refusal.value)
    with pytest.raises(IntakeError, match="name table or query"):
        take_snapshot(sqlite(tmp_path / "a.db", list(ROWS)))


@pytest.mark.needs("postgres")
def test_a_postgresql_table_and_query_are_the_same_table(server: Server) -> None:  # noqa: F811
    database = server.empty_database()
    quoted = NASTY.replace('"', '""')
    server.run(
        f'DROP TABLE IF EXISTS "{quoted}"',
        f'CREATE TABLE "{quoted}" '
        "(id text, sex text, weight numeric(5, 1), seen date, left_at timestamp, here boolean)",
        *(
            f'INSERT INTO "{quoted}" VALUES '  # noqa: S608
            f"('{a}', {'NULL' if b is None else repr(b)}, {c}, '{d}', '{d} 10:30', true)"
            for a, b, c, d in ROWS
        ),
        database=database,
    )
    url = server.url(database)
    listed = "id, sex, weight, seen"
    whole = take_snapshot(url, Source(query=f'SELECT {listed} FROM "{quoted}"'))  # noqa: S608
    pd.testing.assert_frame_equal(by_row(whole.table(), dictionary()), expected())
    table = take_snapshot(url, Source(table=f"public.{NASTY}")).table()
    assert table.columns["here"].native == "boolean"
    assert re.fullmatch(r"2020-01-\d\dT10:30:00", table.columns["left_at"].spellings[0])
    bound = Source(
        query=f'SELECT {listed} FROM "{quoted}" WHERE weight >= :least AND sex = :sex',  # noqa: S608
        parameters={"least": 51.0, "sex": "weiblich"},
    )
    assert take_snapshot(url, bound).table().row_count == 5
    for attempt in (
        f'DELETE FROM "{quoted}" RETURNING *',  # noqa: S608
        f'SELECT 1; COMMIT; DROP TABLE "{quoted}"',
        f"SELECT 1 AS a) TO PROGRAM 'touch x'; DROP TABLE \"{quoted}\" --",
    ):
        with pytest.raises(IntakeError, match="cannot be read"):
            take_snapshot(url, Source(query=attempt))
        with pytest.raises(IntakeError, match="cannot be read"):
            take_snapshot(url, Source(query=attempt, parameters={"unused": 1}))
    assert server.run(f'SELECT count(*) FROM "{quoted}"', database=database) == [[20]]  # noqa: S608
    server.run(f'DROP TABLE "{quoted}"', database=database)


def test_a_column_of_flags_with_gaps_is_one_of_flags(tmp_path: Path) -> None:
    """SQLite has no booleans, so the rows are given as a database would give them."""
    names, blocks = ["here"], [[(True,), (None,), (False,)]]
    assert _table(names, iter(blocks)).columns["here"].native == "boolean"


@pytest.mark.needs("postgres")
def test_values_that_are_no_single_ones_are_refused_by_their_column(server: Server) -> None:  # noqa: F811
    url = server.url(server.empty_database())
    for expression in ("ARRAY[1, 2]", "now()", "'\\x00'::bytea", "'{}'::jsonb"):
        with pytest.raises(IntakeError, match="column odd"):
            take_snapshot(url, Source(query=f"SELECT {expression} AS odd"))
    assert take_snapshot(url, Source(query="SELECT 1.50::numeric AS n")).table().columns["n"].spellings == (
        str(Decimal("1.50")),
    )
