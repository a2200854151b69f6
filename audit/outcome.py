"""How is what a measure found written down, and what when it cannot tell?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from audit.intervals import Interval
from policies import Measurement

FEWEST = 20  # people per table below which no rate or distance is reported


def measured(name: str, value: float, interval: Interval, confidence: float, n: int, method: str) -> Measurement:
    """A sampled number; its interval is widened where rounding left the value just outside."""
    low, high = interval
    return Measurement(name, value, min(low, value), max(high, value), confidence, n, method)


def void_all(
    names: Iterable[str], status: Literal["inconclusive", "failed"], reason: str, n: int = 0
) -> tuple[Measurement, ...]:
    """The same absence under every name of a measure."""
    return tuple(Measurement.void(name, status=status, reason=reason, n=n) for name in names)


def too_few(names: Iterable[str], people: int) -> tuple[Measurement, ...]:
    """Nothing can be said of so few people."""
    reason = f"the smallest of the three tables has {people} people; this measure needs {FEWEST} in each"
    return void_all(names, "inconclusive", reason, people)
