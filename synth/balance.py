"""How many rows does each class of the target get, and which classes are too small to be modelled alone?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synth.calibration.quantiles import Floats, Person

Classes = NDArray[np.int64]


@dataclass(frozen=True)
class ClassBalance:
    """Classes of the target: their labels, their sizes, and which of them are modelled together.

    A missing target is a class of its own; without a target all rows are one class. A class of fewer than
    ``minimum_people`` people keeps its share of rows but has no model: its rows come from the model of the nearest
    large enough class (of an ordinal target) or of the largest one, so that its label goes with nobody's cells in
    particular.

    Attributes
    ----------
    codes : (k,) label codes that occur, -1 for missing, ascending.
    rows : (k,) real rows of each.
    modelled_as : (k,) place, in ``codes``, of the class each is modelled as; itself where large enough.
    """

    codes: NDArray[np.int64]
    rows: NDArray[np.int64]
    modelled_as: NDArray[np.intp]

    @classmethod
    def fit(
        cls,
        target: pd.Series[Any] | None,
        rows: int,
        *,
        minimum_people: int,
        people: Person | None = None,
    ) -> tuple[Self, Classes]:
        """Learn the balance; returns it with the (n,) place of each row's class in ``codes``."""
        labels = np.zeros(rows, dtype=np.int64) if target is None else target.cat.codes.to_numpy().astype(np.int64)
        codes, places = np.unique(labels, return_inverse=True)
        counts = np.bincount(places, minlength=len(codes))
        held = counts if people is None else _people_per_class(places, people)
        alone = held >= minimum_people
        modelled_as = np.arange(len(codes))
        if not alone.all():
            ordered = target is not None and bool(target.cat.ordered)
            for k in np.flatnonzero(~alone):
                modelled_as[k] = _host(int(k), codes, counts, alone, ordered)
        return cls(codes, counts.astype(np.int64), modelled_as.astype(np.intp)), places.astype(np.int64)

    def modelled(self, places: NDArray[np.integer[Any]]) -> Classes:
        """Class codes for components, 0 .. (number of models - 1), of places (m,) in ``codes``."""
        compact = np.unique(self.modelled_as, return_inverse=True)[1]
        modelled: Classes = compact[places].astype(np.int64)
        return modelled

    def allot(self, total: int) -> NDArray[np.int64]:
        """(k,) rows of each class among ``total``: largest remainder, then one for every class left without.

        The row for a class left without is taken from the class with the most rows; there is none to spare when
        ``total`` is below the number of classes.
        """
        allotted = largest_remainder(self.rows / self.rows.sum(), total)
        for k in np.argsort(-self.rows, kind="stable"):
            if allotted[k] == 0 and allotted.max() > 1:
                allotted[np.argmax(allotted)] -= 1
                allotted[k] = 1
        return allotted


def largest_remainder(shares: Floats, total: int) -> NDArray[np.int64]:
    """Whole numbers that add up to ``total``, each within one of its share of it (Hamilton's method).

    Parameters
    ----------
    shares : (k,) non-negative, adding up to 1.
    """
    quota = shares * total
    whole = np.floor(quota + 1e-9).astype(np.int64)
    missing = total - int(whole.sum())
    order = np.argsort(-(quota - whole), kind="stable")
    whole[order[:missing]] += 1
    return whole


def _host(k: int, codes: NDArray[np.int64], counts: NDArray[np.intp], alone: NDArray[np.bool_], ordered: bool) -> int:
    candidates = np.flatnonzero(alone)
    if not len(candidates):
        return int(np.argmax(counts))
    if ordered and codes[k] >= 0:
        real = candidates[codes[candidates] >= 0]
        if len(real):
            return int(real[np.argmin(np.abs(codes[real] - codes[k]))])
    return int(candidates[np.argmax(counts[candidates])])


def _people_per_class(places: NDArray[np.intp], people: Person) -> NDArray[np.intp]:
    persons = int(people.max()) + 1
    return np.bincount(np.unique(places * persons + people) // persons)
