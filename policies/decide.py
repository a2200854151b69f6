"""Hold measurements against a policy: a pure, monotonic function (I-4, I-6)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from policies.measurement import Measurement, Status
from policies.model import ROWS_LEARNED, Limit, Policy

FindingStatus = Literal["missing", "not asked"] | Status
_ABSURD = 1_000_000  # rows, people or attacks, beyond which no figure is told
_CUT = 1e-9  # from 0, 1 or -1, within which an end lies on it


@dataclass(frozen=True)
class Finding:
    """One limit beside what was measured for it.

    A limit that is ``not asked`` of so large a table is neither met nor unmet, and no number stands beside it.
    ``undecided`` says that the number stands and is within its limit, and that only its interval reaches beyond: then
    the status is ``inconclusive``, and the reason names how many could decide. The reason follows from the exact values
    and stays with the custodian as they do (I-7).
    """

    measure: str
    limit: Limit
    value: float
    lower: float
    upper: float
    status: FindingStatus
    met: bool
    reason: str = ""
    undecided: bool = False

    @property
    def asked(self) -> bool:
        return self.status != "not asked"

    def to_dict(self) -> dict[str, Any]:
        """The shape ``--json`` prints; a number that does not exist is ``null``."""
        unset = {name for name in ("fewest", "most_rows") if getattr(self.limit, name) is None}
        return {
            "measure": self.measure,
            "limit": self.limit.model_dump(exclude=unset),
            "value": _number(self.value),
            "lower": _number(self.lower),
            "upper": _number(self.upper),
            "status": self.status,
            "met": self.met,
            "reason": self.reason,
            "undecided": self.undecided,
        }


@dataclass(frozen=True)
class Decision:
    """All findings of one policy. ``allowed`` only if a limit was asked and every one that was is met."""

    policy: str
    findings: tuple[Finding, ...]

    @property
    def allowed(self) -> bool:
        return bool(self.asked) and all(finding.met for finding in self.asked)

    @property
    def asked(self) -> tuple[Finding, ...]:
        """Those that the release was held to."""
        return tuple(finding for finding in self.findings if finding.asked)

    @property
    def unasked(self) -> tuple[Finding, ...]:
        """Those whose limits are not asked of so large a table."""
        return tuple(finding for finding in self.findings if not finding.asked)

    @property
    def unmet(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.asked if not finding.met)

    def to_dict(self) -> dict[str, Any]:
        return {
            "policy": self.policy,
            "allowed": self.allowed,
            "findings": [finding.to_dict() for finding in self.findings],
        }

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)


def decide(policy: Policy, measured: Iterable[Measurement]) -> Decision:
    """Hold a release against its policy; what was not measured counts as not met.

    A limit is met only by a ``measured`` number whose *unfavourable* end of the interval lies within the bounds
    (I-6), at no less than the policy's confidence and on no fewer cases than the limit asks for. A number within its
    limit whose interval reaches beyond is as unmet as one outside, but ``inconclusive``. Two measurements of one name
    contradict each other and count as failed. A limit with ``most_rows`` is not asked where one exact measurement of
    ``ROWS_LEARNED`` names more. Other measurements that no limit names are ignored, so losing a name can never turn a
    denial into an allowance (I-4).
    """
    return _held(policy, policy.demands(), measured)


def decide_privately(policy: Policy, measured: Iterable[Measurement]) -> Decision:
    """As :func:`decide`, on what charged mechanisms told alone; the limits were held in the parts that voted.

    Without a private gate in the policy nothing is found, and so nothing allowed.
    """
    return _held(policy, {} if policy.private_gate is None else policy.private_demands(), measured)


def asked_of(limit: Limit, rows: int | None) -> bool:
    """Whether a release that was learned from so many rows is held to this limit; it is where nobody counted them."""
    return limit.most_rows is None or rows is None or rows <= limit.most_rows


def met_at_point(limit: Limit, measurement: Measurement) -> bool:
    """Whether a measured number itself lies within the bounds, and rests on as many cases as the limit asks for."""
    m = measurement
    if m.status != "measured" or not math.isfinite(m.value) or (limit.fewest is not None and m.n < limit.fewest):
        return False
    return (limit.min is None or m.value >= limit.min) and (limit.max is None or m.value <= limit.max)


def _held(policy: Policy, demands: Mapping[str, Limit], measured: Iterable[Measurement]) -> Decision:
    by_name: dict[str, list[Measurement]] = {}
    for measurement in measured:
        by_name.setdefault(measurement.name, []).append(measurement)
    rows = _counted(by_name.get(ROWS_LEARNED, []))
    return Decision(
        policy.id,
        tuple(_finding(name, limit, by_name.get(name, []), policy.confidence, rows) for name, limit in demands.items()),
    )


def _counted(found: list[Measurement]) -> int | None:
    """One whole number that was counted and not estimated."""
    if len(found) != 1:
        return None
    (m,) = found
    exact = m.status == "measured" and m.lower == m.value == m.upper and math.isfinite(m.value) and m.confidence == 1
    return int(m.value) if exact and m.value == int(m.value) else None


def _finding(name: str, limit: Limit, found: list[Measurement], confidence: float, rows: int | None) -> Finding:
    if not asked_of(limit, rows):
        reason = f"it is asked where at most {limit.most_rows} rows were learned from; here {rows} were"
        return Finding(name, limit, math.nan, math.nan, math.nan, "not asked", False, reason)
    if not found:
        return Finding(name, limit, math.nan, math.nan, math.nan, "missing", False, "not measured")
    if len(found) > 1:
        return Finding(name, limit, math.nan, math.nan, math.nan, "failed", False, "measured more than once")
    m = found[0]
    if m.status == "measured" and m.confidence < confidence:
        reason = f"its interval has confidence {m.confidence:g}, the policy asks for {confidence:g}"
        return Finding(name, limit, m.value, m.lower, m.upper, "inconclusive", False, reason)
    if m.status == "measured" and limit.fewest is not None and m.n < limit.fewest:
        reason = f"it rests on {m.n} of the {limit.fewest} the policy asks for"
        return Finding(name, limit, m.value, m.lower, m.upper, "inconclusive", False, reason)
    met = m.status == "measured" and _interval_within(limit, m)
    if not met and _is_evidence(m) and met_at_point(limit, m):
        return Finding(name, limit, m.value, m.lower, m.upper, "inconclusive", False, _undecided(limit, m), True)
    return Finding(name, limit, m.value, m.lower, m.upper, m.status, met, m.reason)


def _undecided(limit: Limit, m: Measurement) -> str:
    """How many of what the measure counts could decide, if the value stays; half-widths shrink with the root of n.

    Of a number of rows or people that is not so, and none is named: shares and areas have bounds below one. Nor is it
    so of an end at 0, 1 or -1, where a share or a difference of shares is cut: it hides how wide the interval is.
    """
    told = f"n = {m.n} cannot decide"
    if m.n < 1 or any(bound is not None and bound >= 1 for bound in (limit.min, limit.max)):
        return told
    beyond = [(limit.min, m.lower)] if limit.min is not None and m.lower < limit.min else []
    beyond += [(limit.max, m.upper)] if limit.max is not None and m.upper > limit.max else []
    if any(bound == m.value for bound, _ in beyond):
        return f"{told}; no number could, while the value is the limit itself"
    if any(min(abs(end - cut) for cut in (-1.0, 0.0, 1.0)) < _CUT for _, end in beyond):
        return f"{told}; how many could cannot be told from an interval that ends at a bound of the measure"
    ratio = max((end - m.value) / (bound - m.value) for bound, end in beyond)
    needed = m.n * ratio * ratio * (1 - 1e-9)  # less what rounding may have added
    if needed > _ABSURD:
        return f"{told}; more than a million could, if the value stays"
    return f"{told}; about {max(math.ceil(needed), m.n + 1)} could, if the value stays"


def _is_evidence(m: Measurement) -> bool:
    """An interval that is not finite or does not hold its value is none."""
    return all(map(math.isfinite, (m.value, m.lower, m.upper))) and m.lower <= m.value <= m.upper


def _interval_within(limit: Limit, m: Measurement) -> bool:
    """The whole interval inside the bounds."""
    return (
        _is_evidence(m) and (limit.min is None or m.lower >= limit.min) and (limit.max is None or m.upper <= limit.max)
    )


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
