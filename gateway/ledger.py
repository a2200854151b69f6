"""The ledger: every attempt on a dataset, in one hash chain, written before raw rows are read (I-8)."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.errors import AttemptsExhaustedError, LedgerError

GENESIS = "0" * 64
_SCHEMA = """
CREATE TABLE IF NOT EXISTS event (
    sequence INTEGER PRIMARY KEY,
    previous TEXT NOT NULL,
    head TEXT NOT NULL UNIQUE,
    at TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('attempt', 'unusable', 'decision')),
    dataset TEXT NOT NULL,
    policy TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS event_by_dataset ON event (dataset, policy, kind);
CREATE TRIGGER IF NOT EXISTS event_is_never_changed BEFORE UPDATE ON event
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS event_is_never_removed BEFORE DELETE ON event
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
"""


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
        return cls(0, dataset, policy, number, maximum, _now())


class Ledger:
    """Append-only events in SQLite (WAL, full fsync). Two writers are serialised by the database's write lock."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def create(cls, path: Path) -> Ledger:
        """Make an empty ledger file, readable by its owner alone."""
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600))
        ledger = cls(path)
        with ledger._write() as database:
            database.executescript(_SCHEMA)
        return ledger

    def register(self, *, dataset: str, policy: str, maximum: int, request: dict[str, Any]) -> Attempt:
        """Write an attempt down before anything is read.

        An attempt that ended as ``unusable`` (the table never passed intake, so nothing was measured) does not count;
        one that crashed does.

        Raises
        ------
        AttemptsExhaustedError
            ``maximum`` attempts of this policy on this dataset are on record.
        LedgerError
            The ledger cannot be written.
        """
        with self._write() as database:
            database.execute("BEGIN IMMEDIATE")
            used = self._used(database, dataset, policy)
            if used >= maximum:
                database.execute("ROLLBACK")
                raise AttemptsExhaustedError(
                    f"all {maximum} attempts of policy {policy} on dataset {dataset} are used; "
                    "the refusal stands until the policy's owner issues another policy"
                )
            at = _now()
            sequence = self._append(database, "attempt", dataset, policy, used + 1, at, request)
            database.execute("COMMIT")
        return Attempt(sequence, dataset, policy, used + 1, maximum, at)

    def used(self, *, dataset: str, policy: str) -> int:
        """How many attempts of ``policy`` on ``dataset`` count."""
        with self._read() as database:
            return self._used(database, dataset, policy)

    def conclude(self, attempt: Attempt, kind: str, body: dict[str, Any]) -> None:
        """Write down how an attempt ended: ``decision``, or ``unusable`` where the table never passed intake."""
        with self._write() as database:
            database.execute("BEGIN IMMEDIATE")
            body = {"attemptSequence": attempt.sequence, **body}
            self._append(database, kind, attempt.dataset, attempt.policy, attempt.number, _now(), body)
            database.execute("COMMIT")

    def head(self) -> str:
        """SHA-256 of the last event, which covers every event before it."""
        with self._read() as database:
            return self._head(database)

    def last_checkpoint(self) -> bytes | None:
        """The transparency log's newest signed checkpoint as of the last decision; the log must still contain it."""
        with self._read() as database:
            row = database.execute(
                "SELECT json_extract(body, '$.checkpoint') FROM event WHERE kind = 'decision' "
                "ORDER BY sequence DESC LIMIT 1"
            ).fetchone()
        return str(row[0]).encode() if row and row[0] is not None else None

    def events(self) -> list[dict[str, Any]]:
        """All events in order, as plain values.

        Raises
        ------
        LedgerError
            An event does not hash to what the chain says: the ledger was edited.
        """
        with self._read() as database:
            rows = database.execute(
                "SELECT sequence, previous, head, at, kind, dataset, policy, attempt, body FROM event ORDER BY sequence"
            ).fetchall()
        previous, result = GENESIS, []
        for expected, row in enumerate(rows, start=1):
            sequence, before, head, at, kind, dataset, policy, attempt, body = row
            intact = (
                sequence == expected
                and before == previous
                and head == _hash(before, sequence, at, kind, dataset, policy, attempt, body)
            )
            if not intact:
                raise LedgerError(f"ledger event {expected} does not fit its chain: it was edited or removed")
            previous = head
            result.append(
                {"sequence": sequence, "head": head, "at": at, "kind": kind, "dataset": dataset, "policy": policy,
                 "attempt": attempt, **json.loads(body)}
            )  # fmt: skip
        return result

    def verify(self, *, cited: str | None = None) -> int:
        """Check the whole chain; return how many events it has.

        Parameters
        ----------
        cited
            A head that a signed record cites. It must be in the chain, or the ledger was put back to an earlier
            state (I-9).

        Raises
        ------
        LedgerError
            The chain is broken or does not reach ``cited``.
        """
        events = self.events()
        if cited is not None and cited != GENESIS and all(event["head"] != cited for event in events):
            raise LedgerError(
                "the ledger does not contain the state that the newest record cites: it was rolled back or replaced; "
                "restore the newest ledger before releasing anything"
            )
        return len(events)

    @staticmethod
    def _used(database: sqlite3.Connection, dataset: str, policy: str) -> int:
        attempts, freed = (
            database.execute(
                "SELECT count(*) FROM event WHERE dataset = ? AND policy = ? AND kind = ?", (dataset, policy, kind)
            ).fetchone()[0]
            for kind in ("attempt", "unusable")
        )
        return int(attempts - freed)

    @staticmethod
    def _head(database: sqlite3.Connection) -> str:
        row = database.execute("SELECT head FROM event ORDER BY sequence DESC LIMIT 1").fetchone()
        return str(row[0]) if row else GENESIS

    def _append(
        self, database: sqlite3.Connection, kind: str, dataset: str, policy: str, number: int, at: str,
        body: dict[str, Any],
    ) -> int:  # fmt: skip
        previous = self._head(database)
        sequence = database.execute("SELECT coalesce(max(sequence), 0) + 1 FROM event").fetchone()[0]
        text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
        head = _hash(previous, sequence, at, kind, dataset, policy, number, text)
        database.execute(
            "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (sequence, previous, head, at, kind, dataset, policy, number, text),
        )
        return int(sequence)

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._open("rw") as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            yield database

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        with self._open("rw") as database:
            yield database

    @contextmanager
    def _open(self, mode: str) -> Iterator[sqlite3.Connection]:
        try:
            uri = f"{self._path.absolute().as_uri()}?mode={mode}"
            with closing(sqlite3.connect(uri, uri=True, timeout=30, isolation_level=None)) as database:
                yield database
        except sqlite3.Error as cause:
            raise LedgerError(
                f"the ledger {self._path.name} cannot be used ({cause.__class__.__name__}); "
                "check that the file is there, writable, and not damaged, and that the disk has room"
            ) from None


def _hash(previous: str, *fields: object) -> str:
    text = json.dumps([previous, *fields], separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
