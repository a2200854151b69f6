"""The parts of a private release that need no fit: what is listed, what is measured, what is refused."""

from __future__ import annotations

import json
from importlib import resources

import pytest
from click.testing import CliRunner

from audit.record.claim import MAX_SENTENCE
from gateway.case import Candidate
from gateway.claim import CANCELLED, FLOATING_POINT, ONE_ROW_EACH, claim_measurements, left_open, mechanisms_of
from gateway.cli import main
from gateway.dossier import _public_settings
from gateway.errors import BudgetExhaustedError, GatewayError
from gateway.halves import HOLDOUT_SHARE, split_key
from gateway.ledger import Unit
from gateway.private import PlannedRelease, check_dictionary, fresh_commitment, refusal_of
from gateway.settings import SynthesizerSettings
from policies import DictionaryError, Measurement, decide, load_pack, parse_dictionary, parse_policy
from synth.dp.accounting import compose_epsilon
from synth.dp.budget import PrivacyBudget
from synth.dp.events import EnvelopeEvent, ExponentialEvent, GaussianEvent, PureEvent, SampledGaussianEvent
from tests.audit.record.conftest import CLAIM
from tests.gateway.private_clinic import PRIVATE_POLICY, PUBLIC_DICTIONARY

TABLES = GaussianEvent("tables", 40.0, 2.0, 3)
CHOICE = ExponentialEvent("choice", 0.1, 4)
SECRET = bytes(range(32))


def test_what_was_charged_and_not_needed_stays_on_the_sheet() -> None:
    budget = PrivacyBudget((TABLES, CHOICE))
    for event in (TABLES, TABLES, TABLES, CHOICE):
        budget.draw(event)
    listed = mechanisms_of(budget)
    assert [(each.kind, each.count, each.drawn) for each in listed] == [("gaussian", 3, 3), ("exponential", 4, 1)]


def test_equal_events_of_a_plan_are_one_mechanism_of_their_total_count() -> None:
    budget = PrivacyBudget((TABLES, TABLES))
    budget.draw(TABLES)
    assert [(each.count, each.drawn) for each in mechanisms_of(budget)] == [(6, 1)]


def test_what_an_envelope_pays_for_is_listed_as_paid() -> None:
    count, envelope = PureEvent("head count", 0.04), EnvelopeEvent("plan", 1.96, 1e-6)
    budget = PrivacyBudget((count, envelope))
    budget.draw(count)
    budget.unfold(envelope, (TABLES,))
    budget.draw(TABLES)
    listed = mechanisms_of(budget)
    assert [each.kind for each in listed] == ["pure", "envelope", "gaussian"]
    assert [each.within_envelope for each in listed] == [False, False, True]
    assert (listed[2].count, listed[2].drawn) == (3, 1)


def test_a_plan_that_trains_says_that_its_noise_is_floating_point() -> None:
    """Within an envelope too, where what ran is listed; elsewhere it is enough that it was charged."""
    train = SampledGaussianEvent("train", noise_multiplier=4.0, sampling_rate=0.1, steps=10)
    envelope = EnvelopeEvent("plan", 1.96, 1e-6)
    inside = PrivacyBudget((envelope,))
    inside.unfold(envelope, (TABLES, train))
    inside.draw(train)
    for budget in (PrivacyBudget((TABLES, train)), inside):
        assert FLOATING_POINT in left_open(mechanisms_of(budget), Unit("pid"), 0)
    assert FLOATING_POINT not in left_open(mechanisms_of(PrivacyBudget((TABLES,))), Unit("pid"), 0)


def test_what_is_left_open_fits_into_a_record_and_hangs_on_the_unit() -> None:
    mechanisms = mechanisms_of(PrivacyBudget((TABLES, SampledGaussianEvent("train", 4.0, 0.1, 10))))
    rows, patients = (left_open(mechanisms, unit, 10**6) for unit in (Unit(None), Unit("pid")))
    assert ONE_ROW_EACH in rows
    assert ONE_ROW_EACH not in patients
    assert any("before this one there were: 1000000." in sentence for sentence in rows)
    assert max(map(len, rows + patients)) <= MAX_SENTENCE


def test_where_the_claim_was_cancelled_the_record_tells_only_what_was_asked_for() -> None:
    """Sizes of coarse cells, weights and the number of patients come from a fit that raw rows reached uncharged."""
    policy = parse_policy(PRIVATE_POLICY.encode(), name="private.toml")
    asked = {"synthesizer": "private hybrid", "epsilon": 2.0, "delta": 1e-6, "components": ["noise"], "device": "cpu"}
    learned = {"people": 347, "coarse_cells": [3, 4], "rounds": 9, "weights": {"noise": 1.0}, "cvae": "paid for"}
    tainted = Candidate(synthesizer=asked | learned, cancelled=CANCELLED)
    assert _public_settings(tainted, policy) == asked
    whole = Candidate(synthesizer=asked | learned, claim=CLAIM)
    assert _public_settings(whole, policy) == asked | {k: v for k, v in learned.items() if k != "weights"}


