"""Where do the bins of a number or date column lie? On round values, never on the value of a person."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

MAX_BINS = 20
TAIL_SHARE = 0.15


def span(
    real: NDArray[np.float64],
    synthetic: NDArray[np.float64],
    people: NDArray[np.int64],
    minimum: int,
    *,
    within: tuple[float, float] = (-math.inf, math.inf),
) -> tuple[float, float]:
    """The range worth drawing, in the column's unit; rows beyond it belong to the outermost bins.

    The middle 98 % of the synthetic rows and, of the real ones, what leaves at least ``minimum`` people on or beyond
    either end: a range that followed the real extremes would publish them. Where that rule cuts off more than 1 % of
    the rows, the end is moved out again by a fixed share of the span, not beyond the declared bounds ``within``, so
    that the tail is drawn wide and low. All arrays are finite; ``real`` and ``people`` have one shape (n,), n >= 1;
    ``synthetic`` may be empty.
    """
    order = np.argsort(real, kind="stable")
    back = order[::-1]
    people_low = _kth_person(real[order], people[order], minimum)
    people_high = _kth_person(real[back], people[back], minimum)
    quantile_low, quantile_high = (float(q) for q in np.quantile(real, [0.01, 0.99]))
    low, high = sorted((max(people_low, quantile_low), min(people_high, quantile_high)))
    tail = TAIL_SHARE * (high - low)
    if people_low > quantile_low:
        low = max(low - tail, min(low, within[0]))
    if people_high < quantile_high:
        high = min(high + tail, max(high, within[1]))
    made = [float(q) for q in np.quantile(synthetic, [0.01, 0.99])] if len(synthetic) else []
    return min([low, *made]), max([high, *made])


def number_edges(low: float, high: float, *, whole: bool, rows: int) -> NDArray[np.float64]:
    """Round, equally wide edges around ``low`` to ``high``; whole numbers in a short range get one bin each."""
    if whole and high - low < MAX_BINS:
        return np.arange(math.floor(low), math.ceil(high) + 2).astype(np.float64) - 0.5
    if low == high:
        low, high = _around(low)
    step = _round_step((high - low) / _bins(rows), whole=whole)
    first, last = math.floor(low / step), math.ceil(high / step)
    return np.arange(first, max(last, first + 1) + 1).astype(np.float64) * step


def date_edges(low: float, high: float, *, rows: int) -> NDArray[np.float64]:
    """Edges at full hours, days, weeks, months, quarters or years; all in seconds since 1970."""
    fitting = (step for step in _CALENDAR if (high - low) / (step[1] * step[2]) <= _bins(rows))
    unit, multiple, _, offset = next(fitting, _CALENDAR[-1])
    first, last = (
        int(np.datetime64(int(end), "s").astype(f"datetime64[{unit}]").astype(np.int64)) for end in (low, high)
    )
    start = (first + offset) // multiple * multiple - offset
    ticks = np.arange(start, last + multiple + 1, multiple)
    return ticks.astype(f"datetime64[{unit}]").astype("datetime64[s]").astype(np.int64).astype(np.float64)


_DAY = 86_400.0
# numpy's unit, how many of them, seconds in one, and what aligns them (1970-01-01 was a Thursday; years count from 0)
_CALENDAR: tuple[tuple[str, int, float, int], ...] = (
    ("h", 1, 3600.0, 0),
    ("D", 1, _DAY, 0),
    ("D", 7, _DAY, 3),
    ("M", 1, 30.4 * _DAY, 0),
    ("M", 3, 30.4 * _DAY, 0),
    ("M", 6, 30.4 * _DAY, 0),
    *(("Y", years, 365.25 * _DAY, 1970) for years in (1, 2, 5, 10, 25, 100)),
)


def _kth_person(values: NDArray[np.float64], people: NDArray[np.int64], k: int) -> float:
    """The value at which the ``k``-th different person is reached, or the last new one where there are fewer."""
    _, first = np.unique(people, return_index=True)
    return float(values[np.sort(first)[: max(k, 1)][-1]])


def _bins(rows: int) -> int:
    """Rice's rule (2 n^(1/3)), kept readable."""
    return int(np.clip(math.ceil(2 * rows ** (1 / 3)), 6, MAX_BINS))


def _round_step(rough: float, *, whole: bool) -> float:
    """The next of 1, 2, 2.5, 5 times a power of ten; whole numbers take no step of 2.5 or below 1."""
    if whole and rough <= 1:
        return 1.0
    scale = 10.0 ** math.floor(math.log10(rough))
    factors = (1.0, 2.0, 5.0) if whole else (1.0, 2.0, 2.5, 5.0)
    return next((f * scale for f in factors if f * scale >= rough * (1 - 1e-9)), 10.0 * scale)


def _around(value: float) -> tuple[float, float]:
    """A round span that holds ``value``, for a column that is (nearly) constant."""
    scale = 10.0 ** math.floor(math.log10(abs(value))) if value else 1.0
    low = math.floor(value / scale) * scale
    return low, low + scale
