"""What has a person said about a release, in which role, meaning what, why and when?

An in-toto Statement of its own, in a DSSE envelope signed by that person's key. Its subject is the release record: the
SHA-256 of the record's envelope, so that it is bound to those bytes and no others. It says what 21 CFR 11.50 asks of a
signature: name, time and meaning. Like the record it becomes an entry of the transparency log.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Self, get_args

from audit.record import canonical, fields
from audit.record.encoding import check_sha256
from audit.record.envelope import IN_TOTO, sign
from audit.record.errors import RecordError, VerificationError
from audit.record.keys import EnvelopeSigner
from audit.record.parts import digest, digest_of
from audit.record.statement import RECORD_FILE, STATEMENT_TYPE
from audit.record.trustedkey import Role

PREDICATE_TYPE = "https://sluice.dev/release-action/v1"
MAX_BYTES = 64 * 1024
Action = Literal["approve", "refuse", "override", "revoke", "supersede"]

# which roles may do what; the gate and the log never may
ROLES: dict[Action, tuple[Role, ...]] = {
    "approve": ("approver", "officer"),
    "refuse": ("approver", "officer"),
    "override": ("officer",),
    "revoke": ("officer",),
    "supersede": ("officer",),
}
MEANINGS: dict[Action, str] = {
    "approve": "I have reviewed this release and agree to it.",
    "refuse": "I have reviewed this release and do not agree to it.",
    "override": "I overrule the refusals of this release that came before.",
    "revoke": "This release is withdrawn: nobody may rely on it any longer.",
    "supersede": "Another release takes the place of this one.",
}


@dataclass(frozen=True)
class ReleaseAction:
    """One statement by one person about the record whose envelope has the SHA-256 ``record_sha256``.

    ``by`` is the key's holder as the trust file names them. ``superseded_by`` is the SHA-256 of another record's
    envelope, given if and only if the action is ``supersede``. ``at`` is in UTC, to the second.

    Raises
    ------
    RecordError
        A field is malformed, or the role may not do that.
    """

    action: Action
    record_sha256: str
    by: str
    role: Role
    reason: str
    at: datetime
    meaning: str = ""
    superseded_by: str | None = None

    def __post_init__(self) -> None:
        if self.action not in get_args(Action):
            raise RecordError(f"an action must be one of {', '.join(ROLES)}")
        if self.role not in ROLES[self.action]:
            raise RecordError(f"only {' or '.join(ROLES[self.action])} may {self.action} a release")
        check_sha256(self.record_sha256, "record digest")
        fields.check_name(self.by, "signer")
        fields.check_line(self.reason, "reason", maximum=500)
        object.__setattr__(self, "meaning", self.meaning or MEANINGS[self.action])
        fields.check_line(self.meaning, "meaning", maximum=500)
        fields.check_instant(self.at, "at")
        if (self.superseded_by is not None) != (self.action == "supersede"):
            raise RecordError("supersededBy is for an action that supersedes, and for no other")
        if self.superseded_by is not None:
            check_sha256(self.superseded_by, "supersededBy")
            if self.superseded_by == self.record_sha256:
                raise RecordError("a record cannot take its own place")

    @property
    def person(self) -> str:
        """The signer's name as it is compared (``same_person``): one person counts once."""
        return same_person(self.by)

    def sign(self, signer: EnvelopeSigner) -> bytes:
        """The envelope."""
        return sign(canonical.encode(self.to_dict()), IN_TOTO, signer)

    def to_dict(self) -> dict[str, Any]:
        """The Statement as JSON values."""
        superseded = None if self.superseded_by is None else digest(self.superseded_by)
        return {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": RECORD_FILE, "digest": digest(self.record_sha256)}],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "action": self.action,
                "by": self.by,
                "role": self.role,
                "meaning": self.meaning,
                "reason": self.reason,
                "at": fields.instant_text(self.at),
                "supersededBy": superseded,
            },
        }

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """The statement in a payload that has come out of its envelope.

        Raises
        ------
        VerificationError
            Not canonical, another type, a field missing, unknown or malformed.
        """
        document = canonical.parse(payload, maximum=MAX_BYTES, what="release action")
        try:
            return cls(**_arguments(document))
        except RecordError as cause:
            raise VerificationError(f"release action: {cause}") from None


def same_person(name: str) -> str:
    """A name as it is compared: without regard to case, spacing and compatible spellings (Unicode, section 3.13).

    Letters of different scripts that merely look alike stay different.
    """
    folded = unicodedata.normalize("NFKC", name).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def _arguments(document: object) -> dict[str, Any]:
    statement = fields.members(document, "statement", ("_type", "subject", "predicateType", "predicate"))
    if statement["_type"] != STATEMENT_TYPE or statement["predicateType"] != PREDICATE_TYPE:
        raise RecordError(f"expected a {STATEMENT_TYPE} with predicate {PREDICATE_TYPE}; this is another document")
    subjects = fields.items(statement["subject"], "subject")
    if len(subjects) != 1:
        raise RecordError("an action has one subject, the record")
    subject = fields.members(subjects[0], "subject", ("name", "digest"))
    found = fields.members(
        statement["predicate"], "predicate", ("action", "by", "role", "meaning", "reason", "at", "supersededBy")
    )
    if subject["name"] != RECORD_FILE or not isinstance(found["action"], str) or not found["meaning"]:
        raise RecordError(f"the subject must be {RECORD_FILE}, and action and meaning be given")
    superseded = found["supersededBy"]
    return {
        "action": found["action"],
        "record_sha256": digest_of(subject["digest"], "record digest"),
        "by": found["by"],
        "role": found["role"],
        "reason": found["reason"],
        "at": fields.instant(found["at"], "at"),
        "meaning": found["meaning"],
        "superseded_by": None if superseded is None else digest_of(superseded, "supersededBy"),
    }
