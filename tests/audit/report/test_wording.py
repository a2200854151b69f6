"""Numbers, limits and verdicts in words."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.report.wording import (
    finding_in_words,
    limit_in_words,
    number,
    numbers,
    printable,
    shortened,
    status_in_words,
    verdict_in_words,
)
from policies import Decision, Limit, Measurement, Policy, decide
from tests.audit.report.conftest import finding

LOSS = "nnaa_privacy_loss"


def test_a_denial_names_the_number_its_interval_the_limit_and_which_way_is_safe() -> None:
    decision = Decision("strict", (finding(LOSS, 0.41, 0.06, high=0.15),))
    assert verdict_in_words(decision) == (
        "Denied: NNAA privacy loss is 0.41, interval 0.35 to 0.47, and the policy allows at most 0.15 (lower is safer)."
    )


def test_a_count_is_said_without_interval_and_a_minimum_is_a_demand() -> None:
    decision = Decision("strict", (finding("k_map", 4, low=11),))
    assert verdict_in_words(decision) == (
        "Denied: Smallest real group pointed at is 4, and the policy demands at least 11 (higher is safer)."
    )


def test_a_value_inside_its_limit_whose_interval_is_not_says_so() -> None:
    said = finding_in_words(finding(LOSS, 0.12, 0.05, high=0.15))
    assert said.startswith("NNAA privacy loss is 0.12, but its interval, 0.07 to 0.17, reaches beyond the limit")


def test_a_value_on_too_few_keeps_its_number_and_says_how_many_could_decide() -> None:
    too_few = Measurement(LOSS, 0.12, 0.07, 0.17, 0.95, 110, "by hand")
    strict = Policy.model_validate(
        {"version": 1, "id": "strict", "purpose": "t", "context": "internal", "limits": {LOSS: {"max": 0.15}}}
    )
    decision = decide(strict, [too_few])
    assert verdict_in_words(decision) == (
        "Denied: NNAA privacy loss is 0.12, but its interval, 0.07 to 0.17, reaches beyond the limit: the policy "
        "allows at most 0.15 (lower is safer); n = 110 cannot decide; about 306 could, if the value stays."
    )
    assert status_in_words(decision.findings[0]) == "Inconclusive"


def test_an_allowance_counts_the_limits_and_names_the_policy() -> None:
    met = finding(LOSS, 0.0, 0.01, high=0.15, met=True)
    assert verdict_in_words(Decision("strict", (met, met))) == "Allowed: all 2 limits of policy strict are met."
    assert verdict_in_words(Decision("strict", (met,))) == "Allowed: the one limit of policy strict is met."


def test_an_inconclusive_measure_denies_with_its_reason() -> None:
    odd = finding(LOSS, math.nan, high=0.15, status="inconclusive", reason="the planted leak was not caught")
    assert verdict_in_words(Decision("strict", (odd,))) == (
        "Denied: NNAA privacy loss is inconclusive (the planted leak was not caught), "
        "and what is not shown counts as not met."
    )


def test_a_missing_measure_denies() -> None:
    gone = finding(LOSS, math.nan, high=0.15, status="missing", reason="not measured")
    assert verdict_in_words(Decision("strict", (gone,))) == (
        "Denied: NNAA privacy loss was not measured, and what is not measured counts as not met."
    )


def test_a_failed_measure_denies_with_its_reason() -> None:
    odd = finding(LOSS, math.nan, high=0.15, status="failed", reason="stopped by MemoryError")
    assert "could not be measured (stopped by MemoryError)" in verdict_in_words(Decision("strict", (odd,)))


def test_a_measured_nan_has_no_usable_number() -> None:
    assert "no usable number" in finding_in_words(finding(LOSS, math.nan, high=0.15))


def test_a_decision_without_findings_is_a_denial() -> None:
    assert verdict_in_words(Decision("strict", ())).startswith("Denied: the policy holds this release against nothing")


def test_a_stop_before_synthesis_says_why_whatever_the_findings() -> None:
    said = verdict_in_words(Decision("strict", (finding(LOSS, 0.0, high=0.15, met=True),)), "the table is too small.")
    assert said == "Denied before any synthetic row was made: the table is too small."


def test_a_number_beyond_its_limit_is_told_before_anything_that_has_no_number() -> None:
    gone = finding("k_map", math.nan, low=11, status="missing")
    wide = finding("dcr_share", 0.5, 0.2, high=0.6, status="inconclusive", undecided=True)
    beyond = finding("membership_auc", 0.9, 0.01, high=0.6)
    said = verdict_in_words(Decision("strict", (gone, wide, beyond)))
    assert said.startswith("Denied: Membership attack is 0.90")
    assert said.endswith("; 2 more limits are not met.")
    assert verdict_in_words(Decision("strict", (gone, wide))).startswith(
        "Denied: Share of rows closer to train is 0.50"
    )


def test_every_status_has_its_word() -> None:
    words = [
        status_in_words(finding(LOSS, 0.1, high=0.2, met=True)),
        *(status_in_words(finding(LOSS, 0.3, high=0.2, status=s)) for s in ("measured", "inconclusive", "failed")),
        status_in_words(finding(LOSS, math.nan, high=0.2, status="missing")),
    ]
    assert words == ["Met", "Not met", "Inconclusive", "Failed", "Not measured"]


def test_limits_are_said_as_written() -> None:
    assert limit_in_words(Limit(max=0.15)) == "at most 0.15"
    assert limit_in_words(Limit(min=11.0), count=True) == "at least 11"
    assert limit_in_words(Limit(min=0.4, max=0.6)) == "from 0.4 to 0.6"
    assert limit_in_words(Limit(min=0.0, max=0.0)) == "exactly 0"
    assert limit_in_words(Limit(max=1e-6)) == "at most 0.000001"


def test_a_number_just_beyond_its_limit_never_reads_equal_to_it() -> None:
    assert number(0.1504, beside=(0.15,)) == "0.1504"
    assert number(0.15, beside=(0.15,)) == "0.15"
    assert number(0.150000004, beside=(0.15,)) != "0.15"


def test_numbers_that_belong_together_share_their_decimals() -> None:
    assert numbers((0.009, -0.001, 0.019)) == ("0.009", "−0.001", "0.019")
    assert numbers((7.0, 7.0, 7.0), count=True) == ("7", "7", "7")
    assert numbers((1.5, -2.0, 5.0), count=True) == ("1.50", "−2.00", "5.00")


def test_small_numbers_are_not_rounded_to_nothing_and_nan_has_words() -> None:
    assert number(0.000001) == "0.0000010"
    assert number(-0.0) == "0.00"
    assert number(math.nan) == "no number"
    assert number(math.inf) == "no bound"
    assert number(1234.0, count=True) == "1,234"
    assert number(3, count=True) == "3"


@given(st.floats(-1e6, 1e6), st.floats(-1e3, 1e3))
def test_two_different_numbers_never_look_alike(value: float, limit: float) -> None:
    shown = number(value, beside=(limit,))
    assert (shown == number(limit, decimals=len(shown.partition(".")[2]))) <= (value == limit)


@pytest.mark.parametrize("odd", ["a\x00b", "a\u202eb", "a\ud800b", "a\u200bb"])
def test_control_characters_and_direction_overrides_are_dropped(odd: str) -> None:
    assert printable(odd) == "ab"


def test_long_words_are_cut_with_an_ellipsis() -> None:
    assert shortened("a very long category name", 10) == "a very lo…"
    assert shortened("two\nlines", 20) == "two lines"


def test_a_limit_that_is_not_asked_is_neither_met_nor_unmet() -> None:
    met, unasked = finding(LOSS, 0.0, 0.01, high=0.15, met=True), finding("k_map", math.nan, low=11, status="not asked")
    assert verdict_in_words(Decision("strict", (met, unasked))) == (
        "Allowed: the one limit of policy strict is met; 1 more is not asked of so many rows."
    )
    broken = finding(LOSS, 0.41, 0.06, high=0.15)
    assert verdict_in_words(Decision("strict", (broken, unasked))).endswith("(lower is safer).")
    assert status_in_words(unasked) == "Not asked"
