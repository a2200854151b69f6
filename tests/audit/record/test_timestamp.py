"""Timestamps: a real authority (openssl ts) behind a small local server, and every answer that is not one."""

from __future__ import annotations

import builtins
import itertools
import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey as Key
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.record import der, timestamp
from audit.record.errors import KeyFileError, TimestampError, VerificationError
from audit.record.keys import write_public_key
from audit.record.timestamp import Authorities, check, obtain, verify
from audit.record.tokenform import Token
from audit.record.trust import Revocation, TrustedKey, TrustFile
from audit.record.verify import main, verify_bundle
from tests.authority import P256, RSA, Authority, serving

pytestmark = pytest.mark.needs("openssl")

PAST = datetime(2020, 1, 1, tzinfo=UTC)
RECORD = b'{"payload":"a record"}'


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority") / "one", "Example")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority") / "two", "Stranger")


@pytest.fixture(scope="module")
def token(authority: Authority) -> bytes:
    with serving(authority.reply) as url:
        return obtain(RECORD, url, authority.authorities)


def test_a_token_says_when_the_record_was_seen_and_verifies_without_a_network(
    authority: Authority, token: bytes
) -> None:
    at = verify(token, RECORD, authority.authorities)
    assert at.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=5)


def test_openssl_agrees_with_the_token(authority: Authority, token: bytes, tmp_path: Path) -> None:
    (tmp_path / "record").write_bytes(RECORD)
    (tmp_path / "token").write_bytes(token)
    subprocess.run(
        ["openssl", "ts", "-verify", "-data", "record", "-in", "token", "-CAfile", str(authority.certificate)],
        check=True, cwd=tmp_path, capture_output=True,
    )  # fmt: skip


def test_the_authority_sees_a_digest_and_nothing_of_the_record(authority: Authority) -> None:
    seen: list[bytes] = []

    def answer(query: bytes) -> bytes:
        seen.append(query)
        return authority.reply(query)

    with serving(answer) as url:
        obtain(RECORD, url, authority.authorities)
    assert len(seen) == 1
    assert RECORD not in seen[0]
    assert len(seen[0]) < 100


def test_a_token_of_another_record_or_authority_is_refused(
    authority: Authority, stranger: Authority, token: bytes
) -> None:
    with pytest.raises(VerificationError, match="is over another record"):
        verify(token, RECORD + b" ", authority.authorities)
    with pytest.raises(VerificationError, match="is not a timestamp of this record"):
        verify(token, RECORD, stranger.authorities)


