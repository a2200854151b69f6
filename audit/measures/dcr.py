"""Do released rows lie nearer to the people the synthesizer saw than to people it did not?"""

from __future__ import annotations

import numpy as np

from audit.intervals import clustered_variance, share_interval
from audit.neighbours import farther
from audit.outcome import FEWEST, measured, too_few
from audit.plan import Plan
from audit.tables import AuditTables
from policies import Measurement

NAMES = ("dcr_share",)
CONTROLS: dict[str, Plan] = {"dcr_share": Plan(0.5, NAMES, sees=("copies", "lines", "overfit"), queried=True)}


def dcr(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
    """Share of released rows whose nearest train row is nearer than their nearest holdout row; equal counts half.

    Train and holdout are cut at random to equal size (people kept whole), so 0.5 is what no memory gives whatever the
    split; 1 is a table of copies. A holdout smaller than train therefore dilutes what this measure can see.

    Released rows that share their nearest real person stand or fall together, so the exact interval takes its
    effective number of rows from a variance clustered on that person.

    References
    ----------
    Platzer and Reutterer, Holdout-based empirical assessment of mixed-type synthetic data, Frontiers in Big Data 4
    (2021). That passing it proves nothing: Yao et al., The DCR delusion, arXiv 2505.01524 (2025).
    """
    if tables.fewest_people < FEWEST:
        return too_few(NAMES, tables.fewest_people)
    sides = tables.sides("paired", rng)
    to_train, to_holdout = sides.nearest("released", "train"), sides.nearest("released", "holdout")
    nearer_train = farther(to_holdout.distance, to_train.distance)
    share, n = float(nearer_train.mean()), len(nearer_train)
    winner = np.where(
        to_train.distance <= to_holdout.distance,
        sides.ids("train", to_train.index),
        sides.ids("holdout", to_holdout.index),
    )
    variance = clustered_variance((nearer_train - share) / n, winner)
    groups = len(np.unique(winner))
    interval = share_interval(share, variance, n if variance > 0 else groups, tables.confidence, clusters=groups)
    method = f"{n} released rows against {sides.rows('train')} train and as many holdout rows; ties half"
    return (measured("dcr_share", share, interval, tables.confidence, n, method),)
