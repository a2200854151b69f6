"""What does a release record say?

An in-toto Statement v1 (in-toto/attestation, spec/v1/statement.md) over the released files, with the predicate
``release-record/v1``; ``release-record.v1.json`` in this folder is its JSON Schema. The public record holds coarse
verdicts only: exact values stay in the evidence, whose digest it carries (I-7). Unlike in-toto's rule for consumers,
unknown fields are refused: a record this software does not wholly understand is not one it vouches for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Self

from audit.record import canonical, fields
from audit.record.claim import PRIVATE_FINDINGS, VOTE_FINDING, PrivacyClaim
from audit.record.encoding import check_sha256
from audit.record.errors import RecordError, VerificationError
from audit.record.parts import (
    NO_OVERSIGHT,
    Attempt,
    CoarseFinding,
    DictionaryUsed,
    LogPosition,
    Oversight,
    PolicyUsed,
    Software,
    SourceCommitment,
    Subject,
    digest,
    digest_of,
)

__all__ = [
    "NO_OVERSIGHT",
    "PREDICATE_TYPE",
    "PROOF_FILE",
    "RECORD_FILE",
    "Attempt",
    "CoarseFinding",
    "DictionaryUsed",
    "LogPosition",
    "Oversight",
    "PolicyUsed",
    "PrivacyClaim",
    "ReleaseRecord",
    "Software",
    "SourceCommitment",
    "Subject",
]

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://sluice.dev/release-record/v1"
RECORD_FILE = "record.dsse.json"
PROOF_FILE = "log-proof.json"
ACTIONS_FILE = "actions.json"
TIMESTAMP_FILE = "record.tsr"
MAX_BYTES = 2 * 1024 * 1024
MAX_SUBJECTS = 256


@dataclass(frozen=True)
class ReleaseRecord:
    """The public record of one decision.

    ``findings`` is ``None`` where the policy discloses the verdict alone. ``synthesizer`` holds settings, ``None``
    where a file from elsewhere was checked. ``differential_privacy`` is the claim sheet, ``None`` for no claim.
    ``released_rows`` counts rows. ``ledger_head`` is a SHA-256. Times are in UTC, to the second.

    Raises
    ------
    RecordError
        A field is malformed, or fields contradict each other: a denial with rows or data files, an allowance with an
        unmet finding, times out of order, two subjects of one name.
    """

    subjects: tuple[Subject, ...]
    decision: Literal["allowed", "denied"]
    policy: PolicyUsed
    dictionary: DictionaryUsed
    source: SourceCommitment
    released_rows: int
    software: Software
    attempt: Attempt
    ledger_head: str
    log: LogPosition
    evidence_sha256: str
    registered_at: datetime
    decided_at: datetime
    reason: str | None = None
    findings: tuple[CoarseFinding, ...] | None = None
    synthesizer: Mapping[str, Any] | None = None
    differential_privacy: PrivacyClaim | None = None
    expires_at: datetime | None = None
    not_covered: tuple[str, ...] = ()
    oversight: Oversight = NO_OVERSIGHT

    def __post_init__(self) -> None:
        if self.decision not in ("allowed", "denied"):
            raise RecordError("decision must be allowed or denied")
        if self.reason is not None:
            fields.check_line(self.reason, "reason")
        fields.check_count(self.released_rows, "releasedRows", minimum=0)
        check_sha256(self.ledger_head, "ledgerHead")
        check_sha256(self.evidence_sha256, "evidence digest")
        for sentence in self.not_covered:
            fields.check_line(sentence, "a notCovered sentence", maximum=500)
        if self.synthesizer is not None:
            object.__setattr__(self, "synthesizer", fields.frozen_object(self.synthesizer, "synthesizer"))
        self._check_subjects()
        self._check_times()
        self._check_decision()

    @property
    def allowed(self) -> bool:
        return self.decision == "allowed"

    def expired(self, now: datetime) -> bool:
        """Whether the release should no longer be relied on at ``now`` (an aware time)."""
        return self.expires_at is not None and now >= self.expires_at

    def to_payload(self) -> bytes:
        """The canonical bytes that are signed.

        Raises
        ------
        RecordError
            The record would exceed 2 MiB.
        """
        payload = canonical.encode(self.to_dict())
        if len(payload) > MAX_BYTES:
            raise RecordError(
                f"the record has {len(payload)} bytes, expected at most {MAX_BYTES}; shorten its settings"
            )
        return payload

    def to_dict(self) -> dict[str, Any]:
        """The Statement as JSON values (mappings inside free objects are read-only)."""
        return {
            "_type": STATEMENT_TYPE,
            "subject": [each.to_dict() for each in self.subjects],
            "predicateType": PREDICATE_TYPE,
            "predicate": self._predicate(),
        }

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """The record in a payload that has come out of its envelope.

        Raises
        ------
        VerificationError
            Not canonical, another type, a field missing or unknown or of the wrong type, or a contradiction.
        """
        document = canonical.parse(payload, maximum=MAX_BYTES, what="release record")
        try:
            return cls(**_arguments(document))
        except RecordError as cause:
            raise VerificationError(f"release record: {cause}; do not use the bundle, tell the custodian") from None

    def _predicate(self) -> dict[str, Any]:
        return {
            "decision": self.decision,
            "reason": self.reason,
            "findings": None if self.findings is None else [each.to_dict() for each in self.findings],
            "policy": self.policy.to_dict(),
            "dictionary": self.dictionary.to_dict(),
            "source": self.source.to_dict(),
            "releasedRows": self.released_rows,
            "software": self.software.to_dict(),
            "synthesizer": self.synthesizer,
            "differentialPrivacy": None if self.differential_privacy is None else self.differential_privacy.to_dict(),
            "attempt": self.attempt.to_dict(),
            "oversight": self.oversight.to_dict(),
            "ledgerHead": self.ledger_head,
            "log": self.log.to_dict(),
            "evidence": {"digest": digest(self.evidence_sha256)},
            "registeredAt": fields.instant_text(self.registered_at),
            "decidedAt": fields.instant_text(self.decided_at),
            "expiresAt": None if self.expires_at is None else fields.instant_text(self.expires_at),
            "notCovered": list(self.not_covered),
        }

    def _check_subjects(self) -> None:
        if not 1 <= len(self.subjects) <= MAX_SUBJECTS:
            raise RecordError(f"{len(self.subjects)} subjects, expected 1 to {MAX_SUBJECTS}")
        # folded, because two such names are one file on some systems
        names = [subject.name.casefold() for subject in self.subjects]
        if len(set(names)) != len(names):
            raise RecordError("two subjects have one name; subject names must differ by more than case")
        if (later := {RECORD_FILE, PROOF_FILE, ACTIONS_FILE, TIMESTAMP_FILE}) & set(names):
            raise RecordError(f"{', '.join(sorted(later))} are not subjects: they come after the record")

    def _check_times(self) -> None:
        fields.check_instant(self.registered_at, "registeredAt")
        fields.check_instant(self.decided_at, "decidedAt")
        if self.decided_at < self.registered_at:
            raise RecordError("decidedAt lies before registeredAt; check the clock")
        if self.expires_at is not None:
            fields.check_instant(self.expires_at, "expiresAt")
            if self.allowed and self.expires_at <= self.decided_at:
                raise RecordError("expiresAt does not lie after decidedAt: the release would be born expired")

    def _check_decision(self) -> None:
        names = [finding.measure for finding in self.findings or ()]
        if len(set(names)) != len(names):
            raise RecordError("two findings are about one measure; give each measure once")
        claim = self.differential_privacy
        if claim is not None and claim.covers_decision and not PRIVATE_FINDINGS.issuperset(names):
            raise RecordError(
                "the claim covers the decision, but a finding tells of a limit: nothing charged told that"
            )
        if claim is not None and claim.covers_decision and names and VOTE_FINDING not in names:
            raise RecordError("the claim covers the decision, but no finding tells of the vote that took it")
        if self.allowed:
            if self.findings is not None and not (self.findings and all(each.met for each in self.findings)):
                raise RecordError("allowed, but a finding is unmet or there is none: only a denial can be recorded so")
            return
        if self.released_rows:
            raise RecordError(f"denied, but {self.released_rows} rows are recorded as released; a denial releases none")
        held = sum(subject.is_data for subject in self.subjects)
        if held:
            raise RecordError(f"denied, but {held} data files are among the subjects; a denial leaves no data")


def _arguments(document: object) -> dict[str, Any]:
    statement = fields.members(document, "statement", ("_type", "subject", "predicateType", "predicate"))
    if statement["_type"] != STATEMENT_TYPE or statement["predicateType"] != PREDICATE_TYPE:
        raise RecordError(f"expected a {STATEMENT_TYPE} with predicate {PREDICATE_TYPE}; this is another document")
    predicate = fields.members(statement["predicate"], "predicate", _PREDICATE)
    evidence = fields.members(predicate["evidence"], "evidence", ("digest",))
    findings, expires, claim = predicate["findings"], predicate["expiresAt"], predicate["differentialPrivacy"]
    return {
        "subjects": tuple(Subject.from_dict(each) for each in fields.items(statement["subject"], "subject")),
        "decision": predicate["decision"],
        "reason": predicate["reason"],
        "findings": None
        if findings is None
        else tuple(CoarseFinding.from_dict(each) for each in fields.items(findings, "findings")),
        "policy": PolicyUsed.from_dict(predicate["policy"]),
        "dictionary": DictionaryUsed.from_dict(predicate["dictionary"]),
        "source": SourceCommitment.from_dict(predicate["source"]),
        "released_rows": predicate["releasedRows"],
        "software": Software.from_dict(predicate["software"]),
        "synthesizer": predicate["synthesizer"],
        "differential_privacy": None if claim is None else PrivacyClaim.from_dict(claim),
        "attempt": Attempt.from_dict(predicate["attempt"]),
        "oversight": Oversight.from_dict(predicate["oversight"]),
        "ledger_head": predicate["ledgerHead"],
        "log": LogPosition.from_dict(predicate["log"]),
        "evidence_sha256": digest_of(evidence["digest"], "evidence digest"),
        "registered_at": fields.instant(predicate["registeredAt"], "registeredAt"),
        "decided_at": fields.instant(predicate["decidedAt"], "decidedAt"),
        "expires_at": None if expires is None else fields.instant(expires, "expiresAt"),
        "not_covered": tuple(fields.items(predicate["notCovered"], "notCovered")),
    }


_PREDICATE = (
    "decision",
    "reason",
    "findings",
    "policy",
    "dictionary",
    "source",
    "releasedRows",
    "software",
    "synthesizer",
    "differentialPrivacy",
    "attempt",
    "oversight",
    "ledgerHead",
    "log",
    "evidence",
    "registeredAt",
    "decidedAt",
    "expiresAt",
    "notCovered",
)
