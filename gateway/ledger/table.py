"""What does a ledger look like as tables? The same in SQLite and in PostgreSQL, with the same queries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from gateway.errors import LedgerError
from gateway.ledger.chain import Entry
from gateway.ledger.store import Run

VERSION = 1
TABLES = (
    """CREATE TABLE ledger (
    identity TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL
)""",
    """CREATE TABLE event (
    sequence INTEGER NOT NULL PRIMARY KEY CHECK (sequence > 0),
    previous TEXT NOT NULL UNIQUE,
    head TEXT NOT NULL UNIQUE,
    at TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('attempt', 'unusable', 'charge', 'decision', 'replay')),
    dataset TEXT NOT NULL,
    policy TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    body TEXT NOT NULL
)""",
)
INDEX = "CREATE INDEX event_by_dataset ON event (dataset, kind, policy)"
_COLUMNS = "sequence, previous, head, at, kind, dataset, policy, attempt, body"
_PAGE = 256


def name_it(run: Run, identity: str) -> None:
    """Give new tables their identity."""
    run("INSERT INTO ledger (identity, version) VALUES (:identity, :version)", identity=identity, version=VERSION)


def identity(run: Run) -> str:
    """Which ledger this is.

    Raises
    ------
    LedgerError
        Its tables are of another version of Sluice.
    """
    rows = run("SELECT identity, version FROM ledger")
    if len(rows) != 1 or rows[0][1] != VERSION:
        raise LedgerError("the ledger's tables are of another version of Sluice; use the version that made them")
    return str(rows[0][0])


def insert(run: Run, entry: Entry) -> None:
    run(
        f"INSERT INTO event ({_COLUMNS}) VALUES "  # noqa: S608  # constants
        "(:sequence, :previous, :head, :at, :kind, :dataset, :policy, :attempt, :body)",
        **asdict(entry),
    )


def last(run: Run) -> Entry | None:
    return _one(run, "ORDER BY sequence DESC LIMIT 1")


def at(run: Run, sequence: int) -> Entry | None:
    return _one(run, "WHERE sequence = :sequence", sequence=sequence)


def head_of(run: Run, sequence: int) -> str | None:
    """The head of entry ``sequence``; ``None`` where the chain does not reach it."""
    entry = at(run, sequence)
    return entry.head if entry else None


def entries(run: Run) -> list[Entry]:
    """The whole chain, in order."""
    return _select(run, "ORDER BY sequence")


def of_dataset(run: Run, dataset: str, kind: str) -> list[Entry]:
    return _select(
        run, "WHERE dataset = :dataset AND kind = :kind ORDER BY sequence", dataset=dataset, kind=kind
    )  # fmt: skip


def of_kind(run: Run, kind: str) -> list[Entry]:
    """Every entry of ``kind``, in order."""
    return _select(run, "WHERE kind = :kind ORDER BY sequence", kind=kind)


def newest_first(run: Run, kind: str) -> Iterator[Entry]:
    """Every entry of ``kind`` from the newest back, read as far as the caller walks."""
    below = (1 << 31) - 1  # the largest INTEGER of PostgreSQL
    while page := _select(
        run, "WHERE kind = :kind AND sequence < :below ORDER BY sequence DESC LIMIT :page",
        kind=kind, below=below, page=_PAGE,
    ):  # fmt: skip
        yield from page
        below = page[-1].sequence


def used(run: Run, dataset: str, policy: str) -> int:
    """Attempts of ``policy`` on ``dataset`` less those given back."""
    attempts, freed = (
        run(
            "SELECT count(*) FROM event WHERE dataset = :dataset AND policy = :policy AND kind = :kind",
            dataset=dataset, policy=policy, kind=kind,
        )[0][0]
        for kind in ("attempt", "unusable")
    )  # fmt: skip
    return int(attempts - freed)


def asked(run: Run) -> dict[str, list[str]]:
    """Every dataset with the policies it was asked for under."""
    found: dict[str, list[str]] = {}
    for dataset, policy in run("SELECT DISTINCT dataset, policy FROM event ORDER BY dataset, policy"):
        found.setdefault(dataset, []).append(policy)
    return found


def _one(run: Run, clause: str, **values: object) -> Entry | None:
    found = _select(run, clause, **values)
    return found[0] if found else None


def _select(run: Run, clause: str, **values: object) -> list[Entry]:
    return [Entry(*row) for row in run(f"SELECT {_COLUMNS} FROM event {clause}", **values)]  # noqa: S608  # constants
