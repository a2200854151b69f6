"""How do whole numbers, decimals and dates become floats, and floats those again?"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from policies import Column
from synth.calibration.quantiles import Floats

_SPANS = (86_400, 43_200, 3_600, 1_800, 900, 600, 300, 60, 30, 15, 10, 5, 1)
_ON_SPAN = 0.99


@dataclass(frozen=True)
class Unit:
    """The float a column is counted in: its own number, or for dates the longest span that all of them keep.

    Attributes
    ----------
    seconds : seconds in one unit of a date column, 0 for numbers.
    decimals : declared decimals in that unit; None where not declared.
    lower, upper : declared bounds in that unit.
    """

    seconds: int
    decimals: int | None
    lower: float
    upper: float

    @classmethod
    def of(cls, column: Column, cells: pd.Series[Any]) -> Self:
        """Unit of a column whose type is integer, number, date or datetime."""
        low, high = column.minimum, column.maximum
        if isinstance(low, float) and isinstance(high, float):
            return cls(0, 0 if column.type == "integer" else column.decimals, low, high)
        span = span_of(column, cells)
        return cls(span, 0, np.ceil(bound_seconds(low) / span), np.floor(bound_seconds(high) / span))

    def floats(self, cells: pd.Series[Any]) -> Floats:
        """(n,) floats, NaN for missing."""
        if not self.seconds:
            return cells.to_numpy(dtype=np.float64)
        values = np.full(len(cells), np.nan)
        present = cells.notna().to_numpy()
        values[present] = seconds_of(cells[present]) / self.seconds
        return values

    def cells(self, values: Floats) -> NDArray[Any]:
        """Floats as the typed frame holds them: float64, or datetime64[s] with NaT for NaN."""
        if not self.seconds:
            return values + 0.0  # no negative zero
        known = np.isfinite(values)
        seconds = np.zeros(len(values), dtype="datetime64[s]")
        seconds[known] = np.round(values[known] * self.seconds).astype(np.int64).astype("datetime64[s]")
        seconds[~known] = np.datetime64("NaT")
        return seconds


def span_of(column: Column, cells: pd.Series[Any]) -> int:
    """Seconds of the longest usual span of which nearly all cells of a date column are whole multiples."""
    if column.type == "date":
        return _SPANS[0]
    present = seconds_of(cells.dropna())
    return next(span for span in _SPANS if (present % span == 0).sum() >= _ON_SPAN * len(present))


def seconds_of(cells: pd.Series[Any]) -> NDArray[np.float64]:
    """Seconds since 1970 of cells none of which is missing."""
    return cells.to_numpy(dtype="datetime64[s]").astype(np.int64).astype(np.float64)


def bound_seconds(bound: object) -> float:
    """Seconds since 1970 of a declared bound of a date column."""
    moment = bound if isinstance(bound, dt.datetime) else dt.datetime.combine(bound, dt.time())  # type: ignore[arg-type]
    return moment.replace(tzinfo=dt.UTC).timestamp()
