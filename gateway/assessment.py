"""Measure a candidate file against real patients and hold it against a policy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from audit.run import AuditResult, run_audit
from audit.tables import AuditTables
from gateway.intake import TypedTable
from gateway.progress import Progress
from policies import Decision, Dictionary, Measurement, Policy, decide

CLAIMED = ("dp_epsilon", "dp_delta")
_SMALL_TABLE = 5_000  # rows


@dataclass(frozen=True)
class Assessment:
    """What was measured on one candidate, and what the policy says of it."""

    tables: AuditTables
    result: AuditResult
    measurements: tuple[Measurement, ...]
    decision: Decision


def assess(
    released: pd.DataFrame,
    train: TypedTable,
    holdout: TypedTable,
    dictionary: Dictionary,
    policy: Policy,
    rng: np.random.Generator,
    progress: Progress,
    known: Sequence[Measurement] = (),
) -> Assessment:
    """Run every measure on ``released``, a typed frame parsed from the candidate's own bytes (I-1), and decide.

    Parameters
    ----------
    train, holdout
        Real rows the generator has seen, and real rows it has not. No person is in both.
    known
        What is known of the candidate without measuring it, such as the epsilon of its claim.

    Every interval is at the policy's confidence split over the attempts it allows (Bonferroni), so that trying again
    does not make a pass by luck more likely than the policy says.
    """
    tables = AuditTables(
        dictionary=dictionary,
        train=train.frame,
        holdout=holdout.frame,
        released=released,
        train_people=train.people,
        holdout_people=holdout.people,
        attacker_class_size=policy.attacker.class_size,
        attacker_known_columns=policy.attacker.known_columns,
        confidence=1 - (1 - policy.confidence) / policy.attempts.max,
    )
    with threads_for(len(train.frame)):
        result = run_audit(tables, rng, progress=progress.stage("auditing"))
    real_rows = len(train.frame) + len(holdout.frame)
    ratio = Measurement.exact(
        "rows_per_real_row", len(released) / real_rows, n=len(released), method="released rows over rows of the table"
    )
    measurements = (*result.measurements, ratio, *known)
    return Assessment(tables, result, measurements, decide(policy, measurements))


def without_claim(reason: str) -> tuple[Measurement, ...]:
    """What stands in the place of a claim's epsilon and delta where there is none: no number, and why."""
    return tuple(Measurement.void(name, status="failed", reason=reason) for name in CLAIMED)


def measurement_to_dict(measurement: Measurement) -> dict[str, Any]:
    """A measurement as the evidence holds it; a number that does not exist is ``null``."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in vars(measurement).items()
    }


def threads_for(rows: int) -> threadpool_limits:
    """One thread for the linear algebra of a small table: there a second one costs more than it computes."""
    return threadpool_limits(1 if rows < _SMALL_TABLE else None)
