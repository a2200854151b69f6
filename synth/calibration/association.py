"""How do numbers come to depend on each other as they do among real people?

Matching columns one by one leaves the components' errors in the correlations as they are, and every drawn sample adds
its own. So drawn numbers are moved, all together and as little as possible, to where their correlations within the
strata are the real ones, and matched again afterwards. What is learned is one correlation of any two numbers over the
whole table, shrunk by what chance may have put into it: no stratum, level or person has a figure of its own.

The smallest move from one covariance to another is Olkin and Pukelsheim's, Linear Algebra and its Applications 48
(1982); correlations by moving ranks under fixed marginals are Iman and Conover's, Communications in Statistics B 11
(1982); shrinkage is Schafer and Strimmer's, Stat. Appl. Genet. Mol. Biol. 4 (2005). Putting them together is ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from synth.calibration.quantiles import Floats, Person
from synth.calibration.target import Known

Classes = NDArray[np.int64]

COMMON = 30
"""People who must have two numbers both, among the real ones and the drawn, for their correlation to be calibrated."""
_PATTERNS = 64
"""Patterns of missing cells, the commonest, that are moved by maps of their own."""
_FLAT = 1e-9
_LEAST_SHARE = 1e-6


@dataclass(frozen=True)
class Association:
    """Shrunk correlation (d, d) of numbers within strata, and of which pairs (d, d) enough people have both."""

    correlation: Floats
    told: NDArray[np.bool_]

    @classmethod
    def of(cls, numbers: Floats, known: Known, strata: Classes, people: Person | None = None) -> Self:
        """Learn from numbers (n, d), which of them are present, and strata (n,); each person counts once."""
        counted = np.ones(len(numbers)) if people is None else 1.0 / np.bincount(people)[people]
        left, _, deviations = _within(numbers, known, strata, counted)
        found, common, noise = _correlation(left / deviations, known, counted)
        told = (common >= COMMON) & ~np.eye(len(found), dtype=np.bool_)
        squares = float((found[told] ** 2).sum())
        kept = max(0.0, 1.0 - float(noise[told].sum()) / squares) if squares > 0.0 else 0.0
        return cls(kept * found, told)

    def applied(self, numbers: Floats, known: Known, strata: Classes) -> Floats:
        """Drawn numbers (m, d), those that are present moved to the same correlations within strata (m,).

        Rows with the same cells present are moved by a map of their own, if there are enough of them; in the others a
        missing cell counts as one in the middle of its stratum.
        """
        left, middle, deviations = _within(numbers, known, strata, np.ones(len(numbers)))
        standard = left / deviations
        found, common, _ = _correlation(standard, known, np.ones(len(numbers)))
        told = self.told & (common >= COMMON)
        if not told.any():
            return numbers
        there, wanted = (np.where(told, r, np.eye(len(r))) for r in (found, self.correlation))
        moved = standard @ smallest_move(there, wanted)
        for rows, columns in _patterns(known):
            cells = np.ix_(columns, columns)
            move = smallest_move(there[cells], wanted[cells])
            moved[np.ix_(rows, columns)] = standard[np.ix_(rows, columns)] @ move
        return np.where(known, middle + moved * deviations, numbers)


def smallest_move(there: Floats, wanted: Floats) -> Floats:
    """(d, d) symmetric map of centred rows with one covariance to rows with another, nearest in squared distance.

    Directions in which there is next to nothing stay as they are.
    """
    values, vectors = np.linalg.eigh((there + there.T) / 2.0)
    some = values > _LEAST_SHARE * max(float(values.max(initial=0.0)), _FLAT)
    root = (vectors * np.sqrt(np.where(some, values, 0.0))) @ vectors.T
    back = (vectors * np.where(some, 1.0 / np.sqrt(np.where(some, values, 1.0)), 0.0)) @ vectors.T
    squares, turned = np.linalg.eigh(root @ wanted @ root)
    middle = (turned * np.sqrt(np.maximum(squares, 0.0))) @ turned.T
    move: Floats = back @ middle @ back + (vectors * ~some) @ vectors.T
    return move


def _within(numbers: Floats, known: Known, strata: Classes, counted: Floats) -> tuple[Floats, Floats, Floats]:
    """What is left over by the strata's means (n, d), 0 where it is missing; these means by row; deviations (d,)."""
    places = np.unique(strata, return_inverse=True)[1]
    middle = np.empty_like(numbers)
    for j in range(numbers.shape[1]):
        weight = np.where(known[:, j], counted, 0.0)
        rows = np.bincount(places, weights=weight)
        sums = np.bincount(places, weights=np.where(known[:, j], numbers[:, j], 0.0) * weight)
        middle[:, j] = (sums / np.maximum(rows, _FLAT))[places]
    left = np.where(known, numbers - middle, 0.0)
    total = np.maximum(counted @ known, _FLAT)
    deviations = np.sqrt(counted @ left**2 / total)
    return left, middle, np.where(deviations > _FLAT, deviations, 1.0)


def _correlation(standard: Floats, known: Known, counted: Floats) -> tuple[Floats, Floats, Floats]:
    """(d, d) correlations over the rows where both are present, how many people those are, and the squared errors.

    All rows of a person are taken for equal, which errs on the side of noise.
    """
    weight = known * counted[:, None]
    common = weight.T @ known.astype(np.float64)
    squares = (standard**2 * counted[:, None]).T @ known
    scale = squares * squares.T
    some = scale > _FLAT
    scale = np.where(some, scale, 1.0)
    found = np.where(some, (standard * counted[:, None]).T @ standard / np.sqrt(scale), 0.0)
    products = common * ((standard**2 * counted[:, None]).T @ standard**2) / scale
    noise = np.maximum(products - found**2, 0.0) / np.maximum(common - 1.0, 1.0)
    return found, common, noise


def _patterns(known: Known) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Rows and present columns of the commonest patterns of missing cells, of enough rows."""
    bits = np.packbits(known, axis=1)
    # bytes compare as the rows of bits do, and are sorted much sooner
    whole = np.ascontiguousarray(bits).view(np.dtype((np.void, bits.shape[1])))[:, 0]
    _, first, places, rows = np.unique(whole, return_index=True, return_inverse=True, return_counts=True)
    for pattern in np.argsort(-rows, kind="stable")[:_PATTERNS]:
        columns = np.flatnonzero(known[first[pattern]])
        if rows[pattern] >= COMMON and 0 < len(columns) < known.shape[1]:
            yield np.flatnonzero(places == pattern), columns
