"""Key files: encrypted, private to their owner, never overwritten, and silent about passphrases."""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import stat
import subprocess
import traceback
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from audit.record import keys, pkcs8
from audit.record.errors import KeyFileError

PASSPHRASE = b"correct horse battery staple"
FULL_COST = pkcs8.SCRYPT_COST  # read at import, before tests/conftest.py lowers it


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return keys.generate_key()


def test_a_key_that_was_written_signs_the_same_when_loaded(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    keys.write_private_key(tmp_path / "gate.key", key, PASSPHRASE)
    keys.write_public_key(tmp_path / "gate.pub", key.public_key())
    assert keys.load_private_key(tmp_path / "gate.key", PASSPHRASE).sign(b"x") == key.sign(b"x")
    assert keys.load_public_key(tmp_path / "gate.pub") == key.public_key()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gate.key", "gate.pub"]


def test_the_private_key_file_is_encrypted_and_for_its_owner_alone(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    path = tmp_path / "gate.key"
    previous = os.umask(0)
    try:
        keys.write_private_key(path, key, PASSPHRASE)
    finally:
        os.umask(previous)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert isinstance(load_pem_private_key(path.read_bytes(), PASSPHRASE), Ed25519PrivateKey)


def test_a_key_file_carries_the_full_cost_of_a_guess(
    tmp_path: Path, key: Ed25519PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """scrypt with N = 2^17, r = 8, p = 1, each behind its DER tag and length (RFC 7914, section 7)."""
    assert FULL_COST == 2**17
    monkeypatch.setattr(pkcs8, "SCRYPT_COST", FULL_COST)
    keys.write_private_key(tmp_path / "gate.key", key, PASSPHRASE)
    body = base64.b64decode(b"".join((tmp_path / "gate.key").read_bytes().splitlines()[1:-1]))
    assert bytes.fromhex("06092b06010401da47040b") in body  # 1.3.6.1.4.1.11591.4.11, id-scrypt
    assert bytes.fromhex("0203020000020108020101") in body
    assert keys.load_private_key(tmp_path / "gate.key", PASSPHRASE).public_key() == key.public_key()


def test_two_files_of_one_key_share_neither_salt_nor_ciphertext(key: Ed25519PrivateKey) -> None:
    first, second = (pkcs8.encrypted_pem(key, PASSPHRASE).splitlines()[2:4] for _ in range(2))
    assert not set(first) & set(second)


def test_a_key_file_of_an_older_version_still_loads(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    older = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE))
    (tmp_path / "gate.key").write_bytes(older)
    (tmp_path / "gate.key").chmod(0o600)
    assert keys.load_private_key(tmp_path / "gate.key", PASSPHRASE).public_key() == key.public_key()


@pytest.mark.needs("openssl")
def test_openssl_reads_a_key_file(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    keys.write_private_key(tmp_path / "gate.key", key, PASSPHRASE)
    command = [
        "openssl",
        "pkey",
        "-in",
        str(tmp_path / "gate.key"),
        "-passin",
        f"pass:{PASSPHRASE.decode()}",
        "-pubout",
    ]
    assert subprocess.run(command, capture_output=True, check=True).stdout == keys.public_pem(key.public_key())


def test_the_key_id_is_the_digest_of_the_der_public_key() -> None:
    # RFC 8410, section 10.1 gives this key and its SubjectPublicKeyInfo
    body = b"MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="
    pem = b"-----BEGIN PUBLIC KEY-----\n" + body + b"\n-----END PUBLIC KEY-----\n"
    key = keys.parse_public_key(pem)
    assert keys.public_pem(key) == pem
    assert key.public_bytes_raw().hex() == "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1"
    assert keys.key_id(key) == hashlib.sha256(base64.b64decode(body)).hexdigest()


def test_an_existing_key_is_never_overwritten(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    path = tmp_path / "gate.key"
    path.write_bytes(b"precious")
    with pytest.raises(KeyFileError, match="exists already"):
        keys.write_private_key(path, key, PASSPHRASE)
    with pytest.raises(KeyFileError, match="exists already"):
        keys.write_public_key(path, key.public_key())
    assert path.read_bytes() == b"precious"
    assert [entry.name for entry in tmp_path.iterdir()] == ["gate.key"]


def test_a_dangling_link_is_not_written_through(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    (tmp_path / "gate.key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyFileError, match="exists already"):
        keys.write_private_key(tmp_path / "gate.key", key, PASSPHRASE)
    assert not (tmp_path / "elsewhere").exists()


def test_a_full_disk_leaves_no_half_key(
    tmp_path: Path, key: Ed25519PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KeyFileError, match="No space left"):
        keys.write_private_key(tmp_path / "gate.key", key, PASSPHRASE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", [0o604, 0o620, 0o640, 0o644, 0o601, 0o777])
def test_a_key_others_can_reach_is_refused(tmp_path: Path, key: Ed25519PrivateKey, mode: int) -> None:
    path = tmp_path / "gate.key"
    keys.write_private_key(path, key, PASSPHRASE)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=f"mode is {mode:04o}, expected 0600"):
        keys.load_private_key(path, PASSPHRASE)


@pytest.mark.parametrize("passphrase", [b"", b"correct horse battery stapl", PASSPHRASE.upper(), b"\xff" * 40])
def test_a_wrong_passphrase_is_refused_without_a_trace_of_it(
    tmp_path: Path, key: Ed25519PrivateKey, passphrase: bytes
) -> None:
    keys.write_private_key(tmp_path / "gate.key", key, PASSPHRASE)
    with pytest.raises(KeyFileError, match="wrong passphrase or damaged") as caught:
        keys.load_private_key(tmp_path / "gate.key", passphrase)
    shown = "".join(traceback.format_exception(caught.value))
    assert PASSPHRASE.decode() not in shown
    assert not passphrase or repr(passphrase) not in shown
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_links_and_pipes_are_no_key_files(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    keys.write_private_key(tmp_path / "gate.key", key, PASSPHRASE)
    (tmp_path / "link").symlink_to("gate.key")
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("link", "pipe", "absent", "."):
        with pytest.raises(KeyFileError):
            keys.load_private_key(tmp_path / name, PASSPHRASE)


def test_only_encrypted_ed25519_keys_are_loaded(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    elliptic = ec.generate_private_key(ec.SECP256R1())
    contents = {
        "plain": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        "elliptic": elliptic.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE)),
        "public": keys.public_pem(key.public_key()),
        "garbage": b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        "huge": b"x" * (1 << 20),
        "empty": b"",
    }
    problems = {
        "plain": "not an encrypted",
        "elliptic": "not an Ed25519",
        "public": "not an encrypted",
        "garbage": "wrong passphrase or damaged",
        "huge": "larger than",
        "empty": "not an encrypted",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o600)
        with pytest.raises(KeyFileError, match=problems[name]):
            keys.load_private_key(tmp_path / name, PASSPHRASE)


def test_only_ed25519_public_keys_are_taken(key: Ed25519PrivateKey) -> None:
    elliptic = ec.generate_private_key(ec.SECP256R1()).public_key()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for pem in (elliptic.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), private, b"", b"\xff\x00"):
        with pytest.raises(KeyFileError):
            keys.parse_public_key(pem)


@pytest.mark.parametrize("passphrase", [b"", b"seven77", b"x" * 1024])
def test_a_passphrase_of_unusable_length_writes_nothing(
    tmp_path: Path, key: Ed25519PrivateKey, passphrase: bytes
) -> None:
    with pytest.raises(KeyFileError, match="passphrase is too"):
        keys.write_private_key(tmp_path / "gate.key", key, passphrase)
    assert list(tmp_path.iterdir()) == []
