"""What is a case? What the custodian stated, and what was made and measured for it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audit.record.statement import NO_OVERSIGHT, Oversight, PrivacyClaim
from gateway.assessment import Assessment
from gateway.remedy import Mended
from gateway.votes import Voted
from policies import Decision, Dictionary, Policy
from synth.selection import SelectionTrace

NO_CLAIM = (
    "No differential privacy is claimed: what was measured are attacks that were tried, not a bound on all attacks."
)
NOT_COVERED = (
    "Intruders who know more than the policy's attacker, or who join this release with others, were not measured.",
    "Synthetic rows are nobody's rows and may still be wrong about a group: nothing here says they fit a purpose.",
)


@dataclass(frozen=True)
class Case:
    """What the custodian stated: policy, dictionary, settings; and which table, by keyed commitment.

    ``commitment`` is the ledger's; the record has ``recorded_commitment`` instead, made with a salt, where two records
    must not show whether their tables are the same.
    """

    policy: Policy
    policy_bytes: bytes
    dictionary: Dictionary
    dictionary_bytes: bytes
    settings: Mapping[str, Any]
    commitment: str
    seed_entropy: str
    recorded_commitment: str = ""
    commitment_salt: str = ""
    oversight: Oversight = NO_OVERSIGHT

    @property
    def policy_digest(self) -> str:
        return hashlib.sha256(self.policy_bytes).hexdigest()

    @property
    def dictionary_digest(self) -> str:
        return hashlib.sha256(self.dictionary_bytes).hexdigest()


@dataclass(frozen=True)
class Candidate:
    """What was made and measured; or nothing, and why. ``cancelled`` says why a claim that was due is not made.

    ``held_out`` are the places in the table of the rows held out, ``strangers`` is the share of rows of people whom no
    earlier release of the dataset knew. ``mended`` says what remedies did to a first
    candidate, and ``first`` how that one was measured; the rest is about the candidate that the decision is on.
    ``voted`` stands in the place of ``assessment`` where a private gate decided.
    """

    files: Mapping[str, bytes] = field(default_factory=dict)
    rows: int = 0
    assessment: Assessment | None = None
    synthesizer: Mapping[str, Any] | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    trace: SelectionTrace | None = None
    warnings: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    refusal: str = ""
    claim: PrivacyClaim | None = None
    cancelled: str = ""
    held_out: NDArray[np.int64] | None = None
    strangers: float = 0.0
    mended: Mended | None = None
    first: Assessment | None = None
    voted: Voted | None = None

    @property
    def remedies(self) -> tuple[str, ...]:
        """The remedies that ran on this candidate; it is not what the synthesizer drew."""
        return self.mended.ran if self.mended else ()

    @property
    def not_covered(self) -> tuple[str, ...]:
        """What nobody must conclude; what the claim leaves open stands in the claim itself."""
        return NOT_COVERED if self.claim else (NO_CLAIM, *NOT_COVERED)

    @classmethod
    def none(cls, refusal: str) -> Candidate:
        """No candidate was made; ``refusal`` says why, for the requester too."""
        return cls(refusal=refusal)


def not_covered(policy: Policy, decision: Decision, candidate: Candidate) -> tuple[str, ...]:
    """What nobody must conclude of this release; above all, that a limit was held which was not asked.

    Under a private gate it depends on the rows of a part whether such a limit is asked there, so no more is said than
    what the policy says. Where the verdict alone may be told, the limit is not named.
    """
    bounded = {name: limit.most_rows for name, limit in policy.limits.items() if limit.most_rows is not None}
    unasked = decision.unasked
    if policy.private_gate is not None:
        said = [f"{name} is asked only in parts of at most {most} rows to learn from" for name, most in bounded.items()]
    elif policy.disclosure == "verdict":
        said = [f"not held, as the policy asks them of smaller tables only: {len(unasked)} limits"] if unasked else []
    else:
        said = [
            f"{each.measure} was not held: the policy asks it where at most {each.limit.most_rows} rows were learned "
            "from, and here there were more"
            for each in unasked
        ]
    return (*said, *candidate.not_covered)
