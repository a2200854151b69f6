"""Which keys does the custodian vouch for?

A trust file is a DSSE envelope signed by the custodian's root key, which is kept offline and signs nothing else. Its
payload lists every key there has ever been, so that old records can be checked after a key was rotated. A key has one
role and is listed once; the root key has none. Versions count upwards: whoever has accepted one refuses an older one,
and a successor in which a key is gone or a revocation is taken back. ``audit.record.standing`` holds a record against
the list.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from audit.record import canonical, envelope, fields
from audit.record.errors import RecordError, VerificationError
from audit.record.keys import EnvelopeSigner, PublicKey, Trusted, key_id, public_keys
from audit.record.trustedkey import ROLES, Revocation, Role, TrustedKey

__all__ = ["MAX_BYTES", "PAYLOAD_TYPE", "ROLES", "Revocation", "Role", "TrustFile", "TrustedKey"]

TRUST_TYPE = "https://sluice.dev/trust/v1"
PAYLOAD_TYPE = "application/vnd.sluice.trust+json"
MAX_BYTES = 1024 * 1024
MAX_KEYS = 1000


@dataclass(frozen=True)
class TrustFile:
    """One version of the custodian's list of keys. ``version`` counts from 1."""

    version: int
    issued_at: datetime
    keys: tuple[TrustedKey, ...]

    def __post_init__(self) -> None:
        fields.check_count(self.version, "trust file version", minimum=1)
        fields.check_instant(self.issued_at, "issuedAt")
        if not 1 <= len(self.keys) <= MAX_KEYS:
            raise RecordError(f"{len(self.keys)} keys, expected 1 to {MAX_KEYS}")
        if len({each.id for each in self.keys}) != len(self.keys):
            raise RecordError("one key is listed twice; a key has one role, one holder and one window")

    @property
    def public_keys(self) -> tuple[PublicKey, ...]:
        """Every listed key, whatever its role and standing."""
        return tuple(each.public_key for each in self.keys)

    def find(self, key: PublicKey | str) -> TrustedKey | None:
        """The entry of a key, or of a key id; ``None`` if it is not listed."""
        wanted = key if isinstance(key, str) else key_id(key)
        return next((each for each in self.keys if each.id == wanted), None)

    def to_payload(self) -> bytes:
        """The canonical bytes that the root key signs."""
        return canonical.encode(
            {
                "_type": TRUST_TYPE,
                "version": self.version,
                "issuedAt": fields.instant_text(self.issued_at),
                "keys": [each.to_dict() for each in self.keys],
            }
        )

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """The list in a payload that has come out of its envelope, or is about to be signed.

        Raises
        ------
        VerificationError
            Not canonical, another type, a field missing, unknown or malformed, or a key listed twice.
        """
        document = canonical.parse(payload, maximum=MAX_BYTES, what="trust file")
        try:
            return cls(*_parts(document))
        except RecordError as cause:
            raise VerificationError(f"trust file: {cause}; do not use it, tell the custodian") from None

    def sign(self, root: EnvelopeSigner, *others: EnvelopeSigner) -> bytes:
        """The trust file, signed by the root key; by the former one too where the root itself is being replaced.

        Raises
        ------
        RecordError
            A root key is listed in a role.
        """
        _check_apart(self, [each.public_key() for each in (root, *others)])
        return envelope.sign(self.to_payload(), PAYLOAD_TYPE, root, *others)

    @classmethod
    def open(cls, content: bytes, root: Trusted, *, threshold: int = 1) -> Self:
        """The list in a trust file, if ``threshold`` of the given root keys signed it.

        Raises
        ------
        VerificationError
            Signed by another root, altered, malformed, or listing a root key in a role.
        """
        roots = public_keys(root)
        try:
            payload = envelope.verify(content, roots, payload_type=PAYLOAD_TYPE, threshold=threshold)
            trust = cls.from_payload(payload)
            _check_apart(trust, roots)
        except RecordError as cause:
            raise VerificationError(f"trust file: {str(cause).removeprefix('trust file: ')}") from None
        return trust

    def check_successor(self, newer: TrustFile) -> None:
        """Return if whoever has accepted this version may accept ``newer``: the same one, or a later one.

        Raises
        ------
        VerificationError
            An older version, another content under the same version, a key that is gone or was given another role or
            holder, or a revocation that is taken back.
        """
        if newer.version < self.version:
            raise VerificationError(
                f"trust file: version {newer.version}, but version {self.version} was accepted before: an older one "
                "was put in its place; ask the custodian for the newest"
            )
        if newer.version == self.version and newer != self:
            raise VerificationError(f"trust file: there are two of version {self.version}; ask the custodian which")
        for before in self.keys:
            after = newer.find(before.id)
            if after is None or (after.role, after.holder) != (before.role, before.holder):
                raise VerificationError(
                    f"trust file: the {before.role} key {before.id[:16]} is gone, or has another role or holder; a key "
                    "stays listed, revoked if need be"
                )
            if before.revocation and not (after.revocation and after.revocation.is_at_least(before.revocation)):
                raise VerificationError(
                    f"trust file: the revocation of the {before.role} key {before.id[:16]} is taken back or weakened; "
                    "a revoked key stays so, make a new one"
                )


def _parts(document: object) -> tuple[int, datetime, tuple[TrustedKey, ...]]:
    found = fields.members(document, "the document", ("_type", "version", "issuedAt", "keys"))
    if found["_type"] != TRUST_TYPE:
        raise RecordError(f"expected a {TRUST_TYPE}; this is another document")
    listed = tuple(TrustedKey.from_dict(each) for each in fields.items(found["keys"], "keys"))
    return found["version"], fields.instant(found["issuedAt"], "issuedAt"), listed


def _check_apart(trust: TrustFile, roots: Iterable[PublicKey]) -> None:
    if any(trust.find(root) is not None for root in roots):
        raise RecordError("the root key is listed in a role; it signs trust files and nothing else")
