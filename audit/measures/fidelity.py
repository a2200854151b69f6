"""Does the release look like the population, no worse and no better than other real people do?

Every figure is taken against train and against holdout, and the floor beside it is train against holdout. A release
nearer to train than the floor is nearer than a fresh real sample: that is memory, not fidelity.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from audit.columns import categorical_columns, numeric_columns
from audit.marginals import numeric_distances, total_variation
from audit.outcome import FEWEST, measured, too_few, void_all
from audit.pairs import contingency_distances, correlation_differences
from audit.plan import Plan
from audit.resampling import Groups, jackknife_interval
from audit.tables import AuditTables
from policies import Measurement

FIGURES = ("ks", "wasserstein", "total_variation", "pair_trend", "correlation_difference")
NAMES = tuple(name for figure in FIGURES for name in (f"{figure}_train", f"{figure}_holdout", f"floor_{figure}"))
CONTROLS: dict[str, Plan] = {}  # nothing here guards anybody

Floats = NDArray[np.float64]


def fidelity(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
    """Means over columns or pairs of columns, by the delete-a-group jackknife over people.

    - ``ks``, ``wasserstein``: number and time columns; ``total_variation``: categorical columns. 0 is equal.
    - ``pair_trend``: Column Pair Trends, 1 is equal: for two numbers 1 - |difference of Pearson's correlation| / 2,
      for all other pairs 1 - total variation of their joint table (numbers in ten bins). It is lenient: where the
      truth is 0.3, no correlation at all still scores 0.85.
    - ``correlation_difference``: mean |difference of Pearson's correlation| over pairs of numbers.

    References
    ----------
    SDMetrics, Quality Report, Column Pair Trends (CorrelationSimilarity, ContingencySimilarity); there a missing
    number counts as 0 in a correlation, here only rows with both known count.
    """
    if tables.fewest_people < FEWEST:
        return too_few(NAMES, tables.fewest_people)
    groups = Groups.deal(tables, rng)
    with threadpool_limits(1, user_api="blas"):  # products are small, and waiting threads cost more than they bring
        return tuple(
            measurement
            for figure, replicates, unit in _figures(tables, groups, rng)
            for measurement in _triple(tables, groups, figure, replicates, unit)
        )


def _figures(tables: AuditTables, groups: Groups, rng: np.random.Generator) -> Iterator[tuple[str, Floats | None, str]]:
    """Name, (columns or pairs, 1 + groups, 3) replicates or None if there is nothing to compare, what is averaged."""
    numeric, categorical = numeric_columns(tables.dictionary), categorical_columns(tables.dictionary)
    distances = [numeric_distances(tables, name, groups) for name in numeric]
    yield "ks", np.stack([ks for ks, _ in distances]) if numeric else None, "number and time columns"
    yield "wasserstein", np.stack([w for _, w in distances]) if numeric else None, "number and time columns"
    shares = [total_variation(tables, name, groups) for name in categorical]
    yield "total_variation", np.stack(shares) if categorical else None, "categorical columns"
    correlation = correlation_differences(tables, groups) if len(numeric) > 1 else None
    possible = math.comb(len(tables.dictionary.released), 2) - math.comb(len(numeric), 2)
    joint = contingency_distances(tables, groups, rng) if possible else None
    yield "pair_trend", _trend(correlation, joint, possible), "pairs of columns"
    yield "correlation_difference", correlation, "pairs of number columns"


def _trend(correlation: Floats | None, joint: Floats | None, possible: int) -> Floats | None:
    """Both kinds of pairs; a mean over drawn joint tables stands for all of them."""
    if correlation is None or joint is None:
        return 1 - correlation / 2 if correlation is not None else (1 - joint if joint is not None else None)
    kinds = len(correlation) + possible
    mean = ((1 - correlation / 2).sum(axis=0) + (1 - joint).mean(axis=0) * possible) / kinds
    result: Floats = mean[None]
    return result


def _triple(
    tables: AuditTables, groups: Groups, figure: str, replicates: Floats | None, unit: str
) -> tuple[Measurement, ...]:
    names = (f"{figure}_train", f"{figure}_holdout", f"floor_{figure}")
    if replicates is None:
        return void_all(names, "inconclusive", f"the table has no {unit}")
    high = {"wasserstein": math.inf, "correlation_difference": 2.0}.get(figure, 1.0)
    mean = replicates.mean(axis=0)
    sizes = {side: len(frame) for side, frame in tables.frames.items()}
    n = (min(sizes["train"], sizes["released"]), min(sizes["holdout"], sizes["released"]))
    counts = (*n, min(sizes["train"], sizes["holdout"]))
    method = f"mean over {unit}; jackknife over {groups.count} groups of people"
    return tuple(
        measured(
            name,
            float(mean[0, place]),
            jackknife_interval(mean[:, place], tables.confidence, 0.0, high),
            tables.confidence,
            count,
            method,
        )
        for place, (name, count) in enumerate(zip(names, counts, strict=True))
    )
