"""Which rows are calibrated together?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from synth.calibration.association import Association
from synth.calibration.methods import METHODS
from synth.calibration.quantiles import KNOT, Floats, Person
from synth.calibration.target import Known, Target
from synth.errors import SynthesisError

Classes = NDArray[np.int64]

ASSOCIATION = "association"
STEPS: tuple[str, ...] = (*METHODS, ASSOCIATION)
ROUNDS = 3
"""Times that numbers are moved towards the real associations and matched again, which undoes a little of it."""
GROUP_PEOPLE = 30
"""People in the smallest class that is calibrated on its own."""


class Cells(Protocol):
    """What scores stand for: the encoding.

    Attributes
    ----------
    presence : (d,) number of the score that tells whether a cell is present at all, -1 where it always is.
    numbers : scores that stand for numbers or dates.
    """

    @property
    def presence(self) -> NDArray[np.intp]: ...

    @property
    def numbers(self) -> NDArray[np.intp]: ...

    def present(self, scores: Floats) -> Known:
        """(m, d) whether each score stands for a cell that is present."""
        ...


@dataclass(frozen=True)
class Calibration:
    """Calibration methods applied one after the other, class by class, and associations over all classes.

    A class of fewer than ``GROUP_PEOPLE`` people is calibrated together with the other small ones; if all of those
    together are too few, the whole table is calibrated once more as one group instead.

    Attributes
    ----------
    steps : names of methods, in order.
    groups : class codes that are calibrated together, in turn, and their targets.
    cells : what scores stand for.
    association : how the numbers depend on each other; None where that is not calibrated.
    """

    steps: tuple[str, ...]
    groups: tuple[tuple[frozenset[int], Target], ...]
    cells: Cells
    association: Association | None

    @classmethod
    def fit(
        cls,
        scores: Floats,
        classes: Classes,
        *,
        steps: Sequence[str],
        cells: Cells,
        people: Person | None = None,
        people_per_knot: int = KNOT,
    ) -> Self:
        """Learn the targets, of ``people_per_knot`` people a knot, from real scores (n, d) and class codes (n,).

        Raises
        ------
        SynthesisError
            A step is no calibration method.
        """
        unknown = [step for step in steps if step not in STEPS]
        if unknown:
            raise SynthesisError(f"calibration steps must be among {sorted(STEPS)}; {len(unknown)} of them are not")
        known = cells.present(scores)
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
        numbers, association = cells.numbers, None
        if ASSOCIATION in steps and len(numbers) > 1:
            association = Association.of(scores[:, numbers], known[:, numbers], classes, people)
        return cls(tuple(step for step in steps if step in METHODS), tuple(targets), cells, association)

    def apply(self, scores: Floats, classes: Classes, rng: np.random.Generator) -> Floats:
        """Calibrated scores (m, d) of synthetic rows with class codes (m,).

        Columns that can be missing follow when it is settled which of their cells are present.
        """
        result = scores.copy()
        always = self.cells.presence < 0
        self._match(result, classes, np.flatnonzero(always), rng)
        self._match(result, classes, np.flatnonzero(~always), rng)
        if self.association is not None:
            numbers = self.cells.numbers
            known = self.cells.present(result)[:, numbers]
            for _ in range(ROUNDS):
                result[:, numbers] = self.association.applied(result[:, numbers], known, classes)
                self._match(result, classes, numbers, rng)
        return result

    def _match(self, scores: Floats, classes: Classes, columns: NDArray[np.intp], rng: np.random.Generator) -> None:
        """Move the scores of these columns, in place, towards their groups' marginals."""
        if not len(columns):
            return
        known = self.cells.present(scores)[:, columns]
        for group, target in self.groups:
            rows = np.flatnonzero(np.isin(classes, sorted(group)))
            if len(rows):
                moved, part = scores[np.ix_(rows, columns)], target.chosen(columns)
                for step in self.steps:
                    moved = METHODS[step](moved, known[rows], part, rng)
                scores[np.ix_(rows, columns)] = moved


def _people_in(rows: NDArray[np.bool_], people: Person | None) -> int:
    return int(rows.sum()) if people is None else len(np.unique(people[rows]))
