"""The requester's page: no measured number, no claim, every file named."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Literal

import pytest

from audit.report import RecipientInputs, ReleasedFile, Verdict, render_recipient_page
from audit.report.closeness import Closeness, Grade
from policies import Decision, Dictionary, Measurement, Policy, decide
from tests.audit.record.conftest import CLAIM
from tests.audit.report.conftest import KINDS, Outline, dictionary_of, finding, measurement

SENTINEL = 0.123456
FILES = (ReleasedFile("data.parquet", "9e" * 32), ReleasedFile("data.csv", "1c" * 32))


def decision(met: bool) -> Decision:
    return Decision("strict", (
        finding("nnaa_privacy_loss", SENTINEL, 0.0654321, high=0.777777, met=met),
        finding("k_map", 7_654_321.0, low=8_765_432, met=True),
    ))  # fmt: skip


def page(
    met: bool = True, disclosure: Literal["verdict", "findings"] = "findings", dictionary: Dictionary | None = None
) -> str:
    verdict = Verdict.of(decision(met), disclosure)
    known = dictionary_of(**KINDS) if dictionary is None else dictionary
    return render_recipient_page(
        RecipientInputs(verdict, known, FILES, {"Policy": "strict"}, "data@hospital.example", "release-1", "gate.pub")
    )


@pytest.mark.parametrize("met", [True, False])
@pytest.mark.parametrize("disclosure", ["verdict", "findings"])
def test_no_measured_number_reaches_the_requester(met: bool, disclosure: Literal["verdict", "findings"]) -> None:
    """(I-7) Value, interval ends and bounds are nowhere, in no usual spelling."""
    text = page(met, disclosure)
    for number in (SENTINEL, 0.0654321, SENTINEL + 0.0654321, SENTINEL - 0.0654321, 0.777777, 7654321, 8765432):
        for spelling in (f"{number:.2f}", f"{number:.3f}", f"{number:.6f}", f"{number:,.0f}", f"{100 * number:.1f}"):
            assert len(spelling) < 3 or spelling not in Outline(text).words


@pytest.mark.parametrize("disclosure", ["verdict", "findings"])
def test_a_limit_that_too_few_could_decide_reads_to_the_requester_as_one_that_is_broken(
    disclosure: Literal["verdict", "findings"],
) -> None:
    """(I-7) How many could decide follows from the width of the interval: that there is a reason is not told either."""
    limits = {"nnaa_privacy_loss": {"max": 0.15}, "k_map": {"min": 11.0}}
    policy = Policy.model_validate(
        {"version": 1, "id": "strict", "purpose": "t", "context": "internal", "limits": limits}
    )
    classes = Measurement.exact("k_map", 20, n=110, method="by hand")
    pages = []
    for value in (0.12, 0.4):
        loss = Measurement("nnaa_privacy_loss", value, value - 0.05, value + 0.05, 0.95, 110, "by hand")
        found = decide(policy, [loss, classes])
        assert found.findings[0].undecided == (value < 0.15)
        verdict = Verdict.of(found, disclosure)
        facts = RecipientInputs(verdict, dictionary_of(**KINDS), FILES, {}, "x@y.example", "release-1", "gate.pub")
        pages.append(render_recipient_page(facts))
    assert pages[0] == pages[1]
    assert "decide;" not in pages[0]
    assert "inconclusive" not in pages[0].lower()


def test_only_a_disclosing_policy_tells_which_limits_were_met() -> None:
    told, silent = Outline(page(False, "findings")).words, Outline(page(False, "verdict")).words
    assert "Not met NNAA privacy loss" in told
    assert "Met Smallest real group pointed at" in told
    assert "NNAA" not in silent
    assert "not met" not in silent.lower()


def test_a_limit_that_is_not_asked_is_told_as_that_and_not_as_unmet() -> None:
    verdict = Verdict(True, (("k_map", True),), ("nnaa_privacy_loss",))
    facts = RecipientInputs(verdict, dictionary_of(**KINDS), FILES, {}, "x@y.example", "release-1", "gate.pub")
    words = Outline(render_recipient_page(facts)).words
    assert "Not asked NNAA privacy loss: the policy holds it of smaller tables only" in words
    assert "Not met" not in words


def test_an_allowance_lists_columns_files_and_how_to_verify() -> None:
    words = Outline(page()).words
    assert "age whole number years Age at admission" in words
    assert "stage ordered category 4" in words
    for file in FILES:
        assert f"{file.name} sha256 {file.sha256}" in words
    assert "gateway verify release-1 --key gate.pub" in words
    assert "python -m audit.record.verify release-1 --key gate.pub" in words
    assert "data@hospital.example" in words


@pytest.mark.parametrize(("approvals", "sentence"), [(1, "1 approval is needed"), (2, "2 approvals are needed")])
def test_a_release_that_needs_approvals_says_so_and_gives_the_commands_that_check_them(
    approvals: int, sentence: str
) -> None:
    """``--key`` alone is refused for such a release: no single key says whose approval counts."""
    verdict = Verdict.of(decision(True), "findings")
    inputs = RecipientInputs(verdict, dictionary_of(**KINDS), FILES, bundle="release-1", approvals=approvals)
    words = Outline(render_recipient_page(inputs)).words
    assert f"{sentence} before these rows may be used." in words
    assert "gateway verify release-1 --trust trust.dsse.json --root root.pub.pem" in words
    assert "python -m audit.record.verify release-1 --trust trust.dsse.json --root root.pub.pem" in words
    assert "--key" not in words
    refused = replace(inputs, verdict=Verdict.of(decision(False), "findings"), public_key="gate.pub")
    assert "--key gate.pub" in Outline(render_recipient_page(refused)).words
    assert "needed before these rows" not in Outline(render_recipient_page(refused)).words


def test_a_refusal_carries_no_data_and_says_what_can_be_done() -> None:
    words = Outline(page(False)).words
    assert "Denied" in words
    assert "data.csv" not in words
    assert "What you can do next" in words
    assert "What you may and must not do" not in words


@pytest.mark.parametrize("met", [True, False])
def test_nothing_is_claimed_that_no_audit_can_show(met: bool) -> None:
    assert not re.search(r"anonym|compliant|certif|guarantee|\bsafe\b", page(met), re.IGNORECASE)


@pytest.mark.parametrize("met", [True, False])
def test_the_page_is_whole_and_closed(met: bool) -> None:
    parsed = Outline(page(met))
    assert parsed.problems == []
    assert any(a.get("http-equiv") == "Content-Security-Policy" for tag, a in parsed.tags if tag == "meta")
    assert not any({"src", "srcset"} & a.keys() for _, a in parsed.tags)
    assert all((a.get("href") or "#").startswith("#") for _, a in parsed.tags)
    assert not any(tag in {"script", "link", "svg", "img"} for tag, _ in parsed.tags)


def test_hostile_names_stay_text() -> None:
    evil = "<img src=x onerror=alert(1)>{% raw %}"
    dictionary = dictionary_of(**{evil: KINDS["age"] | {"unit": evil, "description": evil}})
    text = render_recipient_page(RecipientInputs(
        Verdict(True, ((evil, True),)), dictionary, (ReleasedFile(evil, "0" * 64),), {evil: evil}, evil, evil, evil
    ))  # fmt: skip
    parsed = Outline(text)
    assert not any(tag == "img" for tag, _ in parsed.tags)
    assert parsed.words.count(evil) >= 8


def test_an_empty_column_of_the_dictionary_is_not_a_column_of_the_table() -> None:
    bare = {"type": "number", "minimum": 0.0, "maximum": 1.0}
    words = Outline(page(dictionary=dictionary_of(x=bare))).words
    assert "Unit" not in words
    assert "Description" not in words


CLOSE = "About as close to unseen patients"
GRADED = RecipientInputs(
    Verdict.of(decision(True), "findings"), dictionary_of(**KINDS), FILES, closeness=Closeness(Grade.AS_CLOSE)
)


def test_grades_of_closeness_are_told_without_a_score() -> None:
    """(I-7) Scores far apart within one grade give the same page, and none of their digits."""
    scores = [0.23456, 0.21098, 0.34567, 0.45678, 0.65432, 0.67891]
    names = ["ks_holdout", "floor_ks", "total_variation_holdout", "floor_total_variation", "tstr_auc", "trtr_auc"]
    dictionary = GRADED.dictionary.model_copy(update={"target": "stage"})

    def graded(moved: float) -> str:
        found = [measurement(name, score + moved, 0.01) for name, score in zip(names, scores, strict=True)]
        return render_recipient_page(replace(GRADED, closeness=Closeness.of(found, dictionary)))

    text = graded(0.0)
    words = Outline(text).words
    assert f"Single columns {CLOSE}" in words
    assert "Pairs of columns No grade" in words
    assert "Predicting the target column Models that learn from these rows" in words
    assert graded(0.00321) == text
    for score in scores:
        assert not any(f"{score:.{decimals}f}"[1:] in words for decimals in range(2, 6))
    part = words[words.index("How close the rows") : words.index("What you may and must not do")]
    assert not any(letter.isdigit() for letter in part)


@pytest.mark.parametrize("allowed", [True, False])
@pytest.mark.parametrize("disclosure", ["verdict", "findings"])
def test_only_an_allowance_of_a_disclosing_policy_tells_grades(
    allowed: bool, disclosure: Literal["verdict", "findings"]
) -> None:
    told = replace(GRADED, verdict=Verdict.of(decision(allowed), disclosure))
    words = Outline(render_recipient_page(told)).words
    assert (CLOSE in words) is (allowed and disclosure == "findings")
    if CLOSE not in words:
        assert render_recipient_page(told) == render_recipient_page(replace(told, closeness=None))


def test_under_a_claim_the_page_says_that_no_grades_were_published() -> None:
    private = replace(GRADED, privacy=CLAIM)
    words = Outline(render_recipient_page(private)).words
    assert CLOSE not in words
    assert "How close the rows come to real patients was not published" in words
    assert render_recipient_page(private) == render_recipient_page(replace(private, closeness=None))
    silent = Outline(render_recipient_page(replace(private, verdict=Verdict(True)))).words
    assert "not published" not in silent
