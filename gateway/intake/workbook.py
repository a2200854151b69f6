"""Which text stands in each cell of a workbook's sheet? The same that a CSV of the sheet would hold."""

from __future__ import annotations

import datetime as dt
import io
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import ParseError

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from gateway.intake.errors import IntakeError, refuse, shown
from gateway.intake.raw import MAX_COLUMNS, RawTable, check_header
from gateway.intake.rows import raw_table, text_of

MAX_ROWS = 1_048_576  # of a sheet
MAX_UNPACKED = 2 * 1024**3
MAX_RATIO = 200
_RATIO_FROM = 64 * 1024**2
_DAMAGED = ("the file is not an .xlsx workbook, or is damaged or protected by a password", "save it again as .xlsx")
_FAULTS = (
    *(InvalidFileException, zipfile.BadZipFile, zlib.error, ParseError),
    *(ArithmeticError, AttributeError, EOFError, LookupError, NotImplementedError, OSError, TypeError, ValueError),
)
_ERRORS = frozenset({"#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!"})


def parse_workbook(content: bytes, sheet: str | None = None) -> RawTable:
    """A raw table from one sheet of an .xlsx workbook, the first by default; an empty cell has code -1.

    Formulas count as the values they had when the workbook was saved. Rows that are empty throughout are passed over
    at the end and refused in between.

    Raises
    ------
    IntakeError
        Not a workbook, beyond the size limits, no such sheet, no rows, a faulty header, cells beyond it, or cells that
        hold an error such as #N/A.
    """
    _check_archive(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions that no cell depends on
            book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
            try:
                names = book.sheetnames
                if sheet is not None and sheet not in names:
                    raise refuse(
                        f"the workbook has no sheet {shown(sheet)} among its {len(names)}",
                        "correct sheet in the dictionary's [source]",
                    )
                page = book[sheet if sheet is not None else names[0]]
                page.reset_dimensions()  # what the file says of its size need not be so
                return _table(page.iter_rows(values_only=True))
            finally:
                book.close()
    except IntakeError:
        raise
    except _FAULTS:
        raise refuse(*_DAMAGED) from None


def _check_archive(content: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(item.file_size for item in archive.infolist())
            named = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        raise refuse(*_DAMAGED) from None
    if unpacked > MAX_UNPACKED or (unpacked > _RATIO_FROM and unpacked > MAX_RATIO * len(content)):
        raise refuse("the workbook unpacks to far more than its size allows", "save the sheet as CSV and inspect it")
    if any(name.lower().endswith("vbaproject.bin") for name in named):
        raise refuse("the workbook holds macros", "save it as .xlsx without them")


def _table(rows: Iterator[tuple[Any, ...]]) -> RawTable:
    header = _trimmed(next(rows, ()))
    if len(header) > MAX_COLUMNS:
        raise refuse(f"the table has more than {MAX_COLUMNS} columns", "split it or drop columns")
    names = ["" if cell is None else str(cell) for cell in header]
    check_header(names)
    columns: list[list[str | None]] = [[] for _ in names]
    blank = wide = errors = 0
    pending = 0
    for number, row in enumerate(rows, 2):
        if number > MAX_ROWS:
            raise refuse(f"the sheet has more than {MAX_ROWS} rows", "export it as CSV or Parquet")
        cells = _trimmed(row)
        if not cells:
            pending += 1
            continue
        blank, pending = blank + pending, 0
        wide += len(cells) > len(names)
        for place, column in enumerate(columns):
            value = cells[place] if place < len(cells) else None
            errors += isinstance(value, str) and value in _ERRORS
            column.append(_text(value, names[place]))
    if wide:
        raise refuse(f"cells beyond the {len(names)} of the header", "name every column in the first row", rows=wide)
    if blank:
        raise refuse("empty rows between the others", "remove them, or restore the rows", rows=blank)
    if errors:
        raise refuse(f"{errors} cells hold an error such as #N/A or #DIV/0!", "mend the formulas, or clear the cells")
    return raw_table(dict(zip(names, columns, strict=True)))


def _text(value: Any, column: str) -> str | None:
    if isinstance(value, dt.time | dt.timedelta):
        raise refuse("times without a date", "write them as numbers or texts", column=column)
    return text_of(value, column)


def _trimmed(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Without the empty cells at the end."""
    last = len(row)
    while last and (row[last - 1] is None or row[last - 1] == ""):
        last -= 1
    return row[:last]
