"""A release computed again: the same values, or what differs, or what cannot be known any more."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

from gateway.provenance import Software, installed_software
from gateway.replay.compare import compare_by_name
from gateway.replay.held import Held
from tests.gateway.conftest import PASSPHRASE, Clinic, make_clinic
from tests.gateway.private_clinic import PUBLIC_DICTIONARY, private_clinic
from tests.gateway.private_clinic import release as private_release
from tests.gateway.quick import quick_audits

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    """What is measured does not matter here; a release with the whole audit is in ``test_release``."""
    with quick_audits():
        yield


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Clinic:
    """A clinic with one release (``bundle``) and one refusal (``denied``)."""
    clinic = make_clinic(tmp_path_factory.mktemp("released"))
    assert clinic.release().exit_code == 0
    assert clinic.release(out="denied", policy="strict.toml").exit_code == 3
    return clinic


@pytest.fixture
def clinic(released: Clinic, tmp_path: Path) -> Clinic:
    """A copy that a test may spoil."""
    return Clinic(Path(shutil.copytree(released.folder, tmp_path / "clinic")))


def replay(clinic: Clinic, record: str | Path = "bundle", *extra: object) -> Result:
    return clinic.run("replay", clinic.folder / record, "--data", clinic.folder / "table.csv", "--quiet", *extra)


def outcome(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def evidence_of(clinic: Clinic, record: str = "bundle") -> Path:
    """The evidence folder of the bundle's record."""
    digest = sha256((clinic.folder / record / "record.dsse.json").read_bytes()).hexdigest()
    name = next(e["evidence"] for e in clinic.workspace.ledger.events() if e.get("recordDigest") == digest)
    return clinic.folder / "ws" / "evidence" / str(name)


def test_every_value_of_a_release_comes_out_again_and_so_do_its_bytes(clinic: Clinic) -> None:
    result = replay(clinic, "bundle", "--json")
    assert result.exit_code == 0, result.stderr
    found = outcome(result)
    recorded = json.loads((evidence_of(clinic) / "evidence.json").read_bytes())["measurements"]
    assert [each["recorded"] for each in found["measurements"]] == recorded
    assert [each["replayed"] for each in found["measurements"]] == recorded
    assert {each["name"] for each in found["others"]} == {
        "weights", "selection", "synthesizer", "sha256 of data.csv", "sha256 of data.parquet", "decision",
    }  # fmt: skip
    assert found["same"] is True
    assert found["notReplayed"] == found["surroundings"] == []


def test_a_refusal_is_replayed_though_its_rows_are_gone(clinic: Clinic) -> None:
    record = max((clinic.folder / "ws" / "records").iterdir())
    result = replay(clinic, record)
    assert result.exit_code == 0, result.stderr
    assert "SAME" in result.stdout
    assert "same nnaa_privacy_loss" in result.stderr
    assert "not remade: the recipient's page, the metadata files and VERIFY.md" in result.stderr


def test_released_bytes_are_audited_again_where_they_are_given(clinic: Clinic) -> None:
    result = replay(clinic, "bundle", "--bundle", clinic.folder / "bundle", "--json")
    assert result.exit_code == 0, result.stderr
    found = outcome(result)
    assert [each["name"] for each in found["others"]] == ["decision"]
    assert [gap["what"] for gap in found["notReplayed"]] == ["fitting and sampling"]


def test_a_replay_is_no_attempt_and_the_ledger_remembers_it(clinic: Clinic) -> None:
    before = clinic.workspace.ledger.used(dataset="clinic", policy="lenient")
    records = sorted(path.name for path in (clinic.folder / "ws" / "records").iterdir())
    log = {path.name: path.read_bytes() for path in (clinic.folder / "ws" / "log").iterdir()}
    assert replay(clinic).exit_code == 0
    ledger = clinic.workspace.ledger
    assert ledger.used(dataset="clinic", policy="lenient") == before
    event = ledger.events()[-1]
    assert (event["kind"], event["same"], event["different"]) == ("replay", True, 0)
    assert sorted(path.name for path in (clinic.folder / "ws" / "records").iterdir()) == records
    assert {path.name: path.read_bytes() for path in (clinic.folder / "ws" / "log").iterdir()} == log
    clinic.workspace.check_ledger()


def test_another_seed_gives_another_candidate_which_is_not_measured(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Held, "seed", np.random.SeedSequence(1))
    result = replay(clinic)
    assert result.exit_code == 1
    assert "DIFF sha256 of data.csv" in result.stderr
    assert "not replayed: measurements: the candidate made again is not the one on record" in result.stderr
    assert clinic.workspace.ledger.events()[-1]["same"] is False


def test_a_value_that_differs_is_shown_beside_the_recorded_one(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Held, "seed", np.random.SeedSequence(1))
    result = replay(clinic, "bundle", "--bundle", clinic.folder / "bundle", "--json")
    assert result.exit_code == 1
    found = {each["name"]: each for each in outcome(result)["measurements"]}
    assert found["rows_per_real_row"]["same"] is True
    different = found["nnaa_privacy_loss"]
    assert different["same"] is False
    assert different["recorded"]["value"] != different["replayed"]["value"]