def test_a_claim_is_held_against_the_policy_as_it_is() -> None:
    policy = parse_policy(PRIVATE_POLICY.encode(), name="private.toml")
    rest = [Measurement.exact(name, 0.0, n=1, method="") for name in policy.limits]
    assert decide(policy, [*rest, *claim_measurements(CLAIM)]).allowed
    cancelled = decide(policy, [*rest, *claim_measurements(None)])
    assert {finding.measure: finding.reason for finding in cancelled.unmet} == {
        "dp_epsilon": CANCELLED, "dp_delta": CANCELLED,
    }  # fmt: skip


def test_commitments_with_other_salts_are_strangers() -> None:
    file = "ab" * 32
    first, second = (fresh_commitment(SECRET, file, salt) for salt in (bytes(32), b"\1" * 32))
    assert len({first, second, file}) == 3
    assert first == fresh_commitment(SECRET, file, bytes(32))  # whoever holds key and salt can open it


def test_the_key_of_the_split_is_of_its_own_for_each_dataset() -> None:
    assert len({split_key(SECRET, "clinic"), split_key(SECRET, "registry"), SECRET}) == 3


def test_every_obstacle_in_a_dictionary_is_told_at_once() -> None:
    text = PUBLIC_DICTIONARY.replace("max_rows_per_patient = 2\n", "").replace(
        "maximum = 110\n", 'maximum = 110\nfrom_data = ["maximum"]\n'
    )
    with pytest.raises(DictionaryError, match=r"\(age\).*max_rows_per_patient"):
        check_dictionary(parse_dictionary(text.encode(), name="table.toml"))


def test_the_refusal_of_a_budget_fits_into_a_record() -> None:
    cause = BudgetExhaustedError("x", spent=123.456789, needed=1e6, lifetime=200.5, delta=1.23456e-12)
    assert len(refusal_of(cause)) <= 200


def test_the_example_dictionary_can_be_planned_for_the_shipped_pack() -> None:
    content = (resources.files("gateway") / "examples" / "adult.toml").read_bytes()
    dictionary, pack = parse_dictionary(content, name="adult.toml"), load_pack("public-release")
    planned = PlannedRelease.prepare(dictionary, pack, SynthesizerSettings(), SECRET)
    assert planned is not None
    assert compose_epsilon(planned.plan, 1e-6) <= 1.0
    assert planned.synthesizer.people == round(48842 * (1 - HOLDOUT_SHARE))
    assert PlannedRelease.prepare(dictionary, load_pack("small-cohort"), SynthesizerSettings(), SECRET) is None


@pytest.mark.parametrize("epsilon", [0.085, 0.17, 0.5, 1.0, 2.3, 3.0, 7.7, 8.0])
def test_a_plan_without_a_head_count_never_costs_more_than_the_policy_allows(epsilon: float) -> None:
    """Two figures are added up to the policy's, and may not exceed it by a rounding error: that would be a denial."""
    text = PUBLIC_DICTIONARY.replace("people = 350", "")
    policy = parse_policy(
        PRIVATE_POLICY.replace("{ epsilon = 3.0", "{ epsilon = 9.0")
        .replace("epsilon = 2.0", f"epsilon = {epsilon}")
        .encode(),
        name="private.toml",
    )
    planned = PlannedRelease.prepare(
        parse_dictionary(text.encode(), name="table.toml"), policy, SynthesizerSettings(), SECRET
    )
    assert planned is not None
    assert compose_epsilon(planned.plan, 1e-6) <= epsilon


def test_settings_say_only_what_was_written_down() -> None:
    assert SynthesizerSettings().private_arguments() == {}
    few = SynthesizerSettings(components=("graphical", "noise"))
    assert few.private_arguments() == {"components": ("graphical", "noise")}
    with pytest.raises(GatewayError, match="calibration"):
        SynthesizerSettings(calibration=("moment",)).private_arguments()


def test_policies_tell_their_budgets() -> None:
    listed = json.loads(CliRunner().invoke(main, ["policy", "list", "--json"]).stdout)
    budgets = {pack["id"]: pack["differentialPrivacy"] for pack in listed}
    assert budgets["public-release"] == {
        "epsilon": 1.0, "delta": 1e-6, "lifetime": {"epsilon": 3.0, "delta": 1e-5},
    }  # fmt: skip
    assert budgets["small-cohort"] is None
    said = CliRunner().invoke(main, ["policy", "list"]).stdout
    assert "epsilon 3, delta 1e-05 over all releases of a dataset" in said
