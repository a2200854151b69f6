"""Can these measures fail on these tables, and do they spare a fresh sample? Positive and negative controls (I-16).

Candidates whose truth is known are audited beside the real one, at sizes this table allows. *Planted* leaks of four
kinds (``audit.plants``): a measure must see each kind it claims to see, but where that exposes next to nobody. *Fresh*:
half of the holdout, which no synthesizer touched, held against train and the other half; a measure must not object to
it. A measure that fails either is void: its numbers on the candidate mean nothing here. Each plant is shown only to the
measures that claim it.

Some leaks expose somebody only where what is known sets people apart, or where rounding leaves lines straight, which
is not so on every table. What such a plant exposes here is counted first (``audit.stakes``), and the figure must say
so, or the measure is void. Where it exposes next to nobody there is nothing to see, and the control says that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from audit.arena import Arena
from audit.measures import CONTROLS_OF, NAMES_OF, REGISTRY
from audit.outcome import FEWEST, void_all, would_decide
from audit.plan import PLANTS, Plan, Plant, Stake
from audit.stakes import SHOWN, STAKES
from audit.tables import AuditTables
from policies import Measurement

ROWS = 1_000  # per table of a control, at most
SPARSE = 300  # the same of a table of pencils: among more of them, lines cross by chance where there are few numbers
FALSE_ALARM = 0.005  # chance that any measure at all is voided by a fresh sample, shared equally between them
PLANTED = 0.99  # confidence, two-sided, at which a planted leak must be seen
SHIFT = 0.1  # a table of nothing but leaked rows must move a share or an area by this much
EXPOSED = 0.05  # what a plant must expose for a figure to be asked: it is counted, so less than SHIFT will do
SAID = 0.9  # share of what it must say, at the least, that a figure has to say

_STAKED: Mapping[Plant, tuple[str, str]] = {  # what was released, and why a figure was not asked about it
    "whole": ("train itself, released,", f"train itself, released, would move {{}} by less than {EXPOSED:g}"),
    "noised": ("train with noise on its numbers, released,", "few columns or many alike hide noised copies from {}"),
    "lines": ("a table of lines between train people", "few numbers or rounding hide lines between people from {}"),
    "pencils": ("a table of lines that meet in train people", "few numbers or rounding hide lines that meet from {}"),
}

PLANS: dict[str, Plan] = {name: plan for plans in CONTROLS_OF.values() for name, plan in plans.items()}


@dataclass(frozen=True)
class Control:
    """What one measurement said of each planted leak it claims to see and of the fresh sample; why it is void, if so.

    Nothing is in ``planted`` and ``fresh`` where it was not asked. ``note`` is what a reader of a figure that stands
    has to know of its control: above all that there was nothing to see, and so nothing was shown.
    """

    name: str
    innocent: float
    planted: Mapping[Plant, Measurement] = field(default_factory=dict)
    fresh: Measurement | None = None
    fault: str = ""
    note: str = ""

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

    What was counted beforehand is seen if the figure says nine tenths of it. Of train itself, released, a right measure
    says all: nothing is drawn in between, but where it tries some class systems of many, and for that four standard
    errors are allowed, which it misses once in thirty thousand audits. Of lines it says half, of pencils four
    tenths and of noised copies an eighth at the least, because they have to be found. The interval is not asked for:
    it speaks of other people than these, and may well reach down to the innocent value.

    Three of the figures that see a leak on nearly any table (``audit.stakes.SHOWN``) cannot where many people are alike
    in few columns. Where one did not move by 0.1, what the plant exposes is counted in the same way: if that is next to
    nothing there was nothing to see; if it is less than 0.1, moving by what has to be said of it will do.
    """
    people = tables.people["holdout"]
    turn = np.unique(people)
    if len(turn) < 2 * FEWEST:
        fault = f"{len(turn)} holdout people are too few to try it out; {2 * FEWEST} would do"
        return tuple(Control(name, plan.innocent, fault=fault) for name, plan in PLANS.items())
    half = (rng.permutation(len(turn)) < len(turn) // 2)[np.searchsorted(turn, people)]
    whole = Arena.draw(tables, np.zeros(len(people), dtype=np.bool_), ROWS, rng)
    halved = Arena.draw(tables, half, ROWS, rng)

    said: dict[Plant, dict[str, Measurement]] = {}
    shown: dict[Plant, AuditTables] = {}
    for plant in PLANTS:
        claimed = [place for place, plans in CONTROLS_OF.items() if any(plant in plan.sees for plan in plans.values())]
        if claimed:
            shown[plant] = whole.candidate(whole.planted(plant, rng), None, PLANTED)
            said[plant] = _measure(shown[plant], claimed, rng)
    tried = [place for place, plans in CONTROLS_OF.items() if plans]
    confidence = 1 - 2 * FALSE_ALARM / max(len(PLANS), 1)
    fresh = _measure(halved.candidate(halved.fresh, halved.fresh_people, confidence), tried, rng)
    staked = {
        "whole": whole.even(rng),
        "noised": whole,
        "pencils": Arena.draw(tables, np.zeros(len(people), dtype=np.bool_), SPARSE, rng),
    }
    asked: dict[str, _Asked] = {}
    for plant in dict.fromkeys(plan.on for plan in PLANS.values() if plan.staked):
        if plant in staked:
            shown[plant] = staked[plant].candidate(staked[plant].planted(plant, rng), None, PLANTED)
        asked |= _ask(plant, shown[plant], said.get(plant, {}), rng)
    controls = []
    for name, plan in PLANS.items():
        planted = {plant: said[plant][name] for plant in plan.sees}
        weak = {
            plant: _shown(name, plant, shown[plant], rng)
            for plant, found in planted.items()
            if name in SHOWN and found.status == "measured" and _missed(plant, found, plan)
        }
        controls.append(_control(name, plan, planted, fresh[name], asked, weak))
    return tuple(controls)


def hold_to_controls(measurements: Iterable[Measurement], controls: Iterable[Control]) -> tuple[Measurement, ...]:
    """The measurements; one whose control failed turns ``inconclusive`` and keeps its number as evidence.

    What else is to be known of a control is added to the method of the figures it stands for.
    """
    tried = tuple(controls)
    faults = {name: control for control in tried if not control.passed for name in PLANS[control.name].voids}
    notes = {name: control.note for control in tried if control.note for name in PLANS[control.name].voids}
    held = []
    for m in measurements:
        if m.status == "measured" and m.name in faults:
            control = faults[m.name]
            held.append(replace(m, status="inconclusive", reason=f"control of {control.name}: {control.fault}"))
        elif m.status == "measured" and m.name in notes:
            held.append(replace(m, method=f"{m.method}; control: {notes[m.name]}"))
        else:
            held.append(m)
    return tuple(held)


def unseen(controls: Iterable[Control]) -> tuple[Plant, ...]:
    """The kinds of leak that no measure of this audit saw when they were planted."""
    seen = {plant for control in controls if control.passed for plant in control.planted}
    return tuple(plant for plant in PLANTS if plant not in seen)


@dataclass(frozen=True)
class _Asked:
    """What a plant exposes by one figure, and what that figure said of it: nothing, where it was not asked."""

    stake: Stake
    said: Measurement | None = None
    fault: str = ""

    @property
    def worth(self) -> bool:
        """Whether a right figure surely moves by ``EXPOSED``."""
        return self.stake.least >= EXPOSED

    @property
    def empty(self) -> bool:
        """Whether the plant exposes next to nothing; that it cannot be told how much is no excuse."""
        return self.stake.exposed < EXPOSED


def _measure(candidate: AuditTables, places: Iterable[str], rng: np.random.Generator) -> dict[str, Measurement]:
    """What the measures at these places of the registry say; one that raises says nothing."""
    found: dict[str, Measurement] = {}
    for place in places:
        try:
            measured = REGISTRY[place](candidate, rng)
        except Exception as cause:  # noqa: BLE001  # its message may carry a value; the other controls go on
            measured = void_all(NAMES_OF[place], "failed", f"stopped by {type(cause).__name__}")
        silent = void_all(NAMES_OF[place], "failed", "it emitted no such figure")
        found |= {m.name: m for m in (*silent, *measured)}
    return found


def _ask(
    plant: Plant, tables: AuditTables, said: Mapping[str, Measurement], rng: np.random.Generator
) -> dict[str, _Asked]:
    """By figure staked on this plant, released: what it exposes, and what the figure says where that is anything.

    ``said`` is what was measured of these very tables already.
    """
    asked: dict[str, _Asked] = {}
    places = []
    for place, plans in CONTROLS_OF.items():
        names = [name for plan in plans.values() if plan.on == plant for name in plan.staked]
        if not names:
            continue
        try:
            stakes = STAKES[place](tables, rng)
            here = {name: _counted(plant, stakes.get(name, Stake(0.0))) for name in names}
        except Exception as cause:  # noqa: BLE001  # as above
            fault = f"what planted {plant} expose could not be counted: stopped by {type(cause).__name__}"
            here = {name: _Asked(Stake(0.0), fault=fault) for name in names}
        asked |= here
        if any(each.worth and name not in said for name, each in here.items()):
            places.append(place)
    said = {**said, **_measure(tables, places, rng)}
    return {name: replace(each, said=said[name]) if each.worth else each for name, each in asked.items()}


def _shown(name: str, plant: Plant, tables: AuditTables, rng: np.random.Generator) -> _Asked:
    """What a plant that one figure did not see exposes by it."""
    try:
        return _counted(plant, SHOWN[name](tables, rng))
    except Exception as cause:  # noqa: BLE001  # as above
        return _Asked(Stake(0.0), fault=f"what planted {plant} expose could not be counted: {type(cause).__name__}")


def _counted(plant: Plant, stake: Stake) -> _Asked:
    """What is no number is not nothing: the figure is void."""
    if np.isfinite(stake.least):
        return _Asked(stake)
    return _Asked(Stake(0.0), fault=f"what planted {plant} expose could not be counted: it came out as no number")


def _control(
    name: str,
    plan: Plan,
    planted: Mapping[Plant, Measurement],
    fresh: Measurement,
    asked: Mapping[str, _Asked],
    weak: Mapping[Plant, _Asked],
) -> Control:
    own = asked.get(name)
    missed = {plant: _missed(plant, found, plan, weak.get(plant)) for plant, found in planted.items()}
    nothing = [plant for plant, each in weak.items() if missed[plant] and not each.fault and each.empty]
    shown = {plant: found for plant, found in planted.items() if plant not in nothing}
    if own is not None and own.said is not None:
        shown[plan.on] = own.said
    faults = [fault for plant, fault in missed.items() if plant not in nothing]
    faults += [_unsaid(figure, plan.on, asked[figure]) for figure in plan.staked]
    if fresh.status == "failed":
        faults.append(f"it could not be tried on a fresh real sample: {fresh.reason}")
    elif fresh.status == "measured" and fresh.lower > plan.innocent:
        faults.append(f"a fresh real sample of {fresh.n} rows was taken for a leak")
    fault = next((fault for fault in faults if fault), "")
    quiet = " and ".join(figure for figure in plan.staked if asked[figure].said is None)
    notes = [_STAKED[plan.on][1].format(quiet)] if quiet else []
    notes += [f"planted {' and '.join(nothing)} would move {name} by less than {EXPOSED:g}"] if nothing else []
    note = f"nothing to see: {'; '.join(notes)}" if notes else ""
    return Control(name, plan.innocent, shown, fresh, fault, "" if fault else note)


def _unsaid(figure: str, plant: Plant, asked: _Asked) -> str:
    """Why a plant counts as not seen; empty where it was, or where there is nothing to see."""
    if asked.fault or asked.said is None:
        return asked.fault
    if asked.said.status != "measured":
        return f"{figure} could not be tried on planted {plant}: {asked.said.reason}"
    if asked.said.value >= SAID * asked.stake.least:
        return ""
    return f"{_STAKED[plant][0]} was not seen by {figure}"


def _missed(plant: Plant, found: Measurement, plan: Plan, counted: _Asked | None = None) -> str:
    """Why a planted leak counts as not seen; empty where it was. ``counted`` is what it exposes by this figure."""
    if found.status != "measured":
        return f"it could not be tried on planted {plant}: {found.reason}"
    if counted is not None and counted.fault:
        return counted.fault
    enough = SHIFT if counted is None else min(SHIFT, SAID * max(counted.stake.least, 0.0))
    moved = found.value - plan.innocent
    if moved > 0 if plan.counted else moved >= enough and found.lower > plan.innocent:
        return ""
    needed = would_decide(found.n, moved, found.value - found.lower) if moved >= enough else None
    could = "" if needed is None else f"; about {needed} rows would show it"
    return f"planted {plant} in {found.n} rows were not seen{could}"
