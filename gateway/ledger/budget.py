"""Can the dataset still pay? All its charges and the new one, composed as one sequence of mechanisms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.errors import BudgetExhaustedError
from gateway.ledger import figures
from gateway.ledger.entries import Charge, Spending
from gateway.ledger.unit import Unit
from policies.model import LifetimeBudget

if TYPE_CHECKING:
    from synth.dp.events import Event


@dataclass(frozen=True)
class Price:
    """Epsilons at the lifetime's delta: of a release by itself, and with all that was spent before."""

    alone: float
    together: float


def events_of(charges: Iterable[Charge]) -> tuple[Event, ...]:
    return tuple(event for charge in charges for event in charge.events)


def price(dataset: str, before: Sequence[Event], events: Sequence[Event], lifetime: LifetimeBudget) -> Price:
    """What ``events`` cost after ``before``.

    Mechanisms are composed, not epsilons: that is tighter, and charges made at other deltas join in.

    Raises
    ------
    BudgetExhaustedError
        More than ``lifetime``.
    """
    together = epsilon_of((*before, *events), lifetime.delta)
    if not together <= lifetime.epsilon:  # NaN is no payment
        spent = epsilon_of(before, lifetime.delta)
        left = max(lifetime.epsilon - spent, 0.0)
        raise BudgetExhaustedError(
            f"the lifetime budget of dataset {dataset} cannot pay for this release: epsilon {figures.spent(spent)} of "
            f"{lifetime.epsilon:g} at delta {lifetime.delta:g} is spent, {figures.left(left)} is left, and with this "
            f"release it would be {figures.spent(together)}",
            spent=spent, needed=together, lifetime=lifetime.epsilon, delta=lifetime.delta,
        )  # fmt: skip
    return Price(together if not before else epsilon_of(events, lifetime.delta), together)


def other_lifetimes(charges: Iterable[Charge], lifetime: LifetimeBudget) -> tuple[LifetimeBudget, ...]:
    """The different lifetimes, beside ``lifetime``, that charges were made under."""
    known = {(each.lifetime.epsilon, each.lifetime.delta): each.lifetime for each in charges}
    known.pop((lifetime.epsilon, lifetime.delta), None)
    return tuple(known.values())


def spending(charges: Sequence[Charge], lifetime: LifetimeBudget) -> Spending:
    """What ``charges`` compose to at ``lifetime.delta``."""
    events = events_of(charges)
    epsilon, rho = epsilon_of(events, lifetime.delta), rho_of(events)
    return Spending(
        epsilon=epsilon,
        delta=lifetime.delta,
        rho=rho,
        rho_epsilon=None if rho is None else rho_epsilon(rho, lifetime.delta),
        remaining_epsilon=max(lifetime.epsilon - epsilon, 0.0),
        charges=tuple(charges),
    )


def epsilon_of(events: Sequence[Event], delta: float) -> float:
    """Epsilon at ``delta`` of ``events`` as one sequence; 0 for none."""
    from synth.dp.accounting import compose_epsilon  # loads torch: only where something is composed

    return float(compose_epsilon(list(events), delta)) if events else 0.0


def rho_of(events: Sequence[Event]) -> float | None:
    """Zero-concentrated DP of ``events`` together; ``None`` where one of them has none."""
    from synth.dp.accounting import zcdp_rho

    return zcdp_rho(list(events)) if events else 0.0


def rho_epsilon(rho: float, delta: float) -> float:
    """Epsilon at ``delta`` that ``rho`` implies."""
    from synth.dp.renyi import zcdp_epsilon

    return zcdp_epsilon(rho, delta) if rho else 0.0


def to_body(
    attempt_sequence: int, source: str, unit: Unit, events: Sequence[Event], lifetime: LifetimeBudget, price: Price
) -> dict[str, Any]:
    """A charge as the ledger keeps it; :meth:`Charge.from_entry` reads it."""
    from synth.dp.events import event_to_dict

    return {
        "attemptSequence": attempt_sequence,
        "source": source,
        **unit.to_dict(),
        "neighbours": "add_or_remove_one",
        "events": [event_to_dict(event) for event in events],
        "lifetime": lifetime.model_dump(mode="json"),
        "epsilon": {"alone": price.alone, "together": price.together},
    }
