"""No byte of a bundle can be changed, added or taken away without the verifier noticing."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.record.errors import VerificationError
from audit.record.keys import public_keys
from audit.record.oversight import check as check_actions
from audit.record.proof import LogProof
from audit.record.timestamp import check as check_token
from audit.record.timestamp import obtain
from audit.record.trust import TrustedKey, TrustFile
from audit.record.verify import verify_bundle, verify_record
from tests.authority import Authority, serving
from tests.conformance.parts import APPROVER, DECIDED, EXPIRES, GATE, LOG, PAST, listed
from tests.conformance.people import ADA, TERMS, released

Bundle = Callable[..., Path]
Key = Ed25519PrivateKey
Check = Callable[[bytes], object]
SMALL: dict[str, Any] = {
    "files": {"data.csv": b"61\n", "report.html": b"<p>"},
    "findings": None,
    "synthesizer": None,
    "differential_privacy": None,
    "not_covered": (),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrustFile, Authority]:
    """A bundle with every kind of file there is: released ones, record, log proof, timestamp, and an approval."""
    folder = tmp_path_factory.mktemp("whole")
    authority = Authority(folder / "authority", "Example")
    bundle = folder / "bundle"
    bundle.mkdir()
    files = released([("approve", ADA)], terms=replace(TERMS, count=1), findings=None, reason=None)
    with serving(authority.reply) as url:
        files["record.tsr"] = obtain(files["record.dsse.json"], url, authority.authorities)
    for name, content in files.items():
        (bundle / name).write_bytes(content)
    approver = TrustedKey("approver", ADA, APPROVER.public_key(), PAST, EXPIRES)
    return bundle, TrustFile(1, PAST, (listed("gate", GATE), listed("log", LOG), approver)), authority


@pytest.mark.slow
@pytest.mark.needs("openssl")
@pytest.mark.parametrize("named", [False, True], ids=["no authority named", "authority named"])
def test_every_single_byte_change_of_every_file_of_a_whole_bundle_is_refused(
    whole: tuple[Path, TrustFile, Authority], named: bool
) -> None:
    """All files, all positions, as they lie in the folder; with an authority, the two files that it is asked about."""
    folder, trust, authority = whole
    authorities = authority.authorities if named else None
    assert {path.name for path in folder.iterdir()} == {
        "data.csv", "index.html", "record.dsse.json", "log-proof.json", "record.tsr", "actions.json",
    }  # fmt: skip
    changes = 0
    looked_at = sorted(folder.iterdir()) if not named else [folder / "record.dsse.json", folder / "record.tsr"]
    for path in looked_at:
        content = path.read_bytes()

        def written(changed: bytes, path: Path = path) -> None:
            path.write_bytes(changed)
            verify_bundle(folder, trust, authorities=authorities)

        # lowest bit: another digit or letter
        changes += _all_refused(written, (_with(content, at, byte ^ 1) for at, byte in enumerate(content)))
        path.write_bytes(content)
    assert changes == sum(path.stat().st_size for path in looked_at) > (3000 if named else 5000)
    verified = verify_bundle(folder, trust, authorities=authorities)
    assert (verified.timestamp is not None) is named
    assert len(verified.overseen.approved) == 1


@pytest.mark.slow
@pytest.mark.needs("openssl")
@pytest.mark.parametrize("name", ["record.tsr", "actions.json"])
def test_every_byte_of_timestamp_and_actions_matters_in_every_bit_and_in_many_values(
    whole: tuple[Path, TrustFile, Authority], name: str
) -> None:
    folder, trust, _ = whole
    wrapped, content = (folder / "record.dsse.json").read_bytes(), (folder / name).read_bytes()
    record = verify_bundle(folder, trust).record

    def changed(new: bytes) -> None:
        if name == "record.tsr":
            check_token(new, wrapped)
        else:
            check_actions(record, wrapped, new, trust, DECIDED + timedelta(days=1))

    changed(content)
    assert _all_refused(changed, _flipped(content)) == 8 * len(content)
    _all_refused(changed, _other_values(content, 32))
    _all_refused(changed, _longer_or_shorter(content))


@pytest.mark.slow
def test_every_single_byte_change_of_every_file_is_refused(make_bundle: Bundle, gate_key: Key) -> None:
    """As above, with a public key alone, and nothing but what every bundle has."""
    folder = make_bundle(**SMALL)
    key = gate_key.public_key()
    changes = 0
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()

        def written(changed: bytes, path: Path = path) -> None:
            path.write_bytes(changed)
            verify_bundle(folder, key)

        changes += _all_refused(written, (_with(content, at, byte ^ 1) for at, byte in enumerate(content)))
        path.write_bytes(content)
    assert changes == sum(path.stat().st_size for path in folder.iterdir()) > 2500
    verify_bundle(folder, key)


@pytest.mark.slow
def test_every_other_value_of_every_byte_of_a_released_file_is_refused(make_bundle: Bundle, gate_key: Key) -> None:
    folder = make_bundle(**SMALL)
    for name in SMALL["files"]:
        content = (folder / name).read_bytes()

        def written(changed: bytes, name: str = name) -> None:
            (folder / name).write_bytes(changed)
            verify_bundle(folder, gate_key.public_key())

        assert _all_refused(written, _other_values(content, 1)) == 255 * len(content)
        (folder / name).write_bytes(content)


@pytest.mark.slow
def test_every_byte_of_record_and_proof_matters_in_every_bit_and_in_many_values(
    make_bundle: Bundle, gate_key: Key
) -> None:
    """Every position, every bit; and values that differ from position to position, all 255 in every kind of place."""
    on_record, on_proof, record, proof = _checks(make_bundle(**SMALL), gate_key)
    assert _all_refused(on_record, _flipped(record)) == 8 * len(record)
    assert _all_refused(on_proof, _flipped(proof)) == 8 * len(proof)
    _all_refused(on_record, _other_values(record, 32))
    _all_refused(on_proof, _other_values(proof, 8))


@pytest.mark.slow
def test_no_byte_can_be_put_in_taken_out_or_doubled(make_bundle: Bundle, gate_key: Key) -> None:
    on_record, on_proof, record, proof = _checks(make_bundle(**SMALL), gate_key)
    assert _all_refused(on_record, _longer_or_shorter(record)) > 5 * len(record)
    assert _all_refused(on_proof, _longer_or_shorter(proof)) > 5 * len(proof)


def _all_refused(check: Check, changes: Iterable[bytes]) -> int:
    """How many changes there were, if every one was refused. A plain loop, since ``pytest.raises`` costs more time."""
    count = 0
    for count, changed in enumerate(changes, start=1):
        try:
            check(changed)
        except VerificationError:
            continue
        pytest.fail(f"change {count} was not noticed")
    return count


def _checks(folder: Path, gate_key: Key) -> tuple[Check, Check, bytes, bytes]:
    """Checks of a record beside its own proof and of a proof beside its own record, and the two."""
    record, proof = (folder / "record.dsse.json").read_bytes(), (folder / "log-proof.json").read_bytes()
    keys = public_keys(gate_key.public_key())
    log = verify_record(record, proof, keys).record.log
    log_key = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))).public_key()

    def on_proof(changed: bytes) -> None:
        LogProof.from_bytes(changed).verify(record, index=log.index, origin=log.origin, key=log_key)

    on_proof(proof)
    return lambda changed: verify_record(changed, proof, keys), on_proof, record, proof


def _with(content: bytes, position: int, value: int) -> bytes:
    return content[:position] + bytes([value]) + content[position + 1 :]


def _other_values(content: bytes, step: int) -> Iterator[bytes]:
    for position, value in itertools.product(range(len(content)), range(0, 256, step)):
        shifted = value + position % step
        if shifted != content[position]:
            yield _with(content, position, shifted)


def _flipped(content: bytes) -> Iterator[bytes]:
    for position, bit in itertools.product(range(len(content)), range(8)):
        yield _with(content, position, content[position] ^ 1 << bit)


def _longer_or_shorter(content: bytes) -> Iterator[bytes]:
    for position in range(len(content) + 1):
        for added in (b" ", b"\n", b"0", b"=", b"\x00", content[position : position + 1]):
            if added:
                yield content[:position] + added + content[position:]
        if position < len(content) and content[:position] + content[position + 1 :] != content:
            yield content[:position] + content[position + 1 :]
