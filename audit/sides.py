"""Which rows are compared, and what are the nearest neighbours between them? Drawn once, searched once.

A table too large for every pair is thinned in two ways. *References* stay whole up to ``REFERENCE_ROWS``, because a
leaked row counts only where its source is among the references; *queries*, whose shares are what a measure reports,
are at most ``QUERY_ROWS`` rows drawn at random, and the interval reflects that. People are kept whole (the last one
drawn may be cut, so that sizes come out equal).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from audit.neighbours import Matrix, Nearest, Reference, Rows, nearest

Side = Literal["train", "holdout", "released"]
SIDES: tuple[Side, ...] = ("train", "holdout", "released")

REFERENCE_ROWS = 120_000
QUERY_ROWS = 4_000
ROUGH = 4  # one query in so many tells a row's spacing roughly


class Sides:
    """Draws of the three tables, with a memory of every neighbour search between them.

    ``matrix[side]`` (m, w) and ``people[side]`` (m,) hold the drawn rows; positions everywhere count in them.
    ``drawn[side]`` (m,) says where they stand in the whole table, ``queries[side]`` at which positions measures ask.
    ``points`` is how many people there are in all; see ``ids``.
    ``searched[side]`` are the drawn rows as a table to search.

    Parameters
    ----------
    draws : of each table, where the drawn rows stand in it, and these rows
    people : of each table, whose its rows are, all of them
    """

    def __init__(
        self,
        draws: Mapping[Side, tuple[Rows, Reference]],
        people: Mapping[Side, Rows],
        rng: np.random.Generator,
    ) -> None:
        self.drawn: dict[Side, Rows] = {side: draws[side][0] for side in SIDES}
        self.searched: dict[Side, Reference] = {side: draws[side][1] for side in SIDES}
        self.matrix: dict[Side, Matrix] = {side: table.rows for side, table in self.searched.items()}
        self.people: dict[Side, Rows] = {side: people[side][self.drawn[side]] for side in SIDES}
        self.queries: dict[Side, Rows] = {side: draw_people(self.people[side], QUERY_ROWS, rng) for side in SIDES}
        self._ids: dict[Side, Rows] = {}
        self.points = 0
        for side in SIDES:
            _, person = np.unique(self.people[side], return_inverse=True)
            self._ids[side] = self.points + person.astype(np.int64)
            self.points += int(person.max(initial=-1)) + 1
        self._rough: dict[Side, Matrix] = {}
        self._found: dict[tuple[Side, Side], Nearest] = {}

    def rows(self, side: Side) -> int:
        """How many rows of a table were drawn."""
        return len(self.people[side])

    def ids(self, side: Side, positions: Rows) -> Rows:
        """Codes of the people at these positions, in one ``range(points)`` for all three tables."""
        return self._ids[side][positions]

    def nearest(self, of: Side, among: Side, positions: Rows | None = None) -> Nearest:
        """Nearest rows of table ``among`` to rows of table ``of``, at ``positions`` or else at its queries.

        Within one table, rows of the same person are passed over.
        """
        wanted = self.queries[of] if positions is None else positions
        known = self._found.setdefault(
            (of, among), Nearest(np.full(self.rows(of), np.nan), np.full(self.rows(of), -1, dtype=np.int64))
        )
        missing = np.unique(wanted[np.isnan(known.distance[wanted])])
        if len(missing):
            apart = of == among
            found = nearest(
                self.matrix[of][missing],
                self.searched[among],
                self.people[of][missing] if apart else None,
                self.people[among] if apart else None,
            )
            known.distance[missing] = found.distance
            known.index[missing] = found.index
        return Nearest(known.distance[wanted], known.index[wanted])

    def spacing_bound(self, side: Side) -> Matrix:
        """What the distance of every row to its nearest stranger on its own side is at the most.

        It is the distance to the nearest of some of the side's queries, its own person passed over.
        """
        if side not in self._rough:
            self._rough[side] = self._to_some(side, slice(None), self.queries[side][::ROUGH])
        return self._rough[side]

    def loneliest(self, side: Side, count: int) -> Rows:
        """The ``count`` rows farthest from the nearest of their own side's queries, own person passed over, in order.

        Every fourth query alone tells of most rows that they are too near; the others are held against all of them.
        """
        rough = self.spacing_bound(side).copy()
        rest = np.delete(self.queries[side], np.s_[::ROUGH])
        done = np.zeros(len(rough), dtype=np.bool_)
        limit = np.sort(rough)[-min(count + count // 2, len(rough))]
        while True:
            asked = np.flatnonzero(~done & (rough >= limit))
            if not len(asked):
                break
            rough[asked] = np.minimum(rough[asked], self._to_some(side, asked, rest))
            done[asked] = True
            limit = np.sort(rough[done])[-count]
        return np.sort(np.argsort(-rough, kind="stable")[:count]).astype(np.int64)

    def _to_some(self, side: Side, rows: Rows | slice, some: Rows) -> Matrix:
        matrix, people = self.matrix[side], self.people[side]
        table = Reference(matrix[some], self.searched[side])
        return nearest(matrix[rows], table, people[rows], people[some]).distance


def draw_people(people: Rows, rows: int, rng: np.random.Generator) -> Rows:
    """Positions of ``rows`` rows, in order, person after person at random; all of them where there are no more."""
    if len(people) <= rows:
        return np.arange(len(people), dtype=np.int64)
    _, person = np.unique(people, return_inverse=True)
    turn = rng.permutation(int(person.max()) + 1)[person]
    chosen: NDArray[np.int64] = np.argsort(turn, kind="stable")[:rows]
    return np.sort(chosen)
