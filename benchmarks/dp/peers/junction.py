"""What does a junction tree tell without a detour: the table of two far columns, the size of a larger tree?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Names = tuple[str, ...]
OVERFLOW = 2**63


class Across:
    """Joint tables of two columns that share no clique, in a calibrated junction tree.

    P(a, t) = sum over s of P(a, s) P(s, t) / P(s), where s is the separator through which t is met from a, and so on
    from clique to clique.

    Parameters
    ----------
    tree : with ``neighbors(clique)``; every two neighbours' common columns are their separator.
    marginal : of a clique and some of its columns, the table of those columns in that order.
    """

    def __init__(self, cliques: Sequence[Names], tree: Any, marginal: Callable[[Names, Names], Floats]) -> None:
        self._cliques, self._tree, self._marginal = cliques, tree, marginal
        self._parts: dict[tuple[Names, Names], Floats] = {}
        self._found: dict[tuple[str, str], Floats] = {}
        self._spread_from: set[str] = set()

    def joint(self, left: str, right: str) -> Floats:
        """The table (left, right), which must share no clique."""
        if left not in self._spread_from and right not in self._spread_from:
            self._spread(left)
            self._spread_from.add(left)
        return self._found[left, right] if (left, right) in self._found else self._found[right, left].T

    def _part(self, clique: Names, columns: Names) -> Floats:
        if (clique, columns) not in self._parts:
            self._parts[clique, columns] = self._marginal(clique, columns)
        return self._parts[clique, columns]

    def _spread(self, start: str) -> None:
        """Tables of ``start`` and every other column, from the cliques of ``start`` outward."""
        home = next(clique for clique in self._cliques if start in clique)
        todo: list[tuple[Names, Names, Names, Floats]] = [(home, (), (), np.ones(1))]
        while todo:
            clique, came_from, separator, carried = todo.pop()
            share = carried
            if start not in clique:
                beside = self._part(clique, separator)
                share = np.divide(carried, beside, out=np.zeros_like(carried), where=beside > 0)
                for column in clique:
                    if column not in separator:
                        self._found[start, column] = self._carry(share, separator, clique, (column,))
            for neighbour in self._tree.neighbors(clique):
                onward = tuple(name for name in clique if name in neighbour)
                if neighbour == came_from:
                    continue
                if start in neighbour:
                    todo.append((neighbour, clique, (), carried))
                elif start in clique:
                    todo.append((neighbour, clique, onward, self._part(clique, (start, *onward))))
                else:
                    todo.append((neighbour, clique, onward, self._carry(share, separator, clique, onward)))

    def _carry(self, share: Floats, separator: Names, clique: Names, onward: Names) -> Floats:
        """The table (start, onward): share (start, separator) times the clique, summed over what is left."""
        both = (*separator, *(name for name in onward if name not in separator))
        letter = {name: place + 1 for place, name in enumerate(both)}
        product: Any = np.einsum  # its types know no lists of axes
        table = product(
            share,
            [0, *(letter[name] for name in separator)],
            self._part(clique, both),
            [letter[name] for name in both],
            [0, *(letter[name] for name in onward)],
            optimize=True,
        )
        return np.asarray(table, dtype=np.float64)


class Sizes:
    """Cells of all cliques of a model with one clique more: dpmm's ``hypothetical_model_size`` without building it.

    The same greedy elimination (the least new clique first, ties in the order of the columns); the cliques it leaves
    are the maximal ones of the triangulated graph. Sets of columns are bit masks.
    """

    def __init__(self, columns: Sequence[str], shape: Sequence[int], cliques: Sequence[Names]) -> None:
        self._place = {name: place for place, name in enumerate(columns)}
        self._shape = [int(size) for size in shape]
        self._known: dict[int, int] = {}
        self._around = [0] * len(self._shape)
        for clique in cliques:
            self._join(self._around, clique)

    def with_one_more(self, clique: Names) -> int:
        """Cells of all cliques together.

        Raises
        ------
        OverflowError
            A clique of 2^63 cells is on the way, where dpmm's integers would wrap around.
        """
        around = list(self._around)
        self._join(around, clique)
        left, kept = list(range(len(around))), list[int]()
        while left:
            first = min(left, key=lambda column: self._cells(around[column]))
            mask = around[first]
            left.remove(first)
            if not any(mask & other == mask for other in kept):
                kept.append(mask)
            for other in left:
                if mask >> other & 1:
                    around[other] = (around[other] | mask) & ~(1 << first)
        return sum(map(self._cells, kept))

    def _join(self, around: list[int], clique: Names) -> None:
        mask = sum(1 << self._place[name] for name in clique)
        for name in clique:
            around[self._place[name]] |= mask

    def _cells(self, mask: int) -> int:
        if mask not in self._known:
            product = 1
            for place, size in enumerate(self._shape):
                product *= size if mask >> place & 1 else 1
            if product >= OVERFLOW:
                raise OverflowError("a clique of 2^63 cells or more, where dpmm's integers wrap around")
            self._known[mask] = product
        return self._known[mask]
