"""How far apart are rows with gaps? Euclidean distance over what both rows have, and something for what one lacks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from audit.neighbours import Matrix, Nearest, Rows, nearest

CELLS = 4_000_000  # distances held at a time
FEWEST = 3  # numbers that two rows must both have to be compared


def nearest_known(
    queries: Matrix,
    reference: Matrix,
    query_people: Rows | None = None,
    people: Rows | None = None,
    gap: float | None = None,
) -> Nearest:
    """The nearest row of ``reference`` (m, d) to each of ``queries`` (q, d), NaN being unknown.

    A number the query lacks is not asked about. One that the other row alone lacks is ``gap`` off; without ``gap`` it
    is as far off as the numbers both have are on average (Dixon), and rows that share fewer than ``FEWEST`` are passed
    over. So are rows of the query's own person where ``query_people`` (q,) and ``people`` (m,) say who they are.
    Without unknown numbers this is ``audit.neighbours.nearest``.

    References
    ----------
    Dixon, Pattern recognition with partly missing data, IEEE Transactions on Systems, Man, and Cybernetics 9 (1979).
    """
    if not (np.isnan(queries).any() or np.isnan(reference).any()):
        return nearest(queries, reference, query_people, people)
    result = Nearest(np.full(len(queries), np.inf), np.full(len(queries), -1, dtype=np.int64))
    if not len(reference):
        return result
    known, values = _split(reference)
    squares = values * values
    step = max(CELLS // len(reference), 1)
    for start in range(0, len(queries), step):
        block = queries[start : start + step]
        asked, here = _split(block)
        shared = asked @ known.T
        squared = (here * here) @ known.T + asked @ squares.T - 2 * (here @ values.T)
        squared = _whole(squared, shared, asked.sum(axis=1)[:, None], gap)
        if query_people is not None and people is not None:
            squared[query_people[start : start + step, None] == people] = np.inf
        best = squared.argmin(axis=1)
        found = np.isfinite(squared[np.arange(len(block)), best])
        # from the differences, as the products round where a row is next to another
        off = block - reference[best]
        shared, squared = (~np.isnan(off)).sum(axis=1), np.nansum(off * off, axis=1)
        exact = np.sqrt(_whole(squared, shared, asked.sum(axis=1), gap))
        result.index[start : start + step][found] = best[found]
        result.distance[start : start + step][found] = exact[found]
    return result


def _whole(squared: Matrix, shared: Matrix, wanted: Matrix, gap: float | None) -> Matrix:
    """Squared distances over ``wanted`` numbers, from those over the ``shared`` ones."""
    if gap is not None:
        return squared + gap * gap * (wanted - shared)
    return np.where(shared >= FEWEST, squared * wanted / np.maximum(shared, 1), np.inf)


def _split(rows: Matrix) -> tuple[Matrix, Matrix]:
    """What is known of (n, d) rows as 0 and 1, and the rows with 0 where unknown."""
    known: NDArray[np.bool_] = ~np.isnan(rows)
    return known.astype(np.float64), np.where(known, rows, 0.0)
