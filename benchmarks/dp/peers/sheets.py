"""Where is a large clique best split, so that matrix products sum its cells?

Split at two axes j and k, the cells are R[o] A[o, j] B[o, k] E[g, j, k]: o runs over all other axes, g over those that
some table has together with both j and k. ``calibrate.c`` does the sums; here is which axes, and how the sheets lie.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

Names = tuple[str, ...]
Cut = tuple[Names, str, str]
"""The columns of g, and j and k."""

AXES = 24
SPLIT_CELLS = 400
PASS, PRODUCT, SHEET, CALL = 8.0, 0.4, 8.0, 300.0
"""Nanoseconds, as measured: a cell of a pass, of a product, of a sheet, and a call of a product."""


def cut(names: Names, tables: Sequence[Names], size: Mapping[str, int]) -> Cut | None:
    """The cheapest split of a clique whose cells are the sum of these tables; None where a pass over it costs less."""
    cells = math.prod(size[name] for name in names)
    best, found = PASS * cells, None
    for left, right in combinations(names, 2) if cells >= SPLIT_CELLS else ():
        shared = {name for columns in tables if {left, right} <= set(columns) for name in columns} - {left, right}
        both = tuple(name for name in names if name in shared)
        groups = math.prod(size[name] for name in both)
        sheets = cells // size[left] + cells // size[right] + groups * size[left] * size[right]
        cost = PRODUCT * cells + SHEET * sheets + CALL * groups
        if cost < best:
            best, found = cost, (both, left, right)
    return found


def strides(names: Names, columns: Names, size: Mapping[str, int]) -> list[int]:
    """How far a step along each axis of ``names`` goes in the table of ``columns``; 0 past the last axis."""
    steps = {name: math.prod(size[later] for later in columns[place + 1 :]) for place, name in enumerate(columns)}
    return [*(steps.get(name, 0) for name in names), *[0] * (AXES - len(names))]


class Sheets:
    """The sheets of all cliques of a plan, as ``calibrate.c`` takes them."""

    def __init__(self, size: Mapping[str, int]) -> None:
        self._size = size
        self._sizes: list[int] = []
        self._levels = 1
        names = ("sheet", "sheet_axes", "sheet_shape", "sheet_table", "sheet_stride")
        lengths = ("groups", "rows", "breadth", "width")
        self._arrays: dict[str, list[Any]] = {name: [] for name in (*names, *lengths)}
        self._arrays["sheet_start"] = [0]

    def add(self, names: Names, split: Cut | None, tables: Sequence[tuple[int, Names]]) -> None:
        """The next clique, with the numbers and columns of its tables; -1 is its separator."""
        put = self._arrays
        put["sheet"].append(-1 if split is None else len(self._sizes))
        both, left, right = split or ((), "", "")
        rest = tuple(name for name in names if name not in (*both, left, right)) if split else ()
        lengths = (both, rest, (left,), (right,)) if split else ((), (), (), ())
        for name, columns in zip(("groups", "rows", "breadth", "width"), lengths, strict=True):
            put[name].append(self._cells(columns))
        if split is None:
            return
        self._levels = max(self._levels, self._cells(both))
        for kind, axes in enumerate(
            ((*both, *rest), (*both, *rest, left), (*both, *rest, right), (*both, left, right))
        ):
            for number, columns in tables:
                if kind == (left in columns) + 2 * (right in columns):
                    put["sheet_table"].append(number)
                    put["sheet_stride"].append(strides(axes, columns, self._size))
            put["sheet_start"].append(len(put["sheet_table"]))
            put["sheet_axes"].append(len(axes))
            put["sheet_shape"].append([*(self._size[name] for name in axes), *[0] * (AXES - len(axes))])
            self._sizes.append(self._cells(axes))

    def arrays(self, offset: int) -> dict[str, list[Any]]:
        """The arrays of whole numbers; sheets lie behind the first ``offset`` cells."""
        starts = [offset]
        for size in self._sizes:
            starts.append(starts[-1] + size)
        return {**self._arrays, "sheet_cells": starts}

    def room(self, offset: int) -> dict[str, int]:
        """Lengths of the arrays of doubles that the sheets need."""
        return {"cells": offset + sum(self._sizes) + 1, "products": max(self._sizes, default=1), "levels": self._levels}

    def _cells(self, names: Sequence[str]) -> int:
        return math.prod(self._size[name] for name in names)
