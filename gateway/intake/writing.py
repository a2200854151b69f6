"""What are the bytes of a released table? Made once; these are audited, hashed and moved (I-1)."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from gateway.intake.cells import snap
from gateway.intake.checks import check_shape, check_values
from gateway.intake.errors import IntakeError, refuse
from gateway.intake.formulas import guard
from gateway.intake.typed import missing_spellings
from policies import Column, Dictionary

_QUOTED = re.compile('[",\r\n\ufeff]')
_DAY = re.compile(r"T00:00:00$")


def write_csv(frame: pd.DataFrame, dictionary: Dictionary, keys: Mapping[str, Sequence[str]] | None = None) -> bytes:
    """A typed frame as CSV: RFC 4180 with LF line ends, UTF-8 without mark, the same bytes for the same frame.

    Whole numbers have no decimal point, other numbers the fewest digits that read back to the same number; dates are
    ISO 8601; a missing cell is the first missing spelling of its column; texts that a spreadsheet would run are
    guarded by an apostrophe (OWASP, CSV Injection), which ``type_table(..., released=True)`` takes off again. ``keys``
    are the fresh keys of the surrogate columns, one per row: letters and digits, which need no guard.

    Raises
    ------
    IntakeError
        The frame is not a typed frame of this dictionary, or breaks it.
    """
    fresh = _checked(frame, dictionary, keys)
    names = dictionary.leaving
    columns = [
        fresh[name] if name in fresh else _texts(frame[name], dictionary.columns[name], _missing_text(name, dictionary))
        for name in names
    ]
    alone = len(names) == 1
    lines = [",".join(_cell(name) for name in names)]
    lines += ['""' if alone and not row[0] else ",".join(row) for row in zip(*columns, strict=True)]
    return ("\n".join(lines) + "\n").encode("utf-8")


def write_parquet(
    frame: pd.DataFrame, dictionary: Dictionary, keys: Mapping[str, Sequence[str]] | None = None
) -> bytes:
    """A typed frame as Parquet: int64, double, date, timestamp or string per column, missing is null.

    The same frame gives the same bytes with the same pyarrow; no pandas or Arrow extras are stored, so any reader
    sees the plain types.

    Raises
    ------
    IntakeError
        The frame is not a typed frame of this dictionary, or breaks it.
    """
    fresh = _checked(frame, dictionary, keys)
    arrays = [
        pa.array(fresh[name], pa.string()) if name in fresh else _array(frame[name], dictionary.columns[name])
        for name in dictionary.leaving
    ]
    table = pa.Table.from_arrays(arrays, names=list(dictionary.leaving))
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="snappy", version="2.6", store_schema=False)
    return sink.getvalue()


def _checked(
    frame: pd.DataFrame, dictionary: Dictionary, keys: Mapping[str, Sequence[str]] | None
) -> dict[str, list[str]]:
    """The fresh keys of each identifier column that has them, one per row."""
    check_shape(frame, dictionary)
    problems = check_values(frame, dictionary)
    if problems:
        raise IntakeError(problems)
    fresh = {name: list(given) for name, given in (keys or {}).items()}
    if set(fresh) != set(dictionary.surrogates) or any(len(given) != len(frame) for given in fresh.values()):
        raise refuse("the fresh keys do not fit the dictionary's surrogate columns", "give one key per row of each")
    return fresh


def _array(values: pd.Series, column: Column) -> pa.Array:
    gone = values.isna().to_numpy()
    if column.categories is not None:
        codes = pa.array(values.cat.codes.to_numpy(dtype=np.int32), mask=gone)
        return pa.DictionaryArray.from_arrays(codes, pa.array(list(column.categories), pa.string())).cast(pa.string())
    if column.type in ("date", "datetime"):
        seconds = pa.array(values.to_numpy(dtype="datetime64[s]"), pa.timestamp("s"), mask=gone)
        return seconds.cast(pa.date32()) if column.type == "date" else seconds
    floats = _floats(values, column)
    if column.type == "integer":
        return pa.array(np.where(gone, 0.0, floats).astype(np.int64), pa.int64(), mask=gone)
    return pa.array(floats, pa.float64(), mask=gone)


def _texts(values: pd.Series, column: Column, missing: str) -> list[str]:
    if column.categories is not None:
        texts = [_cell(category) for category in column.categories]
        codes = values.cat.codes.to_numpy(dtype=np.int64)
    elif column.type in ("date", "datetime"):
        moments = values.to_numpy(dtype="datetime64[s]")
        codes, distinct = pd.factorize(moments)
        whole = np.datetime_as_string(distinct, unit="s").tolist()
        texts = [_DAY.sub("", text) for text in whole] if column.type == "date" else whole
    else:
        codes, numbers = pd.factorize(_floats(values, column))
        texts = [_number(number) for number in numbers.tolist()]
    texts.append(_cell(missing))  # which code -1 picks
    return [texts[code] for code in codes.tolist()]


def _floats(values: pd.Series, column: Column) -> NDArray[np.float64]:
    floats = values.to_numpy(dtype=np.float64) + 0.0  # no negative zero
    return floats if column.decimals is None else snap(floats, column.decimals)


def _number(number: float) -> str:
    return repr(number).removesuffix(".0")


def _cell(text: str) -> str:
    guarded = guard(text)
    if not _QUOTED.search(guarded):
        return guarded
    doubled = guarded.replace('"', '""')
    return f'"{doubled}"'


def _missing_text(name: str, dictionary: Dictionary) -> str:
    return next(iter(missing_spellings(name, dictionary)), "")
