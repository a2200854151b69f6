"""What does one finding say, in a line without a cell value, and what of it may travel?"""

from __future__ import annotations

import math
from typing import Literal

from policies import Finding, Limit, Policy

CONFIDENTIAL = "Exact measured values: they stay with the custodian. Repeated to a requester they are an oracle."

COARSE = {
    "findings": "Which limits are met, and no measured value. Repeated to a requester even this is an oracle.",
    "verdict": "The verdict and nothing else, as the policy asks. Repeated to a requester even this is an oracle.",
}
WHOLE = "policy"  # the one rule, result or case where nothing but the verdict may travel
Outcome = Literal["met", "not met", "inconclusive", "not asked"]


def bounds(limit: Limit) -> str:
    """A limit in words."""
    parts = []
    if limit.min is not None:
        parts.append(f"at least {limit.min:g}")
    if limit.max is not None:
        parts.append(f"at most {limit.max:g}")
    if limit.fewest is not None:
        parts.append(f"n at least {limit.fewest}")
    reach = "" if limit.most_rows is None else f", asked up to {limit.most_rows} rows learned from"
    return " and ".join(parts) + reach


def measured(finding: Finding) -> str:
    """The number with its interval, or why there is none."""
    if not (finding.status == "measured" or finding.undecided) or not math.isfinite(finding.value):
        return f"{finding.status}{': ' + finding.reason if finding.reason else ''}"
    if finding.lower == finding.upper:
        return f"{finding.value:.4g}"
    return f"{finding.value:.3f} [{finding.lower:.3f}, {finding.upper:.3f}]"


def doubt(finding: Finding) -> str:
    """What to add where only the interval is in the way of the limit; else nothing."""
    return f"; {finding.status}: {finding.reason}" if finding.undecided else ""


def outcome(finding: Finding) -> Outcome:
    """All of a finding that may travel; what was not measured, for whatever reason, is inconclusive.

    Where only the interval is in the way the limit is not met, and no more: that the value itself meets it is exact.
    """
    if not finding.asked:
        return "not asked"
    if finding.met:
        return "met"
    return "not met" if finding.status == "measured" or finding.undecided else "inconclusive"


def coarsely(finding: Finding) -> str:
    """Measure, limit and outcome in one sentence, without a number that depends on the rows."""
    limit = f"{finding.measure}: the limit of {bounds(finding.limit)}"
    told = outcome(finding)
    if told == "not asked":
        return f"{limit}, is not asked of so many."
    return f"{limit} is {told}." if told != "inconclusive" else f"{limit} is not met, the measurement is inconclusive."


def confidentiality(policy: Policy, *, exact: bool) -> str:
    """What a file says of itself: who may see it."""
    return CONFIDENTIAL if exact else COARSE[policy.disclosure]


def sentence(finding: Finding) -> str:
    """Measure, number and limit in one sentence."""
    if not finding.asked:
        return f"{finding.measure} is not asked: {finding.reason}."
    verdict = "met" if finding.met else "not met"
    limit = f"the limit of {bounds(finding.limit)} is {verdict}"
    return f"{finding.measure} is {measured(finding)}; {limit}{doubt(finding)}."
