"""Is this delimited text one rectangular table? Read strictly, told by line number, never by content."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv

from gateway.intake.errors import IntakeError, Problem, refuse
from gateway.intake.raw import MAX_COLUMNS, RawTable, check_header, encode
from policies import Source

_BLANK_LINE = re.compile(rb"\n\r?\n|\r\r")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_BLOCK = 256 * 1024**2
_SPLIT_ADVICE = (
    "put quotes around cells that hold the delimiter, or state another delimiter in the dictionary's [source]"
)
_DELIMITER_ADVICE = "state the delimiter in the dictionary's [source], or save the table as comma-separated CSV"
_UTF8_ADVICE = "state the encoding in the dictionary's [source], or save it as UTF-8 (in Excel: 'CSV UTF-8')"
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
PLAIN = Source()


def parse_csv(content: bytes, source: Source = PLAIN) -> RawTable:
    """A raw table from the bytes of a delimited text, in the encoding and with the delimiter and quote of ``source``.

    Raises
    ------
    IntakeError
        Not of that encoding, NUL bytes, no rows, a faulty header, rows of another length, or faulty quotes.
    """
    if source.encoding != "utf-8":
        content = _recoded(content, source.encoding)
    _check_encoding(content)
    # without the line ends at the end, so that a blank last line is no row
    body = content.removeprefix(codecs.BOM_UTF8).rstrip(b"\r\n") + b"\n"
    header = _header(body, source)
    records = None
    if source.quote.encode() in body or _BLANK_LINE.search(body):
        records = _inspect(
            body, len(header), source
        )  # pyarrow forgives faulty quotes and reads a blank line as empty cells
    table = _parse(body, len(header), source)
    if records is not None and records != table.num_rows:
        raise refuse("two readers disagree about where its rows end", "export it again with every text cell quoted")
    if table.num_rows == 1:
        raise refuse("the table has a header but no rows", "check that the export finished")
    rows = table.slice(1)
    columns = {name: encode(rows.column(i)) for i, name in enumerate(header)}
    return RawTable(columns, rows.num_rows, from_csv=True)


def _recoded(content: bytes, encoding: str) -> bytes:
    """The text in UTF-8."""
    try:
        return content.decode(encoding).encode("utf-8")
    except UnicodeError:
        raise refuse(f"the text is not {encoding}, as the dictionary's [source] says", "correct the encoding") from None


def _check_encoding(content: bytes) -> None:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise refuse("the text is UTF-16", _UTF8_ADVICE)
    nul = content.find(b"\0")
    if nul >= 0:
        raise refuse(f"there is a NUL byte at byte {nul}", "this is not a text file; export it again as CSV")
    decoder = codecs.getincrementaldecoder("utf-8")()
    step = 16 * 1024**2
    for start in range(0, len(content), step):
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(content[start : start + step], final=start + step >= len(content))
        except UnicodeDecodeError as cause:
            at = start - pending + cause.start
            raise refuse(f"the text is not UTF-8 at byte {at}", _UTF8_ADVICE) from None
    if not content.removeprefix(codecs.BOM_UTF8).strip(b"\r\n"):
        raise refuse("the file is empty", "check that the export finished")


def _header(body: bytes, source: Source) -> list[str]:
    if re.split(rb"[\r\n]", body, maxsplit=1)[0].count(source.delimiter.encode()) > 20 * MAX_COLUMNS:
        raise refuse(f"the table has more than {MAX_COLUMNS} columns", "split it or drop columns")
    lines = _records(body, source)
    header = _next(lines, 1)[0]
    check_header(header or [""])
    if sum(_NUMBER.fullmatch(name.strip()) is not None for name in header) > len(header) / 2:
        raise refuse("the first row is mostly numbers", "put a header row with the columns' names first")
    if len(header) == 1:
        second = _next(lines, 2)[0]
        for separator, word in DELIMITERS.items():
            if (
                second
                and separator != source.delimiter
                and 0 < header[0].count(separator) == second[0].count(separator)
            ):
                raise refuse(f"the cells seem to be separated by {word}", _DELIMITER_ADVICE)
    return header


def _parse(body: bytes, width: int, source: Source) -> Any:
    ragged = 0

    def _count(_: object) -> str:
        nonlocal ragged
        ragged += 1
        return "skip"

    names = [str(i) for i in range(width)]
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(body),
            # one block where possible: a record may be longer than pyarrow's usual block
            read_options=pa_csv.ReadOptions(use_threads=False, column_names=names, block_size=min(len(body), _BLOCK)),
            parse_options=pa_csv.ParseOptions(
                delimiter=source.delimiter,
                quote_char=source.quote,
                newlines_in_values=True,
                ignore_empty_lines=False,
                invalid_row_handler=_count,
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, null_values=[]
            ),
        )
    except (pa.ArrowException, OSError):  # its text quotes the row
        _inspect(body, width, source)
        raise refuse("the text is not one table", _SPLIT_ADVICE) from None
    if ragged:
        _inspect(body, width, source)
        raise refuse(f"not the {width} cells of the header", _SPLIT_ADVICE, rows=ragged)
    return table


def _inspect(body: bytes, width: int, source: Source) -> int:
    """Number of records, header included, by a second and stricter reader that also knows line numbers.

    Raises
    ------
    IntakeError
        Faulty quotes, rows of another length, blank lines between rows.
    """
    records = _records(body, source)
    count = blank = blank_at = ragged = ragged_at = 0
    line = 1
    while (step := _next(records, line))[1] > 0:
        record, lines = step
        count += 1
        if not record and width > 1:
            blank += 1
            blank_at = blank_at or line
        elif (len(record) != width and width > 1) or len(record) > width:
            ragged += 1
            ragged_at = ragged_at or line
        line += lines
    problems = []
    if ragged:
        rule = f"not the {width} cells of the header, first at line {ragged_at},"
        problems.append(Problem(rule, _SPLIT_ADVICE, rows=ragged))
    if blank:
        rule = f"blank lines between the rows ({blank}, the first at line {blank_at})"
        problems.append(Problem(rule, "remove them, or restore the rows"))
    if problems:
        raise IntakeError(problems)
    return count


def _records(body: bytes, source: Source) -> Iterator[tuple[list[str], int]]:
    """Each record and how many lines it spans; ([], 0) for ever after the end."""
    text = io.TextIOWrapper(io.BytesIO(body), encoding="utf-8", newline="")
    reader = csv.reader(text, delimiter=source.delimiter, quotechar=source.quote, strict=True)
    before = 0
    for record in reader:
        yield record, reader.line_num - before
        before = reader.line_num
    while True:
        yield [], 0


def _next(records: Iterator[tuple[list[str], int]], line: int) -> tuple[list[str], int]:
    try:
        return next(records)
    except csv.Error as cause:
        if "field limit" in str(cause):
            rule = f"a cell that starts at or after line {line} is too long, or its closing quote is missing"
        else:
            rule = f"the quotes are faulty in the row that starts at line {line}"
        raise refuse(rule, "close every quote, double a quote inside a quoted cell") from None
