"""How absence is written down."""

from __future__ import annotations

import math

import pytest

from audit.outcome import FEWEST, too_few, would_decide


def test_too_few_people_state_how_many_could_decide() -> None:
    (found,) = too_few(("dcr_share",), 7)
    assert (found.status, found.n) == ("inconclusive", 7)
    assert "has 7 people" in found.reason
    assert f"needs {FEWEST} in each" in found.reason
    assert "needs 400 in each" in too_few(("dcr_share",), 7, 400)[0].reason


def test_an_interval_three_times_too_wide_needs_nine_times_the_rows() -> None:
    assert would_decide(50, 0.1, 0.3) == 450


@pytest.mark.parametrize(("n", "effect", "half"), [(0, 0.1, 0.1), (9, 0.0, 0.1), (9, -1.0, 0.1), (9, 0.1, math.nan)])
def test_without_an_effect_no_number_of_rows_decides(n: int, effect: float, half: float) -> None:
    assert would_decide(n, effect, half) is None
