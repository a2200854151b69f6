"""Which timestamp authority sees each new record, and what becomes of a record that it cannot be shown to?

No policy demands a timestamp, and an attempt or a budget has been spent on the record by then: an authority that cannot
be reached, or answers with something that cannot be used, never costs the release. The bundle appears without a
timestamp, whoever asked for one is told so, and ``gateway timestamp`` adds it later.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from audit.record import files, timestamp
from audit.record.envelope import MAX_BYTES
from audit.record.errors import RecordError, TimestampError, VerificationError
from audit.record.statement import RECORD_FILE, TIMESTAMP_FILE
from audit.record.timestamp import Authorities

_TIMEOUT_SECONDS = 15.0  # a bundle waits for it


@dataclass(frozen=True)
class Stamped:
    """A token and when it says that the record existed; without one, why there is none: empty if nobody asked."""

    token: bytes | None = None
    at: datetime | None = None
    problem: str = ""

    def files(self) -> dict[str, bytes]:
        """What a bundle holds of it."""
        return {} if self.token is None else {TIMESTAMP_FILE: self.token}


NOT_ASKED = Stamped()


@dataclass(frozen=True)
class Timestamps:
    """The authority at ``url`` (RFC 3161 over HTTP), and the certificates that lead to it."""

    url: str
    authorities: Authorities

    @classmethod
    def by(cls, url: str, certificates: Path) -> Self:
        """The authority, before anything is asked of it.

        Raises
        ------
        TimestampError
            Not an address.
        KeyFileError
            Not certificates, or the package for timestamps is not installed.
        """
        timestamp.check_address(url)
        return cls(url, Authorities.load(certificates))

    def ask(self, envelope: bytes) -> Stamped:
        """A token over ``envelope``, or why there is none; never an error."""
        try:
            token = timestamp.obtain(envelope, self.url, self.authorities, timeout=_TIMEOUT_SECONDS)
        except TimestampError as cause:
            return Stamped(problem=str(cause))
        return Stamped(token, timestamp.verify(token, envelope, self.authorities))

    def add_to(self, bundle: Path) -> Stamped:
        """Put a token into a bundle that lies where it belongs, unless it has one.

        Raises
        ------
        RecordError
            The bundle cannot be read or written.
        """
        envelope = files.read(bundle / RECORD_FILE, maximum=MAX_BYTES, error=RecordError)
        held = timestamp.read(bundle)
        if held is not None:
            try:
                return Stamped(held, timestamp.verify(held, envelope, self.authorities))
            except VerificationError as cause:
                return Stamped(held, problem=f"by this authority; the bundle has one, and {cause}")
        stamped = self.ask(envelope)
        if stamped.token is not None:
            files.create(bundle / TIMESTAMP_FILE, stamped.token, mode=0o600, error=RecordError)
        return stamped
