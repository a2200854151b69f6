"""The custodian's workspace: keys, ledger, log, records, evidence; strict permissions throughout.

| name | holds |
|---|---|
| `sluice-workspace` | marks the folder and its layout version |
| `keys/` | `gate.pem`, `log.pem` (encrypted), their `.pub.pem`, `commitment.key` |
| `ledger.sqlite` | every attempt |
| `log/` | the transparency log |
| `records/` | every signed record, by its place in the log |
| `evidence/` | exact values and the report of each release; never leaves the custodian |
| `staging/` | a bundle being prepared; emptied when its process is gone |
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from audit.record import files, keys
from audit.record.envelope import IN_TOTO, verify
from audit.record.envelope import MAX_BYTES as MAX_ENVELOPE
from audit.record.errors import RecordError
from audit.record.log import ReleaseLog
from audit.record.statement import ReleaseRecord
from gateway.errors import GatewayError, WorkspaceError
from gateway.files import make_private_folder, write_private
from gateway.ledger import Ledger

_MARK = "sluice-workspace"
_LAYOUT = b"1\n"
_FOLDERS = ("keys", "records", "evidence", "staging")


@dataclass(frozen=True)
class UnlockedKeys:
    """The private keys of a workspace, in memory for one command."""

    gate: Ed25519PrivateKey
    log: Ed25519PrivateKey
    commitment: bytes

    def commit_file(self, path: Path) -> str:
        """Keyed commitment to a source file: HMAC-SHA256, so that small tables cannot be guessed from the record.

        Raises
        ------
        GatewayError
            The file cannot be read.
        """
        try:
            commitment = hmac.new(self.commitment, digestmod=hashlib.sha256)
            with path.open("rb") as file:
                while chunk := file.read(1 << 20):
                    commitment.update(chunk)
            return commitment.hexdigest()
        except OSError as cause:
            raise GatewayError(f"{path.name}: cannot be read ({cause.strerror}); check the path") from None

    @property
    def commitment_id(self) -> str:
        """Names the commitment key without revealing it."""
        return hmac.new(self.commitment, b"sluice commitment key id", hashlib.sha256).hexdigest()[:16]


@dataclass(frozen=True)
class Workspace:
    """An existing workspace whose permissions have been checked."""

    folder: Path

    @classmethod
    def create(cls, folder: Path, passphrase: bytes) -> Workspace:
        """Make a workspace with new keys, an empty ledger and an empty log.

        Raises
        ------
        WorkspaceError
            The folder exists, or cannot be made.
        """
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
        write_private(folder / "keys" / "commitment.key", secrets.token_bytes(32))
        Ledger.create(folder / "ledger.sqlite")
        ReleaseLog.create(folder / "log", _origin(log.public_key()), log)
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

    def unlock(self, passphrase: bytes) -> UnlockedKeys:
        """The private keys.

        Raises
        ------
        KeyFileError
            Wrong passphrase, or a key file that others could have read.
        """
        return UnlockedKeys(
            gate=keys.load_private_key(self.folder / "keys" / "gate.pem", passphrase),
            log=keys.load_private_key(self.folder / "keys" / "log.pem", passphrase),
            commitment=files.read(self.folder / "keys" / "commitment.key", maximum=64, error=RecordError),
        )

    @property
    def gate_public_key(self) -> Path:
        """The key verifiers need."""
        return self.folder / "keys" / "gate.pub.pem"

    def key_id(self) -> str:
        """Id of the gate key: SHA-256 of its DER SubjectPublicKeyInfo."""
        return keys.key_id(keys.load_public_key(self.gate_public_key))

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.folder / "ledger.sqlite")

    @property
    def records(self) -> Path:
        return self.folder / "records"

    @property
    def staging(self) -> Path:
        return self.folder / "staging"

    def log(self, unlocked: UnlockedKeys) -> ReleaseLog:
        """The transparency log, held against the last checkpoint the ledger remembers."""
        return ReleaseLog(
            self.folder / "log", _origin(unlocked.log.public_key()), unlocked.log, seen=self.ledger.last_checkpoint()
        )

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
            The newest record is not by this workspace's gate key.
        """
        newest = max(self.records.glob("*.dsse.json"), default=None)
        cited = None
        if newest is not None:
            envelope = files.read(newest, maximum=MAX_ENVELOPE, error=RecordError)
            trusted = keys.load_public_key(self.gate_public_key)
            cited = ReleaseRecord.from_payload(verify(envelope, trusted, payload_type=IN_TOTO)).ledger_head
        self.ledger.verify(cited=cited)


def _origin(log_key: Ed25519PublicKey) -> str:
    """Name of this workspace's log: unique, and tells nothing of the custodian."""
    return f"sluice.log/{keys.key_id(log_key)[:16]}"
