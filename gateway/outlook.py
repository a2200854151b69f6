"""What can be known of a release beforehand: its size, its cost, its noise, and which limits so few people can decide?

Nothing is charged, registered or written. Under a policy that demands differential privacy no row is looked at: the
limits are tried on random tables of the dictionary's shape. Otherwise they are tried on the table itself, with a third
of its own people in the place of a release, and what comes out stays with the custodian.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.errors import AuditError
from audit.measures import CONTROLS_OF, NAMES_OF, REGISTRY
from audit.plan import Plan as ControlPlan
from audit.sides import QUERY_ROWS, draw_people
from audit.tables import AuditTables
from gateway.assessment import tables_of
from gateway.formats.finding import bounds
from gateway.halves import HOLDOUT_SHARE
from gateway.intake import TypedTable
from gateway.intake.checks import column_dtype
from gateway.ledger import Unit
from gateway.outlook_gate import GateOutlook, outlook_gate
from policies import Dictionary, Limit, Measurement, Policy
from policies.decide import asked_of
from synth.dp.domain import domain_of
from synth.dp.plan import Plan, plan_of
from synth.dp.votes import decision_event

TRIAL_PEOPLE = 3_000  # per side of a trial audit, at most
_BLIND_PEOPLE = 2_000  # where nothing says how many the table holds
_PASSES = 1.43  # half-widths of 95 % within which an innocent value stays with its interval four times in five

# CPU seconds and peak mebibytes of whole releases, base + rate * (learned rows * columns) ** power, fitted to those
# measured in benchmarks/README.md. Below proportion, because an audit draws no more than a fixed number of rows.
_SECONDS = {"hybrid": (30.0, 0.0255), "private": (12.0, 0.0255)}
_MEBIBYTES = (660.0, 0.133)
_POWER = 0.65
_WITHIN = 1.5  # the factor on either side that the seconds are told with
Outcome = Literal["decidable", "too few people", "not an estimate", "not tried", "not asked"]


@dataclass(frozen=True)
class Noise:
    """A one-way table under differential privacy: its cells, the noise's standard deviation in a cell, and that of
    drawing as many people anew from a population in which the cells are equally likely."""

    column: str
    cells: int
    noise: float
    sampling: float


@dataclass(frozen=True)
class LimitOutlook:
    """What a limit asks for: ``people`` would be on the smaller real side, ``needed`` are the fewest that could decide.

    ``value`` and ``half_width`` are those of a trial on an innocent table, scaled to ``people``, or to the rows that an
    audit asks about where they are fewer; ``needed`` is None where no number would do. ``not asked`` is a limit that
    the policy does not hold of so many rows.
    """

    measure: str
    limit: str
    outcome: Outcome
    people: int
    needed: int | None = None
    value: float | None = None
    half_width: float | None = None
    advice: str = ""


@dataclass(frozen=True)
class Outlook:
    """Everything ``gateway plan`` prints; ``seconds`` are CPU seconds, the least and the most expected.

    Under a private gate limits are held in its parts: then ``gate`` tells of them, and ``limits`` are none. ``unit`` is
    whose presence a private release would hide, ``patient`` or ``row``; no ledger is asked, so whether the dataset was
    charged under the other one is not known here.
    """

    rows: int | None
    people: int | None
    learned_from: int | None
    columns: int
    encoded_width: int
    people_per_dimension: float | None
    seconds: tuple[float, float] | None
    mebibytes: float | None
    epsilon: float | None
    noise: tuple[Noise, ...]
    limits: tuple[LimitOutlook, ...]
    looked_at_rows: bool
    unit: Literal["patient", "row"] | None = None
    gate: GateOutlook | None = None

    @property
    def feasible(self) -> bool:
        return all(each.outcome != "too few people" for each in self.limits)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, the shape of ``gateway plan --json``."""
        return {**asdict(self), "feasible": self.feasible}


