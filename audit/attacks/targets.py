"""Which people are attacked, and which released rows are nearest to what the attacker knows of them?

The attacker sees the release, thinned where it is large, each distinct row once and in an order of its own, so that
no copy count and no row order helps or hurts. Targets are people of train and of holdout, drawn at random and kept
whole. Distances are those of the audit's own scale over the columns the attacker knows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.columns import numbers
from audit.encoding import Encoder
from audit.neighbours import Matrix, Rows, squared_blocks
from audit.sides import REFERENCE_ROWS, SIDES, Side, draw_people
from audit.tables import AuditTables

CELLS = 250_000_000  # distances in all, before targets are thinned
TARGETS = (500, 4_000)  # but never fewer nor more people per table than these

REAL: tuple[Side, Side] = ("train", "holdout")


@dataclass(frozen=True)
class Targets:
    """Rows of the three tables: ``rows`` are positions in their frames, ``person`` codes of the same length.

    ``blocks`` hold the encoded columns of these rows, one matrix per released column.
    """

    names: tuple[str, ...]
    rows: Mapping[Side, Rows]
    person: Mapping[Side, Rows]
    blocks: Mapping[Side, Mapping[str, Matrix]]

    @classmethod
    def draw(cls, tables: AuditTables, passes: int, rng: np.random.Generator, cells: int = CELLS) -> Targets:
        """As many targets as ``passes`` searches over the release may have, of so many distances in all."""
        first = _distinct(tables.released)
        if len(first) > REFERENCE_ROWS:
            first = first[np.sort(rng.choice(len(first), REFERENCE_ROWS, replace=False))]
        wanted = int(np.clip(cells // (2 * passes * len(first)), *TARGETS))
        rows: dict[Side, Rows] = {side: _some_people(tables.people[side], wanted, rng) for side in REAL}
        rows["released"] = first
        person = {side: tables.people[side][rows[side]] for side in SIDES}
        encoder = Encoder.fit(tables.dictionary, (tables.train, tables.holdout), (tables.released,))
        names = tables.dictionary.released
        drawn = {side: tables.frames[side].iloc[rows[side]] for side in SIDES}
        blocks = {
            side: {name: part(drawn[side]) for name, part in zip(names, encoder.parts, strict=True)} for side in SIDES
        }
        return cls(names, rows, person, blocks)

    @staticmethod
    def searches(tables: AuditTables) -> int:
        """How many searches over the release leave every person a target, or as many of them as are ever drawn."""
        people = min(max(len(np.unique(tables.people[side])) for side in REAL), TARGETS[1])
        return CELLS // (2 * people * min(len(tables.released), REFERENCE_ROWS))

    def matrix(self, side: Side, columns: Sequence[str]) -> Matrix:
        """The (n, w) encoded rows over some columns."""
        return np.hstack([self.blocks[side][name] for name in columns])

    def known(self, columns: Sequence[str]) -> Matrix:
        """What the attacker knows of the targets: the rows of train, then those of holdout."""
        return np.vstack([self.matrix(side, columns) for side in REAL])

    def count(self, side: Side) -> int:
        """How many people of a table are in it."""
        return len(np.unique(self.person[side]))


@dataclass(frozen=True)
class Match:
    """The nearest released row of each of (q,) targets, and how lonely that match is.

    ``loneliness`` in [0, 1] is the nearest distance over that to the tenth nearest row: 0 for a row that lies on the
    target with nothing else about, 1 where ten rows lie equally near.
    """

    index: Rows
    loneliness: Matrix


CROWD = 10  # rows among which a match must stand out


def match(targets: Targets, columns: Sequence[str]) -> dict[Side, Match]:
    """Match people of train and of holdout to the release by these columns."""
    queries = targets.known(columns)
    index = np.empty(len(queries), dtype=np.int64)
    loneliness = np.empty(len(queries))
    place = min(CROWD, len(targets.rows["released"])) - 1
    for start, squared, slack in squared_blocks(queries, targets.matrix("released", columns)):
        part = slice(start, start + len(squared))
        own = np.einsum("ij,ij->i", queries[part], queries[part])
        low = _Low.of(squared, (0, place), slack)
        rows, found = low.up_to(0)
        index[part] = found[np.searchsorted(rows, np.arange(len(squared)))]
        near, far = (_distance(end + own, slack) for end in low.ends)
        loneliness[part] = np.where(far > 0, near / np.where(far > 0, far, 1.0), 1.0)
    train = len(targets.rows["train"])
    return {"train": Match(index[:train], loneliness[:train]), "holdout": Match(index[train:], loneliness[train:])}


def nearest_sets(
    targets: Targets, columns: Sequence[str], sizes: Sequence[int]
) -> Iterator[tuple[slice, list[tuple[Rows, Rows]]]]:
    """Block by block of targets, those of train before those of holdout: which released rows are nearest to each.

    For each of ``sizes``, those among that many nearest, and rows that tie with the last one: pairs (target, place) by
    target, where a place is that of target and released row in the block, counted row by row.
    """
    queries, rows_there = targets.known(columns), len(targets.rows["released"])
    places = [min(size, rows_there) - 1 for size in sizes]
    for start, squared, slack in squared_blocks(queries, targets.matrix("released", columns)):
        low = _Low.of(squared, places, slack)
        pairs = [low.up_to(number) for number in range(len(places))]
        yield slice(start, start + len(squared)), [(rows, rows * rows_there + found) for rows, found in pairs]


def _distinct(frame: pd.DataFrame) -> Rows:
    """Position of the first of all equal rows, in an order that depends on the values alone; missing equals missing."""
    values = np.column_stack([numbers(frame, name) for name in frame.columns]) + 0.0  # there is one zero
    values[np.isnan(values)] = np.nan
    bits = np.ascontiguousarray(values).view(np.dtype((np.void, values.itemsize * values.shape[1])))
    return np.unique(bits.ravel(), return_index=True)[1].astype(np.int64)


def _some_people(people: Rows, wanted: int, rng: np.random.Generator) -> Rows:
    """Positions of the rows of about ``wanted`` people."""
    per_person = len(people) / len(np.unique(people))
    return draw_people(people, math.ceil(wanted * per_person), rng)


@dataclass(frozen=True)
class _Low:
    """The smallest cells of every row of a block: their rows, in order, columns and values.

    ``ends`` are the values (rows,) at the places asked about, in ascending order of a row; cells up to ``slack``
    (rows,) above any of them are among these cells.
    """

    rows: Rows
    columns: Rows
    values: NDArray[np.floating[Any]]
    ends: list[Matrix]
    slack: Matrix

    @classmethod
    def of(cls, squared: NDArray[np.floating[Any]], places: Sequence[int], slack: Matrix) -> _Low:
        """Every row is cut into stretches; no wanted cell is larger than the wanted place among their least.

        That takes two passes over the block, where sorting it out takes twenty.
        """
        rows, width = squared.shape
        last = max(places)
        length = int(np.sqrt(width))
        stretches = width // length
        if stretches <= 2 * last:
            bound = np.partition(squared, last, axis=1)[:, last]
        else:
            least = squared[:, : stretches * length].reshape(rows, stretches, length).min(axis=2)
            bound = np.partition(least, last, axis=1)[:, last]
        limit = (bound + slack).astype(squared.dtype)
        row, column = np.divmod(np.flatnonzero(squared <= limit[:, None]), width)
        values = squared[row, column]
        ascending = values[np.lexsort((values, row))]
        first = np.searchsorted(row, np.arange(rows))
        return cls(row, column, values, [ascending[first + place].astype(np.float64) for place in places], slack)

    def up_to(self, number: int) -> tuple[Rows, Rows]:
        """Rows and columns of the cells no larger than the end of this number, but for rounding."""
        limit = (self.ends[number] + self.slack).astype(self.values.dtype)
        kept = self.values <= limit[self.rows]
        return self.rows[kept], self.columns[kept]


def _distance(squared: Matrix, slack: Matrix) -> Matrix:
    """Root of a squared distance; what rounding cannot tell from zero is zero."""
    return np.sqrt(np.where(squared <= slack, 0.0, squared))
