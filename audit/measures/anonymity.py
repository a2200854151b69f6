"""Whom do released rows point at? Equivalence classes of the release against those of real people.

A released row is nobody, so the size of its class among released rows protects no patient; ``k_anonymity`` is
reported because norms name it. What matters is how few *real* people a released class points at, and whether it
points at people the synthesizer saw more often than at people it did not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.classes import Knowledge, People, coded, knowledge
from audit.intervals import around, share_interval
from audit.outcome import FEWEST, UNEVEN, measured, too_few, void_all
from audit.plan import Plan
from audit.sides import draw_people
from audit.tables import AuditTables
from policies import Measurement

NAMES = ("k_anonymity", "k_map", "k_map_excess", "identity_disclosure_risk")
# no other plant: under coarse quasi-identifiers copied rows point at crowds
CONTROLS: dict[str, Plan] = {"k_map_excess": Plan(0.0, NAMES[2:], staked=NAMES[2:])}

Floats = NDArray[np.float64]


def anonymity(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
    """Four figures over the class systems of ``audit.classes``.

    - ``k_anonymity``: rows in the smallest class of the released table, over all systems.
    - ``k_map``: people (train and holdout) in the smallest real class that holds a released row; all real people where
      released rows meet nobody.
    - ``k_map_excess``: share of released rows that fall into a train class of fewer than ``attacker_class_size``
      people (and at least one), minus the same for holdout; mean over systems. 0 for a fresh sample of the
      population. Train and holdout are cut to equally many people; the difference is scaled back by what was cut from
      train. The variance is the delete-one jackknife over people and released rows, in closed form: leaving a person
      out changes only classes where that person was alone, or was the one that made the class large enough.
    - ``identity_disclosure_risk``: mean over train people of 1/F where a released row shares their class, else 0; F
      counts the real people of both tables in that class; mean over systems, and the worst of a person's rows. The
      population beyond the two tables is not counted, which errs to the high side.

    The last two are held to need twenty people in each table.

    References
    ----------
    Sweeney, k-anonymity, IJUFKS 10 (2002), with k-map. El Emam, Mosquera, Bass, Evaluating identity disclosure risk in
    fully synthetic health data, JMIR 22 (2020), the sample-to-population term without the learned-something-new
    factor. Efron and Stein, The jackknife estimate of variance, Annals of Statistics 9 (1981).
    """
    known = knowledge(tables, (), rng)
    tally = _tally(tables, known, rng)
    systems, confidence = len(known.subsets), tables.confidence
    n_released, people = len(tables.released), tally.train_people
    exact = (
        Measurement.exact("k_anonymity", float(tally.smallest_released), n=n_released, method=known.method),
        Measurement.exact("k_map", float(tally.smallest_real), n=tally.real_people, method=known.method),
    )
    if tables.fewest_people < FEWEST:
        return *exact, *too_few(NAMES[2:], tables.fewest_people)
    if tally.scale > UNEVEN:
        reason = (
            f"train holds {tally.scale:.1f} times as many people as the holdout, and what a cut train misses cannot be "
            "told; halves of about one size would do"
        )
        return (*exact, *void_all(NAMES[2:], "inconclusive", reason, tables.fewest_people))
    rows = tally.excess / systems
    variance = _mean_variance(rows) + sum(_jackknife(part / (systems * n_released)) for part in tally.leaving)
    value = float(np.clip(tally.scale * rows.mean(), -1.0, 1.0))
    interval = around(value, tally.scale**2 * variance, confidence, df=people - 1.0, low=-1.0, high=1.0)
    risk = tally.risk / systems
    mean_risk = float(risk.mean())
    return (
        *exact,
        measured("k_map_excess", value, interval, confidence, n_released, f"{known.method}; jackknife"),
        measured(
            "identity_disclosure_risk",
            mean_risk,
            share_interval(mean_risk, _mean_variance(risk), float(people), confidence),
            confidence,
            people,
            f"{known.method}; F counts {tally.real_people} real people",
        ),
    )


@dataclass
class _Tally:
    smallest_released: int
    smallest_real: int
    real_people: int
    train_people: int
    scale: float
    excess: Floats  # per released row, summed over systems
    leaving: tuple[Floats, Floats]  # per compared person of train and holdout: change of the excess if left out
    risk: Floats  # per train person


def _tally(tables: AuditTables, known: Knowledge, rng: np.random.Generator) -> _Tally:
    codes, small = coded(tables), tables.attacker_class_size
    person = {side: np.unique(tables.people[side], return_inverse=True)[1] for side in ("train", "holdout")}
    count = {side: int(part.max()) + 1 for side, part in person.items()}
    fewest = min(count.values())
    compared = {side: _some(count[side], fewest, rng) for side in ("train", "holdout")}
    n = len(tables.released)
    tally = _Tally(
        smallest_released=n,
        smallest_real=sum(count.values()),
        real_people=sum(count.values()),
        train_people=count["train"],
        scale=count["train"] / fewest,
        excess=np.zeros(n),
        leaving=(np.zeros(count["train"]), np.zeros(count["holdout"])),
        risk=np.zeros(count["train"]),
    )
    for subset in known.subsets:
        ids, total = codes.classes(subset)
        released = np.bincount(ids["released"], minlength=total)
        members = {side: People.of(ids[side], person[side], count[side]) for side in ("train", "holdout")}
        real = members["train"].sizes(total) + members["holdout"].sizes(total)
        there = released > 0
        tally.smallest_released = min(tally.smallest_released, int(released[there].min()))
        tally.smallest_real = int(real[there & (real > 0)].min(initial=tally.smallest_real))
        tally.risk += members["train"].most((there / np.maximum(real, 1))[members["train"].classes])
        excess = np.zeros(total)
        for place, (side, sign) in enumerate((("train", 1.0), ("holdout", -1.0))):
            own = members[side].classes
            sizes = np.bincount(own[compared[side][members[side].person]], minlength=total)
            excess += sign * ((sizes > 0) & (sizes < small))
            change = released * ((sizes == small).astype(np.float64) - (sizes == 1))
            tally.leaving[place][:] += sign * members[side].add_up(change[own])
        tally.excess += excess[ids["released"]]
    tally.leaving = (tally.leaving[0][compared["train"]], tally.leaving[1][compared["holdout"]])
    return tally


def _some(count: int, wanted: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    chosen = np.zeros(count, dtype=np.bool_)
    chosen[draw_people(np.arange(count), wanted, rng)] = True
    return chosen


def _mean_variance(values: Floats) -> float:
    return float(values.var(ddof=1)) / len(values)


def _jackknife(changes: Floats) -> float:
    n = len(changes)
    return float(((changes - changes.mean()) ** 2).sum()) * (n - 1) / n
