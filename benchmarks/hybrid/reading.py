"""How does a CSV file, written by any tool, become a table that all figures are taken from?"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

MISSING = "__missing__"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Columns:
    """The columns of a table in order: ``numeric`` ones, ``categorical`` ones (the target among them), the target."""

    names: tuple[str, ...]
    categorical: tuple[str, ...]
    target: str

    @classmethod
    def of(cls, names: Sequence[str], categorical: Collection[str], target: str) -> Columns:
        return cls(tuple(names), tuple(c for c in names if c in {*categorical, target}), target)

    @property
    def numeric(self) -> list[str]:
        return [name for name in self.names if name not in self.categorical]

    @property
    def predictors(self) -> list[str]:
        """The categorical columns but the target."""
        return [name for name in self.categorical if name != self.target]


def read(path: Path, columns: Columns) -> pd.DataFrame:
    """Numbers as floats (NaN = missing), levels as text in one spelling (missing is a level of its own).

    An empty cell is missing; ``None`` and ``NA`` are levels like any other.

    Raises
    ------
    ValueError
        The file lacks columns of the table.
    """
    table = pd.read_csv(path, low_memory=False, keep_default_na=False, na_values=["", "nan", "NaN"])
    if lost := [name for name in columns.names if name not in table.columns]:
        raise ValueError(f"expected {len(columns.names)} columns, missing are {', '.join(lost)}")
    cells = {
        name: _levels(table[name]) if name in columns.categorical else _numbers(table[name]) for name in columns.names
    }
    return pd.DataFrame(cells)


def sampled(table: pd.DataFrame, rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """At most ``rows`` rows of a table, in their order."""
    if len(table) <= rows:
        return table
    return table.iloc[np.sort(rng.choice(len(table), rows, replace=False))].reset_index(drop=True)


def spelled(value: Any) -> str:
    """One spelling per level: 1, 1.0 and "1" are the same level, True and "True" too."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return MISSING
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    text = str(value).strip()
    if text == "" or text.lower() in ("nan", "<na>"):
        return MISSING
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if np.isfinite(number) and number == int(number) else repr(number)


def _levels(cells: pd.Series) -> pd.Series:
    spellings = {value: spelled(value) for value in pd.unique(cells)}
    return cells.map(spellings).fillna(MISSING).astype(object)


def _numbers(cells: pd.Series) -> pd.Series:
    return pd.to_numeric(cells, errors="coerce").replace([np.inf, -np.inf], np.nan).astype(float)
