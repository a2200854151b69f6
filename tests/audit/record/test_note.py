"""Signed notes and checkpoints: published examples, and refusals."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from audit.record.errors import RecordError, VerificationError
from audit.record.note import Checkpoint, check_origin, open_note, sign_note

ORIGIN = "hospital.example/releases"
# example of the Go package golang.org/x/mod/sumdb/note, which the C2SP specification was taken from
PEOPLE = (
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n",
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=",
)


def test_a_published_note_is_opened() -> None:
    verifier, text, signature = PEOPLE
    name, _, key = verifier.split("+", 2)
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key)[1:])
    note = f"{text}\n— {name} {signature}\n".encode()
    assert open_note(note, name, public) == text
    with pytest.raises(VerificationError, match="another name"):
        open_note(note, "SomebodyElse", public)


def test_a_checkpoint_has_the_bytes_of_the_specification(log_key: Ed25519PrivateKey) -> None:
    root = hashlib.sha256(b"root").digest()
    note = Checkpoint(ORIGIN, 20852163, root).sign(log_key)
    text = f"{ORIGIN}\n20852163\n{base64.b64encode(root).decode()}\n"
    public = log_key.public_key().public_bytes_raw()
    key_hash = hashlib.sha256(ORIGIN.encode() + b"\x0a\x01" + public).digest()[:4]
    signature = base64.b64encode(key_hash + log_key.sign(text.encode())).decode()
    assert note.decode() == f"{text}\n— {ORIGIN} {signature}\n"
    assert Checkpoint.open(note, ORIGIN, log_key.public_key()) == Checkpoint(ORIGIN, 20852163, root)


def test_every_single_bit_of_a_checkpoint_matters(log_key: Ed25519PrivateKey) -> None:
    note = Checkpoint(ORIGIN, 7, bytes(32)).sign(log_key)
    for position in range(len(note)):
        for bit in range(8):
            changed = bytearray(note)
            changed[position] ^= 1 << bit
            with pytest.raises(VerificationError):
                Checkpoint.open(bytes(changed), ORIGIN, log_key.public_key())


def test_a_checkpoint_of_another_log_or_key_is_refused(
    log_key: Ed25519PrivateKey, other_key: Ed25519PrivateKey
) -> None:
    note = Checkpoint(ORIGIN, 7, bytes(32)).sign(log_key)
    with pytest.raises(VerificationError, match="another name or by another key"):
        Checkpoint.open(note, ORIGIN, other_key.public_key())
    with pytest.raises(VerificationError, match="another name or by another key"):
        Checkpoint.open(note, "hospital.example/other", log_key.public_key())


@pytest.mark.parametrize(
    "text",
    [
        f"{ORIGIN}\n7\n",
        f"{ORIGIN}\n07\n{base64.b64encode(bytes(32)).decode()}\n",
        f"{ORIGIN}\n-7\n{base64.b64encode(bytes(32)).decode()}\n",
        f"{ORIGIN}\n٧\n{base64.b64encode(bytes(32)).decode()}\n",
        f"{ORIGIN}\n9999999999999999\n{base64.b64encode(bytes(32)).decode()}\n",
        f"{ORIGIN}\n7\n{base64.b64encode(bytes(31)).decode()}\n",
        f"{ORIGIN}\n7\n{base64.b64encode(bytes(32)).decode()}\nan extension\n",
        f"hospital.example/other\n7\n{base64.b64encode(bytes(32)).decode()}\n",
        f"\n{ORIGIN}\n7\n{base64.b64encode(bytes(32)).decode()}\n",
    ],
)
def test_what_the_key_signed_but_is_no_checkpoint_is_refused(log_key: Ed25519PrivateKey, text: str) -> None:
    with pytest.raises(VerificationError):
        Checkpoint.open(sign_note(text, ORIGIN, log_key), ORIGIN, log_key.public_key())


def test_a_note_carries_exactly_one_signature(log_key: Ed25519PrivateKey, other_key: Ed25519PrivateKey) -> None:
    note = Checkpoint(ORIGIN, 7, bytes(32)).sign(log_key)
    cosigned = note + note.rpartition(b"\n\n")[2]
    unsigned = note.rpartition(b"\n\n")[0] + b"\n\n"
    for wrong in (cosigned, unsigned, note + b"\n", note[:-1], b"\xff" + note, note * 20, b""):
        with pytest.raises(VerificationError):
            open_note(wrong, ORIGIN, log_key.public_key())


@pytest.mark.parametrize("origin", ["", "two words", "a+b", "line\nbreak", "/rooted", "é.example", "x" * 201, None, 5])
def test_an_origin_is_a_url_without_its_scheme(origin: object) -> None:
    with pytest.raises(RecordError, match="origin"):
        check_origin(origin)
