"""How does a decision read to a test report? JUnit XML, as GitLab, Jenkins and their like take it.

One test case per limit, skipped where it is not asked, or one alone where the policy discloses no more than its
verdict. A limit that is not met is a failure; its type says whether it was measured at all. Measured values are in it
only where they are asked for.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from audit.report.glossary import entry
from gateway.formats.finding import WHOLE, bounds, coarsely, confidentiality, outcome, sentence
from policies import Decision, Finding, Policy

# what XML 1.0 cannot hold, even escaped (section 2.2); a policy's text might
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(decision: Decision, policy: Policy, seconds: float, *, exact: bool = False) -> str:
    """The decision as one test suite named after the policy. ``seconds`` is how long the whole check took."""
    whole = policy.disclosure == "verdict" and not exact
    tests, failures = (1, int(not decision.allowed)) if whole else (len(decision.findings), len(decision.unmet))
    counts = {"tests": str(tests), "failures": str(failures), "errors": "0", "time": f"{seconds:.3f}"}
    skipped = 0 if whole else len(decision.unasked)
    root = ET.Element("testsuites", {"name": "gateway check", **counts})
    suite = ET.SubElement(root, "testsuite", {"name": _text(decision.policy), **counts, "skipped": str(skipped)})
    properties = ET.SubElement(suite, "properties")
    for name, value in (
        ("policy", decision.policy),
        ("decision", "allowed" if decision.allowed else "denied"),
        ("confidential", confidentiality(policy, exact=exact)),
        *(("cites", line) for line in policy.cites),
    ):
        ET.SubElement(properties, "property", {"name": name, "value": _text(value)})
    if whole:
        _whole(suite, decision)
    for finding in () if whole else decision.findings:
        _case(suite, decision.policy, finding, exact=exact)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _whole(suite: ET.Element, decision: Decision) -> None:
    case = ET.SubElement(suite, "testcase", {"classname": _text(decision.policy), "name": WHOLE})
    if not decision.allowed:
        ET.SubElement(case, "failure", {"type": "policy", "message": "The policy is not met."})


def _case(suite: ET.Element, policy: str, finding: Finding, *, exact: bool) -> None:
    case = ET.SubElement(suite, "testcase", {"classname": _text(policy), "name": _text(finding.measure)})
    told = _text(sentence(finding) if exact else coarsely(finding))
    if not finding.asked:
        ET.SubElement(case, "skipped", {"message": told})
        return
    if finding.met:
        ET.SubElement(case, "system-out").text = told
        return
    failure = ET.SubElement(case, "failure", {"type": _kind(finding, exact=exact), "message": told})
    about = entry(finding.measure)
    failure.text = _text(f"{about.title}. {about.plain}\nLimit: {bounds(finding.limit)}. {finding.limit.source}")


def _kind(finding: Finding, *, exact: bool) -> str:
    """``limit`` where a measured number breaks it, else why there is none; what may travel is coarser."""
    why = finding.status if exact else outcome(finding)
    return "limit" if why in ("measured", "not met") else why


def _text(value: str) -> str:
    return _FORBIDDEN.sub("\ufffd", value)
