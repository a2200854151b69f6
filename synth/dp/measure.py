"""Which tables are measured, and what model of the rows do they make together?

One-way tables of fine cells first, then every column by the target, then round by round the table on which the model so
far is farthest off (exponential mechanism with a stop candidate, as AIM: McKenna, Mullins, Sheldon, Miklau, VLDB 2022).
Ours: each pair of columns stands for choice in several widths of cells at once, so that a weak dependence is measured
coarsely and a strong one finely; and how far a table moves the model is set by how much of what it shows is noise.

Every stage is a function of values whose sources are known; nothing here sees a row.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from synth.dp.coarsen import Cell, Coarse, Floats, coarse_cells, coarser, on_simplex
from synth.dp.domain import Domain
from synth.dp.events import PrivacyError
from synth.dp.factors import factor_of, members_of, united
from synth.dp.loglinear import Factor, LogLinear
from synth.dp.plan import Plan
from synth.dp.provenance import Traced, flow, public, stage
from synth.dp.sealed import STOP, NoisyTable, SealedTable
from synth.dp.views import View

LEVELS = (32, 16, 8, 4)
"""Groups of cells that a column offers for choice."""
RECORDS = (10_000, 30_000)
"""Least and greatest size of the model's population; between them it is the public number of patients."""
_LEAST_IN_CELL = 4.0
"""Noise scales of the later tables that a coarse cell holds at least."""
_STARTING = 4
_ABSORBING = 2


class Shares(NamedTuple):
    """What one-way and label tables say together.

    ``shares`` and ``variances`` are per column, (coarse cells,), the latter of counts; ``labelled`` is per column the
    (coarse cells, labels) noisy counts, one label where there is no target.
    """

    total: float
    shares: list[Floats]
    variances: list[Floats]
    labelled: list[Floats | None]


@dataclass(frozen=True)
class Choices:
    """Tables that may be chosen: ``tables`` are places in ``views``."""

    views: tuple[View, ...]
    tables: tuple[tuple[int, ...], ...]
    stars: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Measured:
    """What measurement leaves; ``grouped`` are the sealed rows in coarse cells."""

    coarse: Traced[list[Coarse]]
    shares: Traced[Shares]
    model: Traced[LogLinear]
    grouped: SealedTable


def measured(
    sealed: SealedTable,
    domain: Traced[Domain],
    plan: Traced[Plan],
    rng: np.random.Generator,
    tell: Callable[[float], None],
) -> Measured:
    """Run the plan's tables; ``tell`` is told the fraction done."""
    events, rounds = plan.value, plan.value.layout.rounds
    fine = [sealed.table(columns, events.fine) for columns in _alone(plan).each() if events.fine is not None]
    coarse = flow("coarsen", coarsened, fine, domain, plan)
    grouped = sealed.regrouped(flow("coarsen", base_views, coarse))
    star = [grouped.table(columns, events.star) for columns in _by_label(domain).each()]
    shares = flow("consensus", agreed, fine, star, coarse, domain, plan)
    model = flow("start", started, shares, domain, plan, rng)
    tell(0.1)
    if events.choose is None or events.measure is None:
        return Measured(coarse, shares, model, grouped)
    choices = flow("views", choices_of, shares, domain, plan.part("layout.by_label"))
    offered = sealed.regrouped(flow("views", composed, coarse, choices))
    for turn in range(rounds):
        tables = flow("expect", tables_of, choices)
        estimates = flow("expect", expectations, model, choices)
        prices = flow("expect", penalties, estimates, plan.part("measure.sigma"))
        choice = offered.choose(tables, estimates, prices, events.choose, stop=True)
        columns = flow("absorb", chosen, choices, choice, public(turn))
        table = offered.table(columns, events.measure)
        model = flow("absorb", absorbed, model, choices, columns, table)
        tell(0.1 + 0.9 * (turn + 1) / rounds)
    return Measured(coarse, shares, model, grouped)


def coarsened(fine: list[NoisyTable], domain: Domain, plan: Plan) -> list[Coarse]:
    """The coarse cells of every column; a column that was not measured alone keeps its cells."""
    later = (plan.measure or plan.star).sigma
    tables = {table.columns[0]: table for table in fine}
    found = []
    for place, cells in enumerate(domain.columns):
        if place not in tables:
            even = np.full(cells.size, 1.0 / cells.size)
            found.append(Coarse(np.arange(cells.size), np.ones(cells.size), even))
            continue
        table = tables[place]
        found.append(
            coarse_cells(
                table.counts.astype(np.float64),
                table.sigma,
                plan.layout.coarse,
                _LEAST_IN_CELL * later,
                ordered=cells.ordered,
                nullable=cells.column.nullable,
            )
        )
    return found


