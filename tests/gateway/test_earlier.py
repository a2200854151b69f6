"""What was released before is audited with what comes next, on one split of the people, or nothing is said of it."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.earlier import earlier_releases
from gateway.intake import read_table
from policies import parse_dictionary
from tests.gateway.conftest import Clinic, make_clinic
from tests.gateway.quick import quick_audits
from tests.gateway.test_replay import evidence_of

pytestmark = pytest.mark.slow

TOGETHER = "cumulative_near_copy_excess = { max = 0.5 }\n[attempts]\nmax = 9\n"


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Clinic:
    """A clinic with two releases (``bundle``, ``second``) and a refusal between them."""
    clinic = make_clinic(tmp_path_factory.mktemp("released"))
    clinic.write("lenient.toml", (clinic.folder / "lenient.toml").read_text() + TOGETHER)
    with quick_audits():
        assert clinic.release().exit_code == 0
        assert clinic.release(out="denied", policy="strict.toml").exit_code == 3
        assert clinic.release(out="second", rows=120).exit_code == 0
    return clinic


@pytest.fixture
def clinic(released: Clinic, tmp_path: Path) -> Clinic:
    return Clinic(Path(shutil.copytree(released.folder, tmp_path / "clinic")))


def evidence(clinic: Clinic, record: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((evidence_of(clinic, record) / "evidence.json").read_bytes())
    return found


def patients_held_out(clinic: Clinic, record: str) -> set[str]:
    cells = read_table(clinic.folder / "table.csv").columns["patient"]
    rows: NDArray[np.int32] = cells.codes[evidence(clinic, record)["heldOut"]]
    return {cells.spellings[code] for code in rows}


def everyone(clinic: Clinic) -> set[str]:
    return set(read_table(clinic.folder / "table.csv").columns["patient"].spellings)


def test_every_release_divides_the_people_alike_also_when_rows_come_and_go(clinic: Clinic) -> None:
    first, before = patients_held_out(clinic, "bundle"), everyone(clinic)
    assert patients_held_out(clinic, "second") == patients_held_out(clinic, "denied") == first
    table = clinic.folder / "table.csv"
    header, *lines = table.read_text().splitlines()
    more = [f"N{number:04d}" + line[line.index(",") :] for number, line in enumerate(lines[:80])]
    table.write_text("\n".join([header, *reversed(lines[50:]), *more]) + "\n")
    with quick_audits():
        assert clinic.release(out="third").exit_code == 0
    third = patients_held_out(clinic, "third")
    both = before & everyone(clinic)
    assert third & both == first & both
    assert 0.4 < len(third - before) / 80 < 0.6


def test_the_union_of_what_was_allowed_is_audited_with_the_next(clinic: Clinic) -> None:
    with quick_audits() as audited:
        result = clinic.release("--json", out="third", rows=130)
    assert result.exit_code == 0, result.stderr
    (tables,) = audited
    assert tables.earlier is not None
    assert len(tables.earlier) == 150 + 120  # the refused one left nothing
    assert tables.earlier.dtypes.equals(tables.released.dtypes)
    names = [finding["measure"] for finding in json.loads(result.stdout)["findings"]]
    assert "cumulative_near_copy_excess" in names
    method = {each["name"]: each["method"] for each in evidence(clinic, "third")["measurements"]}
    assert method["cumulative_near_copy_excess"].endswith("with 270 rows released earlier")
    first = {each["name"]: each for each in evidence(clinic, "bundle")["measurements"]}
    assert first["cumulative_near_copy_excess"]["value"] == first["near_copy_excess"]["value"]


def test_a_second_release_is_replayed_with_what_was_out_then_and_no_more(clinic: Clinic) -> None:
    with quick_audits() as audited:
        assert clinic.release(out="third", rows=130).exit_code == 0
        data = ("--data", clinic.folder / "table.csv", "--quiet", "--json")
        result = clinic.run("replay", clinic.folder / "second", *data)
    assert result.exit_code == 0, result.stderr + result.stdout
    assert audited[-1].earlier is not None
    assert len(audited[-1].earlier) == 150


@pytest.mark.parametrize("loss", ["gone", "altered", "record"])
def test_where_an_earlier_release_is_not_held_nothing_is_said_of_all_together(clinic: Clinic, loss: str) -> None:
    held = evidence_of(clinic, "bundle") / "bundle"
    if loss == "record":
        shutil.copy(clinic.folder / "second" / "record.dsse.json", held)
    else:
        (held / "data.parquet").unlink()
    if loss == "altered":
        shutil.copy(clinic.folder / "second" / "data.parquet", held)
    with quick_audits():
        result = clinic.release("--json", out="third", rows=130)
    assert result.exit_code == 3
    (found,) = (f for f in json.loads(result.stdout)["findings"] if f["measure"] == "cumulative_near_copy_excess")
    assert found["status"] == "inconclusive"
    assert "1 of 2 earlier releases are not at hand" in found["reason"]
    shutil.rmtree(held)
    shutil.copytree(clinic.folder / "bundle", held)  # the custodian puts it back
    with quick_audits():
        assert clinic.release(out="fourth", rows=131).exit_code == 0


def test_a_release_under_another_name_of_the_same_file_is_an_earlier_one(clinic: Clinic) -> None:
    text = (clinic.folder / "table.toml").read_text()
    clinic.write("table.toml", text.replace('name = "clinic"', 'name = "renamed"'))
    with quick_audits() as audited:
        assert clinic.release(out="third").exit_code == 0
    assert audited[0].earlier is not None
    assert len(audited[0].earlier) == 270
    assert patients_held_out(clinic, "third") == patients_held_out(clinic, "bundle")


def test_columns_that_an_earlier_release_lacks_cannot_be_audited_together(clinic: Clinic) -> None:
    text = (clinic.folder / "table.toml").read_text()
    fewer = parse_dictionary(text.replace('[columns.sex]\ntype = "category"', '[columns.sex]\ntype = "identifier"')
                             .replace('categories = ["F", "M"]\nrole = "quasi_identifier"\n', "").encode())  # fmt: skip
    other = parse_dictionary((text + '[columns.weight]\ntype = "number"\nminimum = 0\nmaximum = 9\n').encode())
    newest = len(clinic.workspace.ledger.events()) + 1
    found = earlier_releases(clinic.workspace, ["clinic"], "clinic", newest, fewer)
    assert found.frame is not None
    assert (list(found.frame), len(found.frame), found.releases, found.lost) == (list(fewer.released), 270, 2, 0)
    assert earlier_releases(clinic.workspace, ["clinic"], "clinic", newest, other).lost == 2
    fewer_levels = parse_dictionary(text.replace('["F", "M"]', '["F", "X"]').encode())
    unknown = earlier_releases(clinic.workspace, ["clinic"], "clinic", newest, fewer_levels)
    assert unknown.lost == 2  # their values cannot be told in the columns of now
    assert earlier_releases(clinic.workspace, ["clinic"], "another", newest, fewer_levels).lost == 2
    assert earlier_releases(clinic.workspace, ["other"], "other", newest, fewer).releases == 0


def test_the_workspace_keeps_what_it_released_and_nothing_of_what_it_refused(clinic: Clinic) -> None:
    kept = {
        path.relative_to(clinic.folder / "ws").parts[1]: path
        for path in (clinic.folder / "ws" / "evidence").rglob("data.csv")
    }
    assert len(kept) == 2
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in kept.values()}
    assert digests == {
        hashlib.sha256((clinic.folder / name / "data.csv").read_bytes()).hexdigest() for name in ("bundle", "second")
    }
    refused = evidence_of(clinic, "denied") / "bundle"
    assert {path.name for path in refused.iterdir()} == {
        "VERIFY.md",
        "index.html",
        "record.dsse.json",
        "log-proof.json",
    }
