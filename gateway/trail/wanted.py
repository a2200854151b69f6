"""Which records does somebody want to see? One that cannot be read is always among them: no filter hides it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from audit.record.approval import same_person
from audit.record.fields import instant_text
from audit.record.statement import ReleaseRecord
from audit.record.trail import Entry


@dataclass(frozen=True)
class Wanted:
    """All that is given must hold. ``since`` (included) and ``until`` (excluded) are aware times of the decision.

    ``min_epsilon`` is held against the epsilon that the record claims; a record without a claim has none.
    """

    dataset: str | None = None
    requester: str | None = None
    policy: str | None = None
    decision: Literal["allowed", "denied"] | None = None
    since: datetime | None = None
    until: datetime | None = None
    min_epsilon: float | None = None

    def of(self, entries: Iterable[Entry]) -> tuple[Entry, ...]:
        """Those that are wanted, in their order."""
        return tuple(each for each in entries if each.record is None or self._keeps(each.record))

    def to_dict(self) -> dict[str, str]:
        """What is given, as text."""
        given: dict[str, str | None] = {
            "dataset": self.dataset,
            "requester": self.requester,
            "policy": self.policy,
            "decision": self.decision,
            "since": None if self.since is None else instant_text(self.since),
            "until": None if self.until is None else instant_text(self.until),
            "minEpsilon": None if self.min_epsilon is None else repr(self.min_epsilon),
        }
        return {name: value for name, value in given.items() if value is not None}

    def _keeps(self, record: ReleaseRecord) -> bool:
        return all(self._answers(record))

    def _answers(self, record: ReleaseRecord) -> Iterator[bool]:
        claim, requester = record.differential_privacy, record.oversight.requester
        yield self.dataset in (None, record.dictionary.name)
        yield self.policy in (None, record.policy.id)
        yield self.decision in (None, record.decision)
        yield self.since is None or record.decided_at >= self.since
        yield self.until is None or record.decided_at < self.until
        yield self.min_epsilon is None or (claim is not None and claim.epsilon >= self.min_epsilon)
        if self.requester is not None:
            yield requester is not None and same_person(requester) == same_person(self.requester)
