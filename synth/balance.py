"""How many rows does each class of the target get, and which classes are too small to be released?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synth.calibration.quantiles import Floats, Person
from synth.errors import SynthesisError
from synth.holders import holders

Classes = NDArray[np.int64]


@dataclass(frozen=True)
class ClassBalance:
    """Classes of the target that are released: their labels and sizes.

    A missing target is a class of its own; without a target all rows are one class. A class of fewer than
    ``minimum_people`` people is never released: its rows count as rows of the nearest large enough class (of an ordinal
    target) or of the largest one.

    Attributes
    ----------
    codes : (k,) label codes, -1 for missing, ascending.
    rows : (k,) real rows of each.
    """

    codes: NDArray[np.int64]
    rows: NDArray[np.int64]

    @classmethod
    def fit(
        cls,
        target: pd.Series[Any] | None,
        rows: int,
        *,
        minimum_people: int,
        people: Person | None = None,
    ) -> tuple[Self, Classes]:
        """Learn the balance; returns it with the (n,) place in ``codes`` of the class each row counts as.

        Raises
        ------
        SynthesisError
            No class is held by ``minimum_people`` people.
        """
        labels = np.zeros(rows, dtype=np.int64) if target is None else target.cat.codes.to_numpy().astype(np.int64)
        codes, places = np.unique(labels, return_inverse=True)
        counts = np.bincount(places, minlength=len(codes))
        alone = np.flatnonzero(holders(places, len(codes), people) >= minimum_people)
        if not len(alone):
            raise SynthesisError(
                f"no class of the target is held by {minimum_people} people or more, the least that may be released: "
                "choose another target, or none"
            )
        ordered = target is not None and bool(target.cat.ordered)
        host = np.array([_host(k, codes, counts, alone, ordered) for k in range(len(codes))])
        rows_of_host = np.bincount(host[places], minlength=len(codes))[alone]
        return cls(codes[alone], rows_of_host.astype(np.int64)), np.searchsorted(alone, host[places]).astype(np.int64)

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


def first_of_each(order: NDArray[np.intp], groups: Classes, wanted: Classes) -> NDArray[np.intp]:
    """Of the row numbers ``order`` the first ``wanted`` of each group, fewer where there are no more, group by group.

    Parameters
    ----------
    groups : (n,) code of each row's group; ``wanted`` (k,) has a number for every code.
    """
    order = order[np.argsort(groups[order], kind="stable")]
    counts = np.bincount(groups[order], minlength=len(wanted))
    starts = np.cumsum(counts) - counts
    return np.concatenate([order[s : s + n] for s, n in zip(starts, np.minimum(counts, wanted), strict=True)])


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


def _host(k: int, codes: NDArray[np.int64], counts: NDArray[np.intp], alone: NDArray[np.intp], ordered: bool) -> int:
    """Place of the class whose rows those of class ``k`` count as: itself where it is large enough."""
    if k in alone:
        return k
    real = alone[codes[alone] >= 0]
    if ordered and codes[k] >= 0 and len(real):
        return int(real[np.argmin(np.abs(codes[real] - codes[k]))])
    return int(alone[np.argmax(counts[alone])])
