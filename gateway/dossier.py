"""Close a case: evidence, pages, signed record, log entry, ledger entry, bundle; in that order."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from audit.record.envelope import IN_TOTO, sign
from audit.record.statement import (
    PROOF_FILE,
    RECORD_FILE,
    CoarseFinding,
    DictionaryUsed,
    LogPosition,
    PolicyUsed,
    ReleaseRecord,
    SourceCommitment,
    Subject,
)
from audit.record.statement import Attempt as RecordedAttempt
from audit.record.statement import Software as RecordedSoftware
from audit.report import render_evidence_report, render_recipient_page
from audit.report.inputs import Distances, EvidenceInputs, RecipientInputs, ReleasedFile, Verdict
from gateway.assessment import Assessment
from gateway.bundle import publish, put, staging
from gateway.files import write_private
from gateway.ledger import Attempt
from gateway.provenance import DISTRIBUTION, Software, installed_software
from gateway.workspace import UnlockedKeys, Workspace
from policies import Decision, Dictionary, Policy, dictionary_to_toml, released_part
from synth.selection import SelectionTrace
from synth.selection.trace import Point

NOT_COVERED = (
    "No differential privacy is claimed: what was measured are attacks that were tried, not a bound on all attacks.",
    "Intruders who know more than the policy's attacker, or who join this release with others, were not measured.",
    "Synthetic rows are nobody's rows and may still be wrong about a group: nothing here says they fit a purpose.",
)

VERIFY = """# How to verify this bundle

You need the custodian's public key (`gate.pub.pem`), obtained from the custodian and not from this folder.

    pip install sluice-gate
    gateway verify THIS-FOLDER --key gate.pub.pem

or, with Python and the package `cryptography` alone:

    python -m audit.record.verify THIS-FOLDER --key gate.pub.pem

`record.dsse.json` is an in-toto Statement in a DSSE envelope (Ed25519); its subjects are the SHA-256 digests of every
other file here but the log proof. `log-proof.json` shows the record's place in the custodian's transparency log
(RFC 6962). Nothing needs a network.
"""


@dataclass(frozen=True)
class Case:
    """What the custodian stated: policy, dictionary, settings; and which table, by keyed commitment."""

    policy: Policy
    policy_bytes: bytes
    dictionary: Dictionary
    dictionary_bytes: bytes
    settings: Mapping[str, Any]
    commitment: str
    seed_entropy: str

    @property
    def policy_digest(self) -> str:
        return hashlib.sha256(self.policy_bytes).hexdigest()

    @property
    def dictionary_digest(self) -> str:
        return hashlib.sha256(self.dictionary_bytes).hexdigest()


@dataclass(frozen=True)
class Candidate:
    """What was made and measured; or nothing, and why."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    rows: int = 0
    assessment: Assessment | None = None
    synthesizer: Mapping[str, Any] | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    trace: SelectionTrace | None = None
    warnings: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    refusal: str = ""

    @classmethod
    def none(cls, refusal: str) -> Candidate:
        """No candidate was made; ``refusal`` says why, for the requester too."""
        return cls(refusal=refusal)


@dataclass(frozen=True)
class Closed:
    """Where a case ended up."""

    reason: str
    evidence: Path
    log_index: int


