"""What does a whole audit of one candidate find?"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from audit.controls import PLANS, Control, hold_to_controls, run_controls, unseen
from audit.measures import NAMES_OF, REGISTRY, Measure, cumulative
from audit.outcome import void_all
from audit.plan import Plant
from audit.sides import REFERENCE_ROWS
from audit.tables import AuditTables
from policies import Measurement

Progress = Callable[[str, float], None]
_HIDDEN_BY_CUTS = frozenset(
    {
        *("rare_copies", "traced_to_one", "linkability", "attribute_inference", "singling_out"),
        *("membership_auc", "membership_tpr", "membership_outlier_auc", "segment_share", "segment_excess"),
    }
)


@dataclass(frozen=True)
class AuditResult:
    """Every measurement, one per name; wall seconds by stage; and what the evidence shows beside them.

    ``unseen`` are the kinds of planted leak that no measure saw here. ``distances`` are those of released rows (the
    same ones in both arrays) to their nearest train and holdout row, on the audit's scale, None where they could not
    be taken.
    """

    measurements: tuple[Measurement, ...]
    seconds: dict[str, float]
    controls: tuple[Control, ...] = ()
    unseen: tuple[Plant, ...] = ()
    distances: tuple[NDArray[np.float64], NDArray[np.float64]] | None = field(default=None, repr=False)


def run_audit(tables: AuditTables, rng: np.random.Generator, *, progress: Progress | None = None) -> AuditResult:
    """Run every registered measure and the controls, and void what the controls do not bear out (I-16).

    A measure that raises is recorded as ``failed`` under each of its names, with the class of the exception and
    nothing else, because a message may carry a value. ``progress(stage, fraction)`` is told before each stage how much
    of the audit is done.
    """
    found: list[Measurement] = []
    seconds: dict[str, float] = {}
    stages = len(REGISTRY) + 1
    seeds = rng.integers(0, 2**63, size=(stages, 4))
    for place, (name, measure) in enumerate(REGISTRY.items()):
        if measure is cumulative.cumulative and tables.earlier is None:
            continue  # its figures are the candidate's own
        _tell(progress, name, place / stages)
        started = time.perf_counter()
        found.extend(_guarded(name, measure, tables, np.random.default_rng(seeds[place])))
        seconds[name] = time.perf_counter() - started
    found = _whole(found, tables)
    _tell(progress, "controls", len(REGISTRY) / stages)
    started = time.perf_counter()
    controls = _controls(tables, np.random.default_rng(seeds[-1]))
    seconds["controls"] = time.perf_counter() - started
    distances = _distances(tables, np.random.default_rng(seeds[0]))
    _tell(progress, "audit", 1.0)
    measurements = hold_to_controls(found, controls)
    if "cumulative" in REGISTRY:
        measurements = cumulative.follow(measurements)
    return AuditResult(measurements, seconds, controls, unseen(controls), distances)


def _whole(found: Sequence[Measurement], tables: AuditTables) -> list[Measurement]:
    """What a cut table would hide is not told of one that is too large to be compared whole.

    A person counts as exposed only where both the person's row and the released row beside it were drawn, so a cut
    table shows the less the larger it is; no control sees that, since those are small.
    """
    rows = max(len(tables.train), len(tables.released))
    if rows <= REFERENCE_ROWS:
        return list(found)
    reason = f"of tables of {rows} rows only {REFERENCE_ROWS} are compared, and what the others hide is not seen"
    return [
        replace(each, status="inconclusive", reason=reason) if each.name in _HIDDEN_BY_CUTS else each for each in found
    ]


def _guarded(name: str, measure: Measure, tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
    names = NAMES_OF[name]
    try:
        found = measure(tables, rng)
    except Exception as cause:  # noqa: BLE001  # whatever it is, the audit goes on and the name stands as failed
        return void_all(names, "failed", f"stopped by {type(cause).__name__}")
    emitted = tuple(m.name for m in found)
    if sorted(emitted) != sorted(names):
        return void_all(names, "failed", f"emitted {len(emitted)} of {len(names)} figures")
    return found


def _controls(tables: AuditTables, rng: np.random.Generator) -> tuple[Control, ...]:
    try:
        return run_controls(tables, rng)
    except Exception as cause:  # noqa: BLE001  # controls that cannot run bear nothing out
        fault = f"stopped by {type(cause).__name__}"
        return tuple(Control(name, plan.innocent, fault=fault) for name, plan in PLANS.items())


def _distances(tables: AuditTables, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    try:
        sides = tables.sides("paired", rng)
        return sides.nearest("released", "train").distance, sides.nearest("released", "holdout").distance
    except Exception:  # noqa: BLE001  # a plot's data; the measures that share it have failed under their own names
        return None


def _tell(progress: Progress | None, stage: str, fraction: float) -> None:
    if progress is not None:
        progress(stage, fraction)
