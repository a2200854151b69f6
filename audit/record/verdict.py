"""How is the outcome of a check told, to people and to programs?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from audit.record.claim import PrivacyClaim
from audit.record.cosignature import Sighting
from audit.record.errors import RecordError
from audit.record.fields import instant_text
from audit.record.keys import key_id
from audit.record.oversight import NOTHING_SAID, Overseen
from audit.record.statement import ReleaseRecord, Subject
from audit.record.trust import TrustFile


@dataclass(frozen=True)
class Verified:
    """What a bundle says, once all of it has been checked.

    ``signed_by`` are ids of trusted keys. ``expired`` is as of the time of the check: an expired record is genuine, but
    should not be relied on any longer. ``witnessed`` is what those witnesses say that were asked for. ``trust`` is the
    trust file it was held against, if it was. ``timestamp`` is when a timestamp authority saw the record;
    ``unread_timestamp`` says that there is a timestamp and no authority was named to check it. ``overseen`` is what
    people have said about the release since; one that they do not stand behind is not verified, and what of it is void
    is told, but counts for nothing.
    """

    record: ReleaseRecord
    signed_by: tuple[str, ...]
    expired: bool
    witnessed: tuple[Sighting, ...] = ()
    trust: TrustFile | None = None
    timestamp: datetime | None = None
    unread_timestamp: bool = False
    overseen: Overseen = NOTHING_SAID

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """The released files; with the record and the log proof they are all the files there are."""
        return self.record.subjects

    @property
    def log_index(self) -> int:
        """Where in the log the record stands, from 0."""
        return self.record.log.index


def summary(verified: Verified) -> str:
    """What a person needs to know of a verified bundle, in a few lines."""
    record = verified.record
    lines = [
        f"VERIFIED: signed by {', '.join(verified.signed_by)}",
        f"decision  {record.decision.upper()} under policy {record.policy.id}"
        + (f": {record.reason}" if record.reason else ""),
        f"decided   {record.decided_at:%Y-%m-%d %H:%M:%S} UTC",
        f"attempt   {record.attempt.number} of {record.attempt.maximum}",
        f"log       entry {record.log.index} of {record.log.origin}",
    ]
    lines += [
        f"witness   {seen.witness.name} saw {seen.checkpoint.size} entries, {seen.at:%Y-%m-%d %H:%M:%S} UTC"
        for seen in verified.witnessed
    ]
    lines += _trust(verified)
    lines += _oversight(verified)
    lines += _privacy(record.differential_privacy)
    lines += [f"file      {subject.name}  sha256 {subject.sha256}" for subject in verified.subjects]
    claimed = record.differential_privacy.not_covered if record.differential_privacy else ()
    lines += [f"beware    {sentence}" for sentence in (*record.not_covered, *claimed)]
    if record.expires_at is not None:
        lines.append(
            f"EXPIRED   {record.expires_at:%Y-%m-%d}: genuine, but no longer to be relied on; ask the custodian"
            if verified.expired
            else f"expires   {record.expires_at:%Y-%m-%d}"
        )
    return "\n".join(lines) + "\n"


def _trust(verified: Verified) -> list[str]:
    lines = []
    if verified.trust is not None:
        trust = verified.trust
        lines.append(f"trust     version {trust.version} of {trust.issued_at:%Y-%m-%d}; knows of no later revocation")
    if verified.timestamp is not None:
        lines.append(f"timestamp {verified.timestamp:%Y-%m-%d %H:%M:%S} UTC, by the authority that was named")
    elif verified.unread_timestamp:
        lines.append("timestamp there is one, not checked: name its authority with --timestamp-authority")
    return lines


def _oversight(verified: Verified) -> list[str]:
    terms, overseen = verified.record.oversight, verified.overseen
    lines = [
        f"{what:10}{name}" for what, name in (("requester", terms.requester), ("operator", terms.operator)) if name
    ]
    for each in overseen.actions:
        held = each in overseen.approved or each.action != "approve"
        lines.append(
            f"{each.action:10}by {each.by} ({each.role}), {each.at:%Y-%m-%d %H:%M:%S} UTC: {each.reason}"
            + ("" if held else " (does not count)")
        )
    lines += [f"VOID      {each}" for each in overseen.void]
    if terms.count and verified.record.allowed:
        lines.append(f"approvals {len(overseen.approved)} of {terms.count} that the policy demands")
    if overseen.overridden:
        lines.append(f"OVERRIDDEN the refusal by {', '.join(each.by for each in overseen.overridden)}")
    if overseen.superseded_by:
        lines.append(f"SUPERSEDED by the record with sha256 {overseen.superseded_by}; ask the custodian for that one")
    return lines


def _privacy(claim: PrivacyClaim | None) -> list[str]:
    if claim is None:
        return ["privacy   no differential privacy is claimed"]
    budget, runs = (
        claim.budget,
        sum(each.drawn * (each.steps or 1) for each in claim.mechanisms if each.kind != "envelope"),
    )
    claimed = f"epsilon {claim.epsilon:.4g}, delta {claim.delta:g} for any one {claim.whom}"
    accounted = f"{runs} mechanism runs, accountant {claim.accountant.method} ({claim.accountant.software})"
    spent = f"{budget.spent_epsilon:.4g} of epsilon {budget.epsilon:g} spent by all releases of this dataset"
    reach = "rows and the decision to release them" if claim.covers_decision else "rows, before the decision on them"
    return [
        f"privacy   {claimed}; {accounted}",
        f"covers    {reach}",
        f"budget    {spent}, {budget.left_epsilon:.4g} left",
    ]


def to_dict(verified: Verified) -> dict[str, Any]:
    """The shape ``--json`` prints: the verdict of the check, and the signed statement."""
    return {
        "verified": True,
        "expired": verified.expired,
        "signedBy": list(verified.signed_by),
        "witnessedBy": [key_id(seen.witness.key) for seen in verified.witnessed],
        "trustVersion": None if verified.trust is None else verified.trust.version,
        "timestampedAt": None if verified.timestamp is None else instant_text(verified.timestamp),
        "supersededBy": verified.overseen.superseded_by,
        "approvedBy": [each.by for each in verified.overseen.approved],
        "actions": [each.to_dict()["predicate"] for each in verified.overseen.actions],
        "voidActions": [each.to_dict() for each in verified.overseen.void],
        "statement": verified.record.to_dict(),
    }


def refusal(cause: RecordError) -> dict[str, Any]:
    """The shape ``--json`` prints where the bundle is refused: the step that failed, and what to do."""
    return {"verified": False, "why": getattr(cause, "why", "key"), "problem": str(cause)}
