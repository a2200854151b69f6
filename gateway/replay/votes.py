"""Would the parts of a private gate vote again as they did? Each limit in as many parts; the noise is drawn no more."""

from __future__ import annotations

import numpy as np

from gateway.candidate import Parts
from gateway.earlier import Earlier
from gateway.intake import TypedTable
from gateway.replay.compare import Compared, Gap
from gateway.replay.held import Held
from gateway.votes import Ballot, ballot_seeds, count_met, deal

NOT_VOTED_AGAIN = (
    Gap("the decision", "the noise on the count of votes was drawn from the system's generator and kept nowhere"),
    Gap(
        "controls on generated rows", "the synthesizer that drew them was kept nowhere; what they voided is as recorded"
    ),
)


def votes_again(
    released: TypedTable, held: Held, parts: Parts, earlier: Earlier, rng: np.random.Generator
) -> tuple[Compared, ...]:
    """For each limit, in how many parts it was met then and is met now; a part that fails meets none, as then."""
    asked = held.policy.private_gate
    if asked is None or parts.lots is None:
        return ()
    voted = held.evidence["votes"]
    ballot = Ballot(released, held.dictionary, held.policy, voted["void"], earlier, ballot_seeds(rng, asked.parts))
    part = deal(parts.train, parts.holdout, parts.lots, asked.parts)
    found = []
    for place in range(asked.parts):
        try:
            found.append(ballot.findings(part(place), place))
        except Exception:  # noqa: BLE001, S112  # as in the vote: any error is a no
            continue
    met = count_met(found, held.policy)
    return tuple(Compared(f"parts that meet {name}", voted["met"].get(name), met[name]) for name in met)
