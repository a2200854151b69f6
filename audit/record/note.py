"""How does the log sign a short text, and a checkpoint of its tree above all?

Signed notes (c2sp.org/signed-note) with Ed25519, and checkpoints (c2sp.org/tlog-checkpoint). Narrower than the
specifications in one point: exactly one signature, the log's own, and no extension lines, so that no byte of a stored
note is without someone who vouches for it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.record.canonical import MAX_INTEGER
from audit.record.encoding import from_base64, to_base64
from audit.record.errors import RecordError, VerificationError
from audit.record.keys import Signer

MAX_NOTE = 4096
ED25519 = 0x01  # signature types of c2sp.org/signed-note
COSIGNATURE = 0x04
_ORIGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~/-]{0,199}")
_SIGNATURE = re.compile(r"— (\S+) (\S+)\n")
_SIZE = re.compile(r"0|[1-9][0-9]{0,15}")


def sign_note(text: str, name: str, signer: Signer) -> bytes:
    """The bytes of a note: ``text``, which ends in a newline, an empty line, and the signature line of key ``name``."""
    return f"{text}\n{signature_line(name, key_hash(name, signer.public_key()), signer.sign(text.encode()))}".encode()


def open_note(note: bytes, name: str, key: Ed25519PublicKey) -> str:
    """The text of a note, if ``key`` signed it under ``name``.

    Raises
    ------
    VerificationError
        Not a note with exactly this key's signature, or the signature is not good.
    """
    if len(note) > MAX_NOTE:
        raise VerificationError(f"signed note: {len(note)} bytes, expected at most {MAX_NOTE}")
    try:
        text, separator, line = note.decode("utf-8").rpartition("\n\n")
    except UnicodeDecodeError:
        raise VerificationError("signed note: is not UTF-8 text") from None
    if not separator:
        raise VerificationError("signed note: expected a text, an empty line and one signature line")
    found, key_id, signature = parse_signature_line(line)
    if found != name or key_id != key_hash(name, key):
        raise VerificationError("signed note: is signed under another name or by another key than the log's")
    try:
        key.verify(signature, f"{text}\n".encode())
    except InvalidSignature:
        raise VerificationError("signed note: was altered, or is not signed by the log's key") from None
    return f"{text}\n"


def signature_line(name: str, key_id: bytes, signature: bytes) -> str:
    """The line of one signature, with its newline; ``key_id`` is the 4 bytes of ``key_hash``."""
    return f"— {name} {to_base64(key_id + signature)}\n"


def parse_signature_line(line: str) -> tuple[str, bytes, bytes]:
    """Key name, key id (4 bytes) and signature of one line; whether they are good is for the caller to find out.

    Raises
    ------
    VerificationError
        Not exactly one such line, or not canonical base64.
    """
    match = _SIGNATURE.fullmatch(line)
    if match is None:
        raise VerificationError("signed note: expected a text, an empty line and one signature line")
    try:
        content = from_base64(match[2], "signature")
    except RecordError as cause:
        raise VerificationError(f"signed note: {cause}") from None
    return match[1], content[:4], content[4:]


def key_hash(name: str, key: Ed25519PublicKey, kind: int = ED25519) -> bytes:
    """The 4 bytes that name a key in a signature line (c2sp.org/signed-note, Signatures)."""
    return hashlib.sha256(name.encode("utf-8") + b"\n" + bytes([kind]) + key.public_bytes_raw()).digest()[:4]


def check_origin(origin: object) -> None:
    """Nothing, if ``origin`` can name a log: a URL without its scheme, such as ``hospital.example/releases``.

    Raises
    ------
    RecordError
        Empty, longer than 200 characters, or with characters other than letters, digits and ``. _ ~ / -``.
    """
    if not isinstance(origin, str) or _ORIGIN.fullmatch(origin) is None:
        raise RecordError("a log's origin must be a URL without its scheme, such as hospital.example/releases")


@dataclass(frozen=True)
class Checkpoint:
    """How large the log was and which tree it held. ``root`` is the RFC 6962 tree hash, 32 bytes."""

    origin: str
    size: int
    root: bytes

    def sign(self, signer: Signer) -> bytes:
        """The checkpoint as a note; the log's key is named after its origin."""
        return sign_note(f"{self.origin}\n{self.size}\n{to_base64(self.root)}\n", self.origin, signer)

    @classmethod
    def open(cls, note: bytes, origin: str, key: Ed25519PublicKey) -> Self:
        """The checkpoint in a note, if the log of that origin and key signed it.

        Raises
        ------
        VerificationError
            Not signed so, or not a checkpoint of that origin.
        """
        lines = open_note(note, origin, key).split("\n")
        if len(lines) != 4 or lines[0] != origin or _SIZE.fullmatch(lines[1]) is None:
            raise VerificationError("checkpoint: expected three lines: the log's origin, its size, its root")
        size = int(lines[1])
        try:
            root = from_base64(lines[2], "root")
        except RecordError as cause:
            raise VerificationError(f"checkpoint: {cause}") from None
        if len(root) != 32 or size > MAX_INTEGER:
            raise VerificationError("checkpoint: expected a root of 32 bytes and a size below 2**53")
        return cls(origin, size, root)
