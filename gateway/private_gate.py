"""How is a release decided by a charged mechanism? Its parts vote, the votes are counted with noise, the count decides.

Between the reading of the table and the verdict these still look at rows outside the claim, and the claim sheet says
so: intake refuses a table that is not its dictionary's, or all of whose people fell on one side; that something failed
is seen; and all of it takes time. The rest is told by charged mechanisms alone: whether there are people enough, by the
dictionary's number or a noisy one, and every limit, by the vote.
"""

from __future__ import annotations

import numpy as np

from audit.record.claim import PrivacyClaim
from gateway.candidate import Parts
from gateway.claim import claim_measurements
from gateway.earlier import Earlier
from gateway.intake import TypedTable
from gateway.private import ChargedRelease
from gateway.progress import Progress
from gateway.votes import (
    Ballot,
    Draw,
    Voted,
    ballot_seeds,
    count_met,
    count_unasked,
    deal,
    failed_controls,
    void_measures,
)
from policies import Dictionary, Measurement, Policy
from policies.decide import decide_privately
from policies.model import NOISY_PEOPLE, VOTES, PrivateGate
from synth.dp.provenance import Traced
from synth.dp.votes import noisy_votes


def decide_by_votes(
    candidate: TypedTable, parts: Parts, dictionary: Dictionary, policy: Policy, charged: ChargedRelease, draw: Draw,
    earlier: Earlier, rng: np.random.Generator, progress: Progress,
) -> tuple[Voted, PrivacyClaim | None]:  # fmt: skip
    """The decision of the policy's private gate on ``candidate``, and the claim, of which its vote is a mechanism.

    Parameters
    ----------
    candidate : typed table parsed from the candidate's own bytes (I-1).
    draw : gives further rows of the fitted synthesizer, for controls.

    Raises
    ------
    PrivacyError
        The vote was not charged, or was counted before.
    """
    asked, gate = policy.private_gate, charged.planned.gate
    if asked is None or gate is None or parts.lots is None:
        raise RuntimeError("a vote was begun that nobody asked for")
    seeds = ballot_seeds(rng, asked.parts)
    progress.stage("controls on generated rows")
    void = void_measures(failed_controls(draw, dictionary, policy, rng))
    report = progress.stage("votes of the parts")
    ballot = Ballot(candidate, dictionary, policy, void, earlier, seeds)
    part = deal(parts.train, parts.holdout, parts.lots, asked.parts)
    found: list[dict[str, bool]] = []

    def vote(place: int) -> bool:
        report(f"part {place + 1}", place / len(seeds))
        found.append(ballot.findings(part(place), place))
        return all(found[-1].values())

    votes = noisy_votes(vote, asked.parts, gate, charged.budget)
    claim = charged.claim(votes)
    measurements = (*_told(votes, charged, asked), *claim_measurements(claim))
    voted = Voted(
        decision=decide_privately(policy, measurements),
        measurements=measurements,
        parts=asked.parts,
        met=count_met(found, policy),
        void=void,
        unasked=count_unasked(found, policy),
    )
    return voted, claim


def _told(votes: Traced[int], charged: ChargedRelease, asked: PrivateGate) -> tuple[Measurement, ...]:
    """The noisy count and the number of people, both of which may be published."""
    stated = charged.planned.dictionary.people is not None
    counted = f"yes-votes of {asked.parts} disjoint parts, with discrete Laplace noise of scale 1 / {asked.epsilon:g}"
    people = "stated in the dictionary" if stated else "counted with noise before the synthesizer's plan"
    return (
        Measurement.exact(VOTES, votes.value, n=asked.parts, method=counted),
        Measurement.exact(NOISY_PEOPLE, charged.people(), n=0, method=people),
    )
