"""Only what was planned is drawn, and only once."""

from __future__ import annotations

import copy
import pickle
import threading

import pytest

from synth.dp.budget import PrivacyBudget
from synth.dp.events import EnvelopeEvent, Event, ExponentialEvent, GaussianEvent, PrivacyError, PureEvent

TABLE = GaussianEvent("tables", 20.0, 1.0, 2)
CHOICE = ExponentialEvent("choose", 0.1, 2)
COUNT = PureEvent("head count", 0.02)
ENVELOPE = EnvelopeEvent("rest", 1.0, 1e-6)


def test_every_repetition_is_drawn_once() -> None:
    budget = PrivacyBudget((TABLE, CHOICE))
    names = [budget.draw(TABLE), budget.draw(CHOICE), budget.draw(TABLE)]
    assert len(set(names)) == 3
    assert budget.used == tuple(zip(names, (TABLE, CHOICE, TABLE), strict=True))
    assert (budget.left(TABLE), budget.left(CHOICE)) == (0, 1)
    with pytest.raises(PrivacyError, match="used up"):
        budget.draw(TABLE)
    assert len(budget.used) == 3


@pytest.mark.parametrize(
    "other",
    [GaussianEvent("tables", 19.0, 1.0, 2), GaussianEvent("tables", 20.0, 1.0, 1), GaussianEvent("star", 20.0, 1.0, 2)],
)
def test_an_event_that_is_not_exactly_in_the_plan_is_refused(other: Event) -> None:
    budget = PrivacyBudget((TABLE,))
    with pytest.raises(PrivacyError, match="not in the plan"):
        budget.draw(other)
    assert budget.used == ()


def test_an_event_planned_twice_is_drawn_twice_as_often() -> None:
    budget = PrivacyBudget((COUNT, COUNT))
    assert budget.draw(COUNT) != budget.draw(COUNT)
    with pytest.raises(PrivacyError):
        budget.draw(COUNT)


def test_an_empty_plan_is_refused() -> None:
    with pytest.raises(PrivacyError):
        PrivacyBudget(())


def test_an_envelope_is_unfolded_once_and_only_into_what_it_pays() -> None:
    budget = PrivacyBudget((COUNT, ENVELOPE))
    with pytest.raises(PrivacyError, match="unfold"):
        budget.draw(ENVELOPE)
    with pytest.raises(PrivacyError, match="costs epsilon"):
        budget.unfold(ENVELOPE, (GaussianEvent("tables", 2.0, 1.0, 10),))
    with pytest.raises(PrivacyError, match="another one"):
        budget.unfold(ENVELOPE, (EnvelopeEvent("inner", 0.1, 1e-9),))
    budget.unfold(ENVELOPE, (TABLE,))
    budget.draw(TABLE)
    assert budget.plan == (COUNT, ENVELOPE)
    assert [event for _, event in budget.used] == [ENVELOPE, TABLE]
    with pytest.raises(PrivacyError, match="used up"):
        budget.unfold(ENVELOPE, (TABLE,))


def test_an_envelope_of_another_budget_is_refused() -> None:
    with pytest.raises(PrivacyError, match="not in the plan"):
        PrivacyBudget((COUNT,)).unfold(ENVELOPE, (TABLE,))


def test_choices_of_different_epsilon_run_in_the_plans_order() -> None:
    later = ExponentialEvent("choose more", 0.2, 2)
    budget = PrivacyBudget((CHOICE, TABLE, later))
    budget.draw(CHOICE)
    budget.draw(TABLE)
    budget.draw(later)
    with pytest.raises(PrivacyError, match="order"):
        budget.draw(CHOICE)
    budget.draw(later)


@pytest.mark.parametrize("attempt", [pickle.dumps, copy.copy, copy.deepcopy])
def test_copies_are_refused(attempt: object) -> None:
    assert callable(attempt)
    with pytest.raises(PrivacyError, match="twice"):
        attempt(PrivacyBudget((TABLE,)))


def test_threads_cannot_draw_more_than_there_is() -> None:
    event = GaussianEvent("tables", 20.0, 1.0, 50)
    budget = PrivacyBudget((event,))
    drawn: list[str] = []

    def draw() -> None:
        for _ in range(20):
            try:
                drawn.append(budget.draw(event))
            except PrivacyError:
                return

    threads = [threading.Thread(target=draw) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(drawn) == len(set(drawn)) == 50
