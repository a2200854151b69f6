"""The claim sheet on both pages: every figure for the custodian, plain words for the recipient, silence without one."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from audit.record.claim import DECISION, Mechanism, PrivacyClaim
from audit.report import EvidenceInputs, RecipientInputs, Verdict, render_evidence_report, render_recipient_page
from tests.audit.record.conftest import CLAIM
from tests.audit.report.conftest import KINDS, Outline, dictionary_of

Make = Callable[..., EvidenceInputs]


def recipient(claim: PrivacyClaim | None, *, allowed: bool = True) -> str:
    return render_recipient_page(RecipientInputs(Verdict(allowed), dictionary_of(**KINDS), privacy=claim))


def test_the_evidence_page_shows_every_mechanism_with_its_parameters(mixed: Make) -> None:
    words = Outline(render_evidence_report(mixed(privacy=CLAIM))).words
    assert "Epsilon and delta 0.998 and 1e-06" in words
    assert "one-way tables Counts with discrete Gaussian noise sigma 61.5 counts, sensitivity 5 12 12" in words
    assert "Choice by the exponential mechanism epsilon 0.04 9 7" in words
    assert "noise multiplier 4.5, sampling rate 0.01, 300 steps" in words
    assert "rdp: epsilon 1.09; zcdp: epsilon 1.12; zero-concentrated DP: rho 0.0081" in words
    assert (
        "epsilon 1.75 of 3 spent, 1.25 left, at delta 1e-05, over all requesters; zero-concentrated DP: rho 0.031"
        in words
    )
    assert "at most 5; more are left out at random" in words
    assert "central: the custodian holds the raw rows" in words
    assert CLAIM.composition in words
    assert CLAIM.not_covered[0] in words


def test_the_recipient_reads_the_bound_in_plain_words() -> None:
    words = Outline(recipient(CLAIM)).words
    assert "one patient, with at most 5 rows of the table" in words
    assert "at most 2.72 times more or less likely, but for a chance of 1 in 1,000,000" in words
    assert "epsilon 1.75 of 3 spent, 1.25 left" in words
    assert CLAIM.not_covered[0] in words


def test_both_pages_say_where_each_row_counts_as_another_patient(mixed: Make) -> None:
    rows = replace(CLAIM, unit="row", max_rows_per_patient=1)
    told = Outline(recipient(rows)).words
    assert "a patient with one row of the table (who has several counts as that many patients)" in told
    shown = Outline(render_evidence_report(mixed(privacy=rows))).words
    assert "one row, counted as another patient" in shown
    assert "one row added or removed" in shown
    assert "one patient added or removed" in Outline(render_evidence_report(mixed(privacy=CLAIM))).words


def test_both_pages_say_whether_the_decision_is_within_the_claim(mixed: Make) -> None:
    voted = replace(CLAIM, mechanisms=(*CLAIM.mechanisms, Mechanism("pure", DECISION, epsilon=0.5)))
    plain, decided = (Outline(render_evidence_report(mixed(privacy=claim))).words for claim in (CLAIM, voted))
    assert "the rows, before the decision to release them" in plain
    assert "Nothing on this page is part of the claim" in plain
    assert "the rows and the decision to release them, which was a vote counted with noise" in decided
    assert "The verdict is part of the claim" in decided
    assert "their votes were counted with random noise" in Outline(recipient(voted)).words
    assert "votes were counted" not in Outline(recipient(CLAIM)).words


@pytest.mark.parametrize(("epsilon", "said"), [(0.1, "1.11"), (3.0, "21"), (8.0, "2,981"), (40.0, "more than")])
def test_the_factor_that_is_said_is_never_below_the_one_that_holds(epsilon: float, said: str) -> None:
    claim = replace(CLAIM, epsilon=epsilon)
    words = Outline(recipient(claim)).words
    assert f"at most {said}" in words
    if epsilon < 30:
        found = re.search(r"at most ([\d.,]+) times", words)
        assert found is not None
        assert float(found[1].replace(",", "")) >= math.exp(epsilon)


def test_without_a_claim_neither_page_speaks_of_one(mixed: Make) -> None:
    assert "Differential privacy" not in Outline(render_evidence_report(mixed())).words
    assert "Differential privacy" not in Outline(recipient(None)).words
    assert "Differential privacy" not in Outline(recipient(CLAIM, allowed=False)).words


def test_both_pages_are_whole_and_promise_nothing(mixed: Make) -> None:
    assert Outline(render_evidence_report(mixed(privacy=CLAIM))).problems == []
    page = recipient(replace(CLAIM, not_covered=("<b>not bold</b>",)))
    assert Outline(page).problems == []
    assert "&lt;b&gt;not bold" in page
    assert not re.search(r"anonym|compliant|certif|guarantee|\bsafe\b", page, re.IGNORECASE)
