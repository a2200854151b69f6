"""Can these measures fail on these tables, and do they spare a fresh sample? Positive and negative controls (I-16).

Candidates whose truth is known are audited beside the real one, at sizes this table allows. *Planted* leaks of four
kinds (``audit.plants``): a measure must see each kind it claims to see. *Fresh*: half of the holdout, which no
synthesizer touched, held against train and the other half; a measure must not object to it. A measure that fails
either is void: its numbers on the candidate mean nothing here. Each plant is shown only to the measures that claim it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from audit import plants
from audit.encoding import Encoder
from audit.measures import CONTROLS_OF, NAMES_OF, REGISTRY
from audit.neighbours import Matrix
from audit.outcome import FEWEST, void_all, would_decide
from audit.plan import PLANTS, Plan, Plant
from audit.sides import draw_people
from audit.tables import AuditTables, Person
from policies import Measurement

ROWS = 1_000  # per table of a control, at most
KNOWN = 2  # columns its attacker knows, at most: class systems cost as much on few rows as on many
FALSE_ALARM = 0.005  # chance that any measure at all is voided by a fresh sample, shared equally between them
PLANTED = 0.99  # confidence, two-sided, at which a planted leak must be seen
SHIFT = 0.1  # a table of nothing but leaked rows must move a share or an area by this much
OUTLIERS = 0.05  # share of train, the most isolated rows, that is copied into an innocent table
FEWEST_OUTLIERS = 20

PLANS: dict[str, Plan] = {name: plan for plans in CONTROLS_OF.values() for name, plan in plans.items()}


@dataclass(frozen=True)
class Control:
    """What one measurement said of each planted leak it claims to see and of the fresh sample; why it is void, if so.

    Nothing is in ``planted`` and ``fresh`` where it was not asked.
    """

    name: str
    innocent: float
    planted: Mapping[Plant, Measurement] = field(default_factory=dict)
    fresh: Measurement | None = None
    fault: str = ""

    @property
    def passed(self) -> bool:
        return not self.fault


def run_controls(tables: AuditTables, rng: np.random.Generator) -> tuple[Control, ...]:
    """One control per measurement with a plan, each table of them at most 1,000 rows, people kept whole.

    A leak is seen if the lower end of the figure's 99 % interval lies above the innocent value and the figure moved by
    0.1 (a count: if it is above the innocent value). A fresh sample is spared if the lower end does not lie above it;
    the intervals there are as wide as it takes for all measures together to void a measure, where each is right, at
    most once in two hundred audits. Leaks may go unseen where a holdout of few people leaves the intervals wide; the
    measure is void then too, and the fault says how many rows would do.
    """
    people = tables.people["holdout"]
    turn = np.unique(people)
    if len(turn) < 2 * FEWEST:
        fault = f"{len(turn)} holdout people are too few to try it out; {2 * FEWEST} would do"
        return tuple(Control(name, plan.innocent, fault=fault) for name, plan in PLANS.items())
    half = (rng.permutation(len(turn)) < len(turn) // 2)[np.searchsorted(turn, people)]
    whole = _Arena.draw(tables, np.zeros(len(people), dtype=np.bool_), rng)
    halved = _Arena.draw(tables, half, rng)

    planted: dict[Plant, dict[str, Measurement]] = {}
    for plant in PLANTS:
        claimed = [place for place, plans in CONTROLS_OF.items() if any(plant in plan.sees for plan in plans.values())]
        if claimed:
            planted[plant] = whole.measure(whole.planted(plant, rng), None, PLANTED, claimed, rng)
    asked = [place for place, plans in CONTROLS_OF.items() if plans]
    confidence = 1 - 2 * FALSE_ALARM / max(len(PLANS), 1)
    fresh = halved.measure(halved.fresh, halved.fresh_people, confidence, asked, rng)
    return tuple(
        _control(name, plan, {plant: planted[plant][name] for plant in plan.sees}, fresh[name])
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


def unseen(controls: Iterable[Control]) -> tuple[Plant, ...]:
    """The kinds of leak that no measure of this audit saw when they were planted."""
    seen = {plant for control in controls if control.passed for plant in control.planted}
    return tuple(plant for plant in PLANTS if plant not in seen)


@dataclass(frozen=True)
class _Arena:
    """Train, holdout and fresh rows of equal number with their people, and the scale of the first two."""

    tables: AuditTables
    train: pd.DataFrame
    train_people: Person
    holdout: pd.DataFrame
    holdout_people: Person
    fresh: pd.DataFrame
    fresh_people: Person

    @classmethod
    def draw(
        cls, tables: AuditTables, aside: np.ndarray[tuple[int], np.dtype[np.bool_]], rng: np.random.Generator
    ) -> _Arena:
        """``aside`` (rows of the holdout,) says which rows are the fresh sample; there may be none."""
        sizes = [len(tables.train), int((~aside).sum()), ROWS, *([int(aside.sum())] if aside.any() else [])]

        def part(frame: pd.DataFrame, people: Person) -> tuple[pd.DataFrame, Person]:
            rows = draw_people(people, min(sizes), rng)
            return frame.iloc[rows].reset_index(drop=True), people[rows]

        people = tables.people["holdout"]
        train = part(tables.train, tables.people["train"])
        holdout = part(tables.holdout[~aside], people[~aside])
        return cls(tables, *train, *holdout, *part(tables.holdout[aside], people[aside]))

    def planted(self, plant: Plant, rng: np.random.Generator) -> pd.DataFrame:
        """A released table with this leak."""
        dictionary = self.tables.dictionary
        if plant == "copies":
            return plants.copied(self.train, dictionary, rng)
        encoder = Encoder.fit(dictionary, (self.train, self.holdout))
        train: Matrix = encoder.encode(self.train)
        if plant == "lines":
            start = rng.permutation(len(self.train))
            return plants.on_lines(self.train, dictionary, train, self.train_people, start, rng)
        if plant == "overfit":
            return plants.overfitted(self.train, dictionary, train, self.train_people, rng)
        count = min(max(round(OUTLIERS * len(self.train)), FEWEST_OUTLIERS), len(self.train) // 5)
        lonely = plants.loneliest(train, self.train_people, encoder.encode(self.holdout), count)
        innocent = plants.shuffled(
            pd.concat([self.train, self.holdout], ignore_index=True), len(self.train) - count, rng
        )
        return pd.concat([innocent, self.train.iloc[lonely]], ignore_index=True)

    def measure(
        self,
        released: pd.DataFrame,
        people: Person | None,
        confidence: float,
        places: Iterable[str],
        rng: np.random.Generator,
    ) -> dict[str, Measurement]:
        """What the measures at these places of the registry say; one that raises says nothing."""
        candidate = replace(
            self.tables,
            train=self.train,
            train_people=self.train_people,
            holdout=self.holdout,
            holdout_people=self.holdout_people,
            released=released,
            released_people=people,
            confidence=confidence,
            earlier=None,
            attacker_known_columns=min(self.tables.attacker_known_columns, KNOWN),
        )
        found: dict[str, Measurement] = {}
        for place in places:
            try:
                measured = REGISTRY[place](candidate, rng)
            except Exception as cause:  # noqa: BLE001  # its message may carry a value; the other controls go on
                measured = void_all(NAMES_OF[place], "failed", f"stopped by {type(cause).__name__}")
            silent = void_all(NAMES_OF[place], "failed", "it emitted no such figure")
            found |= {m.name: m for m in (*silent, *measured)}
        return found


def _control(name: str, plan: Plan, planted: Mapping[Plant, Measurement], fresh: Measurement) -> Control:
    faults = [_missed(plant, found, plan) for plant, found in planted.items()]
    if fresh.status == "failed":
        faults.append(f"it could not be tried on a fresh real sample: {fresh.reason}")
    elif fresh.status == "measured" and fresh.lower > plan.innocent:
        faults.append(f"a fresh real sample of {fresh.n} rows was taken for a leak")
    return Control(name, plan.innocent, planted, fresh, next((fault for fault in faults if fault), ""))


def _missed(plant: Plant, found: Measurement, plan: Plan) -> str:
    """Why a planted leak counts as not seen; empty where it was."""
    if found.status != "measured":
        return f"it could not be tried on planted {plant}: {found.reason}"
    moved = found.value - plan.innocent
    if moved > 0 if plan.counted else moved >= SHIFT and found.lower > plan.innocent:
        return ""
    needed = would_decide(found.n, moved, found.value - found.lower) if moved >= SHIFT else None
    enough = "" if needed is None else f"; about {needed} rows would show it"
    return f"planted {plant} in {found.n} rows were not seen{enough}"
