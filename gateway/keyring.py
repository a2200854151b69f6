"""The workspace's own list of every key there has ever been: what the next trust file will say.

``keys/keyring.json`` holds no secret. It names the log's origin, which stays the same when the log's key changes, and
each key with its role, holder, window and revocation. Verifiers never read it: they read the trust file, the same list
signed by the custodian's root key.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from audit.record import canonical, fields, files
from audit.record.errors import RecordError
from audit.record.keys import PublicKey
from audit.record.note import check_origin
from audit.record.trust import MAX_BYTES, Revocation, Role, TrustedKey, TrustFile
from gateway.errors import WorkspaceError

FILE = "keyring.json"
DEFAULT_DAYS = 730  # a signing key is used for one to three years (NIST SP 800-57 part 1, section 5.3.6)
_SHORTEST = 8  # characters of a key id


@dataclass(frozen=True)
class Keyring:
    """Every key, in the order of their making; retired and revoked ones stay.

    ``trust_version`` is that of the trust file accepted last, 0 before the first.
    """

    origin: str
    keys: tuple[TrustedKey, ...]
    trust_version: int = 0

    @classmethod
    def load(cls, folder: Path) -> Keyring:
        """The list in a workspace's ``keys`` folder.

        Raises
        ------
        WorkspaceError
            It is missing or not as written.
        """
        content = files.read(folder / FILE, maximum=MAX_BYTES, error=WorkspaceError)
        try:
            document = canonical.parse(content, maximum=MAX_BYTES, what=FILE)
            found = fields.members(document, FILE, ("version", "origin", "trustVersion", "keys"))
            check_origin(found["origin"])
            fields.check_count(found["trustVersion"], "trustVersion", minimum=0)
            listed = tuple(TrustedKey.from_dict(each) for each in fields.items(found["keys"], FILE))
            return cls(found["origin"], listed, found["trustVersion"])
        except RecordError as cause:
            raise WorkspaceError(f"{FILE}: {cause}; restore it") from None

    def save(self, folder: Path) -> None:
        """Replace the list in a ``keys`` folder; a crash leaves the old one or the new one."""
        content = canonical.encode(
            {
                "version": 1,
                "origin": self.origin,
                "trustVersion": self.trust_version,
                "keys": [each.to_dict() for each in self.keys],
            }
        )
        files.replace(folder / FILE, content, mode=0o600, error=WorkspaceError)

    def of(self, role: Role) -> tuple[TrustedKey, ...]:
        """All keys of one role."""
        return tuple(each for each in self.keys if each.role == role)

    def find(self, key: PublicKey) -> TrustedKey | None:
        """The entry of a key."""
        return next((each for each in self.keys if each.public_key == key), None)

    def named(self, key_id: str) -> TrustedKey:
        """The entry of a key id, or of its first characters, at least 8.

        Raises
        ------
        WorkspaceError
            None, or more than one.
        """
        found = [each for each in self.keys if each.id.startswith(key_id)] if len(key_id) >= _SHORTEST else []
        if len(found) != 1:
            raise WorkspaceError(
                f"{len(found)} keys have an id that begins so; give at least {_SHORTEST} characters of one that "
                "gateway keys list shows"
            )
        return found[0]

    def with_key(self, role: Role, holder: str, key: PublicKey, *, days: int, now: datetime) -> Keyring:
        """With one key more, valid from now on for so many days.

        Raises
        ------
        WorkspaceError
            It is listed already.
        """
        if self.find(key) is not None:
            raise WorkspaceError("this key is listed already; one key has one role and one holder")
        start = _second(now)
        return replace(self, keys=(*self.keys, TrustedKey(role, holder, key, start, start + timedelta(days=days))))

    def with_end(self, key: PublicKey, now: datetime) -> Keyring:
        """With the window of a key ended: what it signs from the next second on is void."""
        end = _second(now) + timedelta(seconds=1)
        return self._with(key, lambda each: replace(each, valid_until=min(each.valid_until, end)))

    def with_revocation(self, key: PublicKey, revocation: Revocation) -> Keyring:
        """With a key revoked.

        Raises
        ------
        WorkspaceError
            It is revoked already, and this would take some of that back.
        """
        entry = self.find(key)
        if entry and entry.revocation and not revocation.is_at_least(entry.revocation):
            raise WorkspaceError("the key is revoked already, from an earlier moment or more strictly; that stands")
        return self._with(key, lambda each: replace(each, revocation=revocation))

    def merged(self, trust: TrustFile) -> Keyring:
        """With what an accepted trust file knows and this list does not: its version, keys, and revocations."""
        known = tuple(
            replace(each, revocation=listed.revocation)
            if each.revocation is None and (listed := trust.find(each.id)) is not None
            else each
            for each in self.keys
        )
        ids = {each.id for each in known}
        keys = (*known, *(each for each in trust.keys if each.id not in ids))
        return replace(self, keys=keys, trust_version=trust.version)

    def _with(self, key: PublicKey, change: Callable[[TrustedKey], TrustedKey]) -> Keyring:
        return replace(self, keys=tuple(change(each) if each.public_key == key else each for each in self.keys))


@contextlib.contextmanager
def changing(folder: Path) -> Iterator[None]:
    """For the length of a ``with`` block nobody else changes the keys in a ``keys`` folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def new_keyring(origin: str, gate: PublicKey, log: PublicKey, *, now: datetime | None = None) -> Keyring:
    """The list of a new workspace."""
    start = now or datetime.now(UTC)
    ring = Keyring(origin, ()).with_key("gate", "gate", gate, days=DEFAULT_DAYS, now=start)
    return ring.with_key("log", "log", log, days=DEFAULT_DAYS, now=start)


def _second(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)
