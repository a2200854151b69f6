"""The requester's page: no measured number, no claim, every file named."""

from __future__ import annotations

import re
from typing import Literal

import pytest

from audit.report import RecipientInputs, ReleasedFile, Verdict, render_recipient_page
from policies import Decision, Dictionary
from tests.audit.report.conftest import KINDS, Outline, dictionary_of, finding

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


def test_only_a_disclosing_policy_tells_which_limits_were_met() -> None:
    told, silent = Outline(page(False, "findings")).words, Outline(page(False, "verdict")).words
    assert "Not met NNAA privacy loss" in told
    assert "Met Smallest real group pointed at" in told
    assert "NNAA" not in silent
    assert "not met" not in silent.lower()


def test_an_allowance_lists_columns_files_and_how_to_verify() -> None:
    words = Outline(page()).words
    assert "age whole number years Age at admission" in words
    assert "stage ordered category 4" in words
    for file in FILES:
        assert f"{file.name} sha256 {file.sha256}" in words
    assert "gateway verify release-1 --key gate.pub" in words
    assert "python -m audit.record.verify release-1 --key gate.pub" in words
    assert "data@hospital.example" in words


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
