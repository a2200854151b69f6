"""The verifier: what it says of a good bundle, and that it refuses every other."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.record import canonical, envelope, verify
from audit.record.errors import KeyFileError, RecordError, VerificationError
from audit.record.keys import key_id, public_pem, write_public_key
from audit.record.log import ReleaseLog
from audit.record.statement import CoarseFinding, LogPosition, ReleaseRecord, Subject
from audit.record.verify import main, verify_bundle, verify_record

ORIGIN = "hospital.example/releases"
DENIED = {
    "decision": "denied",
    "released_rows": 0,
    "findings": (CoarseFinding("k_anonymity", False),),
    "reason": "a limit was not met",
    "files": {"report.html": b"<p>denied</p>\n"},
}
Bundle = Callable[..., Path]
Make = Callable[..., ReleaseRecord]
Key = Ed25519PrivateKey


def refused(folder: Path, key: Key, problem: str) -> None:
    with pytest.raises(VerificationError, match=problem):
        verify_bundle(folder, key.public_key())


# --- what holds


def test_a_good_bundle_says_what_was_decided_about_which_files(make_bundle: Bundle, gate_key: Key) -> None:
    verified = verify_bundle(make_bundle(), gate_key.public_key(), now=datetime(2021, 6, 1, tzinfo=UTC))
    assert verified.record.allowed
    assert [subject.name for subject in verified.subjects] == ["data.csv", "report.html"]
    assert verified.log_index == 2
    assert verified.signed_by == (key_id(gate_key.public_key()),)
    assert not verified.expired


def test_a_denial_is_verified_too(make_bundle: Bundle, gate_key: Key) -> None:
    verified = verify_bundle(make_bundle(**DENIED), public_pem(gate_key.public_key()))
    assert not verified.record.allowed
    assert verified.record.released_rows == 0


def test_an_expired_record_is_genuine_and_flagged(make_bundle: Bundle, gate_key: Key) -> None:
    folder = make_bundle()
    assert verify_bundle(folder, gate_key.public_key(), now=datetime(2099, 5, 1, tzinfo=UTC)).expired
    assert not verify_bundle(folder, gate_key.public_key(), now=datetime(2099, 4, 30, 23, 59, 59, tzinfo=UTC)).expired


def test_a_record_that_was_decided_in_the_future_is_refused(make_bundle: Bundle, gate_key: Key) -> None:
    now = datetime(2021, 5, 1, 12, 0, tzinfo=UTC)
    folder = make_bundle()  # decided half an hour later
    assert verify_bundle(folder, gate_key.public_key(), now=now + timedelta(minutes=25)).record.allowed
    with pytest.raises(
        VerificationError, match=r"the record bears the date 2021-05-01 12:30:00 UTC.*set the clock"
    ) as at:
        verify_bundle(folder, gate_key.public_key(), now=now + timedelta(minutes=24, seconds=59))
    assert at.value.why == "clock"
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=6)
    ahead = make_bundle("ahead", registered_at=later, decided_at=later)
    refused(ahead, gate_key, "the record bears the date")


def test_old_records_verify_after_the_gate_has_a_new_key(make_bundle: Bundle, gate_key: Key, other_key: Key) -> None:
    verified = verify_bundle(make_bundle(), [other_key.public_key(), gate_key.public_key()])
    assert verified.signed_by == (key_id(gate_key.public_key()),)


def test_a_countersigned_record_meets_a_threshold_of_two(
    make_record: Make, gate_key: Key, other_key: Key, log_key: Key, tmp_path: Path
) -> None:
    log = ReleaseLog.create(tmp_path / "log", ORIGIN, log_key)
    with log.writer() as writer:
        record = make_record(log=LogPosition(writer.next_index, ORIGIN, log.public_key.public_bytes_raw()))
        signed = envelope.sign(record.to_payload(), envelope.IN_TOTO, gate_key, other_key)
        proof = writer.append(signed).to_bytes()
    both = [gate_key.public_key(), other_key.public_key()]
    assert verify_record(signed, proof, both, threshold=2).record == record
    assert verify_record(signed, proof, other_key.public_key()).record == record
    with pytest.raises(VerificationError, match="1 of 2 trusted keys"):
        verify_record(signed, proof, [gate_key.public_key(), log_key.public_key()], threshold=2)


# --- what does not


def test_another_key_does_not_verify(make_bundle: Bundle, other_key: Key, log_key: Key) -> None:
    folder = make_bundle()
    refused(folder, other_key, "check that this is the custodian's public key")
    refused(folder, log_key, "check that this is the custodian's public key")
    with pytest.raises(KeyFileError):
        verify_bundle(folder, [])


@pytest.mark.parametrize("name", ["data.csv", "report.html", "record.dsse.json", "log-proof.json"])
def test_a_missing_empty_or_truncated_file_is_refused(make_bundle: Bundle, gate_key: Key, name: str) -> None:
    folder = make_bundle()
    content = (folder / name).read_bytes()
    for shorter in (content[:-1], content[: len(content) // 2], b"", content + b"\n"):
        (folder / name).write_bytes(shorter)
        refused(folder, gate_key, "do not use|not the file|envelope|log proof")
    (folder / name).unlink()
    refused(folder, gate_key, name)


def test_a_swapped_file_is_refused(make_bundle: Bundle, gate_key: Key) -> None:
    folder = make_bundle()
    (folder / "data.csv").rename(folder / "aside")
    (folder / "report.html").rename(folder / "data.csv")
    (folder / "aside").rename(folder / "report.html")
    refused(folder, gate_key, "not the file that was signed")


def test_parts_of_two_genuine_bundles_do_not_mix(make_bundle: Bundle, gate_key: Key) -> None:
    first, second = make_bundle("first"), make_bundle("second", reason="another decision")
    for name in ("record.dsse.json", "log-proof.json"):
        mixed = first.parent / f"mixed-{name}"
        shutil.copytree(first, mixed)
        shutil.copy(second / name, mixed / name)
        refused(mixed, gate_key, "inclusion proof")


def test_a_file_nobody_signed_is_refused_and_its_name_cannot_steer_the_terminal(
    make_bundle: Bundle, gate_key: Key
) -> None:
    folder = make_bundle()
    (folder / "extra\x1b[31m.csv").write_bytes(b"")
    refused(folder, gate_key, r"1 files are not among the 4 signed ones, such as 'extra\\x1b\[31m.csv'")


def test_a_folder_or_hidden_file_in_the_bundle_is_refused(make_bundle: Bundle, gate_key: Key) -> None:
    folder = make_bundle()
    (folder / "more").mkdir()
    refused(folder, gate_key, "not among")
    (folder / "more").rmdir()
    (folder / ".hidden").touch()
    refused(folder, gate_key, "not among")


def test_a_thousand_extra_files_are_refused_without_reading_on(make_bundle: Bundle, gate_key: Key) -> None:
    folder = make_bundle()
    for number in range(1000):
        (folder / f"extra-{number}").touch()
    refused(folder, gate_key, "not among the 4 signed ones|are missing")


@pytest.mark.parametrize("name", ["data.csv", "record.dsse.json", "log-proof.json"])
def test_a_link_pipe_or_folder_in_place_of_a_file_is_refused(
    make_bundle: Bundle, gate_key: Key, tmp_path: Path, name: str
) -> None:
    folder = make_bundle()
    (folder / name).rename(tmp_path / "moved")
    (folder / name).symlink_to(tmp_path / "moved")
    refused(folder, gate_key, f"{name}: is a symbolic link")
    (folder / name).unlink()
    os.mkfifo(folder / name)
    refused(folder, gate_key, f"{name}: is not a regular file")
    (folder / name).unlink()
    (folder / name).mkdir()
    refused(folder, gate_key, f"{name}: ")


def test_a_link_put_there_after_the_look_is_not_followed(
    make_bundle: Bundle, gate_key: Key, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_bundle()
    (folder / "data.csv").rename(tmp_path / "moved")
    (folder / "data.csv").symlink_to(tmp_path / "moved")
    monkeypatch.setattr(Path, "is_symlink", lambda _: False)
    refused(folder, gate_key, "data.csv: cannot be opened as a regular file")


def test_a_denied_bundle_with_data_is_refused_even_when_the_gate_key_signed_it(
    make_bundle: Bundle, gate_key: Key, log_key: Key, tmp_path: Path
) -> None:
    folder = make_bundle(**DENIED)
    (folder / "data.csv").write_bytes(b"age\n61\n")
    refused(folder, gate_key, "not among")
    # a gate that would sign such a statement: the payload is built past the record's own checks
    payload = json.loads(
        envelope.verify(
            (folder / "record.dsse.json").read_bytes(), gate_key.public_key(), payload_type=envelope.IN_TOTO
        )
    )
    payload["subject"].append({"name": "data.csv", "digest": {"sha256": "a" * 64}})
    log = ReleaseLog.create(tmp_path / "log", ORIGIN, log_key)
    log.append(b"one")
    log.append(b"two")
    signed = envelope.sign(canonical.encode(payload), envelope.IN_TOTO, gate_key)
    (folder / "record.dsse.json").write_bytes(signed)
    (folder / "log-proof.json").write_bytes(log.append(signed).to_bytes())
    refused(folder, gate_key, "a denial leaves no data")


def test_a_record_signed_for_another_purpose_is_refused(make_bundle: Bundle, make_record: Make, gate_key: Key) -> None:
    folder = make_bundle()
    signed = envelope.sign(make_record().to_payload(), "application/json", gate_key)
    (folder / "record.dsse.json").write_bytes(signed)
    refused(folder, gate_key, "payload type")


def test_a_log_the_signed_record_does_not_name_is_refused(
    make_bundle: Bundle, make_record: Make, gate_key: Key, other_key: Key, tmp_path: Path
) -> None:
    folder = make_bundle()
    signed = (folder / "record.dsse.json").read_bytes()
    for name, origin, key in (
        ("key", ORIGIN, other_key),
        ("origin", "hospital.example/other", Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))),
    ):
        forged = ReleaseLog.create(tmp_path / name, origin, key)
        forged.append(b"one")
        forged.append(b"two")
        (folder / "log-proof.json").write_bytes(forged.append(signed).to_bytes())
        refused(folder, gate_key, "another name or by another key")


def test_a_record_logged_at_another_index_than_it_says_is_refused(
    make_bundle: Bundle, gate_key: Key, log_key: Key, tmp_path: Path
) -> None:
    folder = make_bundle()
    log = ReleaseLog.create(tmp_path / "log", ORIGIN, log_key)
    (folder / "log-proof.json").write_bytes(log.append((folder / "record.dsse.json").read_bytes()).to_bytes())
    refused(folder, gate_key, "entry 0, the record says entry 2")


def test_a_file_larger_than_any_release_is_refused(
    make_bundle: Bundle, gate_key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_bundle()
    monkeypatch.setattr(verify, "MAX_FILE", 5)
    refused(folder, gate_key, "data.csv: larger than 5 bytes")
    (folder / "record.dsse.json").write_bytes(b"x" * (5 << 20))
    refused(folder, gate_key, "record.dsse.json: larger than")


def test_every_refusal_says_what_to_do(make_bundle: Bundle, gate_key: Key, other_key: Key) -> None:
    folder = make_bundle()
    (folder / "data.csv").write_bytes(b"other")
    refused(folder, gate_key, "do not use the bundle; ask the custodian")
    refused(folder, other_key, "do not use the record")


# --- the command


@pytest.fixture
def public(tmp_path: Path, gate_key: Key) -> Path:
    write_public_key(tmp_path / "gate.pub", gate_key.public_key())
    return tmp_path / "gate.pub"


def test_the_command_returns_0_for_a_good_bundle_and_tells_people_on_stderr(
    make_bundle: Bundle, public: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(make_bundle()), "--key", str(public)]) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    for part in (
        "VERIFIED",
        "ALLOWED",
        "research-extract",
        "data.csv",
        "entry 2 of hospital.example",
        "combines the rows",
    ):
        assert part in shown.err


def test_the_command_prints_the_signed_statement_as_json(
    make_bundle: Bundle, public: Path, gate_key: Key, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(make_bundle(**DENIED)), "--key", str(public), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["verified"] is True
    assert shown["signedBy"] == [key_id(gate_key.public_key())]
    assert shown["statement"]["predicate"]["decision"] == "denied"
    assert shown["statement"]["predicate"]["synthesizer"]["weights"] == {"gmm": 0.75, "noise": 0.25}


def test_the_command_warns_of_an_expired_record(
    make_bundle: Bundle, public: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    past = {
        "registered_at": datetime(2020, 1, 1, tzinfo=UTC),
        "decided_at": datetime(2020, 1, 1, tzinfo=UTC),
        "expires_at": datetime(2021, 1, 1, tzinfo=UTC),
    }
    assert main([str(make_bundle(**past)), "--key", str(public), "--json"]) == 0
    shown = capsys.readouterr()
    assert "EXPIRED" in shown.err
    assert json.loads(shown.out)["expired"] is True


def test_the_command_returns_1_for_a_bundle_that_does_not_hold(
    make_bundle: Bundle, public: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_bundle()
    (folder / "data.csv").write_bytes(b"other")
    assert main([str(folder), "--key", str(public), "--json"]) == 1
    shown = capsys.readouterr()
    assert "NOT VERIFIED: data.csv" in shown.err
    problem = shown.err.removeprefix("NOT VERIFIED: ").strip()
    assert json.loads(shown.out) == {"verified": False, "why": "files", "problem": problem}


def test_the_command_returns_2_when_it_cannot_be_asked_so(
    make_bundle: Bundle, public: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_bundle()
    (tmp_path / "garbage.pub").write_bytes(b"garbage")
    assert main([str(folder), "--key", str(tmp_path / "absent.pub")]) == 2
    assert main([str(folder), "--key", str(tmp_path / "garbage.pub")]) == 2
    assert main([str(tmp_path / "absent"), "--key", str(public)]) == 2
    for arguments in ([], [str(folder)], [str(folder), "--key", str(public), "--force"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
    assert capsys.readouterr().out == ""


def test_the_command_runs_as_a_module_and_has_help_with_an_example(make_bundle: Bundle, public: Path) -> None:
    command = [sys.executable, "-m", "audit.record.verify"]
    good = subprocess.run(
        [*command, str(make_bundle()), "--key", str(public)], capture_output=True, text=True, check=False
    )
    assert (good.returncode, good.stdout) == (0, "")
    shown = subprocess.run([*command, "--help"], capture_output=True, text=True, check=False)
    assert shown.returncode == 0
    assert "Example: python -m audit.record.verify" in shown.stdout


def test_every_error_of_the_package_is_a_record_error() -> None:
    assert issubclass(VerificationError, RecordError)
    assert issubclass(KeyFileError, RecordError)
    assert Subject("a", "a" * 64).is_data is False
