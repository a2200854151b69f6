"""Where do signing keys come from, how do they lie on disk, and what names them?

Ed25519 (RFC 8032). A private key is a PKCS#8 PEM file under a passphrase, mode 0600, never overwritten; a public key is
a SubjectPublicKeyInfo PEM file. A key id is the SHA-256 of the DER public key: it helps to find a key, never to trust
one.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from audit.record import files
from audit.record.errors import KeyFileError

MAX_KEY_FILE = 16 * 1024
MIN_PASSPHRASE = 8  # bytes; house
_ENCRYPTED = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"

Trusted = Ed25519PublicKey | bytes | Iterable[Ed25519PublicKey | bytes]


class Signer(Protocol):
    """What a record is signed with: an ``Ed25519PrivateKey``, or anything that keeps one elsewhere (a token)."""

    def sign(self, data: bytes, /) -> bytes: ...

    def public_key(self) -> Ed25519PublicKey: ...


def generate_key() -> Ed25519PrivateKey:
    """A new private key from the operating system's random source."""
    return Ed25519PrivateKey.generate()


def key_id(key: Ed25519PublicKey) -> str:
    """SHA-256 of the DER SubjectPublicKeyInfo, 64 hexadecimal digits."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def public_pem(key: Ed25519PublicKey) -> bytes:
    """The public key as a SubjectPublicKeyInfo PEM file holds it."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def write_private_key(path: Path, key: Ed25519PrivateKey, passphrase: bytes) -> None:
    """Write an encrypted private key, mode 0600; the file appears whole or not at all.

    Raises
    ------
    KeyFileError
        The passphrase is shorter than 8 bytes, the file exists, or it cannot be written.
    """
    if len(passphrase) < MIN_PASSPHRASE:
        raise KeyFileError(f"{path.name}: the passphrase is too short; use at least {MIN_PASSPHRASE} bytes")
    try:
        content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase))
    except ValueError:
        raise KeyFileError(f"{path.name}: the passphrase is too long; use fewer than 1024 bytes") from None
    files.create(path, content, mode=0o600, error=KeyFileError)


def load_private_key(path: Path, passphrase: bytes) -> Ed25519PrivateKey:
    """Read an encrypted private key.

    Raises
    ------
    KeyFileError
        A link or not a regular file, readable by others than its owner, not encrypted, not Ed25519, or the wrong
        passphrase.
    """
    with files.open_regular(path, KeyFileError) as descriptor:
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
        if os.name != "nt" and mode & 0o077:  # Windows keeps rights elsewhere
            raise KeyFileError(
                f"{path.name}: mode is {mode:04o}, expected 0600: others may have read this key; "
                "make a new key, or run chmod 600 if you are sure nobody has"
            )
        content = b"".join(files.chunks(descriptor, path, maximum=MAX_KEY_FILE, error=KeyFileError))
    if not content.startswith(_ENCRYPTED):
        raise KeyFileError(f"{path.name}: is not an encrypted PKCS#8 PEM private key; make one with a passphrase")
    try:
        key = load_pem_private_key(content, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # the library's own message may quote its input
        raise KeyFileError(f"{path.name}: cannot be decrypted; wrong passphrase or damaged file") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{path.name}: is not an Ed25519 key; make a new one")
    return key


def write_public_key(path: Path, key: Ed25519PublicKey) -> None:
    """Write a public key, mode 0644; an existing file is kept and refused.

    Raises
    ------
    KeyFileError
        The file exists or cannot be written.
    """
    files.create(path, public_pem(key), mode=0o644, error=KeyFileError)


def load_public_key(path: Path) -> Ed25519PublicKey:
    """Read a public key file.

    Raises
    ------
    KeyFileError
        The file cannot be read, or holds no Ed25519 public key.
    """
    return parse_public_key(files.read(path, maximum=MAX_KEY_FILE, error=KeyFileError), name=path.name)


def parse_public_key(pem: bytes, *, name: str = "public key") -> Ed25519PublicKey:
    """A public key from the bytes of its PEM file.

    Raises
    ------
    KeyFileError
        Not a SubjectPublicKeyInfo PEM, or not Ed25519.
    """
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise KeyFileError(f"{name}: is not a PEM public key; ask the custodian for the .pub file") from None
    if not isinstance(key, Ed25519PublicKey):
        raise KeyFileError(f"{name}: is not an Ed25519 public key; ask the custodian for the right one")
    return key


def public_keys(trusted: Trusted) -> tuple[Ed25519PublicKey, ...]:
    """One key or several, as objects or PEM bytes, as a tuple without repetitions.

    Raises
    ------
    KeyFileError
        No key at all, or PEM bytes that hold none.
    """
    given = (trusted,) if isinstance(trusted, Ed25519PublicKey | bytes) else tuple(trusted)
    keys = [key if isinstance(key, Ed25519PublicKey) else parse_public_key(key) for key in given]
    if not keys:
        raise KeyFileError("no trusted key was given; pass the custodian's public key")
    return tuple({key_id(key): key for key in keys}.values())
