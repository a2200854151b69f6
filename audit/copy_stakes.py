"""Whom do copies give away by what they repeat? See ``audit.stakes``."""

from __future__ import annotations

import numpy as np

from audit.coincidence import chance_of_copying
from audit.plan import Stake
from audit.tables import AuditTables

TOLD = 0.25  # part of it that the measure says, at the least: in few columns the look-alikes of a few set its mark


def repeated(tables: AuditTables, rng: np.random.Generator) -> Stake:
    """``partial_copy_excess``: share of released rows equal to a real one, each by the chance that it is a copy.

    Rows that several people have, or that lie amid many alike, are coincidences as likely as not. Rows that equal
    nobody count for nothing here, although what is left of a copy may tell.
    """
    return Stake(float(chance_of_copying(tables, rng).mean()), part=TOLD)
