"""Into which cell does a value fall, so that tables of any origin can be counted alike?

The grid knows the real table (train and holdout together) and nothing of any method. A categorical column has one cell
per public level and one for anything else; a numeric column has up to 16 cells of about equal mass, equal values always
together, and every value that holds a sixteenth of the rows by itself (a spike, such as a capital gain of exactly 0)
is a cell of its own that only this very value enters. Missing is a cell everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

CELLS = 16


@dataclass(frozen=True)
class Numeric:
    """Cells of one numeric column: first the spikes, then the intervals between ``edges``, then missing."""

    spikes: NDArray[np.float64]
    edges: NDArray[np.float64]
    decimals: int

    @classmethod
    def of(cls, values: NDArray[np.float64], decimals: int, cells: int = CELLS) -> Self:
        """Cells for ``values`` (n,), NaN = missing, in the column's own unit with ``decimals`` decimals."""
        present = np.round(values[~np.isnan(values)], decimals)
        levels, counts = np.unique(present, return_counts=True)
        heavy = counts * cells >= len(present)
        rest, mass = levels[~heavy], counts[~heavy].astype(float)
        if not len(rest):
            return cls(levels[heavy], np.empty(0), decimals)
        wanted = max(1, round(cells * mass.sum() / len(present)))
        middle = (np.cumsum(mass) - mass / 2) / mass.sum()  # rank of a value's middle row among the rest, in (0, 1)
        ends = np.flatnonzero(np.diff(np.floor(middle * wanted)) > 0)
        return cls(levels[heavy], (rest[ends] + rest[ends + 1]) / 2, decimals)

    @property
    def size(self) -> int:
        return len(self.spikes) + len(self.edges) + 2

    def codes(self, column: pd.Series) -> NDArray[np.int64]:
        values = column.to_numpy(dtype=np.float64)
        rounded = np.round(values, self.decimals)
        codes = len(self.spikes) + np.searchsorted(self.edges, rounded, side="right")
        if len(self.spikes):
            at = np.clip(np.searchsorted(self.spikes, rounded), 0, len(self.spikes) - 1)
            codes = np.where(self.spikes[at] == rounded, at, codes)
        return np.where(np.isnan(values), self.size - 1, codes).astype(np.int64)


@dataclass(frozen=True)
class Levels:
    """Cells of one categorical column: its public levels, then anything else, then missing."""

    levels: tuple[str, ...]

    @property
    def size(self) -> int:
        return len(self.levels) + 2

    def codes(self, column: pd.Series) -> NDArray[np.int64]:
        place = {level: code for code, level in enumerate(self.levels)}
        known = column.map(place).fillna(len(self.levels)).to_numpy(dtype=np.int64)
        return np.where(column.isna().to_numpy(), self.size - 1, known).astype(np.int64)


@dataclass(frozen=True)
class Grid:
    """The cells of a whole table, column by column in the order of the schema."""

    columns: Mapping[str, Numeric | Levels]

    @classmethod
    def of(cls, real: pd.DataFrame, schema: Mapping[str, Any]) -> Self:
        return cls(
            {
                name: Levels(tuple(column["levels"]))
                if "levels" in column
                else Numeric.of(real[name].to_numpy(dtype=np.float64), column["decimals"])
                for name, column in schema["columns"].items()
            }
        )

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(column.size for column in self.columns.values())

    def codes(self, table: pd.DataFrame) -> NDArray[np.int64]:
        """(n, d) cell numbers of a table with these columns."""
        return np.column_stack([column.codes(table[name]) for name, column in self.columns.items()])
