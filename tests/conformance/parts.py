"""What the conformance bundles are made of: fixed keys, one record, a log in memory. Nothing here is random."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.record import canonical, envelope, merkle
from audit.record.cosignature import cosign
from audit.record.note import Checkpoint
from audit.record.proof import LogProof, Witnessed, entry_of
from audit.record.statement import (
    PROOF_FILE,
    RECORD_FILE,
    Attempt,
    CoarseFinding,
    DictionaryUsed,
    LogPosition,
    PolicyUsed,
    ReleaseRecord,
    Software,
    SourceCommitment,
    Subject,
)
from audit.record.trust import Revocation, Role, TrustedKey, TrustFile

Key = Ed25519PrivateKey
Files = dict[str, bytes]


def key(number: int) -> Key:
    """A key everybody knows: 32 times the same byte."""
    return Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)


GATE, LOG, ROOT, WITNESS, APPROVER, OTHER, OFFICER = (key(number) for number in range(1, 8))
ORIGIN = "hospital.example/releases"
REGULATOR, PRESS = "regulator.example/w1", "press.example/w1"
BEFORE, AFTER = (b"an earlier record", b"another earlier record"), (b"a later record",)
DATA: Files = {"data.csv": b"age,sex\n61,f\n58,m\n", "index.html": b"<p>two rows</p>\n"}
REGISTERED, DECIDED = datetime(2021, 5, 1, 12, 0, tzinfo=UTC), datetime(2021, 5, 1, 12, 30, tzinfo=UTC)
EXPIRES, PAST = datetime(9999, 12, 31, tzinfo=UTC), datetime(2001, 5, 1, tzinfo=UTC)
SEEN, AHEAD = datetime(2021, 6, 1, tzinfo=UTC), datetime(9998, 1, 1, tzinfo=UTC)
DENIED: dict[str, Any] = {
    "decision": "denied",
    "reason": "a limit of the policy was not met",
    "findings": (CoarseFinding("k_anonymity", False), CoarseFinding("nnaa_privacy_loss", True)),
    "released_rows": 0,
}


def record(files: Mapping[str, bytes], index: int = len(BEFORE), log: Key = LOG, **changes: Any) -> ReleaseRecord:
    """A small, allowed record over these files; keyword arguments replace its fields."""
    values: dict[str, Any] = {
        "subjects": tuple(Subject(name, hashlib.sha256(files[name]).hexdigest()) for name in files),
        "decision": "allowed",
        "reason": "every limit of the policy was met",
        "findings": (CoarseFinding("k_anonymity", True),),
        "policy": PolicyUsed("research-extract", "1" * 64),
        "dictionary": DictionaryUsed("heart-disease", "2" * 64),
        "source": SourceCommitment("hmac-sha256:" + "3" * 64, "source-2021"),
        "released_rows": 2,
        "software": Software("sluice-gate", "0.1.0", "4" * 64),
        "attempt": Attempt(1, 3),
        "ledger_head": "6" * 64,
        "log": LogPosition(index, ORIGIN, log.public_key().public_bytes_raw()),
        "evidence_sha256": "7" * 64,
        "registered_at": REGISTERED,
        "decided_at": DECIDED,
        "expires_at": EXPIRES,
    }
    return ReleaseRecord(**(values | changes))


def signed(payload: bytes, *signers: Key, kind: str = envelope.IN_TOTO) -> bytes:
    return envelope.sign(payload, kind, *(signers or (GATE,)))


def prove(
    entry: bytes,
    *,
    before: Sequence[bytes] = BEFORE,
    after: Sequence[bytes] = AFTER,
    log: Key = LOG,
    witnesses: Mapping[str, tuple[Key, int]] | None = None,
    seen_at: datetime = SEEN,
) -> LogProof:
    """The proof of an envelope in a log of these entries; ``witnesses`` have seen so many entries each."""
    leaves = [merkle.leaf_hash(entry_of(each)) for each in (*before, entry, *after)]

    def head(size: int) -> bytes:
        return Checkpoint(ORIGIN, size, merkle.root(leaves[:size])).sign(log)

    seen = [
        Witnessed(cosign(head(size), name, witness, seen_at), merkle.consistency_proof(leaves, size))
        for name, (witness, size) in (witnesses or {}).items()
    ]
    seen.sort(key=lambda each: each.cosigned.witness.vkey)
    place = merkle.inclusion_proof(leaves, len(before))
    return LogProof(len(before), len(leaves), place, head(len(leaves)), tuple(seen))


def bundle(
    files: Mapping[str, bytes] = DATA,
    *,
    payload: bytes | None = None,
    signers: Sequence[Key] = (GATE,),
    kind: str = envelope.IN_TOTO,
    log: Key = LOG,
    witnesses: Mapping[str, tuple[Key, int]] | None = None,
    **changes: Any,
) -> Files:
    """A bundle as the gate writes it, or around another ``payload`` that was signed and logged like a record."""
    content = record(files, log=log, **changes).to_payload() if payload is None else payload
    wrapped = signed(content, *signers, kind=kind)
    return {**files, RECORD_FILE: wrapped, PROOF_FILE: prove(wrapped, log=log, witnesses=witnesses).to_bytes()}


def statement(*path_and_value: Any, files: Mapping[str, bytes] = DATA, **changes: Any) -> Files:
    """A bundle whose statement, properly signed and logged, has another value at a path (``...`` removes the field)."""
    *path, value = path_and_value
    document = record(files, **changes).to_dict()
    place: Any = document
    for name in path[:-1]:
        place = place[name]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return bundle(files, payload=canonical.encode(document))


def trust(*keys: TrustedKey, root: Key = ROOT, issued: datetime = PAST) -> bytes:
    """A trust file of these keys."""
    return TrustFile(1, issued, keys).sign(root)


def listed(
    role: Role,
    holder: Key,
    *,
    start: datetime = PAST,
    end: datetime = EXPIRES,
    revoked: Revocation | None = None,
) -> TrustedKey:
    return TrustedKey(role, f"the {role}", holder.public_key(), start, end, revoked)


@dataclass(frozen=True)
class Case:
    """One bundle, what to verify it with, and what every verifier must answer."""

    name: str
    about: str
    files: Files
    why: str | None = None  # None: verified
    decision: str = "allowed"
    expired: bool = False
    keys: tuple[str, ...] = ("gate",)
    trust: bytes | None = None
    root: str = "root"
    witnesses: tuple[str, ...] = ()
    authority: str | None = None
    prepare: tuple[Mapping[str, str], ...] = field(default=())
