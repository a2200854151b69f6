"""What may still be drawn? A plan fixed before any row is read, of which every repetition is used once."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any, NoReturn

from synth.dp.accounting import compose_epsilon
from synth.dp.events import EnvelopeEvent, Event, ExponentialEvent, PrivacyError


class PrivacyBudget:
    """The events that were charged, handed out one repetition at a time.

    A mechanism asks for its event before it touches a row and gets an id for what it returns. What is not in the plan,
    or is used up, is refused. The budget cannot be copied or stored: two copies would spend it twice.
    """

    def __init__(self, plan: Iterable[Event]) -> None:
        self._plan = tuple(plan)
        if not self._plan:
            raise PrivacyError("a plan holds at least one event")
        self._events = list(self._plan)
        self._left = [_repetitions(event) for event in self._events]
        self._used: list[tuple[str, Event]] = []
        self._lock = threading.Lock()

    @property
    def plan(self) -> tuple[Event, ...]:
        """What was charged, as it stands in the ledger: an envelope stays one event here."""
        return self._plan

    @property
    def used(self) -> tuple[tuple[str, Event], ...]:
        """(id, event) of every repetition drawn, in order; an envelope is followed by what was drawn within it."""
        return tuple(self._used)

    def left(self, event: Event) -> int:
        """How many repetitions of ``event`` are unused."""
        return sum(left for known, left in zip(self._events, self._left, strict=True) if known == event)

    def draw(self, event: Event) -> str:
        """Use one repetition of ``event`` (all steps of DP-SGD at once) and return its id.

        Raises
        ------
        PrivacyError
            The event is not in the plan, is used up, or is an envelope, which must be unfolded; or it is a choice after
        one of another epsilon that comes later in the plan (the accounting takes their blocks one after another).
        """
        if isinstance(event, EnvelopeEvent):
            raise PrivacyError(f"the envelope of {event.stage} is no mechanism: unfold it into a plan first")
        with self._lock:
            if isinstance(event, ExponentialEvent) and any(
                isinstance(known, ExponentialEvent) and known != event and left < known.count
                for known, left in self._behind(event)
            ):
                raise PrivacyError(
                    f"a later choice than {event.stage} was drawn: choices of different epsilon run in the plan's order"
                )
            return self._take(event)

    def unfold(self, envelope: EnvelopeEvent, plan: Iterable[Event]) -> str:
        """Put a plan that was chosen after a noisy look in place of its envelope.

        Raises
        ------
        PrivacyError
            The envelope is not in the plan or already unfolded, or the new plan costs more than it.
        """
        inner = tuple(plan)
        if any(isinstance(event, EnvelopeEvent) for event in inner):
            raise PrivacyError("an envelope cannot hold another one")
        cost = compose_epsilon(inner, envelope.delta)
        if not cost <= envelope.epsilon:
            raise PrivacyError(
                f"the plan within the envelope of {envelope.stage} costs epsilon {cost:.4f} at delta "
                f"{envelope.delta:g}, the envelope holds {envelope.epsilon:.4f}"
            )
        with self._lock:
            name = self._take(envelope)
            self._events += inner
            self._left += [_repetitions(event) for event in inner]
            return name

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise PrivacyError("a privacy budget cannot be copied or stored: two copies would spend it twice")

    def __repr__(self) -> str:
        return f"PrivacyBudget({len(self._plan)} events, {len(self._used)} draws)"

    def _behind(self, event: Event) -> list[tuple[Event, int]]:
        """Events after the first unused place of ``event``, with what is left of each."""
        places = [place for place, known in enumerate(self._events) if known == event and self._left[place]]
        here = places[0] if places else len(self._events)
        return list(zip(self._events[here + 1 :], self._left[here + 1 :], strict=True))

    def _take(self, event: Event) -> str:
        places = [place for place, known in enumerate(self._events) if known == event]
        if not places:
            raise PrivacyError(f"a {event.kind} event of stage {event.stage} is not in the plan: nothing was drawn")
        for place in places:
            if self._left[place]:
                self._left[place] -= 1
                turn = _repetitions(event) - self._left[place]
                name = f"{place + 1}.{turn} {event.kind} {event.stage}"
                self._used.append((name, event))
                return name
        raise PrivacyError(f"the {event.kind} event of stage {event.stage} is used up: nothing was drawn")


def _repetitions(event: Event) -> int:
    return int(getattr(event, "count", 1))
