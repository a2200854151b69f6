"""In what order were records made, and has any been taken away or changed since?

A folder with these files: ``entries`` (SHA-256 of each envelope, one line of 64 hexadecimal digits), ``checkpoint``
(the signed tree head), ``lock``, ``witnessed`` once a second party has cosigned a checkpoint, and while an entry is
being added ``pending``. Adding one entry:

1. ``pending``: the entry and its index, signed, written aside, on disk, renamed into place. From here on the entry
   stands: whatever happens next, the following opening finishes it.
2. ``entries``: the line is added, on disk.
3. ``checkpoint``: the new tree head is signed, written aside, on disk, renamed into place.
4. ``pending`` is removed.

No two different heads of one size are ever signed, because a head is signed only after its entries are on disk. Only
the log's own key can leave a ``pending`` that is believed, so a line slipped into ``entries`` is refused, not adopted.
Putting back an older copy of the *whole* folder cannot be seen from inside it: keep the last checkpoint elsewhere and
pass it as ``seen``, or have a witness keep it (``witness``).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.record import files, merkle
from audit.record.cosignature import MAX_WITNESSES, Cosigned, Sighting
from audit.record.errors import LogError, VerificationError
from audit.record.keys import Signer
from audit.record.logfolder import (
    LINE,
    MAX_ENTRIES,
    LogState,
    Seen,
    check_extends,
    check_seen,
    entry_line,
    locked,
    read_state,
    witnessed_file,
)
from audit.record.note import Checkpoint, check_origin, sign_note
from audit.record.proof import LogProof, entry_of

WAIT_SECONDS = 30.0
_MODE = 0o644  # nothing in here is secret: hashes of envelopes and signatures


class ReleaseLog:
    """The log in ``folder``, named ``origin`` (a URL without its scheme), signed by ``signer``.

    Parameters
    ----------
    seen
        A checkpoint of this log that was kept elsewhere, signed or opened; the log must still begin with that tree.
    wait
        Seconds to wait for another writer.

    Every use reads the folder afresh under its lock and checks all of it, so a ``LogError`` may come from any method.
    """

    def __init__(
        self, folder: Path, origin: str, signer: Signer, *, seen: Seen = None, wait: float = WAIT_SECONDS
    ) -> None:
        check_origin(origin)
        self.folder = folder
        self.origin = origin
        self.public_key = signer.public_key()
        self._signer = signer
        self._seen = seen
        self._wait = wait

    @classmethod
    def create(cls, folder: Path, origin: str, signer: Signer) -> Self:
        """Start an empty log in ``folder``, which is made if need be.

        Raises
        ------
        LogError
            The folder holds anything already, or cannot be written.
        """
        check_origin(origin)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            files.sync_folder(folder.parent)
            found = sum(not _left_by_create(path) for path in folder.iterdir())
        except OSError as cause:
            raise LogError(f"log {folder.name}: cannot be created ({cause.strerror}); check path and rights") from None
        if found:
            raise LogError(f"log {folder.name}: the folder holds {found} other files; start a log in an empty folder")
        files.replace(folder / "lock", b"", mode=_MODE, error=LogError)
        files.replace(folder / "entries", b"", mode=_MODE, error=LogError)
        # last, so that a folder with a checkpoint is always a whole log
        empty = Checkpoint(origin, 0, merkle.EMPTY_ROOT)
        files.create(folder / "checkpoint", empty.sign(signer), mode=_MODE, error=LogError)
        return cls(folder, origin, signer)

    @contextlib.contextmanager
    def writer(self) -> Iterator[LogWriter]:
        """The only writer, for the length of a ``with`` block; an append that a crash cut short is finished first.

        Raises
        ------
        LogError
            The log was altered, rolled back or forked, or another writer holds it for longer than ``wait``.
        """
        with locked(self.folder, exclusive=True, wait=self._wait):
            state = read_state(self.folder, self.origin, self.public_key)
            check_seen(state, self._seen, self.origin, self.public_key)
            if state.pending is not None:
                state = _finish(self.folder, self._signer, state, *state.pending)
            _sweep(self.folder)
            writer = LogWriter(self.folder, self._signer, state)
            try:
                yield writer
            finally:
                writer.close()

    def append(self, envelope: bytes) -> LogProof:
        """Add one envelope; its proof holds index, checkpoint and inclusion proof."""
        with self.writer() as writer:
            return writer.append(envelope)

    def prove(self, envelope: bytes) -> LogProof | None:
        """A proof for an envelope that is in the log, against its present checkpoint; ``None`` if it is not in it."""
        with self.writer() as writer:
            return writer.prove(envelope)


class LogWriter:
    """One writer's hold on the log, from ``ReleaseLog.writer``."""

    def __init__(self, folder: Path, signer: Signer, state: LogState) -> None:
        self._folder = folder
        self._signer = signer
        self._state = state
        self._open = True

    @property
    def next_index(self) -> int:
        """The index the next envelope will get: known, and held, before the envelope is signed."""
        return len(self._state.entries)

    @property
    def entries(self) -> tuple[bytes, ...]:
        """What the log keeps of each envelope (``entry_of``)."""
        return self._state.entries

    @property
    def checkpoint(self) -> bytes:
        """The present signed checkpoint: what to keep elsewhere and pass as ``seen``."""
        return self._state.note

    def append(self, envelope: bytes) -> LogProof:
        """Add one envelope durably.

        Raises
        ------
        LogError
            The envelope is in the log already, the block has ended, or the disk refused. After a refusal this writer is
            closed; the entry is either finished at the next opening or was never begun, and ``prove`` says which.
        """
        if not self._open:
            raise LogError("this writer is closed; open the log again")
        entry = entry_of(envelope)
        index = self.next_index
        if entry in self._state.entries:
            raise LogError(f"this envelope is entry {self._state.entries.index(entry)} already; ask for its proof")
        if index >= MAX_ENTRIES:
            raise LogError(f"the log holds {index} entries, the most it may; start another log with another origin")
        self._open = False  # until it has gone well
        text = f"sluice pending entry\n{index}\n{entry.hex()}\n"
        note = sign_note(text, self._state.checkpoint.origin, self._signer)
        files.replace(self._folder / "pending", note, mode=_MODE, error=LogError)
        self._state = _finish(self._folder, self._signer, self._state, index, entry)
        self._open = True
        return self._state.prove(index)

    def prove(self, envelope: bytes) -> LogProof | None:
        """A proof against the present checkpoint; ``None`` if the envelope is not in the log."""
        entry = entry_of(envelope)
        return self._state.prove(self._state.entries.index(entry)) if entry in self._state.entries else None

    def close(self) -> None:
        """End this writer: the lock is about to go."""
        self._open = False


