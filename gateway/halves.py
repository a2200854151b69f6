"""On which side is each person, in every release of a dataset? Halves that are drawn once and kept.

An audit compares people the synthesizer saw with people it did not. Were the halves drawn anew for each release, the
people held out of one would have been learned from in another: what several releases give away together could not be
seen, since nobody would be left whom none of them knows. So a person's side is kept for all releases of a dataset.

People are known by their lots (``gateway.intake.lone_split``): keyed digests, so the file of sides tells nothing to
whoever lacks the key. Those the file does not know are divided so that each class of the target is halved as evenly as
can be, those with the smallest lots held out; so a release under differential privacy, where nobody's side may depend
on anybody else and the lot alone decides, nearly agrees (but for about 0.4 people in each square root of a class).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from audit.record import files
from gateway.errors import WorkspaceError
from gateway.files import make_private_folder
from gateway.intake import RawTable, TypedTable, draw_lots, split_alone, split_on
from gateway.intake.lone_split import Lots
from policies import Dictionary

HOLDOUT_SHARE = 0.5  # equal halves, so that nearness to either is comparable without a correction

_HEAD = b"sluice sides 1\n"
_KEPT = np.dtype([("lot", "<u8"), ("held_out", "u1")])
_LARGEST = 1 << 30  # bytes: about a hundred million people

Rows = NDArray[np.int64]


def split_key(secret: bytes, dataset: str) -> bytes:
    """The key by which people of ``dataset`` are known: of its own, and the same in every release."""
    return HKDF(SHA256(), 32, salt=b"sluice lone split", info=dataset.encode()).derive(secret)


def vote_key(secret: bytes, dataset: str) -> bytes:
    """The key by which people of ``dataset`` are dealt to the parts of a private gate; it tells nothing of sides."""
    return HKDF(SHA256(), 32, salt=b"sluice private gate", info=dataset.encode()).derive(secret)


@dataclass(frozen=True)
class Sides:
    """Rows to learn from, rows held out, and the share of rows of people whom an earlier release did not know.

    ``lots`` are, for each row of the table, what its person is dealt to a part of a private gate by; None without one.
    """

    seen: Rows
    unseen: Rows
    strangers: float = 0.0
    lots: Lots | None = None

    def __iter__(self) -> Iterator[Rows]:
        """The two sides."""
        return iter((self.seen, self.unseen))


@dataclass(frozen=True)
class LoneHalves:
    """Each person's side by their lot alone: under differential privacy nobody's side may depend on anybody else.

    With ``vote_key`` each person draws another lot, by which they are dealt to the parts of a private gate.
    """

    dictionary: Dictionary
    key: bytes
    vote_key: bytes | None = None

    def __call__(self, raw: RawTable, _: TypedTable) -> Sides:
        """Rows to learn from and rows held out."""
        patient = self.dictionary.patient
        seen, unseen = split_alone(draw_lots(raw, patient, self.key), HOLDOUT_SHARE)
        return Sides(seen, unseen, lots=None if self.vote_key is None else draw_lots(raw, patient, self.vote_key))


@dataclass(frozen=True)
class KeptHalves:
    """Halves within each class of the target, remembered in ``folder`` for all releases of ``dataset``."""

    dictionary: Dictionary
    key: bytes
    folder: Path
    dataset: str

    def __call__(self, raw: RawTable, table: TypedTable) -> Sides:
        """Rows to learn from and rows held out; whoever is new is remembered before this returns.

        Raises
        ------
        WorkspaceError
            The file of sides is not as it was written, or cannot be written.
        """
        lots = draw_lots(raw, self.dictionary.patient, self.key)
        target = self.dictionary.target
        classes = None if target is None else table.frame[target].cat.codes.to_numpy().astype(np.int64)
        with _alone(self.folder):
            kept = self._read()
            known = _sides(lots, kept)
            rng = np.random.default_rng(int.from_bytes(self.key, "big"))
            seen, unseen = split_on(table.people, known, lots, rng, HOLDOUT_SHARE, classes)
            new = np.flatnonzero(known < 0)
            if len(new):
                self._write(_joined(kept, lots[new], np.isin(new, unseen)))
        return Sides(seen, unseen, len(new) / len(lots) if len(kept) else 0.0)

    @property
    def _file(self) -> Path:
        return self.folder / f"{self.dataset}.sides"

    def _read(self) -> NDArray[np.void]:
        if not self._file.exists():
            return np.empty(0, dtype=_KEPT)
        content = files.read(self._file, maximum=_LARGEST, error=WorkspaceError)
        body = content.removeprefix(_HEAD)
        if len(body) == len(content) or len(body) % _KEPT.itemsize:
            raise WorkspaceError(f"{self._file.name}: not as Sluice wrote it; restore it from a backup")
        return np.frombuffer(body, dtype=_KEPT)

    def _write(self, kept: NDArray[np.void]) -> None:
        files.replace(self._file, _HEAD + kept.tobytes(), mode=0o600, error=WorkspaceError)


def _sides(lots: NDArray[np.uint64], kept: NDArray[np.void]) -> Rows:
    """1 for a row of somebody held out, 0 of somebody learned from, -1 of somebody new."""
    if not len(kept):
        return np.full(len(lots), -1, dtype=np.int64)
    place = np.minimum(np.searchsorted(kept["lot"], lots), len(kept) - 1)
    found: Rows = np.where(kept["lot"][place] == lots, kept["held_out"][place].astype(np.int64), -1)
    return found


def _joined(kept: NDArray[np.void], lots: NDArray[np.uint64], held_out: NDArray[np.bool_]) -> NDArray[np.void]:
    more = np.empty(len(lots), dtype=_KEPT)
    more["lot"], more["held_out"] = lots, held_out
    both = np.concatenate([kept, more])
    return both[np.unique(both["lot"], return_index=True)[1]]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time between reading and writing; the folder is locked, since the file is replaced."""
    with suppress(FileExistsError):
        make_private_folder(folder)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
