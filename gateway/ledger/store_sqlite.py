"""How is a ledger kept in SQLite? One file in WAL mode, synced at every commit."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from gateway.errors import LedgerError
from gateway.ledger import table
from gateway.ledger.store import Run

_PATIENCE = 60  # seconds to wait for another writer
_APPEND_ONLY = [
    f"CREATE TRIGGER event_is_never_{done} BEFORE {verb} ON event "
    "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
    for verb, done in (("UPDATE", "changed"), ("DELETE", "removed"))
]


class SQLiteStore:
    """A ledger in one file. ``BEGIN IMMEDIATE`` lets one writer in at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def create(self, identity: str) -> str:
        try:
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600))
        except OSError as cause:
            raise LedgerError(f"{self._path.name}: no ledger can be made there ({cause.strerror})") from None
        with self.write() as run:
            for statement in (*(f"{create} STRICT" for create in table.TABLES), table.INDEX, *_APPEND_ONLY):
                run(statement)
            table.name_it(run, identity)
        return identity

    @contextmanager
    def write(self) -> Iterator[Run]:
        with self._open() as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            with _transaction(database, "BEGIN IMMEDIATE"):
                yield _run_in(database)

    @contextmanager
    def read(self) -> Iterator[Run]:
        with self._open() as database, _transaction(database, "BEGIN"):
            yield _run_in(database)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            uri = f"{self._path.absolute().as_uri()}?mode=rw"
            with closing(sqlite3.connect(uri, uri=True, timeout=_PATIENCE, isolation_level=None)) as database:
                yield database
        except sqlite3.Error as cause:
            raise LedgerError(
                f"the ledger {self._path.name} cannot be used ({cause.__class__.__name__}); "
                "check that the file is there, writable, and not damaged, and that the disk has room"
            ) from None


@contextmanager
def _transaction(database: sqlite3.Connection, begin: str) -> Iterator[None]:
    database.execute(begin)
    try:
        yield
    except BaseException:
        with suppress(sqlite3.Error):
            database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def _run_in(database: sqlite3.Connection) -> Run:
    def run(sql: str, **values: object) -> Sequence[Sequence[Any]]:
        return database.execute(sql, values).fetchall()

    return run
