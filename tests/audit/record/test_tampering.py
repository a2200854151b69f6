"""No byte of a bundle can be changed, added or taken away without the verifier noticing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.record.errors import VerificationError
from audit.record.keys import public_keys
from audit.record.verify import verify_bundle, verify_record

Bundle = Callable[..., Path]
Key = Ed25519PrivateKey
SMALL = {
    "files": {"data.csv": b"age\n61\n", "report.html": b"<p>\n"},
    "findings": None,
    "synthesizer": None,
    "not_covered": (),
}


@pytest.mark.slow
def test_every_single_byte_change_of_every_file_is_refused(make_bundle: Bundle, gate_key: Key) -> None:
    folder = make_bundle(**SMALL)
    key = gate_key.public_key()
    verify_bundle(folder, key)
    changes = 0
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        changed = bytearray(content)
        for position in range(len(content)):
            # lowest bit: another digit or letter; 0x20: the other case, which lax base64 and hexadecimal let pass
            for mask in (0x01, 0x20):
                changed[position] = content[position] ^ mask
                path.write_bytes(changed)
                with pytest.raises(VerificationError):
                    verify_bundle(folder, key)
                changes += 1
            changed[position] = content[position]
        path.write_bytes(content)
    assert changes > 5000
    verify_bundle(folder, key)


@pytest.mark.slow
def test_every_single_bit_of_record_and_proof_matters(make_bundle: Bundle, gate_key: Key) -> None:
    record, proof = _files(make_bundle(**SMALL))
    keys = public_keys(gate_key.public_key())
    verify_record(record, proof, keys)
    for changed in _flipped(record):
        with pytest.raises(VerificationError):
            verify_record(changed, proof, keys)
    for changed in _flipped(proof):
        with pytest.raises(VerificationError):
            verify_record(record, changed, keys)


@pytest.mark.slow
def test_no_byte_can_be_put_in_taken_out_or_doubled(make_bundle: Bundle, gate_key: Key) -> None:
    record, proof = _files(make_bundle(**SMALL))
    keys = public_keys(gate_key.public_key())
    for changed in _longer_or_shorter(record):
        with pytest.raises(VerificationError):
            verify_record(changed, proof, keys)
    for changed in _longer_or_shorter(proof):
        with pytest.raises(VerificationError):
            verify_record(record, changed, keys)


def _files(folder: Path) -> tuple[bytes, bytes]:
    return (folder / "record.dsse.json").read_bytes(), (folder / "log-proof.json").read_bytes()


def _flipped(content: bytes) -> Iterator[bytes]:
    for position in range(len(content)):
        for bit in range(8):
            changed = bytearray(content)
            changed[position] ^= 1 << bit
            yield bytes(changed)


def _longer_or_shorter(content: bytes) -> Iterator[bytes]:
    for position in range(len(content) + 1):
        for added in (b" ", b"\n", b"0", b"=", b"\x00", content[position : position + 1]):
            if added:
                yield content[:position] + added + content[position:]
        if position < len(content) and content[:position] + content[position + 1 :] != content:
            yield content[:position] + content[position + 1 :]
