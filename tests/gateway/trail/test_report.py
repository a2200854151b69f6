"""The report of a period, and of one release, from a workspace with a past."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest

from gateway.ledger import Unit
from gateway.trail import pages
from policies.model import LifetimeBudget
from synth.dp.events import PureEvent
from tests.audit.report.conftest import Outline
from tests.gateway.conftest import Clinic
from tests.gateway.trail.test_listing import altered, records

pytestmark = pytest.mark.slow


def report(clinic: Clinic, *more: object, status: int = 0) -> str:
    out = clinic.folder / "report.html"
    out.unlink(missing_ok=True)
    result = clinic.run("audit", "report", "--out", out, *more)
    assert result.exit_code == status, result.stderr
    assert out.stat().st_mode & 0o077 == 0
    return Outline(out.read_text(encoding="utf-8")).words


def test_a_period_shows_releases_refusals_budget_and_overrides(past: Clinic) -> None:
    found = report(past)
    assert "3 decisions: 2 released, 1 refused. 1 override by an officer. Every record holds." in found
    assert "Olga Officer (officer) board decision 7 of 2026" in found
    assert "1 of 3 limits of the policy are not met Not met: NNAA privacy loss" in found
    assert "clinic 2 charges 0.000 2.000 3 1.000 1e-05" in found  # two pure mechanisms of epsilon 1
    assert found.count("the run did not end, or is still running; its charge stands") == 2


def test_another_period_shows_none_of_it_and_what_was_spent_before(past: Clinic) -> None:
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    found = report(past, "--since", tomorrow, "--until", tomorrow + timedelta(days=30))
    assert "No decision in this period" in found
    assert "clinic none 2.000 2.000 3 1.000" in found
    earlier = report(past, "--since", "2020-01-01", "--until", "2020-12-31")
    assert "2020-01-01 to 2020-12-31" in earlier
    assert "No differentially private release has been charged" in earlier


def test_a_budget_of_rows_is_named_and_so_is_a_charge_refused_for_its_unit(past: Clinic) -> None:
    assert "The unit of privacy is the row" not in report(past)
    ledger, lifetime = past.workspace.ledger, LifetimeBudget(epsilon=3.0, delta=1e-5)
    charged, refused = (ledger.register(dataset="visits", policy="private", maximum=5, request={}) for _ in range(2))
    ledger.charge(charged, "visits", [PureEvent("all", epsilon=0.5)], lifetime, source="k:visits", unit=Unit(None))
    ledger.conclude(refused, "unusable", {"why": "unit"})
    found = report(past)
    assert "The unit of privacy is the row" in found
    assert "earlier charges have another unit of privacy: the table was not read" in found


def test_a_filter_by_person_leaves_the_budget_whole(past: Clinic) -> None:
    found = report(past, "--requester", "rosa requester")
    assert "1 decision: 1 released, 0 refused" in found
    assert "clinic 2 charges 0.000 2.000" in found
    assert "still running" not in found


def test_a_broken_record_stands_on_the_page(past: Clinic) -> None:
    altered(records(past)[1], b'"sig":"', b'"sig":"A')
    found = report(past, status=1)
    assert "Not everything holds" in found
    assert records(past)[1].name in found


def test_one_release_is_reported_from_the_evidence_its_record_vouches_for(past: Clinic) -> None:
    found = report(past, "--record", 0)
    assert "Evidence. Stays with the custodian." in found
    page = next((past.folder / "ws" / "evidence").glob("*/report.html"))
    assert page.read_bytes()
    for each in (past.folder / "ws" / "evidence").glob("*/report.html"):
        altered(each, b"Evidence.", b"Elegance.")
    result = past.run("audit", "report", "--record", 0, "--out", past.folder / "other.html")
    assert (result.exit_code, "is not the page that was made" in result.stderr) == (2, True)
    assert not (past.folder / "other.html").exists()


@pytest.mark.needs("chromium")
def test_a_pdf_is_printed_beside_the_page(past: Clinic) -> None:
    report(past, "--pdf")
    content = (past.folder / "report.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert len(content) > 10_000
    again = past.run("audit", "report", "--out", past.folder / "report.html", "--pdf")
    assert (again.exit_code, "not overwritten" in again.stderr) == (2, True)


def test_without_a_browser_the_page_is_written_and_the_message_says_what_to_do(
    past: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    result = past.run("audit", "report", "--out", past.folder / "p.html", "--pdf")
    assert (result.exit_code, "install chromium" in result.stderr) == (2, True)
    assert (past.folder / "p.html").exists()
    assert not (past.folder / "p.pdf").exists()


def test_a_browser_that_prints_nothing_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_BROWSERS", ("true",))
    with pytest.raises(ValueError, match="true made no PDF"):
        pages.to_pdf(b"<p>a page</p>")
