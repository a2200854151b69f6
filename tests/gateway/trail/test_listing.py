"""The officer's tables: what is listed, filtered, shown and compared, and what no filter hides."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tests.gateway.conftest import Clinic
from tests.gateway.trail.conftest import OTHER, REQUESTER, say

pytestmark = pytest.mark.slow


def records(clinic: Clinic) -> list[Path]:
    return sorted((clinic.folder / "ws" / "records").iterdir())


def listed(clinic: Clinic, *filters: object, status: int = 0) -> list[dict[str, Any]]:
    result = clinic.run("audit", "list", "--json", *filters)
    assert result.exit_code == status, result.stderr
    found: list[dict[str, Any]] = json.loads(result.stdout)["records"]
    return found


def places(clinic: Clinic, *filters: object) -> list[int]:
    return [each["logIndex"] for each in listed(clinic, *filters)]


def altered(path: Path, old: bytes, new: bytes) -> None:
    """One change in a base64 payload is a change all the same."""
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


def test_a_table_for_people_shows_who_asked_what_came_of_it_and_who_overruled(past: Clinic) -> None:
    result = past.run("audit", "list")
    assert result.exit_code == 0, result.stderr
    head, first, second, third = result.stdout.splitlines()
    assert head.split() == [
        "ENTRY", "DECIDED", "(UTC)", "DECISION", "STANDING", "DATASET", "POLICY", "REQUESTER", "ROWS", "EPSILON",
    ]  # fmt: skip
    assert "allowed   in force, OVERRIDDEN  clinic   lenient  Rosa Requester   100" in first
    assert "denied    denied" in second
    assert third.split()[0] == "2"


def test_filters_choose_by_dataset_requester_policy_decision_and_day(past: Clinic) -> None:
    today = datetime.now(UTC).date()
    assert places(past) == [0, 1, 2]
    assert places(past, "--dataset", "clinic", "--decision", "allowed") == [0, 2]
    assert places(past, "--dataset", "another") == []
    assert places(past, "--requester", REQUESTER.upper()) == [0]
    assert places(past, "--policy", "strict") == [1]
    assert places(past, "--since", today - timedelta(days=1), "--until", today) == [0, 1, 2]
    assert places(past, "--until", today - timedelta(days=1)) == []
    assert places(past, "--since", today + timedelta(days=1)) == []
    assert places(past, "--min-epsilon", "0") == []  # none of these claims any differential privacy
    wrong = past.run("audit", "list", "--since", today, "--until", today - timedelta(days=1))
    assert (wrong.exit_code, "lies before" in wrong.stderr) == (2, True)


def test_an_altered_record_is_shown_as_broken_whatever_the_filter(past: Clinic) -> None:
    path = records(past)[2]
    altered(path, b'"sig":"', b'"sig":"A')
    for filters in ((), ("--dataset", "another"), ("--decision", "denied"), ("--min-epsilon", "9")):
        found = listed(past, *filters, status=1)
        assert [each["standing"] for each in found if each["statement"] is None] == ["missing", "broken"]
    result = past.run("audit", "list")
    assert result.exit_code == 1
    assert "BROKEN" in result.stdout
    assert "PROBLEM: 2 of 4 records do not hold" in result.stderr


def test_a_record_that_is_gone_leaves_a_gap_that_is_shown(past: Clinic) -> None:
    records(past)[1].unlink()
    found = listed(past, status=1)
    assert [(each["logIndex"], each["standing"]) for each in found] == [
        (0, "in force"), (1, "missing"), (2, "in force"),
    ]  # fmt: skip
    shown = past.run("audit", "show", 1)
    assert (shown.exit_code, "MISSING" in shown.stdout) == (1, True)


def test_a_record_that_is_no_file_is_broken_too(past: Clinic) -> None:
    path = records(past)[0]
    kept = path.rename(past.folder / "kept")
    path.symlink_to(kept)
    broken = [each for each in listed(past, status=1) if each["standing"] == "broken"]
    assert [each["file"] for each in broken] == [path.name]
    assert "symbolic link" in broken[0]["problem"]


def test_a_log_that_was_cut_short_breaks_every_record(past: Clinic) -> None:
    entries = past.folder / "ws" / "log" / "entries"
    entries.write_bytes(entries.read_bytes()[:130])
    result = past.run("audit", "list", "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert any(each.startswith("log: ") for each in report["problems"])
    assert {each["standing"] for each in report["records"]} == {"broken"}


def test_a_ledger_that_is_gone_is_a_problem_and_the_records_are_shown(past: Clinic) -> None:
    (past.folder / "ws" / "ledger.sqlite").unlink()
    result = past.run("audit", "list", "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert any(each.startswith("ledger: ") for each in report["problems"])
    assert [each["standing"] for each in report["records"]] == ["in force", "denied", "in force"]


def test_an_altered_act_is_a_problem_and_the_release_it_approved_is_withheld(past: Clinic) -> None:
    approval = sorted((past.folder / "ws" / "actions").iterdir())[-1]
    altered(approval, b'"sig":"', b'"sig":"A')
    result = past.run("audit", "list", "--json")
    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert any(each.startswith(approval.name) for each in report["problems"])
    assert report["records"][0]["standing"] == "withheld"
    assert "0 of 1 approvals" in report["records"][0]["withheld"]


def test_a_revoked_release_is_listed_as_revoked_and_is_no_fault(past: Clinic) -> None:
    assert say(past, "revoke", "third", "olga", "a patient withdrew consent") == 0
    found = listed(past)
    assert [each["standing"] for each in found] == ["in force", "denied", "revoked"]
    assert "a patient withdrew consent" in found[2]["withheld"]


def test_show_tells_one_record_in_words_by_place_name_or_digest(past: Clinic) -> None:
    by_place = past.run("audit", "show", 0)
    assert by_place.exit_code == 0, by_place.stderr
    for line in (
        "standing  in force", "decision  ALLOWED under policy lenient: all 3 limits", f"requester {REQUESTER}",
        "approvals 1 by approver", "OVERRIDE  by Olga Officer (officer)", "board decision 7 of 2026",
    ):  # fmt: skip
        assert line in by_place.stdout
    found = listed(past)[0]
    for name in (found["file"], found["sha256"], found["sha256"][:8]):
        assert past.run("audit", "show", name).stdout == by_place.stdout
    as_json = past.run("audit", "show", 0, "--json")
    assert json.loads(as_json.stdout) == found
    nothing = past.run("audit", "show", 3)  # an act, and no record
    assert (nothing.exit_code, "0 records are named so" in nothing.stderr) == (2, True)


def test_diff_names_each_field_that_differs_and_no_other(past: Clinic) -> None:
    result = past.run("audit", "diff", 0, 1, "--json")
    assert result.exit_code == 0, result.stderr
    found = {each["field"]: (each["left"], each["right"]) for each in json.loads(result.stdout)}
    assert found["decision"] == ("allowed", "denied")
    assert found["policy.id"] == ("lenient", "strict")
    assert found["findings[nnaa_privacy_loss].met"] == (True, False)
    assert found["oversight.requester"] == (REQUESTER, OTHER)
    assert found["subject[data.csv].digest.sha256"][1] is None
    assert found["oversight.approvals.roles"] == (["approver"], [])
    assert "software.version" not in found
    assert "findings[exact_copy_excess].met" not in found
    same = past.run("audit", "diff", 2, 2)
    assert (same.exit_code, "0 fields differ" in same.stderr) == (0, True)
    altered(records(past)[1], b'"sig":"', b'"sig":"A')
    broken = past.run("audit", "diff", 0, records(past)[1].name)
    assert (broken.exit_code, "NOT COMPARED" in broken.stderr) == (1, True)


def test_a_spreadsheet_runs_no_cell(past: Clinic) -> None:
    out = past.folder / "records.csv"
    result = past.run("audit", "export", "--format", "csv", "--out", out)
    assert result.exit_code == 0, result.stderr
    rows = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8"), newline="")))
    assert [row["requester"] for row in rows] == [REQUESTER, f"'{OTHER}", f"'{OTHER}"]
    assert rows[1]["unmet"] == "nnaa_privacy_loss"
    assert rows[0]["actions"] == "refuse by Ben Example; override by Olga Officer; approve by Dr Ada Example"
    again = past.run("audit", "export", "--format", "csv", "--out", out)
    assert (again.exit_code, "not overwritten" in again.stderr) == (2, True)


def test_json_goes_to_a_pipe(past: Clinic) -> None:
    result = past.run("audit", "export", "--format", "json", "--decision", "denied", "--out", "-")
    document = json.loads(result.stdout)
    assert document["chosen"] == {"decision": "denied"}
    assert document["records"] == listed(past, "--decision", "denied")


def test_an_empty_workspace_has_nothing_to_list(clinic: Clinic) -> None:
    result = clinic.run("audit", "list")
    assert (result.exit_code, result.stdout) == (0, "No record is of this kind.\n")


@pytest.mark.parametrize("command", ["list", "show", "diff", "export", "report", "verify"])
def test_every_command_has_help_with_an_example(clinic: Clinic, command: str) -> None:
    result: Result = clinic.run("audit", command, "--help")
    assert result.exit_code == 0
    assert f"gateway audit {command}" in result.stdout.partition("Example:")[2]
