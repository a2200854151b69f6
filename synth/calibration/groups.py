"""Which rows are calibrated together?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from synth.calibration.methods import METHODS
from synth.calibration.quantiles import KNOT, Floats, Person
from synth.calibration.target import Known, Target
from synth.errors import SynthesisError

Classes = NDArray[np.int64]
Presence = Callable[[Floats], Known]

GROUP_PEOPLE = 30
"""People in the smallest class that is calibrated on its own."""


@dataclass(frozen=True)
class Calibration:
    """Calibration methods applied one after the other, class by class.

    A class of fewer than ``GROUP_PEOPLE`` people is calibrated together with the other small ones; if all of those
    together are too few, the whole table is calibrated once more as one group instead.

    Attributes
    ----------
    steps : names of methods, in order.
    groups : class codes that are calibrated together, in turn, and their targets.
    presence : tells from scores (m, d) which cells are present.
    conditional : (d,) columns that can be missing; they follow when it is settled which of their cells are present.
    """

    steps: tuple[str, ...]
    groups: tuple[tuple[frozenset[int], Target], ...]
    presence: Presence
    conditional: NDArray[np.bool_]

    @classmethod
    def fit(
        cls,
        scores: Floats,
        classes: Classes,
        *,
        steps: Sequence[str],
        presence: Presence,
        conditional: NDArray[np.bool_],
        people: Person | None = None,
        people_per_knot: int = KNOT,
    ) -> Self:
        """Learn the targets, of ``people_per_knot`` people a knot, from real scores (n, d) and class codes (n,).

        Raises
        ------
        SynthesisError
            A step is no calibration method.
        """
        unknown = [step for step in steps if step not in METHODS]
        if unknown:
            raise SynthesisError(f"calibration steps must be among {sorted(METHODS)}; {len(unknown)} of them are not")
        known = presence(scores)
        codes = [int(code) for code in np.unique(classes)]
        sizes = {c: _people_in(classes == c, people) for c in codes}
        large = [frozenset([c]) for c in codes if sizes[c] >= GROUP_PEOPLE]
        rest = frozenset(c for c in codes if sizes[c] < GROUP_PEOPLE)
        groups = large
        if rest:
            enough = _people_in(np.isin(classes, sorted(rest)), people) >= GROUP_PEOPLE
            groups = [*large, rest if enough else frozenset(codes)]
        targets = []
        for group in groups:
            rows = np.isin(classes, sorted(group))
            owners = None if people is None else people[rows]
            targets.append((group, Target.of(scores[rows], known[rows], owners, people_per_knot=people_per_knot)))
        return cls(tuple(steps), tuple(targets), presence, conditional)

    def apply(self, scores: Floats, classes: Classes, rng: np.random.Generator) -> Floats:
        """Calibrated scores (m, d) of synthetic rows with class codes (m,)."""
        result = scores.copy()
        for group, target in self.groups:
            rows = np.flatnonzero(np.isin(classes, sorted(group)))
            for columns in (np.flatnonzero(~self.conditional), np.flatnonzero(self.conditional)):
                if len(rows) and len(columns):
                    known = self.presence(result[rows])[:, columns]
                    cells = np.ix_(rows, columns)
                    moved, part = result[cells], target.chosen(columns)
                    for step in self.steps:
                        moved = METHODS[step](moved, known, part, rng)
                    result[cells] = moved
        return result


def _people_in(rows: NDArray[np.bool_], people: Person | None) -> int:
    return int(rows.sum()) if people is None else len(np.unique(people[rows]))
