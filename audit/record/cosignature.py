"""How does a second party say when it saw which checkpoint, and who is it?

Cosignatures ``cosignature/v1`` (c2sp.org/tlog-cosignature, the Ed25519 type) and verifier keys (c2sp.org/signed-note,
"vkey", signature type 0x04). A cosigned checkpoint here is the log's note and one cosignature line, which any C2SP
client reads; it travels with its witness's verifier key, so that every byte of it can be checked even by a reader who
does not trust that witness. Trust comes only from a key the reader already holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.record import canonical, fields
from audit.record.encoding import from_base64, to_base64
from audit.record.errors import RecordError, VerificationError
from audit.record.keys import Signer, key_id
from audit.record.note import COSIGNATURE, MAX_NOTE, Checkpoint, key_hash, parse_signature_line, signature_line

MAX_WITNESSES = 16  # of one log at a time; house
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~:/-]{0,199}")
_VKEY = re.compile(r"([^+\s]+)\+([0-9a-f]{8})\+(\S+)")
_LATEST = 253402300799  # 9999-12-31T23:59:59Z; the specification allows 2**63 - 1, datetime does not


@dataclass(frozen=True)
class WitnessKey:
    """A witness: a URL without its scheme, and its Ed25519 key. The key decides; the name is for people."""

    name: str
    key: Ed25519PublicKey

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or _NAME.fullmatch(self.name) is None:
            raise RecordError("a witness's name must be a URL without its scheme, such as regulator.example/witness")

    @property
    def vkey(self) -> str:
        """``name+key id in hexadecimal+base64(0x04 || key)``."""
        material = to_base64(bytes([COSIGNATURE]) + self.key.public_bytes_raw())
        return f"{self.name}+{key_hash(self.name, self.key, COSIGNATURE).hex()}+{material}"

    @classmethod
    def parse(cls, vkey: object) -> Self:
        """The witness in a verifier key.

        Raises
        ------
        VerificationError
            Not a verifier key of this type, or its parts contradict each other.
        """
        match = _VKEY.fullmatch(vkey) if isinstance(vkey, str) else None
        if match is None:
            raise VerificationError("witness key: expected name+id+key (c2sp.org/signed-note, verifier keys)")
        try:
            material = from_base64(match[3], "the key")
            # one byte of type, then the key; what else it may be, the comparison below finds out
            witness = cls(match[1], Ed25519PublicKey.from_public_bytes(material[1:33].ljust(32)))
        except RecordError as cause:
            raise VerificationError(f"witness key: {cause}") from None
        if witness.vkey != vkey:
            raise VerificationError("witness key: is not the Ed25519 cosignature key (type 0x04) of that name and id")
        return witness


@dataclass(frozen=True)
class Sighting:
    """Which checkpoint a witness vouches for, and when (UTC) it was the largest consistent one it had seen."""

    witness: WitnessKey
    checkpoint: Checkpoint
    at: datetime


@dataclass(frozen=True)
class Cosigned:
    """A checkpoint that a witness has cosigned: the log's ``note`` and the witness's ``line``; true only if opened."""

    note: bytes
    line: str
    witness: WitnessKey

    def open(self, origin: str, log_key: Ed25519PublicKey) -> Sighting:
        """What the witness says, if the log's key and the witness's own both say so.

        Raises
        ------
        VerificationError
            The log did not sign the note, or the witness did not sign the line.
        """
        checkpoint = Checkpoint.open(self.note, origin, log_key)
        name, line_id, signature = parse_signature_line(self.line)
        if name != self.witness.name or line_id != key_hash(name, self.witness.key, COSIGNATURE):
            raise VerificationError("cosignature: is of another witness than its key names")
        seconds = int.from_bytes(signature[:8], "big")
        if len(signature) != 72 or seconds > _LATEST:
            raise VerificationError("cosignature: expected 8 bytes of time and 64 of signature")
        try:
            self.witness.key.verify(signature[8:], _message(_text_of(self.note), seconds))
        except InvalidSignature:
            raise VerificationError("cosignature: was altered, or is not signed by that witness") from None
        return Sighting(self.witness, checkpoint, datetime.fromtimestamp(seconds, UTC))

    def to_dict(self) -> dict[str, Any]:
        """The JSON object that files hold; ``checkpoint`` is a note as any C2SP client reads it."""
        return {"checkpoint": self.note.decode("utf-8") + self.line, "witness": self.witness.vkey}

    def to_bytes(self) -> bytes:
        """The file that a witness sends."""
        return canonical.encode({"version": 1, **self.to_dict()})

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """As ``to_bytes`` writes it; its truth is for ``open`` to say.

        Raises
        ------
        VerificationError
            Not canonical, or not such a file.
        """
        document = canonical.parse(content, maximum=4 * MAX_NOTE, what="cosigned checkpoint")
        if not isinstance(document, dict) or type(version := document.pop("version", None)) is not int or version != 1:
            raise VerificationError("cosigned checkpoint: expected version 1; make one with gateway log witness")
        try:
            return cls.from_dict(document)
        except RecordError as cause:
            raise VerificationError(f"cosigned checkpoint: {cause}") from None

    @classmethod
    def from_dict(cls, value: object) -> Self:
        """As ``to_dict`` writes it; its truth is for ``open`` to say.

        Raises
        ------
        RecordError
            Another shape.
        """
        found = fields.members(value, "cosigned checkpoint", ("checkpoint", "witness"))
        text = found["checkpoint"]
        if not isinstance(text, str) or len(text) > MAX_NOTE or text.count("\n— ") != 2 or not text.endswith("\n"):
            raise RecordError("a cosigned checkpoint must be a note with the log's signature and one cosignature")
        note, _, line = text[:-1].rpartition("\n")
        return cls(f"{note}\n".encode(), f"{line}\n", WitnessKey.parse(found["witness"]))


def cosign(note: bytes, name: str, signer: Signer, at: datetime) -> Cosigned:
    """Cosign a checkpoint as the witness ``name``, at an aware time, cut to the second.

    What this says is that the checkpoint is consistent with every one the witness has seen before: check that first.

    Raises
    ------
    RecordError
        The name is no URL without its scheme.
    """
    witness = WitnessKey(name, signer.public_key())
    seconds = int(at.timestamp())
    signature = seconds.to_bytes(8, "big") + signer.sign(_message(_text_of(note), seconds))
    return Cosigned(note, signature_line(name, key_hash(name, witness.key, COSIGNATURE), signature), witness)


def demand(sightings: Iterable[Sighting], witnesses: Iterable[Ed25519PublicKey], *, size: int) -> tuple[Sighting, ...]:
    """The sighting by each of these ``witnesses``, every one of at least ``size`` entries.

    Raises
    ------
    VerificationError
        One of them has cosigned nothing, or only an earlier state of the log.
    """
    by_key = {sighting.witness.key.public_bytes_raw(): sighting for sighting in sightings}
    found = []
    for witness in witnesses:
        sighting = by_key.get(witness.public_bytes_raw())
        if sighting is None:
            raise VerificationError(
                f"witness {key_id(witness)[:12]} has not cosigned; ask the custodian for a proof made after it has"
            )
        if sighting.checkpoint.size < size:
            raise VerificationError(
                f"witness {sighting.witness.name} has seen {sighting.checkpoint.size} entries of the log, {size} are "
                "needed; ask the custodian for a proof made after it has cosigned again"
            )
        found.append(sighting)
    return tuple(found)


def _text_of(note: bytes) -> bytes:
    """The note's text with its final newline, without the empty line and the signatures."""
    return note.rpartition(b"\n\n")[0] + b"\n"


def _message(text: bytes, seconds: int) -> bytes:
    return b"cosignature/v1\ntime %d\n%b" % (seconds, text)
