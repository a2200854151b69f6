"""From the workspace's keyring to the trust file that verifiers use, and back: propose, then accept once signed.

The root key never comes here. ``keys/trust.dsse.json`` is the version in force, ``keys/root.pub.pem`` the root key it
was signed by. An older version than the one in force is refused, and so is one by another root, unless the root in
force has signed it too.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from audit.record import files
from audit.record.approval import ReleaseAction
from audit.record.envelope import IN_TOTO, verify
from audit.record.envelope import MAX_BYTES as MAX_ENVELOPE
from audit.record.errors import RecordError, VerificationError
from audit.record.keys import PublicKey, key_id, load_public_key, load_verifying_key, public_pem
from audit.record.log import read_log
from audit.record.proof import entry_of
from audit.record.statement import ReleaseRecord
from audit.record.trust import MAX_BYTES, Revocation, TrustedKey, TrustFile
from gateway.errors import WorkspaceError
from gateway.keyring import Keyring, changing
from gateway.logbook import ACTIONS
from gateway.workspace import Workspace

TRUST_FILE = "trust.dsse.json"
ROOT_FILE = "root.pub.pem"


def in_force(workspace: Workspace) -> TrustFile | None:
    """The trust file that the workspace has accepted; ``None`` before the first.

    Raises
    ------
    VerificationError
        It was altered since, is gone, or an older one was put in its place.
    """
    folder = workspace.folder / "keys"
    accepted = workspace.keyring.trust_version
    if not accepted and not (folder / TRUST_FILE).exists():
        return None
    trust = TrustFile.open(_read(folder / TRUST_FILE), load_verifying_key(folder / ROOT_FILE))
    if trust.version < accepted:
        raise VerificationError(
            f"{TRUST_FILE}: version {trust.version}, but version {accepted} was accepted before: an older one was put "
            "in its place; restore the newer one"
        )
    return trust


def propose(workspace: Workspace, *, now: datetime | None = None) -> TrustFile:
    """The next version, for the root key to sign."""
    before = in_force(workspace)
    issued_at = (now or datetime.now(UTC)).replace(microsecond=0)
    return TrustFile(1 if before is None else before.version + 1, issued_at, workspace.keyring.keys)


def accept(workspace: Workspace, path: Path, root: PublicKey | None) -> TrustFile:
    """Put a signed trust file in force.

    Parameters
    ----------
    root
        The root key that must have signed it; only needed the first time, and when the root key itself is replaced.

    Raises
    ------
    VerificationError
        By another root, altered, older than the one in force, or contradicting it.
    WorkspaceError
        No root key is known yet, and none was given.
    """
    with changing(workspace.folder / "keys"):
        return _accept(workspace, path, root)


def _accept(workspace: Workspace, path: Path, root: PublicKey | None) -> TrustFile:
    folder = workspace.folder / "keys"
    pinned = load_verifying_key(folder / ROOT_FILE) if (folder / ROOT_FILE).exists() else None
    roots = list({key_id(each): each for each in (pinned, root) if each is not None}.values())
    if not roots:
        raise WorkspaceError("no root key is known yet; give its public half with --root")
    content = _read(path)
    trust = TrustFile.open(content, roots, threshold=len(roots))
    before = in_force(workspace)
    if before is not None:
        before.check_successor(trust)
    if pinned is None:
        files.replace(folder / ROOT_FILE, public_pem(roots[0]), mode=0o644, error=WorkspaceError)
    files.replace(folder / TRUST_FILE, content, mode=0o644, error=WorkspaceError)
    # a new root after the file: until then the file opens under the old one, which has signed it too
    files.replace(folder / ROOT_FILE, public_pem(roots[-1]), mode=0o644, error=WorkspaceError)
    workspace.keyring.merged(trust).save(folder)
    return trust


def revoke(workspace: Workspace, entry: TrustedKey, revocation: Revocation) -> Keyring:
    """Note a revocation; verifiers learn of it with the next trust file. No release is signed by the key any more.

    A compromised key without ``from_log_index`` gets the index of the first record or action dated from ``since`` on,
    or of the next one. That is as much as dates can tell: where a thief may have logged under earlier dates only, the
    custodian has to say from which entry on nothing is the house's own.

    Raises
    ------
    WorkspaceError
        Revoked already, and this would take some of that back.
    LogError, RecordError
        The log, a record or an action cannot be read.
    """
    if revocation.compromised and revocation.from_log_index is None:
        index = _first_index(workspace, revocation.since)
        revocation = Revocation(revocation.since, revocation.reason, True, index)
    with changing(workspace.folder / "keys"):
        ring = workspace.keyring.with_revocation(entry.public_key, revocation)
        ring.save(workspace.folder / "keys")
    return ring


def standing(entry: TrustedKey, workspace: Workspace, now: datetime) -> str:
    """In one word: current, valid, retired, expired, revoked, stolen."""
    if entry.revocation is not None:
        return "stolen" if entry.compromised else "revoked"
    if entry.role in ("gate", "log"):
        current = load_verifying_key(workspace.folder / "keys" / f"{entry.role}.pub.pem")
        if entry.public_key != current:
            return "retired"
        return "current" if now < entry.valid_until else "expired"
    return "valid" if entry.valid_from <= now < entry.valid_until else "expired"


def _first_index(workspace: Workspace, since: datetime) -> int:
    key = load_public_key(workspace.log_public_key)
    entries = read_log(workspace.folder / "log", workspace.log_origin(), key).entries
    index = len(entries)
    trusted = [each.public_key for each in workspace.keyring.of("gate")]
    for path in workspace.records.glob("*.dsse.json"):  # all of them: a thief's last one may bear any date
        envelope = files.read(path, maximum=MAX_ENVELOPE, error=RecordError)
        record = ReleaseRecord.from_payload(verify(envelope, trusted, payload_type=IN_TOTO))
        if record.decided_at >= since:
            index = min(index, record.log.index)
    listed = [each.public_key for each in workspace.keyring.keys]
    for path in (workspace.folder / ACTIONS).glob("*.dsse.json"):
        envelope = files.read(path, maximum=MAX_ENVELOPE, error=RecordError)
        action = ReleaseAction.from_payload(verify(envelope, listed, payload_type=IN_TOTO))
        if action.at >= since and (entry := entry_of(envelope)) in entries:  # a crash may have kept it from the log
            index = min(index, entries.index(entry))
    return index


def _read(path: Path) -> bytes:
    return files.read(path, maximum=2 * MAX_BYTES, error=VerificationError)
