"""What is claimed of a candidate? The claim sheet, from the plan that was charged and the budget drawn from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version

from audit.record.claim import Accountant, CrossCheck, DatasetBudget, Mechanism, PrivacyClaim
from gateway.assessment import without_claim
from gateway.ledger import Charge, Unit
from policies import Dictionary, Measurement
from synth import PrivateHybridSynthesizer
from synth.dp.accounting import cross_check, zcdp_rho
from synth.dp.budget import PrivacyBudget
from synth.dp.events import Event, event_to_dict
from synth.dp.votes import STAGE as DECISION

TRAINING = "sampled_gaussian"  # the kind of mechanism that clipped gradients with noise are
CANCELLED = "the claim was cancelled: raw rows reached the result by a path that was not charged"

DECISION_NOT_COVERED = (
    "The audit measured the candidate against real patients without noise: whether the release was allowed, which "
    "limits were met, and so that these rows and not others were published, is outside the claim, which is of the "
    "candidate before that decision."
)
INTAKE_NOT_COVERED = (
    "That a request failed or was refused because of the table (it does not fit its dictionary, holds too few "
    "people), how long a release took, and the times in this record are outside the claim."
)
INTAKE_NOT_COVERED_BY_VOTES = (
    "That a request failed because the table does not fit its dictionary or is too small to be divided, how long a "
    "release took, and the times in this record are outside the claim; the decision on the rows is within it. What "
    "people decide later, such as an approval or a revocation, is not."
)
NOT_COVERED = (
    (
        "Whoever sees exact measurements may choose the next attempt's policy and settings by them: the record tells "
        "the attempt's number."
    ),
    "The number of released rows is the custodian's choice, taken to be made without a look at the table.",
    (
        "Whether the very same file was asked for before, or is known under another name, shows in an answer from an "
        "earlier record, in a refusal, in the attempt's number and in the count of releases without differential "
        "privacy: that is outside the claim."
    ),
    "The commitment to the source table is a keyed digest: it tells nothing only while its key stays secret.",
    "The custodian sees the raw rows, the exact measurements and the memory of this machine, and is trusted with them.",
    (
        "What the data dictionary states (columns, bounds, categories, rules, dependencies, head count, rows per "
        "patient and what never changes within one) is taken for public knowledge."
    ),
    "Releases of the same patients from other datasets, or around this ledger, add to what can be learned about them.",
    (
        "The claim bounds what one patient's presence adds: what holds for a whole group can still be learned of its "
        "members, and for g patients together the bound is g times epsilon."
    ),
)
BARE = (
    "Releases of this dataset, or of its files under another name, without differential privacy are in no budget; "
    "before this one there were: {}."
)
BARE_UNKNOWN = (
    "In that count is no other export of the same patients under another name, and nothing from a workspace with "
    "another key: the ledger knows a file by its keyed digest alone."
)
FLOATING_POINT = (
    "The Gaussian noise of the training is a sum of four Box-Muller draws in floating point, not an exact discrete "
    "draw: that such a sum hides what the gaps between floating-point numbers betray is a heuristic (Holohan and "
    "Braghin 2021), without proof."
)
SEVERAL_NAMES = "A patient whose rows stand under several identifiers counts as several patients."
ONE_ROW_EACH = "One row is taken for one patient: whoever has several rows in the table counts as several patients."
COMPOSITION = (
    "Within a release the mechanisms and their noise are fixed before rows are read, and composed by privacy loss "
    "distributions. Over releases, all mechanisms charged to the dataset are composed so too; where a release is "
    "planned in view of earlier ones, the sum of zero-concentrated DP is the figure that is proven to hold; where "
    "the record gives none, no figure is proven for that case."
)


def claim_sheet(
    synthesizer: PrivateHybridSynthesizer,
    budget: PrivacyBudget,
    charges: Sequence[Charge],
    bare: int,
    dictionary: Dictionary,
) -> PrivacyClaim | None:
    """The claim about the candidate, or None where a taint has cancelled it (I-15).

    ``charges`` are the dataset's, oldest first, this release's last; ``bare`` counts its earlier releases without one.
    The unit of privacy is theirs.

    Where a private gate decided, its vote is one of the mechanisms, and the decision within the claim.

    Epsilon is that of the whole plan: what the plan holds and the synthesizer left undrawn stays charged, since whether
    it was needed was itself learned from noisy answers.
    """
    claim = synthesizer.claim_
    if claim is None:
        return None
    plan, delta = budget.plan, synthesizer.delta
    checks = cross_check(plan, delta)
    epsilon = max(checks.pop("pld"), claim.spent)
    lifetime, together, unit = charges[-1].lifetime, charges[-1].together, charges[-1].unit
    mechanisms = mechanisms_of(budget)
    return PrivacyClaim(
        unit=unit.name,
        max_rows_per_patient=dictionary.max_rows_per_patient or 1,
        epsilon=epsilon,
        delta=delta,
        mechanisms=mechanisms,
        accountant=Accountant(
            "privacy loss distributions",
            f"dp-accounting {version('dp-accounting')}",
            tuple(CrossCheck(method, found) for method, found in checks.items()),
            zcdp_rho(plan),
        ),
        budget=DatasetBudget(
            lifetime.epsilon,
            lifetime.delta,
            together,
            max(lifetime.epsilon - together, 0.0),
            zcdp_rho([event for charge in charges for event in charge.events]),
            bare,
        ),
        composition=COMPOSITION,
        not_covered=left_open(mechanisms, unit, bare),
        head_count_origin="noisy_count" if dictionary.people is None else "dictionary",
    )


def left_open(mechanisms: Sequence[Mechanism], unit: Unit, bare: int) -> tuple[str, ...]:
    """What a claim that rests on ``mechanisms`` does not cover, in sentences; ``bare`` as for :func:`claim_sheet`."""
    decided = any(each.stage == DECISION and each.drawn for each in mechanisms)
    trained = any(each.kind == TRAINING for each in mechanisms)
    return (
        *((INTAKE_NOT_COVERED_BY_VOTES,) if decided else (DECISION_NOT_COVERED, INTAKE_NOT_COVERED)),
        *NOT_COVERED,
        BARE.format(bare or "none"),
        BARE_UNKNOWN,
        *((FLOATING_POINT,) if trained else ()),
        ONE_ROW_EACH if unit.patient is None else SEVERAL_NAMES,
    )


def mechanisms_of(budget: PrivacyBudget) -> tuple[Mechanism, ...]:
    """Every event of the plan, and what was planned within an envelope; equal ones are put together."""
    drawn = Counter(event for _, event in budget.used)
    charged: Counter[Event] = Counter()
    for event in budget.plan:
        charged[event] += getattr(event, "count", 1)
    inside = [event for event in drawn if event not in charged]
    return (
        *(_mechanism(event, count, drawn[event], within=False) for event, count in charged.items()),
        *(_mechanism(event, drawn[event] + budget.left(event), drawn[event], within=True) for event in inside),
    )


def claim_measurements(claim: PrivacyClaim | None) -> tuple[Measurement, ...]:
    """``dp_epsilon`` and ``dp_delta`` of the candidate; without a claim neither has a number, and both deny."""
    if claim is None:
        return without_claim(CANCELLED)
    method = f"{claim.accountant.method} over {len(claim.mechanisms)} kinds of charged mechanisms"
    return (
        Measurement.exact("dp_epsilon", claim.epsilon, n=0, method=method),
        Measurement.exact("dp_delta", claim.delta, n=0, method="chosen by the policy"),
    )


def _mechanism(event: Event, count: int, drawn: int, *, within: bool) -> Mechanism:
    return Mechanism(**{**event_to_dict(event), "count": count, "drawn": drawn, "within_envelope": within})
