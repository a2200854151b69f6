"""What can somebody who knows any few columns of a person read off the release?

Nobody can be sure which columns an attacker knows, so every combination of at most ``attacker_known_columns`` of *all*
released columns is counted (numbers in adaptive bins, missing a value of its own), whatever the dictionary declares.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from audit.combinations import combinations
from audit.exposure import exposure
from audit.intervals import difference_of_shares
from audit.outcome import FEWEST, measured, void_all
from audit.plan import Plan
from audit.tables import AuditTables
from policies import Measurement

NAMES = (
    "all_columns_k_anonymity",
    "all_columns_k_map_excess",
    "all_columns_l_diversity",
    "all_columns_homogeneity_excess",
)
# no other plant: where few columns have few levels, a crowd shares every combination of them
CONTROLS = {name: Plan(0.0, (name,), staked=(name,)) for name in (NAMES[1], NAMES[3])}

POINTED = 0.75  # score from which a person counts as pointed at
NAMED = 0.5  # and from which as named; lower, as a copy's class may hold other rows, too


def all_columns(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
    """Literal k and l of the release, and whom of the real people it points at, over all combinations of columns.

    - ``all_columns_k_anonymity``: rows in the smallest class of the released table.
    - ``all_columns_l_diversity``: fewest distinct sensitive values (missing is one) in a released class on other
      columns; sensitive are the columns declared so, or the target where none is.
    - ``all_columns_k_map_excess``: share of train people the release points at, minus the same of holdout people.
      A combination *tells* a person if fewer than ``attacker_class_size`` real people, of both tables together, share
      the person's values there. The release *points at* a person if it has rows with the person's values in (nearly)
      all that tells the person: three quarters of the way from what chance shows of a stranger to everything
      (``audit.exposure``).
    - ``all_columns_homogeneity_excess``: share of train people of whom the release gives a sensitive value away,
      minus the same of holdout people: half of that way, where the released class must have one sensitive value only,
      and the person's. People count once, whatever the number of sensitive columns.

    What tells a person, and what of it the release shows, does not depend on which of the two tables the person is
    in. So a release that has not seen that either, as a fresh sample, gives 0 whatever the sizes of the tables, and
    people count independently: exact limits of a difference. A copy shows everything that tells its source.

    Where there are more combinations than half a minute allows, some are drawn and the method says so; k and l are then
    those of all columns together, below which no combination can fall.

    References
    ----------
    Sweeney, k-anonymity, IJUFKS 10 (2002), with k-map. El Emam, Mosquera, Bass, Evaluating identity disclosure risk in
    fully synthetic health data, JMIR 22 (2020), the weight 1/f. Elliot, Manning, Ford, A computational algorithm for
    handling the special uniques problem, IJUFKS 10 (2002), people told by many small combinations. Machanavajjhala,
    Kifer, Gehrke, Venkitasubramaniam, l-diversity, ACM TKDD 1 (2007).
    """
    sensitive = tables.dictionary.secrets
    rows = sum(len(frame) for frame in tables.frames.values())
    chosen = combinations(len(tables.dictionary.released), tables.attacker_known_columns, rows, rng)
    found = exposure(tables, chosen, sensitive)
    n = len(tables.released)
    method = chosen.method if chosen.complete else "all columns together, below every combination of them"
    measurements = {NAMES[0]: Measurement.exact(NAMES[0], float(found.smallest), n=n, method=method)}
    if found.fewest is not None:
        measurements[NAMES[2]] = Measurement.exact(NAMES[2], float(found.fewest), n=n, method=method)
        measurements[NAMES[3]] = _excess(NAMES[3], tables, found.named.max(axis=0) >= NAMED, chosen.method)
    else:
        lacking = "the dictionary declares neither a sensitive column nor a target"
        reason = "the sensitive column is the only one: there is nothing to match on" if sensitive else lacking
        measurements |= {m.name: m for m in void_all(NAMES[2:], "inconclusive", reason)}
    measurements[NAMES[1]] = _excess(NAMES[1], tables, found.shown >= POINTED, chosen.method)
    return tuple(measurements[name] for name in NAMES)


def _excess(name: str, tables: AuditTables, exposed: NDArray[np.bool_], method: str) -> Measurement:
    """Share of train people with an exposed row minus share of holdout people; train rows come first."""
    people = np.unique(tables.people["train"]), np.unique(tables.people["holdout"])
    counts = [len(part) for part in people]
    if min(counts) < FEWEST:
        reason = f"the smaller real table has {min(counts)} people; this measure needs {FEWEST} in each"
        return void_all((name,), "inconclusive", reason, min(counts))[0]
    cut = len(tables.train)
    hit = tables.people["train"][exposed[:cut]], tables.people["holdout"][exposed[cut:]]
    train, holdout = (len(np.unique(part)) / count for part, count in zip(hit, counts, strict=True))
    interval = difference_of_shares(train, counts[0], holdout, counts[1], tables.confidence)
    said = f"{method}; {train:.2%} of {counts[0]} train and {holdout:.2%} of {counts[1]} holdout people"
    return measured(name, train - holdout, interval, tables.confidence, sum(counts), said)