def outlook(dictionary: Dictionary, policy: Policy, table: TypedTable | None, rng: np.random.Generator) -> Outlook:
    """Look ahead; ``table`` is None where no row may be looked at.

    Raises
    ------
    SynthesisError
        The policy demands differential privacy and no plan costs as little.
    """
    demanded = policy.differential_privacy
    people = dictionary.people if table is None else table.people_count
    learned = None if people is None else max(round(people * (1 - HOLDOUT_SHARE)), 1)
    rows = None if table is None else table.row_count
    learned_rows = learned if rows is None else round(rows * (1 - HOLDOUT_SHARE))
    width = encoded_width(dictionary)
    columns = len(dictionary.released)
    noise: tuple[Noise, ...] = ()
    if demanded is not None and learned is not None:
        beside = () if policy.private_gate is None else (decision_event(policy.private_gate.epsilon),)
        noise = _noise(dictionary, plan_of(dictionary, learned, demanded.epsilon, demanded.delta, beside=beside)[1])
    size = None if learned_rows is None else (learned_rows * columns) ** _POWER
    base, rate = _SECONDS["hybrid" if demanded is None else "private"]
    expected = None if size is None else base + rate * size
    return Outlook(
        rows=rows,
        people=people,
        learned_from=learned,
        columns=columns,
        encoded_width=width,
        people_per_dimension=None if learned is None else learned / width,
        seconds=None if expected is None else (expected / _WITHIN, expected * _WITHIN),
        mebibytes=None if size is None else _MEBIBYTES[0] + _MEBIBYTES[1] * size,
        epsilon=None if demanded is None else demanded.epsilon,
        noise=noise,
        limits=() if policy.private_gate is not None else _limits(dictionary, policy, table, people, learned_rows, rng),
        looked_at_rows=table is not None,
        unit=None if demanded is None else Unit(dictionary.patient).name,
        gate=outlook_gate(dictionary, policy, people or _BLIND_PEOPLE, partial(_random_table, dictionary), rng),
    )


def encoded_width(dictionary: Dictionary) -> int:
    """Columns of a one-hot encoding: one per category, one per number, one more where a cell may be missing."""
    return sum(
        len(dictionary.columns[name].categories or (name,)) + dictionary.columns[name].nullable
        for name in dictionary.released
    )


def _noise(dictionary: Dictionary, plan: Plan) -> tuple[Noise, ...]:
    domain = domain_of(dictionary, plan.layout.cells)
    told = []
    for place, column in enumerate(domain.columns):
        fine = plan.fine is not None and place in plan.fine_columns
        event = plan.fine if fine and plan.fine is not None else plan.star
        share = 1 / column.size
        told.append(
            Noise(
                column.name,
                column.size,
                event.sigma,
                math.sqrt(plan.people * share * (1 - share)) if share < 1 else 0.0,
            )
        )
    return tuple(told)


def _limits(
    dictionary: Dictionary, policy: Policy, table: TypedTable | None, people: int | None, learned_rows: int | None,
    rng: np.random.Generator,
) -> tuple[LimitOutlook, ...]:  # fmt: skip
    # where no table is looked at, they are people: with a row each at the least
    unasked = {name for name, limit in policy.limits.items() if not asked_of(limit, learned_rows)}
    side = round((people or _BLIND_PEOPLE) * min(HOLDOUT_SHARE, 1 - HOLDOUT_SHARE))
    try:
        tables = _trial(dictionary, policy, table, side, rng)
    except AuditError:
        advice = "a third of the table has fewer than two people"
        return tuple(
            LimitOutlook(name, bounds(limit), "too few people", side, advice=advice)
            for name, limit in policy.limits.items()
        )
    tried: dict[str, Measurement] = {}
    for name, measure in REGISTRY.items():
        if (policy.limits.keys() - unasked) & set(NAMES_OF[name]):
            try:
                tried |= {each.name: each for each in measure(tables, rng)}
            except Exception:  # noqa: BLE001, S112  # told as not tried; a message could carry a value
                continue
    trial_side = min(len(np.unique(tables.train_people)), len(np.unique(tables.holdout_people)))
    plans = {name: plan for controls in CONTROLS_OF.values() for name, plan in controls.items()}
    return tuple(
        LimitOutlook(name, bounds(limit), "not asked", side)
        if name in unasked
        else _limit(name, limit, tried.get(name), plans.get(name), trial_side, side)
        for name, limit in policy.limits.items()
    )


