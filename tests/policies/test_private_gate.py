"""What a policy may say of a private gate, and what is held where one decides."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from audit.record.claim import PRIVATE_FINDINGS
from policies import Limit, Measurement, Policy, PolicyError, compare, decide, parse_policy
from policies.decide import decide_privately, met_at_point
from policies.model import LARGEST_SLIP, NOISY_PEOPLE, VOTES, PrivateGate
from synth.dp.votes import chance_to_pass

BASE = """
version = 1
id = "gated"
purpose = "Tests of a private gate"
context = "internal"
minimum_people = 300
[limits]
exact_copy_excess = { max = 0.1 }
"""
PRIVATE = "[differential_privacy]\nepsilon = 2.0\ndelta = 1e-6\n"
GATE = "[private_gate]\nepsilon = 0.5\nparts = 20\nshare = 0.6\n"


def parsed(more: str) -> Policy:
    return parse_policy((BASE + more).encode())


def told(**changed: float) -> list[Measurement]:
    """What charged mechanisms say of a release that may be made."""
    values = {VOTES: 12.0, NOISY_PEOPLE: 300.0, "dp_epsilon": 2.0, "dp_delta": 1e-6, **changed}
    return [Measurement.exact(name, value, n=0, method="") for name, value in values.items()]


@pytest.mark.parametrize(
    ("share", "parts", "quorum"),
    [(0.6, 20, 12), (0.55, 20, 11), (0.51, 5, 3), (0.7, 10, 7), (1.0, 7, 7), (0.501, 200, 101)],
)
def test_the_quorum_is_the_smallest_number_that_is_the_share(share: float, parts: int, quorum: int) -> None:
    """In decimals as they are written: 0.55 of 20 is 11, though the product in floating point is above it."""
    gate = parsed(PRIVATE + f"[private_gate]\nepsilon = 1.9\nparts = {parts}\nshare = {share}\n").private_gate
    assert gate is not None
    assert gate.quorum == quorum


@given(st.floats(0.01, 8), st.integers(5, 200), st.floats(0.501, 1))
def test_the_chance_to_slip_through_is_that_of_the_noise_that_is_drawn(
    epsilon: float, parts: int, share: float
) -> None:
    """A gate loads exactly where it lets out, by noise alone, no more than one in a hundred that no part admits."""
    quorum = PrivateGate.model_construct(epsilon=epsilon, parts=parts, share=share).quorum
    slip = chance_to_pass(0, quorum, epsilon)
    if slip > LARGEST_SLIP:
        with pytest.raises(ValidationError, match="noise alone would make"):
            PrivateGate(epsilon=epsilon, parts=parts, share=share)
    else:
        assert PrivateGate(epsilon=epsilon, parts=parts, share=share).slip == slip


@pytest.mark.parametrize(
    ("epsilon", "parts", "share", "said"),
    [
        (0.05, 5, 0.51, "44.11% .* and 1% is the most: raise epsilon to 1.47 or parts to 153$"),
        (0.1, 5, 0.6, "38.89% .*: raise epsilon to 1.47 or parts to 66$"),
        (0.5, 5, 0.51, "13.89% .*: raise epsilon to 1.47 or parts to 16$"),
        (0.8, 5, 0.6, "6.26% .*: raise epsilon to 1.47 or parts to 9$"),
        (1.4, 5, 0.6, "1.20% .*: raise epsilon to 1.47 or parts to 6 or share to 0.61$"),
        (1e-9, 200, 1.0, "50.00% .*: raise epsilon to 0.02$"),
    ],
)
def test_a_gate_that_cannot_refuse_is_refused_and_says_what_would_do(
    epsilon: float, parts: int, share: float, said: str
) -> None:
    gate = {"epsilon": epsilon, "parts": parts, "share": share}

    def loaded(**changed: float) -> Policy:
        return parsed(
            PRIVATE + "[private_gate]\n" + "".join(f"{key} = {n}\n" for key, n in {**gate, **changed}.items())
        )

    with pytest.raises(PolicyError, match=said) as refusal:
        loaded()
    for name, value in re.findall(r"(epsilon|parts|share) to ([\d.]+)", str(refusal.value)):
        number, step = (int(value), 1) if name == "parts" else (float(value), 0.01)
        assert loaded(**{name: number}).private_gate is not None
        with pytest.raises(PolicyError, match="noise alone would make"):
            loaded(**{name: round(number - step, 2) if name != "parts" else number - 1})


@pytest.mark.parametrize(
    ("more", "word"),
    [
        (GATE, "goes with .differential_privacy."),
        (PRIVATE + GATE.replace("0.5", "2.0"), "leaves nothing"),
        (PRIVATE + GATE.replace("0.5", "0.0"), "greater than 0"),
        (PRIVATE + GATE.replace("0.5", "inf"), "finite"),
        (PRIVATE + GATE.replace("20", "4"), "greater than or equal to 5"),
        (PRIVATE + GATE.replace("20", "201"), "less than or equal to 200"),
        (PRIVATE + GATE.replace("20", "20.0"), "integer"),
        (PRIVATE + GATE.replace("0.6", "0.5"), "greater than 0.5"),
        (PRIVATE + GATE.replace("0.6", "1.1"), "less than or equal to 1"),
        (PRIVATE + GATE.replace("share = 0.6\n", ""), "required"),
        (PRIVATE + GATE + "seed = 1\n", "unknown key"),
        (PRIVATE + GATE + "[remedies]\nsuppress = { max_share = 0.1 }\n", "do not go with"),
    ],
)
def test_a_gate_that_cannot_hold_is_refused(more: str, word: str) -> None:
    with pytest.raises(PolicyError, match=word):
        parsed(more)


@pytest.mark.parametrize("name", [VOTES, NOISY_PEOPLE])
def test_what_the_gate_tells_is_no_limit_of_the_policys_own(name: str) -> None:
    with pytest.raises(PolicyError, match="private_gate"):
        parse_policy(BASE.replace("exact_copy_excess", name).encode())


def test_the_decision_is_held_to_charged_mechanisms_alone() -> None:
    policy = parsed(PRIVATE + GATE)
    decision = decide_privately(policy, told())
    assert decision.allowed
    assert {finding.measure for finding in decision.findings} == PRIVATE_FINDINGS


@pytest.mark.parametrize(
    "changed", [{VOTES: 11.0}, {NOISY_PEOPLE: 299.0}, {"dp_epsilon": 2.01}, {"dp_delta": 2e-6}, {VOTES: -3.0}]
)
def test_each_of_them_denies_by_itself(changed: dict[str, float]) -> None:
    decision = decide_privately(parsed(PRIVATE + GATE), told(**changed))
    assert [finding.measure for finding in decision.unmet] == list(changed)


def test_without_a_vote_nothing_is_allowed() -> None:
    """The ordinary way denies under such a policy, and the private way denies under any other (I-4)."""
    policy = parsed(PRIVATE + GATE)
    met = [Measurement.exact("exact_copy_excess", 0.0, n=100, method=""), *told()[2:]]
    assert not decide(policy, met).allowed
    assert not decide_privately(policy, met).allowed
    assert not decide_privately(parsed(PRIVATE), told()).allowed
    assert decide_privately(parsed(PRIVATE), told()).findings == ()


@pytest.mark.parametrize(
    ("limit", "value", "n", "met"),
    [
        (Limit(max=0.5), 0.5, 1, True),
        (Limit(max=0.5), math.nextafter(0.5, 1), 1, False),
        (Limit(min=11), 11, 1, True),
        (Limit(min=11), 10, 1, False),
        (Limit(min=0.4, max=0.6), 0.7, 1, False),
        (Limit(max=0.5, fewest=20), 0.1, 19, False),
        (Limit(max=0.5, fewest=20), 0.1, 20, True),
        (Limit(max=0.5), math.nan, 1, False),
    ],
)
def test_in_a_part_the_value_itself_is_held(limit: Limit, value: float, n: int, met: bool) -> None:
    wide = Measurement("m", value, -9.0, 9.0, 0.95, n, "")
    assert met_at_point(limit, wide) is met
    assert not met_at_point(limit, Measurement("m", value, -9.0, 9.0, 0.95, n, "", status="inconclusive"))


@pytest.mark.parametrize(
    ("before", "after", "effect", "verdict"),
    [
        (GATE, GATE.replace("0.6", "0.7"), "tightened", "stricter"),
        (GATE.replace("0.6", "0.7"), GATE, "loosened", "looser"),
        (GATE, GATE.replace("0.6", "0.595"), "reworded", "same"),  # the same quorum of 20
        (GATE, GATE + 'source = "a norm"\n', "reworded", "same"),
        (GATE, GATE.replace("20", "40"), "changed", "incomparable"),
        (GATE, GATE.replace("0.5", "0.4"), "changed", "incomparable"),
        ("", GATE, "changed", "incomparable"),
        (GATE, "", "changed", "incomparable"),
    ],
)
def test_two_gates_are_held_side_by_side_where_that_can_be_decided(
    before: str, after: str, effect: str, verdict: str
) -> None:
    comparison = compare(parsed(PRIVATE + before), parsed(PRIVATE + after))
    assert [(change.field, change.effect) for change in comparison.changes] == [("private_gate", effect)]
    assert comparison.verdict == verdict
