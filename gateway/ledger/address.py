"""Where is a PostgreSQL ledger, and which password opens it? The URL, libpq's variables and ``~/.pgpass``."""

from __future__ import annotations

import getpass
import os
import re
import ssl
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from gateway.errors import LedgerError

_SCHEMES = ("postgresql", "postgres")
_TLS = ("disable", "require", "verify-full")
_PARAMETERS = ("host", "sslmode", "sslrootcert")
_LOCAL = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Address:
    """One database. ``host`` is a name, an address, or the folder of a Unix socket (it begins with a slash).

    Printing an address never shows the password.
    """

    user: str
    host: str
    port: int
    database: str
    tls: str
    root_certificate: Path | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read ``postgresql://user@host:port/database``.

        ``?host=/folder`` names a Unix socket. ``?sslmode=`` is ``disable``, ``require`` or ``verify-full``: without it
        another machine must show a certificate that verifies (``sslrootcert=`` names the authority's), and this
        machine is spoken to in the clear.

        Raises
        ------
        LedgerError
            It is no such URL.
        """
        try:
            parts = urlsplit(url)
            given = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
            host, port = given.get("host") or parts.hostname or "localhost", parts.port or 5432
        except ValueError:
            raise LedgerError(_EXPECTED) from None
        database = unquote(parts.path.removeprefix("/"))
        if (
            parts.scheme not in _SCHEMES
            or not database
            or "/" in database
            or parts.fragment
            or {*given} - {*_PARAMETERS}
        ):
            raise LedgerError(_EXPECTED)
        tls = given.get("sslmode", "disable" if host.startswith("/") or host in _LOCAL else "verify-full")
        if tls not in _TLS:
            raise LedgerError(f"sslmode of a ledger's URL is one of {', '.join(_TLS)}")
        return cls(
            user=unquote(parts.username or "") or os.environ.get("PGUSER") or getpass.getuser(),
            host=host,
            port=port,
            database=database,
            tls=tls,
            root_certificate=Path(given["sslrootcert"]) if "sslrootcert" in given else None,
            password=None if parts.password is None else unquote(parts.password),
        )

    def __str__(self) -> str:
        """The URL without a password: what may be stored and shown."""
        socket = self.host.startswith("/")
        host = "" if socket else f"[{self.host}]" if ":" in self.host else self.host
        query = {"host": self.host} if socket else {}
        query["sslmode"] = self.tls
        if self.root_certificate is not None:
            query["sslrootcert"] = str(self.root_certificate)
        place = f"{quote(self.user, safe='')}@{host}:{self.port}/{quote(self.database, safe='')}"
        return f"postgresql://{place}?{urlencode(query, safe='/')}"

    def arguments(self) -> dict[str, Any]:
        """What the driver connects with.

        Raises
        ------
        LedgerError
            The authority's certificate cannot be read.
        """
        # an empty password where there is none: servers that ask for one then refuse it by name, and others never look
        common = {"user": self.user, "database": self.database, "password": self.find_password() or "",
                  "application_name": "sluice"}  # fmt: skip
        if self.host.startswith("/"):
            return {**common, "unix_sock": f"{self.host}/.s.PGSQL.{self.port}", "ssl_context": False}
        return {**common, "host": self.host, "port": self.port, "ssl_context": self._tls_context()}

    def find_password(self) -> str | None:
        """From the URL, else ``PGPASSWORD``, else the first line that fits in ``PGPASSFILE`` or ``~/.pgpass``."""
        if self.password is not None:
            return self.password
        return os.environ.get("PGPASSWORD") or _from_password_file(self)

    def _tls_context(self) -> ssl.SSLContext | bool:
        if self.tls == "disable":
            return False
        try:
            context = ssl.create_default_context(cafile=self.root_certificate)
        except OSError as cause:
            raise LedgerError(f"sslrootcert of the ledger's URL cannot be read ({cause.strerror})") from None
        if self.tls == "require":
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context


_EXPECTED = (
    f"a ledger's URL is postgresql://user@host:port/database, with no other parameters than {', '.join(_PARAMETERS)}"
)


def _from_password_file(address: Address) -> str | None:
    """libpq's rules: ``host:port:database:user:password``, ``*`` fits anything, others must not read the file."""
    path = Path(os.environ.get("PGPASSFILE") or Path.home() / ".pgpass")
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            return None
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    host = "localhost" if address.host.startswith("/") else address.host
    wanted = (host, str(address.port), address.database, address.user)
    for line in lines:
        fields = [re.sub(r"\\(.)", r"\1", each) for each in re.split(r"(?<!\\):", line)]
        fits = len(fields) == 5 and all(have in ("*", want) for have, want in zip(fields[:4], wanted, strict=True))
        if fits and not line.startswith("#"):
            return fields[4]
    return None
