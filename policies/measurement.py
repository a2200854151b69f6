"""One measured number with its interval: what audits hand to a policy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Status = Literal["measured", "inconclusive", "failed"]


@dataclass(frozen=True)
class Measurement:
    """A named number about a candidate release.

    ``lower`` and ``upper`` bound the value at ``confidence`` (two-sided); a number counted exactly, such as the
    smallest equivalence class of the released table, has ``lower == value == upper`` and confidence 1. ``n`` is how
    many rows, people or attacks, by the measure, carry the number. ``reason`` says in words why a status is not
    ``measured``; like every text here it never holds a cell value.
    """

    name: str
    value: float
    lower: float
    upper: float
    confidence: float
    n: int
    method: str
    status: Status = "measured"
    reason: str = ""

    @classmethod
    def exact(cls, name: str, value: float, *, n: int, method: str) -> Measurement:
        """A number that was counted, not estimated."""
        return cls(name, value, value, value, 1.0, n, method)

    @classmethod
    def void(cls, name: str, *, status: Status, reason: str, n: int = 0, method: str = "") -> Measurement:
        """A measure that has no number: it failed, or could not be decided. No limit is ever met by it."""
        return cls(name, math.nan, math.nan, math.nan, 0.0, n, method, status, reason)