def check_log(
    folder: Path, origin: str, key: Ed25519PublicKey, *, seen: Seen = None, wait: float = WAIT_SECONDS
) -> Checkpoint:
    """The log's checkpoint, if all its entries are there and agree with it; changes nothing and needs no private key.

    Raises
    ------
    LogError
        An entry was added, removed or changed, the checkpoint is not by this key, or the log no longer begins with the
        tree of ``seen``, a checkpoint kept elsewhere.
    """
    return read_log(folder, origin, key, seen=seen, wait=wait).checkpoint


def read_log(
    folder: Path, origin: str, key: Ed25519PublicKey, *, seen: Seen = None, wait: float = WAIT_SECONDS
) -> LogState:
    """As ``check_log``, with all that the log holds."""
    check_origin(origin)
    with locked(folder, exclusive=False, wait=wait):
        state = read_state(folder, origin, key)
    check_seen(state, seen, origin, key)
    return state


def accept_cosigned(
    folder: Path, origin: str, key: Ed25519PublicKey, cosigned: Cosigned, *, wait: float = WAIT_SECONDS
) -> Sighting:
    """Keep what a witness has cosigned, in place of what it cosigned before; needs no private key.

    Raises
    ------
    LogError
        The cosigned checkpoint is not of this log, older than the one held, or one witness too many.
    """
    check_origin(origin)
    with locked(folder, exclusive=True, wait=wait):
        state = read_state(folder, origin, key)
        try:
            sighting = cosigned.open(origin, key)
        except VerificationError as cause:
            raise LogError(f"the cosigned checkpoint: {cause}; ask the witness for it again") from None
        check_extends(state.entries, sighting.checkpoint, "that was cosigned")
        held = {other.witness.vkey: (other, before) for other, before in state.witnessed}
        before = held.get(cosigned.witness.vkey)
        if before is not None and (before[1].checkpoint.size, before[1].at) > (sighting.checkpoint.size, sighting.at):
            raise LogError("a newer checkpoint cosigned by that witness is held already; nothing was changed")
        held[cosigned.witness.vkey] = (cosigned, sighting)
        if len(held) > MAX_WITNESSES:
            raise LogError(f"{len(held)} witnesses, expected at most {MAX_WITNESSES}")
        content = witnessed_file(each for each, _ in held.values())
        files.replace(folder / "witnessed", content, mode=_MODE, error=LogError)
    return sighting


def _finish(folder: Path, signer: Signer, state: LogState, index: int, entry: bytes) -> LogState:
    """Steps 2 to 4 of an append whose ``pending`` is on disk; it may itself be cut short and begun again."""
    if index == len(state.entries):
        path = folder / "entries"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                os.ftruncate(descriptor, len(state.entries) * LINE)
                os.lseek(descriptor, 0, os.SEEK_END)
                files.write_all(descriptor, entry_line(entry))
            finally:
                os.close(descriptor)
        except OSError as cause:
            raise LogError(
                f"log {folder.name}: the entry cannot be written ({cause.strerror}); make room, then open the log again"
            ) from None
        entries = (*state.entries, entry)
        root = merkle.root([merkle.leaf_hash(each) for each in entries])
        checkpoint = Checkpoint(state.checkpoint.origin, len(entries), root)
        note = checkpoint.sign(signer)
        files.replace(folder / "checkpoint", note, mode=_MODE, error=LogError)
        state = replace(state, entries=entries, checkpoint=checkpoint, note=note)
    try:
        (folder / "pending").unlink()
        files.sync_folder(folder)
    except OSError as cause:
        raise LogError(f"log {folder.name}: pending cannot be removed ({cause.strerror}); check rights") from None
    return replace(state, pending=None)


def _left_by_create(path: Path) -> bool:
    """Whether a ``create`` that a crash cut short may have made this."""
    return path.name == "lock" or (path.name == "entries" and path.stat().st_size == 0) or _is_aside(path)


def _is_aside(path: Path) -> bool:
    return path.name.startswith(".") and path.name.endswith(".tmp")


def _sweep(folder: Path) -> None:
    """Remove what a crash left half written under a temporary name."""
    for path in list(folder.iterdir()):
        if _is_aside(path):
            with contextlib.suppress(OSError):
                path.unlink()
