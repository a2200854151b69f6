"""Bytes in: what is read as a table, and everything that is refused."""

from __future__ import annotations

import gzip
import io
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.intake import IntakeError, RawTable, format_of, read_bytes, read_table, reading
from gateway.intake import raw as raw_module
from tests.gateway.intake.tables import CANARY, names, texts


def cells(raw: RawTable, name: str) -> list[str | None]:
    column = raw.columns[name]
    return [None if code < 0 else column.spellings[code] for code in column.codes]


def told(content: bytes, *words: str) -> str:
    """The refusal of some CSV bytes; checks that it says the words and no cell."""
    with pytest.raises(IntakeError) as refusal:
        read_table(content, "csv")
    message = str(refusal.value)
    for word in words:
        assert word in message, message
    assert CANARY not in message
    return message


def test_every_cell_stays_the_text_it_is() -> None:
    raw = read_table(b"a,b\nNone,NA\n 01,nan\n1e5,\n", "csv")
    assert cells(raw, "a") == ["None", " 01", "1e5"]
    assert cells(raw, "b") == ["NA", "nan", ""]
    assert raw.row_count == 3


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_marks_and_line_ends_make_no_difference(start: bytes, end: bytes) -> None:
    raw = read_table(start + end.join([b"a,b", b"1,2", b"3,4", b""]), "csv")
    assert (cells(raw, "a"), cells(raw, "b")) == (["1", "3"], ["2", "4"])


def test_quoted_cells_hold_commas_quotes_and_line_ends() -> None:
    raw = read_table(b'"a",b\n"x, ""y""\nz",2\n', "csv")
    assert cells(raw, "a") == ['x, "y"\nz']


def test_blank_lines_at_the_end_are_no_rows() -> None:
    assert read_table(b"a,b\n1,2\n\n\r\n\n", "csv").row_count == 1
    assert read_table(b"a\n1\n\n\n", "csv").row_count == 1


def test_a_last_line_without_line_end_is_a_row() -> None:
    assert read_table(b"a,b\n1,2", "csv").row_count == 1


@settings(deadline=None)
@given(st.lists(names, min_size=1, max_size=4, unique=True), st.data())
def test_any_text_survives_quoting(header: list[str], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.tuples(*[texts] * len(header)), min_size=1, max_size=5))
    quoted = [",".join('"' + text.replace('"', '""') + '"' for text in row) for row in [tuple(header), *rows]]
    try:
        raw = read_table("\n".join(quoted).encode(), "csv")
    except IntakeError as refusal:
        # headers of mostly numbers are taken for data, and one column of a;b for semicolons
        assert "numbers" in str(refusal) or "separated" in str(refusal)  # noqa: PT017
        return
    assert list(raw.columns) == header
    for i, name in enumerate(header):
        assert cells(raw, name) == [row[i] for row in rows]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["empty"]),
        (b"\xef\xbb\xbf\n\n", ["empty"]),
        (b"a,b\n", ["no rows"]),
        (b"a,b", ["no rows"]),
        (b"a,,c\n1,2,zebra4711\n", ["empty at column 2"]),
        (b"\na,b\n1,2\n", ["empty at column 1"]),
        (b"zebra4711,b,zebra4711\n1,2,3\n", ["columns 1 and 3"]),
        (b"63,1,145,zebra4711\n37,1,130,zebra4711\n", ["mostly numbers", "header"]),
        (b"a;b\nzebra4711;2\n", ["semicolons"]),
        (b"a\tb\nzebra4711\t2\n", ["tabs"]),
        (b"a,b\n1,2\nzebra4711\nzebra4711,2,3\n5,6\n", ["2 rows", "2 cells", "line 3"]),
        (b'a,b\n"x\ny",2\n3,4\nzebra4711\n', ["1 row;", "line 5"]),
        (b"a,b\n1,2\n\n3,4\n", ["blank", "(1, ", "line 3"]),
        (b"a,b\r\n1,2\r\n\r\n3,4\r\n", ["blank", "line 3"]),
        (b'a,b\n1,2\n"zebra4711"x,2\n', ["quotes", "line 3"]),
        (b'a,b\n1,"zebra4711\n3,4\n', ["quotes", "line 2"]),
        (b'"a,b\n1,2\n', ["quotes", "line 1"]),
        (b"a,b\n1,zebra4711\0\n", ["NUL", "byte 15"]),
        (b"a,b\nzebra4711,\xff\n", ["UTF-8", "byte 14"]),
        ("a,b\nzebra4711,2\n".encode("utf-16"), ["UTF-16"]),
        ("a,b\nM\u00fcller,zebra4711\n".encode("latin-1"), ["UTF-8", "byte 5"]),
        (b"a,b\n" + b"z" * 200_000 + b",zebra4711\n", ["longer than 100000"]),
        (b'a,b\n"' + b"z" * 200_000 + b'",zebra4711\n', ["too long"]),
        (b",".join(b"c%d" % i for i in range(6000)) + b"\n" + b",".join([b"zebra4711"] * 6000), ["5000 columns"]),
        (b"," * 200_000 + b"zebra4711\n", ["5000 columns"]),
        (b"zebra4711" * 30 + b",b\n1,2\n", ["longer than 200", "column 1"]),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_with_its_place(content: bytes, words: list[str]) -> None:
    told(content, *words)


