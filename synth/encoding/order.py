"""In which order do the levels of a nominal column stand, so that their rank says something about the other columns?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from synth.calibration.quantiles import Floats

Codes = NDArray[np.intp]

_SHRINK = 10.0
"""Rows of the table's mean that are added to every level's mean, so that rare levels do not set the axis."""
_CONTEXT_ROWS = 10_000
_INDICATORS = 12
_TARGET_WEIGHT = 2.0


@dataclass(frozen=True)
class Context:
    """What the levels of a nominal column are seen against.

    Attributes
    ----------
    rows : (c,) row numbers of the table, a sample of at most ten thousand.
    matrix : (c, p) standardised columns.
    owners : (p,) number of the table's column each belongs to, -1 for the target.
    """

    rows: Codes
    matrix: NDArray[np.float32]
    owners: Codes

    @classmethod
    def of(cls, scores: Mapping[int, Floats], levels: Mapping[int, Codes], rng: np.random.Generator) -> Self:
        """Scores as they are, levels as indicators of the most frequent ones.

        Parameters
        ----------
        scores : (n,) or (n, k) scores by column number, 0 where missing.
        levels : (n,) codes by column number, >= 0; number -1 is the target and counts double.
        """
        n = len(next(iter([*scores.values(), *levels.values()])))
        rows = np.arange(n) if n <= _CONTEXT_ROWS else np.sort(rng.choice(n, _CONTEXT_ROWS, replace=False))
        parts: list[Floats] = []
        owners: list[int] = []
        for owner, column in scores.items():
            parts.append(column[rows].reshape(len(rows), -1))
            owners += [owner] * parts[-1].shape[1]
        for owner, codes in levels.items():
            frequent = np.argsort(-np.bincount(codes), kind="stable")[:_INDICATORS]
            parts.append((codes[rows, None] == frequent) * 1.0)
            owners += [owner] * len(frequent)
        matrix = np.hstack(parts)
        deviation = matrix.std(axis=0)
        matrix = (matrix - matrix.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
        matrix[:, np.array(owners) == -1] *= _TARGET_WEIGHT
        return cls(rows, matrix.astype(np.float32), np.array(owners, dtype=np.intp))

    def axis(self, levels: Codes, count: int, owner: int) -> Floats:
        """Position of each level on the axis that parts the levels best in view of the other columns.

        The first principal axis of the level means, weighted by level size: for a context of indicator columns this is
        the first axis of correspondence analysis of the column against the rest (Greenacre, Correspondence Analysis in
        Practice, 2017, chapter 17). Level means are shrunk towards the table's mean by ten rows.

        Parameters
        ----------
        levels : (n,) level of each row of the whole table, 0 .. count - 1.
        owner : number of the column itself, which is left out of the context.

        Returns
        -------
        (count,) positions, 0 for levels without rows. The sign is arbitrary.
        """
        here = levels[self.rows]
        rows = np.bincount(here, minlength=count).astype(np.float64)
        member = csr_array(
            (np.ones(len(here), dtype=np.float32), here, np.arange(len(here) + 1)), shape=(len(here), count)
        )
        means = np.asarray(member.T @ self.matrix, dtype=np.float64)[:, self.owners != owner] / (
            rows[:, None] + _SHRINK
        )
        if means.shape[1] == 0 or count < 2:
            return np.zeros(count)
        share = rows / rows.sum()
        centred = means - share @ means
        _, _, axes = np.linalg.svd(np.sqrt(share)[:, None] * centred, full_matrices=False)
        result: Floats = np.where(rows > 0, centred @ axes[0], 0.0)
        return result


def nominal_order(axis: Floats) -> Codes:
    """Levels along the axis."""
    return np.argsort(axis, kind="stable")


def insertion(axis: Floats, rows: Floats, extra: float) -> int:
    """Where an extra level goes among levels whose own order (0, 1, ..) is kept: the place with the least disorder.

    Disorder is the row-weighted distance on the axis by which levels stand on the wrong side of the extra one.
    """
    index = np.arange(len(axis))
    upward = float((rows * (index - np.average(index, weights=rows)) * axis).sum()) >= 0
    distance = rows * ((axis - extra) if upward else (extra - axis))
    wrong = [
        np.maximum(distance[:at], 0.0).sum() + np.maximum(-distance[at:], 0.0).sum() for at in range(len(axis) + 1)
    ]
    return int(np.argmin(wrong))
