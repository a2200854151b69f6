"""Close a case: evidence, pages, signed record, log entry, ledger entry, bundle; in that order."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
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
from audit.report import render_recipient_page
from audit.report.closeness import Closeness
from audit.report.inputs import RecipientInputs, ReleasedFile, Verdict
from gateway.bundle import publish, put, staging
from gateway.case import Candidate, Case, not_covered
from gateway.earlier import BUNDLE
from gateway.evidence import write_evidence
from gateway.files import make_private_folder, write_private
from gateway.ledger import Attempt
from gateway.metadata import Description, metadata_files
from gateway.provenance import DISTRIBUTION, Software, installed_software
from gateway.stamping import NOT_ASKED, Stamped, Timestamps
from gateway.workspace import UnlockedKeys, Workspace
from policies import Decision, Policy, dictionary_to_toml, released_part
from policies.model import NOISY_PEOPLE, VOTES

_VERIFY = """# How to verify this bundle

{needed}

    pip install sluice-gate
    gateway verify THIS-FOLDER {keys}

or, with Python and the package `cryptography` alone:

    python -m audit.record.verify THIS-FOLDER {keys}

`record.dsse.json` is an in-toto Statement in a DSSE envelope (Ed25519); its subjects are the SHA-256 digests of every
other file here but the log proof. `log-proof.json` shows the record's place in the custodian's transparency log
(RFC 6962). Nothing needs a network.

