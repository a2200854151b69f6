"""Does a workspace's log agree with the records it stands for, and with all who remember an earlier state of it?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.record import files
from audit.record.archive import LogArchive
from audit.record.cosignature import Sighting
from audit.record.envelope import MAX_BYTES
from audit.record.errors import LogError, RecordError, VerificationError
from audit.record.keys import load_public_key
from audit.record.log import read_log
from audit.record.logfolder import LogState, check_seen
from audit.record.note import Checkpoint
from audit.record.proof import LogProof, entry_of
from gateway.workspace import Workspace

ACTIONS = "actions"  # folder of a workspace: what people have said about its releases


@dataclass(frozen=True)
class LogBook:
    """The log, whole and consistent, beside the envelopes the workspace holds.

    ``held`` names the file of each entry, ``None`` for one that is missing. ``unlogged`` names files that are not in
    the log: what a crash left between signing and logging; no bundle was ever made of them.
    """

    state: LogState
    held: tuple[str | None, ...]
    unlogged: tuple[str, ...]

    @property
    def sightings(self) -> tuple[Sighting, ...]:
        return tuple(sighting for _, sighting in self.state.witnessed)

    @property
    def missing(self) -> tuple[int, ...]:
        """Indices of entries whose envelope is not in the workspace."""
        return tuple(index for index, name in enumerate(self.held) if name is None)

    @property
    def archive(self) -> LogArchive:
        """The log in one file, for who is not let into the workspace."""
        witnessed = tuple(cosigned for cosigned, _ in self.state.witnessed)
        return LogArchive(self.state.checkpoint.origin, self.state.entries, self.state.note, witnessed)

    def prove(self, envelope: bytes) -> LogProof:
        """A proof against the present checkpoint, with what witnesses have cosigned since.

        Raises
        ------
        LogError
            The envelope is not in this log.
        """
        entry = entry_of(envelope)
        if entry not in self.state.entries:
            raise LogError("this record is not in the workspace's log; give the workspace that made the bundle")
        return self.state.prove(self.state.entries.index(entry))

    def check_whole(self) -> None:
        """Return if the envelope of every entry is held.

        Raises
        ------
        LogError
            There is a gap: records were taken away.
        """
        if self.missing:
            shown = ", ".join(map(str, self.missing[:5]))
            raise LogError(
                f"gap: the records of {len(self.missing)} log entries are missing from the workspace (entry {shown}); "
                "restore them from a backup or from the bundles"
            )


def open_logbook(folder: Path, *, seen: bytes | None = None) -> LogBook:
    """The log of the workspace in ``folder``, checked against its checkpoint, its witnesses, the ledger and ``seen``.

    No private key is unlocked.

    Raises
    ------
    LogError
        Entries were added, removed or changed, or the log was rolled back or forked.
    WorkspaceError
        There is no usable workspace.
    """
    workspace = Workspace.open(folder)
    origin, key = workspace.log_origin(), load_public_key(workspace.log_public_key)
    state = read_log(workspace.folder / "log", origin, key, seen=workspace.seen_checkpoint())
    check_seen(state, None if seen is None else _opened(seen, workspace), origin, key)
    folders = (workspace.records, workspace.folder / ACTIONS)
    found = {_entry(path): path.name for folder in folders for path in sorted(folder.glob("*.dsse.json"))}
    held = tuple(found.pop(entry, None) for entry in state.entries)
    return LogBook(state, held, tuple(sorted(found.values())))


def _opened(seen: bytes, workspace: Workspace) -> Checkpoint:
    """A checkpoint by whichever log key was in force when it was kept."""
    problem = VerificationError("no log key is listed")
    for entry in workspace.keyring.of("log"):
        if isinstance(entry.public_key, Ed25519PublicKey):
            try:
                return Checkpoint.open(seen, workspace.log_origin(), entry.public_key)
            except VerificationError as cause:
                problem = cause
    raise LogError(f"the checkpoint kept elsewhere: {problem}; it is not of this log")


def _entry(path: Path) -> bytes:
    return entry_of(files.read(path, maximum=MAX_BYTES, error=RecordError))
