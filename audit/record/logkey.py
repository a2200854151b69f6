"""How does a log go on under another key, without a break in its history?

The log keeps its origin, its entries and its tree; the new key signs the same head once more. Proofs in bundles that
are out already stand as they are, by the old key that their records name. What witnesses have cosigned is the text of a
checkpoint, not the log's signature on it, so it holds under the new key as well.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.record import canonical, fields, files
from audit.record.cosignature import MAX_WITNESSES, Cosigned
from audit.record.errors import LogError, RecordError, VerificationError
from audit.record.keys import Signer
from audit.record.log import WAIT_SECONDS, ReleaseLog
from audit.record.logfolder import locked, witnessed_file
from audit.record.note import MAX_NOTE, Checkpoint

_MAX_WITNESSED = MAX_WITNESSES * 2 * MAX_NOTE
_MODE = 0o644


def rotate_log_key(
    folder: Path,
    origin: str,
    former: Signer,
    new: Signer,
    *,
    seen: Checkpoint | None = None,
    wait: float = WAIT_SECONDS,
) -> None:
    """Sign the log's head with ``new`` in place of ``former``. Cut short by a crash, it can be called again.

    Raises
    ------
    LogError
        The log was altered, rolled back behind ``seen`` or forked, or cannot be written.
    """
    if not _is_under(folder, origin, new.public_key()):
        with ReleaseLog(folder, origin, former, seen=seen, wait=wait).writer() as writer:
            checkpoint = Checkpoint.open(writer.checkpoint, origin, former.public_key())
            files.replace(folder / "checkpoint", checkpoint.sign(new), mode=_MODE, error=LogError)
    path = folder / "witnessed"
    with locked(folder, exclusive=True, wait=wait):
        if os.path.lexists(path):
            held = _read(path)
            content = witnessed_file(_under(each, origin, former.public_key(), new) for each in held)
            files.replace(path, content, mode=_MODE, error=LogError)


def _is_under(folder: Path, origin: str, key: Ed25519PublicKey) -> bool:
    """Whether the head is signed by the key already."""
    note = files.read(folder / "checkpoint", maximum=MAX_NOTE, error=LogError)
    try:
        Checkpoint.open(note, origin, key)
    except VerificationError:
        return False
    return True


def _under(cosigned: Cosigned, origin: str, former: Ed25519PublicKey, new: Signer) -> Cosigned:
    """What a witness cosigned, with the log's own signature by the new key; left as it is if it has that already."""
    try:
        cosigned.open(origin, new.public_key())
    except VerificationError:
        try:
            sighting = cosigned.open(origin, former)
        except VerificationError as cause:
            raise LogError(f"a cosigned checkpoint: {cause}; restore it, or have it cosigned again") from None
        return replace(cosigned, note=sighting.checkpoint.sign(new))
    return cosigned


def _read(path: Path) -> list[Cosigned]:
    content = files.read(path, maximum=_MAX_WITNESSED, error=LogError)
    try:
        document = canonical.parse(content, maximum=_MAX_WITNESSED, what=path.name)
        found = fields.members(document, path.name, ("version", "witnessed"))
        return [Cosigned.from_dict(each) for each in fields.items(found["witnessed"], path.name)]
    except RecordError as cause:
        raise LogError(f"{path.name}: {cause}; restore it, or have it cosigned again") from None
