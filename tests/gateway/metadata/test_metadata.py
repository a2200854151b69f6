"""What machines read beside the data: each description held against its own tool, with nothing that nobody has said."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gateway.intake import write_csv, write_parquet
from gateway.metadata import Description, metadata_files
from policies import Dictionary, dictionary_to_toml, load_pack
from tests.audit.record.conftest import CLAIM
from tests.gateway.conftest import Clinic

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the tools' own, while they load
    import frictionless
    import mlcroissant
    from rocrate.rocrate import ROCrate

pytestmark = [  # what mlcroissant does with rdflib and pandas
    pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.reset_index is deprecated"),
]

NAMES = {"datapackage.json", "croissant.json", "ro-crate-metadata.json"}
COLUMNS: dict[str, dict[str, Any]] = {
    "age": {"type": "integer", "minimum": 0.0, "maximum": 120.0, "unit": "years", "description": "Age at admission."},
    "dose": {"type": "number", "minimum": -1.5, "maximum": 100.0, "decimals": 2, "nullable": True},
    "smoker": {"type": "boolean", "categories": ("no", "yes")},
    "ward": {"type": "category", "categories": ("north", "=south", "O\"east, é"), "nullable": True},
    "stage": {"type": "ordinal", "categories": ("I", "II", "III")},
    "seen": {"type": "date", "minimum": dt.date(1990, 1, 1), "maximum": dt.date(2030, 1, 1)},
    "taken": {"type": "datetime", "minimum": dt.datetime(1990, 1, 1), "maximum": dt.datetime(2030, 1, 1)},  # noqa: DTZ001
    "=odd name": {"type": "integer", "minimum": 0.0, "maximum": 9.0, "nullable": True, "missing": ("99",)},
}  # fmt: skip
DICTIONARY = Dictionary.model_validate(
    {"version": 1, "name": "clinic", "description": "Visits to a clinic.", "missing": ("?",), "columns": COLUMNS}
)
LATER = {"index.html": b"<!DOCTYPE html>", "record.dsse.json": b"{}", "log-proof.json": b"{}"}


def frame() -> pd.DataFrame:
    """Three rows; the second misses what may be missing."""
    ward = pd.CategoricalDtype(list(COLUMNS["ward"]["categories"]))
    return pd.DataFrame(
        {
            "age": [0.0, 57.0, 120.0],
            "dose": [-1.5, np.nan, 3.25],
            "smoker": pd.Categorical(["no", "yes", "no"], ["no", "yes"], ordered=True),
            "ward": pd.Series(["=south", None, 'O"east, é'], dtype=ward),
            "stage": pd.Categorical(["I", "III", "II"], ["I", "II", "III"], ordered=True),
            "seen": np.array(["1990-01-01", "2020-02-29", "2030-01-01"], dtype="datetime64[s]"),
            "taken": np.array(["1990-01-01", "2020-02-29T23:59:59", "2030-01-01"], dtype="datetime64[s]"),
            "=odd name": [9.0, np.nan, 0.0],
        }
    )


def description(**changes: Any) -> Description:
    return replace(
        Description(
            dictionary=DICTIONARY,
            policy=load_pack("small-cohort"),
            rows=3,
            decided_at=dt.datetime(2026, 11, 22, 10, 30, tzinfo=dt.UTC),
            expires_at=dt.datetime(2027, 11, 22, 10, 30, tzinfo=dt.UTC),
            software=("sluice-gate", "0.1.0"),
            settings={"components": ["copula", "gmm"]},
            claim=None,
        ),
        **changes,
    )


def files_of(dictionary: Dictionary = DICTIONARY) -> dict[str, bytes]:
    return {
        "VERIFY.md": b"# How to verify\n",
        "data.parquet": write_parquet(frame(), dictionary),
        "data.csv": write_csv(frame(), dictionary),
        "dictionary.toml": dictionary_to_toml(dictionary).encode(),
    }


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    files = files_of()
    for name, content in {**files, **metadata_files(description(), files), **LATER}.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def document(bundle: Path, name: str) -> Any:
    return json.loads((bundle / name).read_bytes())


def frictionless_errors(bundle: Path) -> list[str]:
    report = frictionless.Package(str(bundle / "datapackage.json")).validate()
    assert len(report.tasks) == 3
    return [str(kind) for (kind,) in report.flatten(["type"])]


def test_the_method_says_whose_presence_the_claim_hides() -> None:
    rows = replace(CLAIM, unit="row", max_rows_per_patient=1)
    assert "for the patient with at most 5 rows; what" in description(claim=CLAIM).method
    assert "for the row, each counted as another patient; what" in description(claim=rows).method


def test_frictionless_finds_every_cell_of_the_csv_within_its_schema(bundle: Path) -> None:
    assert frictionless_errors(bundle) == []
    with frictionless.Package(str(bundle / "datapackage.json")).get_resource("data") as data:
        rows = [row.to_dict() for row in data.row_stream]
    assert rows[0]["'=odd name"] == 9
    assert rows[1] == {
        "age": 57, "dose": None, "smoker": True, "ward": None, "stage": "III", "seen": dt.date(2020, 2, 29),
        "taken": dt.datetime(2020, 2, 29, 23, 59, 59), "'=odd name": None,  # noqa: DTZ001  # local time
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "old", "new", "error"),
    [
        ("data.csv", b"120,", b"121,", "constraint-error"),
        ("data.csv", b",III,", b",IV,,", "constraint-error"),
        ("data.csv", b"2020-02-29,", b"2020-02-30,", "type-error"),
        ("data.csv", b"57,", b"58,", "hash-count"),
        ("data.parquet", b"PAR1", b"PAR2", "hash-count"),
        ("dictionary.toml", b"clinic", b"clinik", "hash-count"),
    ],
)
def test_frictionless_finds_what_was_changed(bundle: Path, name: str, old: bytes, new: bytes, error: str) -> None:
    content = (bundle / name).read_bytes()
    assert old in content
    (bundle / name).write_bytes(content.replace(old, new, 1))
    assert error in frictionless_errors(bundle)


def test_the_table_schema_says_what_the_dictionary_says(bundle: Path) -> None:
    schema = document(bundle, "datapackage.json")["resources"][1]["schema"]
    fields = {field["name"]: field for field in schema["fields"]}
    assert fields["age"] == {
        "name": "age", "type": "integer", "unit": "years",
        "description": "Age at admission; whole number from 0 to 120 years",
        "constraints": {"required": True, "minimum": 0, "maximum": 120},
    }  # fmt: skip
    assert fields["ward"]["constraints"]["enum"] == ["north", "'=south", 'O"east, é']
    assert fields["stage"]["categoriesOrdered"] is True
    assert fields["seen"]["constraints"]["minimum"] == "1990-01-01"
    assert schema["missingValues"] == ["?"]


def test_a_column_with_a_missing_spelling_of_its_own_has_it_in_the_schema(tmp_path: Path) -> None:
    own = DICTIONARY.model_copy(
        update={
            "missing": (),
            "columns": {
                name: column.model_copy(update={"missing": ("none",) if name == "ward" else ("-9",)})
                for name, column in DICTIONARY.columns.items()
            },
        }
    )
    files = files_of(own)
    for name, content in {**files, **metadata_files(description(dictionary=own), files)}.items():
        (tmp_path / name).write_bytes(content)
    assert frictionless_errors(tmp_path) == []


def test_mlcroissant_accepts_the_document_and_reads_the_rows_through_it(bundle: Path) -> None:
    dataset = mlcroissant.Dataset(jsonld=str(bundle / "croissant.json"))
    assert not dataset.metadata.ctx.issues.errors
    # nobody has stated these, so they are left out; nothing else is missing
    left_out = {text.split('"')[1].rsplit("/", 1)[1] for text in dataset.metadata.ctx.issues.warnings}
    assert left_out == {"citeAs", "license", "version"}
    rows = [dict(record) for record in dataset.records("rows")]
    assert [row["rows/age"] for row in rows] == [0, 57, 120]
    assert [row["rows/ward"] for row in rows] == [b"=south", None, 'O"east, é'.encode()]
    assert [row["rows/seen"] for row in rows] == list(frame()["seen"])
    assert [row["rows/column-8"] for row in rows] == [9, None, 0]
    categories = [record["categories/stage/name"] for record in dataset.records("categories/stage")]
    assert categories == ["I", "II", "III"]


def test_mlcroissant_finds_a_column_that_is_not_in_the_file(bundle: Path) -> None:
    path = bundle / "croissant.json"
    path.write_bytes(path.read_bytes().replace(b'"column": "age"', b'"column": "agee"'))
    with pytest.raises((mlcroissant.ValidationError, mlcroissant.GenerationError, ValueError, KeyError)):
        list(mlcroissant.Dataset(jsonld=str(path)).records("rows"))


def test_the_ro_crate_library_finds_every_file_of_the_bundle(bundle: Path) -> None:
    crate = ROCrate(str(bundle))
    assert crate.metadata["conformsTo"] == "https://w3id.org/ro/crate/1.1"
    held = {path.name for path in bundle.iterdir()} - {"datapackage.json", "croissant.json", "ro-crate-metadata.json"}
    assert {entity.id for entity in crate.data_entities} == held
    for entity in crate.data_entities:
        content = (bundle / entity.id).read_bytes()
        if entity.id in LATER:
            assert entity.get("sha256") is None
        else:
            assert entity["sha256"] == hashlib.sha256(content).hexdigest()
            assert entity["contentSize"] == str(len(content))
    root = crate.root_dataset
    assert root["license"]["description"] == (
        "Released under policy small-cohort (controlled context): Row-level synthetic extract of a small clinical "
        "cohort for a named requester. To be relied on until 2027-11-22."
    )
    assert root["expires"] == "2027-11-22"
    assert [variable["name"] for variable in root["variableMeasured"]] == list(COLUMNS)
    age = root["variableMeasured"][0]
    assert (age["minValue"], age["maxValue"], age["unitText"]) == (0, 120, "years")


@pytest.fixture(scope="session")
def rocrate_validator(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], list[dict[str, Any]]]:
    """RO-Crate's own validator, offline: what it finds that must or should be otherwise."""
    own = Path(sys.prefix) / "rocrate" / "bin"
    if not (own / "rocrate-validator").exists():
        pytest.skip("needs rocrate-validator: make test installs it")
    folder = tmp_path_factory.mktemp("rocrate")
    script = Path(__file__).with_name("rocrate_context.py")
    subprocess.run([own / "python", script, folder / "cache"], check=True, capture_output=True)

    def validate(crate: Path) -> list[dict[str, Any]]:
        report = folder / "report.json"
        report.unlink(missing_ok=True)
        subprocess.run(
            [
                own / "rocrate-validator", "--no-interactive", "validate", "--no-paging", "--offline",
                "--cache-path", folder / "cache", "--profile-identifier", "ro-crate-1.1",
                "--requirement-severity", "recommended", "--output-format", "json", "--output-file", report, crate,
            ],
            check=False, capture_output=True, env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        )  # fmt: skip
        found = json.loads(report.read_bytes())
        assert found["skipped_checks"] == 0
        assert found["passed"] is (not found["issues"])
        issues: list[dict[str, Any]] = found["issues"]
        return issues

    return validate


