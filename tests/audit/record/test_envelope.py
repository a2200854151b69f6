"""DSSE envelopes: golden vectors, an independent implementation, and refusals."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope
from securesystemslib.signer import CryptoSigner, SSlibKey  # type: ignore[attr-defined]

from audit.record import canonical
from audit.record.envelope import IN_TOTO, pae, sign, verify, verify_signers
from audit.record.errors import KeyFileError, RecordError, VerificationError
from audit.record.keys import key_id, public_pem

PAYLOAD = b'{"hello":"world"}'
GATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34)))


def rewritten(envelope: bytes, **changes: Any) -> bytes:
    return canonical.encode(json.loads(envelope) | changes)


@pytest.mark.parametrize(
    ("payload_type", "payload", "expected"),
    [
        # the test vector of the specification, protocol.md
        ("http://example.com/HelloWorld", b"hello world", b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"),
        ("", b"", b"DSSEv1 0  0 "),
        # lengths count bytes: four for the type, two for the payload
        ("\U0001f600", b"\xc3\xb6", b"DSSEv1 4 \xf0\x9f\x98\x80 2 \xc3\xb6"),
    ],
)
def test_the_signed_bytes_are_those_of_the_specification(payload_type: str, payload: bytes, expected: bytes) -> None:
    assert pae(payload_type, payload) == expected


@settings(deadline=None)
@given(st.text(), st.binary(), st.text(), st.binary())
def test_two_messages_never_have_the_same_signed_bytes(a: str, b: bytes, c: str, d: bytes) -> None:
    assert (pae(a, b) == pae(c, d)) == ((a, b) == (c, d))


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_the_payload_comes_out_of_the_check_unchanged(payload: bytes) -> None:
    assert verify(sign(payload, IN_TOTO, GATE), GATE.public_key(), payload_type=IN_TOTO) == payload


def test_an_independent_implementation_verifies_our_envelope() -> None:
    theirs = Envelope.from_dict(json.loads(sign(PAYLOAD, IN_TOTO, GATE)))
    key = SSlibKey.from_crypto(GATE.public_key(), keyid=key_id(GATE.public_key()))
    assert set(theirs.verify([key], threshold=1)) == {key_id(GATE.public_key())}
    assert theirs.payload == PAYLOAD


def test_we_verify_the_envelope_of_an_independent_implementation() -> None:
    theirs = Envelope(PAYLOAD, IN_TOTO, {})
    # its key ids are made in another way: they are hints
    theirs.sign(CryptoSigner(GATE))
    content = canonical.encode(theirs.to_dict())
    assert verify(content, GATE.public_key(), payload_type=IN_TOTO) == PAYLOAD
    with pytest.raises(VerificationError):
        verify(content, OTHER.public_key(), payload_type=IN_TOTO)


def test_signing_twice_gives_the_same_bytes() -> None:
    assert sign(PAYLOAD, IN_TOTO, GATE, OTHER) == sign(PAYLOAD, IN_TOTO, GATE, OTHER)


def test_a_signature_by_an_unknown_key_neither_helps_nor_harms() -> None:
    envelope = sign(PAYLOAD, IN_TOTO, OTHER, GATE)
    assert verify_signers(envelope, GATE.public_key(), payload_type=IN_TOTO) == (
        PAYLOAD,
        (key_id(GATE.public_key()),),
    )
    with pytest.raises(VerificationError, match="0 of 1 trusted keys"):
        verify(sign(PAYLOAD, IN_TOTO, OTHER), GATE.public_key(), payload_type=IN_TOTO)


def test_an_unknown_signature_of_another_algorithm_does_not_break_the_check() -> None:
    envelope = json.loads(sign(PAYLOAD, IN_TOTO, GATE))
    envelope["signatures"].append({"keyid": "post-quantum", "sig": base64.b64encode(b"x" * 3309).decode()})
    assert verify(canonical.encode(envelope), GATE.public_key(), payload_type=IN_TOTO) == PAYLOAD


def test_a_threshold_counts_different_keys_not_signatures() -> None:
    trusted: list[Ed25519PublicKey | bytes] = [GATE.public_key(), public_pem(OTHER.public_key())]
    both = sign(PAYLOAD, IN_TOTO, GATE, OTHER)
    assert verify(both, trusted, payload_type=IN_TOTO, threshold=2) == PAYLOAD
    one = json.loads(sign(PAYLOAD, IN_TOTO, GATE))
    one["signatures"] *= 2
    with pytest.raises(VerificationError, match="1 of 2"):
        verify(canonical.encode(one), trusted, payload_type=IN_TOTO, threshold=2)
    with pytest.raises(RecordError, match="threshold"):
        verify(both, [GATE.public_key(), GATE.public_key()], payload_type=IN_TOTO, threshold=2)
    with pytest.raises(RecordError, match="threshold"):
        verify(both, trusted, payload_type=IN_TOTO, threshold=0)


def test_a_key_id_is_a_hint_and_convinces_nobody() -> None:
    envelope = json.loads(sign(PAYLOAD, IN_TOTO, OTHER))
    envelope["signatures"][0]["keyid"] = key_id(GATE.public_key())
    with pytest.raises(VerificationError):
        verify(canonical.encode(envelope), GATE.public_key(), payload_type=IN_TOTO)
    envelope = json.loads(sign(PAYLOAD, IN_TOTO, GATE))
    del envelope["signatures"][0]["keyid"]
    assert verify(canonical.encode(envelope), GATE.public_key(), payload_type=IN_TOTO) == PAYLOAD


def test_another_payload_type_is_refused_signed_or_relabelled() -> None:
    with pytest.raises(VerificationError, match="another kind"):
        verify(sign(PAYLOAD, "application/x-other", GATE), GATE.public_key(), payload_type=IN_TOTO)
    relabelled = rewritten(sign(PAYLOAD, "application/x-other", GATE), payloadType=IN_TOTO)
    with pytest.raises(VerificationError, match="0 of 1"):
        verify(relabelled, GATE.public_key(), payload_type=IN_TOTO)


def _with_signature(**changes: Any) -> bytes:
    envelope = json.loads(sign(PAYLOAD, IN_TOTO, GATE))
    envelope["signatures"][0] |= changes
    return canonical.encode(envelope)


GOOD = sign(PAYLOAD, IN_TOTO, GATE)


@pytest.mark.parametrize(
    "envelope",
    [
        rewritten(GOOD, extra=1),
        rewritten(GOOD, payloadType=None),
        rewritten(GOOD, payload="not base64!"),
        rewritten(GOOD, payload=json.loads(GOOD)["payload"] + "\n"),
        rewritten(GOOD, payload=base64.b64encode(PAYLOAD).decode().rstrip("=")),
        rewritten(GOOD, payload="eyI="),  # right alphabet, other bytes
        rewritten(GOOD, payload="eyJ="),  # padding bits are not zero
        rewritten(GOOD, payload=5),
        rewritten(GOOD, signatures=[]),
        rewritten(GOOD, signatures=json.loads(GOOD)["signatures"] * 33),
        rewritten(GOOD, signatures={}),
        rewritten(GOOD, signatures=["text"]),
        _with_signature(sig=""),
        _with_signature(sig=None),
        _with_signature(keyid=7),
        _with_signature(cert="x"),
        canonical.encode([json.loads(GOOD)]),
        json.dumps(json.loads(GOOD)).encode(),  # spaces
        GOOD + b"\n",
        GOOD[:-1],
        GOOD.replace(b'{"payload":', b'{"payload":"",\n"payload":', 1),
        b"",
    ],
)
def test_a_malformed_or_altered_envelope_is_refused(envelope: bytes) -> None:
    with pytest.raises(VerificationError):
        verify(envelope, GATE.public_key(), payload_type=IN_TOTO)


def test_every_single_bit_of_an_envelope_matters_but_for_the_key_id() -> None:
    hint = GOOD.index(key_id(GATE.public_key()).encode())
    for position in set(range(len(GOOD))) - set(range(hint, hint + 64)):
        for bit in range(8):
            changed = bytearray(GOOD)
            changed[position] ^= 1 << bit
            with pytest.raises(VerificationError):
                verify(bytes(changed), GATE.public_key(), payload_type=IN_TOTO)


def test_no_trusted_key_means_no_verification() -> None:
    with pytest.raises(KeyFileError, match="no trusted key"):
        verify(GOOD, [], payload_type=IN_TOTO)


def test_one_key_cannot_sign_twice() -> None:
    with pytest.raises(RecordError, match="twice"):
        sign(PAYLOAD, IN_TOTO, GATE, GATE)


def test_an_envelope_too_large_to_be_read_is_not_written() -> None:
    with pytest.raises(RecordError, match="bytes"):
        sign(b"x" * (4 << 20), IN_TOTO, GATE)