def test_what_is_no_token_is_refused(authority: Authority, token: bytes) -> None:
    for content in (b"", b"token", token[:-1], token + b"\0", token[: len(token) // 2]):
        with pytest.raises(VerificationError):
            verify(content, RECORD, authority.authorities)


@pytest.fixture(scope="module", params=[P256, RSA], ids=["ecdsa", "rsa"])
def answer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, bytes]:
    """What an authority says, as it says it, with an intermediate certificate among its own."""
    maker = Authority(tmp_path_factory.mktemp("authority") / "kind", "Kind", key=request.param, between=True)
    seen: list[bytes] = []

    def reply(query: bytes) -> bytes:
        seen.append(maker.reply(query))
        return seen[-1]

    with (
        serving(reply) as url,
        pytest.raises(TimestampError, match="add those between the root and the authority's own"),
    ):
        obtain(RECORD, url, maker.authorities)
    whole = (maker.folder / "between.pem").read_bytes() + maker.certificate.read_bytes()
    maker.authorities = Authorities.parse(whole)
    return maker, seen[0]


@pytest.mark.slow
def test_no_byte_of_a_token_can_be_changed_whoever_looks(answer: tuple[Authority, bytes]) -> None:
    """Every bit; without any certificate of the authority's, and its lowest bit with them too."""
    authority, given = answer
    token = Token.read(given).to_bytes()
    assert len(token) < len(given)
    verify(token, RECORD, authority.authorities)
    for position, bit in itertools.product(range(len(token)), range(8)):
        altered = bytearray(token)
        altered[position] ^= 1 << bit
        for look in (check, lambda *both: verify(*both, authority.authorities))[: 1 + (bit == 0)]:
            try:
                look(bytes(altered), RECORD)
            except VerificationError:
                continue
            pytest.fail(f"bit {bit} of byte {position} was not noticed")


def test_what_nobody_has_signed_for_is_not_kept(answer: tuple[Authority, bytes]) -> None:
    _, given = answer
    with pytest.raises(VerificationError, match="was altered, or holds more than the token"):
        check(given, RECORD)  # an intermediate certificate, and parameters of algorithms
    token = Token.read(given)
    assert Token.read(token.to_bytes()) == token
    kept = token.to_bytes()
    inner = der.of(der.items(kept), der.SEQUENCE)[0]
    status, wrapped = der.whole(inner)
    text = der.node(der.SEQUENCE, status[2:], der.node(der.SEQUENCE, der.node(0x0C, b"fine")))
    for more in (
        der.node(der.SEQUENCE, text, wrapped),
        kept + b"\0",
        kept.replace(b"\x02\x01\x03", b"\x02\x01\x04", 1),
    ):
        with pytest.raises(VerificationError, match=r"was altered|is not an RFC 3161 answer"):
            check(more, RECORD)


def test_a_token_that_holds_by_another_certificate_or_signature_is_refused(answer: tuple[Authority, bytes]) -> None:
    authority, given = answer
    token = Token.read(given)
    plain = load_pem_x509_certificate((authority.folder / "plain.pem").read_bytes()).public_bytes(Encoding.DER)
    for altered, problem in (
        (replace(token, certificate=plain), "another certificate"),
        (replace(token, information=token.information[:-1] + b"\0"), "other contents"),
        (replace(token, signature=token.signature[:-1] + bytes([token.signature[-1] ^ 1])), "signature does not hold"),
        (replace(token, attributes=b""), "has not the signed attributes"),
    ):
        with pytest.raises(VerificationError, match=problem):
            check(altered.to_bytes(), RECORD)
    with pytest.raises(VerificationError, match="over another record"):
        check(token.to_bytes(), RECORD + b" ")


@settings(deadline=None)
@given(st.data())
def test_what_has_not_the_form_of_a_token_is_refused_with_one_error(token: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(token) - 1))
    content = token[:place] + data.draw(st.binary(max_size=8)) + token[place + data.draw(st.integers(0, 8)) :]
    if content != token:
        with pytest.raises(VerificationError):
            check(content, RECORD)
    with pytest.raises(VerificationError, match="is not an RFC 3161 answer"):
        check(token[:place], RECORD)


def test_a_certificate_of_the_same_root_that_may_not_timestamp_is_refused(authority: Authority, token: bytes) -> None:
    (authority.folder / "genuine").write_bytes(token)
    authority.openssl("ts", "-reply", "-in", "genuine", "-token_out", "-out", "genuine.cms")
    unpack = ["-noverify", "-inform", "DER", "-in", "genuine.cms", "-out", "information"]
    authority.openssl("cms", "-verify", *unpack)
    for kind in ("tsa", "plain"):
        authority.openssl(
            "cms", "-sign", "-binary", "-nodetach", "-cades", "-econtent_type", "1.2.840.113549.1.9.16.1.4",
            "-in", "information", "-signer", f"{kind}.pem", "-inkey", f"{kind}.key",
            "-outform", "DER", "-out", "forged",
        )  # fmt: skip
        inner = bytes.fromhex("3003020100") + (authority.folder / "forged").read_bytes()  # status: granted
        forged = Token.read(der.node(der.SEQUENCE, inner)).to_bytes()
        if kind == "tsa":  # repacked by who may, it is good, so that the other one fails for its certificate alone
            verify(forged, RECORD, authority.authorities)
        else:
            with pytest.raises(VerificationError, match="is not a timestamp of this record by that authority"):
                verify(forged, RECORD, authority.authorities)


