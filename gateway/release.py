"""The main job: one table, one dictionary, one policy in; one signed release or one signed refusal out."""

from __future__ import annotations

import os
import resource
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from audit.record.statement import RECORD_FILE, Oversight
from gateway.answers import Answer, find_answer, request_body
from gateway.assessment import assess
from gateway.bundle import check_output
from gateway.candidate import Sampled, Split, Streams, fit_hybrid, parse_candidate, read_parts
from gateway.case import Candidate, Case
from gateway.claim import CANCELLED, claim_measurements
from gateway.dossier import conclude
from gateway.earlier import Earlier, earlier_releases
from gateway.errors import AttemptsExhaustedError, BudgetExhaustedError
from gateway.halves import KeptHalves, split_key
from gateway.intake import IntakeError, Snapshot, take_snapshot
from gateway.ledger import Attempt
from gateway.private import ChargedRelease, PlannedRelease, check_rows, earlier_names, fresh_commitment, refusal_of
from gateway.private_gate import decide_by_votes
from gateway.progress import Progress
from gateway.remedy import mend
from gateway.settings import SynthesizerSettings
from gateway.stamping import NOT_ASKED, Stamped, Timestamps
from gateway.statements import read_dictionary, read_policy
from gateway.workspace import UnlockedKeys, Workspace
from policies import Decision, Policy, decide


@dataclass(frozen=True)
class Request:
    """What a custodian asks for on the command line; ``data`` is a path or a database's URL."""

    data: Path | str
    dictionary_file: Path
    policy_name: str
    rows: int
    out: Path
    settings: SynthesizerSettings = field(default_factory=SynthesizerSettings)
    requester: str | None = None
    operator: str | None = None
    timestamps: Timestamps | None = None

    def oversight(self, policy: Policy) -> Oversight:
        """Who asked and who runs it, and what approvals the policy demands.

        Raises
        ------
        RecordError
            Approvals are demanded, and not both of them are named.
        """
        demanded = policy.required_approvals
        if demanded is None:
            return Oversight(self.requester, self.operator)
        return Oversight(self.requester, self.operator, demanded.count, tuple(sorted(demanded.roles)))


@dataclass(frozen=True)
class Outcome:
    """How a request ended. ``seconds`` is wall time, ``peak_mebibytes`` the process's largest resident size.

    ``approvals_needed`` is how many people must approve before the bundle verifies. ``answer`` is set where the same
    was asked before and the record has answered; ``decision`` is None, and so is ``bundle``, where that answer's
    evidence, or its bundle's bytes, are no longer held.
    """

    decision: Decision | None
    reason: str
    bundle: Path | None
    evidence: Path
    log_index: int
    attempt: Attempt
    seconds: float
    peak_mebibytes: float
    approvals_needed: int = 0
    answer: Answer | None = None
    stamped: Stamped = NOT_ASKED

    @property
    def allowed(self) -> bool:
        if self.decision is not None:
            return self.decision.allowed
        return self.answer is not None and self.answer.record.allowed

    @property
    def report(self) -> Path:
        return self.evidence / "report.html"

    def to_dict(self) -> dict[str, Any]:
        """The shape ``gateway release --json`` prints: the decision, then where everything is."""
        return {
            **self._decided(),
            "reason": self.reason,
            "bundle": None if self.bundle is None else str(self.bundle),
            "report": str(self.report),
            "logIndex": self.log_index,
            "attempt": {"number": self.attempt.number, "maximum": self.attempt.maximum},
            "seconds": round(self.seconds, 2),
            "peakMebibytes": round(self.peak_mebibytes),
            "approvalsNeeded": self.approvals_needed,
            "timestampedAt": None if self.stamped.at is None else f"{self.stamped.at:%Y-%m-%dT%H:%M:%SZ}",
            "noTimestamp": self.stamped.problem or None,
            "answeredFromRecord": None if self.answer is None else self._answered(self.answer),
        }

    def _decided(self) -> dict[str, Any]:
        if self.decision is not None:
            return self.decision.to_dict()
        findings = () if self.answer is None else self.answer.record.findings or ()
        coarse = [{"measure": each.measure, "met": each.met} for each in findings]
        return {"policy": self.attempt.policy, "allowed": self.allowed, "findings": coarse}

    def _answered(self, answer: Answer) -> dict[str, Any]:
        return {
            "decidedAt": f"{answer.record.decided_at:%Y-%m-%dT%H:%M:%SZ}",
            "writtenTo": answer.written_to or None,
            "bundleHeld": self.bundle is not None,
            "policyDigest": answer.record.policy.sha256,
            "dictionaryDigest": answer.record.dictionary.sha256,
            "reworded": answer.reworded,
        }


