"""Where can a ledger be kept? The one thing asked of a database: transactions in which SQL runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

# (SQL with :name parameters, their values) -> rows
Run = Callable[..., Sequence[Sequence[Any]]]


class Store(Protocol):
    """A database that holds one ledger. Its errors are ``LedgerError`` and name neither password nor cell."""

    def create(self, identity: str) -> str:
        """Make the tables for ledger ``identity``; return the identity of the ledger that is there now."""
        ...

    def write(self) -> AbstractContextManager[Run]:
        """A transaction that no other writer's overlaps; on disk when it ends, undone when it raises."""
        ...

    def read(self) -> AbstractContextManager[Run]:
        """A transaction that sees one state throughout."""
        ...


def store_at(place: Path | str) -> Store:
    """The store for a path (SQLite) or a ``postgresql://`` URL.

    Raises
    ------
    LedgerError
        The URL is not one of PostgreSQL.
    """
    if isinstance(place, Path):
        from gateway.ledger.store_sqlite import SQLiteStore  # either driver, never both

        return SQLiteStore(place)
    from gateway.ledger.store_postgresql import PostgreSQLStore

    return PostgreSQLStore(place)
