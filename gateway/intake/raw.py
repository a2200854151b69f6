"""What does a table hold before any meaning is given to it? Distinct spellings, and one code per cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gateway.intake.errors import refuse, shown

MAX_COLUMNS = 5_000
MAX_CELL_BYTES = 100_000
MAX_NAME = 200  # what a dictionary can name

Native = Literal["text", "boolean"]


@dataclass(frozen=True)
class Cells:
    """One column as text.

    ``spellings`` holds each distinct text once, in order of first appearance; ``codes`` holds one index into it per
    row, -1 where a typed format stores a null. ``native`` is ``boolean`` where the file itself had true and false.
    """

    spellings: tuple[str, ...]
    codes: NDArray[np.int32]
    native: Native = "text"

    @property
    def counts(self) -> NDArray[np.int64]:
        """Rows per spelling, shape (len(spellings),)."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.spellings)).astype(np.int64)

    @property
    def nulls(self) -> int:
        return int(np.count_nonzero(self.codes < 0))

    def spread(self, values: NDArray[Any], null: Any) -> NDArray[Any]:
        """One value per spelling, laid out as one value per row; ``null`` where there is no cell."""
        return np.append(values, np.asarray([null], dtype=values.dtype))[self.codes]

    def take(self, rows: slice) -> Cells:
        """The cells of some rows, with the spellings that occur in them."""
        codes = self.codes[rows]
        result = np.full(len(codes), -1, dtype=np.int32)
        result[codes >= 0], used = pd.factorize(codes[codes >= 0])
        return Cells(tuple(self.spellings[code] for code in used.tolist()), result, self.native)


@dataclass(frozen=True)
class RawTable:
    """A table as it stood in the file: every cell its text, nothing guessed, nothing dropped.

    ``from_csv`` says that cells may carry the guard against spreadsheet formulas.
    """

    columns: Mapping[str, Cells]
    row_count: int
    from_csv: bool = False

    @classmethod
    def from_text(cls, columns: Mapping[str, Sequence[str | None]]) -> RawTable:
        """A raw table from columns of text, all of one length; ``None`` is a null."""
        lengths = {len(cells) for cells in columns.values()}
        if len(lengths) != 1:
            raise refuse("columns of different lengths, or no column at all", "give every column one cell per row")
        encoded = {name: encode(pa.array(list(cells), pa.string())) for name, cells in columns.items()}
        return cls(encoded, lengths.pop())

    @classmethod
    def joined(cls, parts: Sequence[RawTable]) -> RawTable:
        """The rows of tables with the same columns, one after the other.

        Raises
        ------
        IntakeError
            Their columns differ.
        """
        names = list(parts[0].columns)
        if any(list(part.columns) != names for part in parts):
            raise refuse("the parts have different columns, or another order of them", "write all parts alike")
        if len(parts) == 1:
            return parts[0]
        columns = {name: _joined([part.columns[name] for part in parts]) for name in names}
        return cls(columns, sum(part.row_count for part in parts), all(part.from_csv for part in parts))

    def rows(self, start: int, stop: int) -> RawTable:
        """The table of some of its rows."""
        columns = {name: cells.take(slice(start, stop)) for name, cells in self.columns.items()}
        return RawTable(columns, min(stop, self.row_count) - start, self.from_csv)


def _joined(parts: Sequence[Cells]) -> Cells:
    place: dict[str, int] = {}
    codes = []
    for cells in parts:
        moved = np.array([place.setdefault(text, len(place)) for text in cells.spellings], dtype=np.int32)
        codes.append(np.append(moved, np.int32(-1))[cells.codes])
    native: Native = "boolean" if all(cells.native == "boolean" for cells in parts) else "text"
    return Cells(tuple(place), np.concatenate(codes), native)


def encode(column: Any, native: Native = "text") -> Cells:
    """Distinct spellings and codes of a pyarrow array or chunked array of any type that casts to text.

    Raises
    ------
    IntakeError
        A cell is longer than ``MAX_CELL_BYTES`` bytes, is not UTF-8 or holds a NUL.
    """
    if pa.types.is_null(column.type):
        return Cells((), np.full(len(column), -1, dtype=np.int32), native)
    chunked = column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])
    if not pa.types.is_dictionary(chunked.type):
        chunked = pc.dictionary_encode(chunked)
    combined = chunked.unify_dictionaries().combine_chunks()
    if isinstance(combined, pa.ChunkedArray):  # a column of no chunks stays chunked
        return Cells((), np.empty(0, dtype=np.int32), native)
    texts = pc.cast(combined.dictionary, pa.large_string())
    longest = pc.max(pc.binary_length(texts)).as_py() or 0
    if longest > MAX_CELL_BYTES:
        raise refuse(
            f"a cell is longer than {MAX_CELL_BYTES} bytes", "shorten it, or leave long texts out of the table"
        )
    try:
        spelled = texts.to_pylist()
    except UnicodeDecodeError:  # it would carry the cell
        raise refuse("a text cell is not UTF-8", "write the file again") from None
    if any("\0" in text for text in spelled if text is not None):
        raise refuse("a text cell holds a NUL character", "remove it")
    slots = combined.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    # a file's own dictionary may repeat an entry, hold one nobody uses, or hold a null
    entry, distinct = pd.factorize(np.array(spelled, dtype=object))
    per_row = np.append(entry, -1)[slots]
    codes = np.full(len(per_row), -1, dtype=np.int32)
    codes[per_row >= 0], used = pd.factorize(per_row[per_row >= 0])
    return Cells(tuple(distinct[used].tolist()), codes, native)


def check_header(names: Sequence[str]) -> None:
    """Refuse a header a dictionary could not name.

    Columns are told by position: in a file without a header these "names" are a patient's cells.

    Raises
    ------
    IntakeError
        No column, too many, an empty name, one too long, or two alike.
    """
    if not names:
        raise refuse("the table has no columns", "give it a header row and at least one column")
    if len(names) > MAX_COLUMNS:
        raise refuse(f"the table has more than {MAX_COLUMNS} columns", "split it or drop columns")
    if any("\0" in name for name in names):
        raise refuse("the header holds a NUL character", "name the columns in plain text")
    empty = [str(i) for i, name in enumerate(names, 1) if not name.strip()]
    if empty:
        raise refuse(f"the header is empty at column {_some(empty)}", "name every column in the first row")
    long = [str(i) for i, name in enumerate(names, 1) if len(name) > MAX_NAME]
    if long:
        raise refuse(
            f"the header is longer than {MAX_NAME} characters at column {_some(long)}",
            "shorten the names; a first row of data is not a header",
        )
    seen: dict[str, int] = {}
    twice = []
    for i, name in enumerate(names, 1):
        if name in seen:
            twice.append(f"{seen[name]} and {i}")
        seen.setdefault(name, i)
    if twice:
        raise refuse(
            f"the header repeats a name: columns {_some(twice)}",
            "name every column once; a first row of data is not a header",
        )


def name_columns(names: Sequence[str]) -> str:
    """Some column names for a message, safe to print."""
    return _some([shown(name) for name in names])


def _some(items: Sequence[str]) -> str:
    return ", ".join(items[:10]) + (f" and {len(items) - 10} more" if len(items) > 10 else "")