def conclude(
    case: Case, attempt: Attempt, decision: Decision, candidate: Candidate, out: Path, workspace: Workspace,
    unlocked: UnlockedKeys,
) -> Closed:  # fmt: skip
    """Write everything down, then let the bundle appear.

    The record is in the log and the ledger before the bundle has its name: a crash can leave a record without a
    bundle, never a bundle without a record.

    Raises
    ------
    OutputError, RecordError, LedgerError
        Something could not be written; no bundle exists.
    """
    decided_at = datetime.now(UTC).replace(microsecond=0)
    reason = candidate.refusal or _reason(case.policy, decision)
    software = installed_software()
    evidence_folder = workspace.new_evidence_folder()
    evidence_digest = _write_evidence(evidence_folder, case, attempt, decision, candidate, reason, software, decided_at)
    files = _bundle_files(case, decision, candidate, reason, decided_at, software)
    releases = workspace.log(unlocked)
    with staging(workspace.staging) as stage, releases.writer() as log:
        record = ReleaseRecord(
            subjects=tuple(Subject(name, hashlib.sha256(content).hexdigest()) for name, content in files.items()),
            decision="allowed" if decision.allowed else "denied",
            reason=reason,
            findings=_coarse(case.policy, decision),
            policy=PolicyUsed(case.policy.id, case.policy_digest),
            dictionary=DictionaryUsed(case.dictionary.name, case.dictionary_digest),
            source=SourceCommitment(f"hmac-sha256:{case.commitment}", unlocked.commitment_id),
            released_rows=candidate.rows if decision.allowed else 0,
            software=RecordedSoftware(
                DISTRIBUTION, software.version, software.environment_digest, software.lock_digest
            ),
            synthesizer=_public_settings(candidate.synthesizer),
            attempt=RecordedAttempt(attempt.number, attempt.maximum),
            ledger_head=workspace.ledger.head(),
            log=LogPosition(log.next_index, releases.origin, releases.public_key.public_bytes_raw()),
            evidence_sha256=evidence_digest,
            registered_at=datetime.fromisoformat(attempt.registered_at),
            decided_at=decided_at,
            expires_at=_expiry(case.policy, decision, decided_at),
            not_covered=NOT_COVERED,
        )
        envelope = sign(record.to_payload(), IN_TOTO, unlocked.gate)
        digest = hashlib.sha256(envelope).hexdigest()
        write_private(workspace.records / f"{log.next_index:08d}-{digest[:12]}.dsse.json", envelope)
        proof = log.append(envelope)
        workspace.ledger.conclude(
            attempt,
            "decision",
            {
                "decision": record.decision,
                "logIndex": proof.index,
                "recordDigest": digest,
                "evidence": evidence_folder.name,
                "checkpoint": log.checkpoint.decode(),
            },
        )
        put({**files, RECORD_FILE: envelope, PROOF_FILE: proof.to_bytes()}, stage)
        publish(stage, out)
    return Closed(reason, evidence_folder, proof.index)


def _reason(policy: Policy, decision: Decision) -> str:
    """The outcome in one coarse sentence: it goes to the requester (I-7)."""
    if policy.disclosure == "verdict":
        return "the policy is met" if decision.allowed else "the policy is not met"
    if decision.allowed:
        return f"all {len(decision.findings)} limits of the policy are met"
    return f"{len(decision.unmet)} of {len(decision.findings)} limits of the policy are not met"


