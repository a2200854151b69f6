"""Do statements taken from the release fit exactly one real person, more often than they fit a stranger?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.attacks.predicates import LARGEST, MISSING, Population, Predicates, alone_by_chance
from audit.attacks.risk import Arm, Attack, strongest
from audit.attacks.targets import REAL
from audit.outcome import FEWEST, too_few, void_all
from audit.plan import Plan
from audit.sides import REFERENCE_ROWS, Side, draw_people
from audit.tables import AuditTables
from policies import Measurement

NAMES = ("singling_out",)
CONTROLS = {"singling_out": Plan(0.0, NAMES, sees=("copies",))}

ATTACKS = (500, 1_500)  # predicates of one kind, at least (where the release has them) and at most
SETS = 5  # sets of known columns, the least likely of which is used
NOBODY = 0.01  # people expected, below which a predicate is narrow enough
REACH = 0.02  # neighbourhood of a number, in share of the known values to either side
WIDE_REACH = 0.05  # the same where many columns narrow the predicate down
OUTLIERS = 0.05  # share of released rows, the least likely ones, that are attacked apart
FEWEST_OUTLIERS = 20
LOOKED_AT = 10_000  # released rows among which outliers are looked for
BLIND = 5_000  # rows of the table made up without the release
CROWD = 60  # people beyond which one more or less does not change whether a predicate singles out


Floats = NDArray[np.float64]


def singling_out(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
    """Risk that a predicate suggested by the release fits exactly one train person, over the same for holdout.

    Four kinds of attack, each by at most 1,500 predicates that fit exactly one distinct row of the release:

    1. *one value*: a number no other released row has, an extreme ("at least as large as the largest"), a level or a
       missing cell seen once; drawn from all columns in turn.
    2. *known columns*: of a random released row, ``attacker_known_columns`` columns, each at its value or within the
       neighbourhood of 2 % of the values to either side; of five such sets the least likely one.
    3. *many columns*: the same within 5 %, for half of the columns, and for more until next to nobody is expected.
    4. *outliers*: as 3, for the 5 % released rows that are least likely, each by its rarest columns first.

    What is likely is judged by the released shares of each column alone, as if columns were independent. In a small
    release the rows of 2 and 3 are taken several times with other columns. In 2 to 4 a row whose predicate fits other
    rows too is no attack, but counts among those at stake: the risk is the share of released rows that single out.

    As a larger population leaves fewer people unique, train and holdout are compared at equal numbers of people: of the
    larger one, the chance over every way to draw as many people is taken, and the risk is scaled back by what was cut
    from train. The predicates are taken as given; the variance over people is the delete-one jackknife in closed form
    (one person less changes the predicates that fit nobody else, or one other), so that predicates that fit the same
    person go together. That is too large for a predicate by itself, which is met by one person or is not: there it is
    the variance of a share, where that is less. Without the release, the same predicates are made of a table put
    together from holdout values, column by column.

    References
    ----------
    Giomi, Boenisch, Wehmeyer, Tasnádi, PoPETs 2023, section 5.1 (the attack). Cohen, Nissim, Towards formalizing the
    GDPR's notion of singling out, PNAS 117 (2020): a predicate must be so narrow that it singles out nobody by chance,
    which 3 and 4 come near. Efron, Stein, The jackknife estimate of variance, Annals of Statistics 9 (1981).
    """
    if tables.fewest_people < FEWEST:
        return too_few(NAMES, tables.fewest_people)
    people = {side: _population(tables, side, rng) for side in REAL}
    released = _distinct(_population(tables, "released", rng))
    blind = _shuffled(people["holdout"], min(len(released.person), BLIND), rng)
    known = tables.attacker_known_columns
    cut = min(people[side].people for side in REAL)
    scale = len(np.unique(tables.people["train"])) / cut
    attacks: dict[str, Attack] = {}
    seeds = rng.integers(0, 2**63, size=4)
    for label, suggest in _KINDS.items():
        made = suggest(released, known, np.random.default_rng(seeds))
        if not len(made.predicates):
            continue
        guessed = suggest(blind, known, np.random.default_rng(seeds)).predicates
        rows = len(released.person)
        train, control = (_arm(made.predicates, people[side], cut, rows) for side in REAL)
        by_chance = _arm(guessed, people["train"], cut, rows).rate if len(guessed) else 0.0
        attacks[label] = Attack(train, control, by_chance, len(made.predicates), made.share, scale)
    if not attacks:
        reason = "no value and no combination of columns fits exactly one released row: there is nothing to attack with"
        return void_all(NAMES, "inconclusive", reason, len(released.person))
    method = f"{people['train'].people} train and {people['holdout'].people} holdout people; jackknife over people"
    return (strongest("singling_out", attacks, tables.confidence, method),)


@dataclass(frozen=True)
class _Suggested:
    predicates: Predicates
    share: float  # of the released rows they stand for


def _population(tables: AuditTables, side: Side, rng: np.random.Generator) -> Population:
    rows = draw_people(tables.people[side], REFERENCE_ROWS, rng)
    frame = tables.frames[side].iloc[rows]
    person = np.arange(len(rows)) if side == "released" else tables.people[side][rows]
    return Population.of(frame, person, tables.dictionary)


def _distinct(table: Population) -> Population:
    """Each kind of row once, in an order of their own: neither order nor number of equal rows helps an attacker."""
    order = np.lexsort(table.columns)
    changed = np.zeros(len(order), dtype=np.bool_)
    changed[0] = True
    for column in table.columns:
        changed[1:] |= column[order][1:] != column[order][:-1]
    kept = order[changed]
    return Population([column[kept] for column in table.columns], table.numeric, np.arange(len(kept)))


def _shuffled(population: Population, rows: int, rng: np.random.Generator) -> Population:
    """A table of ``rows`` rows, each column drawn from these values by itself: what is known without a release."""
    columns = [column[rng.integers(0, len(column), rows)] for column in population.ascending]
    return Population(columns, population.numeric, np.arange(rows))


def _one_value(table: Population, _: int, rng: np.random.Generator) -> _Suggested:
    width = len(table.columns)
    parts = [np.zeros((0, 4))]  # column, turn, low, high
    for number, ascending in enumerate(table.ascending):
        values, counts = np.unique(ascending, return_counts=True)
        single = rng.permutation(values[counts == 1])
        bounds = np.column_stack([single, single])
        known = values[values > MISSING]
        if table.numeric[number] and len(known):
            bounds = np.vstack([[-LARGEST, known[0]], [known[-1], LARGEST], bounds])
        turn = np.arange(len(bounds))
        parts.append(np.column_stack([np.full(len(bounds), number), turn, bounds]))
    every = np.vstack(parts)
    some = every[np.argsort(every[:, 1], kind="stable")[: ATTACKS[1]]]
    asked = some[:, :1] == np.arange(width)
    low, high = (np.where(asked, some[:, place : place + 1], 0.0) for place in (2, 3))
    alone = _alone(Predicates(low, high, asked), table)
    return _Suggested(alone, min(len(alone) / len(table.person), 1.0) if len(every) <= ATTACKS[1] else 1.0)


def _known_columns(table: Population, known: int, rng: np.random.Generator) -> _Suggested:
    rows = _some_rows(table, rng)
    low, high, share = table.neighbourhoods(rows, REACH)
    count = min(known, len(table.columns))
    sets = np.stack([_ranks(rng.random(share.shape)) < count for _ in range(SETS)])
    rarity = np.where(sets, np.log(share), 0.0).sum(axis=2)
    asked = sets[rarity.argmin(axis=0), np.arange(len(rows))]
    return _attempted(Predicates(low, high, asked), table)


def _many_columns(table: Population, known: int, rng: np.random.Generator) -> _Suggested:
    rows = _some_rows(table, rng)
    low, high, share = table.neighbourhoods(rows, WIDE_REACH)
    asked = _enough(share, _ranks(rng.random(share.shape)), known, len(table.person))
    return _attempted(Predicates(low, high, asked), table)


def _outliers(table: Population, known: int, rng: np.random.Generator) -> _Suggested:
    chosen = rng.permutation(len(table.person))[:LOOKED_AT]
    rows = len(chosen)
    low, high, share = table.neighbourhoods(chosen, WIDE_REACH)
    count = min(max(round(OUTLIERS * rows), FEWEST_OUTLIERS), rows, ATTACKS[1])
    rarest = np.argsort(np.log(share).sum(axis=1), kind="stable")[:count]
    asked = _enough(share[rarest], _ranks(share[rarest]), known, len(table.person))
    made = _attempted(Predicates(low[rarest], high[rarest], asked), table)
    return _Suggested(made.predicates, made.share * count / rows)


_KINDS = {
    "one value": _one_value,
    "known columns": _known_columns,
    "many columns": _many_columns,
    "outliers": _outliers,
}


def _some_rows(table: Population, rng: np.random.Generator) -> NDArray[np.int64]:
    rows = rng.permutation(len(table.person))[: ATTACKS[1]]
    return np.tile(rows, -(-ATTACKS[0] // len(rows)))


def _ranks(values: Floats) -> NDArray[np.int64]:
    """Place of each value in its row, the smallest first."""
    result: NDArray[np.int64] = np.argsort(np.argsort(values, axis=1, kind="stable"), axis=1)
    return result


def _enough(share: Floats, rank: NDArray[np.int64], known: int, rows: int) -> NDArray[np.bool_]:
    """(rows, d): columns in order of ``rank``, half of them and as many more as it takes to expect ``NOBODY``."""
    order = np.argsort(rank, axis=1)
    expected = rows * np.exp(np.cumsum(np.log(np.take_along_axis(share, order, axis=1)), axis=1))
    taken = (expected > NOBODY).sum(axis=1) + 1
    result: NDArray[np.bool_] = rank < np.maximum(taken, max(known + 1, share.shape[1] // 2))[:, None]
    return result


def _attempted(predicates: Predicates, table: Population) -> _Suggested:
    alone = _alone(predicates, table)
    return _Suggested(alone, len(alone) / len(predicates))


def _alone(predicates: Predicates, table: Population) -> Predicates:
    """Those that fit exactly one row of the table."""
    return predicates.take(np.flatnonzero(table.meet(predicates, 0)[0] == 1))


def _arm(predicates: Predicates, population: Population, cut: int, rows: int) -> Arm:
    """How many of the predicates, made of so many released rows, single somebody out, with the variance over people."""
    count, predicate, person = population.meet(predicates, CROWD)
    alone = alone_by_chance(count, population.people, cut)
    without = alone_by_chance(np.maximum(count - 1, 0), population.people, cut)
    each = (without - alone)[predicate] / len(predicates)
    change = np.bincount(person, weights=each, minlength=population.people)
    n, rate = population.people, float(alone.mean())
    jackknife = float(((change - change.mean()) ** 2).sum()) * (n - 1) / n
    together = float((change**2).sum() - (each**2).sum())
    variance = min(jackknife, rate * (1 - rate) / len(predicates) + max(together, 0.0))
    return Arm(rate, variance, n, min(n, len(predicates), rows))
