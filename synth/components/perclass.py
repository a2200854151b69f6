"""How is a table of scores split into classes, modelled one by one, and put together again?"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from synth.components.moments import Floats, Moments, class_moments
from synth.errors import SynthesisError

Form = Literal["guarded", "plain"]
Codes = NDArray[np.int64]
Draw = Callable[[int, np.random.Generator], Floats]


class PerClass(ABC):
    """A component that learns one class at a time; a class never seen is drawn from the moments of the whole table."""

    def fit(self, scores: Floats, classes: Codes, rng: np.random.Generator) -> Self:
        """Learn from (n, d) scores and (n,) class codes.

        Raises
        ------
        SynthesisError
            No rows, shapes that do not belong together, or a score that is not finite.
        """
        scores, classes = checked(scores, classes)
        members = members_of(classes)
        self._whole, moments = class_moments(scores, members)
        self._draws: dict[int, Draw] = {
            code: self._learn(scores[rows], moments[code], rng) for code, rows in members.items()
        }
        return self

    def sample(self, classes: Codes, rng: np.random.Generator) -> Floats:
        """(m, d) new rows, row i of class ``classes[i]``."""
        out = np.empty((len(classes), len(self._whole.mean)))
        for code, rows in members_of(classes).items():
            out[rows] = self._draws.get(code, self._whole.draw)(len(rows), rng)
        return out

    @abstractmethod
    def _learn(self, rows: Floats, moments: Moments, rng: np.random.Generator) -> Draw:
        """How to draw new rows of a class with these rows (at least one) and moments."""


def members_of(classes: Codes) -> dict[int, NDArray[np.intp]]:
    """Row numbers of each class, by ascending code."""
    order = np.argsort(classes, kind="stable")
    codes, starts = np.unique(classes[order], return_index=True)
    ends = np.append(starts, len(order))[1:]
    return {int(code): order[start:end] for code, start, end in zip(codes, starts, ends, strict=True)}


def checked(scores: Floats, classes: Codes) -> tuple[Floats, Codes]:
    """The same arrays as float64 and int64, or a refusal (:meth:`PerClass.fit`)."""
    scores, classes = np.asarray(scores, dtype=np.float64), np.asarray(classes, dtype=np.int64)
    if scores.ndim != 2 or len(scores) == 0 or scores.shape[1] == 0:
        raise SynthesisError(f"expected at least one row and one column of scores, found shape {scores.shape}")
    if classes.shape != (len(scores),):
        raise SynthesisError(f"expected one class code for each of {len(scores)} rows, found shape {classes.shape}")
    bad = int((~np.isfinite(scores)).sum())
    if bad:
        raise SynthesisError(f"expected finite scores, found {bad} that are not; encode missing cells before fitting")
    return scores, classes


def evenly(rows: int, available: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """(rows,) picks of 0 .. available-1, each used equally often up to one, in random order."""
    rounds = -(-rows // available)
    picks = np.concatenate([rng.permutation(available) for _ in range(rounds)] or [np.empty(0, np.intp)])
    return rng.permutation(picks[:rows])
