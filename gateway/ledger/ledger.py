"""May this dataset be asked once more? Attempts and privacy charges, written down before raw rows are read (I-8)."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gateway.errors import AttemptsExhaustedError, LedgerError
from gateway.ledger import budget, lineage, table
from gateway.ledger.chain import Entry, Kind, check_chain, origin
from gateway.ledger.entries import Attempt, Charge, Spending, now
from gateway.ledger.mark import Mark
from gateway.ledger.store import Run, Store, store_at
from gateway.ledger.unit import Unit, check_unit
from policies.model import LifetimeBudget

if TYPE_CHECKING:
    from synth.dp.events import Event


class Ledger:
    """Append-only entries of one database, a path (SQLite) or a URL (PostgreSQL). Its writers wait for one another.

    ``identity`` is the ledger that is expected there, and ``mark`` the file in which the workspace remembers the last
    entry it has written: both are checked whenever the ledger is opened, so another ledger, or this one put back to an
    earlier state, is refused before anything is added to it (I-9).
    """

    def __init__(self, place: Path | str, *, identity: str | None = None, mark: Path | None = None) -> None:
        self._store: Store = store_at(place)
        self._identity = identity
        self._mark = None if mark is None else Mark(mark)

    @classmethod
    def create(cls, place: Path | str, *, mark: Path | None = None) -> Ledger:
        """Make an empty ledger. Where the PostgreSQL database holds one already, this workspace joins it.

        Raises
        ------
        LedgerError
            The file exists, the database cannot be reached, or its role may not make tables.
        """
        ledger = cls(place)
        ledger._identity = ledger._store.create(secrets.token_hex(16))
        if mark is not None:
            with ledger._reading() as run:
                last = table.last(run)
            ledger._mark = Mark.create(mark, *((last.sequence, last.head) if last else (0, origin(ledger.identity))))
        return ledger

    @property
    def identity(self) -> str:
        """Names this ledger and no other; a copy has the same."""
        if self._identity is None:
            with self._store.read() as run:
                self._identity = table.identity(run)
        return self._identity

    def register(self, *, dataset: str, policy: str, maximum: int, request: dict[str, Any]) -> Attempt:
        """Write an attempt down before anything is read.

        What counts is every look at the same people: attempts under any policy, on any file of this dataset's name,
        and on the file with the request's ``commitment`` under any other name (``gateway.ledger.lineage``). A policy
        with another id, or a dictionary with another name, is no fresh start.

        An attempt that ended as ``unusable`` (the table never passed intake, or was never to be read under its
        dictionary's unit of privacy, so nothing was measured) does not count;
        one that crashed does.

        Raises
        ------
        AttemptsExhaustedError
            ``maximum`` attempts or more on these people are on record.
        LedgerError
            The ledger cannot be written.
        """
        with self._writing() as page:
            attempts = _counted(page.run)
            names = lineage.names_of(attempts, dataset, request.get("commitment"))
            used = sum(entry.dataset in names for entry in attempts)
            if used >= maximum:
                raise AttemptsExhaustedError(
                    f"the policy {policy} allows {maximum} attempts on dataset {dataset}, and {used} are used, under "
                    "any policy; the refusal stands until the policy's owner issues one that allows more"
                )
            entry = page.append("attempt", dataset, policy, used + 1, request)
        return Attempt(entry.sequence, dataset, policy, used + 1, maximum, entry.at)

    def used(self, *, dataset: str, policy: str) -> int:
        """How many attempts of ``policy`` on ``dataset`` count."""
        with self._reading() as run:
            return table.used(run, dataset, policy)

    def looks(self, dataset: str, commitment: str | None) -> int:
        """How many attempts on the people of ``dataset`` count, under any policy and any name of theirs."""
        with self._reading() as run:
            attempts = _counted(run)
        names = lineage.names_of(attempts, dataset, commitment)
        return sum(entry.dataset in names for entry in attempts)

    def names(self, dataset: str, commitment: str | None, *, before: int | None = None) -> tuple[str, ...]:
        """Every name under which the people of ``dataset``, or the file with ``commitment``, were asked for so far.

        The first comes first. ``before`` is the place of an attempt: only what was registered up to it counts.
        """
        with self._reading() as run:
            attempts = _counted(run)
        known = [entry for entry in attempts if before is None or entry.sequence <= before]
        return lineage.names_of(known, dataset, commitment)

    def charge(
        self, attempt: Attempt, dataset: str, events: Sequence[Event], lifetime: LifetimeBudget, *, source: str,
        unit: Unit,
    ) -> Charge:  # fmt: skip
        """Write every mechanism of a release down before a row is read; nothing gives the charge back.

        ``unit`` is whose presence the mechanisms hide. All charges of a dataset have one unit: epsilons of patients and
        of rows bound different losses.

        What the dataset has spent, by all requesters under all policies, is composed with ``events`` at
        ``lifetime.delta``, and held against every lifetime that an earlier charge of the dataset was made under as
        well: a claim sheet that told what was left stays true. Reading, composing and writing are one transaction, so
        two writers cannot both take the last of a budget. ``source`` is the keyed commitment to the source file with
        the id of its key: a file that was charged under another dataset's name is refused, or a new name would be a
        new budget. (Another export of the same patients has another commitment, and so has the file under another
        workspace's key: that is for the custodian to know.)

        Raises
        ------
        BudgetExhaustedError
            A lifetime's epsilon would be exceeded. Nothing is written.
        UnitError
            The dataset was charged under another unit. Nothing is written.
        LedgerError
            The attempt is not on record or is another dataset's, the file was charged under another name, or the
            ledger cannot be written.
        """
        if not events:
            raise LedgerError("a charge names at least one mechanism; a release without any needs no charge")
        with self._writing() as page:
            _check_registered(page.run, attempt, dataset)
            _check_name(page.run, dataset, source)
            earlier = charges_of(page.run, dataset)
            for charge in earlier:
                check_unit(dataset, charge.unit, unit)
            before = budget.events_of(earlier)
            for promised in budget.other_lifetimes(earlier, lifetime):
                budget.price(dataset, before, events, promised)
            price = budget.price(dataset, before, events, lifetime)
            body = budget.to_body(attempt.sequence, source, unit, events, lifetime, price)
            entry = page.append("charge", dataset, attempt.policy, attempt.number, body)
        return Charge.from_entry(entry)

    def spending(self, dataset: str, lifetime: LifetimeBudget) -> Spending:
        """What all charges of ``dataset`` compose to at ``lifetime.delta``, and what is left of ``lifetime``."""
        return budget.spending(self.charges(dataset), lifetime)

    def charges(self, dataset: str) -> tuple[Charge, ...]:
        """Every charge of ``dataset``, oldest first; all of one unit."""
        with self._reading() as run:
            return charges_of(run, dataset)

    def datasets(self) -> dict[str, dict[str, int]]:
        """Every dataset that was ever asked for, with the attempts that count under each policy."""
        with self._reading() as run:
            asked = table.asked(run)
            return {
                dataset: {policy: table.used(run, dataset, policy) for policy in policies}
                for dataset, policies in asked.items()
            }

    def conclude(self, attempt: Attempt, kind: Literal["decision", "unusable", "replay"], body: dict[str, Any]) -> None:
        """Write down how an attempt ended: ``decision``, or ``unusable`` where the table never passed intake.

        ``unusable`` with ``why`` "unit": it was not read, since earlier charges have another unit of privacy.

        ``replay``: that it was recomputed later. That is no attempt of its own, since nobody learns anything new.
        """
        with self._writing() as page:
            body = {"attemptSequence": attempt.sequence, **body}
            page.append(kind, attempt.dataset, attempt.policy, attempt.number, body)

    def head(self) -> str:
        """SHA-256 of the last entry, which covers every entry before it."""
        with self._reading() as run:
            last = table.last(run)
        return last.head if last else origin(self.identity)

    def last_checkpoint(self, log: str | None = None) -> bytes | None:
        """The newest signed checkpoint, as of the last decision, of the transparency log with origin ``log``.

        The log must still contain it. Workspaces that share a ledger have a log each.
        """
        with self._reading() as run:
            for decision in table.newest_first(run, "decision"):
                checkpoint = decision.content.get("checkpoint")
                if checkpoint is not None and (log is None or str(checkpoint).startswith(f"{log}\n")):
                    return str(checkpoint).encode()
        return None

    def events(self) -> list[dict[str, Any]]:
        """All entries in order, as plain values.

        Raises
        ------
        LedgerError
            An entry does not hash to what the chain says: the ledger was edited.
        """
        with self._reading() as run:
            entries = table.entries(run)
        check_chain(entries, self.identity)
        return [entry.to_dict() for entry in entries]

    def verify(self, *, cited: Collection[str] = ()) -> int:
        """Check the whole chain; return how many entries it has.

        Parameters
        ----------
        cited
            Heads that signed records cite. Each must be in the chain, or the ledger was put back to an earlier state,
            or is a copy that went its own way after the record was signed (I-9).

        Raises
        ------
        LedgerError
            The chain is broken or does not reach all of ``cited``.
        """
        with self._reading() as run:
            entries = table.entries(run)
        heads = check_chain(entries, self.identity)
        missing = sum(head not in heads for head in cited)
        if missing:
            raise LedgerError(
                f"the ledger does not contain the state that {missing} of {len(cited)} signed records cite: it was "
                "rolled back or replaced; restore the newest ledger before releasing anything"
            )
        return len(entries)

    @contextmanager
    def _reading(self) -> Iterator[Run]:
        marked = None if self._mark is None else self._mark.read()  # first: the snapshot is to be as new as the mark
        with self._store.read() as run:
            self._check(run, marked)
            yield run

    @contextmanager
    def _writing(self) -> Iterator[_Page]:
        with self._store.write() as run:
            self._check(run, None if self._mark is None else self._mark.read())
            page = _Page(run, origin(self.identity))
            yield page
        # after the commit: a mark that runs ahead of the ledger would look like a rollback
        if self._mark is not None and page.written is not None:
            self._mark.advance(page.written.sequence, page.written.head)

    def _check(self, run: Run, marked: tuple[int, str] | None) -> None:
        """Is this the expected ledger, and does it hold the last entry that this workspace wrote?"""
        found = table.identity(run)
        if self._identity is None:
            self._identity = found
        if found != self._identity:
            raise LedgerError("this is another ledger than the workspace's own; restore the right one")
        if marked is not None:
            sequence, head = marked
            if head != (table.head_of(run, sequence) if sequence else origin(found)):
                raise LedgerError(
                    "the ledger does not contain the last entry that this workspace wrote: it was rolled back or "
                    "replaced; restore the newest ledger before releasing anything"
                )


class _Page:
    """One write transaction."""

    def __init__(self, run: Run, start: str) -> None:
        self.run = run
        self.written: Entry | None = None
        self._start = start

    def append(self, kind: Kind, dataset: str, policy: str, attempt: int, body: dict[str, Any]) -> Entry:
        last = table.last(self.run)
        sequence, previous = (last.sequence, last.head) if last else (0, self._start)
        self.written = Entry.after(
            sequence, previous, at=now(), kind=kind, dataset=dataset, policy=policy, attempt=attempt, body=body
        )
        table.insert(self.run, self.written)
        return self.written


def _counted(run: Run) -> list[Entry]:
    return lineage.counted(table.of_kind(run, "attempt"), table.of_kind(run, "unusable"))


def charges_of(run: Run, dataset: str) -> tuple[Charge, ...]:
    return tuple(map(Charge.from_entry, table.of_dataset(run, dataset, "charge")))


def _check_registered(run: Run, attempt: Attempt, dataset: str) -> None:
    registered = table.at(run, attempt.sequence)
    if registered is None or (registered.kind, registered.dataset, registered.policy, registered.attempt) != (
        "attempt", dataset, attempt.policy, attempt.number,
    ):  # fmt: skip
        raise LedgerError(f"only an attempt that is registered for dataset {dataset} can be charged to it")


def _check_name(run: Run, dataset: str, source: str) -> None:
    for entry in table.newest_first(run, "charge"):
        if entry.content["source"] == source and entry.dataset != dataset:
            raise LedgerError(
                f"this very file was charged as dataset {entry.dataset} and cannot be charged as {dataset} too: one "
                f"table has one budget, so name it {entry.dataset} in the dictionary"
            )
