"""How is a ledger kept in PostgreSQL? In a schema of its own, behind one advisory lock for all its writers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pg8000.native
from pg8000.exceptions import DatabaseError, InterfaceError

from gateway.errors import LedgerError
from gateway.ledger import table
from gateway.ledger.address import Address
from gateway.ledger.store import Run

_PATIENCE = 60  # seconds to wait for another writer
_SCHEMA = "sluice"
# advisory, since a role that may only select and insert can take it too
_LOCK = int.from_bytes(hashlib.sha256(b"sluice ledger").digest()[:8], "big", signed=True)
_SESSION = (
    f"SET search_path TO {_SCHEMA}, pg_temp",
    # a charge is on disk before rows are read, whatever the role's default; stricter ones are left as they are
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
    f"SET lock_timeout TO '{_PATIENCE}s'",
)
_APPEND_ONLY = (
    f"""CREATE FUNCTION {_SCHEMA}.refuse() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN RAISE EXCEPTION 'the ledger is append-only'; END$$""",
    f"""CREATE TRIGGER event_is_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON event
    FOR EACH STATEMENT EXECUTE FUNCTION {_SCHEMA}.refuse()""",
)


class PostgreSQLStore:
    """A ledger in the schema ``sluice`` of one database. Statements of a write see all that earlier writers did."""

    def __init__(self, url: str) -> None:
        self._address = Address.parse(url)

    def create(self, identity: str) -> str:
        with self._open() as connection, self._transaction(connection, "BEGIN ISOLATION LEVEL READ COMMITTED"):
            connection.run("SELECT pg_advisory_xact_lock(:lock)", lock=_LOCK)
            if connection.run("SELECT to_regclass('sluice.ledger')")[0][0] is None:
                for statement in (f"CREATE SCHEMA {_SCHEMA}", *table.TABLES, table.INDEX, *_APPEND_ONLY):
                    connection.run(statement)
                table.name_it(connection.run, identity)
            return table.identity(connection.run)

    @contextmanager
    def write(self) -> Iterator[Run]:
        # read committed: each statement after the lock has a snapshot of its own, newer than the lock
        with self._open() as connection, self._transaction(connection, "BEGIN ISOLATION LEVEL READ COMMITTED"):
            connection.run("SELECT pg_advisory_xact_lock(:lock)", lock=_LOCK)
            yield connection.run

    @contextmanager
    def read(self) -> Iterator[Run]:
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        with self._open() as connection, self._transaction(connection, begin):
            yield connection.run

    @contextmanager
    def _open(self) -> Iterator[pg8000.native.Connection]:
        try:
            connection = pg8000.native.Connection(**self._address.arguments(), timeout=_PATIENCE + 30)
            try:
                for statement in _SESSION:
                    connection.run(statement)
                yield connection
            finally:
                with suppress(InterfaceError, OSError):
                    connection.close()
        except (DatabaseError, InterfaceError, OSError) as cause:
            raise LedgerError(
                f"the ledger at {self._address} cannot be used ({_reason(cause)}); check that the server runs, that "
                "the role may use the database, and its password (PGPASSWORD, or ~/.pgpass with mode 0600)"
            ) from None

    @contextmanager
    def _transaction(self, connection: pg8000.native.Connection, begin: str) -> Iterator[None]:
        connection.run(begin)
        try:
            yield
        except BaseException:
            with suppress(DatabaseError, InterfaceError, OSError):
                connection.run("ROLLBACK")
            raise
        connection.run("COMMIT")


def _reason(cause: Exception) -> str:
    """The kind of failure: a server's or a library's own words may quote what it was sent.

    Where the server hangs up after its refusal, the driver's failure to close, and under it the system's broken
    pipe, stand over the refusal.
    """
    first: BaseException | None = cause
    while first is not None and not isinstance(first, DatabaseError):
        first = first.__context__
    details = first.args[0] if first is not None and first.args and isinstance(first.args[0], dict) else {}
    code = details.get("C")
    return f"{type(first).__name__}, SQLSTATE {code}" if code else type(cause).__name__