def _limit(
    name: str, limit: Limit, tried: Measurement | None, plan: ControlPlan | None, trial: int, side: int
) -> LimitOutlook:
    shown = bounds(limit)
    if tried is None:
        return LimitOutlook(name, shown, "not tried", side)
    if tried.status != "measured":
        return LimitOutlook(name, shown, "too few people", side, advice=tried.reason)
    half = (tried.upper - tried.lower) / 2
    if plan is None or plan.counted or not half > 0:  # a count gets no narrower with more people
        return LimitOutlook(name, shown, "not an estimate", side, value=tried.value)
    room = min(
        bound
        for bound in (_room(limit.max, plan.innocent, 1), _room(limit.min, plan.innocent, -1))
        if bound is not None
    )
    most = QUERY_ROWS if plan.queried else math.inf  # asked about, however many people there are
    scaled = half * math.sqrt(trial / min(side, most))
    if room <= 0:
        advice = "the limit lies on the wrong side of what an innocent release has"
        return LimitOutlook(name, shown, "too few people", side, None, tried.value, scaled, advice)
    needed = math.ceil(trial * (_PASSES * half / room) ** 2)
    if needed <= min(side, most):
        return LimitOutlook(name, shown, "decidable", side, needed, tried.value, scaled)
    wider = f"a limit about {_PASSES * scaled:.2g} from {plan.innocent:g}"
    if needed > most:
        advice = f"no number of people, since an audit asks about {QUERY_ROWS} rows at most; {wider} would do"
        return LimitOutlook(name, shown, "too few people", side, None, tried.value, scaled, advice)
    advice = f"{needed} people on each side would do; so would {wider}"
    return LimitOutlook(name, shown, "too few people", side, needed, tried.value, scaled, advice)


def _room(bound: float | None, innocent: float, sign: int) -> float | None:
    return None if bound is None else sign * (bound - innocent)


def _trial(
    dictionary: Dictionary, policy: Policy, table: TypedTable | None, side: int, rng: np.random.Generator
) -> AuditTables:
    """Three innocent tables of the same kind: two real sides and a release."""
    if table is None:
        size = max(min(side, TRIAL_PEOPLE), 2)
        parts = [_random_table(dictionary, size, place * size, rng) for place in range(3)]
    else:
        thirds = rng.permutation(int(table.people.max()) + 1) % 3
        parts = []
        for place in range(3):
            rows = np.flatnonzero(thirds[table.people] == place)
            parts.append(table.take(rows[draw_people(table.people[rows], TRIAL_PEOPLE, rng)]))
    train, holdout, released = parts
    return tables_of(released, train, holdout, dictionary, policy)


def _random_table(dictionary: Dictionary, people: int, first: int, rng: np.random.Generator) -> TypedTable:
    return TypedTable(_random_frame(dictionary, people, rng), np.arange(people) + first, people, (), ())


def _random_frame(dictionary: Dictionary, rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """Every declared value as likely as any other, all columns independent."""
    cells: dict[str, Any] = {}
    for name in dictionary.released:
        column = dictionary.columns[name]
        dtype = column_dtype(column)
        if isinstance(dtype, pd.CategoricalDtype):
            cells[name] = pd.Categorical.from_codes(rng.integers(len(dtype.categories), size=rows), dtype=dtype)
            continue
        values: NDArray[Any]
        if column.type in ("date", "datetime"):
            low, high = np.array([column.minimum, column.maximum], dtype="datetime64[s]").astype(np.int64)
            span = 86_400 if column.type == "date" else 1
            values = (rng.integers(low // span, high // span + 1, rows) * span).astype("datetime64[s]")
        else:
            low, high = float(column.minimum or 0.0), float(column.maximum or 0.0)  # type: ignore[arg-type]
            values = rng.uniform(low, high, rows)
            decimals = 0 if column.type == "integer" else column.decimals
            values = values if decimals is None else np.clip(np.round(values, decimals), low, high)
        cells[name] = values
    return pd.DataFrame(cells)
