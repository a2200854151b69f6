"""Small tables, and strategies that make dictionaries with raw tables that fit them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from gateway.intake.checks import column_dtype
from policies import Column, Dictionary

CANARY = "zebra4711"

# any text a UTF-8 file without NUL can hold
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12).filter(
    lambda text: bool(text.strip())
)


def clinic(**changes: Any) -> Dictionary:
    """A dictionary with every kind of column, and a patient column."""
    fields: dict[str, Any] = {
        "version": 1,
        "name": "clinic",
        "target": "died",
        "patient": "pid",
        "missing": ("", "?"),
        "columns": {
            "pid": Column(type="identifier"),
            "age": Column(type="integer", minimum=0.0, maximum=120.0),
            "weight": Column(type="number", minimum=0.0, maximum=400.0, decimals=1, nullable=True, missing=("-9",)),
            "sex": Column(type="category", categories=("f", "m")),
            "stage": Column(type="ordinal", categories=("1", "2", "3"), nullable=True),
            "died": Column(type="boolean", categories=("no", "yes")),
            "seen": Column(type="date", minimum=dt.date(2000, 1, 1), maximum=dt.date(2030, 1, 1), nullable=True),
            "note": Column(type="text"),
        },
    }
    return Dictionary(**(fields | changes))


ROWS = """pid,age,weight,sex,stage,died,seen,note
p1,61,80.5,f,1,no,2020-01-31,fine
p2,47,?,m,,yes,,"says: ""well"", goes home"
p1,61,-9,f,3.0,no,2020-02-01,fine
"""


def csv(text: str) -> bytes:
    return text.encode()


@st.composite
def released_columns(draw: st.DrawFn) -> Column:
    """A column that is released, of any type, with a domain of any spelling."""
    kind: Any = draw(st.sampled_from(["integer", "number", "boolean", "category", "ordinal", "date", "datetime"]))
    nullable = draw(st.booleans())
    if kind in ("boolean", "category", "ordinal"):
        least, most = (2, 2) if kind == "boolean" else (1, 5)
        spelled = st.one_of(texts, st.sampled_from(["=1+1", "'=1", "-1", "@x", "1", "1.0", "01", "a,b", '"', "\n"]))
        wanted = spelled.filter(lambda text: text not in ("", "?"))
        categories = draw(st.lists(wanted, unique=True, min_size=least, max_size=most))
        return Column(type=kind, categories=tuple(categories), nullable=nullable)
    if kind == "date":
        low = draw(st.dates(max_value=dt.date(9000, 1, 1)))
        return Column(
            type=kind, minimum=low, maximum=low + dt.timedelta(draw(st.integers(1, 99999))), nullable=nullable
        )
    if kind == "datetime":
        start = draw(st.datetimes(max_value=dt.datetime(9000, 1, 1))).replace(microsecond=0)  # noqa: DTZ001
        span = dt.timedelta(seconds=draw(st.integers(1, 10**9)))
        return Column(type=kind, minimum=start, maximum=start + span, nullable=nullable)
    bound = draw(st.sampled_from([1.0, 1000.0, 2.0**53]))
    decimals = draw(st.one_of(st.none(), st.integers(0, 4))) if kind == "number" else None
    return Column(type=kind, minimum=-bound, maximum=bound, decimals=decimals, nullable=nullable)


@st.composite
def typed_frames(draw: st.DrawFn) -> tuple[pd.DataFrame, Dictionary]:
    """A dictionary and a typed frame that keeps it."""
    columns = draw(
        st.dictionaries(names.filter(lambda n: not n.startswith("\ufeff")), released_columns(), min_size=1, max_size=4)
    )
    dictionary = Dictionary(version=1, name="drawn", missing=("", "?"), columns=columns)
    rows = draw(st.integers(1, 8))
    return pd.DataFrame({name: draw(_values(column, rows)) for name, column in columns.items()}), dictionary


def _values(column: Column, rows: int) -> st.SearchStrategy[pd.Series]:
    dtype = column_dtype(column)
    low: Any = column.minimum
    high: Any = column.maximum
    cell: st.SearchStrategy[Any]
    gap: Any = None
    if column.categories is not None:
        cell = st.sampled_from(column.categories)
    elif column.type == "date":
        cell = st.dates(low, high)
        gap = pd.NaT
    elif column.type == "datetime":
        cell = st.datetimes(low, high).map(lambda moment: moment.replace(microsecond=0))
        gap = pd.NaT
    elif column.type == "integer":
        cell = st.integers(int(low), int(high)).map(float)
        gap = np.nan
    else:
        cell = st.floats(low, high)
        gap = np.nan
        if column.decimals is not None:
            cell = cell.map(lambda value: round(float(value), column.decimals) + 0.0)
    if column.nullable:
        cell = st.one_of(cell, st.just(gap))
    return st.lists(cell, min_size=rows, max_size=rows).map(lambda cells: _series(cells, dtype))


def _series(cells: list[Any], dtype: Any) -> pd.Series:
    if isinstance(dtype, pd.CategoricalDtype):
        codes = [-1 if cell is None else list(dtype.categories).index(cell) for cell in cells]
        return pd.Series(pd.Categorical.from_codes(codes, dtype=dtype))
    if dtype.kind == "M":
        return pd.Series(np.array([np.datetime64("NaT") if cell is pd.NaT else cell for cell in cells], dtype=dtype))
    return pd.Series(np.array(cells, dtype=dtype) + 0.0)
