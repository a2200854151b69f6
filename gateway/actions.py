"""Approvals and refusals, overrides, revocations and supersessions: signed, logged, and put beside the record."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from audit.record import files, keys
from audit.record.approval import Action, ReleaseAction, same_person
from audit.record.envelope import IN_TOTO, MAX_BYTES, verify
from audit.record.errors import RecordError, VerificationError
from audit.record.keys import EnvelopeSigner
from audit.record.log import LogWriter, ReleaseLog
from audit.record.oversight import Logged, to_bytes
from audit.record.statement import ACTIONS_FILE, RECORD_FILE, ReleaseRecord
from audit.record.trust import TrustedKey
from gateway.errors import GatewayError
from gateway.files import make_private_folder, write_private
from gateway.logbook import ACTIONS
from gateway.signing import check_in_force
from gateway.workspace import Workspace


@dataclass(frozen=True)
class Said:
    """One action as it was logged, and the record's whole actions file with it.

    ``counts`` is false for an approval in a role that the policy does not ask for: it can only take a refusal back.
    """

    action: ReleaseAction
    log_index: int
    content: bytes
    counts: bool


def act(
    workspace: Workspace,
    passphrase: bytes,
    target: Path,
    action: Action,
    signer: EnvelopeSigner,
    *,
    reason: str,
    meaning: str = "",
    successor: Path | None = None,
    now: datetime | None = None,
) -> Said:
    """Sign and log what a person says about a record, and renew the actions file of its bundle.

    Parameters
    ----------
    passphrase
        Of the workspace: its log signs the entry. ``signer`` is the person's own key.
    target, successor
        A bundle's folder, or a record's file; ``successor`` is what takes its place, for ``supersede``.

    Raises
    ------
    GatewayError
        The key is not listed, or its holder asked for this release or ran it; a refusal needs no approval.
    RecordError
        The role may not do that; a record is not this workspace's, or not in its log; the successor was denied or
        revoked.
    """
    record_bytes = _read(target)
    record = _opened(record_bytes, workspace)
    moment = (now or datetime.now(UTC)).replace(microsecond=0)
    entry = _entry(signer, workspace)
    following = None if successor is None else _successor(successor, workspace)
    _check_may(action, entry, record)
    statement = ReleaseAction(
        action=action,
        record_sha256=hashlib.sha256(record_bytes).hexdigest(),
        by=entry.holder,
        role=entry.role,
        reason=reason,
        at=moment,
        meaning=meaning,
        superseded_by=following,
    )
    check_in_force(workspace.folder / "keys", "log")
    log_key = keys.load_private_key(workspace.folder / "keys" / "log.pem", passphrase)
    log = ReleaseLog(workspace.folder / "log", workspace.log_origin(), log_key, seen=workspace.seen_checkpoint())
    folder = workspace.folder / ACTIONS
    if not folder.exists():
        make_private_folder(folder)
    with log.writer() as writer:
        for path in (target, *(() if successor is None else (successor,))):
            if writer.prove(_read(path)) is None:
                raise RecordError(f"{path.name}: the record is not in this workspace's log; give the right workspace")
        if following is not None:
            _check_not_revoked(following, folder, workspace, writer)
        index = writer.next_index
        entry.check(entry.role, moment, log_index=index)
        envelope = statement.sign(signer)
        name = f"{index:08d}-{hashlib.sha256(envelope).hexdigest()[:12]}.dsse.json"
        write_private(folder / name, envelope)
        writer.append(envelope)
        said = _logged_on(statement.record_sha256, folder, workspace, writer)
        content = to_bytes(logged for _, logged in said)
    if target.is_dir():
        files.replace(target / ACTIONS_FILE, content, mode=0o600, error=RecordError)
    roles = record.oversight.roles
    return Said(statement, index, content, counts=action != "approve" or not roles or entry.role in roles)


def _check_may(action: Action, entry: TrustedKey, record: ReleaseRecord) -> None:
    terms = record.oversight
    involved = [same_person(name) for name in (terms.requester, terms.operator) if name is not None]
    if action in ("approve", "override") and same_person(entry.holder) in involved:
        raise GatewayError(
            f"{entry.holder} asked for this release or ran it, and cannot {action} it; ask somebody else"
        )
    if action in ("approve", "refuse", "override") and not record.allowed:
        raise GatewayError(
            "the policy has denied this release: there is nothing to approve, and nobody can overrule it"
        )


def _successor(target: Path, workspace: Workspace) -> str:
    """SHA-256 of the envelope of a release that may take another's place."""
    content = _read(target)
    try:
        record = _opened(content, workspace)
    except RecordError as cause:
        raise RecordError(f"the successor {target.name}: {cause}") from None
    if not record.allowed:
        raise RecordError(f"the successor {target.name}: the policy has denied it; give a release that was allowed")
    return hashlib.sha256(content).hexdigest()


def _check_not_revoked(record_sha256: str, folder: Path, workspace: Workspace, writer: LogWriter) -> None:
    said = (action for action, _ in _logged_on(record_sha256, folder, workspace, writer))
    if any(action.action == "revoke" for action in said):
        raise RecordError("the successor was revoked: nobody may rely on it; give another release")


def _entry(signer: EnvelopeSigner, workspace: Workspace) -> TrustedKey:
    entry = workspace.keyring.find(signer.public_key())
    if entry is None:
        raise GatewayError("this key is not listed in the workspace; have it listed: gateway keys add")
    return entry


def _logged_on(
    record_sha256: str, folder: Path, workspace: Workspace, writer: LogWriter
) -> list[tuple[ReleaseAction, Logged]]:
    listed = [entry.public_key for entry in workspace.keyring.keys]
    found = []
    for path in sorted(folder.glob("*.dsse.json")):
        envelope = files.read(path, maximum=MAX_BYTES, error=RecordError)
        action = ReleaseAction.from_payload(verify(envelope, listed, payload_type=IN_TOTO))
        proof = writer.prove(envelope)  # None: a crash came between signing and logging, and nobody was told
        if action.record_sha256 == record_sha256 and proof is not None:
            found.append((action, Logged(envelope, proof)))
    return found


def _opened(record: bytes, workspace: Workspace) -> ReleaseRecord:
    try:
        return workspace.open_record(record)
    except VerificationError as cause:
        raise RecordError(f"this is no record of the workspace: {cause}") from None


def _read(target: Path) -> bytes:
    path = target / RECORD_FILE if target.is_dir() else target
    return files.read(path, maximum=MAX_BYTES, error=RecordError)
