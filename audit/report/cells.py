"""Which shares of a column may a plot show? Cells that hold at least a minimum of real people, or none.

Small cells are pooled, never left out: every real row stands in exactly one drawn cell, so no total gives back a cell
that was hidden (CMS cell size policy, ResDAC 2024: no cell of 1 to 10 shown or derivable). Cells count people, not
rows; zero may be shown.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.report.edges import date_edges, number_edges, span
from policies import Column

MINIMUM_PEOPLE = 11
MAX_BARS = 12
MISSING = "missing"


@dataclass(frozen=True)
class Cells:
    """One column on cells shared by real and synthetic rows; shares of all rows, so each side sums to 1.

    ``kind`` bins: ``edges`` has one entry more than there are bins, the outermost bins are open, and ``missing`` is
    the (real, synthetic) share of missing cells or None where there are none or they are pooled. ``kind`` bars: one
    ``label`` per bar, missing among them. ``notes`` say in words what was pooled.
    """

    kind: Literal["bins", "bars"]
    labels: tuple[str, ...]
    real: NDArray[np.float64]
    synthetic: NDArray[np.float64]
    edges: NDArray[np.float64] | None = None
    missing: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()

    @property
    def difference(self) -> float:
        """Total variation between real and synthetic on the drawn cells, in [0, 1]; 0 means equal."""
        gap = float(np.abs(self.real - self.synthetic).sum())
        if self.missing is not None:
            gap += abs(self.missing[0] - self.missing[1])
        return gap / 2


def shared_cells(
    column: Column,
    real: pd.Series,
    synthetic: pd.Series,
    people: NDArray[np.int64],
    *,
    minimum: int = MINIMUM_PEOPLE,
) -> Cells | None:
    """Real and synthetic shares of one column on common cells, or None where fewer than ``minimum`` people are real.

    ``real`` and ``synthetic`` are columns of typed frames with at least one row each; ``people`` has shape
    (len(real),), one code per person.
    """
    if len(synthetic) == 0:
        return None
    return _cells(column, real, synthetic, people, minimum)


def column_cells(
    column: Column, real: pd.Series, people: NDArray[np.int64], *, minimum: int = MINIMUM_PEOPLE
) -> Cells | None:
    """The same of real rows alone, before anything was made: ``synthetic`` is 0 everywhere.

    Categories that are pooled are counted and never named: here they come from the rows, not from a code book.
    """
    cells = _cells(column, real, real.iloc[:0], people, minimum)
    if cells is None or cells.kind == "bins" or not cells.notes:
        return cells
    pooled = len(column.categories or ("present",)) + bool(real.isna().any()) - len(cells.labels) + 1
    return replace(cells, labels=(*cells.labels[:-1], f"{pooled} pooled"))


def _cells(
    column: Column, real: pd.Series, synthetic: pd.Series, people: NDArray[np.int64], minimum: int
) -> Cells | None:
    if len(np.unique(people)) < minimum:
        return None
    if column.is_categorical:
        names = column.categories or ()
        ordered = column.type == "ordinal"
        return _bars(_codes(real, names), _codes(synthetic, names), people, names, ordered=ordered, minimum=minimum)
    values, made = _numbers(real), _numbers(synthetic)
    known = np.isfinite(values)
    if not known.any():
        return _bars(
            (~known).astype(np.int64),
            (~np.isfinite(made)).astype(np.int64),
            people,
            ("present",),
            ordered=True,
            minimum=minimum,
        )
    low, high = span(values[known], made[np.isfinite(made)], people[known], minimum, within=_declared(column))
    if column.type in ("date", "datetime"):
        edges = date_edges(low, high, rows=int(known.sum()))
    else:
        edges = number_edges(low, high, whole=column.type == "integer", rows=int(known.sum()))
    return _bins(values, made, people, edges, minimum)


def _bins(
    real: NDArray[np.float64],
    synthetic: NDArray[np.float64],
    people: NDArray[np.int64],
    edges: NDArray[np.float64],
    minimum: int,
) -> Cells:
    count = len(edges) - 1
    codes, made = _binned(real, edges), _binned(synthetic, edges)
    members = [np.unique(people[codes == code]) for code in range(count + 1)]
    groups = _pooled_in_order(members[:count], minimum)
    few_missing = 0 < len(members[count]) < minimum
    few_known = len(groups) == 1 and _people(groups[0], members) < minimum
    notes = []
    if few_missing or few_known:
        groups[-1].append(count)
        while len(groups) > 1 and _people(groups[-1], members) < minimum:
            groups[-2:] = [groups[-2] + groups[-1]]
        notes.append("missing cells are counted in the last bar" if few_missing else "missing cells are counted too")
    bins = [[code for code in group if code < count] for group in groups]
    missing = (_share(codes == count), _share(made == count))
    shares, made_shares = _shares(codes, groups), _shares(made, groups)
    filled = np.flatnonzero((shares > 0) | (made_shares > 0))
    shown = slice(int(filled[0]), int(filled[-1]) + 1)  # empty bins at either end say nothing
    starts = [edges[group[0]] for group in bins] + [edges[-1]]
    return Cells(
        "bins",
        (),
        shares[shown],
        made_shares[shown],
        edges=np.array(starts[shown.start : shown.stop + 1]),
        missing=missing if max(missing) > 0 and not (few_missing or few_known) else None,
        notes=tuple(notes),
    )


def _bars(
    real: NDArray[np.int64],
    synthetic: NDArray[np.int64],
    people: NDArray[np.int64],
    names: tuple[str, ...],
    *,
    ordered: bool,
    minimum: int,
) -> Cells:
    """Bars per category, the largest first (in order if ``ordered``); small and surplus ones pooled in the last bar."""
    labels = (*names, MISSING)
    members = [np.unique(people[real == code]) for code in range(len(labels))]
    made = np.bincount(synthetic, minlength=len(labels))
    seen = [code for code in range(len(labels)) if len(members[code]) or made[code] or code < len(names)]
    by_size = sorted(seen, key=lambda code: (-len(members[code]), -made[code], code))
    small = [code for code in by_size if 0 < len(members[code]) < minimum]
    kept = [code for code in by_size if code not in small]
    while len(kept) + bool(small) > MAX_BARS:
        small.append(kept.pop())
    # A pool that is itself too small takes the next smallest bar with it, or it would be a hidden cell of its own.
    while small and 0 < _people(small, members) < minimum:
        crowded = [code for code in kept if len(members[code])]
        small.append(crowded[-1])
        kept.remove(crowded[-1])
    if len(small) == 1:
        kept, small = [code for code in by_size if code in (*kept, *small)], []
    if ordered:
        kept.sort()
    else:
        kept.sort(key=lambda code: (code == len(names), by_size.index(code)))
    groups = [[code] for code in kept] + ([small] if small else [])
    pooled = _pool_label([labels[code] for code in sorted(small)])
    return Cells(
        "bars",
        (*(labels[code] for code in kept), *([pooled] if small else [])),
        _shares(real, groups),
        _shares(synthetic, groups),
        notes=(f"the last bar pools {len(small)} categories",) if small else (),
    )


def _pool_label(names: list[str]) -> str:
    """The pooled categories by name where two short names fit, or how many they are."""
    joined = " or ".join(names)
    return joined if len(names) == 2 and len(joined) <= 15 else f"{len(names)} pooled"


def _pooled_in_order(members: list[NDArray[np.int64]], minimum: int) -> list[list[int]]:
    """Neighbouring bins joined until each group holds nobody or at least ``minimum`` people.

    Only where all bins together hold fewer is one group of fewer left: the caller must pool it further.
    """
    groups: list[list[int]] = []
    for code in range(len(members)):
        open_group = bool(groups) and 0 < _people(groups[-1], members) < minimum
        if open_group:
            groups[-1].append(code)
        else:
            groups.append([code])
    while len(groups) > 1 and 0 < _people(groups[-1], members) < minimum:
        groups[-2:] = [groups[-2] + groups[-1]]
    return groups


def _people(group: list[int], members: list[NDArray[np.int64]]) -> int:
    """How many different people stand in a group of cells; one with several rows counts once."""
    return len(np.unique(np.concatenate([members[code] for code in group])))


def _shares(codes: NDArray[np.int64], groups: list[list[int]]) -> NDArray[np.float64]:
    return np.array([_share(np.isin(codes, group)) for group in groups])


def _share(chosen: NDArray[np.bool_]) -> float:
    """The share that is true; of no rows it is 0."""
    return float(chosen.mean()) if len(chosen) else 0.0


def _binned(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """Bin of each value, the outermost bins open; missing is one bin more."""
    count = len(edges) - 1
    codes = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, count - 1)
    return np.where(np.isfinite(values), codes, count).astype(np.int64)


def _codes(column: pd.Series, names: tuple[str, ...]) -> NDArray[np.int64]:
    """Code of each category, ``len(names)`` for missing."""
    codes = np.asarray(pd.Categorical(column, categories=list(names)).codes, dtype=np.int64)
    return np.where(codes < 0, len(names), codes)


def _numbers(column: pd.Series) -> NDArray[np.float64]:
    """Numbers as they are, dates in seconds since 1970; missing is NaN."""
    if column.dtype.kind == "M":
        seconds = column.to_numpy(dtype="datetime64[s]")
        return np.where(np.isnat(seconds), np.nan, seconds.astype(np.int64).astype(np.float64))
    return column.to_numpy(dtype=np.float64)


def _declared(column: Column) -> tuple[float, float]:
    """The column's declared bounds, dates in seconds since 1970."""
    ends = []
    for bound, open_end in ((column.minimum, -np.inf), (column.maximum, np.inf)):
        if isinstance(bound, dt.date):
            ends.append(float(np.datetime64(bound, "s").astype(np.int64)))
        else:
            ends.append(float(open_end if bound is None else bound))
    return ends[0], ends[1]