def base_views(coarse: list[Coarse]) -> tuple[View, ...]:
    return tuple(View(place, each.groups) for place, each in enumerate(coarse))


def agreed(fine: list[NoisyTable], star: list[NoisyTable], coarse: list[Coarse], domain: Domain, plan: Plan) -> Shares:
    """The total and the one-way shares, each table counting by the inverse of its noise variance."""
    counts: list[Floats | None] = [None] * len(coarse)
    variances: list[Floats] = [np.zeros(0)] * len(coarse)
    labelled: list[Floats | None] = [None] * len(coarse)
    for table in star:
        column, size = table.columns[0], coarse[table.columns[0]].size
        crossed = table.counts.astype(np.float64).reshape(size, -1)
        labelled[column] = crossed
        counts[column] = crossed.sum(axis=1)
        variances[column] = np.full(size, crossed.shape[1] * table.sigma**2)
    for table in fine:
        column = table.columns[0]
        alone = np.bincount(coarse[column].groups, table.counts.astype(np.float64))
        noise = table.sigma**2 * np.bincount(coarse[column].groups)
        both = 1.0 / (1.0 / noise + 1.0 / variances[column])
        known = counts[column]
        counts[column] = both * (alone / noise + (0.0 if known is None else known / variances[column]))
        variances[column] = both
    if domain.label is not None:
        crossed_tables = [table for table in labelled if table is not None]
        precision = np.array([1.0 / len(table) for table in crossed_tables])
        by_label = sum(p * table.sum(axis=0) for p, table in zip(precision, crossed_tables, strict=True))
        counts[domain.label] = np.asarray(by_label / precision.sum())
        variances[domain.label] = np.full(coarse[domain.label].size, plan.star.sigma**2 / precision.sum())
    weights = np.array([1.0 / variance.sum() for variance in variances])
    totals = np.array([0.0 if each is None else each.sum() for each in counts])
    total = max(float(weights @ totals / weights.sum()), 1.0)
    shares = []
    for each in counts:
        positive = np.maximum(on_simplex(_known(each), total), 0.5)
        shares.append(positive / positive.sum())
    return Shares(total, shares, variances, labelled)


def started(shares: Shares, domain: Domain, plan: Plan, rng: np.random.Generator) -> LogLinear:
    """The model of one-way and label tables."""
    size = int(np.clip(plan.people, *RECORDS))
    records = np.stack([rng.choice(len(each), size, p=each) for each in shares.shares], axis=1).astype(np.int32)
    sizes = tuple(len(each) for each in shares.shares)
    model = LogLinear(records, sizes, [np.log(each) for each in shares.shares], shares.total, rng)
    every = [np.arange(each) for each in sizes]
    for column, (share, variance) in enumerate(zip(shares.shares, shares.variances, strict=True)):
        expected = share * shares.total
        noise = float(np.sqrt(variance.mean()))
        model.add(Factor((column,), (every[column],), expected, variance / np.maximum(expected, 1.0), noise))
    if domain.label is None:
        return model
    for column, crossed in enumerate(shares.labelled):
        if crossed is not None:
            where = (column, domain.label)
            groups = (every[column], every[domain.label])
            model.add(factor_of(model, where, groups, crossed.ravel(), plan.star.sigma**2))
    model.fit(_STARTING, step=1.0)
    model.fit(_STARTING)
    return model


