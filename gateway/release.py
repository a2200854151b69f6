"""The main job: one table, one dictionary, one policy in; one signed release or one signed refusal out."""

from __future__ import annotations

import os
import resource
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from audit.record.statement import Oversight
from gateway.assessment import assess
from gateway.bundle import check_output
from gateway.candidate import Streams, fit_hybrid, parse_candidate, read_parts, serialise
from gateway.case import Candidate, Case
from gateway.claim import CANCELLED, claim_measurements
from gateway.dossier import conclude
from gateway.errors import AttemptsExhaustedError, BudgetExhaustedError
from gateway.intake import IntakeError
from gateway.ledger import Attempt
from gateway.private import ChargedRelease, PlannedRelease, fresh_commitment, refusal_of
from gateway.progress import Progress
from gateway.settings import SynthesizerSettings
from gateway.statements import read_dictionary, read_policy
from gateway.workspace import Workspace
from policies import Decision, Policy, decide


@dataclass(frozen=True)
class Request:
    """What a custodian asks for on the command line."""

    data: Path
    dictionary_file: Path
    policy_name: str
    rows: int
    out: Path
    settings: SynthesizerSettings = field(default_factory=SynthesizerSettings)
    requester: str | None = None
    operator: str | None = None

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

    ``approvals_needed`` is how many people must approve before the bundle verifies.
    """

    decision: Decision
    reason: str
    bundle: Path
    evidence: Path
    log_index: int
    attempt: Attempt
    seconds: float
    peak_mebibytes: float
    approvals_needed: int = 0

    @property
    def report(self) -> Path:
        return self.evidence / "report.html"

    def to_dict(self) -> dict[str, Any]:
        """The shape ``gateway release --json`` prints: the decision, then where everything is."""
        return {
            **self.decision.to_dict(),
            "reason": self.reason,
            "bundle": str(self.bundle),
            "report": str(self.report),
            "logIndex": self.log_index,
            "attempt": {"number": self.attempt.number, "maximum": self.attempt.maximum},
            "seconds": round(self.seconds, 2),
            "peakMebibytes": round(self.peak_mebibytes),
            "approvalsNeeded": self.approvals_needed,
        }


def release_table(
    request: Request, workspace: Workspace, passphrase: bytes, seed: np.random.SeedSequence, progress: Progress
) -> Outcome:
    """Run the whole journey. Everything that can be refused without the table is refused first.

    ``seed`` drives the statistical randomness (split, fit, attack baselines). It goes into the evidence, which stays
    with the custodian, so that a release can be replayed; no DP noise is ever drawn from it.

    Where the policy demands differential privacy, the plan of all mechanisms is charged to the dataset's budget before
    the table is parsed; of its bytes only a keyed digest is taken first, by which the ledger knows the file again. The
    charge stands however the request ends (I-8).

    Raises
    ------
    PolicyError, DictionaryError, IntakeError, SynthesisError, GatewayError, RecordError
        The caller can mend something; nothing was released, and no output exists.
    """
    began = time.monotonic()
    check_output(request.out)
    policy_bytes, policy = read_policy(request.policy_name)
    dictionary_bytes, dictionary = read_dictionary(request.dictionary_file)
    oversight = request.oversight(policy)
    unlocked = workspace.unlock(passphrase)
    planned = PlannedRelease.prepare(dictionary, policy, request.settings, unlocked.commitment)
    if planned is None:
        request.settings.arguments()  # refuses what has no meaning without differential privacy
    workspace.check_consistency()
    commitment = unlocked.commit_file(request.data)
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
    source = f"hmac-sha256:{commitment} {unlocked.commitment_id}"
    attempt, charged, refusal = _register(case, request, planned, source, workspace, progress)
    if refusal is not None:
        decision, candidate = decide(policy, ()), Candidate.none(refusal)
    else:
        candidate, decision = _candidate(case, request, attempt, charged, workspace, seed, progress)
    progress.stage("recording")
    closed = conclude(case, attempt, decision, candidate, request.out, workspace, unlocked)
    return Outcome(
        decision=decision,
        reason=closed.reason,
        bundle=request.out,
        evidence=closed.evidence,
        log_index=closed.log_index,
        attempt=attempt,
        seconds=time.monotonic() - began,
        peak_mebibytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        approvals_needed=oversight.count if decision.allowed else 0,
    )


def _register(
    case: Case, request: Request, planned: PlannedRelease | None, source: str, workspace: Workspace, progress: Progress
) -> tuple[Attempt, ChargedRelease | None, str | None]:
    """The attempt and its charge, written down before rows are read; or the reason why none is made (I-8)."""
    dataset, policy = case.dictionary.name, case.policy
    body = {"commitment": case.commitment, "policyDigest": case.policy_digest, "rows": request.rows}
    try:
        attempt = workspace.ledger.register(
            dataset=dataset, policy=policy.id, maximum=policy.attempts.max, request=body
        )
        if planned is None:
            return attempt, None, None
        progress.stage("charging the dataset's privacy budget")
        return attempt, planned.charge(workspace.ledger, attempt, source), None
    except AttemptsExhaustedError:
        attempt = Attempt.unregistered(dataset, policy.id, policy.attempts.max, policy.attempts.max)
        return attempt, None, (
            f"all {policy.attempts.max} attempts that the policy allows on this dataset are used; "
            "the table was not read"
        )  # fmt: skip
    except BudgetExhaustedError as cause:
        return attempt, None, refusal_of(cause)


def _candidate(
    case: Case, request: Request, attempt: Attempt, charged: ChargedRelease | None, workspace: Workspace,
    seed: np.random.SeedSequence, progress: Progress,
) -> tuple[Candidate, Decision]:  # fmt: skip
    """Intake, fit, serialise once, audit those bytes (I-1)."""
    streams = Streams.of(seed)
    clock = _Clock()
    try:
        split = None if charged is None else charged.split
        parts = read_parts(request.data, case.dictionary, case.policy, split, streams.split, progress)
    except IntakeError:
        workspace.ledger.conclude(attempt, "unusable", {})
        if charged is not None:
            progress.note("the charge to the dataset's privacy budget stands: it was made before the table was read")
        raise
    clock.lap("intake")
    made = (
        fit_hybrid(case.dictionary, request.settings, parts.train, streams.fit, progress)
        if charged is None
        else charged.fit(parts.train, progress)
    )
    clock.lap("fit")
    progress.stage("sampling")
    sampled = made.sample(request.rows, streams.sample)
    claim = None if charged is None else charged.claim()
    known = () if charged is None else claim_measurements(claim)
    files = serialise(sampled, case.dictionary)
    released = parse_candidate(files, case.dictionary)
    clock.lap("sample and serialise")
    assessment = assess(
        released, parts.train, parts.holdout, case.dictionary, case.policy, streams.audit, progress, known
    )
    clock.lap("audit")
    candidate = Candidate(
        files=files,
        rows=len(released),
        assessment=assessment,
        synthesizer=made.settings_,
        weights=made.weights_,
        trace=made.trace_,
        warnings=parts.warnings,
        seconds={**clock.seconds, **{f"audit: {name}": took for name, took in assessment.result.seconds.items()}},
        claim=claim,
        held_out=None if charged is None or charged.recurs else parts.held_out,
        cancelled="" if charged is None or claim is not None else CANCELLED,
    )
    return candidate, assessment.decision


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.seconds[name] = now - self._last
        self._last = now
