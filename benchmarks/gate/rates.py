"""How often is each planted leak refused under a pack's limits, and how often an honest release?

A limit *catches* a planted leak if it refuses the release with the leak and admits the honest one of the same
repetition, which has the same train and holdout rows. A pack catches what any of its limits catches. A figure that the
controls of its repetition voided is refused, as the gate does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from audit.controls import PLANS
from audit.intervals import clopper_pearson
from benchmarks.gate.power import CONTROLS, HONEST
from policies import Limit, Policy
from policies.decide import asked_of

Found = Mapping[tuple[str, int], Mapping[str, Any]]


@dataclass(frozen=True)
class Rate:
    """So many of so many, with the exact 95 % interval."""

    hits: int
    of: int

    @property
    def share(self) -> float:
        return self.hits / self.of if self.of else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        return clopper_pearson(self.share, self.of, 0.95) if self.of else (0.0, 1.0)

    def __str__(self) -> str:
        if not self.of:
            return ""
        low, high = self.interval
        return f"{self.hits}/{self.of} ({100 * low:.0f} to {100 * high:.0f} %)"


def held(found: Found) -> dict[tuple[str, int], dict[str, Any]]:
    """The figures once the controls have spoken: what they voided in a repetition is inconclusive in all of it."""
    void = {
        repetition: {figure for name, fault in faults.items() if fault for figure in PLANS[name].voids}
        for (condition, repetition), faults in found.items()
        if condition == CONTROLS
    }
    return {
        (condition, repetition): {
            name: ["inconclusive", "void"] if condition != CONTROLS and name in void.get(repetition, ()) else figure
            for name, figure in figures.items()
        }
        for (condition, repetition), figures in found.items()
    }


def with_controls(found: Found) -> dict[tuple[str, int], Mapping[str, Any]]:
    """What was found in those repetitions whose controls were run."""
    run = {repetition for condition, repetition in found if condition == CONTROLS}
    return {key: figures for key, figures in found.items() if key[1] in run}


def limits_of(policy: Policy, found: Found, rows: int) -> dict[str, Limit]:
    """The pack's limits on figures that were taken here, as far as they are asked where ``rows`` were learned from.

    The others hold fidelity, claims or the size of a release.
    """
    taken = {name for (condition, _), figures in found.items() if condition != CONTROLS for name in figures}
    return {name: limit for name, limit in policy.limits.items() if name in taken and asked_of(limit, rows)}


def meets(limit: Limit, figure: Sequence[float | str]) -> bool:
    """Whether the whole interval lies within the limit; what was not measured does not."""
    if len(figure) != 3:
        return False
    _, low, high = (float(part) for part in figure)
    return (limit.min is None or low >= limit.min) and (limit.max is None or high <= limit.max)


def refusals(found: Found, limits: Mapping[str, Limit]) -> dict[str, Rate]:
    """Honest releases refused by each limit, and under the empty name by any."""
    runs = [figures for (condition, _), figures in found.items() if condition == HONEST]
    refused = {name: [name not in run or not meets(limit, run[name]) for run in runs] for name, limit in limits.items()}
    rates = {name: Rate(sum(hits), len(hits)) for name, hits in refused.items()}
    return rates | {"": Rate(sum(map(any, zip(*refused.values(), strict=True))), len(runs))}


def catches(found: Found, limits: Mapping[str, Limit], condition: str) -> dict[str, Rate]:
    """Leaks of one kind caught by each limit, and under the empty name by any; repetitions with an honest run count."""
    pairs = [
        (figures, found[HONEST, r]) for (c, r), figures in found.items() if c == condition and (HONEST, r) in found
    ]
    caught = {
        name: [
            name in leaky and name in honest and meets(limit, honest[name]) and not meets(limit, leaky[name])
            for leaky, honest in pairs
        ]
        for name, limit in limits.items()
    }
    rates = {name: Rate(sum(hits), len(hits)) for name, hits in caught.items()}
    return rates | {"": Rate(sum(map(any, zip(*caught.values(), strict=True))), len(pairs))}


def voids(found: Found) -> dict[str, Rate]:
    """How often the controls voided each measurement."""
    runs = [figures for (condition, _), figures in found.items() if condition == CONTROLS]
    names = sorted({name for run in runs for name in run})
    return {name: Rate(sum(bool(run.get(name)) for run in runs), len(runs)) for name in names}


def reached(found: Found, name: str, side: int = 2) -> list[float]:
    """Upper (or, with 1, lower) ends of one figure on honest releases, ascending."""
    runs = (figures.get(name, ()) for (condition, _), figures in found.items() if condition == HONEST)
    return sorted(float(figure[side]) for figure in runs if len(figure) == 3)


def quantile(values: Iterable[float], share: float) -> float:
    """An order statistic, no interpolation; not a number where there is none."""
    ordered = list(values)
    return float(np.quantile(ordered, share, method="higher")) if ordered else float("nan")
