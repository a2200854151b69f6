"""The ledger: written before reading, never unwritten, and any edit or rollback is seen; alike in both databases."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.errors import AttemptsExhaustedError, LedgerError
from gateway.ledger import Attempt, Ledger
from gateway.ledger.chain import origin
from tests.gateway.ledger.conftest import Home, PostgreSQLHome, Server


def register(ledger: Ledger, dataset: str = "clinic", policy: str = "strict", maximum: int = 3) -> Attempt:
    return ledger.register(dataset=dataset, policy=policy, maximum=maximum, request={"rows": 10})


def test_a_new_ledger_is_empty_and_starts_from_its_identity(ledger: Ledger) -> None:
    assert ledger.events() == []
    assert ledger.verify() == 0
    assert ledger.head() == origin(ledger.identity)


def test_a_ledger_file_is_its_owners_alone_and_never_made_twice(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    Ledger.create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(LedgerError, match="no ledger can be made"):
        Ledger.create(path)


def test_attempts_are_numbered_per_dataset_over_all_policies(ledger: Ledger) -> None:
    assert [register(ledger).number, register(ledger).number] == [1, 2]
    assert register(ledger, dataset="other").number == 1
    assert register(ledger, policy="other").number == 3
    assert ledger.datasets() == {"clinic": {"other": 1, "strict": 2}, "other": {"strict": 1}}


def test_an_attempt_beyond_the_maximum_is_refused_and_not_written(ledger: Ledger) -> None:
    for _ in range(3):
        register(ledger)
    head = ledger.head()
    with pytest.raises(AttemptsExhaustedError, match="allows 3 attempts on dataset clinic, and 3 are used"):
        register(ledger)
    assert ledger.head() == head


def test_a_crash_after_registering_leaves_the_attempt_standing(ledger: Ledger, home: Home) -> None:
    register(ledger)  # and nothing is ever concluded
    assert Ledger(home.place).used(dataset="clinic", policy="strict") == 1


def test_an_unusable_table_gives_its_attempt_back(ledger: Ledger) -> None:
    ledger.conclude(register(ledger), "unusable", {})
    assert ledger.used(dataset="clinic", policy="strict") == 0
    ledger.conclude(register(ledger), "decision", {"decision": "denied"})
    assert ledger.used(dataset="clinic", policy="strict") == 1


def test_both_databases_write_the_same_chain(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The head is the SHA-256 of a JSON array, here summed by the system's sha256sum."""
    monkeypatch.setattr("gateway.ledger.ledger.now", lambda: "2026-01-02T03:04:05Z")
    ledger.register(dataset="clinic", policy="strict", maximum=1, request={"rows": 10})
    (entry,) = ledger.events()
    start = origin(ledger.identity)
    text = f'["{start}",1,"2026-01-02T03:04:05Z","attempt","clinic","strict",1,"{{\\"rows\\":10}}"]'
    summed = subprocess.run(["sha256sum"], input=text, capture_output=True, text=True, check=True)
    assert entry["head"] == summed.stdout.split()[0]


@pytest.mark.parametrize("statement", ["UPDATE event SET attempt = 0", "DELETE FROM event"])
def test_events_cannot_be_changed_through_sql(tmp_path: Path, statement: str) -> None:
    register(Ledger.create(tmp_path / "ledger.sqlite"))
    database = sqlite3.connect(tmp_path / "ledger.sqlite")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        database.execute(statement)
    database.close()


@pytest.mark.needs("postgres")
@pytest.mark.parametrize("statement", ["UPDATE event SET attempt = 0", "DELETE FROM event", "TRUNCATE event"])
def test_events_cannot_be_changed_through_sql_in_postgresql(server: Server, statement: str) -> None:
    database = server.empty_database()
    register(Ledger.create(server.url(database)))
    with pytest.raises(Exception, match="append-only"):
        server.run("SET search_path TO sluice", statement, database=database)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET body = '{}' WHERE sequence = 2",
        "UPDATE event SET policy = 'lax' WHERE sequence = 1",
        "UPDATE event SET at = '2020-01-01T00:00:00Z' WHERE sequence = 3",
        "DELETE FROM event WHERE sequence = 2",
        "DELETE FROM event WHERE sequence = 1",
        "UPDATE ledger SET identity = 'another'",
    ],
)
def test_an_edited_event_breaks_the_chain(ledger: Ledger, home: Home, statement: str) -> None:
    for _ in range(3):
        register(ledger)
    home.tamper(statement)
    with pytest.raises(LedgerError, match="chain"):
        Ledger(home.place).verify()


def test_a_ledger_put_back_to_yesterday_is_seen_by_the_record_that_cites_it(ledger: Ledger, home: Home) -> None:
    """(I-9): the newest record cites a head that the restored copy has never had."""
    register(ledger)
    home.keep()
    register(ledger)
    cited = ledger.head()
    assert ledger.verify(cited=[cited]) == 2
    home.put_back()
    assert ledger.verify() == 1  # the shorter chain is whole in itself
    with pytest.raises(LedgerError, match="rolled back"):
        ledger.verify(cited=[cited])


