"""How do the components do on people they were not fitted on?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from synth.calibration.quantiles import Floats, Person
from synth.encoding import Encoding
from synth.model import Recipe
from synth.selection import Fold, Rows

LEAST_PEOPLE = 40
"""People that selection needs: a half must say something."""
MOST_ROWS = 2_000
"""Rows in either half of a fold; larger tables are sampled by person."""
TWO_FOLDS_BELOW = 3_000
_POOL_FACTOR, _POOL_ROWS = 8, 6_000


def folds_of(
    recipe: Recipe,
    encoding: Encoding,
    scores: Floats,
    classes: NDArray[np.int64],
    owners: Person | None,
    rng: np.random.Generator,
    done: Callable[[float], None],
) -> list[Fold]:
    """Fit on one half of the people, make pools, and keep the other half for validation; on small tables also in turn.

    Strata, components and calibration are learned on the fit half alone; encoding, which only ranks, saw both. Pools
    have the classes of the validation rows. Returns nothing if either half has fewer than twenty people.
    """
    halves = split_people(classes, owners, rng, at_most=MOST_ROWS)
    if min(len(np.unique(half if owners is None else owners[half])) for half in halves) < LEAST_PEOPLE // 2:
        return []
    turns = [halves, halves[::-1]] if len(scores) < TWO_FOLDS_BELOW else [halves]
    folds = []
    for number, (fit, validation) in enumerate(turns):

        def part(share: float, number: int = number) -> None:
            done((number + share) / len(turns))

        part_owners = None if owners is None else owners[fit]
        even = dict.fromkeys(recipe.components, 1.0)
        model = recipe.learn(encoding, scores[fit], classes[fit], part_owners, even, rng, part)
        unseen = encoding.snap(scores[validation])
        strata = model.strata.assign(unseen, classes[validation])
        strata = np.repeat(strata, min(_POOL_FACTOR, max(1, _POOL_ROWS // len(strata))))
        pools = []
        for name in recipe.components:
            pool = model.calibration.apply(model.mixture.only(name).draw(strata, rng), strata, rng)
            pools.append(Rows(encoding.snap(pool), model.strata.class_of[strata]))
        seen = Rows(encoding.snap(scores[fit]), classes[fit])
        folds.append(Fold(seen, Rows(unseen, classes[validation]), tuple(pools)))
    return folds


def split_people(
    classes: NDArray[np.int64], owners: Person | None, rng: np.random.Generator, *, at_most: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row numbers of two halves of the people, each about ``at_most`` rows at most; nobody is in both.

    Classes are split evenly, a person counting for the class of their first row.
    """
    owner = np.arange(len(classes)) if owners is None else owners
    first = np.unique(owner, return_index=True)[1]
    order = rng.permutation(len(first))
    order = order[np.argsort(classes[first][order], kind="stable")]
    half = np.empty(len(first), dtype=np.intp)
    half[order] = (np.arange(len(first)) + rng.integers(2)) % 2
    turn = rng.permutation(len(first))
    halves = []
    for side in (0, 1):
        rows = np.flatnonzero(half[owner] == side)
        if len(rows) > at_most:
            rows = np.sort(rows[np.argsort(turn[owner[rows]], kind="stable")][:at_most])
        halves.append(rows)
    return halves[0], halves[1]
