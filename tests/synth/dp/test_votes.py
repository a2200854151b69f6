"""The noisy vote: its noise, its price, and what it does with parts that fail."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from policies import parse_dictionary
from synth import PrivateHybridSynthesizer
from synth.dp.accounting import compose_epsilon
from synth.dp.budget import PrivacyBudget
from synth.dp.events import EnvelopeEvent, PrivacyError, PureEvent
from synth.dp.provenance import RAW
from synth.dp.randomness import SystemRandomness
from synth.dp.votes import STAGE, chance_to_pass, decision_event, noisy_votes
from tests.synth.dp.auditing import Draws, epsilon_of_any, error_rates

CLINIC = parse_dictionary(b"""
version = 1
name = "clinic"
target = "outcome"
patient = "patient"
max_rows_per_patient = 2
people = 350
[columns.patient]
type = "identifier"
[columns.age]
type = "integer"
minimum = 18
maximum = 110
[columns.sex]
type = "category"
categories = ["F", "M"]
[columns.outcome]
type = "ordinal"
categories = ["0", "1"]
""")


SYSTEM = SystemRandomness()


def counted(yes: int, parts: int, epsilon: float) -> int:
    event = decision_event(epsilon)
    return noisy_votes(lambda part: part < yes, parts, event, PrivacyBudget([event]), SYSTEM).value


@pytest.mark.slow
def test_the_noise_is_discrete_laplace_of_scale_one_over_epsilon() -> None:
    """2,000 counts against probabilities worked out by hand; false-alarm rate 1e-6."""
    epsilon, yes, parts, runs = 0.7, 9, 12, 2_000
    noise = np.array([counted(yes, parts, epsilon) - yes for _ in range(runs)])
    ratio = math.exp(-epsilon)
    inner = np.arange(-5, 6)
    chances = (1 - ratio) / (1 + ratio) * ratio ** np.abs(inner)
    tail = ratio**6 / (1 + ratio)
    seen = [(noise < -5).sum(), *((noise == k).sum() for k in inner), (noise > 5).sum()]
    assert stats.chisquare(seen, runs * np.array([tail, *chances, tail])).pvalue > 1e-6


@pytest.mark.slow
@pytest.mark.parametrize(("epsilon", "least"), [(0.5, 0.0), (1.0, 0.1), (3.0, 0.3)])
def test_one_vote_is_seen_no_better_than_claimed(epsilon: float, least: float) -> None:
    """The lower bound is above the true epsilon with probability 2e-6."""
    runs = 800
    without, within = ([counted(yes, 8, epsilon) for _ in range(runs)] for yes in (4, 5))
    draws = Draws(np.array(without, dtype=np.float64), np.array(within, dtype=np.float64))
    found = epsilon_of_any(error_rates(draws, epsilon_of_any, 2e-6))
    assert least * epsilon <= found <= epsilon


@pytest.mark.parametrize(("yes", "quorum"), [(20, 12), (12, 12), (11, 12), (10, 12), (20, 20), (0, 3)])
def test_the_chance_to_pass_is_that_of_the_noise(yes: int, quorum: int) -> None:
    epsilon = 0.5
    ratio = math.exp(-epsilon)
    steps = range(quorum - yes, quorum - yes + 400)
    assert chance_to_pass(yes, quorum, epsilon) == pytest.approx(
        sum((1 - ratio) / (1 + ratio) * ratio ** abs(step) for step in steps), rel=1e-9
    )


def test_the_vote_is_drawn_before_any_part_is_asked() -> None:
    event = decision_event(0.5)
    budget = PrivacyBudget([event])
    asked: list[int] = []

    def vote(part: int) -> bool:
        assert [drawn for _, drawn in budget.used] == [event]
        asked.append(part)
        return True

    votes = noisy_votes(vote, 5, event, budget)
    assert asked == [0, 1, 2, 3, 4]
    assert votes.sources == {name for name, _ in budget.used}
    assert RAW not in votes.sources
    with pytest.raises(PrivacyError, match="used up"):
        noisy_votes(vote, 5, event, budget)
    assert len(asked) == 5


def test_a_vote_that_was_not_charged_asks_nobody() -> None:
    budget = PrivacyBudget([PureEvent("head count", 0.5)])
    with pytest.raises(PrivacyError, match="not in the plan"):
        noisy_votes(lambda _: pytest.fail("asked"), 5, decision_event(0.5), budget)


def test_a_part_that_fails_says_no_and_the_others_are_asked_all_the_same() -> None:
    """At epsilon 60 the noise is zero but for a chance of 1e-26."""
    event = decision_event(60.0)
    asked: list[int] = []

    def vote(part: int) -> bool:
        asked.append(part)
        if part == 1:
            raise ValueError("a value of somebody's")
        return part != 2

    assert noisy_votes(vote, 5, event, PrivacyBudget([event])).value == 3
    assert asked == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 3.0])
def test_the_fit_and_the_vote_together_cost_what_is_allowed(epsilon: float) -> None:
    vote = decision_event(epsilon / 4)
    plan = PrivateHybridSynthesizer(CLINIC, epsilon, 1e-6, beside=(vote,)).plan()
    assert plan[-1] == vote
    assert [event.stage for event in plan].count(STAGE) == 1
    assert 0.99 * epsilon <= compose_epsilon(plan, 1e-6) <= epsilon
    alone = PrivateHybridSynthesizer(CLINIC, epsilon * 3 / 4, 1e-6).plan()
    assert compose_epsilon([*alone, vote], 1e-6) <= compose_epsilon(plan, 1e-6)  # nothing is lost by adding up


@pytest.mark.parametrize("epsilon", [0.085, 0.17, 0.5, 1.0, 2.3, 3.0, 7.7])
@pytest.mark.parametrize("share", [0.1, 0.3, 0.77])
def test_so_do_a_head_count_an_envelope_and_the_vote(epsilon: float, share: float) -> None:
    vote = decision_event(share * epsilon)
    unknown = CLINIC.model_copy(update={"people": None})
    plan = PrivateHybridSynthesizer(unknown, epsilon, 1e-6, beside=(vote,)).plan()
    assert [type(event) for event in plan] == [PureEvent, EnvelopeEvent, PureEvent]
    assert 0.99 * epsilon <= compose_epsilon(plan, 1e-6) <= epsilon
