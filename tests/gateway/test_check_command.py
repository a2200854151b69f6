"""``gateway check``: any file against a policy, in the formats of pipelines; nothing is trained or recorded.

The audits compare exact copies only, whose controls fail by chance about once in a thousand times, and in one test the
share nearer to train, which a fresh sample of 300 rows exceeds 0.7 with about once in ten thousand times.
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import stat
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from audit.measures import MEASURE_NAMES
from gateway.check import WITHOUT_HOLDOUT, seed_of
from gateway.intake import Snapshot, take_snapshot
from gateway.intake.delimited import PLAIN
from gateway.statements import GATE_MEASURES
from policies import Source
from policies.evidence import ATTACKS
from tests.gateway.conftest import Clinic, clinic_table
from tests.gateway.formats.decisions import first_digits

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
    assert "DENIED: 1 of 3 limits; out.sarif holds no measured value" in done.stderr
    written = clinic.folder / "out.sarif"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    [result] = json.loads(written.read_text())["runs"][0]["results"]
    assert result["ruleId"] == "exact_copy_excess"
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "copy.csv"
    assert files(clinic) - before == {"out.sarif"}
    cells = {cell for line in (clinic.folder / "copy.csv").read_text().splitlines()[1:] for cell in line.split(",")}
    assert not any(cell in written.read_text() for cell in cells if len(cell) > 5)  # dates, and numbers with decimals


@pytest.mark.slow
def test_asking_again_gets_the_same_bytes_and_only_an_exact_file_holds_what_was_measured(
    clinic: Clinic, arguments: list[object]
) -> None:
    """One decision, since the draws follow from the bytes read: its numbers are looked for in the other formats."""
    first, again = (clinic.run("check", clinic.folder / "copy.csv", *arguments, "--json") for _ in range(2))
    assert first.exit_code == 3, first.stderr
    assert first.stdout == again.stdout
    findings = json.loads(first.stdout)["findings"]
    values = [each[key] for each in findings for key in ("value", "lower", "upper")]
    digits = {first_digits(value) for value in values if len(first_digits(value)[0]) == 3}
    assert digits
    for output_format, extra, told, expected in (
        ("sarif", (), "holds no measured value", set()),
        ("junit", ("--exact",), "holds exact values and stays with the custodian", digits),
    ):
        out = clinic.folder / output_format
        done = clinic.run(
            "check", clinic.folder / "copy.csv", *arguments, "--format", output_format, "--out", out, *extra
        )
        assert done.stdout == ""
        assert told in done.stderr
        assert not [each for pair in digits for each in pair if each in done.stderr.replace(".", "")]
        plain = re.sub(r'"[0-9a-f]{64}"|time="[^"]*"|\.', "", out.read_text())
        assert {pair for pair in digits if any(each in plain for each in pair)} == expected


@pytest.mark.slow
def test_where_only_the_verdict_may_be_told_the_closing_line_counts_no_limits(
    clinic: Clinic, arguments: list[object]
) -> None:
    clinic.write("copies.toml", POLICY.replace("minimum_people", 'disclosure = "verdict"\nminimum_people'))
    out = clinic.folder / "gate.xml"
    done = clinic.run("check", clinic.folder / "copy.csv", *arguments, "--format", "junit", "--out", out)
    assert done.exit_code == 3, done.stderr
    assert done.stderr.strip() == "DENIED; gate.xml holds no measured value"
    [case] = ET.fromstring(out.read_text()).iter("testcase")  # noqa: S314  # our own file
    assert case.attrib["name"] == "policy"


def parts(**changed: bytes) -> dict[str, bytes]:
    return {name: changed.get(name, name.encode()) for name in ("synthetic", "real", "holdout", "policy", "dictionary")}


def seed(contents: dict[str, bytes], *earlier: bytes) -> int:
    files = {
        name: Snapshot(name, PLAIN, (("", content, "csv"),))
        for name, content in contents.items()
        if name not in ("policy", "dictionary")
    }
    before = [Snapshot("before", PLAIN, (("", content, "csv"),)) for content in earlier]
    drawn = seed_of(
        files["synthetic"], files["real"], files.get("holdout"), before, contents["policy"], contents["dictionary"]
    )
    return int(drawn.generate_state(4, np.uint64)[0])


def test_a_byte_anywhere_and_the_order_of_the_earlier_files_change_the_seed_and_nothing_else_does() -> None:
    seeds = [seed(parts(**{name: b"x"}), b"e", b"f") for name in parts()]
    seeds += [seed(parts(), *earlier) for earlier in ((), (b"e",), (b"e", b"f"), (b"f", b"e"), (b"ef",))]
    without = parts()
    del without["holdout"]
    seeds += [seed(without), seed(without, b"holdout"), seed(parts(holdout=b""))]
    seeds += [seed(parts(synthetic=b"real", real=b"synthetic"))]
    assert len(set(seeds)) == len(seeds)
    assert seed(parts(), b"e", b"f") == seed(parts(), b"e", b"f")


def test_of_a_database_the_rows_taken_make_the_seed(clinic: Clinic) -> None:
    def taken(name: str, value: int) -> np.random.SeedSequence:
        with contextlib.closing(sqlite3.connect(clinic.folder / name)) as base:
            base.execute("CREATE TABLE visits (a INTEGER)")
            base.executemany("INSERT INTO visits VALUES (?)", [(1,), (value,)])
            base.commit()
        rows = take_snapshot(f"sqlite://{clinic.folder / name}", Source(table="visits"))
        return seed_of(rows, rows, None, (), b"", b"")

    assert taken("one.db", 2).entropy == taken("two.db", 2).entropy != taken("three.db", 3).entropy


@pytest.mark.parametrize("named", [True, False], ids=["other patients", "no patient column"])
def test_a_holdout_with_rows_of_the_real_table_is_refused_whatever_its_patients_are_called(
    clinic: Clinic, arguments: list[object], named: bool
) -> None:
    train = (clinic.folder / "train.csv").read_text().splitlines()
    holdout = (clinic.folder / "holdout.csv").read_text().splitlines()
    planted = [f"Q{number:05d},{line.partition(',')[2]}" for number, line in enumerate(train[1:6])]
    for name, lines in (("train.csv", train), ("holdout.csv", holdout + planted)):
        clinic.write(name, "\n".join(line if named else line.partition(",")[2] for line in lines) + "\n")
    if not named:
        dictionary = (clinic.folder / "table.toml").read_text()
        dictionary = dictionary.replace('patient = "patient"\n', "")
        clinic.write("table.toml", dictionary.replace('[columns.patient]\ntype = "identifier"\n', ""))
    done = clinic.run("check", clinic.folder / "fresh.csv", *arguments)
    assert done.exit_code == 2, done.stderr
    assert "5 rows of the holdout are in the real table too" in done.stderr
    assert not [cell for line in planted for cell in line.split(",") if len(cell) > 4 and cell in done.stderr]


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
    assert "stay with the custodian" in text
    assert "A changed byte in any of them is a new look" in text
    assert "seed" not in text
    assert Path("synthetic.csv").name in text


def test_what_is_measured_without_a_holdout_are_measures_that_exist_and_no_attacks_but_one() -> None:
    """Only counting among all real people, the k-map, needs nobody unseen."""
    assert {*MEASURE_NAMES, *GATE_MEASURES} >= WITHOUT_HOLDOUT
    assert {name for names in ATTACKS.values() for name in names} & WITHOUT_HOLDOUT == {"k_map"}
