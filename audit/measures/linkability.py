"""Does the release join two records of one person that lie in different hands?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from audit.attacks.risk import Arm, Attack, strongest
from audit.attacks.targets import REAL, Targets, nearest_sets
from audit.outcome import FEWEST, too_few, void_all
from audit.plan import Plan
from audit.tables import AuditTables
from policies import Measurement

NAMES = ("linkability",)
CONTROLS = {"linkability": Plan(0.0, NAMES, sees=("copies", "lines", "overfit"))}

NEIGHBOURS = 5  # released rows each holder looks at, at most
CHANCE = 0.02  # at which as many random rows on both sides may share one
SPLITS = (4, 32)  # random halves of the columns, at least and at most

Split = tuple[tuple[str, ...], tuple[str, ...]]


def linkability(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
    """Risk that a released row links what two parties hold of one person, beyond what it does to strangers.

    The columns fall to two holders, by halves at random (four such splits, and up to 32 where people are few, so that a
    person's success is less a matter of chance; it is averaged over them), and, where some are declared, also the
    quasi-identifiers to one and all others to the other. Each holder looks up the released rows nearest to their part;
    the two parts are linked if the two sets of k rows share one, for k of 1 and for the largest k up to 5 at which as
    many random rows would share one with a chance of at most 2 %. Where rows tie for a place, the success is the
    expected number of shared rows, at most one, if the ties were broken at random. The rates are over people; the risk
    is that on train over that on holdout (see ``audit.attacks.risk``). The rate without the release is that of random
    rows.

    References
    ----------
    Giomi, Boenisch, Wehmeyer, Tasnádi, PoPETs 2023, section 5.2; Article 29 Working Party, Opinion 05/2014.
    """
    names = tables.dictionary.released
    if tables.fewest_people < FEWEST:
        return too_few(NAMES, tables.fewest_people)
    if len(names) < 2:
        return void_all(NAMES, "inconclusive", "one released column cannot lie in two hands")
    declared = tables.dictionary.quasi_identifiers
    halves = int(np.clip(Targets.searches(tables) // 2 - 1, *SPLITS))
    splits = {"random halves": _halves(names, halves, rng)}
    if 0 < len(declared) < len(names):
        rest = tuple(name for name in names if name not in declared)
        splits["quasi-identifiers and the rest"] = [(declared, rest)]
    targets = Targets.draw(tables, 2 * sum(len(part) for part in splits.values()), rng)
    released = len(targets.rows["released"])
    sizes = _sizes(released)
    attacks: dict[str, Attack] = {}
    for label, some in splits.items():
        linked = np.mean([_linked(targets, split, sizes) for split in some], axis=0)
        success = dict(zip(REAL, np.split(linked, [len(targets.rows["train"])], axis=1), strict=True))
        for place, k in enumerate(sizes):
            train, control = (Arm.of_people(success[side][place], targets.person[side], len(some)) for side in REAL)
            count = len(some) * len(targets.rows["train"])
            attacks[f"{label}, k = {k}"] = Attack(train, control, _by_chance(released, k), count)
    method = f"{targets.count('train')} train and {targets.count('holdout')} holdout people, {released} distinct rows"
    return (strongest("linkability", attacks, tables.confidence, method),)


def _halves(names: Sequence[str], count: int, rng: np.random.Generator) -> list[Split]:
    splits = []
    for _ in range(count if len(names) > 2 else 1):
        order = [names[place] for place in rng.permutation(len(names))]
        splits.append((tuple(order[: len(names) // 2]), tuple(order[len(names) // 2 :])))
    return splits


def _sizes(rows: int) -> tuple[int, ...]:
    """How many of ``rows`` rows each holder looks at."""
    few = [k for k in range(2, NEIGHBOURS + 1) if _by_chance(rows, k) <= CHANCE]
    return 1, *few[-1:]


def _linked(targets: Targets, split: Split, sizes: Sequence[int]) -> NDArray[np.float64]:
    """(k, targets) expected success of one split, those of train before those of holdout."""
    success = np.zeros((len(sizes), sum(len(targets.rows[side]) for side in REAL)))
    mark = np.zeros(0, dtype=np.bool_)
    first, second = (nearest_sets(targets, columns, sizes) for columns in split)
    for (part, left), (_, right) in zip(first, second, strict=True):
        for place, k in enumerate(sizes):
            (rows, at), (others, other_at) = left[place], right[place]
            count = part.stop - part.start
            mark = mark if len(mark) else np.zeros(count * len(targets.rows["released"]), dtype=np.bool_)
            a, b = np.bincount(rows, minlength=count), np.bincount(others, minlength=count)
            mark[at] = True
            shared = np.bincount(others[mark[other_at]], minlength=count)
            mark[at] = False
            drawn = np.minimum(k / a, 1.0) * np.minimum(k / b, 1.0)
            success[place, part] = np.minimum(shared * drawn, 1.0)
    return success


def _by_chance(rows: int, k: int) -> float:
    """Chance that two random sets of ``k`` of ``rows`` rows share one."""
    return 1.0 if 2 * k > rows else 1 - math.comb(rows - k, k) / math.comb(rows, k)
