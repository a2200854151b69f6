"""Gate any file, made by any tool, without synthesis: nothing is released, recorded or charged.

The random draws of the audit follow from the digests of everything that is read, so that asking again is answered the
same. One changed byte is a new look, with draws of its own, and a check counts no attempts: whoever may ask as often
as he likes, with a file a little different each time, will be let through by chance at some point.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from audit.report import render_evidence_report
from audit.report.inputs import Distances, EvidenceInputs
from gateway.apart import check_patients, check_rows
from gateway.assessment import CLAIMED, Assessment, assess, without_claim
from gateway.bundle import check_output
from gateway.earlier import Earlier
from gateway.files import write_private
from gateway.intake import Snapshot, TypedTable, split_people, take_snapshot, type_table
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
DOMAIN = b"sluice gateway check, seed 1\n"
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
    progress: Progress,
) -> Checked:
    """Hold a file against a policy.

    Without a holdout every measure that compares people the tool has seen with people it has not is inconclusive, and
    a limit on it is not met: half of ``real`` would be no holdout, since the tool has learned from it. So every limit
    is asked then, whatever its ``most_rows``.

    ``earlier`` are files made of the same people and given away before: the cumulative measures are taken on all of
    them and ``synthetic`` together. None of them may have been learned from the holdout either.

    The same bytes in the same roles get the same decision, number for number; see :func:`seed_of`.

    Raises
    ------
    PolicyError, DictionaryError, IntakeError, GatewayError
        The caller can mend something.
    """
    started = time.monotonic()
    if report is not None:
        check_output(report)
    policy_bytes, policy = read_policy(policy_name)
    dictionary_bytes, dictionary = read_dictionary(dictionary_file)
    progress.stage("reading the tables")
    candidate = take_snapshot(synthetic)
    released = type_table(candidate.table(), dictionary, released=True)
    given = [take_snapshot(file) for file in earlier]
    before = _together(given, dictionary)
    private = policy.differential_privacy is not None
    learned = take_snapshot(real, dictionary.source)
    others = None if holdout is None else take_snapshot(holdout, dictionary.source)
    seed = seed_of(candidate, learned, others, given, policy_bytes, dictionary_bytes)
    split_rng, audit_rng, apart_rng = (np.random.default_rng(child) for child in seed.spawn(3))
    known_rows = learned.table()
    seen = type_table(known_rows, dictionary, minimum_people=policy.minimum_people, rows_bounded_later=private)
    if others is None:
        first, second = split_people(seen.people, split_rng)
        parts = seen.take(first), seen.take(second)
    else:
        kept_back = others.table()
        check_patients(known_rows, kept_back, dictionary)
        unseen = type_table(kept_back, dictionary, rows_bounded_later=private)
        check_rows(seen, unseen, apart_rng)
        # codes of two files name different people
        parts = seen, replace(unseen, people=unseen.people + seen.people_count)
    known = without_claim(NO_CLAIM) if private else ()
    assessment = assess(released, *parts, dictionary, policy, audit_rng, progress, known, before)
    if holdout is None:
        assessment = _without_comparisons(assessment, policy)
    if report is not None:
        write_private(report, _page(assessment, dictionary, policy, parts[0], compared=holdout is not None).encode())
    return Checked(assessment.decision, policy, time.monotonic() - started)


def seed_of(
    synthetic: Snapshot,
    real: Snapshot,
    holdout: Snapshot | None,
    earlier: Sequence[Snapshot],
    policy: bytes,
    dictionary: bytes,
) -> np.random.SeedSequence:
    """The seed of a check: SHA-256 over a domain separator and the SHA-256 of all that it reads, in a fixed order.

    Of a file its bytes count, of a database the rows taken, of policy and dictionary their bytes; names do not.
    """
    digests = [_digest(synthetic), _digest(real)]
    digests += [b"" if holdout is None else _digest(holdout)]
    digests += [hashlib.sha256(content).digest() for content in (policy, dictionary)]
    digests += [_digest(each) for each in earlier]
    whole = hashlib.sha256(DOMAIN)
    for digest in digests:
        whole.update(b"%d:" % len(digest) + digest)
    return np.random.SeedSequence(int.from_bytes(whole.digest()))


def _digest(snapshot: Snapshot) -> bytes:
    digest = hashlib.sha256()
    snapshot.feed(digest.update)
    return digest.digest()


def _together(given: Sequence[Snapshot], dictionary: Dictionary) -> Earlier:
    frames = [type_table(each.table(), dictionary, released=True).frame for each in given]
    return Earlier(pd.concat(frames, ignore_index=True) if frames else None, len(frames))


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
