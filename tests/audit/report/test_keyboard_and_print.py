"""The pages in a real browser without a mouse, and on paper."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from audit.report import EvidenceInputs, render_recipient_page
from audit.report.closeness import Closeness, Grade
from audit.report.period import render_period_report
from tests.audit.report.browser import Page, browser
from tests.audit.report.periods import FULL, moment, refused, released
from tests.audit.report.printed import Sheet, packed, sheets
from tests.audit.report.test_look import contrast, pages
from tests.audit.report.test_recipient import GRADED

pytestmark = [pytest.mark.slow, pytest.mark.needs("chromium")]

NAMES = ["evidence", "allowed", "graded", "denied", "period"]
A4 = (595.3, 841.9)  # points
MARGIN = 14 / 25.4 * 72  # points, left and right, as the style sheet asks
SHEET_WIDTH = 688  # CSS pixels between these margins
# What the Tab key must reach, in the document's order; what is folded away is not among it.
REACHABLE = """JSON.stringify([...document.querySelectorAll('a[href], summary, button, input, select, [tabindex="0"]')]
  .filter(e => e.checkVisibility({contentVisibilityAuto: true})).map(e => e.outerHTML))"""
# One and the same colour is asked for everywhere, so that its contrast with the paper can be told.
FOCUSED = """(() => {
  const e = document.activeElement, style = getComputedStyle(e), box = e.getBoundingClientRect();
  return JSON.stringify({
    html: e.outerHTML, body: e === document.body, outline: style.outlineStyle, width: parseFloat(style.outlineWidth),
    colour: style.outlineColor, paper: getComputedStyle(document.body).backgroundColor,
    seen: box.width > 0 && box.height > 0 && box.left >= -1 && box.top >= -1 && box.right <= innerWidth + 1 &&
      box.bottom <= innerHeight + 1,
  });
})()"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture(scope="module")
def rendered() -> dict[str, str]:
    """The pages by name, once one test has made them: their plots take seconds."""
    return {}


