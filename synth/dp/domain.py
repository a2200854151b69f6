"""Which cells may a value fall into, by the dictionary alone?

Every column gets cells that are fixed before a row is read: a category per cell; a number or date per cell where few
are possible, and equal widths in between where many are. The least and the greatest possible value have cells of their
own, so that a zero for "none" or a top code is not smeared over its neighbours. Nothing here looks at a table to learn
from it (I-3, I-14). So no threshold by delta is needed, as it would be where categories are learned from the rows and
one that a single patient holds would tell of that patient: each declared level is counted, also where nobody has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from policies import Column, Dictionary
from synth.dp.events import PrivacyError
from synth.visits import Visits

Codes = NDArray[np.int32]

_DAY = 86_400.0
_ROUNDING = 1e-9
_MOST_ROWS = 1_000_000


@dataclass(frozen=True)
class Cells:
    """The cells of one column.

    Attributes
    ----------
    size : number of cells; where ``nullable``, the last one is for missing cells of the table.
    ordered : neighbouring cells hold neighbouring values.
    starts : (size of the values,) place of each cell's first value on the grid of possible values; None for categories.
    points : number of possible values; None for categories.
    step : distance of neighbouring possible values; 0 where every value between the bounds is possible.
    """

    name: str
    column: Column
    size: int
    ordered: bool
    starts: NDArray[np.float64] | None = None
    points: float | None = None
    step: float = 0.0

    @property
    def values(self) -> int:
        """Number of cells that are not the one for missing."""
        return self.size - int(self.column.nullable)

    def encode(self, column: pd.Series) -> Codes:
        """(n,) cell of each value.

        Raises
        ------
        PrivacyError
            Values outside the declared domain, or missing ones where none are declared.
        """
        if self.starts is None:
            declared = list(self.column.categories or ())
            if not isinstance(column.dtype, pd.CategoricalDtype) or list(column.cat.categories) != declared:
                raise PrivacyError(
                    f"column {self.name}: its categories are not those of the dictionary in their order; type the "
                    "table by the dictionary, never by the data"
                )
            codes = np.asarray(column.cat.codes, dtype=np.int64)
            missing = codes < 0
        else:
            numbers = _numbers(column)
            missing = np.isnan(numbers)
            low, high = _bounds(self.column)
            slack = _ROUNDING * max(abs(low), abs(high), 1.0)
            outside = int(((numbers < low - slack) | (numbers > high + slack)).sum())
            if outside:
                raise PrivacyError(
                    f"column {self.name}: {outside} values lie outside the declared bounds; correct them or the bounds"
                )
            place = np.clip(np.where(missing, low, numbers), low, high) - low
            if self.step:
                place = np.rint(place / self.step)
            codes = np.searchsorted(self.starts, place, side="right") - 1
        if missing.any() and not self.column.nullable:
            raise PrivacyError(
                f"column {self.name}: {int(missing.sum())} cells are missing, but it is not declared nullable"
            )
        return np.where(missing, self.size - 1, codes).astype(np.int32)

    def decode(self, codes: Codes, rng: np.random.Generator) -> Any:
        """Values of the typed frame, spread evenly over each cell; missing for the missing cell."""
        missing = (codes == self.size - 1) & self.column.nullable
        if self.starts is None or self.points is None:
            kind = pd.CategoricalDtype(
                list(self.column.categories or ()), ordered=self.column.type in ("ordinal", "boolean")
            )
            return pd.Categorical.from_codes(np.where(missing, -1, codes), dtype=kind)
        cell = np.where(missing, 0, codes)
        ends = np.append(self.starts[1:], self.points)
        first, width = self.starts[cell], (ends - self.starts)[cell]
        low, high = _bounds(self.column)
        if self.step:
            place = first + np.floor(rng.random(len(codes)) * width)
            numbers = low + place * self.step
        else:
            spike = (cell == 0) | (cell == self.values - 1)
            numbers = np.where(spike, np.where(cell == 0, low, high), low + first + rng.random(len(codes)) * width)
        numbers = np.clip(numbers, low, high)
        if self.column.type in ("date", "datetime"):
            return np.where(missing, np.datetime64("NaT"), np.rint(numbers).astype("datetime64[s]"))
        if self.column.decimals is not None:
            numbers = np.round(numbers, self.column.decimals)
        return np.where(missing, np.nan, numbers)


@dataclass(frozen=True)
class Domain:
    """The cells of every released column, in the dictionary's order; ``label`` is the place of the target, if any.

    Where ``numbered``, one column more comes last, the number of rows of the row's patient. No frame holds it before it
    is decoded: it is filled in behind the seal, of the rows that stay there.
    """

    columns: tuple[Cells, ...]
    label: int | None
    numbered: bool = False

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(cells.size for cells in self.columns)

    @property
    def numbers(self) -> Codes | None:
        """(max_rows_per_patient,) cell of 1, 2, ... rows of a patient; None where they are not counted."""
        if not self.numbered:
            return None
        column = self.columns[-1]
        return column.encode(pd.Series(np.arange(1.0, float(column.column.maximum) + 1)))  # type: ignore[arg-type]

    def encode(self, table: pd.DataFrame) -> Codes:
        """(n, d) cells of a typed frame; those of the number of rows are not among them.

        Raises
        ------
        PrivacyError
            The columns are not the dictionary's, or values lie outside the declared domain.
        """
        typed = self.columns[:-1] if self.numbered else self.columns
        expected = [cells.name for cells in typed]
        if list(table.columns) != expected:
            lost = sorted(set(expected) - set(table.columns))
            raise PrivacyError(
                f"the frame must have the dictionary's {len(expected)} released columns in order; missing: {lost}"
            )
        codes = np.empty((len(table), len(typed)), dtype=np.int32)
        for place, cells in enumerate(typed):
            codes[:, place] = cells.encode(table[cells.name])
        return codes

    def decode(self, codes: Codes, rng: np.random.Generator) -> pd.DataFrame:
        """Typed frame of (n, d) cells."""
        return pd.DataFrame(
            {cells.name: cells.decode(codes[:, place], rng) for place, cells in enumerate(self.columns)}
        )


def domain_of(dictionary: Dictionary, cells: int) -> Domain:
    """The cells of a dictionary's columns, at most about ``cells`` of equal width for a number or date.

    Where synthetic patients are to have several rows (fresh keys of patients, more than one row each), the number of a
    patient's rows is a column too: 1 to ``max_rows_per_patient``, the small numbers in cells of their own.

    Raises
    ------
    PrivacyError
        The dictionary still holds facts read off the data, leaves a dependency's values to be learned, names patients
        without bounding their rows, or bounds them by more than a million.
    """
    if dictionary.drafted:
        raise PrivacyError(
            "a differentially private release needs a dictionary that was known before the data: confirm or replace "
            f"what from_data marks in {len(dictionary.drafted)} columns: {sorted(dictionary.drafted)}"
        )
    learned = [each.determines for each in dictionary.dependencies if each.values is None]
    if learned:
        raise PrivacyError(
            f"the values of {len(learned)} dependencies would be learned from the table: state them in the dictionary, "
            f"for {sorted(learned)}"
        )
    if dictionary.patient is not None and dictionary.max_rows_per_patient is None:
        raise PrivacyError("rows belong to patients: declare max_rows_per_patient, the bound on one patient's rows")
    if (dictionary.max_rows_per_patient or 1) > _MOST_ROWS:
        raise PrivacyError(f"max_rows_per_patient must be at most {_MOST_ROWS:,}: the noise grows with it")
    names = dictionary.released
    columns = [_cells_of(name, dictionary.columns[name], cells) for name in names]
    visits = Visits.declared(dictionary)
    if visits is not None:
        columns.append(_numbers_of_rows(visits.name, len(visits.counts), cells))
    label = None if dictionary.target is None else names.index(dictionary.target)
    return Domain(tuple(columns), label, visits is not None)


def _cells_of(name: str, column: Column, cells: int) -> Cells:
    if column.is_categorical:
        values = len(column.categories or ())
        return Cells(name, column, values + int(column.nullable), column.type in ("ordinal", "boolean"))
    low, high = _bounds(column)
    step = _step(column)
    if step:
        points = float(np.floor((high - low) / step + 1e-6)) + 1.0
        if points <= cells:
            starts = np.arange(points)
        else:
            starts = np.concatenate([[0.0], np.floor(np.linspace(1.0, points - 1.0, cells - 1))])
    else:
        # the two spikes have no width, so values between the bounds share the cells between them
        points = high - low
        inner = np.linspace(0.0, points, cells - 1)
        starts = np.concatenate([[0.0], np.maximum(inner[:-1], np.nextafter(0.0, 1.0)), [points]])
    return Cells(name, column, len(starts) + int(column.nullable), True, starts, points, step)


def _numbers_of_rows(name: str, bound: int, cells: int) -> Cells:
    """Cells of 1 to ``bound`` rows: one each if there are enough, else for small numbers, and ever wider above."""
    column = Column(type="integer", minimum=1.0, maximum=float(bound))
    if bound <= cells:
        starts = np.arange(float(bound))
    else:
        single = max(cells // 2, 1)
        starts = np.union1d(np.arange(float(single)), np.floor(np.geomspace(single, bound - 1.0, cells - single)))
    return Cells(name, column, len(starts), True, starts, float(bound), 1.0)


def _step(column: Column) -> float:
    if column.type == "integer":
        return 1.0
    if column.type == "number":
        return 0.0 if column.decimals is None else 10.0**-column.decimals
    return _DAY if column.type == "date" else 1.0


def _bounds(column: Column) -> tuple[float, float]:
    if column.type in ("date", "datetime"):
        low, high = (np.datetime64(str(bound), "s").astype(np.int64) for bound in (column.minimum, column.maximum))
        return float(low), float(high)
    return float(column.minimum), float(column.maximum)  # type: ignore[arg-type]  # numbers, as the type says


def _numbers(column: pd.Series) -> NDArray[np.float64]:
    if column.dtype.kind == "M":
        seconds = column.to_numpy(dtype="datetime64[s]")
        return np.where(np.isnat(seconds), np.nan, seconds.astype(np.int64).astype(np.float64))
    return column.to_numpy(dtype=np.float64)
