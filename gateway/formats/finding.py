"""What does one finding say, in a line without a cell value?"""

from __future__ import annotations

import math

from policies import Finding, Limit

CONFIDENTIAL = "Exact measured values: they stay with the custodian. Repeated to a requester they are an oracle."


def bounds(limit: Limit) -> str:
    """A limit in words."""
    parts = []
    if limit.min is not None:
        parts.append(f"at least {limit.min:g}")
    if limit.max is not None:
        parts.append(f"at most {limit.max:g}")
    if limit.fewest is not None:
        parts.append(f"n at least {limit.fewest}")
    return " and ".join(parts)


def measured(finding: Finding) -> str:
    """The number with its interval, or why there is none."""
    if finding.status != "measured" or not math.isfinite(finding.value):
        return f"{finding.status}{': ' + finding.reason if finding.reason else ''}"
    if finding.lower == finding.upper:
        return f"{finding.value:.4g}"
    return f"{finding.value:.3f} [{finding.lower:.3f}, {finding.upper:.3f}]"


def sentence(finding: Finding) -> str:
    """Measure, number and limit in one sentence."""
    verdict = "met" if finding.met else "not met"
    return f"{finding.measure} is {measured(finding)}; the limit of {bounds(finding.limit)} is {verdict}."
