"""How does a decision read to a code scanner? SARIF 2.1.0 (OASIS standard, 2020, with errata 01).

A rule per limited measure, a result per limit that is not met; what could not be measured fails as well, and what was
not asked is named among the run's properties. Where the policy discloses no more than its verdict, one rule and at
most one result. Measured values are in it only where they are asked for.
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
from gateway.formats.finding import WHOLE, bounds, coarsely, confidentiality, outcome, sentence
from gateway.provenance import DISTRIBUTION
from policies import Decision, Finding, Policy

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif(decision: Decision, policy: Policy, checked: Path, *, exact: bool = False) -> str:
    """One run over the file that was checked, with the exit status the command ends with."""
    uri = _uri(checked)
    if policy.disclosure == "verdict" and not exact:
        rules = [_rule_of(WHOLE, "Policy", "All limits of the policy together.", "The policy names its limits.")]
        failed = [] if decision.allowed else [_result(WHOLE, 0, decision, uri, "The policy is not met.", {})]
        counted = {}
    else:
        rules = [_rule(finding) for finding in decision.findings]
        order = [finding.measure for finding in decision.findings]
        failed = [
            _result(each.measure, order.index(each.measure), decision, uri, *_told(each, exact=exact))
            for each in decision.unmet
        ]
        unasked = [finding.measure for finding in decision.unasked]
        counted = {"limits": len(decision.findings), **({"notAsked": unasked} if unasked else {})}
    run = {
        "tool": {
            "driver": {
                "name": "Sluice",
                "semanticVersion": metadata.version(DISTRIBUTION),
                "rules": rules,
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
        "results": failed,
        "properties": {
            "confidential": confidentiality(policy, exact=exact),
            "policy": decision.policy,
            "cites": list(policy.cites),
            "allowed": decision.allowed,
            **counted,
        },
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, allow_nan=False) + "\n"


def _rule(finding: Finding) -> dict[str, Any]:
    about = entry(finding.measure)
    limit = f"Limit: {bounds(finding.limit)}. Source: {finding.limit.source}"
    return _rule_of(finding.measure, about.title, about.plain, limit)


def _rule_of(name: str, title: str, plain: str, more: str) -> dict[str, Any]:
    return {
        "id": name,
        "shortDescription": {"text": title},
        "fullDescription": {"text": plain},
        "help": {"text": more},
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": ["privacy"]},
    }


def _told(finding: Finding, *, exact: bool) -> tuple[str, dict[str, Any]]:
    """Message and properties of a limit that is not met."""
    whole = finding.to_dict()
    if exact:
        return sentence(finding), {key: value for key, value in whole.items() if key != "measure"}
    return coarsely(finding), {"limit": whole["limit"], "outcome": outcome(finding)}


def _result(
    name: str, rule: int, decision: Decision, uri: str, message: str, properties: dict[str, Any]
) -> dict[str, Any]:
    # the same limit of the same policy on the same file is the same alert, whatever it measured this time
    identity = hashlib.sha256("\n".join((decision.policy, name, uri)).encode()).hexdigest()
    return {
        "ruleId": name,
        "ruleIndex": rule,
        "kind": "fail",
        "level": "error",
        "message": {"text": message},
        "locations": [
            {"physicalLocation": {"artifactLocation": {"uri": uri, "index": 0}, "region": {"startLine": 1}}},
        ],
        "partialFingerprints": {"policyLimitFile/v1": identity},
        "properties": properties,
    }


def _uri(path: Path) -> str:
    """Relative to where the command runs, as scanners want it; the bare name of a file that lies elsewhere."""
    absolute, here = path.absolute(), Path.cwd()
    inside = absolute.relative_to(here) if absolute.is_relative_to(here) and ".." not in path.parts else Path(path.name)
    return quote(inside.as_posix())