@pytest.mark.slow
def test_the_ro_crate_validator_misses_only_what_nobody_has_stated(
    bundle: Path, rocrate_validator: Callable[[Path], list[dict[str, Any]]]
) -> None:
    issues = rocrate_validator(bundle)
    assert [each["message"] for each in issues if each["severity"] == "REQUIRED"] == []
    missed = sorted(each["message"] for each in issues)
    assert len(missed) == 2
    assert "`author`" in missed[0]
    assert "`publisher`" in missed[1]


@pytest.mark.slow
def test_the_ro_crate_validator_finds_a_term_that_is_not_declared_and_a_file_that_is_not_there(
    bundle: Path, rocrate_validator: Callable[[Path], list[dict[str, Any]]]
) -> None:
    path = bundle / "ro-crate-metadata.json"
    path.write_bytes(path.read_bytes().replace(b'"contentSize"', b'"contentSizes"'))
    (bundle / "data.csv").unlink()
    required = " ".join(each["message"] for each in rocrate_validator(bundle) if each["severity"] == "REQUIRED")
    assert '"contentSizes" are not allowed' in required
    assert "data.csv" in required


def test_the_ro_crate_is_flat_and_every_reference_leads_somewhere(bundle: Path) -> None:
    """RO-Crate 1.1: a flat graph; each entity once, named by its @id."""
    graph = document(bundle, "ro-crate-metadata.json")["@graph"]
    ids = [entity["@id"] for entity in graph]
    assert len(set(ids)) == len(ids)
    for entity in graph:
        for reference in references(entity):
            assert set(reference) == {"@id"}
            assert reference["@id"] in ids or reference["@id"].startswith("https://w3id.org/")


