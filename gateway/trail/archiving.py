"""What goes into an archive of the trail, and who signs it?"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from audit.record import files
from audit.record.approval import ReleaseAction
from audit.record.envelope import IN_TOTO, verify
from audit.record.errors import RecordError, VerificationError
from audit.record.keys import EnvelopeSigner, load_private_key
from audit.record.trail import Entry
from audit.record.trailfile import ROOT_FILE, TRUST_FILE, pack
from audit.record.trust import MAX_BYTES
from gateway.errors import GatewayError
from gateway.signing import check_in_force
from gateway.trail.reading import Kept
from gateway.trail.wanted import Wanted
from gateway.trail.words import safe
from gateway.workspace import Workspace

_LONGEST = 2000  # characters of one problem in the index


def archive_of(
    kept: Kept, entries: Iterable[Entry], wanted: Wanted, workspace: Workspace, signer: EnvelopeSigner, now: datetime
) -> bytes:
    """The archive file of the chosen records and of all that was said about them. Broken ones go along as they are.

    Raises
    ------
    GatewayError
        The log does not hold, so nothing could be proven from it; or the key is neither the log's nor an officer's.
    """
    if kept.trail.log is None:
        raise GatewayError("the log does not hold, so an archive would prove nothing; see gateway log verify")
    _check_signer(signer, workspace, now)
    chosen = tuple(entries)
    names = {each.name for each in chosen}
    digests = {each.sha256 for each in chosen}
    trust = {}
    for name in (TRUST_FILE, ROOT_FILE):
        if (workspace.folder / name).exists():
            trust[name] = files.read(workspace.folder / name, maximum=2 * MAX_BYTES, error=GatewayError)
    problems = [*kept.trail.problems, *(f"{each.name}: {each.problem}" for each in chosen if each.problem)]
    return pack(
        {name: content for name, content in kept.records.items() if name in names},
        {name: content for name, content in kept.actions.items() if _about(content, kept) in digests},
        kept.trail.log,
        kept.trust.keys,
        signer,
        exported_at=now,
        chosen=wanted.to_dict(),
        trust=trust if len(trust) == 2 else {},
        problems=tuple(safe(" ".join(each.split()))[:_LONGEST] for each in problems),
    )


def log_signer(workspace: Workspace, passphrase: bytes) -> EnvelopeSigner:
    """The log's own key, if it may sign now.

    Raises
    ------
    KeyFileError, WorkspaceError
        A wrong passphrase, or a key that may not sign.
    """
    check_in_force(workspace.folder / "keys", "log")
    return load_private_key(workspace.folder / "keys" / "log.pem", passphrase)


def _check_signer(signer: EnvelopeSigner, workspace: Workspace, now: datetime) -> None:
    entry = workspace.keyring.find(signer.public_key())
    if entry is None or entry.role not in ("log", "officer"):
        raise GatewayError("an archive is signed by the log or by an officer; give an officer's key, or none")
    try:
        entry.check(entry.role, now)
    except VerificationError as cause:
        raise GatewayError(str(cause)) from None


def _about(content: bytes, kept: Kept) -> str:
    """The record that an act is about; empty for one that does not hold, which the trail's problems name."""
    try:
        return ReleaseAction.from_payload(verify(content, kept.trust.public_keys, payload_type=IN_TOTO)).record_sha256
    except RecordError:
        return ""