def release_table(
    request: Request, workspace: Workspace, passphrase: bytes, seed: np.random.SeedSequence, progress: Progress
) -> Outcome:
    """Run the whole journey. Everything that can be refused without the table is refused first.

    ``seed`` drives the statistical randomness (split, fit, attack baselines). It goes into the evidence, which stays
    with the custodian, so that a release can be replayed; no DP noise is ever drawn from it.

    Where the policy demands differential privacy, the plan of all mechanisms is charged to the dataset's budget before
    the table is parsed; of its bytes only a keyed digest is taken first, by which the ledger knows the file again. The
    charge stands however the request ends (I-8). Under a private gate the decision is one of these mechanisms: nothing
    else compares the candidate with the table.

    Where the very same was asked before (table, dictionary, policy, settings, number of rows), the record answers: no
    row is read, and neither an attempt nor budget is spent.

    Raises
    ------
    PolicyError, DictionaryError, IntakeError, SynthesisError, GatewayError, RecordError
        The caller can mend something; nothing was released, and no output exists.
    """
    began = time.monotonic()
    if not (request.out / RECORD_FILE).is_file():  # the bundle of this very request may be there
        check_output(request.out)
    policy_bytes, policy = read_policy(request.policy_name)
    dictionary_bytes, dictionary = read_dictionary(request.dictionary_file)
    oversight = request.oversight(policy)
    unlocked = workspace.unlock(passphrase)
    planned = PlannedRelease.prepare(dictionary, policy, request.settings, unlocked.commitment)
    check_rows(policy, request.rows)
    if planned is None:
        request.settings.arguments()  # refuses what has no meaning without differential privacy
    workspace.check_consistency()
    snapshot = take_snapshot(request.data, dictionary.source)
    commitment = unlocked.commit(snapshot)
    salt = b"" if planned is None else os.urandom(32)
    case = Case(
        policy=policy,
        policy_bytes=policy_bytes,
        dictionary=dictionary,
        dictionary_bytes=dictionary_bytes,
        settings=request.settings.model_dump(mode="json", exclude_unset=planned is not None),
        commitment=commitment,
        seed_entropy=str(seed.entropy),
        recorded_commitment=fresh_commitment(unlocked.commitment, commitment, salt) if salt else commitment,
        commitment_salt=salt.hex(),
        oversight=oversight,
    )
    with workspace.releasing():
        return _release(case, request, snapshot, planned, unlocked, workspace, seed, progress, began)


def _release(
    case: Case, request: Request, snapshot: Snapshot, planned: PlannedRelease | None, unlocked: UnlockedKeys,
    workspace: Workspace, seed: np.random.SeedSequence, progress: Progress, began: float,
) -> Outcome:  # fmt: skip
    asked = request_body(case, request.rows)
    answer = find_answer(workspace, case, asked["request"], datetime.now(UTC))
    if answer is not None:
        return _answered(answer, request, workspace, began)
    check_output(request.out)
    source = f"hmac-sha256:{case.commitment} {unlocked.commitment_id}"
    attempt, charged, refusal = _register(case, asked, planned, source, workspace, progress)
    if refusal is not None:
        decision, candidate = decide(case.policy, ()), Candidate.none(refusal)
    else:
        before = _before(case, attempt, charged, unlocked.commitment, workspace)
        candidate, decision = _candidate(case, request, snapshot, attempt, charged, before, workspace, seed, progress)
    progress.stage("recording")
    closed = conclude(
        case, attempt, decision, candidate, request.out, workspace, unlocked, asked["request"], request.timestamps
    )
    return Outcome(
        decision=decision,
        reason=closed.reason,
        bundle=request.out,
        evidence=closed.evidence,
        log_index=closed.log_index,
        attempt=attempt,
        seconds=time.monotonic() - began,
        peak_mebibytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        approvals_needed=case.oversight.count if decision.allowed else 0,
        stamped=closed.stamped,
    )


def _answered(answer: Answer, request: Request, workspace: Workspace, began: float) -> Outcome:
    """The answer on record, with its bundle where it is wanted if the bytes are still held."""
    out = request.out
    issued = answer.issue(out, workspace)
    stamped = request.timestamps.add_to(out) if issued and request.timestamps is not None else NOT_ASKED
    record = answer.record
    return Outcome(
        decision=answer.decision,
        reason=record.reason or record.decision,
        bundle=out if issued else None,
        evidence=answer.folder,
        log_index=record.log.index,
        attempt=answer.attempt,
        seconds=time.monotonic() - began,
        peak_mebibytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        approvals_needed=record.oversight.count if record.allowed else 0,
        answer=answer,
        stamped=stamped,
    )


