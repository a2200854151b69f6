"""What stands in the ledger for callers: an attempt, a charge, and what a dataset has spent by all its charges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gateway.ledger.chain import Entry
from gateway.ledger.unit import Unit
from policies.model import LifetimeBudget

if TYPE_CHECKING:
    from synth.dp.events import Event


@dataclass(frozen=True)
class Attempt:
    """One registered try: its place in the chain, its number for this dataset and policy, and how many there may be."""

    sequence: int
    dataset: str
    policy: str
    number: int
    maximum: int
    registered_at: str

    @classmethod
    def unregistered(cls, dataset: str, policy: str, number: int, maximum: int) -> Attempt:
        """A request that was refused before anything was read: it is no event of its own and uses up nothing."""
        return cls(0, dataset, policy, number, maximum, now())


@dataclass(frozen=True)
class Charge:
    """Every mechanism one release may run, written down before it read a row. It is never given back.

    ``alone`` and ``together`` are epsilons at ``lifetime.delta``: of these mechanisms, and of them with all that the
    dataset had spent before, for one ``unit``. ``source`` is the keyed commitment to the source file.
    """

    sequence: int
    at: str
    dataset: str
    unit: Unit
    policy: str
    attempt: int
    attempt_sequence: int
    source: str
    events: tuple[Event, ...]
    lifetime: LifetimeBudget
    alone: float
    together: float

    @classmethod
    def from_entry(cls, entry: Entry) -> Charge:
        """The charge that ``entry`` holds.

        Raises
        ------
        LedgerError
            It does not say whose presence it hides.
        """
        from synth.dp.events import event_from_dict  # loads torch: only where charges are read

        unit, body = Unit.of_charge(entry), entry.content
        return cls(
            sequence=entry.sequence,
            at=entry.at,
            dataset=entry.dataset,
            unit=unit,
            policy=entry.policy,
            attempt=entry.attempt,
            attempt_sequence=body["attemptSequence"],
            source=body["source"],
            events=tuple(event_from_dict(event) for event in body["events"]),
            lifetime=LifetimeBudget.model_validate(body["lifetime"]),
            alone=body["epsilon"]["alone"],
            together=body["epsilon"]["together"],
        )

    def to_dict(self) -> dict[str, Any]:
        """The shape ``gateway ledger show --json`` prints."""
        return {
            "sequence": self.sequence, "at": self.at, "policy": self.policy, "attempt": self.attempt,
            **self.unit.to_dict(), "mechanisms": mechanisms(self.events), "epsilonAlone": self.alone,
            "epsilonTogether": self.together, "delta": self.lifetime.delta,
        }  # fmt: skip


@dataclass(frozen=True)
class Spending:
    """What all charges of a dataset compose to.

    ``epsilon`` is at ``delta``, by privacy loss distributions. ``rho`` is the zero-concentrated figure and
    ``rho_epsilon`` what it implies at ``delta``; both are ``None`` where a mechanism has none. A later release may be
    planned in view of what an earlier one showed: ``epsilon`` is proven for parameters fixed in advance,
    ``rho_epsilon`` for adaptive ones too (Whitehouse et al., ICML 2023). ``remaining_epsilon`` surely pays for a
    pure mechanism of that epsilon.
    """

    epsilon: float
    delta: float
    rho: float | None
    rho_epsilon: float | None
    remaining_epsilon: float
    charges: tuple[Charge, ...]


def mechanisms(events: Sequence[Event]) -> int:
    """How many mechanism runs ``events`` stand for."""
    return sum(getattr(event, "count", getattr(event, "steps", 1)) for event in events)


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
