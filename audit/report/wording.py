"""How are numbers, limits and the verdict said in plain words?"""

from __future__ import annotations

import math
import re
import unicodedata

import numpy as np

from audit.report.glossary import Entry, entry
from policies import Decision, Finding, Limit

EXTRA_DECIMALS = 6


def number(value: float, *, count: bool = False, beside: tuple[float, ...] = (), decimals: int | None = None) -> str:
    """One number; ``decimals`` fixes them, for columns of a table."""
    if decimals is not None and math.isfinite(value):
        return _signed(f"{value:,.{decimals}f}")
    return numbers((value,), count=count, beside=beside)[0]


def numbers(values: tuple[float, ...], *, count: bool = False, beside: tuple[float, ...] = ()) -> tuple[str, ...]:
    """Numbers that belong together, in few and equally many decimals.

    There are enough of them that none reads equal to a different number shown ``beside`` it, or to 0. Counts are
    whole; NaN is ``no number`` and an infinite end ``no bound``.
    """
    finite = [float(value) for value in values if math.isfinite(value)]
    if count and all(value.is_integer() for value in finite):
        return tuple(_said(value, 0) for value in values)
    largest = max((abs(value) for value in finite), default=0.0)
    start = 2 if largest == 0 else max(2, 1 + math.ceil(-math.log10(largest)))
    for decimals in range(start, start + EXTRA_DECIMALS):
        others = {_said(other, decimals) for other in beside}
        if all(_said(value, decimals) not in others or value in beside for value in finite):
            return tuple(_said(value, decimals) for value in values)
    return tuple(_signed(repr(float(value))) for value in values)


def _said(value: float, decimals: int) -> str:
    if not math.isfinite(value):
        return "no number" if math.isnan(value) else "no bound"
    text = _signed(f"{value:,.{decimals}f}")
    return text.lstrip("\N{MINUS SIGN}") if not text.strip("\N{MINUS SIGN}0.") else text


def bound_in_words(bound: float, *, count: bool = False) -> str:
    """A bound as its owner wrote it: never rounded."""
    if count and float(bound).is_integer():
        return _signed(f"{bound:,.0f}")
    return _signed(np.format_float_positional(bound, trim="-"))


def limit_in_words(limit: Limit, *, count: bool = False) -> str:
    """``at most 0.15``, ``at least 11``, ``from 0.4 to 0.6``."""
    low = None if limit.min is None else bound_in_words(limit.min, count=count)
    high = None if limit.max is None else bound_in_words(limit.max, count=count)
    if low is not None and high is not None:
        return f"exactly {low}" if limit.min == limit.max else f"from {low} to {high}"
    return f"at least {low}" if low is not None else f"at most {high}"


def finding_in_words(finding: Finding) -> str:
    """What was found for one limit, as a clause that can follow ``Denied:``."""
    about = entry(finding.measure)
    if not finding.asked:
        return f"{about.title} is not asked of so many rows"
    if finding.status != "measured" and not finding.undecided:
        return _without_number(finding, about)
    if not all(map(math.isfinite, (finding.value, finding.lower, finding.upper))):
        return f"{about.title} has no usable number, and what is not measured counts as not met"
    edges = _edges(finding.limit)
    value, lower, upper = numbers((finding.value, finding.lower, finding.upper), count=about.count, beside=edges)
    ends = f"{lower} to {upper}"
    allows = _allows(finding.limit, about)
    direction = f" ({about.direction})" if about.direction else ""
    if finding.lower == finding.upper:
        return f"{about.title} is {value}, and the policy {allows}{direction}"
    if not finding.met and _inside(finding.limit, finding.value):
        why = f"; {finding.reason}" if finding.undecided else ""
        return (
            f"{about.title} is {value}, but its interval, {ends}, reaches beyond the limit: the policy "
            f"{allows}{direction}{why}"
        )
    return f"{about.title} is {value}, interval {ends}, and the policy {allows}{direction}"


def verdict_in_words(decision: Decision, stopped: str = "") -> str:
    """The verdict in one sentence: what decided it, its interval, the limit, and which way is safe."""
    if stopped:
        return f"Denied before any synthetic row was made: {stopped.strip().rstrip('.')}."
    if not decision.findings:
        return "Denied: the policy holds this release against nothing, and no finding is a denial."
    if decision.allowed:
        count, unasked = len(decision.asked), len(decision.unasked)
        limits = "the one limit" if count == 1 else f"all {count} limits"
        more = f"; {unasked} more {'is' if unasked == 1 else 'are'} not asked of so many rows" if unasked else ""
        return f"Allowed: {limits} of policy {decision.policy} {'is' if count == 1 else 'are'} met{more}."
    worst = min(decision.unmet, key=_severity)
    others = len(decision.unmet) - 1
    rest = "" if not others else f"; {others} more {'limit is' if others == 1 else 'limits are'} not met"
    return f"Denied: {finding_in_words(worst)}{rest}."


def status_in_words(finding: Finding) -> str:
    """One or two words for the status column."""
    if finding.met:
        return "Met"
    words = {
        "measured": "Not met",
        "inconclusive": "Inconclusive",
        "failed": "Failed",
        "missing": "Not measured",
        "not asked": "Not asked",
    }
    return words[finding.status]


def printable(text: str) -> str:
    """Text without control characters, direction overrides or lone surrogates, which could break or bend a page."""
    kept = (" " if c in "\n\t\r" else c for c in text if c in "\n\t\r" or unicodedata.category(c) not in _UNPRINTABLE)
    return "".join(kept)


_UNPRINTABLE = {"Cc", "Cf", "Cs", "Co", "Cn"}


def shortened(text: str, length: int) -> str:
    """At most ``length`` characters, the cut marked by an ellipsis."""
    text = re.sub(r"\s+", " ", printable(text)).strip()
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def _allows(limit: Limit, about: Entry) -> str:
    verb = "demands" if limit.max is None else "allows"
    return f"{verb} {limit_in_words(limit, count=about.count)}"


def _without_number(finding: Finding, about: Entry) -> str:
    reason = f" ({printable(finding.reason).strip().rstrip('.')})" if finding.reason else ""
    if finding.status == "inconclusive":
        return f"{about.title} is inconclusive{reason}, and what is not shown counts as not met"
    if finding.status == "failed":
        return f"{about.title} could not be measured{reason}, and what is not measured counts as not met"
    return f"{about.title} was not measured, and what is not measured counts as not met"


def _severity(finding: Finding) -> int:
    """Numbers beyond their limit come first, then intervals that reach beyond it, then what has no number."""
    if (finding.status == "measured" or finding.undecided) and math.isfinite(finding.value):
        return 1 if _inside(finding.limit, finding.value) else 0
    return {"measured": 2, "inconclusive": 3, "failed": 4, "missing": 5}[finding.status]


def _inside(limit: Limit, value: float) -> bool:
    return (limit.min is None or value >= limit.min) and (limit.max is None or value <= limit.max)


def _edges(limit: Limit) -> tuple[float, ...]:
    return tuple(edge for edge in (limit.min, limit.max) if edge is not None)


def _signed(text: str) -> str:
    return text.replace("-", "\N{MINUS SIGN}", 1) if text.startswith("-") else text
