"""The archive: one file that a second party checks with a key and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gateway.conftest import Clinic
from tests.gateway.trail.test_listing import altered, records

pytestmark = pytest.mark.slow


def exported(clinic: Clinic, *more: object, status: int = 0) -> Path:
    out = clinic.folder / "trail.tar"
    result = clinic.run("audit", "export", "--format", "archive", "--out", out, *more)
    assert result.exit_code == status, result.stderr
    return out


def officer(clinic: Clinic, name: str = "olga") -> tuple[object, ...]:
    return "--key", clinic.folder / f"{name}.pem", "--key-passphrase-file", clinic.folder / "passphrase.txt"


def test_the_logs_archive_verifies_with_the_logs_key_or_the_root_alone(past: Clinic) -> None:
    archive = exported(past)
    told = past.run("audit", "verify", archive, "--key", past.workspace.log_public_key)
    assert told.exit_code == 0, told.stderr
    assert told.stdout.startswith("VERIFIED: signed by log (log, ")
    assert "records   3: 2 in force, 1 denied" in told.stdout
    rooted = past.run("audit", "verify", archive, "--root", past.folder / "root.pub.pem", "--json")
    assert rooted.exit_code == 0, rooted.stderr
    report = json.loads(rooted.stdout)
    assert (report["verified"], report["sound"], report["problems"]) == (True, True, [])
    assert [each["standing"] for each in report["records"]] == ["in force", "denied", "in force"]


def test_an_officer_signs_with_their_own_key_and_a_filter_goes_along(past: Clinic) -> None:
    archive = exported(past, "--decision", "denied", *officer(past))
    result = past.run("audit", "verify", archive, "--key", past.folder / "olga.pub.pem", "--json")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert [each["role"] for each in report["signedBy"]] == ["officer"]
    assert report["chosen"] == {"decision": "denied"}
    assert [each["logIndex"] for each in report["records"]] == [1]
    assert report["log"]["size"] == 6
    other = past.run("audit", "verify", archive, "--key", past.workspace.log_public_key)
    assert (other.exit_code, "NOT VERIFIED" in other.stderr) == (1, True)


def test_an_approver_cannot_sign_an_archive(past: Clinic) -> None:
    result = past.run("audit", "export", "--format", "archive", "--out", past.folder / "a.tar", *officer(past, "ada"))
    assert (result.exit_code, "by the log or by an officer" in result.stderr) == (2, True)
    assert not (past.folder / "a.tar").exists()


def test_a_broken_record_goes_along_and_is_told_at_both_ends(past: Clinic) -> None:
    altered(records(past)[2], b'"sig":"', b'"sig":"A')
    archive = exported(past, status=1)
    result = past.run("audit", "verify", archive, "--key", past.workspace.log_public_key)
    assert result.exit_code == 1
    assert result.stdout.startswith("GENUINE, BUT NOT ALL OF IT HOLDS")
    assert f"BROKEN    {records(past)[2].name}" in result.stdout


def test_an_altered_archive_is_refused(past: Clinic) -> None:
    archive = exported(past)
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    result = past.run("audit", "verify", archive, "--key", past.workspace.log_public_key, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["verified"] is False


def test_a_key_or_the_root_must_be_given(past: Clinic) -> None:
    for keys in ((), ("--key", past.workspace.log_public_key, "--root", past.folder / "root.pub.pem")):
        assert past.run("audit", "verify", past.folder / "trail.tar", *keys).exit_code == 2


def test_a_log_that_does_not_hold_makes_no_archive(past: Clinic) -> None:
    entries = past.folder / "ws" / "log" / "entries"
    entries.write_bytes(entries.read_bytes()[:130])
    result = past.run("audit", "export", "--format", "archive", "--out", past.folder / "a.tar")
    assert (result.exit_code, "would prove nothing" in result.stderr) == (2, True)


def test_verifying_loads_nothing_heavier_than_cryptography(past: Clinic) -> None:
    """(I-2)"""
    archive = exported(past)
    script = (
        "import sys\nfrom gateway.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit as end:\n    print(end.code)\n"
        "heavy = {'numpy', 'pandas', 'pydantic', 'torch', 'jinja2', 'matplotlib'} & set(sys.modules)\n"
        "print(sorted(heavy))"
    )
    arguments = ["audit", "verify", str(archive), "--key", str(past.workspace.log_public_key)]
    run = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
    assert run.stdout.splitlines()[-2:] == ["0", "[]"], run.stderr
