"""Was each key that vouches for a record allowed to, when it did?

Roles and windows are held against the times the record bears. Where the gate's key was stolen those times are the
thief's to choose, and only what the thief could not choose counts: a place in the log before the first one the
custodian declares void, shown by a log key that was not stolen too; or, if that was, the word of somebody else that the
record existed before the theft (an RFC 3161 timestamp, a trusted witness's cosignature).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.record.errors import VerificationError
from audit.record.statement import ReleaseRecord
from audit.record.trust import TrustedKey, TrustFile


def gate_keys(
    trust: TrustFile, record: ReleaseRecord, signed_by: Iterable[str], *, threshold: int = 1
) -> tuple[TrustedKey, ...]:
    """Those of the keys with a good signature that were the gate's when and where the record says it was decided.

    Raises
    ------
    VerificationError
        Fewer than ``threshold``; the message says what is wrong with the first other one.
    """
    passed: list[TrustedKey] = []
    problem: VerificationError | None = None
    for entry in filter(None, map(trust.find, signed_by)):
        try:
            entry.check("gate", record.decided_at, log_index=record.log.index)
        except VerificationError as cause:
            problem = problem or cause
        else:
            passed.append(entry)
    if len(passed) < threshold:
        if problem is not None:
            raise VerificationError(f"{problem}; do not use the record, ask the custodian")
        raise VerificationError(f"good signatures by {len(passed)} gate keys, expected {threshold}")
    return tuple(passed)


def log_keys(trust: TrustFile, record: ReleaseRecord) -> list[Ed25519PublicKey]:
    """The keys that may sign the proof of the record's place in the log: the one it names, then those that came later.

    A later key lets the custodian give out a fresh proof after the named key was lost or stolen.

    Raises
    ------
    VerificationError
        The named key was not a log's key when and where the record says it was decided.
    """
    named = trust.find(Ed25519PublicKey.from_public_bytes(record.log.public_key))
    if named is None:
        raise VerificationError("the log key that the record names is not in the trust file; do not use the record")
    try:
        named.check("log", record.decided_at, log_index=record.log.index)
    except VerificationError as cause:
        raise VerificationError(f"{cause}; do not use the record, ask the custodian") from None
    later = (each for each in trust.keys if each.role == "log" and each.revocation is None and each.id != named.id)
    entries = (named, *(each for each in later if each.valid_from >= named.valid_from))
    return [each.public_key for each in entries if isinstance(each.public_key, Ed25519PublicKey)]


def check_dates(
    trust: TrustFile, gates: Iterable[TrustedKey], log_key: Ed25519PublicKey, existed_by: datetime | None
) -> None:
    """Return if no thief can have chosen the record's date: ``existed_by`` is somebody else's word, where there is one.

    ``log_key`` is the one that signed the proof.

    Raises
    ------
    VerificationError
        A gate key was stolen, the log key that shows the record's place was stolen too, and nobody else says that the
        record existed before the theft.
    """
    log = trust.find(log_key)
    if log is None or not log.compromised:
        return
    for gate in gates:
        if gate.revocation is None or not gate.compromised:
            continue
        if existed_by is None or existed_by >= gate.revocation.since:
            raise VerificationError(
                f"the gate key {gate.id[:16]} and the log key {log.id[:16]} were both stolen "
                f"({gate.revocation.reason}), so neither the record's date nor its place in the log shows that it is "
                f"older than {gate.revocation.since:%Y-%m-%d}; ask the custodian for a fresh log proof by the new log "
                "key, or for a timestamp from before that day"
            )
