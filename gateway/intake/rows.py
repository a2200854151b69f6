"""Which text stands for a value that a workbook or a database holds?"""

from __future__ import annotations

import datetime as dt
import math
import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from gateway.intake.errors import refuse
from gateway.intake.raw import RawTable, encode


def raw_table(columns: Mapping[str, Sequence[str | None]]) -> RawTable:
    """A raw table of texts, None for a null; a column of nothing but ``true`` and ``false`` is still text.

    Raises
    ------
    IntakeError
        There is no row.
    """
    if not any(columns.values()):
        raise refuse("the table has no rows", "check the sheet, or the table or query in the dictionary's [source]")
    encoded = {name: encode(pa.array(cells, pa.large_string())) for name, cells in columns.items()}
    return RawTable(encoded, len(next(iter(columns.values()))))


def text_of(value: Any, column: str) -> str | None:
    """The text of a number, text, boolean, date or local time as CSV would have it; None for a null.

    Raises
    ------
    IntakeError
        A value of another kind: bytes, a list, a time with a zone.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | uuid.UUID):
        return str(value)
    if isinstance(value, float):
        return (
            repr(value)
            if not math.isfinite(value) or not value.is_integer() or abs(value) >= 2**53
            else str(int(value))
        )
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dt.datetime):
        if value.tzinfo is not None:
            raise refuse("times carry a zone", "convert them to local times without a zone", column=column)
        return value.isoformat(sep="T", timespec="auto")
    if isinstance(value, dt.date):
        return value.isoformat()
    raise refuse("cells are not single numbers, texts, booleans or dates", "convert or drop the column", column=column)
