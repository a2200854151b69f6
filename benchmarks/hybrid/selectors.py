"""How would other searches than the learned one have chosen the weights?

All of them use the same reward on the same folds as the synthesizer's own selection, with about as many evaluations,
and look at their best points once more with more draws, as it does.

- ``single``: the best component alone, of as many evaluations as there are components.
- ``grid``: every weighting in thirds of the whole (84 of seven components), and the even mixture.
- ``bayesian``: Gaussian process search (Srinivas et al., ICML 2010) from the single components and the even mixture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.hybrid.variants import settings
from policies import Dictionary
from synth import HybridSynthesizer
from synth.selection import Fold, SelectionTrace
from synth.selection.reward import TOLERANCE, Reward
from synth.selection.search import BATCH, GP_EVALUATIONS, UPDATES, gaussian_process
from synth.selection.select import unselected, worthwhile
from synth.selection.trace import Point, Source, Terms

FINALISTS = 5
FINAL_EFFORT = 4
EVALUATIONS = BATCH * UPDATES + GP_EVALUATIONS
"""What the synthesizer's own selection spends beyond the single components and the even mixture."""

Floats = NDArray[np.float64]
Evaluate = Callable[[Floats], float]


def synthesizer_of(form: str, dictionary: Dictionary) -> HybridSynthesizer:
    """One form of ours, unfitted.

    Raises
    ------
    ValueError
        No form has that name.
    """
    options = settings(form)
    selector = options.pop("selector", None)
    if selector is None:
        return HybridSynthesizer(dictionary, **options)
    return SearchedHybrid(selector, dictionary, **options)


class SearchedHybrid(HybridSynthesizer):
    """The hybrid with its weights chosen by another search."""

    def __init__(self, selector: str, dictionary: Dictionary, **options: Any) -> None:
        super().__init__(dictionary, **options)
        self.selector = selector

    def _selected(self, folds: list[Fold], rng: np.random.Generator) -> SelectionTrace:
        if not folds:
            return unselected(self.components, None, "too few people to select")
        return searched(self.selector, self.components, Reward.of(folds, rng, tolerance=TOLERANCE), rng)


def searched(selector: str, names: tuple[str, ...], reward: Reward, rng: np.random.Generator) -> SelectionTrace:
    """The trace of one search; its chosen point is the best of its finalists, evaluated once more."""
    points: list[Point] = []
    source: Source = {"single": "single", "bayesian": "gaussian_process"}.get(selector, "given")  # type: ignore[assignment]

    def evaluate(weights: Floats, effort: int = 1) -> float:
        value, terms = reward(weights, rng, effort=effort)
        points.append(_point(source, names, weights, value, terms))
        return value

    k = len(names)
    if selector == "single":
        starts = list(np.eye(k))
    elif selector == "grid":
        starts = list(lattice(k))
    else:
        starts = [*np.eye(k), np.full(k, 1.0 / k)]
    rewards = [evaluate(weights) for weights in starts]
    if selector == "bayesian" and k > 1:
        gaussian_process(evaluate, np.vstack(starts), np.array(rewards), rng, evaluations=EVALUATIONS)
    finalists = sorted(range(len(points)), key=lambda place: -(points[place].reward or 0.0))[:FINALISTS]
    for place in finalists:
        weights = worthwhile(np.array([points[place].weights[name] for name in names]))
        value, terms = reward(weights, rng, effort=FINAL_EFFORT)
        points[place] = _point(source, names, weights, value, terms)
    chosen = max(finalists, key=lambda place: points[place].reward or 0.0)
    return SelectionTrace(tuple(points), chosen, 0, 0, TOLERANCE, f"searched by {selector}")


def lattice(k: int, steps: int = 3) -> Iterator[Floats]:
    """Every point (k,) of the simplex whose weights are multiples of ``1 / steps``, then the even one."""
    for chosen in combinations_with_replacement(range(k), steps):
        yield np.bincount(chosen, minlength=k) / steps
    yield np.full(k, 1.0 / k)


def _point(source: Source, names: tuple[str, ...], weights: Floats, reward: float, terms: Terms) -> Point:
    return Point(source, {name: float(w) for name, w in zip(names, weights, strict=True)}, reward, terms)
