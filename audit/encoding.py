"""How far apart are two rows of mixed type? The common scale every distance in an audit is taken on.

The scale is learned from train and holdout pooled, so that the two sides are treated exactly alike: a scale learned
from train alone would bend the comparison between them.

- Numbers and times are centred on the median and divided by the standard deviation of the values between the 0.5 %
  and 99.5 % quantiles; beyond three of those units the scale turns logarithmic, so one huge value neither shrinks a
  column to nothing nor hides that its holder is far from everyone. Ordinal levels are their position.
- A missing number sits at the median with a flag that costs 1, as much as one unit; two random known values differ
  by 2 in squared distance, and so does a categorical mismatch (one-hot), missing being a level.
- A column with many levels keeps the frequent ones; rare ones share columns in turn, so that distance stays bounded
  in width. Two rare levels may then count as equal: an audit's copies are also counted on the values themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.columns import deviation, levels, numbers
from policies import Column, Dictionary

LEVELS = 40  # one-hot columns for one category at most
WIDTH = 400  # encoded columns of a table at most, as far as its number of columns allows
LINEAR = 3.0  # units up to which the numeric scale is linear


@dataclass(frozen=True)
class Encoder:
    """Typed frames to (n, w) float64 matrices on one scale."""

    parts: tuple[Callable[[pd.DataFrame], NDArray[np.float64]], ...]

    @classmethod
    def fit(cls, dictionary: Dictionary, real: Sequence[pd.DataFrame], others: Sequence[pd.DataFrame] = ()) -> Encoder:
        """Learn the scale from the ``real`` frames; ``others`` only say where missing flags are needed."""
        names = dictionary.released
        nominal = [name for name in names if dictionary.columns[name].type in ("category", "boolean")]
        cap = _level_cap(
            [len(dictionary.columns[name].categories or ()) + 1 for name in nominal], 2 * (len(names) - len(nominal))
        )
        parts: list[Callable[[pd.DataFrame], NDArray[np.float64]]] = []
        for name in names:
            if name in nominal:
                parts.append(_nominal(name, dictionary.columns[name], real, cap))
            else:
                parts.append(_numeric(name, real, others))
        return cls(tuple(parts))

    def encode(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """The (n, w) encoded rows of ``frame``."""
        return np.hstack([part(frame) for part in self.parts])


def _numeric(
    name: str, real: Sequence[pd.DataFrame], others: Sequence[pd.DataFrame]
) -> Callable[[pd.DataFrame], NDArray[np.float64]]:
    values = np.concatenate([numbers(frame, name) for frame in real])
    flagged = bool(np.isnan(values).any()) or any(bool(np.isnan(numbers(frame, name)).any()) for frame in others)
    known = values[~np.isnan(values)]
    centre = float(np.median(known)) if len(known) else 0.0
    unit = _unit(known)

    def encode(frame: pd.DataFrame) -> NDArray[np.float64]:
        raw = numbers(frame, name)
        scaled = np.where(np.isnan(raw), 0.0, (raw - centre) / unit)
        size = np.abs(scaled)
        bent = np.where(size <= LINEAR, size, LINEAR + np.log1p(np.maximum(size - LINEAR, 0.0)))
        columns = [np.copysign(bent, scaled)]
        if flagged:
            columns.append(np.isnan(raw).astype(np.float64))
        return np.column_stack(columns)

    return encode


def _unit(known: NDArray[np.float64]) -> float:
    if not len(known):
        return 1.0
    low, high = np.quantile(known, [0.005, 0.995])
    return deviation(np.clip(known, low, high)) or deviation(known) or 1.0


def _nominal(
    name: str, column: Column, real: Sequence[pd.DataFrame], cap: int
) -> Callable[[pd.DataFrame], NDArray[np.float64]]:
    count = len(column.categories or ()) + 1
    place = np.arange(count)
    if count > cap:
        seen = np.bincount(np.concatenate([levels(frame, name, column) for frame in real]), minlength=count)
        by_frequency = np.argsort(-seen, kind="stable")
        shared = max(cap // 4, 1)
        own = cap - shared
        place[by_frequency[:own]] = np.arange(own)
        place[by_frequency[own:]] = own + np.arange(count - own) % shared
    width = min(count, cap)

    def encode(frame: pd.DataFrame) -> NDArray[np.float64]:
        matrix = np.zeros((len(frame), width))
        matrix[np.arange(len(frame)), place[levels(frame, name, column)]] = 1.0
        return matrix

    return encode


def _level_cap(counts: Sequence[int], rest: int) -> int:
    """The most columns one category may take so that all together stay within ``WIDTH``, at least eight."""
    cap = LEVELS
    while cap > 8 and rest + sum(min(count, cap) for count in counts) > WIDTH:
        cap -= 1
    return cap