def choices_of(shares: Shares, domain: Domain, by_label: bool) -> Choices:
    """Every pair of columns, in several widths of cells, alone and by the label; pairs with it are measured already."""
    views: list[View] = []
    offered: list[list[int]] = []
    for column, (cells, share) in enumerate(zip(domain.columns, shares.shares, strict=True)):
        widths: dict[int, int] = {}
        groups = np.arange(len(share))
        for wanted in LEVELS:
            mass = np.bincount(groups, share).astype(np.float64)
            groups = coarser(mass, wanted, ordered=cells.ordered, nullable=cells.column.nullable)[groups]
            if int(groups.max()) not in widths:
                widths[int(groups.max())] = len(views)
                views.append(View(column, groups))
        offered.append(list(widths.values())[::-1])
    label = () if domain.label is None else (offered[domain.label][-1],)
    tables: list[tuple[int, ...]] = []
    for a, b in itertools.combinations([places for c, places in enumerate(offered) if c != domain.label], 2):
        widths_of_pair = range(max(len(a), len(b)))
        pairs = [(a[min(width, len(a) - 1)], b[min(width, len(b) - 1)]) for width in widths_of_pair]
        tables.extend(pairs)
        tables.extend((*pair, *label) for pair in pairs if label and by_label)
    stars = tuple((places[-1], *label) for column, places in enumerate(offered) if column != domain.label)
    return Choices(tuple(views), tuple(tables), stars)


def composed(coarse: list[Coarse], choices: Choices) -> tuple[View, ...]:
    """The views in terms of fine cells."""
    return tuple(View(view.column, view.groups[coarse[view.column].groups]) for view in choices.views)


def tables_of(choices: Choices) -> tuple[tuple[int, ...], ...]:
    return choices.tables


def expectations(model: LogLinear, choices: Choices) -> list[Floats]:
    """What the model expects in every table that may be chosen."""
    full: dict[tuple[int, ...], Floats] = {}
    found = []
    for table in choices.tables:
        columns, groups = _where(choices, table)
        if columns not in full:
            every = tuple(np.arange(model.sizes[column]) for column in columns)
            full[columns] = model.expected(columns, every).reshape([model.sizes[column] for column in columns])
        found.append(_in_groups(full[columns], groups))
    return found


def penalties(estimates: list[Floats], sigma: float) -> Floats:
    """(tables,) L1 distance that noise alone would leave after measuring."""
    return np.array([math.sqrt(2 / math.pi) * sigma * len(estimate) for estimate in estimates])


def chosen(choices: Choices, choice: int, turn: int) -> tuple[int, ...]:
    """The chosen table; after a stop, the next label table once more, with the same noise."""
    return choices.stars[turn % len(choices.stars)] if choice == STOP else choices.tables[choice]


def absorbed(model: LogLinear, choices: Choices, columns: tuple[int, ...], table: NoisyTable) -> LogLinear:
    """The model with one table more.

    Where the same columns were measured before in wider cells, both tables stay: the earlier one holds what stands out
    of the noise, the new one, of which only the departures from that are weighed anew, adds detail.
    """
    larger = model.copy()
    where, groups = _where(choices, columns)
    counts, noise = table.counts.astype(np.float64).ravel(), table.sigma**2
    earlier = [factor for factor in larger.factors if factor.columns == where]
    finer = True
    if earlier:
        finest = max(earlier, key=lambda factor: len(factor.counts))
        finer = len(counts) > len(finest.counts)
        groups, counts, noise = united(finest, groups, counts, noise)
        for factor in earlier:  # they are not to contradict each other
            member = members_of(groups, factor.groups)
            factor.counts = np.bincount(member, counts, minlength=len(factor.counts)).astype(np.float64)
    if finer:
        larger.add(factor_of(larger, where, groups, counts, noise))
    larger.fit(_ABSORBING)
    return larger


@stage("columns")
def _alone(plan: Plan) -> list[tuple[int, ...]]:
    """The tables of fine cells."""
    return [(column,) for column in plan.fine_columns]


@stage("columns")
def _by_label(domain: Domain) -> list[tuple[int, ...]]:
    """Every column by the target, or alone without one."""
    label = domain.label
    return [(column,) if label is None else (column, label) for column in range(len(domain.columns)) if column != label]


def _where(choices: Choices, table: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[Cell, ...]]:
    views = [choices.views[place] for place in table]
    return tuple(view.column for view in views), tuple(view.groups for view in views)


def _in_groups(table: Floats, groups: tuple[Cell, ...]) -> Floats:
    """(cells,) a table of base cells in coarser ones."""
    for axis, group in enumerate(groups):
        if len(group) > int(group.max()) + 1:
            member = (group[None, :] == np.arange(int(group.max()) + 1)[:, None]).astype(np.float64)
            table = np.moveaxis(np.tensordot(member, table, axes=(1, axis)), 0, axis)
    return table.ravel()


def _known(counts: Floats | None) -> Floats:
    if counts is None:
        raise PrivacyError("a column was not measured")
    return counts
