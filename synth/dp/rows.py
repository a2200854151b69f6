"""What lies behind the seal? Declared codes only, at most so many rows of one patient, and true counts of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth.dp.budget import PrivacyBudget
from synth.dp.events import PrivacyError
from synth.dp.randomness import SystemRandomness


@dataclass(frozen=True, repr=False)
class Rows:
    """What a sealed table holds; only it may. ``codes`` is (d, n)."""

    codes: NDArray[np.int32]
    owners: NDArray[np.int64]
    patients: int
    sizes: tuple[int, ...]
    max_rows: int
    budget: PrivacyBudget
    randomness: SystemRandomness
    cache: dict[tuple[int, ...], NDArray[np.int64]] = field(default_factory=dict)
    sources: frozenset[str] = frozenset()

    def counts(self, columns: tuple[int, ...]) -> NDArray[np.int64]:
        """True counts, flat, last column fastest."""
        if columns not in self.cache:
            cell = np.zeros(self.codes.shape[1], dtype=np.int32)
            for column in columns:
                cell *= self.sizes[column]
                cell += self.codes[column]
            cells = math.prod(self.sizes[column] for column in columns)
            self.cache[columns] = np.bincount(cell, minlength=cells).astype(np.int64)
        return self.cache[columns]


def checked_codes(
    codes: NDArray[Any], sizes: tuple[int, ...], people: NDArray[Any], max_rows: int
) -> NDArray[np.int32]:
    """The (n, d) codes, once they lie in the declared domain and every row names a patient.

    Raises
    ------
    PrivacyError
        Names the column and how many rows, never a value.
    """
    table = np.asarray(codes)
    if table.ndim != 2 or table.shape[1] != len(sizes) or table.dtype.kind not in "iu":
        raise PrivacyError(
            f"codes must be whole numbers of shape (rows, {len(sizes)}), found {table.dtype} {table.shape[1:]}"
        )
    if np.asarray(people).shape != table.shape[:1] or np.asarray(people).dtype.kind not in "iu":
        raise PrivacyError("people must give one whole number per row")
    if max_rows < 1 or any(size < 1 for size in sizes):
        raise PrivacyError("max_rows and every column's number of cells must be at least 1")
    for column, size in enumerate(sizes):
        astray = int(((table[:, column] < 0) | (table[:, column] >= size)).sum())
        if astray:
            raise PrivacyError(f"column {column} has {astray} rows outside its declared {size} cells")
    return table.astype(np.int32)


def numbered(codes: NDArray[np.int32], owners: NDArray[np.intp], numbers: NDArray[np.int32]) -> NDArray[np.int32]:
    """The (n, d) codes with one column more: the cell of the number of rows that the row's patient has among them.

    Parameters
    ----------
    owners : (n,) patients of the rows that stayed; each has at most ``len(numbers)``.
    numbers : (max_rows,) declared cell of 1, 2, ..., max_rows rows.

    The column needs no more noise than any other. It is a function of one patient's rows alone (how many of them
    stayed), so a patient more or less changes no one else's cell of it: tables that differ in one patient still differ
    in that patient's rows only, ``max_rows`` at most. All counts of a table over any columns, this one among them, then
    move by ``max_rows`` at most in L1, and so in L2, as is charged for. Only rows that stayed are counted: of all rows
    of a patient the number would be unbounded, and would not be that of the rows which the other columns tell of.
    """
    rows = np.bincount(owners)[owners]
    return np.column_stack([codes, numbers[rows - 1]]).astype(np.int32)


def bounded_rows(owners: NDArray[np.intp], max_rows: int, randomness: SystemRandomness) -> NDArray[np.intp]:
    """Rows that stay, at most ``max_rows`` of each patient, in their old order.

    Which rows of a patient stay depends on no one else's rows, and every choice of ``max_rows`` among them is equally
    likely; so tables that differ in one patient can be coupled to differ in at most ``max_rows`` rows.
    """
    if not owners.size or np.bincount(owners).max() <= max_rows:
        return np.arange(owners.size)
    shuffled = randomness.permutation(owners.size)
    grouped = shuffled[np.argsort(owners[shuffled], kind="stable")]  # patients in order, rows of each at random
    starts = np.searchsorted(owners[grouped], owners[grouped])
    return np.sort(grouped[np.arange(owners.size) - starts < max_rows])
