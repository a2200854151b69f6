"""Both homes of a ledger, each with what its owner or an intruder could do to it behind Sluice's back."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pg8000.native
import pytest
from pg8000.exceptions import DatabaseError, InterfaceError

from gateway.ledger import Ledger
from tests.conftest import find_executable

ROLE, PASSWORD, DATABASE = "gate", "p@ss:word/of tests", "ledger"


class Home(Protocol):
    """A place for one ledger."""

    @property
    def place(self) -> Path | str: ...

    def tamper(self, statement: str) -> None:
        """Run ``statement`` on the tables with their protection off."""

    def keep(self) -> None:
        """Remember the ledger as it is now."""

    def put_back(self) -> None:
        """Replace the ledger by what was kept."""


@dataclass(frozen=True)
class SQLiteHome:
    place: Path

    def tamper(self, statement: str) -> None:
        with closing(sqlite3.connect(self.place, isolation_level=None)) as database:
            for name in ("changed", "removed"):
                database.execute(f"DROP TRIGGER IF EXISTS event_is_never_{name}")
            database.execute(statement)

    def keep(self) -> None:
        with closing(sqlite3.connect(self.place)) as database, closing(sqlite3.connect(self._kept)) as copy:
            database.backup(copy)

    def put_back(self) -> None:
        for suffix in ("-wal", "-shm"):
            self.place.with_name(self.place.name + suffix).unlink(missing_ok=True)
        shutil.copy(self._kept, self.place)

    @property
    def _kept(self) -> Path:
        return self.place.with_suffix(".kept")


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server of this test session: trusted on its Unix socket, by password on 127.0.0.1."""

    folder: Path
    port: int

    def url(self, database: str, role: str = ROLE) -> str:
        return f"postgresql://{role}@:{self.port}/{database}?host={self.folder}"

    def run(self, *statements: str, database: str = "postgres") -> Any:
        connection = pg8000.native.Connection(
            ROLE, database=database, unix_sock=f"{self.folder}/.s.PGSQL.{self.port}", ssl_context=False
        )
        with closing(connection):
            return [connection.run(statement) for statement in statements][-1]

    def empty_database(self) -> str:
        """The one database of this session's tests, without what the test before left in it."""
        if [DATABASE] not in self.run("SELECT datname FROM pg_database"):
            self.run(f"CREATE DATABASE {DATABASE}")
        self.run("DROP SCHEMA IF EXISTS sluice CASCADE", database=DATABASE)
        return DATABASE


@dataclass(frozen=True)
class PostgreSQLHome:
    server: Server
    database: str

    @property
    def place(self) -> str:
        return self.server.url(self.database)

    def tamper(self, statement: str) -> None:
        self.server.run(
            "SET session_replication_role TO replica",  # no triggers
            "SET search_path TO sluice",
            statement,
            database=self.database,
        )

    def keep(self) -> None:
        self.server.run(
            f"DROP DATABASE IF EXISTS {self.database}_kept",
            f"CREATE DATABASE {self.database}_kept TEMPLATE {self.database}",
        )

    def put_back(self) -> None:
        self.server.run(
            f"DROP DATABASE {self.database} WITH (FORCE)",
            f"ALTER DATABASE {self.database}_kept RENAME TO {self.database}",
        )


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A real server from the system's binaries, in a folder of its own that is removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="sluice-pg-"))
    account: dict[str, Any] = {}
    if os.geteuid() == 0:  # the server refuses to run as root
        names = {entry.pw_name: entry for entry in pwd.getpwall()}
        unprivileged = names.get("postgres") or names["nobody"]
        account = {"user": unprivileged.pw_uid, "group": unprivileged.pw_gid, "extra_groups": []}
        os.chown(folder, unprivileged.pw_uid, unprivileged.pw_gid)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    secret = folder / "password"
    secret.write_text(PASSWORD + "\n", encoding="utf-8")
    secret.chmod(0o644)  # inside a private folder
    initdb, postgres = find_executable("initdb"), find_executable("postgres")
    assert initdb is not None
    assert postgres is not None
    subprocess.run(
        [initdb, "-D", folder / "data", "-U", ROLE, "--pwfile", secret, "-A", "scram-sha-256", "--auth-local=trust",
         "--no-sync", "--locale=C", "-E", "UTF8"],
        check=True, stdout=subprocess.DEVNULL, cwd=folder, **account,
    )  # fmt: skip
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [postgres, "-D", folder / "data", "-k", folder, "-p", str(port), "-c", "listen_addresses=127.0.0.1",
             "-c", "fsync=off", "-c", "shared_buffers=16MB"],
            stdout=log, stderr=log, cwd=folder, **account,
        )  # fmt: skip
    try:
        yield _answering(Server(folder, port), process)
    finally:
        process.send_signal(signal.SIGQUIT)  # at once: nothing here is worth a checkpoint
        process.wait(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgres"))])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    """An empty place for a ledger, in either database."""
    if request.param == "sqlite":
        return SQLiteHome(tmp_path / "ledger.sqlite")
    server: Server = request.getfixturevalue("server")
    return PostgreSQLHome(server, server.empty_database())


@pytest.fixture
def ledger(home: Home) -> Ledger:
    return Ledger.create(home.place)


def _answering(server: Server, process: subprocess.Popen[bytes]) -> Server:
    deadline = time.monotonic() + 30
    while True:
        try:
            server.run("SELECT 1")
        except (DatabaseError, InterfaceError):
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return server
