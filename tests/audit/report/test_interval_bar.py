"""The little picture of an interval against its limit."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.report.glossary import GLOSSARY, entry
from audit.report.interval_bar import LEFT, RIGHT, interval_bar
from tests.audit.report.conftest import Outline, finding

LOSS = entry("nnaa_privacy_loss")


def places(svg: str) -> list[float]:
    return [float(x) for x in re.findall(r' (?:x|x1|x2|cx)="([^"]+)"', svg)]


def test_a_value_beyond_its_limit_is_drawn_right_of_the_shaded_part() -> None:
    svg = interval_bar(finding("nnaa_privacy_loss", 0.41, 0.06, high=0.15), LOSS, key="a")
    dot = float(re.findall(r'cx="([^"]+)"', svg)[0])
    shaded = re.findall(r'class="allowed" x="([^"]+)" y="21" width="([^"]+)"', svg)[0]
    limit = float(re.findall(r'class="limit" x1="([^"]+)"', svg)[0])
    assert float(shaded[0]) + float(shaded[1]) == pytest.approx(limit)
    assert dot > limit


def test_the_picture_says_in_words_what_it_shows() -> None:
    words = Outline(interval_bar(finding("nnaa_privacy_loss", 0.41, 0.06, high=0.15), LOSS, key="a")).words
    assert "Limit at most 0.15; measured 0.41, interval 0.35 to 0.47." in words


@pytest.mark.parametrize("status", ["inconclusive", "failed", "missing"])
@pytest.mark.parametrize("value", [math.nan, 0.9])
def test_what_is_not_measured_is_not_drawn_even_if_a_number_is_left(status: str, value: float) -> None:
    svg = interval_bar(finding("nnaa_privacy_loss", value, 0.01, high=0.15, status=status), LOSS, key="a")
    assert "circle" not in svg
    assert "no number" in svg
    assert "0.9" not in svg


def test_a_number_that_stands_is_drawn_although_it_cannot_decide() -> None:
    odd = finding("nnaa_privacy_loss", 0.12, 0.05, high=0.15, status="inconclusive", undecided=True)
    svg = interval_bar(odd, LOSS, key="a")
    assert "circle" in svg
    assert "measured 0.12, interval 0.07 to 0.17" in svg


@given(st.floats(-2, 2), st.floats(0, 1), st.floats(-1, 1), st.sampled_from(sorted(GLOSSARY)), st.sampled_from("lhb"))
def test_everything_stays_within_the_track(value: float, half: float, edge: float, name: str, kind: str) -> None:
    low = edge if kind in "lb" else None
    high = edge + 0.1 if kind == "b" else edge if kind == "h" else None
    svg = interval_bar(finding(name, value, half, low=low, high=high), entry(name), key="a")
    assert Outline(svg).problems == []
    assert all(0 <= x <= RIGHT + LEFT for x in places(svg))
    assert "nan" not in svg


def test_an_open_interval_reaches_the_end_of_the_track() -> None:
    odd = finding("nnaa_privacy_loss", 0.2, math.inf, high=0.15)
    svg = interval_bar(odd, LOSS, key="a")
    assert f'class="interval" x1="{LEFT}" x2="{RIGHT}"' in svg