@pytest.mark.parametrize("answer", [b"", b"<html>", b"x" * (timestamp.MAX_BYTES + 1)])
def test_an_answer_that_is_no_token_is_refused(authority: Authority, answer: bytes) -> None:
    with serving(lambda _: answer) as url, pytest.raises(TimestampError, match="answer"):
        obtain(RECORD, url, authority.authorities)


def test_an_answer_to_another_request_is_refused(authority: Authority, token: bytes) -> None:
    # the same record, the right authority, and an older answer played back: the nonce tells
    with serving(lambda _: token) as url, pytest.raises(TimestampError, match="Nonce mismatch"):
        obtain(RECORD, url, authority.authorities)


def test_a_refusal_by_the_authority_is_told(authority: Authority) -> None:
    with serving(lambda _: bytes.fromhex("30053003020102")) as url, pytest.raises(TimestampError, match="status 2"):
        obtain(RECORD, url, authority.authorities)
    with serving(authority.reply, status=503) as url, pytest.raises(TimestampError, match="HTTP status 503"):
        obtain(RECORD, url, authority.authorities)


def test_an_authority_out_of_reach_is_told(authority: Authority) -> None:
    with serving(authority.reply) as url:
        pass
    with pytest.raises(TimestampError, match="cannot be reached"):
        obtain(RECORD, url, authority.authorities, timeout=2)
    for wrong in ("file:///etc/passwd", "ftp://timestamp.example", "timestamp.example"):
        with pytest.raises(TimestampError, match="begins with http"):
            obtain(RECORD, wrong, authority.authorities)


