"""Which rows does a table or query of a database hold? Read in one read-only snapshot, as text, in an order of its own.

Rows of a database have no order, so they are put into that of their SHA-256 digests: the same rows give the same table,
and nothing else does.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import pg8000.native
import pyarrow as pa
from pg8000.exceptions import DatabaseError, InterfaceError

from gateway.errors import LedgerError
from gateway.intake.errors import IntakeError, refuse
from gateway.intake.raw import RawTable, check_header, encode
from gateway.intake.rows import text_of
from gateway.ledger.address import Address
from policies import Source

SCHEMES = ("sqlite", "postgresql", "postgres")
MAX_ROWS = 50_000_000
_ROWS = 20_000  # fetched at a time
_PATIENCE = 60  # seconds
_URL = (
    "the database's address is not understood",
    "write sqlite:///folder/file.db (three slashes and the path), or postgresql://user@host:port/database",
)
_READING = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
_Row = Sequence[Any]


def is_database(location: str) -> bool:
    """Whether a location is the URL of a database."""
    return location.split("://", 1)[0] in SCHEMES and "://" in location


def shown_address(location: str) -> str:
    """A database's URL without its password.

    Raises
    ------
    IntakeError
        It is no such URL.
    """
    if location.startswith("sqlite"):
        return f"sqlite://{_file_of(location)}"
    return str(_address_of(location))


def read_database(location: str, source: Source) -> RawTable:
    """The raw table that ``source.table`` or ``source.query`` names; a NULL has code -1.

    A query is run as one prepared statement in a transaction that can only read, its ``:name`` bound to
    ``source.parameters``.

    Raises
    ------
    IntakeError
        The database cannot be opened or read, neither table nor query is named, there are no rows, or a column is of
        a type that is no single value.
    """
    if source.table is None and source.query is None:
        raise refuse("a database holds many tables", "name table or query in the dictionary's [source]")
    opened = _sqlite(location, source) if location.startswith("sqlite") else _postgresql(location, source)
    with opened as (names, blocks):
        return _table(names, blocks)


def _table(names: list[str], blocks: Iterator[list[_Row]]) -> RawTable:
    check_header(names)
    parts: list[list[Any]] = [[] for _ in names]
    flags = [True] * len(names)
    digests: list[bytes] = []
    for block in blocks:
        if len(digests) + len(block) > MAX_ROWS:
            raise refuse(f"the table has more than {MAX_ROWS} rows", "narrow the query")
        texts = [[text_of(row[place], name) for row in block] for place, name in enumerate(names)]
        for place, column in enumerate(texts):
            flags[place] &= all(row[place] is None or isinstance(row[place], bool) for row in block)
            parts[place].append(pa.array(column, pa.large_string()))
        digests += [_digest(row) for row in zip(*texts, strict=True)]
    if not digests:
        raise refuse("the table has no rows", "check table or query in the dictionary's [source]")
    order = np.argsort(np.array(digests, dtype="S32"), kind="stable")
    columns = {
        name: encode(pa.chunked_array(part).take(pa.array(order)), "boolean" if is_flag else "text")
        for name, part, is_flag in zip(names, parts, flags, strict=True)
    }
    return RawTable(columns, len(digests))


def _digest(row: Sequence[str | None]) -> bytes:
    hashed = hashlib.sha256()
    for text in row:
        cell = b"-" if text is None else text.encode("utf-8", "surrogatepass")
        hashed.update(b"%d:" % (-1 if text is None else len(cell)) + cell)
    return hashed.digest().replace(b"\0", b"\1")  # numpy drops trailing zeros of byte strings


@contextmanager
def _sqlite(location: str, source: Source) -> Iterator[tuple[list[str], Iterator[list[_Row]]]]:
    file = _file_of(location)
    if not file.is_file():
        raise refuse("the database's file does not exist", "check the path")
    statement = _statement(source)
    try:
        with closing(sqlite3.connect(f"file:{_escaped(file)}?mode=ro", uri=True, timeout=_PATIENCE)) as connection:
            connection.execute("PRAGMA query_only = on")
            connection.execute("BEGIN")  # a snapshot from the first read to the end
            connection.set_authorizer(
                lambda action, *_: sqlite3.SQLITE_OK if action in _READING else sqlite3.SQLITE_DENY
            )
            cursor = connection.execute(statement, dict(source.parameters or {}))
            if cursor.description is None:
                raise refuse("the query gives no rows", "write one SELECT")
            yield [column[0] for column in cursor.description], _fetched(cursor)
    except (sqlite3.Error, sqlite3.Warning) as cause:
        raise _unreadable(type(cause).__name__) from None


def _fetched(cursor: sqlite3.Cursor) -> Iterator[list[_Row]]:
    while block := cursor.fetchmany(_ROWS):
        yield block


@contextmanager
def _postgresql(location: str, source: Source) -> Iterator[tuple[list[str], Iterator[list[_Row]]]]:
    try:
        arguments = _address_of(location).arguments()
    except LedgerError:
        raise refuse(*_URL) from None
    statement = _statement(source)
    try:
        connection = pg8000.native.Connection(**arguments, timeout=_PATIENCE)
        try:
            connection.run("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
            connection.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            if source.parameters:
                names, rows = _bound(connection, statement, source.parameters)
                yield names, iter([rows] if rows else [])
            else:
                yield _cursor(connection, statement)
            connection.run("ROLLBACK")
        finally:
            with suppress(InterfaceError, OSError):
                connection.close()
    except (DatabaseError, InterfaceError, OSError) as cause:
        if isinstance(cause, IntakeError):
            raise
        details = cause.args[0] if cause.args and isinstance(cause.args[0], dict) else {}
        code = details.get("C")
        raise _unreadable(f"SQLSTATE {code}" if code else type(cause).__name__) from None


def _cursor(connection: Any, statement: str) -> tuple[list[str], Iterator[list[_Row]]]:
    # prepared, and so one statement only: the server refuses a second one after a semicolon
    declare = connection.prepare(f"DECLARE sluice NO SCROLL CURSOR FOR {statement}")
    declare.run()
    fetch = f"FETCH FORWARD {_ROWS} FROM sluice"
    first = connection.run(fetch)
    names = [column["name"] for column in connection.columns]

    def blocks() -> Iterator[list[_Row]]:
        block = first
        while block:
            yield block
            block = connection.run(fetch)

    return names, blocks()


def _bound(connection: Any, statement: str, parameters: Mapping[str, Any]) -> tuple[list[str], list[_Row]]:
    prepared = connection.prepare(statement)
    rows = prepared.run(**parameters)
    if prepared.columns is None:
        raise refuse("the query gives no rows", "write one SELECT")
    return [column["name"] for column in prepared.columns], rows


def _statement(source: Source) -> str:
    """The custodian's query as it is; or all of ``schema.table``, as identifiers whatever characters they hold."""
    if source.query is not None:
        return source.query
    parts = (source.table or "").split(".")
    named = ".".join('"' + part.replace('"', '""') + '"' for part in parts)
    return f"SELECT * FROM {named}"  # noqa: S608 - quoted as an identifier


def _file_of(location: str) -> Path:
    parts = urlsplit(location)
    if parts.scheme != "sqlite" or parts.netloc or not parts.path.strip("/") or parts.query or parts.fragment:
        raise refuse(*_URL)
    return Path(unquote(parts.path))


def _escaped(file: Path) -> str:
    return re.sub(r"[?#%]", lambda found: f"%{ord(found[0]):02x}", str(file))


def _address_of(location: str) -> Address:
    try:
        return Address.parse(location)
    except LedgerError:
        raise refuse(*_URL) from None


def _unreadable(reason: str) -> IntakeError:
    return refuse(
        f"the database cannot be read ({reason})",
        "check the address, that the role may read the table, and table or query in the dictionary's [source]",
    )
