"""What is the NNAA under Gower's distance, as SynthEval takes it? By the search of ``audit.gower``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from audit.gower import Mixed, gower_nearest
from audit.measures.nnaa import accuracy_of
from audit.neighbours import Matrix

Flags = NDArray[np.bool_]


def gower_accuracy(real: Matrix, fake: Matrix, categorical: Flags) -> float:
    """NNAA with strict comparison; numbers count over the range of the two tables compared, but at least 1."""
    both = _scaled(real, fake, categorical)
    distances = []
    for side, rows in enumerate((real, fake)):
        alone, places = _scaled(rows, rows, categorical)[0], np.arange(len(rows))
        distances.append(gower_nearest(alone, alone, places, places).distance)
        distances.append(gower_nearest(both[side], both[1 - side]).distance)
    return accuracy_of(*distances, ties=0.0)


def _scaled(a: Matrix, b: Matrix, categorical: Flags) -> tuple[Mixed, Mixed]:
    both = np.concatenate([a, b])
    numbers = both[:, ~categorical]
    low = numbers.min(axis=0)
    shares = (numbers - low) / np.maximum(numbers.max(axis=0) - low, 1.0)
    codes = [np.unique(column, return_inverse=True)[1] for column in both[:, categorical].T]
    levels = np.column_stack([np.zeros((len(both), 0), dtype=np.int64), *codes])
    return Mixed(shares[: len(a)], levels[: len(a)]), Mixed(shares[len(a) :], levels[len(a) :])
