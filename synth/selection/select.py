"""Which share of the rows does each component make?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from synth.calibration.quantiles import Floats
from synth.selection.reward import TOLERANCE, Fold, Reward
from synth.selection.search import gaussian_process, reinforce
from synth.selection.trace import Point, SelectionTrace, Source, Terms

LEAST_WEIGHT = 0.05
"""Learned weights below this are not worth a component: they are set to 0."""
_FINALISTS = 5
_FINAL_EFFORT = 4


def select(
    names: Sequence[str],
    folds: Sequence[Fold],
    rng: np.random.Generator,
    *,
    tolerance: float = TOLERANCE,
) -> SelectionTrace:
    """Search the simplex for the mixture with the best reward on validation rows, and return the whole trace.

    The single components and their even mixture come first and warm up the policy of :func:`reinforce`; a Gaussian
    process search over the same points follows as a plain comparison. The best points of all, without weights too
    small to be worth a component, are evaluated once more with four times the draws, and the best of those is chosen:
    an evaluated point, never the policy's mean.

    Parameters
    ----------
    names : the components.
    folds : fit and validation rows out of the same table, and a pool of every component with its marginals calibrated
        to the fit rows; a holdout has no way in (I-13).
    """
    names = tuple(names)
    reward = Reward.of(folds, rng, tolerance=tolerance)
    points: list[Point] = []

    def evaluate(source: Source) -> Callable[[Floats], float]:
        def of(weights: Floats) -> float:
            value, terms = reward(weights, rng)
            points.append(_point(source, names, weights, value, terms))
            return value

        return of

    k = len(names)
    single_rewards = np.array([evaluate("single")(alone) for alone in np.eye(k)])
    if k > 1:
        even = evaluate("uniform")(np.full(k, 1.0 / k))
        reinforce(evaluate("reinforce"), single_rewards, rng)
        first = np.vstack([np.eye(k), np.full(k, 1.0 / k)])
        gaussian_process(evaluate("gaussian_process"), first, np.append(single_rewards, even), rng)
    finalists = sorted(range(len(points)), key=lambda place: -(points[place].reward or 0.0))[:_FINALISTS]
    for place in finalists:
        weights = np.array([points[place].weights[name] for name in names])
        weights = worthwhile(weights)
        value, terms = reward(weights, rng, effort=_FINAL_EFFORT)
        points[place] = _point(points[place].source, names, weights, value, terms)
    chosen = max(finalists, key=lambda place: points[place].reward or 0.0)
    fit_rows = sum(len(fold.fit.scores) for fold in folds)
    validation_rows = sum(len(fold.validation.scores) for fold in folds)
    return SelectionTrace(tuple(points), chosen, fit_rows, validation_rows, tolerance)


def worthwhile(weights: Floats) -> Floats:
    """Weights (k,) on the simplex without those below ``LEAST_WEIGHT``."""
    kept = np.where(weights < min(LEAST_WEIGHT, weights.max()), 0.0, weights)
    shares: Floats = kept / kept.sum()
    return shares


def unselected(names: Sequence[str], weights: Mapping[str, float] | None, reason: str) -> SelectionTrace:
    """The trace where nothing was evaluated: given weights, or even ones."""
    even = {name: 1.0 / len(names) for name in names}
    source: Source = "uniform" if weights is None else "given"
    point = Point(source, even if weights is None else dict(weights))
    return SelectionTrace((point,), 0, 0, 0, TOLERANCE, reason)


def _point(source: Source, names: tuple[str, ...], weights: Floats, reward: float, terms: Terms) -> Point:
    return Point(source, {name: float(w) for name, w in zip(names, weights, strict=True)}, reward, terms)
