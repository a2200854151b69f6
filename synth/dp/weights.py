"""What share of rows does each generator give, judged by the noisy tables alone?

Softmax weights learned by REINFORCE (Williams, Machine Learning 8, 1992) on the distance of the mixture's tables from
the measured ones. No real row is seen, so this costs nothing. Single generators and equal shares are evaluated as well,
the best evaluated point is taken, and all are in the trace; no claim is made that learning beats trying each one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from synth.dp.coarsen import Floats
from synth.dp.domain import Codes
from synth.dp.loglinear import Factor
from synth.selection.trace import Point, SelectionTrace, Source

_UPDATES = 40
_DRAWS = 8
_RATE = 0.5
_SPREAD = 0.5
_TIE = 0.02
"""A single generator is kept unless a mixture is nearer by this part: less than that is what noise in tables makes."""
LEAST_WEIGHT = 0.02


def learned_weights(
    sets: Mapping[str, Codes], factors: Sequence[Factor], noise: Sequence[float], rng: np.random.Generator
) -> SelectionTrace:
    """The trace of the search; ``noise`` is each table's scale. A table counts by one over its scale and cells."""
    names = tuple(sets)
    tables = [np.stack([_shares_in(sets[name], factor) for name in names]) for factor in factors]
    targets = [factor.counts / max(float(factor.counts.sum()), 1.0) for factor in factors]
    prices = np.array([1.0 / (scale * len(factor.counts)) for scale, factor in zip(noise, factors, strict=True)])
    prices /= prices.sum()

    def reward(weights: Floats) -> float:
        return -float(
            sum(
                price * np.abs(weights @ table - target).sum()
                for price, table, target in zip(prices, tables, targets, strict=True)
            )
        )

    points: list[Point] = []
    found: list[float] = []

    def evaluate(source: Source, weights: Floats) -> float:
        gained = reward(weights)
        found.append(gained)
        points.append(Point(source, dict(zip(names, map(float, weights), strict=True)), gained))
        return gained

    alone = np.array([evaluate("single", unit) for unit in np.eye(len(names))])
    evaluate("uniform", np.full(len(names), 1.0 / len(names)))
    logits = (alone - alone.max()) / max(float(np.ptp(alone)), 1e-9) * 2.0
    for _ in range(_UPDATES if len(names) > 1 else 0):
        draws = logits + _SPREAD * rng.standard_normal((_DRAWS, len(names)))
        gains = np.array([evaluate("reinforce", _softmax(draw)) for draw in draws])
        edge = (gains - gains.mean()) / max(float(gains.std()), 1e-12)
        logits = logits + _RATE * (edge[:, None] * (draws - logits)).mean(axis=0) / _SPREAD
        logits -= logits.max()
    evaluate("reinforce", _softmax(logits))
    chosen = int(np.argmax(found))
    if alone.max() >= (1.0 + _TIE) * found[chosen]:  # rewards are below 0
        chosen = int(np.argmax(alone))
    return SelectionTrace(tuple(points), chosen, 0, 0, 0.0, "held against noisy tables only")


def shares_of(trace: SelectionTrace) -> dict[str, float]:
    """The chosen weights; those below 2 % are 0."""
    kept = {name: weight if weight >= LEAST_WEIGHT else 0.0 for name, weight in trace.weights.items()}
    return {name: weight / sum(kept.values()) for name, weight in kept.items()}


def _shares_in(codes: Codes, factor: Factor) -> Floats:
    counts = np.bincount(factor.cells(codes), minlength=len(factor.counts))
    shares: Floats = counts / len(codes)
    return shares


def _softmax(logits: Floats) -> Floats:
    raised = np.exp(logits - logits.max())
    shares: Floats = raised / raised.sum()
    return shares
