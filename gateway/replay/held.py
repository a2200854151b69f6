"""What does the custodian still hold of a release, and is it what the signed record speaks of?"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from audit.record import files
from audit.record.envelope import MAX_BYTES
from audit.record.errors import VerificationError
from audit.record.statement import RECORD_FILE, ReleaseRecord
from gateway.commitment import commitment_id, commitment_of
from gateway.errors import GatewayError
from gateway.intake import Snapshot
from gateway.ledger import Attempt
from gateway.private import fresh_commitment
from gateway.settings import SynthesizerSettings
from gateway.workspace import Workspace
from policies import Dictionary, Policy, parse_dictionary, parse_policy

_MAX_EVIDENCE = 1 << 30  # bytes; the places of held out rows of a large table are in it


@dataclass(frozen=True)
class Held:
    """A release as the workspace knows it. ``rows`` is how many were asked for."""

    record: ReleaseRecord
    record_sha256: str
    evidence: Mapping[str, Any]
    policy: Policy
    dictionary: Dictionary
    attempt: Attempt
    rows: int

    @classmethod
    def open(cls, workspace: Workspace, target: Path) -> Held:
        """Find everything by the record, and hold it against the digests that the record carries.

        Raises
        ------
        GatewayError
            ``target`` is no record of this workspace, or what belongs to it is missing or not as recorded; or nothing
            was measured for it.
        LedgerError
            The ledger's chain is broken.
        PolicyError, DictionaryError
            This version of Sluice cannot read them any more.
        """
        envelope = files.read(
            target / RECORD_FILE if target.is_dir() else target, maximum=MAX_BYTES, error=GatewayError
        )  # fmt: skip
        record = _opened(envelope, workspace)
        record_sha256 = hashlib.sha256(envelope).hexdigest()
        events = workspace.ledger.events()
        decision = next((event for event in events if event.get("recordDigest") == record_sha256), None)
        if decision is None:
            raise GatewayError("the ledger knows no decision with this record: give the workspace that made it")
        if decision["attemptSequence"] == 0:
            raise GatewayError("this request was refused before its table was read: nothing was measured to replay")
        asked = events[decision["attemptSequence"] - 1]
        folder = workspace.folder / "evidence" / decision["evidence"]
        evidence = json.loads(_held(folder / "evidence.json", record.evidence_sha256))
        if not evidence["measurements"]:
            raise GatewayError("no candidate was made for this request: nothing was measured to replay")
        return cls(
            record=record,
            record_sha256=record_sha256,
            evidence=evidence,
            policy=parse_policy(_held(folder / "policy.toml", record.policy.sha256)),
            dictionary=parse_dictionary(_held(folder / "dictionary.toml", record.dictionary.sha256)),
            attempt=Attempt(
                asked["sequence"], asked["dataset"], asked["policy"], asked["attempt"], record.attempt.maximum,
                asked["at"],
            ),
            rows=asked["rows"],
        )  # fmt: skip

    @property
    def private(self) -> bool:
        """Whether it was made with noise that nobody can draw again."""
        return self.policy.differential_privacy is not None

    @property
    def seed(self) -> np.random.SeedSequence:
        return np.random.SeedSequence(int(self.evidence["seedEntropy"]))

    @property
    def held_out(self) -> NDArray[np.int64]:
        """Places in the table of the rows held out.

        Raises
        ------
        GatewayError
            The evidence does not say.
        """
        if self.evidence["heldOut"] is None:
            raise GatewayError("the evidence does not say who was held out; use the version that made the release")
        return np.array(self.evidence["heldOut"], dtype=np.int64)

    @property
    def mended(self) -> bool:
        """Whether a remedy made another candidate of the first one."""
        return bool((self.evidence.get("remedies") or {}).get("ran"))

    @property
    def settings(self) -> SynthesizerSettings:
        """What the synthesizer was told.

        Raises
        ------
        GatewayError
            This version of Sluice does not have all of it.
        """
        try:
            return SynthesizerSettings.model_validate(self.evidence["settings"])
        except ValidationError:
            raise GatewayError(
                f"this version of Sluice lacks a setting of the release; use {self.record.software.version}"
            ) from None

    def check_table(self, data: Snapshot, key: bytes) -> None:
        """Refuse a table that is not the one the record was made of.

        Raises
        ------
        GatewayError
            Its keyed commitment is another, or cannot be compared.
        """
        if commitment_id(key) != self.record.source.key_id:
            raise GatewayError(
                "the record's commitment was made with another key than the workspace has now: nobody can tell "
                "whether this is the same table; restore keys/commitment.pem"
            )
        found = commitment_of(data, key)
        salt = bytes.fromhex(self.evidence["commitmentSalt"])
        public = fresh_commitment(key, found, salt) if salt else found
        if not (
            hmac.compare_digest(found, self.evidence["sourceCommitment"])
            and hmac.compare_digest(f"hmac-sha256:{public}", self.record.source.commitment)
        ):
            raise GatewayError(
                f"{data.shown}: is not the table that the release was made of, its keyed commitment differs; find the "
                "original, byte for byte"
            )

    def candidate_files(self, bundle: Path) -> dict[str, bytes]:
        """The released bytes in a bundle.

        Raises
        ------
        GatewayError
            One is missing, or is not what was released.
        """
        return {name: _held(bundle / name, digest) for name, digest in self.evidence["candidate"].items()}


def _opened(envelope: bytes, workspace: Workspace) -> ReleaseRecord:
    try:
        return workspace.open_record(envelope)
    except VerificationError as cause:
        raise GatewayError(f"this is no record of the workspace: {cause}") from None


def _held(path: Path, sha256: str) -> bytes:
    content = files.read(path, maximum=_MAX_EVIDENCE, error=GatewayError)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise GatewayError(
            f"{path.name}: its SHA-256 is not the one on record, it was changed since; restore the original"
        )
    return content
