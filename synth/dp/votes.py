"""May it be published? Disjoint parts of the people vote, and their yes-votes are counted with noise.

A patient, with all rows, is in one part. Whatever a part computes from its rows and from what is public or was released
with noise, one patient more or less changes one vote, so the count has sensitivity 1, and with discrete Laplace noise
of scale 1 / epsilon it is epsilon-DP (subsample and aggregate: Nissim, Raskhodnikova and Smith, Smooth sensitivity and
sampling in private data analysis, STOC 2007; votes of disjoint parts: Papernot et al., ICLR 2017, arXiv:1610.05755).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from synth.dp.budget import PrivacyBudget
from synth.dp.events import PureEvent
from synth.dp.mechanisms import CountLaplace
from synth.dp.provenance import Traced
from synth.dp.randomness import SystemRandomness

STAGE = "publication decision"


def decision_event(epsilon: float) -> PureEvent:
    """What is charged for one decision."""
    return PureEvent(STAGE, epsilon)


def noisy_votes(
    vote: Callable[[int], bool],
    parts: int,
    event: PureEvent,
    budget: PrivacyBudget,
    randomness: SystemRandomness | None = None,
) -> Traced[int]:
    """How many of parts 0 .. parts - 1 say yes, with noise; may be negative, or more than there are.

    Every part is asked, whatever the others said, and one that fails says no: its error could hold values, and is not
    shown. The budget is charged first, whatever becomes of it.

    Parameters
    ----------
    vote : says yes or no from the rows of one part, from nothing that depends on the rows of another, and keeps nothing
        from one part to the next.

    Raises
    ------
    PrivacyError
        The event is not left in the budget: no part was asked.
    """
    name = budget.draw(event)
    yes = 0
    for part in range(parts):
        try:
            yes += vote(part) is True
        except Exception:  # noqa: BLE001, S112 - any error could carry cell values, and is a no like another
            continue
    mechanism = CountLaplace(epsilon=event.epsilon, sensitivity=1, randomness=randomness or SystemRandomness())
    return Traced(mechanism.randomise(yes), frozenset({name}))


def chance_to_pass(yes: int, quorum: int, epsilon: float) -> float:
    """Chance that ``yes`` votes are ``quorum`` or more once they are counted with noise.

    With r = exp(-epsilon) noise of k or more has chance r^k / (1 + r) for k >= 1.
    """
    ratio = math.exp(-epsilon)
    short = quorum - yes
    return ratio**short / (1 + ratio) if short >= 1 else 1 - ratio ** (1 - short) / (1 + ratio)
