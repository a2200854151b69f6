"""The plan follows from public facts, costs what was asked, and spends by the size of the table."""

from __future__ import annotations

from itertools import pairwise

import pytest

from policies import Column, Dictionary
from synth.dp.accounting import compose_epsilon
from synth.dp.events import PrivacyError
from synth.dp.plan import Plan, head_count_events, plan_of


def dictionary(columns: int = 6, target: bool = True, rows: int | None = None) -> Dictionary:
    named = {f"x{place}": Column(type="integer", minimum=0.0, maximum=200.0) for place in range(columns)}
    named["y"] = Column(type="category", categories=("a", "b"))
    patient = None
    if rows is not None:
        named["nr"], patient = Column(type="identifier"), "nr"
    return Dictionary(
        version=1,
        name="little",
        target="y" if target else None,
        patient=patient,
        max_rows_per_patient=rows,
        columns=named,
    )


def planned(people: int, epsilon: float, columns: int = 6, *, network: bool = False) -> Plan:
    return plan_of(dictionary(columns), people, epsilon, 1e-5, network=network)[1]


@pytest.mark.parametrize(("people", "epsilon"), [(300, 1.0), (300, 8.0), (20_000, 1.0), (20_000, 8.0)])
def test_a_plan_costs_what_was_asked_and_hardly_less(people: int, epsilon: float) -> None:
    cost = compose_epsilon(planned(people, epsilon).events, 1e-5)
    assert epsilon * 0.997 <= cost <= epsilon


def test_the_same_public_facts_give_the_same_plan() -> None:
    assert planned(5_000, 1.0) == planned(5_000, 1.0)


def test_the_more_signal_the_more_tables_are_chosen_and_the_finer_the_cells() -> None:
    plans = [planned(people, 1.0, 12) for people in (200, 5_000, 30_000, 300_000)]
    assert all(a.layout.rounds <= b.layout.rounds for a, b in pairwise(plans))
    assert all(a.layout.cells <= b.layout.cells for a, b in pairwise(plans))
    assert all(a.layout.star >= b.layout.star for a, b in pairwise(plans))


def test_noise_grows_with_the_rows_one_patient_may_own() -> None:
    one = plan_of(dictionary(rows=1), 5_000, 1.0, 1e-5)[1]
    four = plan_of(dictionary(rows=4), 5_000, 1.0, 1e-5)[1]
    assert four.star.sensitivity == 4
    assert four.star.sigma == pytest.approx(4 * one.star.sigma, rel=0.01)
    assert four.star.noise_multiplier == pytest.approx(one.star.noise_multiplier, rel=0.01)


def test_a_network_is_paid_for_only_where_people_carry_it() -> None:
    assert planned(400, 8.0, network=True).train is None
    train = planned(60_000, 1.0, network=True).train
    assert train is not None
    assert train.sampling_rate == pytest.approx(1024 / 60_000)
    assert planned(60_000, 1.0).train is None
    assert compose_epsilon(planned(60_000, 1.0, network=True).events, 1e-5) <= 1.0


def test_one_column_beside_the_target_leaves_nothing_to_choose() -> None:
    plan = planned(5_000, 1.0, 1)
    assert plan.choose is None
    assert plan.measure is None
    assert compose_epsilon(plan.events, 1e-5) >= 0.997


def test_a_head_count_and_its_envelope_add_up() -> None:
    count, envelope = head_count_events(2.0, 1e-6)
    assert count.epsilon + envelope.epsilon == pytest.approx(2.0)
    assert envelope.delta == 1e-6


@pytest.mark.parametrize(("epsilon", "delta"), [(0.0, 1e-5), (float("nan"), 1e-5), (1.0, 0.0), (1.0, 1.0)])
def test_a_budget_that_is_none_is_refused(epsilon: float, delta: float) -> None:
    with pytest.raises(PrivacyError):
        plan_of(dictionary(), 5_000, epsilon, delta)