def test_authorities_are_certificates(tmp_path: Path) -> None:
    for content in (b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        with pytest.raises(KeyFileError, match="is not a PEM certificate"):
            Authorities.parse(content)


def test_without_the_package_the_reader_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = builtins.__import__

    def without(name: str, *arguments: Any) -> Any:
        if name == "rfc3161_client":
            raise ModuleNotFoundError(name=name)
        return genuine(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(KeyFileError, match=r"pip install 'sluice-gate\[timestamp\]'"):
        Authorities.parse(b"")


# --- beside a record


def _stamp(folder: Path, authority: Authority) -> Path:
    with serving(authority.reply) as url:
        token = obtain((folder / "record.dsse.json").read_bytes(), url, authority.authorities)
    (folder / "record.tsr").write_bytes(token)
    return folder


@pytest.fixture
def stamped(make_bundle: Callable[..., Path], authority: Authority) -> Path:
    return _stamp(make_bundle(registered_at=PAST, decided_at=PAST), authority)


def test_a_bundle_may_hold_a_timestamp_and_it_is_checked_where_its_authority_is_named(
    stamped: Path, gate_key: Key, authority: Authority, stranger: Authority
) -> None:
    unread = verify_bundle(stamped, gate_key.public_key())
    assert (unread.timestamp, unread.unread_timestamp) == (None, True)
    read = verify_bundle(stamped, gate_key.public_key(), authorities=authority.authorities)
    assert read.timestamp is not None
    assert not read.unread_timestamp
    with pytest.raises(VerificationError, match=r"record\.tsr") as caught:
        verify_bundle(stamped, gate_key.public_key(), authorities=stranger.authorities)
    assert caught.value.why == "timestamp"


@pytest.mark.parametrize(
    "content", [b"", b"anything", bytes.fromhex("30053003020102")], ids=["empty", "text", "denied"]
)
def test_what_is_no_timestamp_is_refused_also_where_no_authority_is_named(
    stamped: Path, gate_key: Key, content: bytes
) -> None:
    (stamped / "record.tsr").write_bytes(content)
    with pytest.raises(VerificationError, match="is not an RFC 3161 answer") as caught:
        verify_bundle(stamped, gate_key.public_key())
    assert caught.value.why == "timestamp"


def test_a_timestamp_from_before_the_decision_is_refused(
    make_bundle: Callable[..., Path], gate_key: Key, authority: Authority
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    for minutes, name in ((4, "fast"), (7, "late")):
        decided = now + timedelta(minutes=minutes)
        folder = _stamp(make_bundle(name, registered_at=now, decided_at=decided), authority)
        if name == "fast":  # two clocks differ
            assert verify_bundle(folder, gate_key.public_key(), authorities=authority.authorities).timestamp
            continue
        with pytest.raises(VerificationError, match="decided only at") as caught:
            verify_bundle(folder, gate_key.public_key(), authorities=authority.authorities, now=decided)
        assert caught.value.why == "timestamp"


def test_no_other_name_and_no_link_passes_for_a_timestamp(stamped: Path, gate_key: Key) -> None:
    (stamped / "Record.tsr").write_bytes(b"")
    with pytest.raises(VerificationError, match=r"such as 'Record\.tsr'"):
        verify_bundle(stamped, gate_key.public_key())
    (stamped / "Record.tsr").unlink()
    (stamped / "record.tsr").rename(stamped.parent / "moved")
    (stamped / "record.tsr").symlink_to(stamped.parent / "moved")
    with pytest.raises(VerificationError, match="symbolic link"):
        verify_bundle(stamped, gate_key.public_key())


def test_a_timestamp_of_another_record_does_not_move_to_this_one(
    stamped: Path, make_bundle: Callable[..., Path], gate_key: Key, authority: Authority
) -> None:
    other = make_bundle("other", reason="another decision", registered_at=PAST, decided_at=PAST)
    (other / "record.tsr").write_bytes((stamped / "record.tsr").read_bytes())
    for authorities in (None, authority.authorities):
        with pytest.raises(VerificationError, match="is over another record") as caught:
            verify_bundle(other, gate_key.public_key(), authorities=authorities)
        assert caught.value.why == "timestamp"


def test_a_timestamp_from_before_the_theft_saves_a_record_whose_keys_were_both_stolen(
    make_bundle: Callable[..., Path], gate_key: Key, log_key: Key, authority: Authority
) -> None:
    since, until = datetime(2019, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)

    def stolen(theft: datetime) -> TrustFile:
        gone = Revocation(theft, "server stolen", compromised=True, from_log_index=3)
        gate = TrustedKey("gate", "the gate", gate_key.public_key(), since, until, gone)
        return TrustFile(1, since, (gate, TrustedKey("log", "the log", log_key.public_key(), since, until, gone)))

    past = datetime(2020, 1, 1, tzinfo=UTC)
    folder = _stamp(make_bundle(registered_at=past, decided_at=past), authority)
    after, between = datetime(2098, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)
    assert verify_bundle(folder, stolen(after), authorities=authority.authorities).record.decided_at == past
    with pytest.raises(VerificationError, match="both stolen"):
        verify_bundle(folder, stolen(after))  # a timestamp that nobody checks says nothing
    # set back by the thief: the record says 2020, the theft was in 2021, the authority saw it today
    with pytest.raises(VerificationError, match="both stolen"):
        verify_bundle(folder, stolen(between), authorities=authority.authorities)


def test_the_command_checks_the_timestamp(
    stamped: Path, gate_key: Key, authority: Authority, stranger: Authority, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    write_public_key(tmp_path / "gate.pub", gate_key.public_key())
    arguments = [str(stamped), "--key", str(tmp_path / "gate.pub"), "--json"]
    assert main(arguments) == 0
    assert "timestamp there is one, not checked" in capsys.readouterr().err
    assert main([*arguments, "--timestamp-authority", str(authority.certificate)]) == 0
    shown = capsys.readouterr()
    assert "by the authority that was named" in shown.err
    assert json.loads(shown.out)["timestampedAt"].endswith("Z")
    assert main([*arguments, "--timestamp-authority", str(stranger.certificate)]) == 1
    assert main([*arguments, "--timestamp-authority", str(tmp_path / "gate.pub")]) == 2
