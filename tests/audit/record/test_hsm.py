"""Keys in a hardware token: a real PKCS#11 module (SoftHSM2), and refusals where token, PIN or key are not right."""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

from audit.record import envelope
from audit.record.errors import KeyFileError, VerificationError
from audit.record.hsm import TokenReference
from audit.record.keys import key_id
from audit.record.log import ReleaseLog
from audit.record.verify import verify_record
from tests.tokens import MODULE, P256, P384, PIN, add_token, softhsm

GATE = "hsm:2?label=gate"


def pin() -> str:
    return PIN


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with softhsm(tmp_path_factory.mktemp("softhsm")):
        add_token("gate", k2=P256, k3=P384, k4="secp521r1")
        add_token("other", k2=P256)
        yield


@pytest.mark.needs("softhsm2-util")
@pytest.mark.parametrize(("number", "curve"), [(2, ec.SECP256R1), (3, ec.SECP384R1)])
def test_an_envelope_signed_in_a_token_verifies(token: None, number: int, curve: type[ec.EllipticCurve]) -> None:
    key = TokenReference.find(f"hsm:{number}?label=gate", MODULE, pin).open(pin)
    public = key.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert isinstance(public.curve, curve)
    signed = envelope.sign(b"payload", envelope.IN_TOTO, key)
    assert envelope.verify(signed, public, payload_type=envelope.IN_TOTO) == b"payload"


@pytest.mark.needs("softhsm2-util")
def test_another_implementation_accepts_what_the_token_signed(token: None) -> None:
    key = TokenReference.find(GATE, MODULE, pin).open(pin)
    public = key.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    content = json.loads(envelope.sign(b"payload", envelope.IN_TOTO, key))
    known = SSlibKey.from_crypto(public, keyid=key_id(public))
    assert set(Envelope.from_dict(content).verify([known], 1)) == {known.keyid}


@pytest.mark.needs("softhsm2-util")
def test_a_bundle_whose_gate_key_is_in_a_token_verifies(
    token: None, make_record: Callable[..., Any], log_key: Ed25519PrivateKey, tmp_path: Path
) -> None:
    key = TokenReference.find(GATE, MODULE, pin).open(pin)
    log = ReleaseLog.create(tmp_path / "log", "hospital.example/releases", log_key)
    log.append(b"one")
    log.append(b"two")
    signed = envelope.sign(make_record().to_payload(), envelope.IN_TOTO, key)
    proof = log.append(signed).to_bytes()
    assert verify_record(signed, proof, key.public_key()).signed_by == (key_id(key.public_key()),)
    other = TokenReference.find("hsm:2?label=other", MODULE, pin)
    with pytest.raises(VerificationError, match="another key"):
        verify_record(signed, proof, other.public_key)


@pytest.mark.needs("softhsm2-util")
def test_a_reference_on_disk_opens_the_same_key_and_holds_no_secret(token: None, tmp_path: Path) -> None:
    found = TokenReference.find(GATE, MODULE, pin)
    (tmp_path / "gate.token.json").write_bytes(found.to_bytes())
    assert PIN.encode() not in found.to_bytes()
    again = TokenReference.load(tmp_path / "gate.token.json")
    assert again == found
    key = again.open(pin)
    assert key_id(key.public_key()) == key_id(found.public_key)
    assert PIN not in repr(key)


@pytest.mark.needs("softhsm2-util")
def test_the_pin_is_asked_for_once(token: None) -> None:
    asked: list[str] = []

    def ask() -> str:
        asked.append(PIN)
        return PIN

    key = TokenReference.find(GATE, MODULE, pin).open(ask)
    key.sign(b"one")
    key.sign(b"two")
    assert asked == [PIN]


@pytest.mark.needs("softhsm2-util")
def test_a_wrong_pin_is_refused_before_anything_is_signed_and_without_a_trace_of_it(token: None) -> None:
    with pytest.raises(KeyFileError, match="PinIncorrect") as caught:
        TokenReference.find(GATE, MODULE, pin).open(lambda: "999999")
    assert "999999" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.needs("softhsm2-util")
@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("hsm:9?label=gate", "could not find ECDSA key"),
        ("hsm:2?label=absent", "No PKCS#11 token found"),
        ("hsm:2", "Multiple PKCS#11 tokens"),
        ("hsm:4?label=gate", "not a supported EC curve"),
        ("hsm:?label=gate", "expected hsm:NUMBER"),
        ("hsm:two?label=gate", "expected hsm:NUMBER"),
        ("file:2?label=gate", "expected hsm:NUMBER"),
        ("hsm:2?label=gate&label=other", "expected hsm:NUMBER"),
    ],
)
def test_a_key_that_cannot_be_found_is_refused(token: None, uri: str, problem: str) -> None:
    with pytest.raises(KeyFileError, match=problem):
        TokenReference.find(uri, MODULE, pin)


@pytest.mark.needs("softhsm2-util")
def test_a_token_with_another_key_than_the_one_on_record_is_refused(token: None) -> None:
    gate, other = (TokenReference.find(f"hsm:2?label={name}", MODULE, pin) for name in ("gate", "other"))
    with pytest.raises(KeyFileError, match="signs with another key than the one on record"):
        TokenReference(gate.uri, gate.module, other.public_key).open(pin)


def test_a_module_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"absent\.so: no such PKCS#11 module"):
        TokenReference.find(GATE, tmp_path / "absent.so", pin)


def test_a_reference_file_that_sluice_did_not_write_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gate.token.json"
    for content in (b"", b"{}", b'{"module":1,"publicKey":"","uri":"","version":1}', b"-----BEGIN"):
        path.write_bytes(content)
        with pytest.raises(KeyFileError, match="is not a token reference"):
            TokenReference.load(path)


def test_without_the_package_a_token_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = builtins.__import__

    def without(name: str, *arguments: Any) -> Any:
        if name.partition(".")[0] == "pkcs11":
            raise ModuleNotFoundError(name=name)
        return genuine(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(KeyFileError, match=r"pip install 'sluice-gate\[hsm\]'"):
        TokenReference.find(GATE, MODULE, pin)
