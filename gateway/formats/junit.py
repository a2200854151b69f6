"""How does a decision read to a test report? JUnit XML, as GitLab, Jenkins and their like take it.

One test case per limit. A limit that is not met is a failure; its type says whether it was measured at all.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from audit.report.glossary import entry
from gateway.formats.finding import CONFIDENTIAL, bounds, sentence
from policies import Decision, Finding, Policy

# what XML 1.0 cannot hold, even escaped (section 2.2); a policy's text might
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(decision: Decision, policy: Policy, seconds: float) -> str:
    """The decision as one test suite named after the policy. ``seconds`` is how long the whole check took."""
    counts = {
        "tests": str(len(decision.findings)), "failures": str(len(decision.unmet)), "errors": "0",
        "time": f"{seconds:.3f}",
    }  # fmt: skip
    root = ET.Element("testsuites", {"name": "gateway check", **counts})
    suite = ET.SubElement(root, "testsuite", {"name": _text(decision.policy), **counts, "skipped": "0"})
    properties = ET.SubElement(suite, "properties")
    for name, value in (
        ("policy", decision.policy),
        ("decision", "allowed" if decision.allowed else "denied"),
        ("confidential", CONFIDENTIAL),
        *(("cites", line) for line in policy.cites),
    ):
        ET.SubElement(properties, "property", {"name": name, "value": _text(value)})
    for finding in decision.findings:
        _case(suite, decision.policy, finding)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(suite: ET.Element, policy: str, finding: Finding) -> None:
    case = ET.SubElement(suite, "testcase", {"classname": _text(policy), "name": _text(finding.measure)})
    if not finding.met:
        kind = "limit" if finding.status == "measured" else finding.status
        failure = ET.SubElement(case, "failure", {"type": kind, "message": _text(sentence(finding))})
        about = entry(finding.measure)
        failure.text = _text(f"{about.title}. {about.plain}\nLimit: {bounds(finding.limit)}. {finding.limit.source}")
    else:
        ET.SubElement(case, "system-out").text = _text(sentence(finding))


def _text(value: str) -> str:
    return _FORBIDDEN.sub("\ufffd", value)
