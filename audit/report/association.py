"""How strongly do columns go together, in one number per pair from -1 to 1 whatever their types?

Ordered columns (numbers, dates, ordinal, boolean) are compared by Spearman's rank correlation; a category with an
ordered column by the correlation ratio of its ranks (Fisher 1925), two categories by Cramer's V (1946), both in
[0, 1]. A picture to look at, not a measure a policy holds: those come from the audit.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from policies import Dictionary


def association(
    dictionary: Dictionary, table: pd.DataFrame, columns: tuple[str, ...], *, minimum: int = 2
) -> NDArray[np.float64]:
    """Matrix of shape (len(columns), len(columns)), symmetric, 1 on the diagonal.

    ``table`` is a typed frame. Pairs with fewer than ``minimum`` rows where both are known, or where one of the two
    does not vary there, are NaN.
    """
    nominal = [dictionary.columns[name].type == "category" for name in columns]
    values = [_values(table[name]) for name in columns]
    result = np.eye(len(columns))
    for i in range(len(columns)):
        for j in range(i):
            both = ~(np.isnan(values[i]) | np.isnan(values[j]))
            pair = np.nan
            if both.sum() >= minimum:
                pair = _pair(values[i][both], values[j][both], nominal[i], nominal[j])
            result[i, j] = result[j, i] = pair
    return result


def _pair(a: NDArray[np.float64], b: NDArray[np.float64], a_nominal: bool, b_nominal: bool) -> float:
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    if a_nominal and b_nominal:
        return _cramers_v(a, b)
    if a_nominal:
        return _correlation_ratio(a, _ranks(b))
    if b_nominal:
        return _correlation_ratio(b, _ranks(a))
    return float(np.corrcoef(_ranks(a), _ranks(b))[0, 1])


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mid-ranks: ties share the mean of their places."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[inverse], dtype=np.float64)


def _correlation_ratio(groups: NDArray[np.float64], ranks: NDArray[np.float64]) -> float:
    codes = np.unique(groups, return_inverse=True)[1]
    counts = np.bincount(codes)
    means = np.bincount(codes, weights=ranks) / counts
    between = float((counts * (means - ranks.mean()) ** 2).sum())
    return float(np.sqrt(min(1.0, between / float(((ranks - ranks.mean()) ** 2).sum()))))


def _cramers_v(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    rows, columns = np.unique(a, return_inverse=True)[1], np.unique(b, return_inverse=True)[1]
    shape = (int(rows.max()) + 1, int(columns.max()) + 1)
    seen = np.bincount(rows * shape[1] + columns, minlength=shape[0] * shape[1]).reshape(shape)
    expected = np.outer(seen.sum(axis=1), seen.sum(axis=0)) / len(a)
    chi_squared = float(((seen - expected) ** 2 / expected).sum())
    return float(np.sqrt(min(1.0, chi_squared / (len(a) * (min(shape) - 1)))))


def _values(column: pd.Series) -> NDArray[np.float64]:
    """Numbers, seconds or category codes; missing is NaN."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes = column.cat.codes.to_numpy(dtype=np.float64)
        return np.where(codes < 0, np.nan, codes)
    if column.dtype.kind == "M":
        seconds = column.to_numpy(dtype="datetime64[s]")
        return np.where(np.isnat(seconds), np.nan, seconds.astype(np.int64).astype(np.float64))
    return column.to_numpy(dtype=np.float64)
