"""Which released rows point at a real person?

Train and holdout are treated alike: a row is looked at beside all real people. Were only train's neighbours found, the
rows that are left would keep a distance from the people the synthesizer saw, and betray them by it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from audit.classes import People, coded, identical_rows
from audit.measures.copies import RARE, REACH
from audit.neighbours import Matrix, Rows, nearest, within
from audit.sides import Side
from audit.tables import AuditTables
from policies.model import Offence

NEAR = 0.01  # quantile of what real strangers have, up to which a released row counts as near

Flags = NDArray[np.bool_]


def offending_rows(tables: AuditTables, offences: Collection[Offence]) -> Mapping[Offence, Flags]:
    """For each of ``offences`` one boolean per released row; every row of every table is looked at.

    - ``exact_copies``: equal in all columns to rows of fewer than ``attacker_class_size`` real people (and of one at
      least). Where that many are equal, the row is nobody's.
    - ``near_copies``: nearer to its nearest real row, by that row's own distance to its nearest real stranger, than
      one in a hundred real people is to theirs.
    - ``rare_copies``: within a quarter of that distance of a real row among the 5 % most isolated.
    - ``small_classes``: with declared quasi-identifiers, in a class of fewer than ``attacker_class_size`` real people
      (and one at least). Without declared ones no row offends: nearly every row is in a small class of some columns.

    A fresh real sample offends too: about one row in a hundred is a near copy, by definition.
    """
    found: dict[Offence, Flags] = {}
    if "exact_copies" in offences:
        rows = identical_rows(tables)
        found["exact_copies"] = _points_at_few(tables, rows, max(int(part.max()) for part in rows.values()) + 1)
    if "small_classes" in offences:
        declared = tables.dictionary.quasi_identifiers
        if declared:
            found["small_classes"] = _points_at_few(tables, *coded(tables).classes(declared))
        else:
            found["small_classes"] = np.zeros(len(tables.released), dtype=np.bool_)
    if {"near_copies", "rare_copies"} & set(offences):
        real, people = np.vstack([tables.matrices["train"], tables.matrices["holdout"]]), _people(tables)
        spacing = nearest(real, real, people, people).distance
        released = tables.matrices["released"]
        if "near_copies" in offences:
            found["near_copies"] = _near(released, real, people, spacing)
        if "rare_copies" in offences:
            found["rare_copies"] = _rare(released, real, spacing)
    return found


def _points_at_few(tables: AuditTables, classes: Mapping[Side, Rows], total: int) -> Flags:
    """Released rows in a class of some real people, but fewer than the class size."""
    people = _people(tables)
    real = np.concatenate([classes["train"], classes["holdout"]])
    sizes = People.of(real, people, int(people.max()) + 1).sizes(total)[classes["released"]]
    few: Flags = (sizes > 0) & (sizes < tables.attacker_class_size)
    return few


def _near(released: Matrix, real: Matrix, people: Rows, spacing: Matrix) -> Flags:
    strangers = []
    first = people % 2 == 0
    for asked, others in ((first, ~first), (~first, first)):  # two halves of the real people, strangers to each other
        own = nearest(real[others], real[others], people[others], people[others]).distance
        strangers.append(_crowding(real[asked], real[others], own))
    usual = float(np.quantile(np.concatenate(strangers), NEAR, method="lower"))
    near: Flags = _crowding(released, real, spacing) <= usual
    return near


def _crowding(of: Matrix, among: Matrix, spacing: Matrix) -> Matrix:
    """Distance to the nearest row over that row's distance to its nearest stranger; 1 on a row that is shared."""
    found = nearest(of, among)
    own = spacing[found.index]
    shared = own == 0
    ratio: Matrix = np.where(
        shared, np.where(found.distance == 0, 1.0, np.inf), found.distance / np.where(shared, 1, own)
    )
    return ratio


def _rare(released: Matrix, real: Matrix, spacing: Matrix) -> Flags:
    limit = float(np.sort(spacing)[-max(int(RARE * len(real)), 1)])
    alone = (spacing >= limit) & (spacing > 0)
    _, hit = within(real[alone], REACH * spacing[alone], released)
    found = np.zeros(len(released), dtype=np.bool_)
    found[hit] = True
    return found


def _people(tables: AuditTables) -> Rows:
    """One code per real row, train's rows first; nobody is in both tables."""
    _, train = np.unique(tables.people["train"], return_inverse=True)
    _, holdout = np.unique(tables.people["holdout"], return_inverse=True)
    return np.concatenate([train, holdout + int(train.max()) + 1]).astype(np.int64)
