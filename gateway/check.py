"""Gate any file, made by any tool, without synthesis: nothing is released, recorded or charged."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from audit.report import render_evidence_report
from audit.report.inputs import Distances, EvidenceInputs
from gateway.assessment import CLAIMED, Assessment, assess, without_claim
from gateway.bundle import check_output
from gateway.earlier import Earlier
from gateway.files import write_private
from gateway.intake import (
    IntakeError,
    Problem,
    RawTable,
    TypedTable,
    read_table,
    split_people,
    take_snapshot,
    type_table,
)
from gateway.progress import Progress
from gateway.statements import GATE_MEASURES, read_dictionary, read_policy
from policies import Decision, Dictionary, Measurement, Policy, decide

# what can be counted without real people the tool has never seen: it treats all real rows alike
WITHOUT_HOLDOUT = frozenset({
    "k_anonymity", "k_map", "l_diversity", "t_closeness", "all_columns_k_anonymity", "all_columns_l_diversity",
    *GATE_MEASURES,
})  # fmt: skip
NO_HOLDOUT = (
    "needs real people that the tool has never seen: keep some back before the tool runs and give them as --holdout"
)

NO_CLAIM = "this gate claims it only of rows that it made itself: a finished file does not show what it was made from"


@dataclass(frozen=True)
class Checked:
    """What a policy says of a file, and how long it took to say so, in seconds."""

    decision: Decision
    policy: Policy
    seconds: float


def check_file(
    synthetic: Path,
    real: Path | str,
    holdout: Path | str | None,
    dictionary_file: Path,
    policy_name: str,
    report: Path | None,
    *,
    earlier: Sequence[Path] = (),
    seed: np.random.SeedSequence,
    progress: Progress,
) -> Checked:
    """Hold a file against a policy.

    Without a holdout every measure that compares people the tool has seen with people it has not is inconclusive, and
    a limit on it is not met: half of ``real`` would be no holdout, since the tool has learned from it.

    ``earlier`` are files made of the same people and given away before: the cumulative measures are taken on all of
    them and ``synthetic`` together. None of them may have been learned from the holdout either.

    Raises
    ------
    PolicyError, DictionaryError, IntakeError, GatewayError
        The caller can mend something.
    """
    started = time.monotonic()
    if report is not None:
        check_output(report)
    _, policy = read_policy(policy_name)
    _, dictionary = read_dictionary(dictionary_file)
    progress.stage("reading the tables")
    released = type_table(read_table(synthetic), dictionary, released=True)
    before = _together(earlier, dictionary)
    private = policy.differential_privacy is not None
    learned = take_snapshot(real, dictionary.source).table()
    seen = type_table(
        learned,
        dictionary,
        minimum_people=policy.minimum_people,
        rows_bounded_later=private,
    )
    split_rng, audit_rng = (np.random.default_rng(child) for child in seed.spawn(2))
    if holdout is None:
        first, second = split_people(seen.people, split_rng)
        parts = seen.take(first), seen.take(second)
    else:
        others = take_snapshot(holdout, dictionary.source).table()
        _check_apart(learned, others, dictionary)
        unseen = type_table(others, dictionary, rows_bounded_later=private)
        # codes of two files name different people
        parts = seen, replace(unseen, people=unseen.people + seen.people_count)
    known = without_claim(NO_CLAIM) if private else ()
    assessment = assess(released, *parts, dictionary, policy, audit_rng, progress, known, before)
    if holdout is None:
        assessment = _without_comparisons(assessment, policy)
    if report is not None:
        write_private(report, _page(assessment, dictionary, policy, parts[0], compared=holdout is not None).encode())
    return Checked(assessment.decision, policy, time.monotonic() - started)


def _together(files: Sequence[Path], dictionary: Dictionary) -> Earlier:
    frames = [type_table(read_table(file), dictionary, released=True).frame for file in files]
    return Earlier(pd.concat(frames, ignore_index=True) if frames else None, len(frames))


def _check_apart(learned: RawTable, others: RawTable, dictionary: Dictionary) -> None:
    """Refuse a holdout of people whom the tool has seen, as far as a patient column tells."""
    patient = dictionary.patient
    if patient is None or patient not in learned.columns or patient not in others.columns:
        return
    both = set(learned.columns[patient].spellings) & set(others.columns[patient].spellings)
    both -= {*dictionary.missing, *dictionary.columns[patient].missing}
    if both:
        rule = f"{len(both)} patients are in the real table and in the holdout"
        raise IntakeError(Problem(rule, "give as holdout only people whom the tool has never seen", patient))


def _without_comparisons(assessment: Assessment, policy: Policy) -> Assessment:
    measurements = tuple(
        m
        if m.name in (*WITHOUT_HOLDOUT, *CLAIMED)
        else Measurement.void(m.name, status="inconclusive", reason=NO_HOLDOUT)
        for m in assessment.measurements
    )
    return replace(assessment, measurements=measurements, decision=decide(policy, measurements))


def _page(assessment: Assessment, dictionary: Dictionary, policy: Policy, seen: TypedTable, *, compared: bool) -> str:
    tables = assessment.tables
    return render_evidence_report(
        EvidenceInputs(
            decision=assessment.decision,
            measurements=assessment.measurements,
            dictionary=dictionary,
            train=seen.frame,
            released=tables.released,
            train_people=seen.people,
            distances=Distances(*near) if compared and (near := assessment.result.distances) else None,
            facts={
                "Dataset": dictionary.name,
                "Policy": policy.id,
                "Record": "none; a file was checked, not released",
            },
            seconds=assessment.result.seconds,
        )
    )
