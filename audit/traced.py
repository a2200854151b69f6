"""How many released rows are somebody's beyond doubt, and how many more of them are train people's than others'?

A share needs many rows to stand out, and three patients in a release of two hundred and fifty rows are few. But each of
them may be beyond doubt by itself: likelier by far as that patient's than as anybody's. Such rows are counted one by
one. In an honest release there is hardly one, so that a count of three says what a share cannot.

Two such rows in each of many releases are too few in any of them: those of one person are counted on the union of all
releases too (``audit.measures.cumulative``), as far as the rows drawn of it hold them; mixtures of two are not.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from audit.intervals import clopper_pearson, difference_of_counts
from audit.outcome import measured
from audit.plan import Stake
from policies import Measurement

SURE = 5.0  # likelihood ratio beyond doubt, in numbers of rows that are asked about
TRACED = 0.05  # part of those whom a leak exposes that is beyond doubt, at the least

Floats = NDArray[np.float64]


def beyond_doubt(strangers: Floats, rows: int) -> float:
    """Log likelihood ratio above which a row is somebody's beyond doubt, where ``rows`` are asked about.

    A ratio to the density that rows are drawn from exceeds c with a chance of 1 / c at the most (Markov), so that of
    honest rows a fifth of one is expected above ``SURE * rows``. That density is estimated, and real people come in
    pairs who are nearly equal. A pair among the (m,) ``strangers`` may be chance: as many of them may exceed it as
    would be one of the rows. Where more do it is the way of this table, and the mark is what so many of them exceed as
    would be a fifth of one row.
    """
    mark, share = math.log(SURE * rows), len(strangers) / rows
    if (strangers > mark).sum() <= round(share):
        return mark
    return max(mark, float(np.sort(strangers)[-1 - round(share / SURE)]))


def counted(
    name: str,
    traced: tuple[int, int],
    n: int,
    confidence: float,
    method: str,
    *,
    ratio: float = 1.0,
    scale: float = 1.0,
) -> Measurement:
    """Figure ``name``: rows traced to train, minus ``ratio`` times those traced to holdout, of ``n`` asked about.

    ``ratio`` is train's size over holdout's, where both are searched whole; ``scale`` is all there is over what was
    looked at. The upper end never exceeds the rows that are traced to train, which are counted, and what the others at
    the most hold.
    """
    train, holdout = traced
    low, high = difference_of_counts(train, holdout, ratio, confidence)
    most = train + (scale - 1) * n * clopper_pearson(train / n, n, confidence)[1]
    value = min(scale * (train - ratio * holdout), most)
    return measured(name, value, (scale * low, min(scale * high, most)), confidence, n, method)


def of_rows(share: float, rows: int, spread: float = 0.0) -> Stake:
    """What a leak that exposes this share of ``rows`` has to trace; nothing, where that would be less than one row."""
    stake = Stake(share * rows, spread * rows, TRACED)
    return stake if stake.least >= 1 else Stake(0.0)