def test_a_copy_used_elsewhere_lacks_what_was_recorded_here(ledger: Ledger, home: Home) -> None:
    """(I-9): as long as this ledger or longer, whole in itself, and yet without the state that a record here cites."""
    register(ledger)
    home.keep()
    register(ledger, policy="here")
    cited = ledger.head()
    home.put_back()
    for _ in range(3):
        register(ledger, policy="elsewhere", maximum=9)
    assert ledger.verify() == 4
    with pytest.raises(LedgerError, match="1 of 1 signed records"):
        ledger.verify(cited=[cited])


def test_a_ledger_put_back_after_a_crash_is_seen_by_the_mark(home: Home, tmp_path: Path) -> None:
    """No record cites the newest entry yet, but the workspace remembers having written it."""
    mark = tmp_path / "ledger.mark"
    ledger = Ledger.create(home.place, mark=mark)
    assert stat.S_IMODE(mark.stat().st_mode) == 0o600
    register(ledger)
    home.keep()
    register(ledger)
    home.put_back()
    for use in (ledger.head, ledger.verify, lambda: register(ledger)):
        with pytest.raises(LedgerError, match="rolled back"):
            use()


def test_a_copy_of_equal_length_is_seen_by_the_mark(home: Home, tmp_path: Path) -> None:
    ledger = Ledger.create(home.place, mark=tmp_path / "ledger.mark")
    home.keep()
    register(ledger, policy="here")
    home.put_back()
    register(Ledger(home.place), policy="elsewhere")
    with pytest.raises(LedgerError, match="rolled back or replaced"):
        register(ledger)


def test_without_its_mark_the_ledger_is_not_used(home: Home, tmp_path: Path) -> None:
    mark = tmp_path / "ledger.mark"
    ledger = Ledger.create(home.place, mark=mark)
    mark.write_text("{}")
    with pytest.raises(LedgerError, match="not as Sluice wrote it"):
        register(ledger)
    mark.unlink()
    with pytest.raises(LedgerError, match="cannot be opened"):
        register(ledger)


def test_a_ledger_of_another_identity_is_refused(ledger: Ledger, home: Home) -> None:
    stranger = Ledger(home.place, identity="0" * 32)
    with pytest.raises(LedgerError, match="another ledger"):
        register(stranger)
    register(Ledger(home.place, identity=ledger.identity))


def test_a_ledger_of_another_version_is_refused(ledger: Ledger, home: Home) -> None:
    home.tamper("UPDATE ledger SET version = 7")
    with pytest.raises(LedgerError, match="another version"):
        ledger.head()


def test_the_newest_checkpoint_is_found_for_each_log_that_shares_the_ledger(ledger: Ledger) -> None:
    attempt = register(ledger)
    for checkpoint in ("log.a/1\n5\n", "log.b/1\n2\n", "log.a/1\n6\n"):
        ledger.conclude(attempt, "decision", {"checkpoint": checkpoint})
    ledger.conclude(attempt, "decision", {})
    assert ledger.last_checkpoint() == b"log.a/1\n6\n"
    assert ledger.last_checkpoint("log.b/1") == b"log.b/1\n2\n"
    assert ledger.last_checkpoint("log.c/1") is None


def test_the_newest_entries_are_found_far_back(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.ledger.table._PAGE", 2)
    attempt = register(ledger)
    for number in range(5):
        ledger.conclude(attempt, "decision", {"checkpoint": f"log.{number}\n1\n"})
    assert ledger.last_checkpoint("log.0") == b"log.0\n1\n"


def test_two_writers_never_share_a_number(ledger: Ledger, home: Home) -> None:
    place = f"Path({str(home.place)!r})" if isinstance(home.place, Path) else repr(home.place)
    program = f"""
from pathlib import Path
from gateway.ledger import Ledger
for _ in range(10):
    attempt = Ledger({place}).register(dataset="clinic", policy="strict", maximum=100, request={{}})
    print(attempt.number)
"""
    writers = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    numbers = [int(line) for writer in writers for line in writer.communicate()[0].split()]
    assert sorted(numbers) == list(range(1, 21))
    assert ledger.verify() == 20


def test_a_missing_or_damaged_ledger_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="cannot be used"):
        Ledger(tmp_path / "absent.sqlite").head()
    (tmp_path / "damaged.sqlite").write_bytes(b"not a database, " * 100)
    with pytest.raises(LedgerError, match="cannot be used"):
        register(Ledger(tmp_path / "damaged.sqlite"))


@pytest.mark.needs("postgres")
def test_a_second_workspace_joins_the_ledger_that_is_there(server: Server) -> None:
    home = PostgreSQLHome(server, server.empty_database())
    first, second = Ledger.create(home.place), Ledger.create(home.place)
    register(first)
    assert second.identity == first.identity
    assert register(second).number == 2


@pytest.mark.needs("postgres")
def test_a_role_that_may_only_read_and_append_is_enough(server: Server) -> None:
    database = server.empty_database()
    Ledger.create(server.url(database))
    server.run(
        "CREATE ROLE appender LOGIN",
        "GRANT USAGE ON SCHEMA sluice TO appender",
        "GRANT SELECT ON sluice.ledger TO appender",
        "GRANT SELECT, INSERT ON sluice.event TO appender",
        database=database,
    )
    gate = Ledger.create(server.url(database, "appender"))
    assert register(gate).number == 1
