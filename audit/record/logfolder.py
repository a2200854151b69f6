"""What lies in the log's folder, and does it agree with what the log has signed?

Layout and recovery are described in ``log``; here everything is read and nothing is written.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.record import canonical, fields, files, merkle
from audit.record.cosignature import MAX_WITNESSES, Cosigned, Sighting
from audit.record.errors import LogError, RecordError, VerificationError
from audit.record.note import MAX_NOTE, Checkpoint, open_note
from audit.record.proof import LogProof, Witnessed

MAX_ENTRIES = 1_000_000
_MAX_WITNESSED = MAX_WITNESSES * 2 * MAX_NOTE
Seen = bytes | Checkpoint | None  # a checkpoint kept elsewhere: as signed by the log's present key, or opened already
LINE = 65  # bytes of one entry with its newline
_ENTRIES = re.compile(rb"(?:[0-9a-f]{64}\n)*")
_PENDING = re.compile(r"sluice pending entry\n(0|[1-9][0-9]{0,15})\n([0-9a-f]{64})\n")


@dataclass(frozen=True)
class LogState:
    """A log that agrees with its checkpoint.

    ``entries`` are those under the checkpoint, ``note`` is the checkpoint as signed, ``pending`` index and entry of an
    append that was not ended. ``witnessed`` is the last checkpoint of this log that each witness has cosigned, and
    what that says.
    """

    entries: tuple[bytes, ...]
    checkpoint: Checkpoint
    note: bytes
    pending: tuple[int, bytes] | None
    witnessed: tuple[tuple[Cosigned, Sighting], ...] = ()

    @property
    def leaves(self) -> list[bytes]:
        """Leaf hashes in order."""
        return [merkle.leaf_hash(entry) for entry in self.entries]

    def prove(self, index: int) -> LogProof:
        """The proof of one entry against this checkpoint."""
        leaves = self.leaves
        witnessed = tuple(
            Witnessed(cosigned, merkle.consistency_proof(leaves, sighting.checkpoint.size))
            for cosigned, sighting in self.witnessed
        )
        return LogProof(index, len(leaves), merkle.inclusion_proof(leaves, index), self.note, witnessed)


def read_state(folder: Path, origin: str, key: Ed25519PublicKey) -> LogState:
    """Everything in the folder, checked against the checkpoint, and that against the key.

    Raises
    ------
    LogError
        A file is missing or malformed, the checkpoint is by another key, or entries were added, removed or changed.
    """
    note = files.read(folder / "checkpoint", maximum=MAX_NOTE, error=LogError)
    try:
        checkpoint = Checkpoint.open(note, origin, key)
    except VerificationError as cause:
        raise LogError(
            f"log {folder.name}: {cause}; restore the log, or give the key and origin it was made with"
        ) from None
    lines = files.read(folder / "entries", maximum=MAX_ENTRIES * LINE, error=LogError)
    covered = checkpoint.size * LINE
    if len(lines) < covered:
        raise LogError(
            f"log {folder.name}: {len(lines) // LINE} whole entries, the checkpoint was signed over "
            f"{checkpoint.size}; entries were removed: restore them"
        )
    pending = _pending(folder, checkpoint, key)
    rest = lines[covered:]
    begun = b"" if pending is None or pending[0] != checkpoint.size else entry_line(pending[1])
    if not begun.startswith(rest):
        raise LogError(
            f"log {folder.name}: {len(rest)} bytes beyond the signed entries; somebody added them: remove them"
        )
    if _ENTRIES.fullmatch(lines, 0, covered) is None:
        raise LogError(f"log {folder.name}: entries are not lines of 64 hexadecimal digits; restore them")
    entries = tuple(bytes.fromhex(line) for line in lines[:covered].decode("ascii").split())
    if merkle.root([merkle.leaf_hash(entry) for entry in entries]) != checkpoint.root:
        raise LogError(f"log {folder.name}: the entries are not those the checkpoint was signed over; restore them")
    if (
        pending is not None
        and pending[0] != len(entries)
        and (pending[0] + 1, pending[1:]) != (len(entries), entries[-1:])
    ):
        raise LogError(
            f"log {folder.name}: the pending entry has no place after {checkpoint.size} entries; restore the log"
        )
    return LogState(entries, checkpoint, note, pending, _read_witnessed(folder, entries, origin, key))


def entry_line(entry: bytes) -> bytes:
    """How an entry lies in ``entries``."""
    return entry.hex().encode("ascii") + b"\n"


def witnessed_file(witnessed: Iterable[Cosigned]) -> bytes:
    """How cosigned checkpoints lie in ``witnessed``."""
    ordered = sorted(witnessed, key=lambda each: each.witness.vkey)
    return canonical.encode({"version": 1, "witnessed": [each.to_dict() for each in ordered]})


def check_seen(state: LogState, seen: Seen, origin: str, key: Ed25519PublicKey) -> None:
    """Return if the log begins with the tree of ``seen``, a checkpoint kept elsewhere: signed by ``key``, or opened.

    Raises
    ------
    LogError
        It does not: the whole folder was rolled back or forked.
    """
    if seen is None:
        return
    try:
        before = Checkpoint.open(seen, origin, key) if isinstance(seen, bytes) else seen
    except VerificationError as cause:
        raise LogError(f"the checkpoint kept elsewhere: {cause}; it is not of this log") from None
    check_extends(state.entries, before, "kept elsewhere")


def check_extends(entries: Sequence[bytes], before: Checkpoint, whose: str) -> None:
    """Return if a log of these entries begins with the tree of ``before``, a checkpoint it has signed earlier.

    Raises
    ------
    LogError
        It does not: rolled back, or forked.
    """
    if len(entries) < before.size:
        raise LogError(
            f"the log has {len(entries)} entries, a checkpoint {whose} {before.size}: an older copy "
            "was put back; restore the newer one"
        )
    if merkle.root([merkle.leaf_hash(entry) for entry in entries[: before.size]]) != before.root:
        raise LogError(f"the first {before.size} entries are not those of a checkpoint {whose}: the log was forked")


@contextlib.contextmanager
def locked(folder: Path, *, exclusive: bool, wait: float) -> Iterator[None]:
    """Hold the log, alone or with other readers; a ``LogError`` if others hold it for ``wait`` seconds."""
    with files.open_regular(folder / "lock", LogError) as descriptor:
        give_up = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= give_up:
                    raise LogError(f"log {folder.name}: another writer has held it for {wait:g} s; try again") from None
                time.sleep(0.02)
            except OSError as cause:
                raise LogError(f"log {folder.name}: cannot be locked ({cause.strerror}); use a local disk") from None
            else:
                break
        yield  # closing the descriptor gives the lock back


def _pending(folder: Path, checkpoint: Checkpoint, key: Ed25519PublicKey) -> tuple[int, bytes] | None:
    """Index and entry of an append that was begun."""
    path = folder / "pending"
    if not os.path.lexists(path):
        return None
    try:
        text = open_note(files.read(path, maximum=MAX_NOTE, error=LogError), checkpoint.origin, key)
    except VerificationError as cause:
        raise LogError(f"log {folder.name}: the pending entry: {cause}; somebody put it there: remove it") from None
    match = _PENDING.fullmatch(text)
    if match is None:
        raise LogError(f"log {folder.name}: the pending file is another kind of note; remove it")
    return int(match[1]), bytes.fromhex(match[2])


def _read_witnessed(
    folder: Path, entries: tuple[bytes, ...], origin: str, key: Ed25519PublicKey
) -> tuple[tuple[Cosigned, Sighting], ...]:
    path = folder / "witnessed"
    if not os.path.lexists(path):
        return ()
    content = files.read(path, maximum=_MAX_WITNESSED, error=LogError)
    try:
        document = fields.members(
            canonical.parse(content, maximum=_MAX_WITNESSED, what="witnessed"), "witnessed", ("version", "witnessed")
        )
        found = [Cosigned.from_dict(each) for each in fields.items(document["witnessed"], "witnessed")]
        opened = tuple((each, each.open(origin, key)) for each in found)
    except RecordError as cause:
        raise LogError(f"log {folder.name}: witnessed: {cause}; restore it, or have it cosigned again") from None
    if content != witnessed_file(found) or len({each.witness.vkey for each in found}) != len(found):
        raise LogError(f"log {folder.name}: witnessed: expected each witness once, in order, under version 1")
    for _, sighting in opened:
        check_extends(entries, sighting.checkpoint, f"witness {sighting.witness.name} has cosigned")
    return opened
