"""What lies between a patient and the nearest patients of the same class?

Guarded: centres of at least the 16 nearest neighbours of a patient, the patient left out
(:mod:`synth.components.barycentre`).

Plain: SMOTE as imbalanced-learn has it (Chawla et al., SMOTE: synthetic minority over-sampling technique, JAIR 16,
2002): a point on the segment from a patient to one of its five nearest neighbours. It copies people, and minorities
most: Ganev et al., SMOTE and mirrors, arXiv:2510.15083, rebuild them from such points with precision 1.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from imblearn.over_sampling import SMOTE

from synth.components.barycentre import barycentres, pool_of
from synth.components.interpolation import on_segments
from synth.components.moments import Floats, Moments
from synth.components.perclass import Draw, Form, PerClass

NEIGHBOURS = 5


class Smote(PerClass):
    """SMOTE for every class; ``form`` as above.

    imbalanced-learn makes the plain rows of every class of two or more (with as many neighbours as there are, up to
    five); a lone row has no neighbour and is joined to its class mean as filled up.
    """

    name: ClassVar[str] = "smote"
    memorises: ClassVar[bool] = True

    def __init__(self, *, form: Form = "guarded") -> None:
        self.form = form

    def _learn(self, rows: Floats, moments: Moments, rng: np.random.Generator) -> Draw:
        if self.form == "guarded":
            return barycentres(rows, moments, rng, reach=1)
        rows = pool_of(rows, rng)

        def plain(m: int, rng: np.random.Generator) -> Floats:
            if len(rows) == 1:
                return on_segments(np.repeat(rows, m, axis=0), moments.mean, rng)
            return _oversampled(rows, m, rng)

        return plain


def _oversampled(rows: Floats, m: int, rng: np.random.Generator) -> Floats:
    """What imbalanced-learn adds when a class of these rows (two or more) is to have m more."""
    n, d = rows.shape
    smote = SMOTE(
        sampling_strategy={1: n + m},
        k_neighbors=min(NEIGHBOURS, n - 1),
        random_state=int(rng.integers(2**31)),
    )
    # imbalanced-learn wants a second class to be there, but looks for neighbours inside the class only
    table = np.vstack([rows, np.zeros((1, d))])
    added: Floats = smote.fit_resample(table, np.append(np.ones(n, dtype=np.int64), 0))[0][n + 1 :]
    return added
