"""Which dates are counted from which other date of their row, so that the time between them is kept?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from policies import Column
from synth.calibration.quantiles import Floats
from synth.encoding.numbers import Unit, bound_seconds, seconds_of, span_of

_CLOSE = 0.5
"""A date is counted from another one if the time between them spreads over less than this share of its own spread."""
_TAIL = 0.05


@dataclass(frozen=True)
class Elapsed:
    """Time from the date in another column, in whole units.

    Attributes
    ----------
    source : the column it is counted from, itself rounded down to a whole unit.
    unit : the span it is counted in; bounds are those that both columns' declared bounds leave.
    lowest, highest : declared bounds of the column itself, in seconds.
    """

    source: str
    unit: Unit
    lowest: float
    highest: float

    @classmethod
    def of(cls, column: Column, cells: pd.Series[Any], source: str, beside: Column) -> Self:
        """How the cells of a column are counted from column ``source``, which is ``beside`` in the dictionary."""
        span = span_of(column, cells)
        lowest, highest = bound_seconds(column.minimum), bound_seconds(column.maximum)
        first, last = bound_seconds(beside.minimum), bound_seconds(beside.maximum)
        unit = Unit(span, 0, float(np.floor((lowest - last) / span)), float(np.ceil((highest - first) / span)))
        return cls(source, unit, lowest, highest)

    def floats(self, cells: pd.Series[Any], begin: pd.Series[Any]) -> Floats:
        """(n,) elapsed units, NaN where the cell is missing."""
        span = self.unit.seconds
        values = np.full(len(cells), np.nan)
        present = cells.notna().to_numpy()
        start = np.floor(seconds_of(begin[present]) / span)
        values[present] = seconds_of(cells[present]) / span - start
        return values

    def cells(self, values: Floats, begin: NDArray[Any]) -> NDArray[Any]:
        """Dates as the typed frame holds them, within the declared bounds; missing where ``begin`` is."""
        span = self.unit.seconds
        known = np.isfinite(values) & ~np.isnat(begin)
        result = np.full(len(values), np.datetime64("NaT"), dtype="datetime64[s]")
        start = np.floor(begin[known].astype(np.int64) / span)
        lowest, highest = np.ceil(self.lowest / span), np.floor(self.highest / span)
        moment = np.clip(start + np.round(values[known]), lowest, highest) * span
        result[known] = moment.astype(np.int64).astype("datetime64[s]")
        return result


def linked_dates(columns: Mapping[str, Column], table: pd.DataFrame, names: list[str]) -> dict[str, str]:
    """Source of every date column that is counted from another one, sources before those counted from them.

    Each column is tied to the earlier date it is closest to, the closest pair first, so that an admission, a discharge
    and a death make a chain. A date is no source of one that is present where it is missing itself.
    """
    dates = [name for name in names if columns[name].type in ("date", "datetime")]
    seconds = {}
    for name in dates:
        values = np.full(len(table), np.nan)
        present = table[name].notna().to_numpy()
        values[present] = seconds_of(table[name][present])
        seconds[name] = values
    closest = []
    for name in dates:
        known = ~np.isnan(seconds[name])
        own = _spread(seconds[name])
        for source in dates:
            between = seconds[name][known] - seconds[source][known]
            if source == name or np.isnan(between).any() or not own > 0:
                continue
            middle = float(np.median(between))
            is_earlier = middle > 0 or (middle == 0 and dates.index(source) < dates.index(name))
            if is_earlier and _spread(between) < _CLOSE * own:
                closest.append((_spread(between), name, source))
    links: dict[str, str] = {}
    for _, name, source in sorted(closest):
        if name not in links and not _leads_to(links, source, name):
            links[name] = source
    ordered: dict[str, str] = {}
    while len(ordered) < len(links):
        for name, source in links.items():
            if name not in ordered and (source not in links or source in ordered):
                ordered[name] = source
    return ordered


def _leads_to(links: Mapping[str, str], start: str, end: str) -> bool:
    while start != end:
        if start not in links:
            return False
        start = links[start]
    return True


def _spread(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(np.subtract(*np.quantile(known, [1.0 - _TAIL, _TAIL]))) if len(known) else 0.0
