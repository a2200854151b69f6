"""What does a tree see of a row: its class, the columns before, and what their levels say of the column to be drawn?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from synth.components.moments import LEAST, Floats

LEVELS = 64
"""A column of no more distinct values is offered to trees also by what each value says of the column to be drawn."""
_WAVES = 3


@dataclass(frozen=True)
class Kinds:
    """Distinct scores (k,) of a column, ascending, and the (n,) place of each row's among them; none if too many."""

    scores: Floats
    places: NDArray[np.intp]

    @classmethod
    def of(cls, column: Floats) -> Self:
        """Found once for a column, since sorting it takes longer than all that is made of it."""
        scores, places = np.unique(column, return_inverse=True)
        if 3 <= len(scores) <= LEVELS:
            return cls(scores, places)
        return cls(np.empty(0), np.empty(0, dtype=np.intp))


@dataclass(frozen=True)
class Levels:
    """What an earlier column's levels say of this one: (k,) their scores, and the (k, f) means of the waves there."""

    position: int
    scores: Floats
    means: Floats

    def of(self, column: Floats) -> Floats:
        """(m, f) the nearest level's means."""
        return self.means[np.searchsorted((self.scores[1:] + self.scores[:-1]) / 2.0, column)]


def levels_of(before: Iterable[Kinds], waves: Floats) -> tuple[Levels, ...]:
    """Of columns with few distinct scores; one that few rows hold says what the whole table does."""
    found = []
    for position, kinds in enumerate(before):
        if len(kinds.scores):
            means = class_features(waves, kinds.places, len(kinds.scores))
            means[:-1][np.bincount(kinds.places) < LEAST] = means[-1]
            found.append(Levels(position, kinds.scores, means[:-1]))
    return tuple(found)


def features_of(of_class: Floats, of_level: tuple[Levels, ...], place: NDArray[np.intp], before: Floats) -> Floats:
    """(m, p) the class's features, the columns before (m, b), and what their levels say, of rows in classes (m,)."""
    return np.column_stack([of_class[place], before, *(levels.of(before[:, levels.position]) for levels in of_level)])


def waves_of(normal: Floats) -> Floats:
    """(n, 3) cosines of the probability of normal scores: their means in a leaf tell its distribution, coarsely.

    So squared error in them is a distance between distributions, and a tree splits where spread or shape change too.
    """
    return np.cos(np.pi * ndtr(normal)[:, None] * np.arange(1, _WAVES + 1))


def class_features(waves: Floats, place: NDArray[np.intp], classes: int) -> Floats:
    """(classes + 1, f) what tells a tree the class: means of the waves there; last the whole table, for a class unseen.

    A class of fewer than 16 rows is filled up with rows of the whole table, lest its mean be a patient.
    Ordered by mean, many classes are split as well as by trying all their subsets (Breiman et al., Classification and
    regression trees, 1984, section 4.2.2).
    """
    sums = np.column_stack([np.bincount(place, weights=wave, minlength=classes) for wave in waves.T])
    sizes = np.bincount(place, minlength=classes)
    whole = waves.mean(axis=0)
    lacking = np.maximum(LEAST - sizes, 0)[:, None]
    features = np.vstack([(sums + lacking * whole) / (sizes[:, None] + lacking), whole])
    return features if classes > 2 else features[:, :1]