@pytest.fixture
def source(
    mixed: Callable[..., EvidenceInputs],
    rng: np.random.Generator,
    rendered: dict[str, str],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Path:
    """The page named by the test's parameter, as a file."""
    if not rendered:
        rendered.update(pages(mixed, rng))
        rendered["graded"] = render_recipient_page(replace(GRADED, closeness=Closeness(*Grade)))
        rendered["period"] = render_period_report(FULL)
    return written(rendered[request.param], tmp_path)


def written(text: str, folder: Path) -> Path:
    path = folder / "page.html"
    path.write_text(text, encoding="utf-8")
    return path


every_page = pytest.mark.parametrize("source", NAMES, indirect=True)


@pytest.mark.parametrize("width", [1280, 390])
@every_page
def test_tab_goes_through_everything_in_the_order_of_the_page_and_shows_where_it_is(
    page: Page, source: Path, width: int
) -> None:
    page.open(source.as_uri(), width)
    wanted = json.loads(page.tell(REACHABLE))
    assert wanted
    visited = []
    for _ in wanted:
        page.press("Tab")
        at = json.loads(page.tell(FOCUSED))
        visited.append(at["html"])
        assert at["outline"] == "solid", at["html"]
        assert at["width"] >= 2, at["html"]
        assert contrast_of(at["colour"], at["paper"]) >= 3, at["html"]  # WCAG 2.2, 1.4.11
        assert at["seen"], at["html"]
    assert visited == wanted
    page.press("Tab")
    assert json.loads(page.tell(FOCUSED))["body"]


@every_page
def test_the_first_tab_offers_to_skip_to_the_content_and_enter_does(page: Page, source: Path) -> None:
    page.open(source.as_uri(), 1280)
    page.press("Tab")
    assert page.tell("document.activeElement.className") == "skip"
    page.press("Enter")
    assert page.tell("document.activeElement.id") == "content"
    page.press("Tab")
    assert page.tell("document.querySelector('main').contains(document.activeElement)")


@every_page
def test_enter_unfolds_what_is_folded_and_folds_it_again(page: Page, source: Path) -> None:
    page.open(source.as_uri(), 1280)
    parts = page.tell("document.querySelectorAll('details').length")
    for part in range(parts):
        here = f"document.querySelectorAll('details')[{part}]"
        page.tell(f"{here}.querySelector('summary').focus()")
        before = page.tell(f"{here}.open")
        for expected in (not before, before):
            page.press("Enter")
            assert page.tell(f"{here}.open") is expected


@every_page
def test_enter_on_a_line_of_the_contents_goes_there(page: Page, source: Path) -> None:
    page.open(source.as_uri(), 1280)
    count = page.tell("document.querySelectorAll('main a[href^=\"#\"]').length")
    for place in range(count):
        link = f"document.querySelectorAll('main a[href^=\"#\"]')[{place}]"
        page.tell(f"{link}.focus()")
        page.press("Enter")
        target = f"document.getElementById({link}.hash.slice(1))"
        assert page.tell(f"location.hash === {link}.hash")
        box = f"{target}.getBoundingClientRect().top"
        assert page.tell(f"{box} >= -1 && {box} < innerHeight")


@every_page
def test_on_paper_nothing_sticks_out_and_everything_is_unfolded(page: Page, source: Path) -> None:
    page.open(source.as_uri(), SHEET_WIDTH)
    page.ask("Emulation.setEmulatedMedia", media="print")
    try:
        out = page.tell(
            f"[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > {SHEET_WIDTH + 1})"
            ".slice(0, 5).map(e => e.tagName).join('+')"
        )
        folded = page.tell(
            "[...document.querySelectorAll('details > :not(summary)')].filter("
            "e => !e.checkVisibility({contentVisibilityAuto: true}) || e.getBoundingClientRect().height < 5).length"
        )
        wide = page.tell("document.documentElement.scrollWidth")
    finally:
        page.ask("Emulation.setEmulatedMedia", media="")
    assert (wide, out, folded) == (SHEET_WIDTH, "", 0)


@every_page
def test_every_sheet_is_a4_with_words_between_its_margins(page: Page, source: Path) -> None:
    page.open(source.as_uri(), 1280)
    printed = sheets(page.printed())
    assert printed
    for sheet in printed:
        assert (sheet.width, sheet.height) == pytest.approx(A4, abs=1)  # whole CSS pixels
        assert len(sheet.text) > 40
        for top, left, text in sheet.words:
            assert MARGIN - 0.5 <= left <= sheet.width - MARGIN + 0.5, text
            assert MARGIN <= top <= sheet.height - MARGIN, text


@every_page
def test_the_print_says_all_that_the_screen_says(page: Page, source: Path) -> None:
    """The verdict, every table cell, every fact and every line of a list, folded parts included."""
    page.open(source.as_uri(), 1280)
    page.tell("document.querySelectorAll('details').forEach(e => e.open = true)")
    said = page.tell(
        "[...document.querySelectorAll('.banner, .sentence, h1, h2, h3, tbody th, td, main dt, dd, main li, summary')]"
        ".filter(e => !e.closest('nav')).map(e => e.innerText)"
    )
    page.open(source.as_uri(), 1280)
    printed = "".join(sheet.text for sheet in sheets(page.printed()))
    assert [text for text in said if packed(text) not in printed] == []
    assert packed(page.tell("document.querySelector('.sentence').innerText")) in printed


@every_page
def test_no_heading_ends_a_sheet(page: Page, source: Path) -> None:
    page.open(source.as_uri(), 1280)
    assert last_headings(page, sheets(page.printed())) == []


@pytest.mark.parametrize("rows", range(4, 16))
def test_wherever_the_sheet_ends_no_heading_stands_alone(page: Page, tmp_path: Path, rows: int) -> None:
    day = timedelta(days=1)
    longer = replace(
        FULL,
        decided=(
            *(released(str(i), moment(1, 2) + i * day, requester="Rosa Requester") for i in range(rows)),
            *(refused(str(20 + i), moment(2, 2) + i * day, unmet=("k_map",)) for i in range(rows)),
        ),
    )
    page.open(written(render_period_report(longer), tmp_path).as_uri(), 1280)
    assert last_headings(page, sheets(page.printed())) == []


def test_an_override_is_red_on_paper_and_can_be_read_there(page: Page, tmp_path: Path) -> None:
    """Browsers leave out backgrounds when they print; paler ink on no ground would be lost."""
    page.open(written(render_period_report(FULL), tmp_path).as_uri(), SHEET_WIDTH)
    page.ask("Emulation.setEmulatedMedia", media="print")
    try:
        found = json.loads(
            page.tell("""JSON.stringify([...document.querySelectorAll('.alarm > *, .status')].map(e => {
          const style = getComputedStyle(e);
          return [e.className, style.color, style.backgroundColor, style.printColorAdjust];
        }))""")
        )
    finally:
        page.ask("Emulation.setEmulatedMedia", media="")
    assert any("override" in kind for kind, *_ in found)
    for kind, ink, ground, adjusted in found:
        assert contrast_of(ink, ground) >= 4.5, kind
        assert adjusted == "exact", kind
    drawn = [ink for kind, ink, ground, _ in found if "status" not in kind]
    assert drawn
    assert all(red > 2 * max(green, blue) for red, green, blue in map(channels, drawn))


def last_headings(page: Page, printed: tuple[Sheet, ...]) -> list[str]:
    """Headings, captions and table heads that are the last words of a sheet."""
    heads = page.tell("[...document.querySelectorAll('h1, h2, h3, caption, thead tr')].map(e => e.textContent)")
    return [head for head in heads for sheet in printed if sheet.text.endswith(packed(head))]


def channels(colour: str) -> tuple[int, int, int]:
    """``rgb(1, 2, 3)`` as numbers; a colour that lets something shine through is none."""
    red, green, blue = map(int, colour.removeprefix("rgb(").removesuffix(")").split(","))
    return red, green, blue


def contrast_of(one: str, other: str) -> float:
    first, second = ("#{:02x}{:02x}{:02x}".format(*channels(colour)) for colour in (one, other))
    return contrast(first, second)
