"""Can these measures fail on these tables, and do they spare a fresh sample? Positive and negative controls (I-16).

Two candidates whose truth is known are audited beside the real one, at sizes this table allows. *Planted*: the rows of
a part of train, half as they stand and half with a little noise on their numbers; a measure must see it. *Fresh*: half
of the holdout, which no synthesizer touched, against that part of train and the other half; a measure must not object
to it. A measure that fails either is void: its numbers on the candidate mean nothing here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from audit.columns import deviation, numbers
from audit.measures import anonymity, copies, dcr, homogeneity, membership, nnaa
from audit.outcome import FEWEST
from audit.sides import draw_people
from audit.tables import AuditTables, Person
from policies import Dictionary, Measurement

ROWS = 2_000  # per table of a control, at most
CONFIDENCE = 0.998  # two-sided: a fresh sample is wrongly objected to once in a thousand times per measure
SHIFT = 0.1  # a table of nothing but leaked rows must move a share or an area by this much
NOISE = 0.05  # standard deviations added to the numbers of the noised half


@dataclass(frozen=True)
class Control:
    """What one measurement said of the planted leak and of the fresh sample; None where it was not asked."""

    name: str
    innocent: float
    planted: Measurement | None
    fresh: Measurement | None
    fault: str

    @property
    def passed(self) -> bool:
        return not self.fault


@dataclass(frozen=True)
class _Plan:
    innocent: float  # the value without leak
    voids: tuple[str, ...]  # every measurement that falls with it
    planted: bool = True  # whether copied rows must show on any table where the measure works
    counted: bool = False  # a count above zero is enough to have seen the leak


# Copied rows need not show in classes: under coarse quasi-identifiers they point at crowds.
PLANS: dict[str, _Plan] = {
    "nnaa_privacy_loss": _Plan(0.0, nnaa.NAMES),
    "dcr_share": _Plan(0.5, dcr.NAMES),
    "exact_copy_excess": _Plan(0.0, ("exact_copy_excess",)),
    "near_copy_excess": _Plan(0.0, ("near_copy_excess",)),
    "rare_copies": _Plan(0.0, ("rare_copies",), counted=True),
    "membership_auc": _Plan(0.5, membership.NAMES),
    "k_map_excess": _Plan(0.0, ("k_map_excess",), planted=False),
    "homogeneity_excess": _Plan(0.0, ("homogeneity_excess",), planted=False),
}
_DISTANCE = (nnaa.nnaa, dcr.dcr, copies.copies, membership.membership)
_CLASSES = (anonymity.anonymity, homogeneity.homogeneity)


def run_controls(tables: AuditTables, rng: np.random.Generator) -> tuple[Control, ...]:
    """One control per planned measurement, each table of them at most 2,000 rows, people kept whole.

    A leak is seen if the figure moves by 0.1 and the lower end of its interval lies above the innocent value (for a
    count: if it is above zero); a fresh sample is spared if its lower end does not. Both intervals are two-sided at
    99.8 %, so each innocent measure is voided about once in a thousand audits (membership, which is attacked both
    ways, twice; somewhat more often where a table has fewer than a hundred people).
    """
    turn = np.unique(tables.people["holdout"])
    half = rng.permutation(len(turn)) < len(turn) // 2
    first = half[np.searchsorted(turn, tables.people["holdout"])]
    train, fresh, holdout = _sample(tables, first, rng)
    if min(len(np.unique(people)) for _, people in (train, fresh, holdout)) < FEWEST:
        fault = f"{len(turn)} holdout people are too few to try it out; {2 * FEWEST} would do"
        return tuple(Control(name, plan.innocent, None, None, fault) for name, plan in PLANS.items())

    def candidate(frame: pd.DataFrame, people: Person | None) -> AuditTables:
        return replace(
            tables,
            train=train[0],
            train_people=train[1],
            holdout=holdout[0],
            holdout_people=holdout[1],
            released=frame,
            released_people=people,
            confidence=CONFIDENCE,
        )

    planted = _measure(candidate(_noised(train[0], tables.dictionary, rng), None), _DISTANCE, rng)
    spared = _measure(candidate(*fresh), (*_DISTANCE, *_CLASSES), rng)
    return tuple(
        _control(name, plan, planted.get(name) if plan.planted else None, spared.get(name))
        for name, plan in PLANS.items()
    )


def hold_to_controls(measurements: Iterable[Measurement], controls: Iterable[Control]) -> tuple[Measurement, ...]:
    """The measurements; one whose control failed turns ``inconclusive`` and keeps its number as evidence."""
    faults = {name: control for control in controls if not control.passed for name in PLANS[control.name].voids}
    return tuple(
        replace(m, status="inconclusive", reason=f"control of {faults[m.name].name}: {faults[m.name].fault}")
        if m.name in faults and m.status == "measured"
        else m
        for m in measurements
    )


_Part = tuple[pd.DataFrame, Person]


def _sample(
    tables: AuditTables, first: np.ndarray[tuple[int], np.dtype[np.bool_]], rng: np.random.Generator
) -> tuple[_Part, _Part, _Part]:
    """Train, fresh and holdout parts of about equal size."""
    size = min(int(first.sum()), int((~first).sum()), len(tables.train), ROWS)
    parts = []
    for frame, people in (
        (tables.train, tables.people["train"]),
        (tables.holdout[first], tables.people["holdout"][first]),
        (tables.holdout[~first], tables.people["holdout"][~first]),
    ):
        rows = draw_people(people, size, rng)
        parts.append((frame.iloc[rows].reset_index(drop=True), people[rows]))
    return parts[0], parts[1], parts[2]


def _noised(frame: pd.DataFrame, dictionary: Dictionary, rng: np.random.Generator) -> pd.DataFrame:
    """Every other row as it stands, the rest with noise on each float column; whole numbers stay whole."""
    planted = frame.copy()
    moved = np.arange(len(frame)) % 2 == 1
    for name in dictionary.released:
        if frame[name].dtype.kind != "f":
            continue
        values = numbers(frame, name)
        noisy = values + NOISE * deviation(values[~np.isnan(values)]) * rng.standard_normal(len(values))
        if dictionary.columns[name].type == "integer":
            noisy = np.round(noisy)
        planted[name] = np.where(moved, noisy, values)
    return planted


def _measure(
    tables: AuditTables,
    measures: Iterable[Callable[[AuditTables, np.random.Generator], tuple[Measurement, ...]]],
    rng: np.random.Generator,
) -> dict[str, Measurement]:
    return {m.name: m for measure in measures for m in measure(tables, rng)}


def _control(name: str, plan: _Plan, planted: Measurement | None, fresh: Measurement | None) -> Control:
    fault = ""
    if planted is not None:
        moved = planted.value - plan.innocent
        if not (moved > 0 if plan.counted else moved >= SHIFT and planted.lower > plan.innocent):
            fault = f"a planted leak of {planted.n} rows was not seen{_enough(planted, plan.innocent)}"
    if not fault and fresh is not None and fresh.status == "measured" and fresh.lower > plan.innocent:
        fault = f"a fresh real sample of {fresh.n} rows was taken for a leak"
    return Control(name, plan.innocent, planted, fresh, fault)


def _enough(planted: Measurement, innocent: float) -> str:
    """How many rows would have shown the leak, where more rows would help."""
    effect, half = planted.value - innocent, planted.value - planted.lower
    if not (math.isfinite(half) and effect >= SHIFT):
        return ""
    return f"; about {math.ceil(planted.n * (half / effect) ** 2)} rows would show it"
