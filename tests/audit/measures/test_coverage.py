"""Does the end that a limit is held against cover a leak as often as stated, where there is one?

Independent tables of 50 people a side with 5 copies among the released rows, and of 110 with 22. The truth is what a
figure comes to on average over such tables; the mean stands in for it, with two of its own standard errors allowed.
A figure that covers exactly as often as stated fails once in a hundred or less, so that of 34 such figures one would
fail in one draw of the tables in four; most cover more often, and the tables are the same in every run. Numbers that a
measure itself calls inconclusive count with the others. ``exact_copy_excess``, ``rare_copies``,
``two_parent_excess``, ``one_parent_excess``, ``traced_to_one`` and ``traced_to_two`` are not among them: their upper
end is what was counted among the rows
at hand, no mean over tables.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from audit.measures import REGISTRY
from tests.audit.tables import patients, put_together

CONFIDENCE = 0.9  # two-sided
STATED = 1 - (1 - CONFIDENCE) / 2  # of the upper end alone
LEAKS = {50: 5, 110: 22}  # people a side, and copies among as many released rows
FIGURES = {
    "nnaa": ("nnaa_privacy_loss",),
    "gower": ("nnaa_gower_privacy_loss",),
    "copies": ("near_copy_excess",),
    "partial": ("partial_copy_excess",),
    "uniques": ("replicated_uniques",),
    "segments": ("segment_share", "segment_excess"),
    "anonymity": ("k_map_excess", "identity_disclosure_risk"),
    "homogeneity": ("homogeneity_excess",),
    "closeness": ("t_closeness_excess",),
    "all_columns": ("all_columns_k_map_excess", "all_columns_homogeneity_excess"),
    "linkability": ("linkability",),
    "membership": ("membership_auc",),
    "singling_out": ("singling_out",),
    "inference": ("attribute_inference",),
}
TABLES = dict.fromkeys(FIGURES, 60) | dict.fromkeys(("membership", "singling_out", "inference"), 30)

Floats = NDArray[np.float64]


def covered(values: Floats, uppers: Floats) -> tuple[float, float]:
    """The share of upper ends that reach the mean value, and the least share that agrees with what is stated."""
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    least = STATED - 3 * math.sqrt(STATED * (1 - STATED) / len(values))
    return float((uppers >= values.mean() - 2 * error).mean()), least


@cache
def simulated(measure: str, people: int) -> dict[str, tuple[Floats, Floats]]:
    """Per figure of a measure the values and the upper ends over its tables."""
    rng = np.random.default_rng([people, *measure.encode()])
    copies = LEAKS[people]
    ends: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in FIGURES[measure]}
    for _ in range(TABLES[measure]):
        train, holdout, fresh = (patients(people, rng) for _ in range(3))
        released = pd.concat([fresh.iloc[copies:], train.iloc[:copies]], ignore_index=True)
        tables = put_together(train, holdout, released, confidence=CONFIDENCE, target="outcome")
        for found in REGISTRY[measure](tables, rng):
            if found.name in ends:
                assert found.confidence == CONFIDENCE
                ends[found.name][0].append(found.value)
                ends[found.name][1].append(found.upper)
    return {name: (np.array(values), np.array(uppers)) for name, (values, uppers) in ends.items()}


@pytest.mark.slow
@pytest.mark.parametrize("people", LEAKS)
@pytest.mark.parametrize(("measure", "name"), [(measure, name) for measure in FIGURES for name in FIGURES[measure]])
def test_the_upper_end_covers_a_planted_leak_as_often_as_stated(measure: str, name: str, people: int) -> None:
    values, uppers = simulated(measure, people)[name]
    assert len(values) == TABLES[measure]
    assert np.isfinite(uppers).all()
    share, least = covered(values, uppers)
    assert share >= least


@pytest.mark.slow
@pytest.mark.parametrize("people", LEAKS)
@pytest.mark.parametrize(
    ("measure", "name", "innocent"), [("nnaa", "nnaa_privacy_loss", 0.0), ("membership", "membership_auc", 0.5)]
)
def test_the_leak_is_one(measure: str, name: str, innocent: float, people: int) -> None:
    """Else coverage would be shown at nothing once more: the mean lies four of its errors and more from innocence."""
    values, _ = simulated(measure, people)[name]
    assert values.mean() - innocent > 4 * values.std(ddof=1) / math.sqrt(len(values))


@pytest.mark.parametrize(("reach", "fine"), [(1.645, True), (0.5, False)])
def test_an_interval_of_a_third_of_the_width_would_be_found_out(reach: float, fine: bool) -> None:
    """Upper ends at 1.645 standard deviations cover in 95 %; at 0.5, two errors of the mean allowed, in 78 %."""
    found = []
    for seed in range(200):
        values = np.random.default_rng(seed).standard_normal(60)
        share, least = covered(values, values + reach)
        found.append(share >= least)
    assert np.mean(found) > 0.99 if fine else np.mean(found) < 0.1
