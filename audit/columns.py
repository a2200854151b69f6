"""How are the columns of a typed frame read as numbers or as level codes?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from policies import Column, Dictionary

DAY = 86_400.0

Name = TypeVar("Name", bound=str)  # of a table: its side, or what else tells them apart


def numeric_columns(dictionary: Dictionary) -> tuple[str, ...]:
    """Released columns that are numbers or times."""
    return tuple(name for name in dictionary.released if not dictionary.columns[name].is_categorical)


def categorical_columns(dictionary: Dictionary) -> tuple[str, ...]:
    """Released columns with declared levels."""
    return tuple(name for name in dictionary.released if dictionary.columns[name].is_categorical)


def numbers(frame: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """The (n,) values of one column as floats: days for dates, level numbers for categories; missing is NaN."""
    column = frame[name]
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes = column.cat.codes.to_numpy(dtype=np.float64)
        return np.where(codes < 0, np.nan, codes)
    if column.dtype.kind == "M":
        seconds = column.to_numpy(dtype="datetime64[s]")
        return np.where(np.isnat(seconds), np.nan, seconds.astype(np.int64).astype(np.float64) / DAY)
    return column.to_numpy(dtype=np.float64)


def levels(frame: pd.DataFrame, name: str, column: Column) -> NDArray[np.int64]:
    """The (n,) level codes of one categorical column, 0 for missing and 1.. in the dictionary's order."""
    codes = pd.Categorical(frame[name], categories=list(column.categories or ())).codes
    return np.asarray(codes, dtype=np.int64) + 1


@dataclass(frozen=True)
class Cells:
    """Rows of a table: ``numbers`` (n, d) with NaN where missing, level ``codes`` (n, c) with 0 where missing."""

    numbers: NDArray[np.float64]
    codes: NDArray[np.int64]

    @classmethod
    def of(cls, frame: pd.DataFrame, dictionary: Dictionary) -> Cells:
        """The released columns of a frame, each kind in the dictionary's order; there may be none of a kind."""
        values = [numbers(frame, name) for name in numeric_columns(dictionary)]
        codes = [levels(frame, name, dictionary.columns[name]) for name in categorical_columns(dictionary)]
        return cls(
            np.column_stack([np.empty((len(frame), 0)), *values]),
            np.column_stack([np.empty((len(frame), 0), dtype=np.int64), *codes]),
        )

    @classmethod
    def joined(cls, parts: Sequence[Cells]) -> Cells:
        """The rows of several tables, one table after the other."""
        return cls(np.concatenate([part.numbers for part in parts]), np.concatenate([part.codes for part in parts]))

    def take(self, rows: NDArray[np.int64]) -> Cells:
        return Cells(self.numbers[rows], self.codes[rows])


def common_codes(parts: Mapping[Name, NDArray[Any]]) -> tuple[dict[Name, NDArray[np.int64]], NDArray[Any]]:
    """Each table's values as places in the ascending distinct values of all; all NaN are one value, the last."""
    distinct, inverse = np.unique(np.concatenate(list(parts.values())), return_inverse=True)
    cuts = np.cumsum([len(part) for part in parts.values()])[:-1]
    return dict(zip(parts, np.split(inverse.astype(np.int64), cuts), strict=True)), distinct


def deviation(values: NDArray[np.float64]) -> float:
    """Standard deviation of (n,) known values, 0 for none, without overflow however large they are."""
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0:
        return 0.0
    return float((values / largest).std()) * largest
