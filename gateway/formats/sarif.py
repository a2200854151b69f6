"""How does a decision read to a code scanner? SARIF 2.1.0 (OASIS standard, 2020, with errata 01).

A rule per limited measure, a result per limit that is not met; what could not be measured fails as well.
"""

from __future__ import annotations

import hashlib
import json
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

from audit.report.glossary import entry
from gateway.exits import Exit
from gateway.formats.finding import CONFIDENTIAL, bounds, sentence
from gateway.provenance import DISTRIBUTION
from policies import Decision, Finding, Policy

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif(decision: Decision, policy: Policy, checked: Path) -> str:
    """One run over the file that was checked, with the exit status the command ends with."""
    rules = [finding.measure for finding in decision.findings]
    uri = _uri(checked)
    run = {
        "tool": {
            "driver": {
                "name": "Sluice",
                "semanticVersion": metadata.version(DISTRIBUTION),
                "rules": [_rule(finding) for finding in decision.findings],
            }
        },
        "automationDetails": {"id": f"gateway-check/{decision.policy}/"},
        "invocations": [
            {
                "executionSuccessful": True,
                "exitCode": int(Exit.ALLOWED if decision.allowed else Exit.DENIED),
                "exitCodeDescription": "allowed" if decision.allowed else "denied by the policy",
            }
        ],
        "artifacts": [{"location": {"uri": uri}, "roles": ["analysisTarget"]}],
        "results": [_result(finding, rules.index(finding.measure), decision, uri) for finding in decision.unmet],
        "properties": {
            "confidential": CONFIDENTIAL,
            "policy": decision.policy,
            "cites": list(policy.cites),
            "allowed": decision.allowed,
            "limits": len(decision.findings),
        },
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, allow_nan=False) + "\n"


def _rule(finding: Finding) -> dict[str, Any]:
    about = entry(finding.measure)
    return {
        "id": finding.measure,
        "shortDescription": {"text": about.title},
        "fullDescription": {"text": about.plain},
        "help": {"text": f"Limit: {bounds(finding.limit)}. Source: {finding.limit.source}"},
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": ["privacy"]},
    }


def _result(finding: Finding, rule: int, decision: Decision, uri: str) -> dict[str, Any]:
    # the same limit of the same policy on the same file is the same alert, whatever it measured this time
    identity = hashlib.sha256("\n".join((decision.policy, finding.measure, uri)).encode()).hexdigest()
    return {
        "ruleId": finding.measure,
        "ruleIndex": rule,
        "kind": "fail",
        "level": "error",
        "message": {"text": sentence(finding)},
        "locations": [
            {"physicalLocation": {"artifactLocation": {"uri": uri, "index": 0}, "region": {"startLine": 1}}},
        ],
        "partialFingerprints": {"policyLimitFile/v1": identity},
        "properties": {key: value for key, value in finding.to_dict().items() if key != "measure"},
    }


def _uri(path: Path) -> str:
    """Relative to where the command runs, as scanners want it; the bare name of a file that lies elsewhere."""
    absolute, here = path.absolute(), Path.cwd()
    inside = absolute.relative_to(here) if absolute.is_relative_to(here) and ".." not in path.parts else Path(path.name)
    return quote(inside.as_posix())
