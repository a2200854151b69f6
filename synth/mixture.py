"""How do fitted components share the rows of a table?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth.calibration.quantiles import Floats
from synth.components import Component
from synth.errors import SynthesisError


@dataclass(frozen=True)
class Mixture:
    """Fitted components by name, the share of rows each makes, on any scale, and the number of scores."""

    parts: Mapping[str, Component]
    weights: Mapping[str, float]
    width: int

    def only(self, name: str) -> Mixture:
        """The same with a single component."""
        return Mixture({name: self.parts[name]}, {name: 1.0}, self.width)

    def draw(self, classes: NDArray[np.int64], rng: np.random.Generator) -> Floats:
        """(m, d) scores for class codes (m,); within every class each component makes its share of the rows.

        Systematic sampling: the number of rows of a component in a class is its share rounded up or down by chance.

        Raises
        ------
        SynthesisError
            A component made scores that are not finite.
        """
        names = list(self.parts)
        shares = np.array([self.weights[name] for name in names], dtype=np.float64)
        ends = np.cumsum(shares / shares.sum())
        maker = np.empty(len(classes), dtype=np.intp)
        for code in np.unique(classes):
            rows = rng.permutation(np.flatnonzero(classes == code))
            ticks = (np.arange(len(rows)) + rng.random()) / len(rows)
            maker[rows] = np.minimum(np.searchsorted(ends, ticks, side="right"), len(names) - 1)
        result = np.zeros((len(classes), self.width))
        for number, name in enumerate(names):
            rows = np.flatnonzero(maker == number)
            if len(rows) and self.width:
                result[rows] = self.parts[name].sample(classes[rows], rng)
                if not np.isfinite(result[rows]).all():
                    raise SynthesisError(f"component {name} made scores that are not finite: leave it out")
        return result
