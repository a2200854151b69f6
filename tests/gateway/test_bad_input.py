"""Every bad input: a clear error with what to do, the right exit status, no raw value, nothing half-written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.gateway.conftest import DICTIONARY, POLICY, Clinic

CANARY = "zebra4711"


def refused(clinic: Clinic, *words: str, status: int = 2, **release: object) -> str:
    """Run a release that must fail; check status, message and that nothing was written."""
    before = {path for path in clinic.folder.rglob("*") if "ws" not in path.parts}
    result = clinic.release(**release)  # type: ignore[arg-type]
    assert result.exit_code == status, result.stderr
    message = result.stderr
    for word in words:
        assert word in message, message
    assert CANARY not in message + result.stdout
    assert "Traceback" not in message
    assert {path for path in clinic.folder.rglob("*") if "ws" not in path.parts} == before
    return message


def edited(clinic: Clinic, column: str, value: str, *, rows: slice = slice(5, 6)) -> None:
    """Put ``value`` into some cells of the table."""
    lines = (clinic.folder / "table.csv").read_text(encoding="utf-8").splitlines()
    position = lines[0].split(",").index(column)
    for number in range(*rows.indices(len(lines))):
        cells = lines[number].split(",")
        cells[position] = value
        lines[number] = ",".join(cells)
    clinic.write("table.csv", "\n".join(lines) + "\n")


def test_a_missing_file_is_named(clinic: Clinic) -> None:
    (clinic.folder / "table.csv").unlink()
    refused(clinic, "table.csv")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"patient,age,sex,systolic,seen,outcome\n", "no rows"),
        (b"patient,age,age,systolic,seen,outcome\na,1,2,3,2020-01-01,0\n", "repeats"),
        (b"patient,age\nzebra4711,1\nzebra4711,2,3\n", "line"),
        (b"patient,age,sex,systolic,seen,outcome\nzebra4711,\xff\xfe,F,100,2020-01-01,0\n", "UTF-8"),
    ],
    ids=["empty", "header only", "duplicate header", "ragged", "encoding"],
)
def test_a_file_that_is_no_table_is_refused(clinic: Clinic, content: bytes, word: str) -> None:
    clinic.write("table.csv", content)
    refused(clinic, word)


def test_an_unknown_column_is_named(clinic: Clinic) -> None:
    text = (clinic.folder / "table.csv").read_text(encoding="utf-8")
    clinic.write("table.csv", text.replace("systolic", "pulse", 1))
    refused(clinic, "pulse", "systolic")


@pytest.mark.parametrize(
    ("column", "value"),
    [("sex", CANARY), ("age", CANARY), ("age", "4711"), ("age", "41.5"), ("seen", "1999-01-01"), ("age", "")],
    ids=["category", "not a number", "above the maximum", "not whole", "date too early", "missing"],
)
def test_a_cell_outside_the_dictionary_names_column_and_count_only(clinic: Clinic, column: str, value: str) -> None:
    edited(clinic, column, value, rows=slice(5, 8))
    message = refused(clinic, column, "3 rows")
    assert "4711" not in message
    assert "1999" not in message


def test_fewer_people_than_the_policy_can_decide_on(clinic: Clinic) -> None:
    lines = (clinic.folder / "table.csv").read_text(encoding="utf-8").splitlines()
    clinic.write("table.csv", "\n".join(lines[:60]) + "\n")
    refused(clinic, "100")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("column", "value"), [("systolic", "120.0"), ("outcome", "1"), ("systolic", "?")],
    ids=["constant column", "single class", "all-missing column"],
)  # fmt: skip
def test_a_poor_column_is_noted_and_survives(clinic: Clinic, column: str, value: str) -> None:
    edited(clinic, column, value, rows=slice(1, None))
    result = clinic.release()
    assert result.exit_code in (0, 3), result.stderr
    assert column in result.stderr
    assert (clinic.folder / "bundle" / "record.dsse.json").is_file()


@pytest.mark.slow
def test_a_class_with_one_row_is_noted_and_survives(clinic: Clinic) -> None:
    edited(clinic, "outcome", "0", rows=slice(1, None))
    edited(clinic, "outcome", "1", rows=slice(9, 10))
    result = clinic.release()
    assert result.exit_code in (0, 3), result.stderr
    assert "outcome" in result.stderr


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (POLICY.replace("0.9", "nan"), "nnaa_privacy_loss"),
        (POLICY + "\n[surprise]\nx = 1\n", "surprise"),
        (POLICY.replace("nnaa_privacy_loss", "nnaa_privacy_los"), "nnaa_privacy_los"),
        (POLICY.replace('context = "internal"', 'context = "internal"\nexpires = 2020-01-01'), "expired"),
        ("version = 1\nversion = 1\n", "TOML"),
        (POLICY[: POLICY.index("[limits]")] + "limits = {}\n", "limit"),
    ],
    ids=["NaN", "unknown key", "unknown measure", "expired", "duplicate key", "no limits"],
)
def test_an_unusable_policy_is_an_error_and_no_denial(clinic: Clinic, text: str, word: str) -> None:
    clinic.write("lenient.toml", text)
    refused(clinic, word)


def test_an_unusable_dictionary_names_the_key(clinic: Clinic) -> None:
    clinic.write("table.toml", DICTIONARY.replace("maximum = 110", "maximum = 10"))
    refused(clinic, "columns.age")


@pytest.mark.parametrize(
    "text",
    [
        'version = 1\ncomponents = ["magic"]\n',
        "version = 1\nsurprise = 2\n",
        "version = 1\npeople_per_knot = 1\n",  # real values come back (I-12): never from the gate
        "version =",
    ],
)
def test_unusable_settings_are_an_error(clinic: Clinic, text: str) -> None:
    clinic.write("quick.toml", text)
    refused(clinic, "quick.toml")


def test_an_output_that_exists_is_kept(clinic: Clinic) -> None:
    (clinic.folder / "bundle").mkdir()
    clinic.write("bundle/mine.txt", "kept")
    refused(clinic, "bundle", "exists")
    assert (clinic.folder / "bundle" / "mine.txt").read_text(encoding="utf-8") == "kept"


def test_an_output_that_cannot_be_written_is_found_before_anything_is_charged(clinic: Clinic) -> None:
    refused(clinic, "no such folder", out="absent/bundle")
    refused(clinic, "cannot be written", out="/proc/bundle")
    assert clinic.workspace.ledger.events() == []


def test_a_wrong_passphrase_costs_no_attempt(clinic: Clinic) -> None:
    clinic.write("passphrase.txt", "not the passphrase\n")
    refused(clinic, "passphrase")
    assert clinic.workspace.ledger.events() == []


def test_a_missing_workspace_says_how_to_make_one(clinic: Clinic) -> None:
    result = clinic.release("--workspace", clinic.folder / "nowhere")
    assert result.exit_code == 2
    assert "gateway init" in result.stderr


def test_an_error_is_one_json_object_when_json_is_asked_for(clinic: Clinic) -> None:
    (clinic.folder / "table.csv").unlink()
    result = clinic.release("--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["kind"] == "IntakeError"


def test_a_fault_of_ours_shows_its_place_and_not_its_message(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError(f"a library quotes {CANARY}")

    monkeypatch.setattr("gateway.candidate.type_table", broken)
    result = clinic.release()
    assert result.exit_code == 1
    assert "RuntimeError" in result.stderr
    assert CANARY not in result.stderr + result.stdout
    assert not (clinic.folder / "bundle").exists()


@pytest.mark.slow
def test_a_tampered_bundle_and_a_wrong_key_are_not_verified(clinic: Clinic, tmp_path: Path) -> None:
    assert clinic.release().exit_code == 0
    other = tmp_path / "other"
    assert clinic.run("init", "--workspace", other).exit_code == 0
    wrong = clinic.run("verify", clinic.folder / "bundle", "--key", other / "keys" / "gate.pub.pem")
    assert wrong.exit_code == 1
    assert "NOT VERIFIED" in wrong.stderr
    data = clinic.folder / "bundle" / "data.csv"
    content = bytearray(data.read_bytes())
    content[-3] ^= 1
    data.write_bytes(bytes(content))
    tampered = clinic.run("verify", clinic.folder / "bundle", "--key", clinic.public_key, "--json")
    assert tampered.exit_code == 1
    assert json.loads(tampered.stdout)["verified"] is False
