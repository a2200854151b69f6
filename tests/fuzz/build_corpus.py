"""Writes the seeds of the corpus: one small file of every kind a hospital, or somebody who wishes it ill, may send."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

CORPUS = Path(__file__).parent / "corpus"
CSV, GZIP, PARQUET, XLSX = range(4)
PROPOSED = 128

_ROWS = "".join(f"{i},{20 + i},{'fm'[i % 2]},2020-01-{i + 1:02d},{i / 4}\n" for i in range(24))
_SEX = (b"f", b"m", b"Unknown/Invalid", b"?", b"not recorded")
_TEST = (b"None", b"NA", b"--", b"high")
_PLAIN = f"id,age,sex,seen,dose\n{_ROWS}"


def seeds() -> dict[str, bytes]:
    """Name and content of every seed; the first two bytes say how it is read."""
    texts = {
        "plain": _PLAIN.encode(),
        "semicolons": _PLAIN.replace(".", "!").replace(",", ";").replace("!", ",").encode("cp1252"),
        "utf16": _PLAIN.encode("utf-16"),
        "mark": b"\xef\xbb\xbf" + _PLAIN.encode(),
        "mixed-encodings": b"name,x\n" + "Müller,1\n".encode() + "Müller,2\n".encode("cp1252"),
        "nul": b"a,b\n1,\0\n",
        "ragged": b"a,b\n1,2,3\n4\n",
        "duplicate-header": b"a,a\n1,2\n",
        "no-header": b"1,2,3\n4,5,6\n",
        "formulas": b'who,x\n"=cmd|\' /C calc\'!A0",1\n@SUM(A1),2\n+1+1,3\n-2+3,4\n"\t=1",5\n',
        "open-quote": b'a,b\n"1,2\n3,4\n',
        "quotes": b'a,b\n"x ""y"" z","1,5"\n"line\nbreak",2\n',
        "sql-names": b'"x"";DROP TABLE y;--",{{7*7}}\n1,2\n3,4\n',
        "paths": b"../../etc/passwd,<script>alert(1)</script>\n1,2\n",
        "huge-field": b"a,b\n1," + b"x" * 5_000 + b"\n",
        "wide": b",".join(b"c%d" % i for i in range(400)) + b"\n" + b",".join(b"%d" % i for i in range(400)) + b"\n",
        "not-finite": b"x,y\n1,nan\n2,inf\n3,-Infinity\n4,1e999\n",
        "codes": b"icd,zip\n" + b"".join(b"E%d.%d,0%04d\n" % (i % 3, i % 2, i % 5) for i in range(90)),
        "missing": b"a,b,c\n1,?,NA\n2,,NULL\n3,99999,-9\n" + b"4,5,6\n" * 20,
        "levels": b"patient,sex,test,dose\n"
        + b"".join(b"p%d,%s,%s,%d\n" % (i // 2, _SEX[i % 5], _TEST[i % 4], i % 7 * 10) for i in range(60)),
        "dates": b"d,t\n2020-02-29,2020-02-29T23:59\n2021-12-31,2021-12-31T00:00:00\n",
    }
    made = {name: bytes([CSV, 0]) + content for name, content in texts.items()}
    made |= {f"proposed-{name}": bytes([CSV, PROPOSED]) + content for name, content in texts.items()}
    made["gzip"] = bytes([GZIP, 0]) + gzip.compress(_PLAIN.encode(), mtime=0)
    made["gzip-cut"] = made["gzip"][:-9]
    made["gzip-bomb"] = bytes([GZIP, 0]) + gzip.compress(bytes(1 << 22), mtime=0)
    made["parquet"] = bytes([PARQUET, 0]) + _parquet()
    made["parquet-damaged"] = made["parquet"][:60] + b"\xff" * 20 + made["parquet"][80:]
    made["workbook"] = bytes([XLSX, 0]) + _workbook()
    made["zip"] = bytes([XLSX, 0]) + _zip({"a.txt": b"x"})
    made["zip-slip"] = bytes([XLSX, 0]) + _zip({"../../a": b"x", "[Content_Types].xml": b"<x/>"})
    entity = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><x>&b;</x>'
    made["entities"] = bytes([XLSX, 0]) + _zip({"[Content_Types].xml": entity, "xl/workbook.xml": entity})
    return made


def main() -> None:
    CORPUS.mkdir(exist_ok=True)
    for name, content in seeds().items():
        (CORPUS / name).write_bytes(content)


def _parquet() -> bytes:
    sink = io.BytesIO()
    columns = {"id": list(range(24)), "sex": ["f", None] * 12, "x": [i / 4 for i in range(24)]}
    pq.write_table(pa.table(columns), sink, store_schema=False)
    return sink.getvalue()


def _workbook() -> bytes:
    book, content = openpyxl.Workbook(), io.BytesIO()
    for row in [("id", "sex", "x"), *((i, "fm"[i % 2], i / 4) for i in range(24))]:
        book.active.append(row)
    book.save(content)
    return content.getvalue()


def _zip(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return content.getvalue()


if __name__ == "__main__":
    main()
