"""The ledger: charged before reading, never uncharged, and any edit or rollback is seen."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.errors import AttemptsExhaustedError, LedgerError
from gateway.ledger import GENESIS, Attempt, Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.create(tmp_path / "ledger.sqlite")


def register(ledger: Ledger, dataset: str = "clinic", policy: str = "strict", maximum: int = 3) -> Attempt:
    return ledger.register(dataset=dataset, policy=policy, maximum=maximum, request={"rows": 10})


def unprotected(path: Path) -> sqlite3.Connection:
    """Somebody with the file and a database client, who drops the triggers first."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("DROP TRIGGER event_is_never_changed")
    database.execute("DROP TRIGGER event_is_never_removed")
    return database


def test_a_new_ledger_is_empty_and_its_owners_alone(ledger: Ledger, tmp_path: Path) -> None:
    assert ledger.head() == GENESIS
    assert ledger.verify() == 0
    assert stat.S_IMODE((tmp_path / "ledger.sqlite").stat().st_mode) == 0o600


def test_attempts_are_numbered_per_dataset_and_policy(ledger: Ledger) -> None:
    assert [register(ledger).number, register(ledger).number] == [1, 2]
    assert register(ledger, dataset="other").number == 1
    assert register(ledger, policy="other").number == 1


def test_an_attempt_beyond_the_maximum_is_refused_and_not_written(ledger: Ledger) -> None:
    for _ in range(3):
        register(ledger)
    head = ledger.head()
    with pytest.raises(AttemptsExhaustedError, match="all 3 attempts"):
        register(ledger)
    assert ledger.head() == head


def test_a_crash_after_registering_leaves_the_attempt_standing(ledger: Ledger, tmp_path: Path) -> None:
    register(ledger)  # and nothing is ever concluded
    assert Ledger(tmp_path / "ledger.sqlite").used(dataset="clinic", policy="strict") == 1


def test_an_unusable_table_gives_its_attempt_back(ledger: Ledger) -> None:
    ledger.conclude(register(ledger), "unusable", {})
    assert ledger.used(dataset="clinic", policy="strict") == 0
    ledger.conclude(register(ledger), "decision", {"decision": "denied"})
    assert ledger.used(dataset="clinic", policy="strict") == 1


@pytest.mark.parametrize("statement", ["UPDATE event SET attempt = 0", "DELETE FROM event"])
def test_events_cannot_be_changed_through_sql(ledger: Ledger, tmp_path: Path, statement: str) -> None:
    register(ledger)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        sqlite3.connect(tmp_path / "ledger.sqlite").execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET body = '{}' WHERE sequence = 2",
        "UPDATE event SET policy = 'lax' WHERE sequence = 1",
        "UPDATE event SET at = '2020-01-01T00:00:00Z' WHERE sequence = 3",
        "DELETE FROM event WHERE sequence = 2",
        "DELETE FROM event WHERE sequence = 1",
    ],
)
def test_an_edited_event_breaks_the_chain(ledger: Ledger, tmp_path: Path, statement: str) -> None:
    for _ in range(3):
        register(ledger)
    unprotected(tmp_path / "ledger.sqlite").execute(statement)
    with pytest.raises(LedgerError, match="chain"):
        ledger.verify()


def test_a_ledger_put_back_to_yesterday_is_seen(ledger: Ledger, tmp_path: Path) -> None:
    """(I-9): the newest record cites a head that the restored copy has never had."""
    register(ledger)
    register(ledger)
    cited = ledger.head()
    assert ledger.verify(cited=cited) == 2
    unprotected(tmp_path / "ledger.sqlite").execute("DELETE FROM event WHERE sequence = 2")
    assert ledger.verify() == 1  # the shorter chain is whole in itself
    with pytest.raises(LedgerError, match="rolled back"):
        ledger.verify(cited=cited)


def test_two_writers_never_share_a_number(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    Ledger.create(path)
    program = f"""
from pathlib import Path
from gateway.ledger import Ledger
for _ in range(10):
    attempt = Ledger(Path({str(path)!r})).register(dataset="clinic", policy="strict", maximum=100, request={{}})
    print(attempt.number)
"""
    writers = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    numbers = [int(line) for writer in writers for line in writer.communicate()[0].split()]
    assert sorted(numbers) == list(range(1, 21))
    assert Ledger(path).verify() == 20


def test_a_missing_or_damaged_ledger_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="cannot be used"):
        Ledger(tmp_path / "absent.sqlite").head()
    (tmp_path / "damaged.sqlite").write_bytes(b"not a database, " * 100)
    with pytest.raises(LedgerError, match="cannot be used"):
        register(Ledger(tmp_path / "damaged.sqlite"))