def references(entity: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for value in entity.values():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict):
                yield each


def test_what_nobody_has_stated_is_left_out() -> None:
    """No licence, creator or address is made up; every text comes from the dictionary, the policy or the record."""
    files = files_of()
    found = {name: json.loads(content) for name, content in metadata_files(description(), files).items()}
    for name in ("datapackage.json", "croissant.json"):
        unknown = {"license", "licenses", "creator", "contributors", "author", "publisher", "url", "homepage", "citeAs"}
        assert not unknown & found[name].keys()
    assert not {"author", "publisher", "url"} & found["ro-crate-metadata.json"]["@graph"][1].keys()
    bare = description(dictionary=DICTIONARY.model_copy(update={"description": None}), expires_at=None, settings={})
    text = json.dumps([json.loads(content) for content in metadata_files(bare, files).values()])
    assert "None" not in text
    assert "until" not in text


def test_the_same_release_has_the_same_bytes() -> None:
    assert metadata_files(description(), files_of()) == metadata_files(description(), files_of())


@pytest.mark.slow
def test_a_release_vouches_for_its_descriptions_and_a_refusal_has_none(clinic: Clinic) -> None:
    assert clinic.release().exit_code == 0
    folder = clinic.folder / "bundle"
    payload = json.loads(base64.b64decode(document(folder, "record.dsse.json")["payload"]))
    subjects = {each["name"]: each["digest"]["sha256"] for each in payload["subject"]}
    assert subjects.keys() >= NAMES
    assert frictionless_errors(folder) == []
    assert len(list(mlcroissant.Dataset(jsonld=str(folder / "croissant.json")).records("rows"))) == 150
    described = document(folder, "datapackage.json")["resources"]
    assert all(subjects[each["path"]] == each["hash"].removeprefix("sha256:") for each in described)
    path = folder / "croissant.json"
    path.write_bytes(path.read_bytes().replace(b"150 synthetic", b"151 synthetic"))
    assert clinic.run("verify", folder, "--key", clinic.public_key).exit_code == 1
    assert clinic.release(out="denied", policy="strict.toml").exit_code == 3
    assert not NAMES & {path.name for path in (clinic.folder / "denied").iterdir()}
