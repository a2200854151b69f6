"""Where do signing keys come from, how do they lie on disk, and what names them?

Ed25519 (RFC 8032), and for envelopes ECDSA over P-256 or P-384 as well (FIPS 186-5), which is what hardware tokens
hold. The kind of the key alone says how a signature is checked: P-256 with SHA-256, P-384 with SHA-384, DER signatures;
nothing in a signed document can choose. A private key is a PKCS#8 PEM file under a passphrase that scrypt
stretches (``audit.record.pkcs8``), mode 0600, never overwritten; a public key is a SubjectPublicKeyInfo PEM file. A key
id is the SHA-256 of the DER public key: it helps to find a key, never to trust one.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from audit.record import files
from audit.record.errors import KeyFileError
from audit.record.pkcs8 import FIRST_LINE, encrypted_pem

MAX_KEY_FILE = 16 * 1024
MIN_PASSPHRASE, MAX_PASSPHRASE = 8, 1023  # bytes; house, and the most that older files could have

PublicKey = Ed25519PublicKey | ec.EllipticCurvePublicKey
Trusted = PublicKey | bytes | Iterable[PublicKey | bytes]


class Signer(Protocol):
    """What the log is signed with: an ``Ed25519PrivateKey``, or anything that keeps one elsewhere."""

    def sign(self, data: bytes, /) -> bytes: ...

    def public_key(self) -> Ed25519PublicKey: ...


class EnvelopeSigner(Protocol):
    """What an envelope is signed with: as ``Signer``, or a key in a hardware token (``audit.record.hsm``)."""

    def sign(self, data: bytes, /) -> bytes: ...

    def public_key(self) -> PublicKey: ...


def generate_key() -> Ed25519PrivateKey:
    """A new private key from the operating system's random source."""
    return Ed25519PrivateKey.generate()


def key_id(key: PublicKey) -> str:
    """SHA-256 of the DER SubjectPublicKeyInfo, 64 hexadecimal digits."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def public_pem(key: PublicKey) -> bytes:
    """The public key as a SubjectPublicKeyInfo PEM file holds it."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def write_private_key(path: Path, key: Ed25519PrivateKey, passphrase: bytes) -> None:
    """Write an encrypted private key, mode 0600; the file appears whole or not at all.

    Raises
    ------
    KeyFileError
        The passphrase is shorter than 8 bytes or longer than 1023, the file exists, or it cannot be written.
    """
    if len(passphrase) < MIN_PASSPHRASE:
        raise KeyFileError(f"{path.name}: the passphrase is too short; use at least {MIN_PASSPHRASE} bytes")
    if len(passphrase) > MAX_PASSPHRASE:
        raise KeyFileError(f"{path.name}: the passphrase is too long; use at most {MAX_PASSPHRASE} bytes")
    files.create(path, encrypted_pem(key, passphrase), mode=0o600, error=KeyFileError)


def load_private_key(path: Path, passphrase: bytes) -> Ed25519PrivateKey:
    """Read an encrypted private key, also one of an older version, which PBKDF2 stretched less.

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
    if not content.startswith(FIRST_LINE.encode()):
        raise KeyFileError(f"{path.name}: is not an encrypted PKCS#8 PEM private key; make one with a passphrase")
    try:
        key = load_pem_private_key(content, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # the library's own message may quote its input
        raise KeyFileError(f"{path.name}: cannot be decrypted; wrong passphrase or damaged file") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{path.name}: is not an Ed25519 key; make a new one")
    return key


def write_public_key(path: Path, key: PublicKey) -> None:
    """Write a public key, mode 0644; an existing file is kept and refused.

    Raises
    ------
    KeyFileError
        The file exists or cannot be written.
    """
    files.create(path, public_pem(key), mode=0o644, error=KeyFileError)


def load_public_key(path: Path) -> Ed25519PublicKey:
    """Read the public key file of a log, a gate or a person who signs without a token.

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
    key = parse_verifying_key(pem, name=name)
    if not isinstance(key, Ed25519PublicKey):
        raise KeyFileError(f"{name}: is not an Ed25519 public key; ask the custodian for the right one")
    return key


def load_verifying_key(path: Path) -> PublicKey:
    """Read a public key file of any kind that may sign an envelope.

    Raises
    ------
    KeyFileError
        The file cannot be read, or holds neither an Ed25519 nor an ECDSA P-256 or P-384 public key.
    """
    return parse_verifying_key(files.read(path, maximum=MAX_KEY_FILE, error=KeyFileError), name=path.name)


def parse_verifying_key(pem: bytes, *, name: str = "public key") -> PublicKey:
    """As ``load_verifying_key``, from the bytes of the file."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise KeyFileError(f"{name}: is not a PEM public key; ask the custodian for the .pub file") from None
    if isinstance(key, Ed25519PublicKey) or (isinstance(key, ec.EllipticCurvePublicKey) and _digest(key) is not None):
        return key
    raise KeyFileError(f"{name}: is neither an Ed25519 nor an ECDSA P-256 or P-384 public key; ask for another key")


def is_signed(key: PublicKey, signature: bytes, message: bytes) -> bool:
    """Whether ``key`` made ``signature`` over ``message``, by the one algorithm its kind allows."""
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, message)
        else:
            digest = _digest(key)
            if digest is None:
                return False
            key.verify(signature, message, ec.ECDSA(digest))
    except InvalidSignature:
        return False
    return True


def public_keys(trusted: Trusted) -> tuple[PublicKey, ...]:
    """One key or several, as objects or PEM bytes, as a tuple without repetitions.

    Raises
    ------
    KeyFileError
        No key at all, or PEM bytes that hold none.
    """
    single = (Ed25519PublicKey, ec.EllipticCurvePublicKey, bytes)
    given: tuple[PublicKey | bytes, ...] = (trusted,) if isinstance(trusted, single) else tuple(trusted)
    keys = [parse_verifying_key(key) if isinstance(key, bytes) else key for key in given]
    if not keys:
        raise KeyFileError("no trusted key was given; pass the custodian's public key")
    return tuple({key_id(key): key for key in keys}.values())


def _digest(key: ec.EllipticCurvePublicKey) -> hashes.HashAlgorithm | None:
    """The digest that belongs to the curve; ``None`` for a curve that is not taken."""
    if isinstance(key.curve, ec.SECP256R1):
        return hashes.SHA256()
    return hashes.SHA384() if isinstance(key.curve, ec.SECP384R1) else None
