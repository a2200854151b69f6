"""How does a claim sheet read? In figures for the custodian, in plain words for the recipient."""

from __future__ import annotations

import math
from typing import Any

from audit.record.claim import Mechanism, PrivacyClaim

_MECHANISMS = {
    "gaussian": "Counts with discrete Gaussian noise",
    "exponential": "Choice by the exponential mechanism",
    "sampled_gaussian": "Training steps with clipped gradients and Gaussian noise (DP-SGD)",
    "pure": "Pure mechanism",
    "envelope": "Mechanisms planned after a noisy head count, together",
}
_HEAD_COUNTS = {
    "dictionary": "stated in the data dictionary as publicly known",
    "noisy_count": "counted with noise, by one of the mechanisms below",
}


def in_figures(claim: PrivacyClaim | None) -> dict[str, Any] | None:
    """The claim sheet for the evidence report: its facts, its mechanisms, its limits."""
    if claim is None:
        return None
    return {
        "decided": claim.covers_decision,
        "facts": _facts(claim),
        "mechanisms": [
            (each.stage, _kind(each), _parameters(each), f"{each.count:,}", f"{each.drawn:,}")
            for each in claim.mechanisms
        ],
        "not_covered": claim.not_covered,
    }


def in_plain_words(claim: PrivacyClaim | None) -> dict[str, Any] | None:
    """The claim for a recipient: its bound as a factor and a chance, whom it is about, what it leaves out."""
    if claim is None:
        return None
    return {
        "decided": claim.covers_decision,
        "factor": _factor(claim.epsilon),
        "chance": _chance(claim.delta),
        "whom": _whom(claim),
        "facts": {
            "Epsilon": f"{claim.epsilon:.4g}",
            "Delta": f"{claim.delta:g}",
            "Spent by all releases of this dataset": f"epsilon {_spent(claim)}",
        },
        "not_covered": claim.not_covered,
    }


def _whom(claim: PrivacyClaim) -> str:
    if claim.unit == "row":
        return "a patient with one row of the table (who has several counts as that many patients)"
    rows = claim.max_rows_per_patient
    return "one patient" if rows == 1 else f"one patient, with at most {rows} rows of the table"


def _facts(claim: PrivacyClaim) -> dict[str, str]:
    accountant, budget = claim.accountant, claim.budget
    checks = [f"{check.method}: epsilon {check.epsilon:.4g}" for check in accountant.cross_checks]
    if accountant.zcdp_rho is not None:
        checks.append(f"zero-concentrated DP: rho {accountant.zcdp_rho:.4g}")
    rows = claim.max_rows_per_patient
    without = budget.releases_without_claim
    facts = {
        "Epsilon and delta": f"{claim.epsilon:.4g} and {claim.delta:g}",
        "Covers": "the rows and the decision to release them, which was a vote counted with noise"
        if claim.covers_decision
        else "the rows, before the decision to release them",
        "Unit": "one row, counted as another patient"
        if claim.unit == "row"
        else "one patient, with all rows of theirs that are used",
        "Neighbouring tables": f"one {claim.unit} added or removed",
        "Rows of one patient": "one" if rows == 1 else f"at most {rows}; more are left out at random",
        "Columns, bounds, categories": "stated in the data dictionary as publicly known; none is read off the rows",
        "Head count behind the noise": _HEAD_COUNTS[claim.head_count_origin],
        "Randomness": "the operating system's generator, for noise and for sampling of patients; no seed",
        "Accountant": f"{accountant.method} ({accountant.software})",
        "Other accountants, same delta": "; ".join(checks),
        "Trust": "central: the custodian holds the raw rows and is trusted with them",
        "Dataset's budget": f"epsilon {_spent(claim)}, at delta {budget.delta:g}, over all requesters"
        + ("" if budget.spent_rho is None else f"; zero-concentrated DP: rho {budget.spent_rho:.4g}"),
        "Releases without a claim": f"{without} before this one; they are in no budget" if without else "none before",
        "Composition": claim.composition,
    }
    return {name: value for name, value in facts.items() if value}


def _kind(each: Mechanism) -> str:
    return _MECHANISMS[each.kind] + (", paid for by the envelope" if each.within_envelope else "")


def _parameters(each: Mechanism) -> str:
    said = {
        "sigma": "sigma {:.4g} counts",
        "sensitivity": "sensitivity {:.4g}",
        "noise_multiplier": "noise multiplier {:.4g}",
        "sampling_rate": "sampling rate {:.4g}",
        "steps": "{:,} steps",
        "epsilon": "epsilon {:.4g}",
        "delta": "delta {:g}",
    }
    values = ((text, getattr(each, name)) for name, text in said.items())
    return ", ".join(text.format(value) for text, value in values if value is not None)


def _spent(claim: PrivacyClaim) -> str:
    budget = claim.budget
    return f"{budget.spent_epsilon:.4g} of {budget.epsilon:g} spent, {budget.left_epsilon:.4g} left"


def _factor(epsilon: float) -> str:
    """e to the epsilon, rounded up: the bound that is said is never tighter than the one that holds."""
    if epsilon > 30:
        return "more than a million million"
    factor = math.exp(epsilon)
    return f"{math.ceil(100 * factor) / 100:.2f}" if factor < 10 else f"{math.ceil(factor):,}"


def _chance(delta: float) -> str:
    """Delta as one in so many, rounded down in the number of cases."""
    return f"1 in {max(math.floor(1 / delta * (1 + 1e-12)), 1):,}"
