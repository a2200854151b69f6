"""Do all releases of a dataset together give away what each of them alone does not?

Many tables that are innocent one by one can betray people together: noisy copies of the same rows, drawn anew for each
release, gather around the people they were made from, and their average names them. So the candidate is measured
together with every earlier release of the dataset as well, by the same measures. That asks for one split of the people
in all releases: somebody held out now must not have been learned from then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from audit.measures.copies import near_copies
from audit.measures.dcr import dcr
from audit.measures.membership import membership
from audit.measures.nnaa import nnaa
from audit.measures.noised import one_parent
from audit.outcome import FEWEST, too_few
from audit.plan import Plan
from audit.tables import AuditTables
from policies import Measurement

OF = {
    "cumulative_nnaa_privacy_loss": "nnaa_privacy_loss",
    "cumulative_dcr_share": "dcr_share",
    "cumulative_near_copy_excess": "near_copy_excess",
    "cumulative_membership_auc": "membership_auc",
    "cumulative_traced_to_one": "traced_to_one",
}
NAMES = tuple(OF)
# a figure on the union is the same measure on more rows: it stands or falls with the control of its own (follow)
CONTROLS: dict[str, Plan] = {}


def cumulative(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
    """Five measures on the union of ``tables.earlier`` and the candidate; on the candidate where nothing was earlier.

    - ``cumulative_nnaa_privacy_loss`` and ``cumulative_dcr_share``: nearness to train beyond that to holdout;
    - ``cumulative_near_copy_excess``: what is unusually near, as a share of all rows ever released;
    - ``cumulative_membership_auc``: the one that sees averaging: rows of many releases that gather around a person add
      up to a density, whether or not any of them is near;
    - ``cumulative_traced_to_one``: the rows that are one train person's beyond doubt, in whichever release they stand.

    A share on the union is an average over releases: it does not replace the same limit on the candidate alone. Rows
    traced to one person are counted and no share, so that two of them in each of many releases add up. A row counts as
    often as it was released, and each row of one person by itself. Honest releases do not add up, since the mark of
    doubt rises with the rows asked about (``audit.traced``): a row just above it in its own release may be below it
    here. Of a union of more than ``audit.measures.noised.QUERIES`` rows that many are drawn and asked about, and the
    count is of those alone: the more was ever released, the less of what a release holds is seen.

    References
    ----------
    Kifer, Messing, Roth, Thakurta, Zhang, Guidelines for implementing and auditing differentially private systems,
    arXiv 2002.04049 (2020), on composition over releases; averaging as in Dinur and Nissim, Revealing information while
    preserving privacy, PODS 2003.
    """
    union = together(tables)
    if union.fewest_people < FEWEST:
        return too_few(NAMES, union.fewest_people)
    found = (
        *nnaa(union, rng),
        *dcr(union, rng),
        near_copies(union, rng),
        *membership(union, rng),
        *one_parent(union, rng),
    )
    count = 0 if tables.earlier is None else len(tables.earlier)
    by_name = {measurement.name: measurement for measurement in found}
    return tuple(_renamed(by_name[single], name, count) for name, single in OF.items())


def together(tables: AuditTables) -> AuditTables:
    """The audit of all rows ever released; the tables themselves where nothing was released earlier."""
    if tables.earlier is None or not len(tables.earlier):
        return tables
    released = pd.concat([tables.earlier, tables.released], ignore_index=True)
    return replace(tables, released=released, released_people=None, earlier=None)


def follow(measurements: Iterable[Measurement]) -> tuple[Measurement, ...]:
    """The measurements with the cumulative ones made to agree with those of the candidate alone.

    Where nothing was measured on a union, because nothing was released earlier, the figures are the candidate's own.
    A figure on the union falls where its own measure is void: then the measure cannot be relied on in these tables.
    """
    listed = tuple(measurements)
    found = {measurement.name: measurement for measurement in listed}
    rest = tuple(measurement for measurement in listed if measurement.name not in OF)
    return (*rest, *(_followed(name, found.get(name), found[single]) for name, single in OF.items() if single in found))


def _followed(name: str, union: Measurement | None, single: Measurement) -> Measurement:
    if union is None:
        return _renamed(single, name, 0)
    if single.status != "measured" and union.status == "measured":
        return replace(union, status="inconclusive", reason=f"{single.name} alone: {single.reason}")
    return union


def _renamed(measurement: Measurement, name: str, earlier: int) -> Measurement:
    what = f"with {earlier} rows released earlier" if earlier else "nothing was released earlier"
    method = f"{measurement.method}; {what}" if measurement.method else measurement.method
    return replace(measurement, name=name, method=method)
