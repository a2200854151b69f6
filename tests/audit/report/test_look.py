"""The pages in a real browser: nothing runs out of the window, and colours can be read."""

from __future__ import annotations

import html
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from audit.record.claim import Mechanism
from audit.report import (
    Distances,
    EvidenceInputs,
    RecipientInputs,
    ReleasedFile,
    Verdict,
    render_evidence_report,
    render_recipient_page,
)
from policies import Decision
from tests.audit.record.conftest import CLAIM
from tests.audit.report.conftest import KINDS, dictionary_of, finding, measurement

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
LONG = "a_column_name_without_any_place_to_break_" * 4
# The page runs no script, so a page around it measures: every folded part open, how wide is it, and what sticks out?
MEASURE = """<script>
document.querySelector('iframe').onload = event => {
  const frame = event.target, page = frame.contentDocument, width = frame.contentWindow.innerWidth;
  page.querySelectorAll('details').forEach(details => details.open = true);
  const out = [...page.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > width + 1);
  document.getElementById('found').textContent =
    [page.documentElement.scrollWidth, width, out.slice(0, 5).map(e => e.tagName).join('+')].join('|');
};
</script>"""


def pages(mixed: Callable[..., EvidenceInputs], rng: np.random.Generator) -> dict[str, str]:
    kinds = KINDS | {LONG: KINDS["ward"] | {"categories": (LONG, "b", "c")}}
    limits = Decision("strict", (
        finding("nnaa_privacy_loss", 0.41, 0.06, high=0.15),
        finding("k_map", float("nan"), low=11, status="inconclusive", reason=LONG),
    ))  # fmt: skip
    near = rng.gamma(3, 1, 150)
    claim = replace(CLAIM, mechanisms=(*CLAIM.mechanisms, Mechanism("pure", LONG, epsilon=0.1)), not_covered=(LONG,))
    evidence = mixed(
        kinds, decision=limits, measurements=(measurement("nnaa_privacy_loss", 0.41, 0.06), measurement("m", 0.5, 0.1)),
        distances=Distances(near, near), weights={LONG: 0.6, "b": 0.4}, trace=((LONG, 0.1), ("b", 0.3)),
        facts={"Policy digest": "f" * 64, LONG: LONG}, seconds={LONG: 3.0}, not_covered=(LONG,), privacy=claim,
    )  # fmt: skip
    verdict = Verdict.of(limits, "findings")
    dictionary = dictionary_of(**kinds)
    files = (ReleasedFile("data.parquet", "f" * 64),)
    return {
        "evidence": render_evidence_report(evidence),
        "denied": render_recipient_page(RecipientInputs(verdict, dictionary)),
        "allowed": render_recipient_page(
            RecipientInputs(Verdict(True), dictionary, files, {LONG: LONG}, LONG, LONG, privacy=claim)
        ),
    }


@pytest.mark.slow
@pytest.mark.needs("chromium")
@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_scrolls_sideways(
    mixed: Callable[..., EvidenceInputs], rng: np.random.Generator, tmp_path: Path, width: int
) -> None:
    for name, page in pages(mixed, rng).items():
        around = tmp_path / f"{name}.html"
        frame = f'<iframe width="{width}" height="900" style="border:0" srcdoc="{html.escape(page)}"></iframe>'
        around.write_text(f'<!doctype html><meta charset="utf-8"><p id="found"></p>{frame}{MEASURE}', encoding="utf-8")
        run = subprocess.run(
            ["chromium", *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", around.as_uri()],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        found = re.search(r'<p id="found">([^<]*)</p>', run.stdout)
        assert found, f"{name}: no measurement from the browser"
        wide, window, sticking = found.group(1).split("|")
        assert (int(wide), int(window), sticking) == (width, width, ""), name


@pytest.mark.slow
@pytest.mark.needs("chromium")
def test_the_evidence_page_renders_to_a_picture_with_ink_on_it(
    mixed: Callable[..., EvidenceInputs], rng: np.random.Generator, tmp_path: Path
) -> None:
    from matplotlib.image import imread

    source, shot = tmp_path / "page.html", tmp_path / "page.png"
    source.write_text(pages(mixed, rng)["evidence"], encoding="utf-8")
    subprocess.run(
        ["chromium", *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1280,2400",
         f"--screenshot={shot}", source.as_uri()],
        capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    picture = imread(shot)
    assert picture.shape[:2] == (2400, 1280)
    assert len(np.unique(picture[::2, ::2, 0])) > 50


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(one: str, other: str) -> float:
    """WCAG 2.2 contrast ratio."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_and_shapes_have_enough_contrast(scheme: int) -> None:
    """WCAG 2.2 AA: 4.5 for text (1.4.3), 3 for shapes that carry meaning (1.4.11)."""
    style = (resources.files("audit.report") / "assets" / "report.css").read_text(encoding="utf-8")
    colour = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", re.findall(r":root \{(.*?)\}", style, re.DOTALL)[scheme]))
    for text, ground in [
        ("ink", "paper"), ("quiet", "paper"), ("ink", "panel"), ("quiet", "panel"), ("link", "paper"),
        *((tone, f"{tone}-soft") for tone in ("good", "bad", "open")),
        *((tone, f"{ground}-soft") for tone in ("ink", "quiet") for ground in ("good", "bad", "open")),
        ("quiet", "allowed"),
    ]:  # fmt: skip
        assert contrast(colour[text], colour[ground]) >= 4.5, (text, ground)
    for shape in ("real", "synthetic", "good", "bad"):
        assert contrast(colour[shape], colour["paper"]) >= 3, shape
    assert contrast(colour["ink"], colour["allowed"]) >= 3
