"""Files made to hurt, given to the installed command in a process of its own with a bound on its memory."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from policies import parse_dictionary

CANARY = "Kanarienvogel-4711"
MEMORY = 1_000  # mebibytes; a file of 100 MB is held more than once, and Python and its libraries have 300


def csv(*lines: str) -> Callable[[], bytes]:
    return lambda: ("\n".join(lines) + "\n").encode()


def long_field() -> bytes:
    return b"a,b\n1," + CANARY.encode() + b"x" * 100_000_000 + b"\n2,3\n"


def many_columns() -> bytes:
    header = ",".join(f"c{i}" for i in range(10_000))
    return f"{header}\n{','.join([CANARY] * 10_000)}\n".encode()


def gzip_bomb() -> bytes:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as stream:
        stream.write(f"a,{CANARY}\n".encode())
        for _ in range(10):
            stream.write(bytes(16_000_000))
    return packed.getvalue()


def zip_bomb() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", f"<{CANARY}/>")
        for number in range(10):
            archive.writestr(f"xl/worksheets/sheet{number}.xml", bytes(16_000_000))
    return packed.getvalue()


def entity_bomb() -> bytes:
    """Nine levels of ten entities each: a billion laughs in the sheet of a proper workbook."""
    book, content = openpyxl.Workbook(), io.BytesIO()
    book.active.append(["a", "b"])
    book.save(content)
    entities = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 10))
    sheet = (
        f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e0 "{CANARY}">{entities}]>'
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        '<row r="1"><c r="A1" t="inlineStr"><is><t>&e9;</t></is></c></row></sheetData></worksheet>'
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(content) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for item in source.infolist():
            is_sheet = item.filename.endswith("sheet1.xml")
            archive.writestr(item.filename, sheet if is_sheet else source.read(item.filename))
    return packed.getvalue()


def parquet_bomb() -> bytes:
    """A hundred thousand cells of 90,000 characters that are all alike."""
    sink = io.BytesIO()
    part = pa.table({"c": pa.repeat((CANARY * 5_000)[:90_000], 300)})
    with pq.ParquetWriter(sink, part.schema, compression="zstd", use_dictionary=False) as writer:
        for _ in range(330):
            writer.write_table(part)
    return sink.getvalue()


HOSTILE: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "a field of 100 MB": ("t.csv", long_field, "a cell is longer than"),
    "ten thousand columns": ("t.csv", many_columns, "more than 5000 columns"),
    "a gzip bomb": ("t.csv.gz", gzip_bomb, "unpacks to far more"),
    "a zip bomb": ("t.xlsx", zip_bomb, "unpacks to far more"),
    "a billion laughs": ("t.xlsx", entity_bomb, "not an .xlsx workbook"),
    "NUL": ("t.csv", lambda: f"a,b\n{CANARY},\0\n".encode(), "NUL"),
    "two encodings": ("t.csv", lambda: b"a\n\xc3\xbc" + CANARY.encode() + b"\n\xfc\n" * 20, "mixes UTF-8 with another"),
    "ragged rows": ("t.csv", csv("a,b", f"{CANARY},1,2", "3"), "not the 2 cells of the header"),
    "a header twice": ("t.csv", csv("a,a", f"{CANARY},1"), "repeats a name"),
    "an open quote": ("t.csv", csv("a,b", f'"{CANARY},1', "2,3"), "quote"),
    "nothing but a header": ("t.csv", csv("a,b"), "no rows"),
    "a text called Parquet": ("t.parquet", csv("a,b", f"{CANARY},1"), "not Parquet"),
    "a text called a workbook": ("t.xlsx", csv("a,b", f"{CANARY},1"), "not an .xlsx workbook"),
}


_PROGRAM = """
import atexit, pathlib, resource, sys
report = pathlib.Path(sys.argv.pop())
atexit.register(lambda: report.write_text(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)))
from gateway.cli import run
run()
"""


def draft(path: Path) -> tuple[subprocess.CompletedProcess[str], int]:
    """``gateway dictionary draft`` of a file, and the mebibytes it came to hold."""
    report = path.parent.with_name(path.parent.name + "-peak")
    result = subprocess.run(
        [sys.executable, "-c", _PROGRAM, "dictionary", "draft", str(path), str(report)],
        capture_output=True, text=True, cwd=path.parent, check=False,
    )  # fmt: skip
    return result, int(report.read_text())


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_ends_in_one_clear_line_and_little_memory(name: str, tmp_path: Path) -> None:
    file, content, word = HOSTILE[name]
    (tmp_path / file).write_bytes(content())
    result, peak = draft(tmp_path / file)
    assert result.returncode == 2, result.stderr[-500:]
    assert result.stderr.startswith("Error: ")
    assert word in result.stderr
    assert len(result.stderr) < 1_000
    assert CANARY not in result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == [file]
    assert peak < MEMORY


@pytest.mark.slow
def test_a_table_that_unfolds_is_refused_by_what_its_footer_says(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(parquet_bomb())
    result, peak = draft(tmp_path / "t.parquet")
    assert peak < MEMORY
    assert result.returncode == 2
    assert "unpacks to more than" in result.stderr
    assert CANARY not in result.stderr


NAMES = [
    'x"; DROP TABLE y; --',
    "{{7*7}}",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "=1+1",
    "a\x1b[31mb",
    "\u202eabc",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_only_a_name(name: str, tmp_path: Path) -> None:
    """Whatever a column is called, the draft is a dictionary of exactly that column and nothing is run or written."""
    quoted = name.replace('"', '""')
    rows = "".join(f"{i % 7},{i}\n" for i in range(40))
    (tmp_path / "t.csv").write_text(f'"{quoted}",y\n{rows}', encoding="utf-8")
    result, _ = draft(tmp_path / "t.csv")
    assert result.returncode == 0, result.stderr
    assert "\x1b" not in result.stdout + result.stderr
    assert list(parse_dictionary(result.stdout.encode()).columns) == [name, "y"]
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]
