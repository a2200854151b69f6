"""The main job, through the command line a custodian uses."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.gateway.conftest import Clinic

pytestmark = pytest.mark.slow


def test_a_release_writes_a_whole_bundle_that_verifies(clinic: Clinic) -> None:
    result = clinic.release("--json")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["allowed"] is True
    bundle = clinic.folder / "bundle"
    assert {path.name for path in bundle.iterdir()} == {
        "data.csv", "data.parquet", "dictionary.toml", "index.html", "record.dsse.json", "log-proof.json", "VERIFY.md",
        "datapackage.json", "croissant.json", "ro-crate-metadata.json",
    }  # fmt: skip
    verified = clinic.run("verify", bundle, "--key", clinic.public_key, "--json")
    assert verified.exit_code == 0, verified.stderr
    assert json.loads(verified.stdout)["statement"]["predicate"]["decision"] == "allowed"
    assert Path(report["report"]).read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_refusal_is_signed_too_and_leaves_no_data_anywhere(clinic: Clinic) -> None:
    result = clinic.release("--json", policy="strict.toml")
    assert result.exit_code == 3
    bundle = clinic.folder / "bundle"
    assert not list(bundle.glob("data.*"))
    assert clinic.run("verify", bundle, "--key", clinic.public_key).exit_code == 0
    leftovers = [path for path in clinic.folder.rglob("*") if path.is_file() and path.suffix in (".csv", ".parquet")]
    assert [path.name for path in leftovers] == ["table.csv"]


def test_what_was_audited_is_what_is_released(clinic: Clinic) -> None:
    """(I-1): the CSV and the Parquet file hold the same table, and both are subjects of the record."""
    assert clinic.release().exit_code == 0
    args = ("--real", clinic.folder / "table.csv", "--dictionary", clinic.folder / "bundle/dictionary.toml")
    for name in ("data.csv", "data.parquet"):
        check = clinic.run("dictionary", "check", args[3], "--data", clinic.folder / "bundle" / name, "--json")
        assert check.exit_code == 0, check.stderr
        assert json.loads(check.stdout)["rows"] == 150


def test_no_measured_number_reaches_the_bundle(clinic: Clinic) -> None:
    """(I-7): the exact scores are a reconstruction oracle."""
    report = json.loads(clinic.release("--json").stdout)
    public = "".join(
        path.read_text(encoding="utf-8") for path in (clinic.folder / "bundle").iterdir()
        if path.suffix in (".html", ".json", ".md")
    )  # fmt: skip
    values = {f"{finding['value']:.6f}" for finding in report["findings"] if finding["measure"] != "rows_per_real_row"}
    assert values
    assert not any(value in public for value in values)


def test_attempts_run_out_and_the_refusal_after_that_reads_nothing(clinic: Clinic) -> None:
    for number in range(3):
        assert clinic.release(out=f"bundle-{number}", policy="strict.toml", rows=150 + number).exit_code == 3
    (clinic.folder / "table.csv").write_bytes(b"this is no table at all")  # would fail at intake if it were read
    result = clinic.release("--json", out="bundle-3", policy="strict.toml")
    assert result.exit_code == 3
    assert "attempts" in json.loads(result.stdout)["reason"]
    assert clinic.run("verify", clinic.folder / "bundle-3", "--key", clinic.public_key).exit_code == 0


def test_an_attempt_that_never_passed_intake_does_not_count(clinic: Clinic) -> None:
    good = (clinic.folder / "table.csv").read_bytes()
    (clinic.folder / "table.csv").write_bytes(b"age,age\n1,2\n")
    for number in range(4):
        assert clinic.release(out=f"bad-{number}").exit_code == 2
        assert not (clinic.folder / f"bad-{number}").exists()
    (clinic.folder / "table.csv").write_bytes(good)
    assert clinic.release().exit_code == 0


def test_everything_in_the_workspace_is_for_its_owner_alone(clinic: Clinic) -> None:
    assert clinic.release().exit_code == 0
    for path in (clinic.folder / "ws").rglob("*"):
        inside_private_folder = stat.S_IMODE(path.parent.stat().st_mode) & 0o077 == 0
        assert inside_private_folder or stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path.name


def test_nothing_is_left_in_staging_and_no_partial_bundle_stays(clinic: Clinic) -> None:
    assert clinic.release().exit_code == 0
    assert list((clinic.folder / "ws" / "staging").iterdir()) == []
    assert not list(clinic.folder.glob(".*partial"))


def test_no_cell_of_a_rare_patient_is_echoed_anywhere(clinic: Clinic) -> None:
    """A canary identifier in the patient column must be in no output, record, evidence or error."""
    text = (clinic.folder / "table.csv").read_text(encoding="utf-8")
    canary = "CANARY-7f3a91"
    lines = text.splitlines()
    lines[1] = canary + lines[1][lines[1].index(",") :]
    clinic.write("table.csv", "\n".join(lines) + "\n")
    result = clinic.release()
    assert result.exit_code == 0
    assert canary not in result.stdout + result.stderr
    for path in clinic.folder.rglob("*"):
        if path.is_file() and path.name != "table.csv":
            assert canary.encode() not in path.read_bytes(), path.name


def test_a_ledger_put_back_to_yesterday_stops_the_next_release(clinic: Clinic) -> None:
    """(I-9): the newest signed record cites a state that the restored ledger has never had."""
    ledger = clinic.folder / "ws" / "ledger.sqlite"
    yesterday = ledger.read_bytes()
    assert clinic.release().exit_code == 0
    for name in ("ledger.sqlite-wal", "ledger.sqlite-shm"):
        (ledger.parent / name).unlink(missing_ok=True)
    ledger.write_bytes(yesterday)
    result = clinic.release(out="second")
    assert result.exit_code == 2
    assert "rolled back" in result.stderr
    assert not (clinic.folder / "second").exists()


def test_a_log_put_back_to_yesterday_stops_the_next_release(clinic: Clinic) -> None:
    """The ledger remembers the log's newest signed checkpoint; a log that no longer begins with it is refused."""
    log = clinic.folder / "ws" / "log"
    yesterday = {path.name: path.read_bytes() for path in log.iterdir()}
    assert clinic.release().exit_code == 0
    for path in log.iterdir():
        path.unlink()
    for name, content in yesterday.items():
        (log / name).write_bytes(content)
    result = clinic.release(out="second", rows=151)
    assert result.exit_code == 2
    assert "older copy" in result.stderr
    assert not (clinic.folder / "second").exists()
