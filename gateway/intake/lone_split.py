"""Which patients are never learned from, if nobody's side may depend on anybody else? Each by a lot of their own.

The split of ``gateway.intake.split`` makes exact halves within each class: one more patient can move all the others,
and under differential privacy a table and its neighbour would then differ in far more than one patient. Here a table
with one patient more gives two parts of which one has that patient more and nothing else differs, so a mechanism that
is (epsilon, delta)-DP on the part it learns from is (epsilon, delta)-DP on the whole table. No amplification is claimed
for the part left out.
"""

from __future__ import annotations

import hmac
import os

import numpy as np
from numpy.typing import NDArray

from gateway.intake.errors import refuse
from gateway.intake.raw import Cells

_LOTS = 2**64


def split_alone(
    rows: int, patients: Cells | None, key: bytes, holdout_fraction: float = 0.5
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row indices of a training and a holdout part that share no patient.

    With ``patients``, a patient's lot is HMAC-SHA256 of their identifier (as it is spelled in the file, in UTF-8) under
    ``key``: the same in every release that uses the key, so whoever was held out once is never learned from, and none
    but the key's holder can tell who it is.

    Without them, one row is one person, and a row has nothing to be known by: its position moves when a row is added
    before it, and its content would send everyone who is alike to one side. Its lot is drawn from the operating
    system's generator, anew in each release. Coupled row by row, the lots of a table and of its neighbour agree on all
    rows they share, wherever the added row stands; this needs no assumption on the order of rows.

    Parameters
    ----------
    rows : number of rows of the table.
    patients : the patient column, one cell per row, none of them missing; None where one row is one person.
    key : secret, of at least 32 bytes, for this dataset alone.
    holdout_fraction : chance of each person to be held out, within (0, 1); the parts are that large in expectation.

    Returns
    -------
    train, holdout : arrays
        Ascending row indices; together every row once.

    Raises
    ------
    IntakeError
        A side stays empty, shapes differ, the fraction is outside (0, 1), or the key is short.
    """
    if not 0 < holdout_fraction < 1:
        raise refuse("the holdout fraction is not between 0 and 1", "give a share such as 0.5")
    if len(key) < 32:
        raise refuse("the key of the split has fewer than 32 bytes", "use a key of 32 random bytes")
    below = round(holdout_fraction * _LOTS)
    if patients is None:
        lots = np.frombuffer(os.urandom(8 * rows), dtype=np.uint64)
        out = lots < np.uint64(below)
    else:
        held = [_lot(key, name) < below for name in patients.spellings]
        out = patients.spread(np.array(held, dtype=np.bool_), False)
    if len(out) != rows:
        raise refuse("the patient column is not one cell per row", "give the column of the same table")
    if out.all() or not out.any():
        raise refuse("all people fell on one side of the split", "collect more people before asking for a release")
    return np.flatnonzero(~out), np.flatnonzero(out)


def _lot(key: bytes, name: str) -> int:
    return int.from_bytes(hmac.digest(key, name.encode(), "sha256")[:8], "big")
