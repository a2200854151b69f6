"""SARIF that scanners take: the structure of the standard, read back by an independent library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from sarif_pydantic import Sarif  # type: ignore[import-untyped]

from gateway.formats.sarif import sarif
from tests.gateway.formats.decisions import HOSTILE, MIXED, SILENT, allowed, bounded, leaked, mixed, telling


def closed(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "additionalProperties": False, "properties": properties}


TEXT = closed(["text"], text={"type": "string", "minLength": 1})
URI = {"type": "string", "format": "uri-reference", "pattern": r"^[^\\ ]+$"}
BAG = {"type": "object"}
# The objects of SARIF 2.1.0 that are used, with the names, the required properties and the values that sections 3.13
# (sarifLog), 3.14 (run), 3.20 (invocation), 3.24 (artifact), 3.27 (result) and 3.49 (reportingDescriptor) give them.
STRUCTURE: dict[str, Any] = closed(
    ["version", "runs"],
    **{"$schema": {"type": "string", "format": "uri", "pattern": "sarif-schema-2.1.0.json$"}},
    version={"const": "2.1.0"},
    runs={
        "type": "array",
        "minItems": 1,
        "items": closed(
            ["tool"],
            tool=closed(
                ["driver"],
                driver=closed(
                    ["name"],
                    name={"type": "string"},
                    semanticVersion={"type": "string", "pattern": r"^\d+\.\d+\.\d+"},
                    rules={
                        "type": "array",
                        "uniqueItems": True,
                        "items": closed(
                            ["id"],
                            id={"type": "string"},
                            shortDescription=TEXT,
                            fullDescription=TEXT,
                            help=TEXT,
                            defaultConfiguration=closed([], level={"enum": ["none", "note", "warning", "error"]}),
                            properties=BAG,
                        ),
                    },
                ),
            ),
            automationDetails=closed([], id={"type": "string"}),
            invocations={
                "type": "array",
                "items": closed(
                    ["executionSuccessful"],
                    executionSuccessful={"type": "boolean"},
                    exitCode={"type": "integer"},
                    exitCodeDescription={"type": "string"},
                ),
            },
            artifacts={
                "type": "array",
                "uniqueItems": True,
                "items": closed([], location=closed([], uri=URI), roles={"const": ["analysisTarget"]}),
            },
            results={
                "type": "array",
                "items": closed(
                    ["message"],
                    ruleId={"type": "string"},
                    ruleIndex={"type": "integer", "minimum": -1},
                    kind={"enum": ["notApplicable", "pass", "fail", "review", "open", "informational"]},
                    level={"enum": ["none", "note", "warning", "error"]},
                    message=TEXT,
                    locations={
                        "type": "array",
                        "items": closed(
                            [],
                            physicalLocation=closed(
                                ["artifactLocation"],
                                artifactLocation=closed([], uri=URI, index={"type": "integer", "minimum": -1}),
                                region=closed([], startLine={"type": "integer", "minimum": 1}),
                            ),
                        ),
                    },
                    partialFingerprints={"type": "object", "additionalProperties": {"type": "string"}},
                    properties=BAG,
                ),
            },
            properties=BAG,
        ),
    },
)


def run_of(text: str) -> dict[str, Any]:
    log = json.loads(text)
    Draft202012Validator(STRUCTURE, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(log)
    assert len(Sarif.model_validate(log).runs) == 1
    run: dict[str, Any] = log["runs"][0]
    return run


def test_a_denial_has_one_rule_per_limit_and_one_result_per_limit_not_met() -> None:
    run = run_of(sarif(mixed(), MIXED, Path("synthetic.csv"), exact=True))
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == list(MIXED.limits)
    assert [result["ruleId"] for result in run["results"]] == [f.measure for f in mixed().unmet]
    assert all(rules[result["ruleIndex"]] == result["ruleId"] for result in run["results"])
    assert {result["properties"]["status"] for result in run["results"]} == {
        "measured", "inconclusive", "failed", "missing",
    }  # fmt: skip
    assert run["invocations"][0]["exitCode"] == 3
    assert run["properties"]["allowed"] is False


def test_an_allowed_file_has_no_result_and_the_exit_status_of_success() -> None:
    run = run_of(sarif(*allowed(), Path("synthetic.csv")))
    assert (run["results"], run["invocations"][0]["exitCode"], run["properties"]["allowed"]) == ([], 0, True)


def test_no_measured_number_is_in_it_unless_it_is_asked_for() -> None:
    exact = sarif(telling(), MIXED, Path("synthetic.csv"), exact=True)
    coarse = sarif(telling(), MIXED, Path("synthetic.csv"))
    assert leaked(telling(), exact) >= {"739", "286", "369"}  # of limits not met
    assert not leaked(telling(), coarse)
    results = {result["ruleId"]: result for result in run_of(coarse)["results"]}
    assert results.keys() == {finding.measure for finding in telling().unmet}
    assert results["k_map"]["message"]["text"] == "k_map: the limit of at least 11 is not met."
    assert results["k_map"]["properties"]["outcome"] == "not met"
    assert results["k_map"]["properties"]["limit"]["min"] == 11
    assert {results[name]["properties"]["outcome"] for name in ("singling_out", "near_copy_excess")} == {"inconclusive"}
    assert "no measured value" in run_of(coarse)["properties"]["confidential"]


def test_a_policy_that_discloses_its_verdict_alone_has_one_rule_and_one_result() -> None:
    text = sarif(telling(), SILENT, Path("synthetic.csv"))
    run = run_of(text)
    [rule], [result] = run["tool"]["driver"]["rules"], run["results"]
    assert rule["id"] == result["ruleId"] == "policy"
    assert not [name for name in MIXED.limits if name in text]
    assert "limits" not in run["properties"]
    assert (run["invocations"][0]["exitCode"], run["properties"]["allowed"]) == (3, False)
    assert run_of(sarif(allowed()[0], SILENT, Path("synthetic.csv")))["results"] == []
    assert len(run_of(sarif(telling(), SILENT, Path("s.csv"), exact=True))["results"]) == len(telling().unmet)


def test_a_message_says_number_interval_and_limit_where_it_is_asked_to() -> None:
    run = run_of(sarif(mixed(), MIXED, Path("synthetic.csv"), exact=True))
    messages = {result["ruleId"]: result["message"]["text"] for result in run["results"]}
    assert messages["k_map"] == "k_map is 3; the limit of at least 11 is not met."
    assert messages["rare_copies"] == "rare_copies is missing: not measured; the limit of at most 0 is not met."
    assert "499 of the 500" in messages["linkability"]
    assert HOSTILE in messages["singling_out"]


def test_the_same_limit_on_the_same_file_is_the_same_alert_and_another_file_is_another() -> None:
    def prints(name: str) -> list[str]:
        results = run_of(sarif(mixed(), MIXED, Path(name)))["results"]
        return [result["partialFingerprints"]["policyLimitFile/v1"] for result in results]

    assert prints("a.csv") == prints("a.csv")
    assert not set(prints("a.csv")) & set(prints("b.csv"))
    assert len(set(prints("a.csv"))) == 5


@pytest.mark.parametrize(
    ("given", "uri"),
    [
        ("synthetic.csv", "synthetic.csv"),
        ("out/my rows.csv", "out/my%20rows.csv"),
        ("/somewhere/else/rows.csv", "rows.csv"),
        ("../rows.csv", "rows.csv"),
        ("a#b?c.csv", "a%23b%3Fc.csv"),
    ],
)
def test_the_file_is_named_relative_to_the_checkout_and_no_folder_outside_it_is_told(
    given: str, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = run_of(sarif(mixed(), MIXED, Path(given)))
    assert run["artifacts"][0]["location"]["uri"] == uri
    assert "somewhere" not in json.dumps(run)


def test_a_file_of_exact_values_says_that_it_stays_with_the_custodian() -> None:
    run = run_of(sarif(mixed(), MIXED, Path("s.csv"), exact=True))
    assert "stay with the custodian" in run["properties"]["confidential"]


def test_a_limit_that_is_not_asked_is_no_result_and_is_named_as_such() -> None:
    text = sarif(*bounded(), Path("t.csv"))
    run = run_of(text)
    assert run["results"] == []
    assert run["properties"]["limits"] == 2
    assert run["properties"]["notAsked"] == ["near_copy_excess"]
    assert "31337" not in text
    assert "notAsked" not in run_of(sarif(*allowed(), Path("t.csv")))["properties"]
