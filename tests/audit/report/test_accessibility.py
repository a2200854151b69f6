"""Every page under axe-core (Deque), in a real browser: contrast, labels, tables, structure, WCAG 2.1 A and AA.

The pages forbid scripts, so a copy without its content security policy is examined; every folded part is open.
"""

from __future__ import annotations

import html
import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audit.report import EvidenceInputs, render_recipient_page
from audit.report.closeness import Closeness, Grade
from audit.report.page import CONTENT_SECURITY_POLICY
from audit.report.period import render_period_report
from tests.audit.report.periods import FULL
from tests.audit.report.test_look import FLAGS, pages
from tests.audit.report.test_recipient import GRADED

pytestmark = [pytest.mark.slow, pytest.mark.needs("chromium")]

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
RUN = """
document.querySelectorAll('details').forEach(details => details.open = true);
axe.run(document, {runOnly: %s}).then(found => {
  const out = document.createElement('pre');
  out.id = 'axe-found';
  out.textContent = JSON.stringify({
    passes: found.passes.map(rule => rule.id),
    violations: found.violations.map(rule => rule.id + ': ' + rule.nodes.slice(0, 3).map(
      node => node.html.slice(0, 160) + ' | ' + (node.failureSummary || '').slice(0, 300)).join(' || ')),
  });
  document.body.append(out);
});
"""
WIDE, NARROW = ("1280", "light"), ("500", "dark")


def examined(page: str, folder: Path, width: str, scheme: str) -> dict[str, Any]:
    axe = (resources.files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")
    policy = f'<meta http-equiv="Content-Security-Policy" content="{html.escape(CONTENT_SECURITY_POLICY)}">'
    assert policy.replace("&#x27;", "&#39;") in page
    page = page.replace(policy.replace("&#x27;", "&#39;"), "")
    if scheme == "dark":
        page = page.replace("@media screen and (prefers-color-scheme: dark)", "@media screen")
    script = f"<script>{axe}</script><script>{RUN % json.dumps(TAGS)}</script>"
    source = folder / "page.html"
    source.write_text(page.replace("</body>", f"{script}</body>"), encoding="utf-8")
    run = subprocess.run(
        ["chromium", *FLAGS, f"--user-data-dir={folder / 'profile'}", f"--window-size={width},1200",
         "--virtual-time-budget=30000", "--dump-dom", source.as_uri()],
        capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    found = re.search(r'<pre id="axe-found">(.*?)</pre>', run.stdout, re.DOTALL)
    assert found, "axe-core did not answer"
    answer: dict[str, Any] = json.loads(html.unescape(found.group(1)))
    return answer


@pytest.fixture
def every_page(mixed: Callable[..., EvidenceInputs], rng: np.random.Generator) -> dict[str, str]:
    graded = replace(GRADED, closeness=Closeness(*Grade))
    return {**pages(mixed, rng), "graded": render_recipient_page(graded), "period": render_period_report(FULL)}


@pytest.mark.parametrize(("width", "scheme"), [WIDE, NARROW], ids=["wide, light", "narrow, dark"])
@pytest.mark.parametrize("name", ["evidence", "allowed", "graded", "denied", "period"])
def test_axe_finds_nothing_to_mend(
    every_page: dict[str, str], tmp_path: Path, name: str, width: str, scheme: str
) -> None:
    found = examined(every_page[name], tmp_path, width, scheme)
    assert found["violations"] == []
    assert {"color-contrast", "document-title", "html-has-lang", "bypass"} <= set(found["passes"])


def test_the_tool_finds_what_is_planted(every_page: dict[str, str], tmp_path: Path) -> None:
    bad = every_page["period"].replace("<h1>", '<img src="data:,"><p style="color:#bbb">pale</p><h1>')
    found = examined(bad, tmp_path, *WIDE)
    assert {rule.partition(":")[0] for rule in found["violations"]} >= {"image-alt", "color-contrast"}
