"""What does a model say of a person's secrets, fitted to the release or to people who are not in it?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

TREES = 24
LEVELS = 40  # values of one secret a forest tells apart, the frequent ones; it never guesses the others
FITTED = (1_000, 5_000)  # rows it is fitted to, at most: the second over the number of secrets, but not below the first

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Forest:
    """A random forest that guesses (s,) secrets of a row at once, each a code."""

    model: Any
    values: tuple[Codes, ...]

    @classmethod
    def fit(cls, known: Codes, secrets: Codes, rng: np.random.Generator) -> Forest:
        """``known`` (n, d) and ``secrets`` (n, s) are codes of levels and bins; the rows are thinned to ``FITTED``."""
        most = max(FITTED[1] // secrets.shape[1], FITTED[0])
        rows = np.arange(len(known))
        if len(rows) > most:
            rows = np.sort(rng.choice(len(rows), most, replace=False))
        values, places = [], []
        for column in secrets[rows].T:
            distinct, inverse, counts = np.unique(column, return_inverse=True, return_counts=True)
            frequent = np.sort(np.argsort(-counts, kind="stable")[:LEVELS])
            place = np.full(len(distinct), len(frequent))
            place[frequent] = np.arange(len(frequent))
            values.append(np.append(distinct[frequent], -1))
            places.append(place[inverse])
        seed = int(rng.integers(2**31))
        model = RandomForestClassifier(TREES, n_jobs=1, random_state=seed)
        model.fit(known[rows].astype(np.float32), np.column_stack(places) if len(places) > 1 else places[0])
        return cls(model, tuple(values))

    def guess(self, known: Codes) -> Codes:
        """(n, s) guessed codes; -1 where it has none."""
        if not len(known):
            return np.empty((0, len(self.values)), dtype=np.int64)
        places = np.asarray(self.model.predict(known.astype(np.float32))).reshape(len(known), -1)
        return np.column_stack([values[place] for values, place in zip(self.values, places.T, strict=True)])
