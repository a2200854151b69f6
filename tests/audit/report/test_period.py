"""The page about a period: what it says, what it never says, and how it looks in a real browser."""

from __future__ import annotations

import html
import re
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from audit.report.period import down, render_period_report, up
from audit.report.period_inputs import Budget, Charged, PeriodInputs
from tests.audit.report.conftest import Outline
from tests.audit.report.periods import FULL, OVERRIDE, SINCE, UNTIL, endless, moment, refused, released
from tests.audit.report.test_look import FLAGS, LONG, MEASURE


def words(inputs: PeriodInputs) -> str:
    outline = Outline(render_period_report(inputs))
    assert outline.problems == []
    return outline.words


def test_the_page_counts_what_was_released_and_refused() -> None:
    found = words(replace(FULL, broken=(), problems=(), said=()))
    assert "2031-01-01 to 2031-03-31; dataset heart" in found
    assert "6 decisions: 4 released, 2 refused. Every record holds." in found
    assert "Released 4 Refused 2 Of the released, in force 2 Not to be relied on 1" in found


def test_a_refusal_comes_with_its_reason_and_the_limits_it_broke() -> None:
    found = words(FULL)
    assert "2 of 14 limits of the policy are not met" in found
    assert "Not met: NNAA privacy loss, " in found
    assert "the budget of the dataset cannot pay" in found


def test_overrides_stand_first_and_in_red() -> None:
    page = render_period_report(FULL)
    overrides, releases = page.index('id="overrides"'), page.index('id="releases"')
    assert overrides < releases
    assert '<tr role="row" class="alarm">' in page[overrides:releases]
    assert "board decision 7 of 2031" in page[overrides:releases]
    assert "1 override by an officer." in words(FULL)
    quiet = render_period_report(replace(FULL, said=(), broken=(), problems=()))
    assert 'id="overrides"' not in quiet


def test_what_does_not_hold_stands_before_everything_else() -> None:
    page = render_period_report(FULL)
    assert page.index('id="broken"') < page.index('id="overrides"')
    found = words(FULL)
    assert "Not everything holds" in found
    assert "00000006-aaaaaaaaaaaa.dsse.json good signatures by 0 of 4 trusted keys: altered" in found
    assert "log: entries were removed" in found


@pytest.mark.parametrize(
    ("inputs", "good"),
    [
        (PeriodInputs(SINCE, UNTIL, UNTIL), True),
        (PeriodInputs(SINCE, UNTIL, UNTIL, decided=(released("1", SINCE), refused("2", SINCE))), True),
        (PeriodInputs(SINCE, UNTIL, UNTIL, decided=(released("1", SINCE, standing="withheld"),)), False),
        (PeriodInputs(SINCE, UNTIL, UNTIL, said=(OVERRIDE,)), False),
        (PeriodInputs(SINCE, UNTIL, UNTIL, broken=(("a", "b"),)), False),
        (PeriodInputs(SINCE, UNTIL, UNTIL, problems=("a",)), False),
    ],
    ids=["empty", "quiet", "withheld", "override", "broken", "problem"],
)
def test_the_summary_is_green_only_where_nothing_needs_a_look(inputs: PeriodInputs, good: bool) -> None:
    assert ('class="verdict good"' in render_period_report(inputs)) is good


def test_an_empty_period_says_so() -> None:
    found = words(PeriodInputs(SINCE, UNTIL, UNTIL))
    for sentence in ("No decision in this period", "Nothing was released.", "Nothing was refused."):
        assert sentence in found


def test_what_was_spent_before_the_period_is_where_the_line_begins() -> None:
    """By hand: 0.8 in November, 2.4 in February, a lifetime of 4, so 1.6 left."""
    found = words(FULL)
    assert "diabetes 1 charge 0.800 2.400 4 1.600 1e-05" in found
    page = render_period_report(FULL)
    assert "1 charges in the period; epsilon 0.800 spent at its beginning and 2.400 at its end" in page


def test_spending_is_rounded_against_the_spender() -> None:
    assert (up(1.90001), down(1.09999), up(0.1 + 0.2), up(float("inf"))) == (
        "1.901",
        "1.099",
        "0.300",
        "beyond all bounds",
    )
    assert "heart 2 charges 0.000 1.901 3 1.099" in words(FULL)


def test_a_charge_on_the_last_moment_is_drawn_inside() -> None:
    lone = Budget("heart", 1e-5, (Charged(UNTIL, 1.0, 3.0),))
    assert "heart" in words(PeriodInputs(SINCE, UNTIL, UNTIL, budgets=(lone,)))


def test_moments_are_shown_where_a_period_is_no_whole_days() -> None:
    assert "2031-01-01 00:00 UTC to 2031-01-09 09:30 UTC" in words(PeriodInputs(SINCE, moment(1, 9), moment(1, 9)))
    day = datetime(2031, 1, 2, tzinfo=UTC)
    assert "Releases and refusals 2031-01-01 " in words(PeriodInputs(SINCE, day, day))


def test_words_from_outside_stay_words() -> None:
    page = render_period_report(endless("<script>alert(1)</script>{{ 1234 * 1234 }}\u202e"))
    assert "<script" not in page
    assert "1522756" not in page
    assert "{{ 1234 * 1234 }}" in page
    assert "\u202e" not in page


@pytest.mark.slow
@pytest.mark.needs("chromium")
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_never_scrolls_sideways(tmp_path: Path, width: int) -> None:
    page = render_period_report(endless(LONG))
    around = tmp_path / "around.html"
    frame = f'<iframe width="{width}" height="900" style="border:0" srcdoc="{html.escape(page)}"></iframe>'
    around.write_text(f'<!doctype html><meta charset="utf-8"><p id="found"></p>{frame}{MEASURE}', encoding="utf-8")
    run = subprocess.run(
        ["chromium", *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", around.as_uri()],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    found = re.search(r'<p id="found">([^<]*)</p>', run.stdout)
    assert found, "no measurement from the browser"
    assert found.group(1).split("|") == [str(width), str(width), ""]