def _public_settings(settings: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What was set, without what was learned from the rows: learned weights stay in the evidence."""
    if settings is None:
        return None
    return {name: value for name, value in settings.items() if not name.startswith("weights")}


def _coarse(policy: Policy, decision: Decision) -> tuple[CoarseFinding, ...] | None:
    if policy.disclosure == "verdict":
        return None
    return tuple(CoarseFinding(finding.measure, finding.met) for finding in decision.findings)


def _expiry(policy: Policy, decision: Decision, decided_at: datetime) -> datetime | None:
    if not decision.allowed or policy.valid_days is None:
        return None
    return decided_at + timedelta(days=policy.valid_days)


def _bundle_files(
    case: Case, decision: Decision, candidate: Candidate, reason: str, decided_at: datetime, software: Software
) -> dict[str, bytes]:
    """Every file of the bundle that the record vouches for."""
    released = released_part(case.dictionary)
    files = {"VERIFY.md": VERIFY.encode()}
    if decision.allowed:
        files |= {**candidate.files, "dictionary.toml": dictionary_to_toml(released).encode()}
    page = render_recipient_page(
        RecipientInputs(
            verdict=Verdict.of(decision, case.policy.disclosure),
            dictionary=released,
            files=tuple(ReleasedFile(name, hashlib.sha256(content).hexdigest()) for name, content in files.items()),
            facts={
                "Dataset": case.dictionary.name,
                "Policy": case.policy.id,
                "Purpose": case.policy.purpose,
                "Decided": f"{decided_at:%Y-%m-%d %H:%M} UTC",
                "Outcome": reason,
                "Software": f"{DISTRIBUTION} {software.version}",
            },
            bundle="THIS-FOLDER",
            public_key="gate.pub.pem",
        )
    )
    return {**files, "index.html": page.encode()}


def _write_evidence(
    folder: Path, case: Case, attempt: Attempt, decision: Decision, candidate: Candidate, reason: str,
    software: Software, decided_at: datetime,
) -> str:  # fmt: skip
    """Exact values and the report; returns the digest that the public record carries."""
    page = render_evidence_report(_report_inputs(case, attempt, decision, candidate, software, decided_at)).encode()
    write_private(folder / "report.html", page)
    measurements = candidate.assessment.measurements if candidate.assessment else ()
    document = {
        "decision": decision.to_dict(),
        "reason": reason,
        "measurements": [
            {key: _json_number(value) for key, value in vars(measurement).items()} for measurement in measurements
        ],
        "selection": candidate.trace.to_dict() if candidate.trace else None,
        "weights": dict(candidate.weights),
        "settings": dict(case.settings),
        "synthesizer": candidate.synthesizer,
        "candidate": {name: hashlib.sha256(content).hexdigest() for name, content in candidate.files.items()},
        "attempt": {"sequence": attempt.sequence, "number": attempt.number, "maximum": attempt.maximum},
        "policyDigest": case.policy_digest,
        "dictionaryDigest": case.dictionary_digest,
        "sourceCommitment": case.commitment,
        "seedEntropy": case.seed_entropy,
        "warnings": list(candidate.warnings),
        "seconds": dict(candidate.seconds),
        "environment": list(software.environment),
        "reportDigest": hashlib.sha256(page).hexdigest(),
    }
    content = json.dumps(document, indent=1, sort_keys=True, allow_nan=False).encode()
    write_private(folder / "evidence.json", content)
    return hashlib.sha256(content).hexdigest()


def _report_inputs(
    case: Case, attempt: Attempt, decision: Decision, candidate: Candidate, software: Software, decided_at: datetime
) -> EvidenceInputs:
    facts = {
        "Dataset": case.dictionary.name,
        "Policy": f"{case.policy.id} (sha256 {case.policy_digest})",
        "Dictionary": f"sha256 {case.dictionary_digest}",
        "Attempt": f"{attempt.number} of {attempt.maximum}",
        "Decided": f"{decided_at:%Y-%m-%d %H:%M} UTC",
        "Software": f"{DISTRIBUTION} {software.version}",
    }
    assessed = candidate.assessment
    if assessed is None:
        return EvidenceInputs(
            decision,
            (),
            released_part(case.dictionary),
            facts=facts,
            not_covered=NOT_COVERED,
            stopped=candidate.refusal,
        )
    facts |= {f"Note {number}": warning for number, warning in enumerate(candidate.warnings, start=1)}
    return EvidenceInputs(
        decision=decision,
        measurements=assessed.measurements,
        dictionary=released_part(case.dictionary),
        train=assessed.tables.train,
        released=assessed.tables.released,
        train_people=assessed.tables.train_people,
        distances=Distances(*assessed.result.distances) if assessed.result.distances else None,
        weights=candidate.weights,
        trace=_rewards(candidate.trace),
        facts=facts,
        seconds=candidate.seconds,
        not_covered=NOT_COVERED,
    )


def _rewards(trace: SelectionTrace | None) -> tuple[tuple[str, float], ...]:
    """Every evaluated point with a label a reader can tell apart."""
    if trace is None:
        return ()
    return tuple((_label(point), point.reward) for point in trace.points if point.reward is not None)


def _label(point: Point) -> str:
    alone = [name for name, weight in point.weights.items() if weight > 0.999]
    return alone[0] if point.source == "single" and alone else point.source


def _json_number(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
