"""How is an epsilon shown? Rounded against the spender: what is spent never looks less, what is left never more."""

from __future__ import annotations

import math

_SLACK = 1e-7  # of the last place shown: 0.3 that floating point made 0.30000000000000004 is still 0.300


def spent(epsilon: float) -> str:
    """Three decimals, rounded up."""
    return f"{math.ceil(epsilon * 1000 - _SLACK) / 1000:.3f}" if math.isfinite(epsilon) else "beyond all bounds"


def left(epsilon: float) -> str:
    """Three decimals, rounded down."""
    return f"{math.floor(epsilon * 1000 + _SLACK) / 1000:.3f}"
