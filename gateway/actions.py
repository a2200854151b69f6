"""Approvals and refusals, overrides, revocations and supersessions: signed, logged, and put beside the record."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from audit.record import files, keys
from audit.record.approval import Action, ReleaseAction, same_person
from audit.record.envelope import IN_TOTO, MAX_BYTES, verify
from audit.record.errors import RecordError, VerificationError
from audit.record.keys import EnvelopeSigner
from audit.record.log import LogWriter, ReleaseLog
from audit.record.oversight import Logged, VoidAct, actions_on, to_bytes
from audit.record.proof import entry_of
from audit.record.statement import ACTIONS_FILE, RECORD_FILE, ReleaseRecord
from audit.record.trust import TrustedKey, TrustFile
from gateway.errors import GatewayError
from gateway.files import make_private_folder, write_private
from gateway.logbook import ACTIONS
from gateway.signing import check_in_force
from gateway.workspace import Workspace


@dataclass(frozen=True)
class Said:
    """One action as it was logged, and the record's whole actions file with it.

    ``counts`` is false for an approval in a role that the policy does not ask for: it can only take a refusal back.
    ``void`` are acts on the same record that count for nothing. ``foreign`` are files among the workspace's acts that
    no listed key has signed: in no actions file, and for somebody to look into.
    """

    action: ReleaseAction
    log_index: int
    content: bytes
    counts: bool
    void: tuple[VoidAct, ...] = ()
    foreign: tuple[str, ...] = ()


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
        revoked; an act that stands in the log is gone from the workspace, or altered.
    """
    record_bytes = _read(target)
    record = _opened(record_bytes, workspace)
    moment = (now or datetime.now(UTC)).replace(microsecond=0)
    entry = _entry(signer, workspace)
    following = None if successor is None else _Successor.open(successor, workspace)
    _check_may(action, entry, record)
    statement = ReleaseAction(
        action=action,
        record_sha256=hashlib.sha256(record_bytes).hexdigest(),
        by=entry.holder,
        role=entry.role,
        reason=reason,
        at=moment,
        meaning=meaning,
        superseded_by=None if following is None else following.sha256,
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
        acts, foreign = logged_acts(workspace, writer.entries)
        if following is not None:
            following.check_not_revoked(_proven(acts.get(following.sha256, []), writer), workspace, moment)
        index = writer.next_index
        entry.check(entry.role, moment, log_index=index)
        envelope = statement.sign(signer)
        name = f"{index:08d}-{hashlib.sha256(envelope).hexdigest()[:12]}.dsse.json"
        write_private(folder / name, envelope)
        writer.append(envelope)
        logged = _proven([*acts.get(statement.record_sha256, []), envelope], writer)
    content = to_bytes(logged)
    heard = actions_on(record, record_bytes, logged, workspace_trust(workspace, moment), moment)
    if target.is_dir():
        files.replace(target / ACTIONS_FILE, content, mode=0o600, error=RecordError)
    roles = record.oversight.roles
    counts = action != "approve" or not roles or entry.role in roles
    return Said(statement, index, content, counts, heard.void, foreign)


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


@dataclass(frozen=True)
class _Successor:
    """A release that is to take another's place."""

    name: str
    envelope: bytes
    record: ReleaseRecord

    @classmethod
    def open(cls, target: Path, workspace: Workspace) -> Self:
        content = _read(target)
        try:
            record = _opened(content, workspace)
        except RecordError as cause:
            raise RecordError(f"the successor {target.name}: {cause}") from None
        if not record.allowed:
            raise RecordError(f"the successor {target.name}: the policy has denied it; give a release that was allowed")
        return cls(target.name, content, record)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.envelope).hexdigest()

    def check_not_revoked(self, acts: Iterable[Logged], workspace: Workspace, now: datetime) -> None:
        heard = actions_on(self.record, self.envelope, acts, workspace_trust(workspace, now), now)
        if any(each.action == "revoke" for each in heard.actions):
            raise RecordError("the successor was revoked: nobody may rely on it; give another release")


def workspace_trust(workspace: Workspace, now: datetime) -> TrustFile:
    """The workspace's own list of keys, in the form that acts are held against."""
    ring = workspace.keyring
    return TrustFile(max(1, ring.trust_version), now.replace(microsecond=0), ring.keys)


def logged_acts(workspace: Workspace, entries: Collection[bytes]) -> tuple[dict[str, list[bytes]], tuple[str, ...]]:
    """The envelopes of acts in the log by the record they are about, and files that no listed key has signed.

    Whether an act counts is for ``audit.record.oversight`` to say.

    Parameters
    ----------
    entries
        Of the workspace's log.

    Raises
    ------
    RecordError
        The envelope of a log entry is gone, and no decision in the ledger says that it was a record: every entry is
        a record or an act, written before it is logged, so an act was altered or taken away.
    LedgerError
        The envelope of a log entry is gone, and the ledger's chain is broken.
    """
    logged = frozenset(entries)
    listed = [entry.public_key for entry in workspace.keyring.keys]
    found: dict[str, list[bytes]] = {}
    foreign, gone = [], set(logged)
    for path in sorted((workspace.folder / ACTIONS).glob("*.dsse.json")):
        envelope = files.read(path, maximum=MAX_BYTES, error=RecordError)
        try:
            about = ReleaseAction.from_payload(verify(envelope, listed, payload_type=IN_TOTO)).record_sha256
        except VerificationError:
            foreign.append(path.name)
            continue
        entry = entry_of(envelope)
        if entry in logged:  # else: a crash came between signing and logging, and nobody was told
            gone.discard(entry)
            found.setdefault(about, []).append(envelope)
    gone -= _records_among(gone, workspace)
    if gone:
        strange = f"{len(foreign)} acts, such as {foreign[0]}, are signed by no listed key, and " if foreign else ""
        raise RecordError(
            f"{strange}the envelopes of {len(gone)} log entries are gone: an act may have been altered or taken away; "
            "restore the workspace's folders actions and records (gateway log show names the entries)"
        )
    return found, tuple(foreign)


def _records_among(entries: Collection[bytes], workspace: Workspace) -> set[bytes]:
    """Those that are records, by the envelopes the workspace holds; one that it has lost, by the ledger's decisions."""
    found = set()
    for path in workspace.records.glob("*.dsse.json"):
        with contextlib.suppress(RecordError):  # not as a gate key signed it: then the ledger has to know it
            envelope = _read(path)
            workspace.open_record(envelope)
            found.add(entry_of(envelope))
    if not found.issuperset(entries):
        decisions = (event for event in workspace.ledger.events() if event["kind"] == "decision")
        found |= {bytes.fromhex(event["recordDigest"]) for event in decisions if "recordDigest" in event}
    return found


def _entry(signer: EnvelopeSigner, workspace: Workspace) -> TrustedKey:
    entry = workspace.keyring.find(signer.public_key())
    if entry is None:
        raise GatewayError("this key is not listed in the workspace; have it listed: gateway keys add")
    return entry


def _proven(envelopes: Iterable[bytes], writer: LogWriter) -> list[Logged]:
    return [Logged(each, proof) for each in envelopes if (proof := writer.prove(each)) is not None]


def _opened(record: bytes, workspace: Workspace) -> ReleaseRecord:
    try:
        return workspace.open_record(record)
    except VerificationError as cause:
        raise RecordError(f"this is no record of the workspace: {cause}") from None


def _read(target: Path) -> bytes:
    path = target / RECORD_FILE if target.is_dir() else target
    return files.read(path, maximum=MAX_BYTES, error=RecordError)
