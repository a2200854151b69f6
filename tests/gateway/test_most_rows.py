"""A limit that is asked of small tables only: what a release says of it, and what a verifier years later can tell."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from policies import Measurement, decide, parse_policy
from policies.model import ROWS_LEARNED
from tests.gateway.conftest import POLICY, Clinic, make_clinic
from tests.gateway.quick import quick_audits

pytestmark = pytest.mark.slow

LIMIT = "near_copy_excess"
BOUNDED = POLICY.replace('id = "lenient"', 'id = "bounded"') + f"{LIMIT} = {{ max = -0.9, most_rows = {{most}} }}\n"
SAID = f"{LIMIT} was not held: the policy asks it where at most 200 rows were learned from, and here there were more"


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    with quick_audits():
        yield


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Clinic:
    """About 350 of 700 rows are learned from: ``bundle`` is of a policy that asks the limit up to 200 of them.

    Nothing meets that limit. ``silent`` is of one that tells the verdict alone, ``denied`` of one that asks up to 600.
    """
    clinic = make_clinic(tmp_path_factory.mktemp("bounded"))
    for name, most, more in (("bundle", 200, ""), ("silent", 200, 'disclosure = "verdict"\n'), ("denied", 600, "")):
        text = BOUNDED.replace("{most}", str(most)).replace("[limits]", f"{more}[limits]")
        clinic.write(f"{name}.toml", text)
        assert clinic.release(out=name, policy=f"{name}.toml").exit_code == (3 if name == "denied" else 0)
    return clinic


def predicate(clinic: Clinic, name: str) -> dict[str, Any]:
    verified = clinic.run("verify", clinic.folder / name, "--key", clinic.public_key, "--json")
    assert verified.exit_code == 0, verified.stderr
    found: dict[str, Any] = json.loads(verified.stdout)["statement"]["predicate"]
    return found


def evidence(clinic: Clinic, name: str) -> tuple[Path, dict[str, Any]]:
    digest = sha256((clinic.folder / name / "record.dsse.json").read_bytes()).hexdigest()
    event = next(e for e in clinic.workspace.ledger.events() if e.get("recordDigest") == digest)
    folder = clinic.folder / "ws" / "evidence" / str(event["evidence"])
    return folder, json.loads((folder / "evidence.json").read_bytes())


def test_the_signed_record_says_that_it_was_not_asked_and_why(clinic: Clinic) -> None:
    record = predicate(clinic, "bundle")
    assert record["decision"] == "allowed"
    assert LIMIT not in {each["measure"] for each in record["findings"]}
    assert record["notCovered"][0] == SAID
    assert record["reason"] == "all 3 limits of the policy are met; 1 limit is not asked of so many rows"
    shown = clinic.run("verify", clinic.folder / "bundle", "--key", clinic.public_key).stdout
    assert f"beware    {SAID}" in shown
    page = (clinic.folder / "bundle" / "index.html").read_text(encoding="utf-8")
    assert "Not asked" in page


def test_where_it_is_asked_it_decides(clinic: Clinic) -> None:
    record = predicate(clinic, "denied")
    assert record["decision"] == "denied"
    assert {"measure": LIMIT, "met": False} in record["findings"]
    assert not any("not held" in sentence for sentence in record["notCovered"])


def test_where_the_verdict_alone_is_told_the_limit_is_counted_and_not_named(clinic: Clinic) -> None:
    record = predicate(clinic, "silent")
    assert record["findings"] is None
    assert record["notCovered"][0] == "not held, as the policy asks them of smaller tables only: 1 limits"
    assert LIMIT not in json.dumps(record)


def test_how_many_rows_there_were_stays_with_the_custodian(clinic: Clinic) -> None:
    """(I-7)"""
    _, held = evidence(clinic, "bundle")
    (count,) = (each["value"] for each in held["measurements"] if each["name"] == ROWS_LEARNED)
    assert 300 < count < 400
    for path in (clinic.folder / "bundle").iterdir():
        if path.suffix in (".json", ".md"):
            assert f"{count:.0f} rows" not in path.read_text(encoding="utf-8")


def test_the_decision_can_be_worked_out_again_from_what_the_record_vouches_for(clinic: Clinic) -> None:
    record = predicate(clinic, "bundle")
    folder, held = evidence(clinic, "bundle")
    text = (folder / "policy.toml").read_bytes()
    assert record["policy"]["digest"]["sha256"] == sha256(text).hexdigest()
    assert record["evidence"]["digest"]["sha256"] == sha256((folder / "evidence.json").read_bytes()).hexdigest()
    found = [
        Measurement(**{k: float("nan") if v is None else v for k, v in each.items()}) for each in held["measurements"]
    ]
    assert decide(parse_policy(text), found).to_dict() == held["decision"]
    # of another count, or another bound, it would have been another decision
    fewer = [
        each if each.name != ROWS_LEARNED else Measurement.exact(ROWS_LEARNED, 200, n=200, method="") for each in found
    ]
    assert not decide(parse_policy(text), fewer).allowed
    assert not decide(parse_policy(text.replace(b"200", b"600")), found).allowed
    assert not decide(parse_policy(text), [each for each in found if each.name != ROWS_LEARNED]).allowed


def test_a_replay_is_the_same_and_a_changed_bound_or_count_is_noticed(clinic: Clinic) -> None:
    def replayed() -> tuple[int, str]:
        result = clinic.run("replay", clinic.folder / "bundle", "--data", clinic.folder / "table.csv", "--quiet")
        return result.exit_code, result.stderr

    assert replayed()[0] == 0
    folder, _ = evidence(clinic, "bundle")
    for name, old, new in (
        ("policy.toml", b"= 200", b"= 600"),
        ("evidence.json", b'"rows_learned_from"', b'"rows_learned"'),
    ):
        content = (folder / name).read_bytes()
        assert old in content
        (folder / name).write_bytes(content.replace(old, new))
        code, said = replayed()
        assert code != 0
        assert name in said
        (folder / name).write_bytes(content)
    assert replayed()[0] == 0


def test_the_record_without_the_sentence_is_no_record(clinic: Clinic) -> None:
    path = clinic.folder / "bundle" / "record.dsse.json"
    content = path.read_bytes()
    envelope = json.loads(content)
    payload = base64.b64decode(envelope["payload"])
    assert SAID.encode() in payload
    envelope["payload"] = base64.b64encode(payload.replace(b'"' + SAID.encode() + b'",', b"")).decode()
    path.write_bytes(json.dumps(envelope).encode())
    assert clinic.run("verify", clinic.folder / "bundle", "--key", clinic.public_key).exit_code != 0
    path.write_bytes(content)


def test_the_command_marks_it_and_counts_it_apart(clinic: Clinic) -> None:
    again = clinic.release("--json", out="bundle", policy="bundle.toml")
    found = {each["measure"]: each for each in json.loads(again.stdout)["findings"]}
    assert (found[LIMIT]["status"], found[LIMIT]["met"], found[LIMIT]["limit"]["most_rows"]) == (
        "not asked",
        False,
        200,
    )
    shown = clinic.release(out="bundle", policy="bundle.toml")
    assert f"--   {LIMIT}" in shown.stderr
    page = (evidence(clinic, "bundle")[0] / "report.html").read_text(encoding="utf-8")
    assert "3 of 3; 1 not asked" in page