def test_other_software_is_named(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    now = installed_software()
    changed: Software = dataclasses.replace(
        now, version="9.9", lock_digest="0" * 64, environment=(*now.environment[1:], "aardvark==1")
    )
    monkeypatch.setattr("gateway.replay.replaying.installed_software", lambda: changed)
    result = replay(clinic, "bundle", "--bundle", clinic.folder / "bundle")
    assert result.exit_code == 0
    assert "and is 9.9" in result.stderr
    assert "the lock file is another" in result.stderr
    assert "2 packages are of another version or missing: " in result.stderr


def test_the_key_of_commitments_is_encrypted_and_a_replay_asks_for_the_passphrase(clinic: Clinic) -> None:
    """With that key in the clear, whoever reads the workspace could try guessed tables against the public records."""
    key = clinic.workspace.commitment_key(PASSPHRASE.encode())
    stored = clinic.folder / "ws" / "keys" / "commitment.pem"
    assert stored.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert not [path for path in (clinic.folder / "ws").rglob("*") if path.is_file() and key in path.read_bytes()]
    clinic.write("passphrase.txt", "another passphrase than that\n")
    result = replay(clinic)
    assert result.exit_code == 2
    assert "commitment.pem: cannot be decrypted; wrong passphrase" in result.stderr


def test_another_table_is_told_by_its_commitment(clinic: Clinic) -> None:
    table = clinic.folder / "table.csv"
    table.write_bytes(table.read_bytes() + b"\n")  # the same rows, and not the same file
    result = replay(clinic)
    assert result.exit_code == 2
    assert "keyed commitment differs" in result.stderr


@pytest.mark.parametrize("name", ["evidence.json", "policy.toml", "dictionary.toml"])
def test_held_files_that_are_gone_or_changed_are_named(clinic: Clinic, name: str) -> None:
    path = evidence_of(clinic) / name
    path.write_bytes(path.read_bytes() + b"\n")
    result = replay(clinic)
    assert result.exit_code == 2
    assert f"{name}: its SHA-256 is not the one on record" in result.stderr
    path.unlink()
    result = replay(clinic)
    assert result.exit_code == 2
    assert f"{name}: cannot be opened" in result.stderr


def test_a_bundle_with_other_rows_is_refused(clinic: Clinic) -> None:
    data = clinic.folder / "bundle" / "data.csv"
    data.write_bytes(data.read_bytes().replace(b"F", b"M", 1))
    result = replay(clinic, "bundle", "--bundle", clinic.folder / "bundle")
    assert result.exit_code == 2
    assert "data.csv: its SHA-256 is not the one on record" in result.stderr


def test_a_record_of_another_workspace_is_refused(clinic: Clinic, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = make_clinic(tmp_path / "other")
    result = other.run("replay", clinic.folder / "bundle", "--data", clinic.folder / "table.csv", "--json")
    assert result.exit_code == 2
    assert "no record of the workspace" in outcome(result)["error"]["message"]


def test_a_request_that_was_refused_unread_has_nothing_to_replay(clinic: Clinic) -> None:
    clinic.write("strict.toml", (clinic.folder / "strict.toml").read_text() + "[attempts]\nmax = 1\n")
    assert clinic.release(out="exhausted", policy="strict.toml").exit_code == 3
    result = replay(clinic, "exhausted")
    assert result.exit_code == 2
    assert "refused before its table was read" in result.stderr


@pytest.mark.parametrize("dictionary", [PUBLIC_DICTIONARY, None], ids=["patients", "rows"])
def test_a_private_release_is_replayed_from_its_released_bytes(tmp_path: Path, dictionary: str | None) -> None:
    ward = private_clinic(make_clinic(tmp_path))
    if dictionary is None:  # one row is one person: the split was drawn anew, and kept
        text = PUBLIC_DICTIONARY.replace('patient = "patient"\nmax_rows_per_patient = 2\n', "")
        ward.write("table.toml", text)
    assert private_release(ward).exit_code == 0
    result = replay(ward, "bundle", "--json")
    assert result.exit_code == 0, result.stderr + result.stdout
    found = outcome(result)
    assert {"dp_epsilon", "dp_delta"} <= {each["name"] for each in found["measurements"]}
    assert [gap["what"] for gap in found["notReplayed"]] == ["fitting and sampling"]
    assert "by design" in found["notReplayed"][0]["why"]
    charges = len(ward.workspace.ledger.charges("clinic"))
    record = max((ward.folder / "ws" / "records").iterdir())
    alone = replay(ward, record)
    assert alone.exit_code == 2
    assert "--bundle" in alone.stderr
    assert replay(ward, record, "--bundle", ward.folder / "bundle").exit_code == 0
    assert len(ward.workspace.ledger.charges("clinic")) == charges


def test_a_private_refusal_cannot_be_replayed_and_the_reason_is_given(tmp_path: Path) -> None:
    ward = private_clinic(make_clinic(tmp_path))
    policy = (
        (ward.folder / "private.toml").read_text().replace("rows_per_real_row = { max = 2 }", "k_map = { min = 999 }")
    )
    ward.write("private.toml", policy)
    assert private_release(ward).exit_code == 3
    result = replay(ward)
    assert result.exit_code == 2
    assert "kept nowhere" in result.stderr


def test_a_measure_that_only_one_side_has_is_a_difference() -> None:
    pairs = compare_by_name([{"name": "a", "value": 1.0}], [{"name": "b", "value": 1.0}])
    assert [(pair.name, pair.same) for pair in pairs] == [("a", False), ("b", False)]
