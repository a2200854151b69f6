"""Which database, which password: libpq's rules, and no password in anything that is stored or shown."""

from __future__ import annotations

import socket
import ssl
import struct
import tempfile
import threading
from pathlib import Path

import pytest

from gateway.errors import LedgerError
from gateway.ledger import Ledger
from gateway.ledger.address import Address
from tests.gateway.ledger.conftest import PASSWORD, Server

SECRET = "tell-nobody"  # noqa: S105


@pytest.fixture(autouse=True)
def _no_password_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PGPASSWORD", "PGUSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "pgpass"))


def test_a_url_is_read_and_printed_without_its_password() -> None:
    address = Address.parse(f"postgresql://gate:{SECRET}@db.example:5433/led%20ger")
    assert (address.user, address.host, address.port, address.database) == ("gate", "db.example", 5433, "led ger")
    assert address.find_password() == SECRET
    assert str(address) == "postgresql://gate@db.example:5433/led%20ger?sslmode=verify-full"
    assert SECRET not in repr(address)
    assert Address.parse(str(address)) == Address.parse("postgresql://gate@db.example:5433/led%20ger")


def test_a_socket_folder_survives_being_printed() -> None:
    address = Address.parse("postgresql://gate@:5433/ledger?host=/run/postgresql")
    assert Address.parse(str(address)) == address
    assert address.arguments()["unix_sock"] == "/run/postgresql/.s.PGSQL.5433"
    assert Address.parse(str(Address.parse("postgresql://gate@[::1]:5433/ledger"))).host == "::1"


def test_another_machine_must_show_a_certificate_that_verifies() -> None:
    verified = Address.parse("postgresql://gate@db.example/ledger").arguments()["ssl_context"]
    assert isinstance(verified, ssl.SSLContext)
    assert verified.verify_mode is ssl.CERT_REQUIRED
    assert verified.check_hostname
    encrypted = Address.parse("postgresql://gate@db.example/ledger?sslmode=require").arguments()["ssl_context"]
    assert encrypted.verify_mode is ssl.CERT_NONE
    assert Address.parse("postgresql://gate@localhost/ledger").arguments()["ssl_context"] is False
    with pytest.raises(LedgerError, match="sslrootcert"):
        Address.parse("postgresql://gate@db.example/ledger?sslrootcert=/nowhere/ca.pem").arguments()


@pytest.mark.parametrize(
    "url",
    [
        "mysql://gate@db/ledger",
        "postgresql://gate@db",
        "postgresql://gate@db/",
        "postgresql://gate@db/a/b",
        "postgresql://gate@db:port/ledger",
        "postgresql://gate@db/ledger?sslmode=prefer",
        "postgresql://gate@db/ledger?options=-c%20fsync=off",
        "postgresql://gate@db/ledger?sslmode",
        "postgresql://gate@[db/ledger",
        "ledger.sqlite",
    ],
)
def test_an_unusable_url_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(LedgerError) as refusal:
        Ledger(url.replace("gate@", f"gate:{SECRET}@"))
    assert SECRET not in str(refusal.value)


def test_the_password_is_found_as_libpq_finds_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    address = Address.parse("postgresql://gate@db.example/ledger")
    assert address.find_password() is None
    file = tmp_path / "pgpass"
    file.write_text(
        "# db.example:5432:ledger:gate:comment\nother:*:*:*:wrong\ndb.example:*:ledger:gate:a\\:b\\\\c\n*:*:*:*:d\n"
    )
    file.chmod(0o640)
    assert address.find_password() is None  # others may read it, so libpq would not use it
    file.chmod(0o600)
    assert address.find_password() == "a:b\\c"
    assert Address.parse("postgresql://gate@elsewhere/ledger").find_password() == "d"
    monkeypatch.setenv("PGPASSWORD", "from the environment")
    assert address.find_password() == "from the environment"


@pytest.mark.needs("postgres")
def test_a_wrong_password_is_an_error_that_names_no_password(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    database = server.empty_database()
    url = f"postgresql://gate@127.0.0.1:{server.port}/{database}"
    for secret in (SECRET, None):
        if secret is not None:
            monkeypatch.setenv("PGPASSWORD", secret)
        else:
            monkeypatch.delenv("PGPASSWORD")
        with pytest.raises(LedgerError, match="cannot be used") as refusal:
            Ledger.create(url)
        assert SECRET not in str(refusal.value)
        assert refusal.value.__cause__ is None
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    assert Ledger.create(url).verify() == 0


@pytest.mark.needs("postgres")
def test_a_server_out_of_reach_or_without_a_ledger_is_a_clear_error(server: Server) -> None:
    with pytest.raises(LedgerError, match="cannot be used"):
        Ledger(f"postgresql://gate@127.0.0.1:1/nothing?host={server.folder}/nowhere").head()
    with pytest.raises(LedgerError, match="SQLSTATE 3D000"):
        Ledger(server.url("no_such_database")).head()
    with pytest.raises(LedgerError, match="SQLSTATE 42P01"):
        Ledger(server.url(server.empty_database())).head()


def test_a_server_that_hangs_up_right_after_its_refusal_is_named_by_the_refusal() -> None:
    fields = b"SFATAL\0VFATAL\0C3D000\0Mno such database\0\0"

    def refuse(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        connection.recv(4096)
        connection.shutdown(socket.SHUT_RD)  # the driver's goodbye meets a broken pipe
        connection.sendall(b"E" + struct.pack("!i", len(fields) + 4) + fields)
        connection.close()

    # a folder of its own: the path of a Unix socket has room for about a hundred characters
    with tempfile.TemporaryDirectory(prefix="sluice-") as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/.s.PGSQL.5432")
        listener.listen()
        server = threading.Thread(target=refuse, args=(listener,))
        server.start()
        with pytest.raises(LedgerError, match="SQLSTATE 3D000"):
            Ledger(f"postgresql://gate@:5432/nothing?host={folder}&sslmode=disable").head()
        server.join()
