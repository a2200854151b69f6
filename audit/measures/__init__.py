"""Which measures are there? One line each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from audit.measures import anonymity, copies, dcr, fidelity, homogeneity, membership, nnaa, utility
from audit.tables import AuditTables
from policies import Measurement

Measure = Callable[[AuditTables, np.random.Generator], tuple[Measurement, ...]]

_LINES: tuple[tuple[str, Measure, tuple[str, ...]], ...] = (
    ("nnaa", nnaa.nnaa, nnaa.NAMES),
    ("dcr", dcr.dcr, dcr.NAMES),
    ("copies", copies.copies, copies.NAMES),
    ("membership", membership.membership, membership.NAMES),
    ("anonymity", anonymity.anonymity, anonymity.NAMES),
    ("homogeneity", homogeneity.homogeneity, homogeneity.NAMES),
    ("fidelity", fidelity.fidelity, fidelity.NAMES),
    ("utility", utility.utility, utility.NAMES),
)
REGISTRY: dict[str, Measure] = {name: measure for name, measure, _ in _LINES}
NAMES_OF: dict[str, tuple[str, ...]] = {name: names for name, _, names in _LINES}
MEASURE_NAMES: tuple[str, ...] = tuple(name for names in NAMES_OF.values() for name in names)

__all__ = ["MEASURE_NAMES", "NAMES_OF", "REGISTRY", "Measure"]
