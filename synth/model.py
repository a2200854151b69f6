"""What is learned from encoded rows?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth import components
from synth.calibration import Calibration
from synth.calibration.quantiles import KNOT, Floats, Person
from synth.encoding import Encoding
from synth.mixture import Mixture
from synth.strata import Strata


@dataclass(frozen=True)
class Model:
    """Strata of the classes, components fitted on them, and the marginals they are calibrated to."""

    strata: Strata
    mixture: Mixture
    calibration: Calibration


@dataclass(frozen=True)
class Recipe:
    """How a model is learned: components by name and their form, calibration steps and knots, and where torch runs."""

    components: tuple[str, ...]
    form: str
    calibration: tuple[str, ...]
    device: str
    people_per_knot: int = KNOT

    def learn(
        self,
        encoding: Encoding,
        scores: Floats,
        classes: NDArray[np.int64],
        owners: Person | None,
        weights: Mapping[str, float],
        rng: np.random.Generator,
        done: Callable[[float], None],
    ) -> Model:
        """Learn from scores (n, d) and class codes (n,); components without weight are left out.

        A component that keeps ties is given scores in which equal cells have equal scores.
        """
        snapped = encoding.snap(scores)
        strata, codes = Strata.fit(snapped, classes, encoding.cuts(), rng, people=owners)
        count = len(scores) if owners is None else len(np.unique(owners))
        used = [name for name in self.components if weights.get(name, 0.0) > 0]
        parts = {}
        for number, name in enumerate(used):
            component = components.REGISTRY[name](form=self.form, device=self.device, people=count)
            if encoding.width:
                component.fit(snapped if getattr(component, "keeps_ties", False) else scores, codes, rng)
            parts[name] = component
            done((number + 1) / len(used))
        calibration = Calibration.fit(
            scores,
            codes,
            steps=self.calibration,
            cells=encoding,
            people=owners,
            people_per_knot=self.people_per_knot,
        )
        return Model(strata, Mixture(parts, {name: weights[name] for name in used}, encoding.width), calibration)
