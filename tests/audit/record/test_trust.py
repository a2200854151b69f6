"""Trust files: roles, windows, rotation, revocation and theft; and everything that one must not be talked into."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey as Key
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

from audit.record import canonical, envelope, standing
from audit.record.errors import KeyFileError, RecordError, VerificationError
from audit.record.keys import key_id, public_pem, write_public_key
from audit.record.log import ReleaseLog
from audit.record.logkey import rotate_log_key
from audit.record.statement import ReleaseRecord
from audit.record.trust import PAYLOAD_TYPE, ROLES, Revocation, Role, TrustedKey, TrustFile
from audit.record.verify import main, verify_bundle, verify_record

Bundle = Callable[..., Path]
Make = Callable[..., ReleaseRecord]

DECIDED = datetime(2021, 5, 1, 12, 30, 0, tzinfo=UTC)  # when, and entry 2 is where, the bundles of conftest say
BEFORE, AFTER = DECIDED - timedelta(days=30), DECIDED + timedelta(days=30)
SECOND = timedelta(seconds=1)
ROOT = Key.from_private_bytes(bytes(range(3, 35)))
NEXT_LOG = Key.from_private_bytes(bytes(range(4, 36)))
NEXT_GATE = Key.from_private_bytes(bytes(range(5, 37)))


def entry(role: Role, key: Key | ec.EllipticCurvePrivateKey, **changes: Any) -> TrustedKey:
    return replace(TrustedKey(role, f"the {role}", key.public_key(), BEFORE, AFTER), **changes)


def trust_file(*keys: TrustedKey, version: int = 1) -> TrustFile:
    return TrustFile(version, AFTER, keys)


@pytest.fixture
def both(gate_key: Key, log_key: Key) -> TrustFile:
    """The two keys of the bundles, each in its role, valid when they signed."""
    return trust_file(entry("gate", gate_key), entry("log", log_key))


def changed(trust: TrustFile, role: Role, **changes: Any) -> TrustFile:
    return replace(trust, keys=tuple(replace(key, **changes) if key.role == role else key for key in trust.keys))


def refused(folder: Path, trust: TrustFile, problem: str) -> None:
    with pytest.raises(VerificationError, match=problem) as caught:
        verify_bundle(folder, trust)
    assert caught.value.why in ("trust", "envelope", "log")


# --- the file itself


def test_a_trust_file_opens_under_its_root_key_and_says_what_was_signed(both: TrustFile) -> None:
    assert TrustFile.open(both.sign(ROOT), ROOT.public_key()) == both


def test_a_trust_file_by_another_root_is_refused(both: TrustFile, other_key: Key) -> None:
    with pytest.raises(VerificationError, match=r"trust file: .*another key"):
        TrustFile.open(both.sign(ROOT), other_key.public_key())


def test_keys_that_the_file_lists_cannot_sign_it(both: TrustFile, gate_key: Key) -> None:
    forged = envelope.sign(both.to_payload(), PAYLOAD_TYPE, gate_key)
    with pytest.raises(VerificationError, match="another key"):
        TrustFile.open(forged, ROOT.public_key())
    with pytest.raises(VerificationError, match="root key is listed in a role"):
        TrustFile.open(forged, gate_key.public_key())


def test_a_root_key_signs_no_list_with_itself_in_it(both: TrustFile) -> None:
    with pytest.raises(RecordError, match="root key is listed in a role"):
        replace(both, keys=(*both.keys, entry("officer", ROOT))).sign(ROOT)


def test_every_single_byte_of_a_trust_file_matters_but_for_the_key_id(both: TrustFile) -> None:
    content = both.sign(ROOT)
    hint = content.index(b'"keyid":"') + len(b'"keyid":"')
    for position in (each for each in range(len(content)) if not hint <= each < hint + 64):
        altered = bytearray(content)
        altered[position] ^= 1
        with pytest.raises(VerificationError):
            TrustFile.open(bytes(altered), ROOT.public_key())


def test_a_record_is_no_trust_file_and_a_trust_file_no_record(both: TrustFile, make_record: Make) -> None:
    record = envelope.sign(make_record().to_payload(), envelope.IN_TOTO, ROOT)
    with pytest.raises(VerificationError, match="payload type"):
        TrustFile.open(record, ROOT.public_key())
    with pytest.raises(VerificationError, match="missing fields: issuedAt, keys, version"):
        TrustFile.from_payload(make_record().to_payload())
    with pytest.raises(VerificationError, match="payload type"):
        envelope.verify(both.sign(ROOT), ROOT.public_key(), payload_type=envelope.IN_TOTO)


def test_one_key_is_listed_once(gate_key: Key) -> None:
    for second in (entry("gate", gate_key), entry("approver", gate_key), entry("gate", gate_key, holder="another")):
        with pytest.raises(RecordError, match="listed twice"):
            trust_file(entry("gate", gate_key), second)
    document = json.loads(trust_file(entry("gate", gate_key)).to_payload())
    document["keys"] *= 2
    with pytest.raises(VerificationError, match="listed twice"):
        TrustFile.from_payload(canonical.encode(document))


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("version",), 0, "at least 1"),
        (("version",), True, "at least 1"),
        (("_type",), "https://sluice.dev/release-record/v1", "another document"),
        (("issuedAt",), "2021-05-01", "a time such as"),
        (("keys",), [], "expected 1 to"),
        (("keys", 0, "role"), "root", "role must be one of"),
        (("keys", 0, "keyId"), "0" * 64, "keyId is not that of publicKey"),
        (("keys", 0, "publicKey"), "AAAA", "DER SubjectPublicKeyInfo"),
        (("keys", 0, "holder"), "a\u202eb", "control characters"),
        (("keys", 0, "validUntil"), "2021-04-01T12:30:00Z", "never be valid"),
        (("keys", 0, "revoked"), {"since": "2021-05-01T12:30:00Z"}, "missing fields"),
        (("keys", 0, "extra"), 1, "unknown fields: 1"),
        (("extra",), 1, "unknown fields: 1"),
    ],
)
def test_a_malformed_list_is_refused(both: TrustFile, path: tuple[Any, ...], value: object, problem: str) -> None:
    document: Any = json.loads(both.to_payload())
    inner = document
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    with pytest.raises(VerificationError, match=problem):
        TrustFile.from_payload(canonical.encode(document))


@pytest.mark.parametrize("curve", [ec.SECP521R1(), ec.SECP256K1(), ec.SECP224R1()])
def test_keys_of_other_curves_are_not_listed(curve: ec.EllipticCurve) -> None:
    with pytest.raises(KeyFileError, match="neither an Ed25519 nor an ECDSA P-256 or P-384"):
        entry("gate", ec.generate_private_key(curve))


def test_a_log_signs_with_ed25519_alone() -> None:
    with pytest.raises(RecordError, match="log key must be an Ed25519"):
        entry("log", ec.generate_private_key(ec.SECP256R1()))


def test_the_published_schema_and_page_name_every_field(both: TrustFile) -> None:
    folder = resources.files("audit.record")
    schema, page = json.loads((folder / "trust.v1.json").read_text("utf-8")), (folder / "TRUST.md").read_text("utf-8")
    document = json.loads(changed(both, "gate", revocation=Revocation(DECIDED, "replaced")).to_payload())
    gate = next(key for key in document["keys"] if key["role"] == "gate")
    parts = (schema, schema["$defs"]["key"], schema["$defs"]["revocation"])
    for part, value in zip(parts, (document, gate, gate["revoked"]), strict=True):
        assert set(part["properties"]) == set(part["required"]) == set(value)
        assert not part["additionalProperties"]
        assert all(f"`{name}`" in page or f".{name}`" in page for name in value)
    assert schema["$id"] == document["_type"]
    assert schema["$defs"]["key"]["properties"]["role"]["enum"] == list(ROLES)


def test_another_implementation_accepts_the_signature(both: TrustFile) -> None:
    root = SSlibKey.from_crypto(ROOT.public_key(), keyid=key_id(ROOT.public_key()))
    assert set(Envelope.from_dict(json.loads(both.sign(ROOT))).verify([root], 1)) == {root.keyid}


def test_the_bytes_of_a_trust_file_do_not_change_between_versions_of_the_software(both: TrustFile) -> None:
    # Ed25519 is deterministic and so is the canonical form: trust files that are out must verify for ever
    assert (
        hashlib.sha256(both.sign(ROOT)).hexdigest()
        == "983331a78b57014539cb37d00f8a44a224b9ba837de16b9e2264e2ba0f46eb04"
    )


# --- versions


def test_an_older_version_than_one_accepted_is_refused(both: TrustFile) -> None:
    newer = replace(both, version=2)
    both.check_successor(newer)
    newer.check_successor(newer)
    with pytest.raises(VerificationError, match="version 1, but version 2 was accepted before"):
        newer.check_successor(both)


def test_two_files_of_one_version_are_refused(both: TrustFile) -> None:
    with pytest.raises(VerificationError, match="two of version 1"):
        both.check_successor(changed(both, "gate", valid_until=AFTER + SECOND))


def test_a_key_stays_listed_in_its_role(both: TrustFile, gate_key: Key, other_key: Key) -> None:
    for keys in (both.keys[1:], (entry("approver", gate_key), both.keys[1]), (entry("gate", other_key), both.keys[1])):
        with pytest.raises(VerificationError, match="is gone, or has another role or holder"):
            both.check_successor(replace(both, version=2, keys=keys))


def test_a_revocation_is_not_taken_back_or_weakened(both: TrustFile) -> None:
    stolen = Revocation(DECIDED, "laptop stolen", compromised=True, from_log_index=3)
    revoked = changed(both, "gate", revocation=stolen)
    for weaker in (
        None,
        replace(stolen, since=DECIDED + SECOND),
        replace(stolen, from_log_index=4),
        replace(stolen, compromised=False),
        replace(stolen, compromised=False, from_log_index=None),
    ):
        with pytest.raises(VerificationError, match="taken back or weakened"):
            revoked.check_successor(replace(changed(both, "gate", revocation=weaker), version=2))
    for stricter in (replace(stolen, since=BEFORE), replace(stolen, from_log_index=0), replace(stolen, reason="more")):
        revoked.check_successor(replace(changed(both, "gate", revocation=stricter), version=2))


# --- a record held against it


def test_a_bundle_by_listed_keys_verifies(make_bundle: Bundle, both: TrustFile, gate_key: Key) -> None:
    verified = verify_bundle(make_bundle(), both)
    assert verified.signed_by == (key_id(gate_key.public_key()),)
    assert verified.trust == both


def test_a_bundle_by_a_key_that_is_not_listed_is_refused(
    make_bundle: Bundle, gate_key: Key, log_key: Key, other_key: Key
) -> None:
    folder = make_bundle()
    refused(folder, trust_file(entry("gate", other_key), entry("log", log_key)), "signed by another key")
    refused(folder, trust_file(entry("gate", gate_key), entry("log", other_key)), "log key .* not in the trust file")


@pytest.mark.parametrize("role", ["log", "approver", "officer"])
def test_a_record_signed_in_another_role_is_refused(
    make_bundle: Bundle, gate_key: Key, log_key: Key, role: Role
) -> None:
    trust = trust_file(entry(role, gate_key), entry("log", log_key))
    refused(make_bundle(), trust, f"the {role} key .* signed in the role of gate; .* never gave it")


@pytest.mark.parametrize("role", ["gate", "approver", "officer"])
def test_a_log_signed_in_another_role_is_refused(make_bundle: Bundle, gate_key: Key, log_key: Key, role: Role) -> None:
    trust = trust_file(entry("gate", gate_key), entry(role, log_key))
    refused(make_bundle(), trust, f"the {role} key .* signed in the role of log")


def test_an_approver_beside_the_gate_neither_helps_nor_harms(
    make_bundle: Bundle, both: TrustFile, gate_key: Key, other_key: Key, log_key: Key, make_record: Make, tmp_path: Path
) -> None:
    trust = replace(both, keys=(*both.keys, entry("approver", other_key)))
    log = ReleaseLog.create(tmp_path / "log", "hospital.example/releases", log_key)
    log.append(b"one")
    log.append(b"two")
    signed = envelope.sign(make_record().to_payload(), envelope.IN_TOTO, other_key, gate_key)
    proof = log.append(signed).to_bytes()
    assert verify_record(signed, proof, trust).signed_by == (key_id(gate_key.public_key()),)
    with pytest.raises(VerificationError, match=r"approver key .* in the role of gate"):
        verify_record(signed, proof, trust, threshold=2)


@pytest.mark.parametrize("role", ["gate", "log"])
@pytest.mark.parametrize(
    ("valid_from", "valid_until", "problem"),
    [
        (DECIDED, DECIDED + SECOND, None),  # the window holds its first second and not its last
        (DECIDED + SECOND, AFTER, "not yet at 2021-05-01 12:30:00 UTC"),
        (BEFORE, DECIDED, "was valid until 2021-05-01 12:30:00 UTC, not at"),
    ],
)
def test_a_key_signs_within_its_window(
    make_bundle: Bundle, both: TrustFile, role: Role, valid_from: datetime, valid_until: datetime, problem: str | None
) -> None:
    trust = changed(both, role, valid_from=valid_from, valid_until=valid_until)
    folder = make_bundle()
    if problem is None:
        assert verify_bundle(folder, trust).record.allowed
    else:
        refused(folder, trust, problem)


def test_a_record_verifies_after_its_keys_were_rotated(make_bundle: Bundle, both: TrustFile) -> None:
    rotated = changed(changed(both, "gate", valid_until=DECIDED + SECOND), "log", valid_until=DECIDED + SECOND)
    new = (entry("gate", NEXT_GATE, valid_from=DECIDED), entry("log", NEXT_LOG, valid_from=DECIDED))
    later = TrustFile(2, AFTER, (*rotated.keys, *new))
    both.check_successor(later)
    assert verify_bundle(make_bundle(), later).trust == later


@pytest.mark.parametrize("role", ["gate", "log"])
def test_a_record_before_the_revocation_verifies_and_one_after_it_does_not(
    make_bundle: Bundle, both: TrustFile, role: Role
) -> None:
    folder = make_bundle()
    later = changed(both, role, revocation=Revocation(DECIDED + SECOND, "replaced"))
    assert verify_bundle(folder, later).record.allowed
    refused(
        folder,
        changed(both, role, revocation=Revocation(DECIDED, "replaced")),
        r"is revoked since 2021-05-01 12:30:00 UTC \(replaced\), and signed at",
    )


# --- theft: a thief writes any date


def stolen(index: int | None) -> Revocation:
    return Revocation(DECIDED + SECOND, "laptop stolen", compromised=True, from_log_index=index)


@pytest.mark.parametrize("role", ROLES)
def test_a_stolen_key_needs_a_log_index_since_its_dates_prove_nothing(gate_key: Key, role: Role) -> None:
    with pytest.raises(RecordError, match=f"compromised {role} key needs fromLogIndex"):
        entry(role, gate_key, revocation=stolen(None))
    assert entry(role, gate_key, revocation=stolen(0)).compromised


def test_a_record_that_a_stolen_gate_key_dates_back_is_refused_by_its_place_in_the_log(
    make_bundle: Bundle, both: TrustFile
) -> None:
    folder = make_bundle()  # its date lies before the theft, as a thief would have it; its place is entry 2
    refused(folder, changed(both, "gate", revocation=stolen(2)), "revoked from log entry 2 on .* its date was set back")
    assert verify_bundle(folder, changed(both, "gate", revocation=stolen(3))).log_index == 2


def test_where_gate_and_log_keys_were_stolen_neither_date_nor_place_is_believed(
    make_bundle: Bundle, both: TrustFile
) -> None:
    trust = changed(changed(both, "gate", revocation=stolen(3)), "log", revocation=stolen(3))
    refused(make_bundle(), trust, "both stolen .* ask the custodian for a fresh log proof .* or for a timestamp")


def test_a_fresh_proof_by_the_next_log_key_saves_what_was_logged_before_the_theft(
    make_bundle: Bundle, both: TrustFile, log_key: Key, tmp_path: Path
) -> None:
    folder = make_bundle()
    origin = "hospital.example/releases"
    rotate_log_key(tmp_path / "bundle-log", origin, log_key, NEXT_LOG)
    fresh = ReleaseLog(tmp_path / "bundle-log", origin, NEXT_LOG).prove((folder / "record.dsse.json").read_bytes())
    assert fresh is not None
    (folder / "log-proof.json").write_bytes(fresh.to_bytes())
    robbed = changed(changed(both, "gate", revocation=stolen(3)), "log", revocation=stolen(3))
    refused(folder, robbed, "another name or by another key")
    later = replace(robbed, keys=(*robbed.keys, entry("log", NEXT_LOG, valid_from=DECIDED + SECOND)))
    assert verify_bundle(folder, later).log_index == 2


def test_only_a_later_log_key_in_good_standing_may_prove_an_older_record(
    make_bundle: Bundle, both: TrustFile, log_key: Key, tmp_path: Path
) -> None:
    folder = make_bundle()
    origin = "hospital.example/releases"
    rotate_log_key(tmp_path / "bundle-log", origin, log_key, NEXT_LOG)
    fresh = ReleaseLog(tmp_path / "bundle-log", origin, NEXT_LOG).prove((folder / "record.dsse.json").read_bytes())
    assert fresh is not None
    (folder / "log-proof.json").write_bytes(fresh.to_bytes())
    for wrong in (
        entry("log", NEXT_LOG, valid_from=BEFORE - SECOND),
        entry("log", NEXT_LOG, revocation=Revocation(AFTER, "replaced")),
        entry("gate", NEXT_LOG),
    ):
        refused(folder, replace(both, keys=(*both.keys, wrong)), "another name or by another key")


def test_somebody_elses_word_from_before_the_theft_counts_and_from_after_it_does_not(
    both: TrustFile, gate_key: Key, log_key: Key
) -> None:
    trust = changed(changed(both, "gate", revocation=stolen(3)), "log", revocation=stolen(3))
    gates = [key for key in trust.keys if key.role == "gate"]
    standing.check_dates(trust, gates, log_key.public_key(), DECIDED)
    for late in (None, DECIDED + SECOND, AFTER):
        with pytest.raises(VerificationError, match="both stolen"):
            standing.check_dates(trust, gates, log_key.public_key(), late)


# --- ECDSA: the kind of the key says how it is checked


@pytest.mark.parametrize(("curve", "digest"), [(ec.SECP256R1(), hashes.SHA256()), (ec.SECP384R1(), hashes.SHA384())])
def test_an_ecdsa_signature_is_taken_with_the_digest_of_its_curve_alone(
    curve: ec.EllipticCurve, digest: hashes.HashAlgorithm
) -> None:
    key = ec.generate_private_key(curve)

    class Holder:
        def __init__(self, chosen: hashes.HashAlgorithm) -> None:
            self._chosen = chosen

        def sign(self, data: bytes, /) -> bytes:
            return key.sign(data, ec.ECDSA(self._chosen))

        def public_key(self) -> ec.EllipticCurvePublicKey:
            return key.public_key()

    signed = envelope.sign(b"payload", "type", Holder(digest))
    assert envelope.verify(signed, public_pem(key.public_key()), payload_type="type") == b"payload"
    for other in (hashes.SHA256(), hashes.SHA384(), hashes.SHA512(), hashes.SHA1()):  # noqa: S303
        if other.name != digest.name:
            with pytest.raises(VerificationError, match="another key"):
                envelope.verify(envelope.sign(b"payload", "type", Holder(other)), key.public_key(), payload_type="type")


def test_a_key_of_another_curve_verifies_nothing() -> None:
    key = ec.generate_private_key(ec.SECP521R1())

    class Holder:
        def sign(self, data: bytes, /) -> bytes:
            return key.sign(data, ec.ECDSA(hashes.SHA512()))

        def public_key(self) -> ec.EllipticCurvePublicKey:
            return key.public_key()

    with pytest.raises(VerificationError, match="another key"):
        envelope.verify(envelope.sign(b"x", "type", Holder()), key.public_key(), payload_type="type")


# --- the command


@pytest.fixture
def files(tmp_path: Path, both: TrustFile) -> tuple[str, str]:
    (tmp_path / "trust.dsse.json").write_bytes(both.sign(ROOT))
    write_public_key(tmp_path / "root.pub.pem", ROOT.public_key())
    return str(tmp_path / "trust.dsse.json"), str(tmp_path / "root.pub.pem")


def test_the_command_verifies_with_a_trust_file(
    make_bundle: Bundle, files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    trust, root = files
    assert main([str(make_bundle()), "--trust", trust, "--root", root, "--json"]) == 0
    shown = capsys.readouterr()
    assert "trust     version 1 of 2021-05-31; knows of no later revocation" in shown.err
    assert json.loads(shown.out)["trustVersion"] == 1


def test_the_command_refuses_a_trust_file_by_another_root(
    make_bundle: Bundle, files: tuple[str, str], tmp_path: Path, other_key: Key, capsys: pytest.CaptureFixture[str]
) -> None:
    write_public_key(tmp_path / "other.pub.pem", other_key.public_key())
    arguments = [str(make_bundle()), "--trust", files[0], "--root", str(tmp_path / "other.pub.pem"), "--json"]
    assert main(arguments) == 1
    shown = capsys.readouterr()
    assert "NOT VERIFIED: trust file" in shown.err
    assert json.loads(shown.out)["why"] == "trust"


def test_the_command_wants_a_key_or_a_trust_file_with_its_root(make_bundle: Bundle, files: tuple[str, str]) -> None:
    folder, (trust, root) = str(make_bundle()), files
    for options in ([], ["--trust", trust], ["--root", root], ["--key", root, "--trust", trust, "--root", root]):
        with pytest.raises(SystemExit) as ended:
            main([folder, *options])
        assert ended.value.code == 2
