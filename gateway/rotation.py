"""A new gate or log key in place of the old one; records, log and ledger go on.

Done in steps that each appear whole, so that a crash at any of them is mended by calling it again:

1. the new key is made, or its token found, under the name ``ROLE.next``; the public half last;
2. the keyring lists it, and ends the old key's window;
3. the log's head is signed by the new log key;
4. the new files take the old ones' names; the old private key is gone.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from audit.record import files
from audit.record.errors import KeyFileError
from audit.record.hsm import TokenReference
from audit.record.keys import (
    PublicKey,
    generate_key,
    load_private_key,
    load_public_key,
    load_verifying_key,
    write_private_key,
    write_public_key,
)
from audit.record.logkey import rotate_log_key
from audit.record.trust import TrustedKey
from gateway.errors import WorkspaceError
from gateway.files import write_private
from gateway.keyring import DEFAULT_DAYS, Keyring, changing
from gateway.signing import NEXT, PRIVATE, PUBLIC, TOKEN
from gateway.workspace import Workspace


def rotate(
    workspace: Workspace,
    role: Literal["gate", "log"],
    passphrase: bytes,
    *,
    days: int = DEFAULT_DAYS,
    token: TokenReference | None = None,
    now: datetime | None = None,
) -> TrustedKey:
    """Put a new key in force, or finish what a crash cut short; returns its entry in the keyring.

    Parameters
    ----------
    days
        How long the new key is to be valid.
    token
        A key in a hardware token that is to be the gate's; without it a key is made and kept in the workspace.

    Raises
    ------
    WorkspaceError
        The token's key is in use, or a key for the log, which signs with Ed25519 alone.
    KeyFileError, LogError
        Wrong passphrase; the log does not agree with itself.
    """
    if token is not None and role != "gate":
        raise WorkspaceError("a log signs with Ed25519 (c2sp.org/tlog-checkpoint), no token does here; leave out --hsm")
    folder = workspace.folder / "keys"
    with changing(folder):
        new = _prepared(folder, role, passphrase, token)
        ring = Keyring.load(folder)
        if ring.find(new) is None:
            moment = now or datetime.now(UTC)
            old = load_verifying_key(folder / f"{role}{PUBLIC}")
            before = ring.find(old)
            holder = role if before is None else before.holder
            ring = ring.with_end(old, moment).with_key(role, holder, new, days=days, now=moment)
            ring.save(folder)
        if role == "log":
            _sign_head(workspace, folder, passphrase)
        _put_in_force(folder, role)
        entry = ring.find(new)
    if entry is None:
        raise WorkspaceError("the keyring was changed by another command; run this one again")
    return entry


def _prepared(folder: Path, role: str, passphrase: bytes, token: TokenReference | None) -> PublicKey:
    """The new key's public half, its private half or reference beside it."""
    stem, public = folder / f"{role}{NEXT}", folder / f"{role}{NEXT}{PUBLIC}"
    if public.exists():
        key = load_verifying_key(public)
        if token is not None and token.public_key != key:
            raise WorkspaceError(f"a rotation of the {role} key to another key was cut short; finish it without --hsm")
        return key
    for suffix in (PRIVATE, TOKEN):  # of a key that was never listed
        stem.with_name(stem.name + suffix).unlink(missing_ok=True)
    if token is not None:
        if Keyring.load(folder).find(token.public_key) is not None:
            raise WorkspaceError("this token's key is listed already; make a new key in the token")
        write_private(stem.with_name(stem.name + TOKEN), token.to_bytes())
        write_public_key(public, token.public_key)
        return token.public_key
    load_private_key(folder / f"log{PRIVATE}", passphrase)  # one passphrase for the workspace, not two
    key_pair = generate_key()
    write_private_key(stem.with_name(stem.name + PRIVATE), key_pair, passphrase)
    write_public_key(public, key_pair.public_key())
    return key_pair.public_key()


def _sign_head(workspace: Workspace, folder: Path, passphrase: bytes) -> None:
    path = folder / f"log{NEXT}{PRIVATE}"
    if not path.exists():
        return  # it has taken the old key's name already, and came there after this step
    new = load_private_key(path, passphrase)
    if new.public_key() != load_public_key(folder / f"log{NEXT}{PUBLIC}"):
        raise KeyFileError(f"{path.name}: is another key than its public half says; remove both and rotate again")
    former = load_private_key(folder / f"log{PRIVATE}", passphrase)
    rotate_log_key(workspace.folder / "log", workspace.log_origin(), former, new, seen=workspace.seen_checkpoint())


def _put_in_force(folder: Path, role: str) -> None:
    try:
        for suffix, other in ((TOKEN, PRIVATE), (PRIVATE, TOKEN)):
            path = folder / f"{role}{NEXT}{suffix}"
            if path.exists():
                path.replace(folder / f"{role}{suffix}")
                (folder / f"{role}{other}").unlink(missing_ok=True)
        files.sync_folder(folder)
        (folder / f"{role}{NEXT}{PUBLIC}").replace(folder / f"{role}{PUBLIC}")
        files.sync_folder(folder)
    except OSError as cause:
        raise WorkspaceError(f"keys: cannot be written ({cause.strerror}); mend that and rotate again") from None
