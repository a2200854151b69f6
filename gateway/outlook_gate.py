"""What can a private gate tell of so many people? Its noise, and whether a part of them admits an innocent release."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gateway.earlier import NOTHING_EARLIER
from gateway.intake import TypedTable
from gateway.votes import Ballot, Part, ballot_seeds
from policies import Dictionary, Policy
from synth.dp.votes import chance_to_pass

FEWEST_PEOPLE = 200  # in a part; house: below, point values scatter so much that innocent parts say no
LARGEST_LOSS = 0.01  # chance that noise alone refuses what every part admits
TRIALS = 5
_MOST_PEOPLE = 3_000  # of a trial part's side
_CANDIDATE_PEOPLE = 6_000

Draw = Callable[[int, int, np.random.Generator], TypedTable]


@dataclass(frozen=True)
class GateOutlook:
    """``people`` are those expected in a part; chances are of the noise alone, for a release that every part admits to
    be refused and for one that half of them admit to be made.

    ``admitted`` of ``trials`` parts of random people let a release of more such people out; ``met`` says so by limit.
    """

    parts: int
    quorum: int
    epsilon: float
    people: int | None
    refused_by_noise: float
    half_let_out: float
    trials: int
    admitted: int
    met: dict[str, int]
    warnings: tuple[str, ...]


def outlook_gate(
    dictionary: Dictionary, policy: Policy, people: int, draw: Draw, rng: np.random.Generator
) -> GateOutlook | None:
    """Look ahead at the policy's private gate; None where it has none. No row of a table is looked at.

    Parameters
    ----------
    people : how many the table holds, as publicly known or as is assumed where nobody says.
    draw : gives a table of so many random people of the dictionary's shape, numbered from its second argument on.
    """
    gate = policy.private_gate
    if gate is None:
        return None
    expected = round(people / gate.parts)
    lost = 1 - chance_to_pass(gate.parts, gate.quorum, gate.epsilon)
    candidate = draw(min(people, _CANDIDATE_PEOPLE), 0, rng)
    ballot = Ballot(candidate, dictionary, policy, {}, NOTHING_EARLIER, ballot_seeds(rng, TRIALS))
    side = max(min(expected // 2, _MOST_PEOPLE), 2)
    met: Counter[str] = Counter()
    admitted = 0
    for place in range(TRIALS):
        part = Part(draw(side, 0, rng), draw(side, side, rng))
        try:
            found = ballot.findings(part, place)
        except Exception:  # noqa: BLE001, S112  # such a part says no
            continue
        found |= dict.fromkeys(found.keys() & {"rows_per_real_row"}, True)  # of the request, which nobody has made yet
        met.update(name for name, holds in found.items() if holds)
        admitted += all(found.values())
    return GateOutlook(
        parts=gate.parts,
        quorum=gate.quorum,
        epsilon=gate.epsilon,
        people=None if dictionary.people is None else expected,
        refused_by_noise=lost,
        half_let_out=chance_to_pass(gate.parts // 2, gate.quorum, gate.epsilon),
        trials=TRIALS,
        admitted=admitted,
        met={name: met[name] for name in policy.limits},
        warnings=_warnings(expected if dictionary.people is not None else None, lost, admitted),
    )


def _warnings(expected: int | None, lost: float, admitted: int) -> tuple[str, ...]:
    said = []
    if expected is not None and expected < FEWEST_PEOPLE:
        said.append(
            f"parts of {expected} people are few: with fewer than {FEWEST_PEOPLE} figures scatter; ask for fewer"
        )
    if lost > LARGEST_LOSS:
        said.append(
            f"noise alone refuses {lost:.1%} of the releases that every part admits: more parts, a smaller share or a "
            "larger epsilon would help"
        )
    if admitted < TRIALS:
        said.append(
            f"{TRIALS - admitted} of {TRIALS} parts of random people refused an innocent release: the limits are "
            "narrow for so few people"
        )
    return tuple(said)
