"""Do released rows carry combinations that only one real person has?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from audit.classes import knowledge, value_codes
from audit.intervals import around
from audit.neighbours import Rows
from audit.outcome import FEWEST, measured, too_few
from audit.plan import Plan
from audit.sides import SIDES, Side, draw_people
from audit.tables import AuditTables
from policies import Measurement

NAMES = ("replicated_uniques",)
# no other plant: where everybody shares the known columns with somebody, a copied row points at nobody
CONTROLS: dict[str, Plan] = {"replicated_uniques": Plan(0.0, NAMES, staked=NAMES)}

QUERIES = 4_000  # released rows asked about
SYSTEMS = 300  # subsets of known columns tried, at most
ROWS = 20_000_000  # real rows times subsets, at most (but never fewer than FEW subsets)
FEW = 60
BITS = 18  # of a key, that tell whether a row is looked at closer: true of one row in sixty-five without a partner

Floats = NDArray[np.float64]
Keys = NDArray[np.uint64]


def replicated_uniques(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
    """Share of released rows that equal a combination only one train person has, minus the same for holdout people.

    The combination is on the declared quasi-identifiers, all together; without any, on each subset of
    ``attacker_known_columns`` columns, and the share is the mean over the subsets (at most 300, drawn where there are
    more). Values are compared as they stand, without bins; missing is a value. Unique is a combination whose rows among
    all real people, train and holdout, belong to one person. Holdout's people are scaled to train's number.

    A unique person is unique whichever table she fell into, so the two counts are alike for a release without memory.
    The variance adds up, over real people, what each contributes: people are dealt to train or holdout at random, and
    a person replicated in many subsets or by many rows counts with all of that together. With every released row and
    subset looked at, the upper end never exceeds the share that do equal a unique train person, which is counted.

    References
    ----------
    Raab, Nowok, Dibben, Practical privacy metrics for synthetic data, arXiv 2406.16826 (2024), ``repU``, here beyond
    what people have who were never seen.
    """
    if tables.fewest_people < FEWEST:
        return too_few(NAMES, tables.fewest_people)
    known = knowledge(tables, (), rng)
    real_rows = len(tables.train) + len(tables.holdout)
    most = int(np.clip(ROWS // real_rows, FEW, SYSTEMS))
    chosen = list(known.subsets)
    if len(chosen) > most:
        chosen = [chosen[i] for i in np.sort(rng.choice(len(chosen), most, replace=False))]
    asked = draw_people(np.arange(len(tables.released), dtype=np.int64), QUERIES, rng)
    hashed = _hashed(tables, sorted({name for subset in chosen for name in subset}), rng)
    train = np.unique(tables.people["train"], return_inverse=True)[1]
    holdout = np.unique(tables.people["holdout"], return_inverse=True)[1]
    seen, unseen = int(train.max()) + 1, int(holdout.max()) + 1
    person = np.concatenate([train, seen + holdout])
    hits = np.zeros(seen + unseen)
    for subset in chosen:
        keys = {side: _key(hashed[side], subset) for side in SIDES}
        hits += _replicated(np.concatenate([keys["train"], keys["holdout"]]), person, keys["released"][asked])
    hits /= len(chosen) * len(asked)
    scale = seen / unseen
    weighted = np.concatenate([hits[:seen], -scale * hits[seen:]])
    value = float(np.clip(weighted.sum(), -1.0, 1.0))
    # one more replication of one more person is never ruled out
    unit = 1.0 / (len(chosen) * len(asked))
    variance = float((weighted**2).sum()) + unit**2 * (1 + scale**2)
    everything = len(asked) == len(tables.released) and len(chosen) == known.possible
    counted = float(hits[:seen].sum()) if everything else 1.0
    value = min(value, counted)
    interval = around(value, variance, tables.confidence, low=-1.0, high=counted)
    method = f"{_systems(known.declared, len(chosen), known.possible, len(chosen[0]))}; {len(asked)} released rows"
    return (measured(NAMES[0], value, interval, tables.confidence, len(asked), method),)


def _systems(declared: bool, count: int, possible: int, size: int) -> str:
    if declared:
        return f"declared quasi-identifiers ({size} columns together)"
    return f"{count} of {possible} subsets of {size} columns"


def _hashed(tables: AuditTables, names: list[str], rng: np.random.Generator) -> dict[Side, dict[str, Keys]]:
    """A random 64-bit number per value of each column; equal values, and equal ones only, share it."""
    result: dict[Side, dict[str, Keys]] = {side: {} for side in SIDES}
    for name in names:
        codes, size = value_codes(tables)[name]
        table = rng.integers(0, 2**64, size, dtype=np.uint64)
        for side in SIDES:
            result[side][name] = table[codes[side]]
    return result


def _key(hashed: dict[str, Keys], subset: tuple[str, ...]) -> Keys:
    """The sum of a row's numbers: two combinations of the same key are equal but for one chance in 2^64 per pair."""
    key = hashed[subset[0]].copy()
    for name in subset[1:]:
        key += hashed[name]
    return key


def _replicated(real: Keys, person: Rows, released: Keys) -> Floats:
    """How many released rows have the key of each person who is alone with it."""
    asked = np.zeros(1 << BITS, dtype=np.bool_)
    asked[_low(released)] = True
    near = np.flatnonzero(asked.take(_low(real)))
    if not len(near):
        return np.zeros(int(person.max()) + 1)
    order = near[np.argsort(real[near], kind="stable")]
    keys, owner = real[order], person[order]
    first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    low, high = np.minimum.reduceat(owner, first), np.maximum.reduceat(owner, first)
    place = np.searchsorted(keys[first], released)
    place = np.minimum(place, len(first) - 1)
    replicated = (keys[first][place] == released) & (low == high)[place]
    return np.bincount(low[place[replicated]], minlength=int(person.max()) + 1).astype(np.float64)


def _low(keys: Keys) -> Rows:
    low: Rows = keys.view(np.int64) & ((1 << BITS) - 1)
    return low
