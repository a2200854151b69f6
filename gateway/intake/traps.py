"""What in this table is likely to mislead? Known traps of patient tables, told in counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from gateway.intake import names
from gateway.intake.absent import READ_AS_MISSING, says_unknown
from gateway.intake.cells import numbers
from gateway.intake.guess import RARE, Proposal
from gateway.intake.raw import Cells

_STAND_IN_DAYS = ("1900-01-01", "1970-01-01", "9999-12-31")
_FEW = 20
_SMALL_SITE = 300  # people; with fewer a share is known to no better than 6 points on either side (95 %)
_ENOUGH = 20


@dataclass(frozen=True)
class Remark:
    """What one comment says of a column.

    ``spelled`` holds the values it quotes, as they stand in the text: whoever passes the text on decides by these
    whether he may, since a cell can hold any sign and so cannot be found again in a text. Only suggestions quote any.
    """

    text: str
    spelled: tuple[str, ...] = ()


def column_traps(name: str, cells: Cells, proposal: Proposal, people: NDArray[np.int64]) -> list[Remark]:
    """Traps within one column: spikes, values and levels that may stand for missing, values filled in, categories that
    are rare or nearly constant.

    ``people`` is one code per row; values appear only where they are facts the proposal holds anyway.
    """
    kind = proposal.type
    if kind in ("integer", "number"):
        return _numeric_traps(cells, proposal)
    if kind in ("boolean", "category", "ordinal"):
        return _category_traps(name, cells, proposal, people)
    if kind in ("date", "datetime"):
        rows = int(cells.counts[[text.startswith(_STAND_IN_DAYS) for text in cells.spellings]].sum())
        return [Remark(f"TRAP {_cells(rows)} of a day that often stands for an unknown one")] if rows else []
    return []


def one_to_one(columns: Mapping[str, Cells]) -> list[tuple[str, str]]:
    """Pairs of columns that determine each other: the same fact twice. Missing is a value; constants do not count."""
    by_size: dict[int, list[str]] = {}
    codes = {name: np.unique(cells.codes, return_inverse=True)[1].astype(np.int64) for name, cells in columns.items()}
    for name, code in codes.items():
        by_size.setdefault(int(code.max()) + 1, []).append(name)
    pairs = []
    for size, alike in by_size.items():
        for a, b in combinations(alike, 2):
            if size > 1 and len(np.unique(codes[a] * size + codes[b])) == size:
                pairs.append((a, b))
    return pairs


def gaps_that_follow(columns: Mapping[str, Cells], gaps: Mapping[str, NDArray[np.bool_]]) -> list[tuple[str, str]]:
    """Pairs (a, b) where cells of a are nearly all missing in one value of b and nearly none in another.

    Parameters
    ----------
    columns : the columns b, of at most ``_FEW`` values.
    gaps : for each column a, one boolean per row: whether the cell is missing.
    """
    pairs = []
    for b, cells in columns.items():
        rows = np.bincount(cells.codes[cells.codes >= 0], minlength=len(cells.spellings))
        large = rows >= _ENOUGH
        if len(rows) > _FEW or large.sum() < 2:
            continue
        for a, gap in gaps.items():
            if a != b:
                missing = np.bincount(cells.codes[gap & (cells.codes >= 0)], minlength=len(rows))
                share = missing[large] / rows[large]
                if share.max() >= 0.9 and share.min() <= 0.1:
                    pairs.append((a, b))
    return pairs


def repeated_rows(columns: Mapping[str, Cells]) -> int:
    """Rows equal to an earlier row in every given column."""
    if not columns:
        return 0
    rows = np.stack([cells.codes for cells in columns.values()], axis=1)
    packed = np.ascontiguousarray(rows).view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1])))
    return len(rows) - len(np.unique(packed))


def _numeric_traps(cells: Cells, proposal: Proposal) -> list[Remark]:
    kept = np.array([text not in proposal.missing for text in cells.spellings], dtype=np.bool_)
    values, where = np.unique(numbers(cells.spellings)[0][kept], return_inverse=True)
    counts = np.bincount(where, weights=cells.counts[kept]).astype(np.int64)
    rows = int(counts.sum())
    told = []
    for end, word in ((0, "smallest"), (-1, "largest")):
        if len(values) >= 4 and _isolated(values, counts, end):
            kind = "zeros" if values[end] == 0 else "all-nines values" if _nines(values[end]) else f"the {word} value"
            found = f"TRAP {_cells(int(counts[end]))} of {kind} far from all others: missing in disguise, or a slip?"
            told.append(Remark(found))
            if values[end] == 0 or _nines(values[end]):
                told.append(_as_missing("if they are missing, write", [f"{values[end]:.0f}"], proposal))
    zeros = int(counts[values == 0].sum())
    if len(values) > 20 and rows / 5 <= zeros < rows:
        often = f"TRAP {zeros} of {rows} values are zero, the rest spread out: an amount that is mostly absent"
        told.append(Remark(often))
    if len(values) >= 30:
        top, second = np.argsort(counts)[[-1, -2]]
        if values[top] != 0 and counts[top] >= 5 * counts[second] and counts[top] >= rows / 50:
            told.append(Remark(f"TRAP one value stands in {counts[top]} of {rows} cells: filled in for missing ones?"))
    return told


def _isolated(values: NDArray[np.float64], counts: NDArray[np.int64], end: int) -> bool:
    """Whether the value at this end is much farther from its neighbour than the others are from each other.

    Usual stand-ins for missing (zero, all nines, a negative among none) are held against the middle nine tenths of
    the others; any other value against all of them, since long tails are common in laboratory values.
    """
    rest, weight = (values[1:], counts[1:]) if end == 0 else (values[:-1], counts[:-1])
    gap = float(abs(values[end] - (rest[0] if end == 0 else rest[-1])))
    share = np.cumsum(weight) / weight.sum()
    low, first, third, high = rest[np.searchsorted(share, [0.05, 0.25, 0.75, 0.95])]
    steps = np.diff(rest)
    if values[end] == 0 or _nines(values[end]) or (values[end] < 0 <= rest[0]):
        middle = steps[(rest[:-1] >= low) & (rest[1:] <= high)]
        return bool(gap > (third - first) / 2 and gap > 3 * middle.max(initial=0.0) and gap > 10 * np.median(steps))
    return bool(gap > third - first and gap > 3 * steps.max())


def _nines(value: float) -> bool:
    digits = f"{abs(value):.0f}"
    return abs(value) == float(digits) and set(digits) == {"9"}


def _category_traps(name: str, cells: Cells, proposal: Proposal, people: NDArray[np.int64]) -> list[Remark]:
    declared = proposal.facts["categories"]
    distinct = max(len(cells.spellings), 1)
    filled = cells.codes >= 0
    held = np.unique(people[filled] * distinct + cells.codes[filled]) % distinct  # each person once per category
    kept = np.array([text not in proposal.missing for text in cells.spellings], dtype=np.bool_)
    per_category = np.bincount(held, minlength=len(cells.spellings))[kept]
    told = _hidden_missing(cells, proposal)
    if rare := int((per_category < RARE).sum()):
        told.append(
            Remark(
                f"TRAP {rare} of {len(declared) if isinstance(declared, tuple) else 0} categories held by fewer than "
                f"{RARE} people: merge them, or keep them only as public knowledge"
            )
        )
    small = int(((per_category >= RARE) & (per_category < _SMALL_SITE)).sum())
    if small and names.is_site(name):
        told.append(
            Remark(
                f"TRAP {small} of {len(per_category)} sites have fewer than {_SMALL_SITE} people each: little can be "
                "said of one alone, and what is said points at few"
            )
        )
    rows = int(cells.counts[kept].sum())
    rest = rows - int(cells.counts[kept].max(initial=0))
    if 0 < rest < rows / 100:
        told.append(Remark(f"TRAP all but {rest} of {rows} values are the same: nearly constant"))
    return told


def _hidden_missing(cells: Cells, proposal: Proposal) -> list[Remark]:
    """Levels that may stand for no value: those other software drops unasked, and those that say unknown."""
    levels = {
        text: rows
        for text, rows in zip(cells.spellings, cells.counts.tolist(), strict=True)
        if text not in proposal.missing
    }
    told = []
    for text in sorted(levels.keys() & READ_AS_MISSING):
        told += [
            Remark(f"TRAP {_cells(levels[text])} of a level that other software reads as missing: kept as a level"),
            _as_missing("if it means missing, strike it from categories and write", [text], proposal),
        ]
    # a minus beside a plus is a result
    unknown = sorted(text for text in levels if says_unknown(text) and not (text == "-" and "+" in levels))
    if unknown:
        rows = sum(levels[text] for text in unknown)
        told += [
            Remark(f"TRAP {_cells(rows)} of a level that says unknown: missing in disguise?"),
            _as_missing("if they are missing, strike it from categories and write", unknown, proposal),
        ]
    return told


def _as_missing(when: str, spellings: Sequence[str], proposal: Proposal) -> Remark:
    """The lines that would make these spellings missing, beside those that the draft takes for missing already."""
    known = sorted(proposal.missing - {""})
    listed = tuple(dict.fromkeys((*known, *spellings)))
    quoted = ", ".join(f'"{text}"' for text in listed)
    return Remark(f"{when}:  missing = [{quoted}]  and  nullable = true", listed)


def _cells(count: int) -> str:
    return f"{count} cell{'' if count == 1 else 's'}"
