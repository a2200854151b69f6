"""How do the tables of a graphical model lie in memory for ``calibrate.c``?

A clique's log-potential is the sum of its tables: those measured in it and what earlier models left of theirs. Beside
them stand the separators towards its children, which bring messages. Where a table of a clique lies within another it
is merged into that one, so that a pass over the clique's cells meets only the largest. Every table has its axes in one
global order, the smallest column first.
"""

from __future__ import annotations

import ctypes
import importlib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.dp.peers.sheets import AXES, Sheets, cut, strides

Floats = NDArray[np.float64]
Names = tuple[str, ...]
Pieces = dict[Names, dict[Names, Floats]]
"""Of each clique: columns of a table and its cells, whose sum is the clique's log-potential."""

KEPT_CELLS = 1 << 16
WHOLE = (
    "axes shape factor_start factor_table factor_stride sep_table sep_start sep_stride merge_start merge_from "
    "merge_into merge_map kept map table_start clique_tables measured answer_start sheet sheet_axes sheet_shape "
    "sheet_start sheet_table sheet_stride sheet_cells groups rows breadth width slow"
)
REAL = "weight answers scale potential effective marginal gradient shift sum message ratio cells products levels"


class _CPlan(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64) for name in ("cliques", "tables", "measurements")),
        *((name, ctypes.c_void_p) for name in f"{WHOLE} {REAL}".split()),
        ("total", ctypes.c_double),
        ("dgemm", ctypes.c_void_p),
    )


