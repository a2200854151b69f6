"""The custodian's workspace: keys, ledger, log, records, evidence; strict permissions throughout.

| name | holds |
|---|---|
| `sluice-workspace` | marks the folder and its layout version |
| `keys/` | `gate.pem`, `log.pem`, `commitment.pem` (encrypted), two `.pub.pem`; `gate.token.json` where the gate's |
| | key is in a hardware token; `keyring.json`, every key there has been; `trust.dsse.json`, `root.pub.pem` |
| `ledger.json` | where the ledger is (a file here, or PostgreSQL by URL, never with a password), and which one it is |
| `ledger.sqlite` | every attempt and every privacy charge, unless they are in PostgreSQL |
| `ledger.mark` | the last ledger entry that this workspace wrote |
| `log/` | the transparency log |
| `records/` | every signed record, by its place in the log |
| `actions/` | what people have signed about them since: approvals, refusals, revocations |
| `evidence/` | exact values and the report of each release, which never leave the custodian; its bundle as written |
| `splits/` | on which side of the split each person of a dataset is, under keyed digests |
| `staging/` | a bundle being prepared; emptied when its process is gone |
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from audit.record import files, keys
from audit.record.envelope import IN_TOTO, verify
from audit.record.envelope import MAX_BYTES as MAX_ENVELOPE
from audit.record.errors import RecordError, VerificationError
from audit.record.keys import EnvelopeSigner
from audit.record.log import ReleaseLog
from audit.record.note import Checkpoint
from audit.record.statement import ReleaseRecord
from gateway.commitment import commitment_id, commitment_of
from gateway.errors import LedgerError, WorkspaceError
from gateway.files import make_private_folder, write_private
from gateway.keyring import Keyring, new_keyring
from gateway.ledger import Ledger
from gateway.ledger.address import Address
from gateway.passphrase import read_pin
from gateway.signing import check_in_force, open_gate

if TYPE_CHECKING:
    from gateway.intake import Snapshot

_MARK = "sluice-workspace"
_LAYOUT = b"2\n"
_LEDGER_FILE = "ledger.sqlite"
_RECORDS = "*.dsse.json"
_FOLDERS = ("keys", "records", "evidence", "splits", "staging")


@dataclass(frozen=True)
class UnlockedKeys:
    """The private keys of a workspace, in memory for one command."""

    gate: EnvelopeSigner
    log: Ed25519PrivateKey
    commitment: bytes

    def commit(self, table: Snapshot) -> str:
        """Keyed commitment to a source table: HMAC-SHA256, so that small ones cannot be guessed from the record."""
        return commitment_of(table, self.commitment)

    @property
    def commitment_id(self) -> str:
        """Names the commitment key without revealing it."""
        return commitment_id(self.commitment)


@dataclass(frozen=True)
class Workspace:
    """An existing workspace whose permissions have been checked."""

    folder: Path

    @classmethod
    def create(cls, folder: Path, passphrase: bytes, *, ledger: str | None = None) -> Workspace:
        """Make a workspace with new keys, a ledger and an empty log.

        Parameters
        ----------
        ledger
            ``postgresql://user@host:port/database`` keeps the ledger there; workspaces that name one database share
            one ledger, and so each dataset's budget. Without it the ledger is a SQLite file in the workspace. A
            password in the URL is used now and stored nowhere: later commands find it as libpq does.

        Raises
        ------
        WorkspaceError
            The folder exists, or cannot be made.
        LedgerError
            The database cannot be used.
        """
        if ledger is not None and not folder.exists():
            Ledger.create(ledger)  # first, so that a database out of reach leaves no half-made folder
        try:
            make_private_folder(folder)
        except FileExistsError:
            raise WorkspaceError(f"{folder.name} exists and is not overwritten; choose another --workspace") from None
        except OSError as cause:
            raise WorkspaceError(f"{folder.name}: cannot be made ({cause.strerror})") from None
        for name in _FOLDERS:
            make_private_folder(folder / name)
        gate, log = keys.generate_key(), keys.generate_key()
        for name, key in (("gate", gate), ("log", log)):
            keys.write_private_key(folder / "keys" / f"{name}.pem", key, passphrase)
            keys.write_public_key(folder / "keys" / f"{name}.pub.pem", key.public_key())
        keys.write_private_key(folder / "keys" / "commitment.pem", keys.generate_key(), passphrase)
        origin = _origin(log.public_key())
        new_keyring(origin, gate.public_key(), log.public_key()).save(folder / "keys")
        place = folder / _LEDGER_FILE if ledger is None else ledger
        kept = Ledger.create(place, mark=folder / "ledger.mark")
        where = {"place": _LEDGER_FILE if ledger is None else str(Address.parse(ledger)), "identity": kept.identity}
        write_private(folder / "ledger.json", json.dumps(where, indent=1).encode())
        ReleaseLog.create(folder / "log", origin, log)
        (folder / "log").chmod(0o700)
        write_private(folder / _MARK, _LAYOUT)  # last, so that a folder with the mark is a whole workspace
        return cls(folder)

    @classmethod
    def open(cls, folder: Path) -> Workspace:
        """An existing workspace, its permissions checked.

        Raises
        ------
        WorkspaceError
            There is none, its layout is of another version, or others than its owner may enter it.
        """
        try:
            layout = (folder / _MARK).read_bytes()
            mode = stat.S_IMODE(folder.stat().st_mode)
        except OSError:
            raise WorkspaceError(f"{folder}: no workspace here; make one: gateway init --workspace {folder}") from None
        if layout != _LAYOUT:
            raise WorkspaceError(f"{folder.name}: layout of another version of Sluice; use the version that made it")
        if mode & 0o077:
            raise WorkspaceError(f"{folder.name}: others than its owner may enter it; run chmod 700 on it")
        return cls(folder)

    def unlock(self, passphrase: bytes, pin: Callable[[], str] = read_pin) -> UnlockedKeys:
        """The private keys; ``pin`` is asked where the gate's key is in a hardware token.

        Raises
        ------
        KeyFileError
            Wrong passphrase or PIN, a token that is away, or a key file that others could have read.
        WorkspaceError
            A key has expired, is revoked, or is being rotated.
        """
        check_in_force(self.folder / "keys", "log")
        return UnlockedKeys(
            gate=open_gate(self.folder / "keys", passphrase, pin),
            log=keys.load_private_key(self.folder / "keys" / "log.pem", passphrase),
            commitment=self.commitment_key(passphrase),
        )

    def commitment_key(self, passphrase: bytes) -> bytes:
        """The 32-byte key of commitments to source files; who has it can try a guessed table against a record.

        It signs nothing, but is kept in the form of a signing key, so that there is one encryption for all keys.

        Raises
        ------
        KeyFileError
            Wrong passphrase, or a key file that others could have read.
        """
        return keys.load_private_key(self.folder / "keys" / "commitment.pem", passphrase).private_bytes_raw()

    @property
    def gate_public_key(self) -> Path:
        """The key verifiers need."""
        return self.folder / "keys" / "gate.pub.pem"

    def key_id(self) -> str:
        """Id of the gate key: SHA-256 of its DER SubjectPublicKeyInfo."""
        return keys.key_id(keys.load_verifying_key(self.gate_public_key))

    @property
    def keyring(self) -> Keyring:
        """Every key the workspace has had, and those of its approvers and officers."""
        return Keyring.load(self.folder / "keys")

    @property
    def ledger(self) -> Ledger:
        """The workspace's own ledger: another in its place, or an older copy of it, is refused when it is used (I-9).

        Raises
        ------
        LedgerError
            ``ledger.json`` is missing or not as written.
        """
        content = files.read(self.folder / "ledger.json", maximum=8192, error=LedgerError)
        try:
            where = json.loads(content)
            place, identity = str(where["place"]), str(where["identity"])
        except (KeyError, TypeError, ValueError):
            raise LedgerError("ledger.json: not as gateway init wrote it; restore it") from None
        return Ledger(
            self.folder / _LEDGER_FILE if place == _LEDGER_FILE else place,
            identity=identity,
            mark=self.folder / "ledger.mark",
        )

    @property
    def records(self) -> Path:
        return self.folder / "records"

    @property
    def staging(self) -> Path:
        return self.folder / "staging"

    @property
    def splits(self) -> Path:
        return self.folder / "splits"

    @property
    def log_public_key(self) -> Path:
        """The key that witnesses and readers of the log need."""
        return self.folder / "keys" / "log.pub.pem"

    def log_origin(self) -> str:
        """The name under which the log signs; it outlives the log's keys."""
        return self.keyring.origin

    def seen_checkpoint(self) -> Checkpoint | None:
        """The last state of the log that the ledger remembers, signed by whichever log key was in force then.

        Raises
        ------
        LedgerError
            It is not by a log key of this workspace.
        """
        ring = self.keyring
        note = self.ledger.last_checkpoint(ring.origin)
        if note is None:
            return None
        for entry in reversed(ring.of("log")):
            if isinstance(entry.public_key, Ed25519PublicKey):
                with contextlib.suppress(VerificationError):
                    return Checkpoint.open(note, ring.origin, entry.public_key)
        raise LedgerError("the checkpoint in the ledger is by no log key of this workspace; restore keys and ledger")

    @contextlib.contextmanager
    def releasing(self) -> Iterator[None]:
        """One release at a time: what is decided meanwhile would be in nobody's cumulative audit.

        Workspaces that share a ledger do not see each other here.
        """
        # a file of its own: the folder itself is the lock of the ledger's mark
        descriptor = os.open(self.folder / "release.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def log(self, unlocked: UnlockedKeys) -> ReleaseLog:
        """The transparency log, held against the last checkpoint the ledger remembers."""
        return ReleaseLog(self.folder / "log", self.log_origin(), unlocked.log, seen=self.seen_checkpoint())

    def new_evidence_folder(self) -> Path:
        """A private folder for what stays inside, named by time and a random suffix."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        folder = self.folder / "evidence" / f"{stamp}-{secrets.token_hex(4)}"
        make_private_folder(folder)
        return folder

    def check_consistency(self) -> None:
        """Ledger chain intact, and not older than the newest record (I-9).

        Raises
        ------
        LedgerError
            It was edited, or an earlier copy was put back.
        RecordError
            The newest record is by no gate key of this workspace.
        """
        newest = max(self.records.glob(_RECORDS), default=None)
        self.ledger.verify(cited=() if newest is None else (self._cited_by(newest),))

    def check_ledger(self) -> tuple[int, int]:
        """Ledger chain intact, with the state that every single record cites; counts of entries and records.

        Raises
        ------
        LedgerError
            It was edited, put back, or replaced by a copy that went its own way.
        RecordError
            A record is by no gate key of this workspace.
        """
        cited = [self._cited_by(record) for record in sorted(self.records.glob(_RECORDS))]
        return self.ledger.verify(cited=cited), len(cited)

    def open_record(self, envelope: bytes) -> ReleaseRecord:
        """The record in an envelope that a gate key of this workspace has signed, now or in the past.

        Raises
        ------
        VerificationError
            No gate key of this workspace signed it, or it holds no release record.
        """
        gates = [entry.public_key for entry in self.keyring.of("gate")]
        return ReleaseRecord.from_payload(verify(envelope, gates, payload_type=IN_TOTO))

    def _cited_by(self, record: Path) -> str:
        return self.open_record(files.read(record, maximum=MAX_ENVELOPE, error=RecordError)).ledger_head


def _origin(log_key: Ed25519PublicKey) -> str:
    """Name of this workspace's log: unique, and tells nothing of the custodian."""
    return f"sluice.log/{keys.key_id(log_key)[:16]}"
