"""Both verifiers give every answer of the conformance folder, and the folder is what its sources say."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from audit.record.verify import main
from gateway.cli import main as gateway
from tests.audit.record.test_schema import SCHEMA, fits
from tests.conformance.build import FOLDER, build, golden

CASES: list[dict[str, Any]] = json.loads((FOLDER / "index.json").read_text("utf-8"))["cases"]
NAMES = [case["name"] for case in CASES]


def options(case: dict[str, Any]) -> list[str]:
    """What both commands take."""
    found = [argument for key in case.get("keys", ()) for argument in ("--key", str(FOLDER / key))]
    found += [argument for key in case.get("witnesses", ()) for argument in ("--witness", str(FOLDER / key))]
    if "trust" in case:
        found += ["--trust", str(FOLDER / case["trust"]), "--root", str(FOLDER / case["root"])]
    if "timestampAuthority" in case:
        found += ["--timestamp-authority", str(FOLDER / case["timestampAuthority"])]
    return [*found, "--json"]


def prepared(case: dict[str, Any], folder: Path) -> Path:
    """The bundle, with what no archive can hold made in it."""
    if "prepare" not in case:
        return FOLDER / str(case["bundle"])
    bundle = folder / "bundle"
    shutil.copytree(FOLDER / str(case["bundle"]), bundle)
    for step in case["prepare"]:
        path, outside = bundle / step["path"], folder / "outside"
        if path.exists():
            path.rename(outside)
        if step["make"] == "symlink":
            path.symlink_to(outside)
        elif step["make"] == "pipe":
            os.mkfifo(path)
        else:
            path.mkdir()
    return bundle


def check(case: dict[str, Any], status: int, output: str) -> None:
    report = json.loads(output)
    assert report["verified"] is (case["answer"] == "verified")
    assert status == (0 if report["verified"] else 1)
    if report["verified"]:
        assert report["expired"] is case["expired"]
        assert report["statement"]["predicate"]["decision"] == case["decision"]
        assert (report["timestampedAt"] is not None) is ("timestampAuthority" in case)
    else:
        assert report["why"] == case["why"], report["problem"]


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_the_small_verifier_answers_as_the_index_says(
    case: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main([str(prepared(case, tmp_path)), *options(case)])
    check(case, status, capsys.readouterr().out)


@pytest.mark.parametrize(
    "case", [case for case in CASES if len(case.get("keys", ())) < 2], ids=lambda case: case["name"]
)
def test_the_gateway_answers_as_the_index_says(case: dict[str, Any], tmp_path: Path) -> None:
    result = CliRunner().invoke(gateway, ["verify", str(prepared(case, tmp_path)), *options(case)])
    check(case, result.exit_code, result.stdout)


@pytest.mark.parametrize("module", [["audit.record.verify"], ["gateway", "verify"]])
@pytest.mark.parametrize("name", ["valid", "files-altered"])
def test_the_commands_answer_as_processes_too(module: list[str], name: str) -> None:
    [case] = [case for case in CASES if case["name"] == name]
    start = ["-m", *module] if len(module) == 1 else ["-c", "from gateway.cli import run; run()", *module[1:]]
    command = [sys.executable, *start, str(FOLDER / case["bundle"]), *options(case)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=FOLDER.parents[1])
    check(case, result.returncode, result.stdout)


def test_the_folder_is_what_its_sources_say(tmp_path: Path) -> None:
    """If this fails on purpose, write it anew: python -m tests.conformance.build"""
    build(tmp_path)
    made = dict(_contents(tmp_path))
    kept = {name: content for name, content in _contents(FOLDER) if name.parts[0] in {each.parts[0] for each in made}}
    assert sorted(made) == sorted(kept)
    assert [str(name) for name in made if made[name] != kept[name]] == []


def test_every_case_says_what_it_is_about_and_every_step_is_refused_somewhere() -> None:
    assert len(set(NAMES)) == len(NAMES) > 100
    assert all(case["about"].endswith(".") for case in CASES)
    refused = {case["why"] for case in CASES if case["answer"] == "refused"}
    assert refused == {"envelope", "statement", "clock", "log", "witness", "timestamp", "files", "trust", "oversight"}
    assert {path.name for path in (FOLDER / "cases").iterdir()} == set(NAMES)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case["answer"] == "verified"], ids=lambda case: case["name"]
)
def test_what_verifies_fits_the_schema(case: dict[str, Any]) -> None:
    envelope = json.loads((FOLDER / case["bundle"] / "record.dsse.json").read_text("utf-8"))
    assert fits(json.loads(base64.b64decode(envelope["payload"])), SCHEMA)


def test_golden_values_are_those_of_the_published_formats() -> None:
    """Worked out here from the specifications alone, without the code under test."""
    vector = golden()
    payload = vector["payload"].encode()
    kind = b"application/vnd.in-toto+json"
    pae = b"DSSEv1 " + str(len(kind)).encode() + b" " + kind + b" " + str(len(payload)).encode() + b" " + payload
    assert vector["preAuthenticationEncodingSha256"] == sha256(pae).hexdigest()
    assert vector["leafHash"] == sha256(b"\x00" + bytes.fromhex(vector["envelopeSha256"])).hexdigest()
    node, index = bytes.fromhex(vector["leafHash"]), vector["index"]
    assert (index, vector["treeSize"]) == (2, 4)
    right, left = map(
        bytes.fromhex, vector["inclusionProof"]
    )  # a full tree of four: the neighbour, then the pair before
    node = sha256(b"\x01" + left + sha256(b"\x01" + node + right).digest()).digest()
    assert vector["root"] == node.hex()
    assert vector["checkpointText"].splitlines()[:2] == ["hospital.example/releases", "4"]
    name, key_hash, material = vector["witnessKey"].split("+", 2)
    assert key_hash == sha256(name.encode() + b"\n" + base64.b64decode(material)).hexdigest()[:8]
    assert vector["cosignedCheckpoint"].startswith("hospital.example/releases\n3\n")


def _contents(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix not in (".py", ".pyc"):
            yield path.relative_to(folder), path.read_bytes()
