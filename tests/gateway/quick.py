"""An audit of two quick measures, for tests in which it does not matter what is measured but whether and when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from audit.measures.copies import copies
from audit.measures.cumulative import cumulative, follow
from audit.measures.nnaa import nnaa
from audit.run import AuditResult
from audit.tables import AuditTables


@contextmanager
def quick_audits() -> Iterator[list[AuditTables]]:
    """While this holds, releases are audited by NNAA, copies and cumulative measures alone; lists what was audited."""
    seen: list[AuditTables] = []

    def audit(
        tables: AuditTables, rng: np.random.Generator, *, progress: Callable[..., Any] | None = None
    ) -> AuditResult:
        seen.append(tables)
        together = cumulative(tables, rng) if tables.earlier is not None else ()
        return AuditResult(follow((*nnaa(tables, rng), *copies(tables, rng), *together)), {})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.assessment.run_audit", audit)
        yield seen