class Plan:
    """One model: its junction tree as arrays, filled with measurements and potentials.

    Parameters
    ----------
    domain : dpmm's Domain: ``attrs`` and the size of each by ``domain[attr]``.
    cliques : maximal cliques of the model; tree : their junction tree, with ``neighbors``.
    """

    def __init__(self, domain: Any, cliques: Sequence[Names], tree: Any, total: float) -> None:
        self.size = {name: int(domain[name]) for name in domain.attrs}
        order = sorted(domain.attrs, key=self.size.__getitem__)
        self.rank = {name: place for place, name in enumerate(order)}
        self.total = total
        self._walk(cliques, tree)

    def fill(self, groups: Mapping[Names, list[Any]], pieces: Pieces) -> None:
        """Take in the measurements (Q, y, noise, columns) by clique, and the potentials to start from.

        Raises
        ------
        NotImplementedError
            A measurement is not of single cells.
        """
        self.arrays: dict[str, NDArray[Any]] = {}
        self._lay_out({c: {self.ordered(columns) for *_, columns in groups[c]} | set(pieces[c]) for c in self.cliques})
        self._split()
        self._measure(groups)
        for place, clique in enumerate(self.cliques):
            for columns, values in pieces[clique].items():
                self.arrays["potential"][self._cells_of(place, columns)] = values
        self._struct = _CPlan(
            cliques=len(self.cliques),
            tables=len(self.tables),
            measurements=len(self.arrays["measured"]),
            total=self.total,
            dgemm=_dgemm(),
            **{name: values.ctypes.data for name, values in self.arrays.items()},
        )

    def descend(self, library: ctypes.CDLL, iterations: int) -> float:
        """Mirror descent; returns the last loss. ``propagations`` tells how often beliefs were propagated."""
        count = ctypes.c_int64()
        loss = float(library.descend(ctypes.byref(self._struct), ctypes.c_int64(iterations), ctypes.byref(count)))
        self.propagations = int(count.value)
        return loss

    def pieces(self) -> Pieces:
        """The potentials of now."""
        potential = self.arrays["potential"]
        return {
            clique: {columns: potential[self._cells_of(place, columns)].copy() for columns in self.lasting[place]}
            for place, clique in enumerate(self.cliques)
        }

    def marginal(self, library: ctypes.CDLL, clique: Names) -> Floats:
        """All cells of a clique, its axes in the clique's own order."""
        names = self.ordered(clique)
        out = np.empty(self.cells(names))
        place = ctypes.c_int64(self.cliques.index(clique))
        library.write_clique(ctypes.byref(self._struct), place, out.ctypes.data_as(ctypes.c_void_p))
        turned = out.reshape(self.shape(names)).transpose([names.index(name) for name in clique])
        return np.ascontiguousarray(turned)

    def ordered(self, names: Iterable[str]) -> Names:
        return tuple(sorted(names, key=self.rank.__getitem__))

    def cells(self, names: Iterable[str]) -> int:
        return math.prod(self.shape(names))

    def shape(self, names: Iterable[str]) -> tuple[int, ...]:
        return tuple(self.size[name] for name in names)

    def _walk(self, cliques: Sequence[Names], tree: Any) -> None:
        """Cliques from the root down; the root is the largest, as it is passed over once and not twice."""
        self.cliques: list[Names] = [max(cliques, key=self.cells)]
        self.parent = [-1]
        for place, clique in enumerate(self.cliques):
            for neighbour in sorted(tree.neighbors(clique)):
                if self.parent[place] < 0 or neighbour != self.cliques[self.parent[place]]:
                    self.cliques.append(neighbour)
                    self.parent.append(place)
        self.separators = [
            () if parent < 0 else self.ordered(set(clique) & set(self.cliques[parent]))
            for clique, parent in zip(self.cliques, self.parent, strict=True)
        ]

    def _lay_out(self, lasting: Mapping[Names, set[Names]]) -> None:
        """Numbers of the tables, what merges into what, and what a pass over each clique meets."""
        self.tables: list[Names] = []
        self.number: dict[tuple[int, Names], int] = {}
        self.lasting = [lasting[clique] for clique in self.cliques]
        self.factors: list[list[Names]] = []
        merged: list[tuple[int, int]] = []
        maps: list[NDArray[np.int32]] = []
        clique_tables, merge_start = [0], [0]
        for place in range(len(self.cliques)):
            below = {sep for sep, parent in zip(self.separators, self.parent, strict=True) if parent == place}
            here = sorted(self.lasting[place] | below, key=lambda columns: (self.cells(columns), len(columns), columns))
            for columns in here:
                self.number[place, columns] = len(self.tables)
                self.tables.append(columns)
            self.factors.append([])
            for index, columns in enumerate(here):
                larger = next((other for other in here[index + 1 :] if set(columns) < set(other)), None)
                if larger is None:
                    self.factors[place].append(columns)
                else:
                    merged.append((self.number[place, columns], self.number[place, larger]))
                    maps.append(self._map(larger, columns))
            clique_tables.append(len(self.tables))
            merge_start.append(len(merged))
        found = np.array(merged, dtype=np.int64).reshape(-1, 2)
        self._put(merge_from=found[:, 0], merge_into=found[:, 1], merge_start=merge_start, clique_tables=clique_tables)
        self._put(merge_map=np.cumsum([0, *map(len, maps)]), map=np.concatenate([np.zeros(0, np.int32), *maps]))
        self._put(table_start=np.cumsum([0, *map(self.cells, self.tables)]))
        self._put(sep_start=np.cumsum([0, *map(self.cells, self.separators)]))
        above = zip(self.parent, self.separators, strict=True)
        self._put(sep_table=[-1 if parent < 0 else self.number[parent, sep] for parent, sep in above])
        for name in ("potential", "effective", "marginal", "gradient"):
            self.arrays[name] = np.zeros(self.arrays["table_start"][-1])
        for name in ("sum", "message", "ratio", "shift"):
            self.arrays[name] = np.full(self.arrays["sep_start"][-1], np.inf if name == "shift" else 0.0)

    def _split(self) -> None:
        """What a pass over each clique meets, as strides; large cliques are split into sheets instead."""
        kept, used, start = [], 0, [0]
        sheets = Sheets(self.size)
        shape, stride, table, separator = [], [], [], []
        for place, clique in enumerate(self.cliques):
            names, sep = self.ordered(clique), self.separators[place]
            split = cut(names, [*self.factors[place], sep], self.size)
            keep = place > 0 and split is None and self.cells(names) <= KEPT_CELLS
            kept.append(used if keep else -1)
            used += self.cells(names) if keep else 0
            numbers = [self.number[place, columns] for columns in self.factors[place]]
            sheets.add(names, split, [*zip(numbers, self.factors[place], strict=True), (-1, sep)])
            shape.append([*self.shape(names), *[0] * (AXES - len(names))])
            stride += [strides(names, columns, self.size) for columns in self.factors[place]]
            separator.append(strides(names, sep, self.size))
            table += numbers
            start.append(len(table))
        self._put(kept=kept, axes=[len(clique) for clique in self.cliques], shape=shape, sep_stride=separator)
        self._put(factor_start=start, factor_table=table, factor_stride=stride, slow=[0] * len(self.cliques))
        self._put(**sheets.arrays(used))
        for name, size in sheets.room(used).items():
            self.arrays[name] = np.zeros(size)

    def _measure(self, groups: Mapping[Names, list[Any]]) -> None:
        measured, weights = [], []
        answers: list[Floats] = []
        scales: list[Floats] = []
        for place, clique in enumerate(self.cliques):
            for matrix, answer, noise, columns in groups[clique]:
                names = self.ordered(columns)
                turn = [columns.index(name) for name in names]
                measured.append(self.number[place, names])
                weights.append(1.0 / noise**2)
                for values, into in ((np.asarray(answer, dtype=np.float64), answers), (diagonal(matrix), scales)):
                    into.append(values.reshape(self.shape(columns)).transpose(turn).ravel())
        self._put(measured=measured, answer_start=np.cumsum([0, *map(len, answers)]))
        self.arrays["weight"] = np.array(weights, dtype=np.float64)
        self.arrays["answers"], self.arrays["scale"] = np.concatenate(answers), np.concatenate(scales)

    def _put(self, **whole: Any) -> None:
        for name, values in whole.items():
            kind = np.int32 if name == "map" else np.int64
            self.arrays[name] = np.ascontiguousarray(values, dtype=kind)

    def _cells_of(self, place: int, columns: Names) -> slice:
        number = self.number[place, columns]
        return slice(*self.arrays["table_start"][number : number + 2])

    def _map(self, larger: Names, columns: Names) -> NDArray[np.int32]:
        """The cell of ``columns`` under each cell of ``larger``."""
        cells = np.zeros(self.shape(larger), dtype=np.int32)
        for axis, step in enumerate(strides(larger, columns, self.size)[: len(larger)]):
            along = np.arange(cells.shape[axis], dtype=np.int32) * np.int32(step)
            cells += along.reshape([-1, *[1] * (cells.ndim - axis - 1)])
        return cells.ravel()


def diagonal(matrix: Any) -> Floats:
    """The diagonal of a measurement matrix that has nothing else: dpmm's Identity, scipy's eye and diags.

    Raises
    ------
    NotImplementedError
        Another matrix.
    """
    if type(matrix).__name__ == "Identity":
        return np.ones(matrix.shape[0])
    if hasattr(matrix, "tocoo"):
        whole = matrix.tocoo()
        if (whole.row == whole.col).all():
            return np.asarray(whole.diagonal(), dtype=np.float64)
    raise NotImplementedError("only measurements of single cells, each with a weight")


def _dgemm() -> int:
    """The address of the matrix product of the BLAS that scipy brings."""
    capsule = importlib.import_module("scipy.linalg.cython_blas").__pyx_capi__["dgemm"]
    name, pointer = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    name.restype, name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return int(pointer(capsule, name(capsule)))
