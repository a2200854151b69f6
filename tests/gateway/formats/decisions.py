"""Decisions with every kind of finding, and texts that formats are easily broken by."""

from __future__ import annotations

import math
import re
from typing import Any

from policies import Decision, Measurement, Policy, decide
from policies.model import ROWS_LEARNED

HOSTILE = "a <b> & \"c\" ]]> \x01 \ud7ff 'd'"


def policy(disclosure: str = "findings", **limits: dict[str, Any]) -> Policy:
    return Policy.model_validate(
        {
            "version": 1,
            "id": "p.1",
            "purpose": "test",
            "context": "internal",
            "disclosure": disclosure,
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
SILENT = MIXED.model_copy(update={"disclosure": "verdict"})
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


def telling() -> Decision:
    """As ``mixed``, with numbers that occur nowhere else."""
    numbers = (
        Measurement("membership_auc", 0.51734, 0.48219, 0.54671, 0.99, 300, "by hand"),
        Measurement.exact("k_map", 7.3942, n=300, method="by hand"),
        Measurement("linkability", 0.02863, -0.01957, 0.07386, 0.99, 4871, "by hand"),
        Measurement("rare_copies", 0.64153, 0.39268, 0.82947, 0.99, 300, "by hand"),
    )
    few = Measurement("near_copy_excess", 0.03695, 0.02174, 0.05823, 0.5, 300, "by hand")
    return decide(MIXED, (*numbers, MEASURED[3], few))


def spelled(decision: Decision) -> set[str]:
    """The first three digits of every measured value and bound, cut and rounded; a percentage has the same."""
    numbers = [number for each in decision.findings for number in (each.value, each.lower, each.upper)]
    found = {digits for number in numbers if math.isfinite(number) for digits in first_digits(number)}
    return {digits for digits in found if len(digits) == 3}


def first_digits(number: float) -> tuple[str, str]:
    """The first three digits that say something, cut and rounded."""
    cut, rounded = (text.replace(".", "").strip("0") for text in (f"{abs(number):.9f}", f"{abs(number):.3g}"))
    return cut[:3], rounded


def leaked(decision: Decision, text: str) -> set[str]:
    """Which of them a file's text holds; points and digests are taken out first."""
    plain = re.sub(r"\b[0-9a-f]{64}\b|\.", "", text)
    return {digits for digits in spelled(decision) if digits in plain}


def bounded() -> tuple[Decision, Policy]:
    """Allowed; of two limits one is not asked of so many rows as there are."""
    terms = policy(membership_auc={"max": 0.55}, near_copy_excess={"max": 0.01, "most_rows": 2_500})
    rows = Measurement.exact(ROWS_LEARNED, 31_337, n=31_337, method="by hand")
    return decide(terms, (*MEASURED[:1], rows)), terms


def allowed() -> tuple[Decision, Policy]:
    loose = policy(membership_auc={"max": 0.55})
    return decide(loose, MEASURED[:1]), loose
