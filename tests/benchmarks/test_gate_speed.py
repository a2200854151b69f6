"""What the speed benchmark tells."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from audit.run import AuditResult
from audit.tables import AuditTables
from benchmarks.gate import speed


def test_stages_and_the_whole_audit_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[AuditTables] = []

    def quick(tables: AuditTables, rng: np.random.Generator) -> AuditResult:
        seen.append(tables)
        assert "matrices" not in vars(tables)  # nothing of what the stages found
        return AuditResult((), {"dcr": 1.234, "controls": 2.0})

    monkeypatch.setattr(speed, "run_audit", quick)
    out = tmp_path / "speed.json"
    asked = ["--rows", "300", "--columns", "6", "--only", "dcr,audit", "--earlier", "50", "--out", str(out)]
    done = CliRunner().invoke(speed.main, asked)
    assert done.exit_code == 0, done.output
    told = json.loads(out.read_text(encoding="utf-8"))
    assert [line["stage"] for line in told["stages"]] == ["encoding", "dcr"]
    assert told["audit"]["stage"] == "audit"
    assert told["audit"]["measures"] == {"dcr": 1.23, "controls": 2.0}
    assert {"seconds", "cpu_seconds", "peak_mb"} <= set(told["audit"])
    assert seen[0].earlier is not None
    assert len(seen[0].earlier) == 50
