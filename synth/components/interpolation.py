"""What lies between patients of one class?

Guarded: centres of at least 16 patients chosen at random among the four times as many nearest to a patient
(:mod:`synth.components.barycentre`).

Plain: a point on the segment between two random patients, ``x* = x_a + u (x_b - x_a)``, ``u ~ U(0, 1)``. It copies
people: three points on one segment give away the line, two lines through a patient the patient.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from synth.components.barycentre import barycentres
from synth.components.moments import Floats, Moments
from synth.components.perclass import Draw, Form, PerClass, evenly


class Interpolation(PerClass):
    """Rows between patients; ``form`` as above. A lone row is joined, plainly, to its class mean as filled up."""

    name: ClassVar[str] = "interpolation"
    memorises: ClassVar[bool] = True

    def __init__(self, *, form: Form = "guarded") -> None:
        self.form = form

    def _learn(self, rows: Floats, moments: Moments, rng: np.random.Generator) -> Draw:
        if self.form == "guarded":
            return barycentres(rows, moments, rng, reach=4)
        n = len(rows)

        def plain(m: int, rng: np.random.Generator) -> Floats:
            first = evenly(m, n, rng)
            if n == 1:
                return on_segments(rows[first], moments.mean, rng)
            second = (first + rng.integers(1, n, m)) % n
            return on_segments(rows[first], rows[second], rng)

        return plain


def on_segments(starts: Floats, ends: Floats, rng: np.random.Generator) -> Floats:
    """(m, d) points, uniform on the segments from each row of ``starts`` (m, d) to ``ends``."""
    return starts + rng.random((len(starts), 1)) * (ends - starts)