def _register(
    case: Case, asked: dict[str, Any], planned: PlannedRelease | None, source: str, workspace: Workspace,
    progress: Progress,
) -> tuple[Attempt, ChargedRelease | None, str | None]:  # fmt: skip
    """The attempt and its charge, written down before rows are read; or the reason why none is made (I-8)."""
    dataset, policy = case.dictionary.name, case.policy
    try:
        attempt = workspace.ledger.register(
            dataset=dataset, policy=policy.id, maximum=policy.attempts.max, request=asked
        )
        if planned is None:
            return attempt, None, None
        progress.stage("charging the dataset's privacy budget")
        return attempt, planned.charge(workspace.ledger, attempt, source), None
    except AttemptsExhaustedError:
        attempt = Attempt.unregistered(dataset, policy.id, policy.attempts.max, policy.attempts.max)
        return attempt, None, (
            f"all {policy.attempts.max} attempts that the policy allows on this dataset are used, under any policy; "
            "the table was not read"
        )  # fmt: skip
    except BudgetExhaustedError as cause:
        return attempt, None, refusal_of(cause)


@dataclass(frozen=True)
class _Before:
    """What earlier releases settle for this one: who is held out, and the rows that are out already."""

    halves: Split
    earlier: Earlier


def _before(
    case: Case, attempt: Attempt, charged: ChargedRelease | None, secret: bytes, workspace: Workspace
) -> _Before:
    names = earlier_names(workspace.ledger, case.policy, case.dictionary.name, case.commitment, attempt.sequence)
    # under whatever other names the file was asked for since, its people are divided as then; under differential
    # privacy by the dataset's own name, which hangs on no file
    first = names[0] if charged is None else case.dictionary.name
    earlier = earlier_releases(workspace, names, first, attempt.sequence, case.dictionary)
    if charged is not None:
        return _Before(charged.halves, earlier)
    return _Before(KeptHalves(case.dictionary, split_key(secret, first), workspace.splits, first), earlier)


def _candidate(
    case: Case, request: Request, snapshot: Snapshot, attempt: Attempt, charged: ChargedRelease | None, before: _Before,
    workspace: Workspace, seed: np.random.SeedSequence, progress: Progress,
) -> tuple[Candidate, Decision]:  # fmt: skip
    """Intake, fit, serialise once, audit those bytes (I-1); mend and audit again where the policy allows it."""
    streams = Streams.of(seed)
    clock = _Clock()
    try:
        parts = read_parts(snapshot, case.dictionary, case.policy, before.halves, progress)
    except IntakeError:
        workspace.ledger.conclude(attempt, "unusable", {})
        if charged is not None:
            progress.note("the charge to the dataset's privacy budget stands: it was made before the table was read")
        raise
    earlier = before.earlier.beside(parts.strangers, case.dictionary)
    clock.lap("intake")
    made = (
        fit_hybrid(case.dictionary, case.policy, request.settings, parts.train, streams.fit, progress)
        if charged is None
        else charged.fit(parts.train, progress)
    )
    clock.lap("fit")
    progress.stage("sampling")
    sampled = Sampled(*made.sample_people(request.rows, streams.sample))
    files = sampled.serialise(case.dictionary, streams.keys)
    released = parse_candidate(files, case.dictionary)
    clock.lap("sample and serialise")
    candidate = Candidate(
        synthesizer=made.settings_,
        weights=made.weights_,
        trace=made.trace_,
        warnings=parts.warnings,
        held_out=parts.held_out,
        strangers=parts.strangers,
    )
    if charged is not None and case.policy.private_gate is not None:
        voted, claim = decide_by_votes(
            released, parts, case.dictionary, case.policy, charged, made.sample_people, earlier, streams.audit, progress
        )
        clock.lap("votes")
        return replace(
            candidate,
            files=files,
            rows=released.row_count,
            seconds=clock.seconds,
            claim=claim,
            cancelled="" if claim is not None else CANCELLED,
            voted=voted,
        ), voted.decision
    claim = None if charged is None else charged.claim()
    known = () if charged is None else claim_measurements(claim)
    against = (parts.train, parts.holdout, case.dictionary, case.policy)
    assessment = assess(released, *against, streams.audit, progress, known, earlier)
    clock.lap("audit")
    mended, first = None, None
    if case.policy.remedies is not None and not assessment.decision.allowed:
        progress.stage("mending")
        mended = mend(assessment.tables, case.policy.remedies, lambda rows: made.sample(rows, streams.remedy))
        if mended.frame is not None:
            first, files = assessment, sampled.mended(mended.frame).serialise(case.dictionary, streams.keys)
            released = parse_candidate(files, case.dictionary)
            clock.lap("mend")
            assessment = assess(released, *against, streams.again, progress, known, earlier)
            clock.lap("audit again")
    return replace(
        candidate,
        files=files,
        rows=released.row_count,
        assessment=assessment,
        seconds={**clock.seconds, **{f"audit: {name}": took for name, took in assessment.result.seconds.items()}},
        claim=claim,
        cancelled="" if charged is None or claim is not None else CANCELLED,
        mended=mended,
        first=first,
    ), assessment.decision


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.seconds[name] = now - self._last
        self._last = now
