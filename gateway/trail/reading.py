"""What does a workspace hold of its past, and is all of it as it was signed? Every record is checked as it is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.record import files
from audit.record.archive import LogArchive
from audit.record.envelope import MAX_BYTES
from audit.record.errors import LogError, RecordError
from audit.record.keys import load_public_key
from audit.record.log import read_log
from audit.record.trail import Entry, Trail, read_trail
from audit.record.trust import TrustFile
from gateway.actions import workspace_trust
from gateway.errors import GatewayError, LedgerError
from gateway.logbook import ACTIONS
from gateway.workspace import Workspace

_ENVELOPES = "*.dsse.json"
_SHORTEST = 8  # characters of a digest


@dataclass(frozen=True)
class Kept:
    """The trail of a workspace, with the envelopes it was read from and the ledger's entries.

    ``ledger`` is empty where the ledger does not hold; the trail's problems then say so.
    """

    trail: Trail
    records: Mapping[str, bytes]
    actions: Mapping[str, bytes]
    trust: TrustFile
    ledger: tuple[dict[str, Any], ...]


def read_workspace(workspace: Workspace, *, now: datetime | None = None) -> Kept:
    """Read and check everything; what does not hold is in the result, not an exception.

    Keys are the workspace's own: whoever can write there can list a key. An archive, checked against a key from
    elsewhere, is for those who do not take the workspace's word.

    Raises
    ------
    WorkspaceError
        The list of keys is missing or not as written: nothing can be checked.
    """
    trust = workspace_trust(workspace, now or datetime.now(UTC))
    key = load_public_key(workspace.log_public_key)
    log, problems = _log(workspace, key)
    records, unread = _envelopes(workspace.records)
    actions, silent = _envelopes(workspace.folder / ACTIONS)
    trail = read_trail(records, actions, log, key, trust)
    events, broken = _ledger(workspace, trail)
    problems += [*trail.problems, *(f"{name}: {problem}" for name, problem in silent.items()), *broken]
    lost = tuple(Entry(name, "", problem=problem) for name, problem in unread.items())
    return Kept(
        replace(trail, entries=(*trail.entries, *lost), problems=tuple(problems)), records, actions, trust, events
    )


def find(entries: Iterable[Entry], which: str) -> Entry:
    """The record that ``which`` names: its place in the log, its file, or the first characters of its SHA-256.

    Raises
    ------
    GatewayError
        None, or more than one.
    """
    found = [
        each
        for each in entries
        if which == each.name
        or (which.isascii() and which.isdecimal() and each.index == int(which))
        or (len(which) >= _SHORTEST and each.sha256.startswith(which))
    ]
    if len(found) != 1:
        raise GatewayError(
            f"{len(found)} records are named so; give the place in the log that gateway audit list shows, the record's "
            f"file name, or at least {_SHORTEST} characters of its SHA-256"
        )
    return found[0]


def _log(workspace: Workspace, key: Ed25519PublicKey) -> tuple[LogArchive | None, list[str]]:
    problems, seen = [], None
    try:
        seen = workspace.seen_checkpoint()
    except LedgerError as cause:
        problems.append(f"ledger: {cause}")
    try:
        state = read_log(workspace.folder / "log", workspace.log_origin(), key, seen=seen)
    except LogError as cause:
        return None, [*problems, f"log: {cause}"]
    witnessed = tuple(cosigned for cosigned, _ in state.witnessed)
    return LogArchive(state.checkpoint.origin, state.entries, state.note, witnessed), problems


def _envelopes(folder: Path) -> tuple[dict[str, bytes], dict[str, str]]:
    """The envelopes of a folder by file name, and why others cannot be read."""
    found: dict[str, bytes] = {}
    unread: dict[str, str] = {}
    for path in sorted(folder.glob(_ENVELOPES)):
        try:
            found[path.name] = files.read(path, maximum=MAX_BYTES, error=RecordError)
        except RecordError as cause:
            unread[path.name] = str(cause)
    return found, unread


def _ledger(workspace: Workspace, trail: Trail) -> tuple[tuple[dict[str, Any], ...], list[str]]:
    cited = [each.record.ledger_head for each in trail.entries if each.record is not None]
    try:
        workspace.ledger.verify(cited=cited)
        return tuple(workspace.ledger.events()), []
    except LedgerError as cause:
        return (), [f"ledger: {cause}"]
