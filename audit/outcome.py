"""How is what a measure found written down, and what when it cannot tell?"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

from audit.intervals import Interval
from policies import Measurement

UNEVEN = 1.1  # train over holdout above which a measure that must cut train cannot tell what it misses
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


def too_few(names: Iterable[str], people: int, needed: int = FEWEST) -> tuple[Measurement, ...]:
    """Nothing can be said of so few people; the reason names how many could decide."""
    reason = f"the smallest of the three tables has {people} people; this measure needs {needed} in each"
    return void_all(names, "inconclusive", reason, people)


def would_decide(n: int, effect: float, half_width: float) -> int | None:
    """How many rows or people could tell ``effect`` from nothing, if ``n`` of them give this half-width of an interval.

    Half-widths shrink with the root of n. None where there is no effect or no interval to go by.
    """
    if n < 1 or not (effect > 0 and math.isfinite(effect) and math.isfinite(half_width)):
        return None
    return max(math.ceil(n * (half_width / effect) ** 2), 1)
