"""``gateway check``: any file against a policy, in the formats of pipelines; nothing is trained or recorded.

The audits compare exact copies only, whose controls fail by chance about once in a thousand times, and in one test the
share nearer to train, which a fresh sample of 300 rows exceeds 0.7 with about once in ten thousand times.
"""

from __future__ import annotations

import json
import stat
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from audit.measures import MEASURE_NAMES
from gateway.check import WITHOUT_HOLDOUT
from gateway.statements import GATE_MEASURES
from policies.evidence import ATTACKS
from tests.gateway.conftest import Clinic, clinic_table

POLICY = """
version = 1
id = "copies"
purpose = "test"
context = "internal"
minimum_people = 100
[limits]
exact_copy_excess = { max = 0.1 }
rows_per_real_row = { max = 5 }
safe_harbor_dates = { max = 9 }
"""


@pytest.fixture
def arguments(clinic: Clinic) -> list[object]:
    """Three thirds of one clinic, patients kept apart: seen, unseen, and fresh ones as somebody's synthetic file."""
    lines = clinic_table(900, np.random.default_rng(7)).to_csv(index=False).splitlines()
    rows: dict[int, list[str]] = {0: [], 1: [], 2: []}
    for line in lines[1:]:
        rows[int(line.split(",")[0][1:]) % 3].append(line)
    clinic.write("train.csv", "\n".join([lines[0], *rows[0]]) + "\n")
    clinic.write("holdout.csv", "\n".join([lines[0], *rows[1]]) + "\n")
    for name, source in (("copy.csv", rows[0]), ("fresh.csv", rows[2])):
        clinic.write(name, "\n".join(line.partition(",")[2] for line in [lines[0], *source]) + "\n")
    clinic.write("copies.toml", POLICY)
    return [
        "--real", clinic.folder / "train.csv", "--holdout", clinic.folder / "holdout.csv", "--dictionary",
        clinic.folder / "table.toml", "--policy", clinic.folder / "copies.toml", "--quiet",
    ]  # fmt: skip


def files(clinic: Clinic) -> set[str]:
    return {str(path.relative_to(clinic.folder)) for path in clinic.folder.rglob("*")}


@pytest.mark.slow
def test_a_copy_is_denied_in_a_sarif_file_of_its_owner_alone_and_the_workspace_stays_untouched(
    clinic: Clinic, arguments: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clinic.folder)
    before = files(clinic)
    done = clinic.run("check", "copy.csv", *arguments, "--format", "sarif", "--out", "out.sarif")
    assert done.exit_code == 3, done.stderr
    assert done.stdout == ""
    assert "DENIED: 1 of 3 limits; out.sarif holds exact values and stays with the custodian" in done.stderr
    written = clinic.folder / "out.sarif"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    [result] = json.loads(written.read_text())["runs"][0]["results"]
    assert result["ruleId"] == "exact_copy_excess"
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "copy.csv"
    assert files(clinic) - before == {"out.sarif"}
    cells = {cell for line in (clinic.folder / "copy.csv").read_text().splitlines()[1:] for cell in line.split(",")}
    assert not any(cell in written.read_text() for cell in cells if len(cell) > 5)  # dates, and numbers with decimals


@pytest.mark.slow
def test_a_fresh_sample_is_allowed_in_a_junit_report_on_stdout(clinic: Clinic, arguments: list[object]) -> None:
    done = clinic.run("check", clinic.folder / "fresh.csv", *arguments, "--format", "junit")
    assert done.exit_code == 0, done.stdout + done.stderr
    root = ET.fromstring(done.stdout)  # noqa: S314  # our own file
    assert (root.attrib["tests"], root.attrib["failures"]) == ("3", "0")
    assert float(root.attrib["time"]) > 0
    assert {case.attrib["name"] for case in root.iter("testcase")} == {
        "exact_copy_excess", "rows_per_real_row", "safe_harbor_dates",
    }  # fmt: skip


@pytest.mark.parametrize("output_format", ["text", "json", "sarif", "junit"])
def test_what_cannot_be_used_ends_with_status_2_and_writes_no_file(
    clinic: Clinic, arguments: list[object], output_format: str
) -> None:
    out = clinic.folder / "out.txt"
    done = clinic.run("check", clinic.folder / "absent.csv", *arguments, "--format", output_format, "--out", out)
    assert done.exit_code == 2
    assert not out.exists()
    if output_format == "json":
        assert json.loads(done.stdout)["error"]["kind"]


@pytest.mark.parametrize("spelling", [["--json"], ["--format", "json"]])
def test_json_is_the_same_under_both_spellings(clinic: Clinic, arguments: list[object], spelling: list[str]) -> None:
    done = clinic.run("check", clinic.folder / "absent.csv", *arguments, *spelling)
    assert done.exit_code == 2
    assert "absent.csv" in json.loads(done.stdout)["error"]["message"]


def test_a_file_that_exists_is_not_overwritten_and_nothing_is_read(clinic: Clinic, arguments: list[object]) -> None:
    taken = clinic.write("taken.sarif", "mine")
    done = clinic.run("check", clinic.folder / "absent.csv", *arguments, "--format", "sarif", "--out", taken)
    assert done.exit_code == 2
    assert "not overwritten" in done.stderr
    assert taken.read_text() == "mine"


def test_an_unknown_format_is_refused(clinic: Clinic, arguments: list[object]) -> None:
    assert clinic.run("check", clinic.folder / "fresh.csv", *arguments, "--format", "pdf").exit_code == 2


@pytest.mark.slow
def test_a_file_is_held_together_with_those_that_were_given_away_before(
    clinic: Clinic, arguments: list[object]
) -> None:
    """A fresh sample beside half a table of copies: as many rows again, most of them somebody's."""
    together = POLICY.replace('"copies"', '"together"') + "cumulative_dcr_share = { max = 0.7 }\n"
    clinic.write("together.toml", together)
    arguments[arguments.index("--policy") + 1] = clinic.folder / "together.toml"
    fresh = clinic.folder / "fresh.csv"
    alone = clinic.run("check", fresh, *arguments, "--json")
    assert alone.exit_code == 0, alone.stdout + alone.stderr
    copy = clinic.folder / "copy.csv"
    both = clinic.run("check", fresh, *arguments, "--earlier", copy, "--earlier", copy, "--json")
    assert both.exit_code == 3, both.stdout + both.stderr
    [denied] = [each for each in json.loads(both.stdout)["findings"] if not each["met"]]
    assert denied["measure"] == "cumulative_dcr_share"


def test_an_earlier_file_of_other_columns_ends_with_status_2(clinic: Clinic, arguments: list[object]) -> None:
    odd = clinic.write("odd.csv", "a,b\n1,2\n")
    done = clinic.run("check", clinic.folder / "fresh.csv", *arguments, "--earlier", odd)
    assert done.exit_code == 2


def test_help_says_where_the_output_has_to_stay(clinic: Clinic) -> None:
    text = " ".join(clinic.run("check", "--help").stdout.split())
    assert "stays with the custodian" in text
    assert Path("synthetic.csv").name in text


def test_what_is_measured_without_a_holdout_are_measures_that_exist_and_no_attacks_but_one() -> None:
    """Only counting among all real people, the k-map, needs nobody unseen."""
    assert {*MEASURE_NAMES, *GATE_MEASURES} >= WITHOUT_HOLDOUT
    assert {name for names in ATTACKS.values() for name in names} & WITHOUT_HOLDOUT == {"k_map"}
