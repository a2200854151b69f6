"""Which patients are never learned from, if nobody's side may depend on anybody else? Each by a lot of their own.

The split of ``gateway.intake.split`` makes exact halves within each class: one more patient can move others, and under
differential privacy a table and its neighbour would then differ in more than one patient. Here a table with one patient
more gives two parts of which one has that patient more and nothing else differs, so a mechanism that is (epsilon,
delta)-DP on the part it learns from is (epsilon, delta)-DP on the whole table. No amplification is claimed for the part
left out.
"""

from __future__ import annotations

import hmac

import numpy as np
from numpy.typing import NDArray

from gateway.intake.errors import refuse
from gateway.intake.raw import RawTable

_LOTS = 2**64
_NULL, _BETWEEN = "\x00", "\x1f"

Lots = NDArray[np.uint64]


def draw_lots(raw: RawTable, patient: str | None, key: bytes) -> Lots:
    """One lot per row, uniform on the 64-bit numbers and the same for all rows of one patient.

    With ``patient``, the column that names them, a lot is HMAC-SHA256 of the identifier (as it is spelled in the file,
    in UTF-8) under ``key``: the same in every release that uses the key, so whoever was held out once is never learned
    from, and none but the key's holder can tell who it is.

    Without it, one row is one person, known by all cells of the row, in whatever order rows and columns stand. Rows
    that are equal in all of them are numbered, and each number has its own lot: of a table and the same table with one
    row more, wherever it stands, the lots are those of the first and one more, as multisets of rows. A row of which a
    cell was corrected is somebody new.

    Parameters
    ----------
    key : secret, of at least 32 bytes, for this dataset alone.

    Raises
    ------
    IntakeError
        The key is short.
    """
    if len(key) < 32:
        raise refuse("the key of the split has fewer than 32 bytes", "use a key of 32 random bytes")
    if patient is not None:
        cells = raw.columns[patient]
        return cells.spread(np.array([_lot(key, name) for name in cells.spellings], dtype=np.uint64), 0)
    columns = [
        np.array([*cells.spellings, _NULL], dtype=object)[cells.codes] for _, cells in sorted(raw.columns.items())
    ]
    seen: dict[str, int] = {}
    lots = np.empty(raw.row_count, dtype=np.uint64)
    for row, cells_of_row in enumerate(zip(*columns, strict=True)):
        text = _BETWEEN.join(cells_of_row)
        number = seen.get(text, 0)
        seen[text] = number + 1
        lots[row] = _lot(key, f"{number}{_BETWEEN}{text}")
    return lots


def split_alone(lots: Lots, holdout_fraction: float = 0.5) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row indices of a training and a holdout part that share no patient.

    Parameters
    ----------
    lots : (n,) array of :func:`draw_lots`.
    holdout_fraction : chance of each person to be held out, within (0, 1); the parts are that large in expectation.

    Returns
    -------
    train, holdout : arrays
        Ascending row indices; together every row once.

    Raises
    ------
    IntakeError
        A side stays empty, or the fraction is outside (0, 1).
    """
    if not 0 < holdout_fraction < 1:
        raise refuse("the holdout fraction is not between 0 and 1", "give a share such as 0.5")
    out = lots < np.uint64(round(holdout_fraction * _LOTS))
    if out.all() or not out.any():
        raise refuse("all people fell on one side of the split", "collect more people before asking for a release")
    return np.flatnonzero(~out), np.flatnonzero(out)


def _lot(key: bytes, name: str) -> int:
    return int.from_bytes(hmac.digest(key, name.encode(), "sha256")[:8], "big")