Two files may be added later, and one replaced: `actions.json` (approvals, refusals, revocation: checked with the
custodian's trust file, `{trust}`{instead}), `record.tsr` (a timestamp),
and a newer `log-proof.json`. Ask the custodian for the newest of them before relying on an old bundle.
"""
_BY_KEY, _BY_TRUST = "--key gate.pub.pem", "--trust trust.dsse.json --root root.pub.pem"


@dataclass(frozen=True)
class Closed:
    """Where a case ended up."""

    reason: str
    evidence: Path
    log_index: int
    stamped: Stamped = NOT_ASKED


def conclude(
    case: Case, attempt: Attempt, decision: Decision, candidate: Candidate, out: Path, workspace: Workspace,
    unlocked: UnlockedKeys, request: str, timestamps: Timestamps | None = None,
) -> Closed:  # fmt: skip
    """Write everything down, then let the bundle appear. ``request`` is the digest by which the same is known again.

    The record is in the log and the ledger before the bundle has its name: a crash can leave a record without a
    bundle, never a bundle without a record. The bundle's bytes are kept beside the evidence before the ledger has the
    decision: what the ledger calls allowed can be issued again, and audited together with what comes later.

    Raises
    ------
    OutputError, RecordError, LedgerError
        Something could not be written; no bundle exists.
    """
    decided_at = datetime.now(UTC).replace(microsecond=0)
    reason = candidate.refusal or candidate.cancelled or _reason(case.policy, decision, candidate)
    software = installed_software()
    evidence_folder = workspace.new_evidence_folder()
    evidence_digest = write_evidence(
        evidence_folder, case, attempt, decision, candidate, reason, software, decided_at, out
    )
    files = _bundle_files(case, decision, candidate, reason, decided_at, software)
    held = evidence_folder / BUNDLE
    make_private_folder(held)
    put(files, held)
    releases = workspace.log(unlocked)
    with staging(workspace.staging) as stage:
        with releases.writer() as log:
            record = ReleaseRecord(
                subjects=tuple(Subject(name, hashlib.sha256(content).hexdigest()) for name, content in files.items()),
                decision="allowed" if decision.allowed else "denied",
                reason=reason,
                findings=_coarse(case.policy, decision),
                policy=PolicyUsed(case.policy.id, case.policy_digest),
                dictionary=DictionaryUsed(case.dictionary.name, case.dictionary_digest),
                source=SourceCommitment(
                    f"hmac-sha256:{case.recorded_commitment or case.commitment}", unlocked.commitment_id
                ),
                released_rows=candidate.rows if decision.allowed else 0,
                software=RecordedSoftware(
                    DISTRIBUTION, software.version, software.environment_digest, software.lock_digest
                ),
                synthesizer=_public_settings(candidate, case.policy),
                attempt=RecordedAttempt(attempt.number, attempt.maximum),
                ledger_head=workspace.ledger.head(),
                log=LogPosition(log.next_index, releases.origin, releases.public_key.public_bytes_raw()),
                evidence_sha256=evidence_digest,
                registered_at=datetime.fromisoformat(attempt.registered_at),
                decided_at=decided_at,
                expires_at=_expiry(case.policy, decision, decided_at),
                not_covered=not_covered(case.policy, decision, candidate),
                differential_privacy=candidate.claim,
                oversight=case.oversight,
            )
            envelope = sign(record.to_payload(), IN_TOTO, unlocked.gate)
            digest = hashlib.sha256(envelope).hexdigest()
            write_private(workspace.records / f"{log.next_index:08d}-{digest[:12]}.dsse.json", envelope)
            proof = log.append(envelope)
            put({RECORD_FILE: envelope, PROOF_FILE: proof.to_bytes()}, held)
            workspace.ledger.conclude(
                attempt,
                "decision",
                {
                    "decision": record.decision,
                    "request": request,
                    "logIndex": proof.index,
                    "recordDigest": digest,
                    "evidence": evidence_folder.name,
                    "checkpoint": log.checkpoint.decode(),
                },
            )
        # the log is free again while somebody outside is asked
        stamped = NOT_ASKED if timestamps is None else timestamps.ask(envelope)
        put(stamped.files(), held)
        put({**files, RECORD_FILE: envelope, PROOF_FILE: proof.to_bytes(), **stamped.files()}, stage)
        publish(stage, out)
    return Closed(reason, evidence_folder, proof.index, stamped)


def how_to_verify(approvals: int) -> str:
    """``VERIFY.md`` of a bundle that ``approvals`` people must approve before it may be used; 0 for none."""
    if not approvals:
        needed = "You need the custodian's public key (`gate.pub.pem`), from the custodian and not from this folder."
        return _VERIFY.format(needed=needed, keys=_BY_KEY, trust=_BY_TRUST, instead=" in place of `--key`")
    counted = "1 approval is" if approvals == 1 else f"{approvals} approvals are"
    needed = (
        f"{counted} needed before this release may be used; until `actions.json` holds them, the check below fails.\n\n"
        "You need the custodian's trust file (`trust.dsse.json`), which says whose approvals count, and root key\n"
        "(`root.pub.pem`), both from the custodian and not from this folder."
    )
    return _VERIFY.format(needed=needed, keys=_BY_TRUST, trust=_BY_TRUST, instead="")


_MENDED = {
    "coarsen": "rows that pointed at few people were made coarser",
    "suppress": "rows too close to real people were replaced",
}


def _reason(policy: Policy, decision: Decision, candidate: Candidate) -> str:
    """The outcome in one coarse sentence: it goes to the requester (I-7)."""
    remedies, gate = candidate.remedies, policy.private_gate
    if policy.disclosure == "verdict":
        outcome = "the policy is met" if decision.allowed else "the policy is not met"
    elif gate is not None and candidate.voted is not None:
        votes = next(each.value for each in candidate.voted.measurements if each.name == VOTES)
        outcome = (
            f"{votes:.0f} yes-votes of {gate.parts} parts of the people, counted with noise; {gate.quorum} are needed"
        )
        if any(each.measure == NOISY_PEOPLE for each in decision.unmet):
            outcome += "; and too few people, counted with noise"
    elif decision.allowed:
        outcome = f"all {len(decision.asked)} limits of the policy are met"
    else:
        outcome = f"{len(decision.unmet)} of {len(decision.asked)} limits of the policy are not met"
    unasked = len(decision.unasked)
    if unasked:
        outcome += f"; {unasked} {'limit is' if unasked == 1 else 'limits are'} not asked of so many rows"
    told = () if policy.disclosure == "verdict" else remedies
    mended = " and ".join(_MENDED[name] for name in told)
    return f"{outcome}, after {mended}" if mended else outcome


# settings of a private synthesizer that policy, dictionary and command line give; the rest is planned or fitted
_STATED = frozenset({"synthesizer", "epsilon", "delta", "components", "device"})


def _public_settings(candidate: Candidate, policy: Policy) -> dict[str, Any] | None:
    """What was set, without what was learned from the rows: learned weights stay in the evidence.

    Where a remedy ran, the rows are not the synthesizer's alone, and ``remedies`` names those that did, unless the
    policy lets nothing but the verdict out. Where a claim was cancelled, nothing that a fit of raw rows decided is
    told, be it the sizes of coarse cells or the number of patients: only what was asked for.
    """
    if candidate.synthesizer is None:
        return None
    if candidate.cancelled:
        return {name: value for name, value in candidate.synthesizer.items() if name in _STATED}
    public = {name: value for name, value in candidate.synthesizer.items() if not name.startswith("weights")}
    told = candidate.remedies and policy.disclosure != "verdict"
    return public | ({"remedies": list(candidate.remedies)} if told else {})


def _coarse(policy: Policy, decision: Decision) -> tuple[CoarseFinding, ...] | None:
    if policy.disclosure == "verdict":
        return None
    return tuple(CoarseFinding(finding.measure, finding.met) for finding in decision.asked)


def _expiry(policy: Policy, decision: Decision, decided_at: datetime) -> datetime | None:
    if not decision.allowed or policy.valid_days is None:
        return None
    return decided_at + timedelta(days=policy.valid_days)


def _bundle_files(
    case: Case, decision: Decision, candidate: Candidate, reason: str, decided_at: datetime, software: Software
) -> dict[str, bytes]:
    """Every file of the bundle that the record vouches for."""
    released = released_part(case.dictionary)
    approvals = case.oversight.count if decision.allowed else 0
    files = {"VERIFY.md": how_to_verify(approvals).encode()}
    if decision.allowed:
        files |= {**candidate.files, "dictionary.toml": dictionary_to_toml(released).encode()}
        files |= metadata_files(_described(case, decision, candidate, decided_at, software), files)
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
            privacy=candidate.claim,
            approvals=approvals,
            closeness=Closeness.of(candidate.assessment.measurements, released) if candidate.assessment else None,
        )
    )
    return {**files, "index.html": page.encode()}


def _described(
    case: Case, decision: Decision, candidate: Candidate, decided_at: datetime, software: Software
) -> Description:
    """What the public record says, for machines."""
    return Description(
        dictionary=released_part(case.dictionary),
        policy=case.policy,
        rows=candidate.rows,
        decided_at=decided_at,
        expires_at=_expiry(case.policy, decision, decided_at),
        software=(DISTRIBUTION, software.version),
        settings=_public_settings(candidate, case.policy) or {},
        claim=candidate.claim,
    )
