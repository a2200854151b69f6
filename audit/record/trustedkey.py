"""What may a key do, for whom, since when and until when?

One entry of a trust file (``audit.record.trust``): public key, its single role, holder, window, and perhaps its
revocation. What a revocation can and cannot say: a key that was retired in good order is void from ``since`` on, and
the dates on what it signed are believed. A *stolen* key (``compromised``) writes any date its thief likes, so its
records and actions are held by what the thief could not choose: their index in the log, below ``from_log_index``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Self, get_args

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from audit.record import fields
from audit.record.encoding import from_base64, to_base64
from audit.record.errors import RecordError, VerificationError
from audit.record.keys import PublicKey, key_id, parse_verifying_key, public_pem

Role = Literal["gate", "log", "approver", "officer"]
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True)
class Revocation:
    """From when on a key is void, and why.

    ``compromised`` says that somebody else may have the key. ``from_log_index`` is the first place in the log at which
    a record or an action by it is void whatever its date; a compromised key must have one.
    """

    since: datetime
    reason: str
    compromised: bool = False
    from_log_index: int | None = None

    def __post_init__(self) -> None:
        fields.check_instant(self.since, "revoked since")
        fields.check_line(self.reason, "revocation reason")
        if type(self.compromised) is not bool:
            raise RecordError("a revoked key is compromised or it is not: expected true or false")
        if self.from_log_index is not None:
            fields.check_count(self.from_log_index, "fromLogIndex", minimum=0)

    def to_dict(self) -> dict[str, Any]:
        return {
            "since": fields.instant_text(self.since),
            "reason": self.reason,
            "compromised": self.compromised,
            "fromLogIndex": self.from_log_index,
        }

    def is_at_least(self, earlier: Revocation) -> bool:
        """Whether this one refuses everything that ``earlier`` refused."""
        index = earlier.from_log_index
        return (
            self.since <= earlier.since
            and self.compromised >= earlier.compromised
            and (index is None or (self.from_log_index is not None and self.from_log_index <= index))
        )

    @classmethod
    def from_dict(cls, value: object) -> Self:
        found = fields.members(value, "revocation", ("since", "reason", "compromised", "fromLogIndex"))
        since = fields.instant(found["since"], "revoked since")
        return cls(since, found["reason"], found["compromised"], found["fromLogIndex"])


@dataclass(frozen=True)
class TrustedKey:
    """One key: its single role, who holds it, and when what it signs may be relied on.

    ``valid_from`` is the first moment, ``valid_until`` the first one after the last. A log signs with Ed25519 alone.
    """

    role: Role
    holder: str
    public_key: PublicKey
    valid_from: datetime
    valid_until: datetime
    revocation: Revocation | None = None

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise RecordError(f"a key's role must be one of {', '.join(ROLES)}")
        fields.check_name(self.holder, "key holder")
        parse_verifying_key(public_pem(self.public_key), name=f"{self.role} key")  # a kind that envelopes take
        if self.role == "log" and not isinstance(self.public_key, Ed25519PublicKey):
            raise RecordError("a log key must be an Ed25519 key (c2sp.org/tlog-checkpoint)")
        fields.check_instant(self.valid_from, "validFrom")
        fields.check_instant(self.valid_until, "validUntil")
        if self.valid_until <= self.valid_from:
            raise RecordError("validUntil does not lie after validFrom: the key would never be valid")
        if self.compromised and self._void_from is None:
            raise RecordError(f"a compromised {self.role} key needs fromLogIndex: no date by its thief can be believed")

    @property
    def id(self) -> str:
        """SHA-256 of the DER SubjectPublicKeyInfo."""
        return key_id(self.public_key)

    @property
    def compromised(self) -> bool:
        """Whether somebody else may have the key."""
        return self.revocation is not None and self.revocation.compromised

    def check(self, role: Role, at: datetime, *, log_index: int | None = None) -> None:
        """Return if this key could act in ``role`` at ``at``, and at that place in the log where there is one.

        Raises
        ------
        VerificationError
            Another role, not yet or no longer valid, or revoked by then.
        """
        name = f"the {self.role} key {self.id[:16]} of {self.holder}"
        if self.role != role:
            raise VerificationError(f"{name} signed in the role of {role}; the custodian never gave it that role")
        when = f"{at:%Y-%m-%d %H:%M:%S} UTC"
        if at < self.valid_from:
            raise VerificationError(f"{name} is valid from {self.valid_from:%Y-%m-%d %H:%M:%S} UTC, not yet at {when}")
        if at >= self.valid_until:
            raise VerificationError(f"{name} was valid until {self.valid_until:%Y-%m-%d %H:%M:%S} UTC, not at {when}")
        if self.revocation is None:
            return
        why = f"({self.revocation.reason})"
        if at >= self.revocation.since:
            raise VerificationError(
                f"{name} is revoked since {self.revocation.since:%Y-%m-%d %H:%M:%S} UTC {why}, and signed at {when}"
            )
        if self._void_from is not None and log_index is not None and log_index >= self._void_from:
            raise VerificationError(
                f"{name} is revoked from log entry {self._void_from} on {why}, and this is entry {log_index}: its date "
                "was set back"
            )

    @property
    def _void_from(self) -> int | None:
        return None if self.revocation is None else self.revocation.from_log_index

    def to_dict(self) -> dict[str, Any]:
        der = self.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return {
            "role": self.role,
            "holder": self.holder,
            "keyId": self.id,
            "publicKey": to_base64(der),
            "validFrom": fields.instant_text(self.valid_from),
            "validUntil": fields.instant_text(self.valid_until),
            "revoked": None if self.revocation is None else self.revocation.to_dict(),
        }

    @classmethod
    def from_dict(cls, value: object) -> Self:
        found = fields.members(value, "trusted key", _KEY)
        try:
            key = load_der_public_key(from_base64(found["publicKey"], "publicKey"))
        except (ValueError, UnsupportedAlgorithm):
            raise RecordError("publicKey must be the base64 of a DER SubjectPublicKeyInfo") from None
        pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        revoked = found["revoked"]
        listed = cls(
            found["role"],
            found["holder"],
            parse_verifying_key(pem, name="publicKey"),
            fields.instant(found["validFrom"], "validFrom"),
            fields.instant(found["validUntil"], "validUntil"),
            None if revoked is None else Revocation.from_dict(revoked),
        )
        if listed.to_dict() != found:
            raise RecordError("keyId is not that of publicKey, or publicKey is spelled in another way than DER's own")
        return listed


_KEY = ("role", "holder", "keyId", "publicKey", "validFrom", "validUntil", "revoked")
