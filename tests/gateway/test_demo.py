"""``gateway demo`` says what came out, also where that is not what was expected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.demo import Demonstration
from gateway.ledger import Attempt
from gateway.release import Outcome
from gateway.statements import read_policy
from policies import decide


def test_a_run_that_was_refused_is_never_called_released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decision = decide(read_policy("small-cohort")[1], ())  # nothing was measured, so nothing is met
    attempt = Attempt.unregistered("wdbc", "small-cohort", 1, 5)
    outcome = Outcome(decision, "no limit is met", tmp_path / "bundle", tmp_path / "evidence", 0, attempt, 1.0, 1.0)
    verified: Any = None
    shown = Demonstration(outcome, outcome, verified, verified)
    monkeypatch.setattr("gateway.cli.demo.demonstrate", lambda *_: shown)
    monkeypatch.setattr("gateway.cli.demo.summary", lambda _: "")
    result = CliRunner().invoke(main, ["demo", "--out", str(tmp_path / "demo"), "--quiet"])
    assert result.exit_code == 1
    assert "released" not in result.stdout
    assert result.stdout.count("  refused   ") == 2
    assert result.stdout.endswith("bundle (refused)\n")
