"""Which records are genuine, which may be relied on today, and is any of them altered or gone?

The same answer for a custodian's own workspace and for an archive that was handed out. Nothing is skipped: a file that
does not hold is an entry with its problem, and so is a log entry whose file is missing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.record import envelope, merkle, oversight, standing
from audit.record.approval import ReleaseAction
from audit.record.archive import LogArchive
from audit.record.clock import check_not_ahead
from audit.record.errors import RecordError, VerificationError
from audit.record.oversight import Logged, VoidAct
from audit.record.proof import LogProof, entry_of
from audit.record.statement import ReleaseRecord
from audit.record.trust import TrustFile

Standing = Literal[
    "in force", "denied", "expired", "superseded", "withheld", "revoked", "unlogged", "broken", "missing"
]


@dataclass(frozen=True)
class Entry:
    """One record of the trail, or what is left of it.

    ``name`` is its file, ``sha256`` that of the file, or what the log says it should be. ``problem`` says why it is not
    genuine; then ``record`` is ``None``. ``withheld`` says why a genuine one may not be relied on: revoked, refused, or
    lacking approvals. ``void`` are acts on it that count for nothing. ``unlogged`` is one that a crash left between
    signing and logging: no bundle was made of it.
    """

    name: str
    sha256: str
    index: int | None = None
    record: ReleaseRecord | None = None
    actions: tuple[ReleaseAction, ...] = ()
    void: tuple[VoidAct, ...] = ()
    signed_by: tuple[str, ...] = ()
    problem: str = ""
    withheld: str = ""
    missing: bool = False
    unlogged: bool = False

    @property
    def overridden(self) -> bool:
        """Whether an officer overruled somebody who refused it."""
        return any(each.action == "override" for each in self.actions)

    def standing(self, now: datetime) -> Standing:
        """In one word, as of ``now`` (an aware time)."""
        if self.record is None:
            return "missing" if self.missing else "broken"
        actions = {each.action for each in self.actions}
        found: tuple[tuple[bool, Standing], ...] = (
            (self.unlogged, "unlogged"),
            ("revoke" in actions, "revoked"),
            (not self.record.allowed, "denied"),
            (bool(self.withheld), "withheld"),
            ("supersede" in actions, "superseded"),
            (self.record.expired(now), "expired"),
        )
        return next((word for holds, word in found if holds), "in force")

    def to_dict(self, now: datetime) -> dict[str, Any]:
        """Where the record stands, as JSON values."""
        return {
            "file": self.name,
            "sha256": self.sha256,
            "logIndex": self.index,
            "standing": self.standing(now),
            "problem": self.problem or None,
            "withheld": self.withheld or None,
            "voidActions": [each.to_dict() for each in self.void],
        }


@dataclass(frozen=True)
class Trail:
    """Records in the order of the log, files that are not in it last.

    ``problems`` are of the trail as a whole: the log, the ledger, actions that do not hold or are void.
    """

    entries: tuple[Entry, ...]
    problems: tuple[str, ...]
    log: LogArchive | None

    @property
    def sound(self) -> bool:
        """Whether everything holds."""
        return not self.problems and not any(each.problem for each in self.entries)


def read_trail(
    records: Mapping[str, bytes],
    actions: Mapping[str, bytes],
    log: LogArchive | None,
    key: Ed25519PublicKey,
    trust: TrustFile,
    *,
    whole: bool = True,
    now: datetime | None = None,
) -> Trail:
    """Check every envelope of a trail against the keys and the log.

    Parameters
    ----------
    records, actions
        Envelopes by the name of their file.
    log
        A log that has been opened with ``key``; ``None`` where it cannot be: then no record is genuine.
    whole
        Whether the envelope of every entry of the log should be among them.
    now
        An aware time: what bears a later date is false. The present by default.
    """
    ground = _Ground(log, key, trust, now or datetime.now(UTC))
    said, problems = _read_actions(actions, ground)
    entries = [_examined(name, content, ground, said) for name, content in records.items()]
    problems += [f"{each.name}: {act}" for each in entries for act in each.void]
    known = {each.sha256 for each in entries}
    if log is not None and whole:
        problems += [
            f"actions of log entry {index}: about a record that is not here"
            for sha256, listed in said.items()
            for index, _ in listed
            if sha256 not in known
        ]
        held = known | {hashlib.sha256(content).hexdigest() for content in actions.values()}
        entries += [
            Entry(f"log entry {index}", entry.hex(), index, problem="gone: its file is missing", missing=True)
            for index, entry in enumerate(log.entries)
            if entry.hex() not in held
        ]
    last = 0 if log is None else len(log.entries)
    entries.sort(key=lambda each: (last if each.index is None else each.index, each.name))
    return Trail(tuple(entries), tuple(problems), log)


def tree_of(log: LogArchive) -> merkle.Tree:
    """The log as a tree, hashed once for any number of proofs."""
    return merkle.Tree([merkle.leaf_hash(entry) for entry in log.entries])


def prove(log: LogArchive, index: int, tree: merkle.Tree) -> LogProof:
    """The proof of one entry against the checkpoint of ``log``, whose ``tree_of`` it is."""
    return LogProof(index, tree.size, tree.inclusion_proof(index), log.checkpoint)


_Said = dict[str, list[tuple[int, bytes]]]  # SHA-256 of a record's envelope: place in the log and envelope


class _Ground:
    """What envelopes are held against; places and hashes are worked out once."""

    def __init__(self, log: LogArchive | None, key: Ed25519PublicKey, trust: TrustFile, now: datetime) -> None:
        self.log, self.key, self.trust, self.now = log, key, trust, now
        entries = () if log is None else log.entries
        self.places = {entry: index for index, entry in enumerate(entries)}
        self.tree = None if log is None else tree_of(log)

    def logged(self, place: int, content: bytes) -> Logged:
        if self.log is None or self.tree is None:
            raise VerificationError("the log cannot be used")
        return Logged(content, prove(self.log, place, self.tree))


def _read_actions(actions: Mapping[str, bytes], ground: _Ground) -> tuple[_Said, list[str]]:
    """Actions by the record they are about, in the order of the log; one that cannot be read is a problem."""
    said: _Said = {}
    problems = []
    for name, content in actions.items():
        try:
            payload = envelope.verify(content, ground.trust.public_keys, payload_type=envelope.IN_TOTO)
            about = ReleaseAction.from_payload(payload).record_sha256
        except RecordError as cause:
            problems.append(f"{name}: {cause}")
            continue
        place = ground.places.get(entry_of(content))
        if place is not None:  # else: a crash came between signing and logging, and nobody was told
            said.setdefault(about, []).append((place, content))
    return {about: sorted(listed) for about, listed in said.items()}, problems


def _examined(name: str, content: bytes, ground: _Ground, said: _Said) -> Entry:
    sha256 = hashlib.sha256(content).hexdigest()
    place = ground.places.get(entry_of(content))
    trust = ground.trust
    try:
        payload, signed_by = envelope.verify_signers(content, trust.public_keys, payload_type=envelope.IN_TOTO)
        record = ReleaseRecord.from_payload(payload)
        check_not_ahead("it", record.decided_at, ground.now)
        gates = standing.gate_keys(trust, record, signed_by)
        standing.log_keys(trust, record)
        standing.check_dates(trust, gates, ground.key, None)
        _check_place(record, ground.log, place)
        logged = [ground.logged(*each) for each in said.get(sha256, [])]
        heard = oversight.actions_on(record, content, logged, trust, ground.now)
    except RecordError as cause:
        return Entry(name, sha256, place, problem=str(cause))
    withheld = ""
    try:
        oversight.evaluate(record, heard.actions)
    except VerificationError as cause:
        withheld = str(cause)
    ids = tuple(each.id for each in gates)
    return Entry(name, sha256, place, record, heard.actions, heard.void, ids, withheld=withheld, unlogged=place is None)


def _check_place(record: ReleaseRecord, log: LogArchive | None, place: int | None) -> None:
    if log is None:
        raise VerificationError("nothing shows its place in the log: the log cannot be used")
    if record.log.origin != log.origin:
        raise VerificationError("is of another log")
    if place is not None and record.log.index != place:
        raise VerificationError(f"stands at place {place} of the log and says {record.log.index}")
