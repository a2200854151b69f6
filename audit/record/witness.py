"""Does the log go on from where a second party saw it last? Only then does that party cosign.

A witness has its own key and its own state file: the last checkpoint of the log it has cosigned, as the log signed it.
Shown an archive or a growth (``archive``), it accepts the log's new checkpoint only if the tree begins with the one it
knows. If it does not, the two signed checkpoints together prove that the log has shown two histories. The state is
replaced on disk before the cosignature exists (c2sp.org/tlog-witness), so no crash makes it sign two histories.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.record import archive, canonical, fields, files
from audit.record.archive import LogArchive, LogGrowth
from audit.record.cosignature import Cosigned, cosign
from audit.record.encoding import from_base64, to_base64
from audit.record.errors import LogError, RecordError, VerificationError
from audit.record.keys import Signer
from audit.record.logfolder import check_extends
from audit.record.note import MAX_NOTE, Checkpoint

_MAX_STATE = 4 * MAX_NOTE
_MODE = 0o600


def observe(shown: LogArchive | LogGrowth, key: Ed25519PublicKey, seen: Checkpoint | None) -> bytes:
    """The log's new signed checkpoint, if what was ``shown`` leads there from what was ``seen`` (``None``: nothing).

    Raises
    ------
    LogError
        Rolled back, forked, or a gap between what was seen and where the proof begins.
    VerificationError
        Not signed by the log's key, or the proof does not hold.
    """
    if seen is not None and shown.origin != seen.origin:
        raise LogError(f"this is the log {shown.origin}, the one seen before is {seen.origin}; keep a state for each")
    if isinstance(shown, LogArchive):
        shown.open(key)
        if seen is not None:
            check_extends(shown.entries, seen, "that this witness has cosigned")
    else:
        shown.open(key)
        _check_meets(shown, seen)
    if shown.checkpoint is None:  # open has refused it
        raise LogError("the file carries no signed checkpoint, so there is nothing to cosign")
    return shown.checkpoint


def witness_file(
    content: bytes,
    key: Ed25519PublicKey,
    state: Path,
    name: str,
    signer: Signer,
    at: datetime,
    *,
    begin: bool = False,
    former: Sequence[Ed25519PublicKey] = (),
) -> Cosigned:
    """Cosign the log's new checkpoint as ``name``, at an aware time, if it goes on from the checkpoint in ``state``.

    Parameters
    ----------
    content
        An archive file or a growth file (``archive``).
    begin
        There is no state file yet, and this checkpoint, believed as it stands, is to be the first.
    former
        Keys the log had before ``key``; the checkpoint in ``state`` may be by one of them.

    Raises
    ------
    LogError, VerificationError
        As for ``observe``; or the state file is missing, damaged, of another log, or there although ``begin``.
    RecordError
        The name is no URL without its scheme.
    """
    shown = archive.parse(content)
    with _held(state.absolute().parent):
        if begin == os.path.lexists(state):
            raise LogError(
                f"{state.name}: exists already; leave out --begin to go on from it"
                if begin
                else f"{state.name}: no such state file, so a rollback could not be seen; restore it, or --begin anew"
            )
        seen = None if begin else _read(state, (key, *former))
        note = observe(shown, key, seen)
        cosigned = cosign(note, name, signer, at)  # a name that will not do must not move the state
        content = canonical.encode(
            {
                "version": 1,
                "origin": shown.origin,
                "logKey": to_base64(key.public_bytes_raw()),
                "checkpoint": note.decode(),
            }
        )
        files.replace(state, content, mode=_MODE, error=LogError)
    return cosigned


def _check_meets(shown: LogGrowth, seen: Checkpoint | None) -> None:
    """Whether a proof begins exactly where the witness stands."""
    size, root = shown.old
    if seen is None:
        if size:
            raise LogError(f"gap: the proof begins at entry {size}, and nothing was seen before; ask for it from 0")
        return
    if shown.new[0] < seen.size:
        raise LogError(
            f"the log has {shown.new[0]} entries, a checkpoint that this witness has cosigned {seen.size}: an older "
            "copy was put back"
        )
    if size != seen.size:
        raise LogError(
            f"gap: the proof begins at size {size}, the checkpoint cosigned last has {seen.size}; "
            f"ask for one with --from {seen.size}"
        )
    if root != seen.root:
        raise LogError(f"the first {size} entries are not those this witness has cosigned: the log was forked")


def _read(state: Path, keys: Sequence[Ed25519PublicKey]) -> Checkpoint:
    content = files.read(state, maximum=_MAX_STATE, error=LogError)
    try:
        document = canonical.parse(content, maximum=_MAX_STATE, what=state.name)
        found = fields.members(document, "state", ("version", "origin", "logKey", "checkpoint"))
        pinned = Ed25519PublicKey.from_public_bytes(from_base64(found["logKey"], "logKey")[:32].ljust(32))
        if found["version"] != 1 or not isinstance(found["checkpoint"], str) or pinned not in keys:
            raise VerificationError("it is of another log key or version; after a rotation give the former key too")
        return Checkpoint.open(found["checkpoint"].encode(), found["origin"], pinned)
    except RecordError as cause:
        raise LogError(f"{state.name}: is no state of this log ({cause}); restore it") from None


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """One witness process at a time: between reading the state and replacing it nobody else may."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as cause:
        raise LogError(f"{folder.name}: cannot be opened ({cause.strerror}); check the path of the state") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
