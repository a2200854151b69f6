"""Does the release give away what is sensitive about people the synthesizer saw?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.classes import Coded, Codes, Knowledge, coded, knowledge
from audit.intervals import Interval, difference_of_means, difference_of_shares
from audit.outcome import FEWEST, measured, too_few, void_all
from audit.plan import Plan
from audit.sides import Side
from audit.tables import AuditTables
from policies import Measurement

NAMES = ("l_diversity", "homogeneity_excess")
# no other plant: under coarse quasi-identifiers copied rows point at crowds
CONTROLS: dict[str, Plan] = {"homogeneity_excess": Plan(0.0, NAMES[1:], staked=NAMES[1:])}

DENSE = 8  # codes of a class and a value, per released row, up to which they are counted in one table

Floats = NDArray[np.float64]


def homogeneity(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
    """Distinct l-diversity of the release, and what its homogeneous classes say of real people.

    Sensitive are the columns declared so, or the target where none is; classes are formed on the other columns.
    ``l_diversity`` is the fewest distinct sensitive values (missing is one) in any released class. A class of the
    release is homogeneous if its sensitive value is constant, which any class of one row is;
    ``homogeneity_excess`` is the share of train people whose class there is homogeneous and names their value rightly,
    minus the same share of holdout people, mean over class systems and sensitive columns. Rightly named by rule and
    not by memory hits both alike, so a fresh sample of the population gives 0. Given the release, people are
    independent: exact limits of a difference for one class system, Welch's for a mean over several.

    References
    ----------
    Machanavajjhala, Kifer, Gehrke, Venkitasubramaniam, l-diversity, ACM TKDD 1 (2007).
    """
    sensitive = tables.dictionary.secrets
    if not sensitive:
        return void_all(NAMES, "inconclusive", "the dictionary declares neither a sensitive column nor a target")
    known = knowledge(tables, sensitive, rng)
    if not known.subsets:
        return void_all(NAMES, "inconclusive", "every released column is sensitive: there is nothing to match on")
    fewest, named = _walk(tables, known, sensitive)
    exact = Measurement.exact("l_diversity", float(fewest), n=len(tables.released), method=known.method)
    if tables.fewest_people < FEWEST:
        return exact, *too_few(NAMES[1:], tables.fewest_people)
    train, holdout = named["train"], named["holdout"]
    value = float(train.mean() - holdout.mean())
    interval = _difference(train, holdout, tables.confidence)
    n = len(train) + len(holdout)
    return exact, measured("homogeneity_excess", value, interval, tables.confidence, n, known.method)


def _walk(tables: AuditTables, known: Knowledge, sensitive: tuple[str, ...]) -> tuple[int, dict[Side, Floats]]:
    """Fewest distinct values, and per real person the share of class systems that name the person rightly."""
    codes = coded(tables)
    real: tuple[Side, Side] = ("train", "holdout")
    person = {side: np.unique(tables.people[side], return_inverse=True)[1] for side in real}
    count = {side: int(person[side].max()) + 1 for side in real}
    named: dict[Side, Floats] = {side: np.zeros(count[side]) for side in real}
    fewest = len(tables.released)
    for subset in known.subsets:
        ids, total = codes.classes(subset)
        for column in sensitive:
            guess = _Guess.of(ids["released"], codes, column, total)
            fewest = min(fewest, guess.fewest)
            for side in real:
                right = guess.value[ids[side]] == codes.codes[side][column]
                hit = np.zeros(count[side], dtype=np.bool_)
                hit[person[side][right]] = True
                named[side] += hit
    systems = len(known.subsets) * len(sensitive)
    return fewest, {side: part / systems for side, part in named.items()}


@dataclass(frozen=True)
class _Guess:
    """What each released class says: the constant sensitive code, or -1; and the fewest distinct codes of a class."""

    value: Codes
    fewest: int

    @classmethod
    def of(cls, ids: Codes, codes: Coded, column: str, total: int) -> _Guess:
        sensitive, size = codes.codes["released"][column], codes.sizes[column]
        if total * size <= DENSE * len(ids):
            there = np.bincount(sensitive * total + ids, minlength=size * total).reshape(size, total) > 0
            distinct = there.sum(axis=0)
            return cls(np.where(distinct == 1, there.argmax(axis=0), -1), int(distinct[distinct > 0].min()))
        value = np.full(total, -1, dtype=np.int64)
        value[ids] = sensitive
        mixed = np.zeros(total, dtype=np.bool_)
        mixed[ids[value[ids] != sensitive]] = True
        value[mixed] = -1
        if bool((value >= 0).any()):
            return cls(value, 1)
        pairs = np.unique(ids * size + sensitive) // size
        return cls(value, int(np.unique(pairs, return_counts=True)[1].min()))


def _difference(train: Floats, holdout: Floats, confidence: float) -> Interval:
    counted = all(bool(np.isin(part, (0.0, 1.0)).all()) for part in (train, holdout))
    if counted:
        return difference_of_shares(float(train.mean()), len(train), float(holdout.mean()), len(holdout), confidence)
    return difference_of_means(train, holdout, confidence, low=-1.0, high=1.0)
