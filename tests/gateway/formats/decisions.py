"""Decisions with every kind of finding, and texts that formats are easily broken by."""

from __future__ import annotations

from typing import Any

from policies import Decision, Measurement, Policy, decide

HOSTILE = "a <b> & \"c\" ]]> \x01 \ud7ff 'd'"


def policy(**limits: dict[str, Any]) -> Policy:
    return Policy.model_validate(
        {
            "version": 1,
            "id": "p.1",
            "purpose": "test",
            "context": "internal",
            "cites": (HOSTILE, "45 CFR 164.514"),
            "limits": limits,
        }
    )


MIXED = policy(
    membership_auc={"max": 0.55},
    k_map={"min": 11.0, "source": HOSTILE},
    linkability={"max": 0.05, "fewest": 500},
    singling_out={"max": 0.05},
    near_copy_excess={"max": 0.01},
    rare_copies={"max": 0.0},
)
MEASURED = (
    Measurement("membership_auc", 0.51, 0.48, 0.54, 0.99, 300, "by hand"),
    Measurement.exact("k_map", 3, n=300, method="by hand"),
    Measurement("linkability", 0.0, -0.01, 0.01, 0.99, 499, "by hand"),
    Measurement.void("singling_out", status="inconclusive", reason=HOSTILE),
    Measurement.void("near_copy_excess", status="failed", reason="broken"),
)


def mixed() -> Decision:
    """One limit met; one broken, one on too few cases, one inconclusive, one failed, one not measured."""
    return decide(MIXED, MEASURED)


def allowed() -> tuple[Decision, Policy]:
    loose = policy(membership_auc={"max": 0.55})
    return decide(loose, MEASURED[:1]), loose
