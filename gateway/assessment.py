"""Measure a candidate file against real patients and hold it against a policy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from audit.measures.cumulative import NAMES as CUMULATIVE
from audit.run import AuditResult, run_audit
from audit.tables import AuditTables
from gateway.earlier import NOTHING_EARLIER, Earlier
from gateway.intake import TypedTable
from gateway.progress import Progress
from gateway.safe_harbor import safe_harbor
from policies import Decision, Dictionary, Measurement, Policy, decide
from policies.model import ROWS_LEARNED

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
    released: TypedTable,
    train: TypedTable,
    holdout: TypedTable,
    dictionary: Dictionary,
    policy: Policy,
    rng: np.random.Generator,
    progress: Progress,
    known: Sequence[Measurement] = (),
    earlier: Earlier = NOTHING_EARLIER,
) -> Assessment:
    """Run every measure on ``released``, a typed table parsed from the candidate's own bytes (I-1), and decide.

    Parameters
    ----------
    train, holdout
        Real rows the generator has seen, and real rows it has not. No person is in both.
    known
        What is known of the candidate without measuring it, such as the epsilon of its claim.
    earlier
        What was released of these people before: the candidate is measured together with it as well.

    Every interval is at the policy's confidence split over the looks it allows, attempts and their stages (Bonferroni),
    so that neither trying again nor a remedy makes a pass by luck more likely than the policy says.
    """
    tables = tables_of(released, train, holdout, dictionary, policy, earlier)
    with threads_for(len(train.frame)):
        result = run_audit(tables, rng, progress=progress.stage("auditing"))
    real_rows = len(train.frame) + len(holdout.frame)
    ratio = Measurement.exact(
        "rows_per_real_row",
        released.row_count / real_rows,
        n=released.row_count,
        method="released rows over rows of the table",
    )
    learned = rows_learned(policy, len(train.frame))
    measurements = (*held_back(result.measurements, earlier), ratio, *learned, *safe_harbor(dictionary), *known)
    return Assessment(tables, result, measurements, decide(policy, measurements))


def tables_of(
    released: TypedTable, train: TypedTable, holdout: TypedTable, dictionary: Dictionary, policy: Policy,
    earlier: Earlier = NOTHING_EARLIER,
) -> AuditTables:  # fmt: skip
    """The tables an audit compares, with what the policy assumes of the attacker."""
    return AuditTables(
        dictionary=dictionary,
        train=train.frame,
        holdout=holdout.frame,
        released=released.frame,
        released_people=released.people if dictionary.patient in dictionary.surrogates else None,
        train_people=train.people,
        holdout_people=holdout.people,
        attacker_class_size=policy.attacker.class_size,
        attacker_known_columns=policy.attacker.known_columns,
        confidence=1 - (1 - policy.confidence) / policy.looks,
        earlier=earlier.frame,
    )


def held_back(measurements: Sequence[Measurement], earlier: Earlier) -> tuple[Measurement, ...]:
    """Nothing is said of all releases together where the rows of one of them are not at hand."""
    if not earlier.lost:
        return tuple(measurements)
    reason = (
        f"the rows of {earlier.lost} of {earlier.releases} earlier releases are not at hand: not in this workspace's "
        "evidence, not as released, or without all columns of now; restore the evidence"
    )
    return tuple(
        Measurement.void(each.name, status="inconclusive", reason=reason) if each.name in CUMULATIVE else each
        for each in measurements
    )


def rows_learned(policy: Policy, rows: int) -> tuple[Measurement, ...]:
    """By how many rows it is told which limits are asked, for a policy that does not ask them all of every table."""
    if all(limit.most_rows is None for limit in policy.limits.values()):
        return ()
    return (Measurement.exact(ROWS_LEARNED, rows, n=rows, method="rows of the people that were not held out"),)


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
