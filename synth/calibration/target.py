"""What should the scores of a group of synthetic rows look like, one column at a time?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from synth.calibration.quantiles import KNOT, Floats, Person, Quantiles, exact_quantiles, smoothed_quantiles

Known = NDArray[np.bool_]


@dataclass(frozen=True)
class Target:
    """Marginals and correlations of a group of real rows, over the cells that are present.

    Attributes
    ----------
    quantiles : smoothed quantile function of each of the d columns.
    exact : the order statistics themselves, for the plain form of matching only.
    counts : (d,) real cells behind each column.
    means, deviations : (d,) moments of the real cells.
    correlation : (d, d) correlations, over the rows where both cells are present.
    """

    quantiles: tuple[Quantiles, ...]
    exact: tuple[Quantiles, ...]
    counts: NDArray[np.intp]
    means: Floats
    deviations: Floats
    correlation: Floats

    @classmethod
    def of(cls, scores: Floats, known: Known, people: Person | None = None, *, people_per_knot: int = KNOT) -> Self:
        """Target of real scores (n, d); a column without a present cell gets the standard normal's middle, 0.

        ``people_per_knot`` values are averaged into one knot of ``quantiles``; with 1 they are the order statistics.
        """
        columns = [scores[known[:, j], j] if known[:, j].any() else np.zeros(1) for j in range(scores.shape[1])]
        owners = [
            None if people is None or not known[:, j].any() else people[known[:, j]] for j in range(scores.shape[1])
        ]
        return cls(
            quantiles=tuple(
                smoothed_quantiles(c, people=o, knot=people_per_knot) for c, o in zip(columns, owners, strict=True)
            ),
            exact=tuple(exact_quantiles(column) for column in columns),
            counts=known.sum(axis=0),
            means=np.array([column.mean() for column in columns]),
            deviations=np.array([column.std() for column in columns]),
            correlation=correlations(scores, known),
        )

    def chosen(self, columns: NDArray[np.intp]) -> Target:
        """The same for some of the columns."""
        return Target(
            tuple(self.quantiles[j] for j in columns),
            tuple(self.exact[j] for j in columns),
            self.counts[columns],
            self.means[columns],
            self.deviations[columns],
            self.correlation[np.ix_(columns, columns)],
        )


def correlations(scores: Floats, known: Known) -> Floats:
    """(d, d) Pearson correlations over the rows where both cells are present, 0 where there is none.

    Cells that are missing are put at their column's mean, and sums of squares run over the pair's common rows.
    """
    weight = known.astype(np.float64)
    rows = np.maximum(weight.sum(axis=0), 1.0)
    centred = np.where(known, scores - (scores * weight).sum(axis=0) / rows, 0.0)
    squares = (centred**2).T @ weight
    scale = np.sqrt(squares * squares.T)
    result: Floats = np.where(scale > 1e-12, centred.T @ centred / np.where(scale > 1e-12, scale, 1.0), 0.0)
    return result
