"""Which measures are there? One line each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from audit.measures import (
    all_columns,
    anonymity,
    closeness,
    copies,
    cumulative,
    dcr,
    fidelity,
    gower,
    homogeneity,
    inference,
    linkability,
    membership,
    nnaa,
    noised,
    parents,
    partial,
    reconstruction,
    segments,
    singling_out,
    uniques,
    utility,
)
from audit.plan import Plan
from audit.tables import AuditTables
from policies import Measurement

Measure = Callable[[AuditTables, np.random.Generator], tuple[Measurement, ...]]

_LINES: tuple[tuple[str, Measure, tuple[str, ...], dict[str, Plan]], ...] = (
    ("nnaa", nnaa.nnaa, nnaa.NAMES, nnaa.CONTROLS),
    ("dcr", dcr.dcr, dcr.NAMES, dcr.CONTROLS),
    ("copies", copies.copies, copies.NAMES, copies.CONTROLS),
    ("partial", partial.partial_copies, partial.NAMES, partial.CONTROLS),
    ("uniques", uniques.replicated_uniques, uniques.NAMES, uniques.CONTROLS),
    ("segments", segments.segments, segments.NAMES, segments.CONTROLS),
    ("parents", parents.two_parents, parents.NAMES, parents.CONTROLS),
    ("noised", noised.one_parent, noised.NAMES, noised.CONTROLS),
    ("reconstruction", reconstruction.line_reconstruction, reconstruction.NAMES, reconstruction.CONTROLS),
    ("membership", membership.membership, membership.NAMES, membership.CONTROLS),
    ("anonymity", anonymity.anonymity, anonymity.NAMES, anonymity.CONTROLS),
    ("homogeneity", homogeneity.homogeneity, homogeneity.NAMES, homogeneity.CONTROLS),
    ("closeness", closeness.closeness, closeness.NAMES, closeness.CONTROLS),
    ("all_columns", all_columns.all_columns, all_columns.NAMES, all_columns.CONTROLS),
    ("singling_out", singling_out.singling_out, singling_out.NAMES, singling_out.CONTROLS),
    ("linkability", linkability.linkability, linkability.NAMES, linkability.CONTROLS),
    ("inference", inference.inference, inference.NAMES, inference.CONTROLS),
    ("fidelity", fidelity.fidelity, fidelity.NAMES, fidelity.CONTROLS),
    ("utility", utility.utility, utility.NAMES, utility.CONTROLS),
    ("gower", gower.nnaa_gower, gower.NAMES, gower.CONTROLS),
    ("cumulative", cumulative.cumulative, cumulative.NAMES, cumulative.CONTROLS),
)
REGISTRY: dict[str, Measure] = {name: measure for name, measure, _, _ in _LINES}
NAMES_OF: dict[str, tuple[str, ...]] = {name: names for name, _, names, _ in _LINES}
CONTROLS_OF: dict[str, dict[str, Plan]] = {name: controls for name, _, _, controls in _LINES}
MEASURE_NAMES: tuple[str, ...] = tuple(name for names in NAMES_OF.values() for name in names)

__all__ = ["CONTROLS_OF", "MEASURE_NAMES", "NAMES_OF", "REGISTRY", "Measure"]
