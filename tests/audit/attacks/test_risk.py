"""Rates of two arms to a risk with an honest interval."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.attacks.risk import Arm, Attack, ratio_interval, strongest
from audit.intervals import clopper_pearson


def counted(right: int, people: int) -> Arm:
    success = np.zeros(people)
    success[:right] = 1.0
    return Arm.of_people(success, np.arange(people))


def test_the_risk_is_what_remains_of_the_strangers_failures() -> None:
    """Six of ten strangers withstand, three of ten people of train: half of what should withstand falls."""
    value, (low, high) = Attack(counted(70, 100), counted(40, 100), 0.1, 100).risk(0.95)
    assert value == pytest.approx((0.7 - 0.4) / (1 - 0.4))
    assert 0.2 < low < 0.5 < high < 0.7


def test_an_attack_on_a_share_counts_the_rest_as_withstanding() -> None:
    value, _ = Attack(counted(80, 100), counted(20, 100), 0.1, 100, share=0.1).risk(0.95)
    assert value == pytest.approx((0.08 - 0.02) / (1 - 0.02))


def test_what_was_cut_from_train_is_scaled_back_within_bounds() -> None:
    assert Attack(counted(30, 100), counted(10, 100), 0.1, 100, scale=2.0).risk(0.95)[0] == pytest.approx(4 / 9)
    assert Attack(counted(90, 100), counted(10, 100), 0.1, 100, scale=2.0).risk(0.95)[0] == 1.0


def test_where_strangers_always_fall_there_is_no_risk_and_no_certainty() -> None:
    value, (low, high) = Attack(counted(100, 100), counted(100, 100), 1.0, 100).risk(0.95)
    assert value == 0.0
    assert low == -1.0
    assert high > 0.5


def test_a_person_counts_once_however_many_rows() -> None:
    arm = Arm.of_people(np.array([1.0, 1.0, 1.0, 0.0]), np.array([5, 5, 5, 9]))
    assert arm.rate == 0.5
    assert arm.people == 2


@given(st.integers(0, 50), st.integers(0, 50), st.floats(0.5, 0.999))
def test_intervals_hold_their_value_and_widen_with_confidence(first: int, second: int, confidence: float) -> None:
    attack = Attack(counted(first, 50), counted(second, 50), 0.0, 50)
    value, (low, high) = attack.risk(confidence)
    wider = attack.risk(1 - (1 - confidence) / 2)[1]
    assert -1 <= wider[0] <= low + 1e-9
    assert low <= value + 1e-9
    assert value <= high + 1e-9
    assert high <= wider[1] + 1e-9 <= 1 + 1e-9


def test_a_ratio_of_sure_numbers_is_sure() -> None:
    assert ratio_interval((0.3, 0.3, 0.3), (0.6, 0.6, 0.6)) == pytest.approx((0.5, 0.5))


def test_the_strongest_attack_counts_and_its_bounds_are_joint() -> None:
    weak, strong = (
        Attack(counted(10, 100), counted(10, 100), 0.2, 100),
        Attack(counted(60, 100), counted(5, 100), 0.1, 100),
    )
    found = strongest("linkability", {"weak": weak, "strong": strong}, 0.95, "made up")
    alone = strong.risk(0.95)[1]
    assert found.value == pytest.approx(0.55 / 0.95)
    assert found.lower < alone[0]
    assert found.upper > alone[1]
    assert "(strong): 100 attacks" in found.method
    assert "not beat" not in found.method
    assert "not beat" in strongest("linkability", {"weak": weak}, 0.95, "made up").method


def test_an_interval_that_says_nothing_is_inconclusive_and_names_how_many_would_do() -> None:
    found = strongest("linkability", {"one": Attack(counted(15, 25), counted(15, 25), 0.1, 25)}, 0.95, "made up")
    assert found.status == "inconclusive"
    assert "about" in found.reason
    assert found.lower < 0 < found.upper


def test_a_leak_for_certain_is_never_inconclusive() -> None:
    found = strongest("linkability", {"one": Attack(counted(22, 25), counted(15, 25), 0.1, 25)}, 0.6, "made up")
    assert found.lower > 0
    assert found.status == "measured"


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), [(0.05, 0.05), (0.5, 0.5), (0.9, 0.9), (0.3, 0.1), (0.97, 0.6)])
def test_intervals_cover(first: float, second: float, rng: np.random.Generator) -> None:
    """1,000 draws at 90 % and 40 people: 100 misses expected; more than 148 with a chance below 2e-6 each."""
    truth = (first - second) / (1 - second)
    misses = 0
    for _ in range(1_000):
        arms = [counted(int(rng.binomial(40, rate)), 40) for rate in (first, second)]
        low, high = Attack(arms[0], arms[1], 0.0, 40).risk(0.9)[1]
        misses += not low <= truth <= high
    assert misses <= 148


def test_failures_of_one_arm_are_exact() -> None:
    low, high = clopper_pearson(0.3, 100, 0.9)
    assert counted(30, 100).failures(1.0, 0.9) == pytest.approx((0.7, 1 - high, 1 - low), abs=0.01)