def test_not_utf8_is_placed_across_chunks() -> None:
    lead = b"a,b\n" + b"x,y\n" * (4 * 1024**2)  # over one 16 MiB step, with a character torn by its end
    torn = lead[: 16 * 1024**2 - 1] + b"\xe2\x82"
    told(torn, f"byte {16 * 1024**2 - 1}")


def test_one_column_is_a_table() -> None:
    assert cells(read_table(b'a\n1\n""\n\n2\n', "csv"), "a") == ["1", "", "", "2"]


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_table_or_a_refusal(content: bytes) -> None:
    for file_format in ("csv", "csv.gz", "parquet"):
        try:
            raw = read_table(content, file_format)
        except IntakeError:
            continue
        assert raw.row_count >= 1


@settings(deadline=None)
@given(st.lists(st.sampled_from(['"', ",", "\n", "\r", "a", "1", " ", "\u20ac"]), max_size=14))
def test_any_play_of_quotes_and_commas_is_a_rectangle_or_a_refusal(signs: list[str]) -> None:
    try:
        raw = read_table(("h,i\n" + "".join(signs)).encode(), "csv")
    except IntakeError:
        return
    assert {len(column.codes) for column in raw.columns.values()} == {raw.row_count}


def test_a_gzip_file_reads_like_its_content() -> None:
    assert cells(read_table(gzip.compress(b"a,b\n1,2\n"), "csv.gz"), "a") == ["1"]


def test_gzip_in_parts_reads_whole() -> None:
    assert read_table(gzip.compress(b"a,b\n1,2\n") + gzip.compress(b"3,4\n")).row_count == 2


@pytest.mark.parametrize(
    "content",
    [b"a,b\n1,2\n", gzip.compress(b"a,b\n1,2\n")[:-4], gzip.compress(b"a,b\n1,2\n")[:-8] + b"\0" * 8],
    ids=["no gzip", "cut short", "wrong checksum"],
)
def test_damaged_gzip_is_refused(content: bytes) -> None:
    with pytest.raises(IntakeError, match="gzip"):
        read_table(content, "csv.gz")


def test_a_gzip_bomb_is_refused_before_it_unfolds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_RATIO_FROM", 1024**2)
    with pytest.raises(IntakeError, match="unpacks"):
        read_table(gzip.compress(b"a" * 8 * 1024**2), "csv.gz")


def test_size_limits_hold_for_files_streams_and_unpacked_text(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", 50)
    (tmp_path / "t.csv").write_bytes(b"a,b\n" + b"1,2\n" * 20)
    for source in (tmp_path / "t.csv", io.BytesIO(b"a,b\n" + b"1,2\n" * 20)):
        with pytest.raises(IntakeError, match="larger"):
            read_table(source)
    with pytest.raises(IntakeError, match="unpacks"):
        read_table(gzip.compress(b"a,b\n" + b"1,2\n" * 200), "csv.gz")


def test_a_path_a_link_bytes_and_a_stream_give_the_same_table(tmp_path: Path) -> None:
    content = b"a,b\n1,2\n"
    path = tmp_path / "Table.CSV"
    path.write_bytes(content)
    (tmp_path / "link.csv").symlink_to(path)
    sources = (
        path,
        str(path),
        tmp_path / "link.csv",
        content,
        bytearray(content),
        memoryview(content),
        io.BytesIO(content),
    )
    assert {tuple(cells(read_table(source), "b")) for source in sources} == {("2",)}
    assert read_bytes(path) == content


def test_a_missing_file_a_folder_a_pipe_and_a_closed_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(IntakeError, match=r"absent.csv: the file does not exist"):
        read_table(tmp_path / "absent.csv")
    with pytest.raises(IntakeError, match="not a file"):
        read_table(tmp_path)
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(IntakeError, match="not a file"):
        read_table(tmp_path / "pipe.csv")
    if os.geteuid() != 0:  # root reads everything
        (tmp_path / "closed.csv").write_bytes(b"a,b\n1,2\n")
        (tmp_path / "closed.csv").chmod(0)
        with pytest.raises(IntakeError, match="permissions"):
            read_table(tmp_path / "closed.csv")


def test_the_format_follows_from_the_name() -> None:
    assert [format_of(name) for name in ("a.csv", "a.CSV.GZ", "a.b.parquet", "a.tsv", "a.xlsx")] == [
        *("csv", "csv.gz", "parquet", "csv", "xlsx")
    ]
    for name in ("a.docx", "csv", "a.csv.zip"):
        with pytest.raises(IntakeError, match="format"):
            format_of(name)


def test_columns_of_unequal_length_are_no_table() -> None:
    with pytest.raises(IntakeError, match="lengths"):
        RawTable.from_text({"a": ["1"], "b": []})


def test_names_are_printed_on_one_line() -> None:
    assert raw_module.name_columns(["a\nb\x1b[31m", "x" * 300]) == r"a\nb\x1b[31m, " + "x" * 60 + "..."
