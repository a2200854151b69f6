"""Which entry did this workspace write last? Kept beside the ledger, so that an older copy of it is recognised."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from audit.record import files
from gateway.errors import LedgerError

_MODE = 0o600


class Mark:
    """Sequence and head of the newest entry, in a small file of the workspace.

    Records cite heads too, but only once a release has ended: the mark also tells of a ledger that was put back after
    a charge whose release then crashed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def create(cls, path: Path, sequence: int, head: str) -> Mark:
        mark = cls(path)
        files.create(path, _content(sequence, head), mode=_MODE, error=LedgerError)
        return mark

    def read(self) -> tuple[int, str]:
        """Sequence (0 for an empty ledger) and head.

        Raises
        ------
        LedgerError
            The file is missing or not as written.
        """
        content = files.read(self._path, maximum=1024, error=LedgerError)
        try:
            values = json.loads(content)
            return int(values["sequence"]), str(values["head"])
        except (KeyError, TypeError, ValueError):
            raise LedgerError(f"{self._path.name}: not as Sluice wrote it; restore the newest one") from None

    def advance(self, sequence: int, head: str) -> None:
        """Remember a newer entry; of two processes that finish out of order the newer entry stays."""
        with self._alone():
            if sequence > self.read()[0]:
                files.replace(self._path, _content(sequence, head), mode=_MODE, error=LedgerError)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time between reading and replacing; the folder is locked, since the file is replaced."""
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)


def _content(sequence: int, head: str) -> bytes:
    return json.dumps({"sequence": sequence, "head": head}).encode()
