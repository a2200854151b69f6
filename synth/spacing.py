"""Which of the made rows lie nearer to rows that were learned from than rows of a model that never saw them would?

Every model leans a little towards the rows it was fitted on. What is left of that after selection is measured where it
can be, on people the model of a fold has not seen, and taken off again by making too many rows and leaving out some:
no row is refused for being near to somebody, but rows as near are made as rare as chance makes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from sklearn.isotonic import IsotonicRegression

from synth.calibration.quantiles import Floats
from synth.encoding import Encoding
from synth.nearness import MANY, Ranks, Small, nearest, nearest_by_landmarks
from synth.selection import Fold

BANDS = 10
"""Ranks of nearness, equally many rows in each, that are told apart."""
MOST_ODDS = 6.0
"""Largest odds of being kept over the smallest: what is rarer among unseen people stays that rare."""
_NEIGHBOUR = 5
_SPACED_ROWS = 10_000
_ROUNDS = 50


@dataclass(frozen=True)
class Spacing:
    """Odds (b,) of keeping a made row, by its rank of nearness to the (n, w) rows that were learned from.

    Nearness is the distance to the nearest of these rows over the distance to the fifth nearest of the made rows, so
    that crowds and lonely places compare. Odds never fall with distance and have a mean of 1.

    Of more than ``MANY`` learned rows both are looked for by landmarks (:mod:`synth.nearness`): every row against every
    other took seven of nine minutes for 100,000. Thinned by the largest odds that may be, of the encounters of
    diabetes-130 the share of the rows that lie nearest fell from 0.100 to 0.050 so, and to 0.052 with every distance.
    """

    learned: Small
    odds: Floats

    @classmethod
    def learn(
        cls,
        folds: Sequence[Fold],
        weights: Mapping[str, float],
        encoding: Encoding,
        scores: Floats,
        rng: np.random.Generator,
    ) -> Spacing:
        """From what mixtures of the folds' pools do; ``scores`` (n, d) are those of all rows that were learned from.

        In each fold a row of the mixture has a distance to the rows its components were fitted on and one to as many
        rows of other people. Odds are raised and lowered, band by band, until both are distributed alike among the rows
        that are kept: then nothing of the nearness tells which of the two the model has seen.

        Parameters
        ----------
        folds : at least one, with a pool for each of ``weights`` in the same order.
        """
        seen, unseen = [], []
        for fold in folds:
            near, far = _nearnesses(fold, list(weights.values()), encoding, rng)
            cuts = np.quantile(near, np.linspace(0.0, 1.0, BANDS + 1)[1:-1])
            seen.append(np.searchsorted(cuts, near, side="right"))
            unseen.append(np.searchsorted(cuts, far, side="right"))
        return cls(encoding.apart(scores), _odds(np.concatenate(seen), np.concatenate(unseen)))

    def of(self, rows: Small, rng: np.random.Generator) -> Floats:
        """(m,) odds of made rows (m, w), by the rank of their nearness among them."""
        search = partial(nearest_by_landmarks, rng=rng) if len(self.learned) > MANY else nearest
        nearness = search(rows, self.learned) / _room(rows, rng, search)
        ranks = np.empty(len(rows), dtype=np.intp)
        ranks[np.argsort(nearness, kind="stable")] = np.arange(len(rows))
        odds: Floats = self.odds[ranks * len(self.odds) // max(len(rows), 1)]
        return odds


def _nearnesses(
    fold: Fold, weights: Sequence[float], encoding: Encoding, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Nearness of mixture rows to rows of the fit half, and to as many of the validation half."""
    size = min(len(fold.fit.scores), len(fold.validation.scores))
    fit, validation = (
        encoding.apart(rows.scores[rng.permutation(len(rows.scores))[:size]]) for rows in (fold.fit, fold.validation)
    )
    most = min(len(pool.scores) for pool in fold.pools)
    drawn = [
        pool.scores[rng.permutation(len(pool.scores))[: round(weight * most)]]
        for pool, weight in zip(fold.pools, weights, strict=True)
    ]
    rows = encoding.apart(np.vstack(drawn))
    room = _room(rows, rng)
    return nearest(rows, fit) / room, nearest(rows, validation) / room


def _room(rows: Small, rng: np.random.Generator, search: Callable[..., Floats] = nearest) -> Floats:
    """Distance of each row to the fifth nearest of some of them; 1 where there is none."""
    some = np.sort(rng.permutation(len(rows))[:_SPACED_ROWS])
    if len(some) <= _NEIGHBOUR:
        return np.ones(len(rows))
    own = np.full(len(rows), -1, dtype=np.intp)
    own[some] = np.arange(len(some))
    room = search(rows, rows[some], own=own, place=_NEIGHBOUR)
    return np.where(room > 0, room, 1.0)


def _odds(seen: Ranks, unseen: Ranks) -> Floats:
    """Odds by band of ``seen`` that make both bands (m,) of the rows equally distributed, as far as they can rise."""
    odds = np.ones(BANDS)
    order = np.arange(BANDS)
    for _ in range(_ROUNDS):
        weight = odds[seen]
        have, wanted = (np.bincount(bands, weights=weight, minlength=BANDS) + 1.0 for bands in (seen, unseen))
        raised = odds * np.sqrt(wanted / have)
        odds = IsotonicRegression().fit_transform(order, raised, sample_weight=have)
        odds = np.maximum(odds, odds.max() / MOST_ODDS)
        odds = odds / odds.mean()
    return odds
