"""What can a private gate tell of so many people? Its noise, and whether a part of them admits an innocent release."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import bdtrc

from audit.outcome import FEWEST
from gateway.earlier import NOTHING_EARLIER
from gateway.halves import HOLDOUT_SHARE
from gateway.intake import TypedTable
from gateway.votes import Ballot, Part, ballot_seeds
from policies import Dictionary, Policy
from policies.decide import asked_of
from policies.model import PrivateGate
from synth.dp.votes import chance_to_pass

FEWEST_PEOPLE = 200  # in a part; house: below, point values scatter so much that innocent parts say no
LEAST_LARGE_ENOUGH = 0.5  # chance that so many parts as are needed can measure anything; house
LARGEST_LOSS = 0.01  # chance that noise alone refuses what every part admits
TRIALS = 5
_MOST_PEOPLE = 3_000  # of a trial part's side
_CANDIDATE_PEOPLE = 6_000

Draw = Callable[[int, int, np.random.Generator], TypedTable]


@dataclass(frozen=True)
class GateOutlook:
    """``people`` are those expected in a part; chances are of the noise alone: for a release that every part admits to
    be refused, for one that half of them admit to be made, and for one that none of them admits. ``large_enough`` is
    the chance that so many parts as are needed have the people, on either side, that rates and distances ask for; None
    where nobody says how many the table holds.

    ``admitted`` of ``trials`` parts of random people, with a row each, let a release of more such people out; ``met``
    says so by limit. ``unasked`` names the limits that are not asked of as many rows as a part has people to learn
    from; ``in_doubt`` those that are not asked if these have as many rows as they may. The trials ask them.
    """

    parts: int
    quorum: int
    epsilon: float
    people: int | None
    refused_by_noise: float
    half_let_out: float
    none_let_out: float
    large_enough: float | None
    trials: int
    admitted: int
    met: dict[str, int]
    warnings: tuple[str, ...]
    unasked: tuple[str, ...] = ()
    in_doubt: tuple[str, ...] = ()


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
    enough = None if dictionary.people is None else enough_parts(gate, dictionary.people)
    lost = 1 - chance_to_pass(gate.parts, gate.quorum, gate.epsilon)
    candidate = draw(min(people, _CANDIDATE_PEOPLE), 0, rng)
    ballot = Ballot(candidate, dictionary, policy, {}, NOTHING_EARLIER, ballot_seeds(rng, TRIALS))
    side = max(min(expected // 2, _MOST_PEOPLE), 2)
    unasked, in_doubt = _not_asked(dictionary, policy, expected // 2)
    met: Counter[str] = Counter()
    admitted = 0
    for place in range(TRIALS):
        part = Part(draw(side, 0, rng), draw(side, side, rng))
        try:
            found = ballot.findings(part, place)
        except Exception:  # noqa: BLE001, S112  # such a part says no
            continue
        found |= dict.fromkeys(found.keys() & {"rows_per_real_row"}, True)  # of the request, which nobody has made yet
        found = {name: holds for name, holds in found.items() if name not in unasked}  # a trial may have fewer rows
        met.update(name for name, holds in found.items() if holds)
        admitted += all(found.values())
    return GateOutlook(
        parts=gate.parts,
        quorum=gate.quorum,
        epsilon=gate.epsilon,
        people=None if dictionary.people is None else expected,
        refused_by_noise=lost,
        half_let_out=chance_to_pass(gate.parts // 2, gate.quorum, gate.epsilon),
        none_let_out=gate.slip,
        large_enough=enough,
        trials=TRIALS,
        admitted=admitted,
        met={name: met[name] for name in policy.limits},
        unasked=unasked,
        in_doubt=in_doubt,
        warnings=_warnings(expected if dictionary.people is not None else None, enough, lost, admitted, len(in_doubt)),
    )


def enough_parts(gate: PrivateGate, people: int) -> float:
    """Chance that the quorum of parts, or more, have ``FEWEST`` people to learn from and ``FEWEST`` held out.

    In a part that has fewer, every rate and distance is inconclusive, and the part says no to whatever it is asked.
    Each person's part and side are lots, so that the people on one side of a part are binomial.
    """
    sides = (bdtrc(FEWEST - 1, people, share / gate.parts) for share in (HOLDOUT_SHARE, 1 - HOLDOUT_SHARE))
    return float(bdtrc(gate.quorum - 1, gate.parts, math.prod(sides)))


def _not_asked(dictionary: Dictionary, policy: Policy, people: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Limits that a part with so many people to learn from is not held to, and those where that hangs on their rows."""
    most = people * (dictionary.max_rows_per_patient or 1)
    perhaps = [name for name, limit in policy.limits.items() if not asked_of(limit, most)]
    surely = tuple(name for name in perhaps if not asked_of(policy.limits[name], people))
    return surely, tuple(name for name in perhaps if name not in surely)


def _warnings(expected: int | None, enough: float | None, lost: float, admitted: int, in_doubt: int) -> tuple[str, ...]:
    said = []
    if in_doubt:
        said.append(f"{in_doubt} limits may or may not be asked: it hangs on how many rows the people of a part have")
    if enough is not None and enough < LEAST_LARGE_ENOUGH:
        said.append(f"too few parts would have {FEWEST} people on either side: a release is refused unread")
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
