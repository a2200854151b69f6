"""Which columns merely repeat another one?

A code beside its description, an age group beside the age: such a column has no score. It is looked up from the other,
so that no synthetic row breaks the dependency. Every pair that is looked up is shared by enough people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synth.calibration.quantiles import Person
from synth.encoding.order import Codes
from synth.errors import SynthesisError
from synth.holders import holders

_RARE_SHARE = 0.01
_GLANCE = 500


@dataclass(frozen=True)
class Derived:
    """A column that is a function of another.

    Attributes
    ----------
    name, source : the column, and the one it is a function of.
    source_cells : the (k,) distinct cells of the source that are common, ascending, without missing.
    cells : for each of them the cell of the column, then the one for a missing source.
    chances : (k + 1,) shares of the real rows, for sources that are rare: those take one of the cells by chance.
    """

    name: str
    source: str
    source_cells: NDArray[Any]
    cells: pd.Series[Any]
    chances: NDArray[np.float64]

    def decode(self, source: pd.Series[Any], rng: np.random.Generator) -> pd.Series[Any]:
        """Cells of the column beside the given cells of its source."""
        at = _codes(source, self.source_cells)
        unknown = np.flatnonzero((at < -1) | (self.chances[at] == 0))
        at[unknown] = rng.choice(len(self.chances), size=len(unknown), p=self.chances)
        return self.cells.iloc[at].set_axis(source.index)


def derived_columns(
    table: pd.DataFrame,
    names: Sequence[str],
    declared: Sequence[tuple[str, str]] = (),
    *,
    minimum_people: int,
    people: Person | None = None,
) -> tuple[Derived, ...]:
    """Columns that are functions of others, none of them a source of another.

    A source is a column in which nearly all rows (99 %) hold a cell that ``minimum_people`` people share. Of two
    columns that are functions of each other the one with an order, or else the first, is the source. Beside those that
    are found there are the ``declared`` ones, pairs of a categorical source and a column.

    Raises
    ------
    SynthesisError
        A declared dependency does not hold, or no level of its source is held by enough people.
    """
    columns: dict[str, pd.Series[Any]] = {name: table[name] for name in names}
    stated = tuple(
        _declared(columns[name], name, columns[source], source, minimum_people, people) for source, name in declared
    )
    settled = {name for pair in declared for name in pair}
    facts = {name: _fact(column, minimum_people, people) for name, column in columns.items()}
    able = [name for name in names if facts[name] is not None and name not in {name for _, name in declared}]
    able.sort(key=lambda name: not _has_order(columns[name]))  # stable: file order otherwise
    derived: dict[str, str] = {}
    for name in reversed([name for name in able if name not in settled]):
        for source in able:
            if source != name and source not in derived and _is_function(facts[source], facts[name]):
                derived[name] = source
                break
    # a source may itself turn out to be derived: then its own source serves
    for name in derived:
        while derived[name] in derived:
            derived[name] = derived[derived[name]]
    found = tuple(_learned(columns[name], name, source, facts[source]) for name, source in derived.items())
    return stated + found


def derived_mask(
    missing: NDArray[np.bool_],
    table: pd.DataFrame,
    sources: Sequence[str],
    *,
    minimum_people: int,
    people: Person | None = None,
) -> Derived | None:
    """Missingness (n,) as a function of one of some categorical columns, the first that will do; cells are booleans."""
    column = pd.Series(missing.astype(np.float64))
    fact = _fact(column, minimum_people, people)
    for source in sources:
        known = _fact(table[source], minimum_people, people)
        if _is_function(known, fact):
            return _learned(column == 1.0, "", source, known)
    return None


@dataclass(frozen=True)
class _Fact:
    """Codes (n,) of a column's distinct cells, -1 for missing and -2 for rare ones; the common cells."""

    codes: Codes
    everything: Codes
    common: NDArray[Any]


def _codes(column: pd.Series[Any], cells: NDArray[Any]) -> Codes:
    """(n,) places in ``cells``, -1 for missing, -2 for cells that are not in it."""
    values = column.cat.codes.to_numpy() if isinstance(column.dtype, pd.CategoricalDtype) else column.to_numpy()
    missing = column.isna().to_numpy()
    if not len(cells):
        return np.where(missing, -1, -2).astype(np.intp)
    at = np.minimum(np.searchsorted(cells, values), len(cells) - 1)
    return np.where(missing, -1, np.where(cells[at] == values, at, -2)).astype(np.intp)


def _declared(
    column: pd.Series[Any],
    name: str,
    begin: pd.Series[Any],
    source: str,
    minimum_people: int,
    people: Person | None,
) -> Derived:
    of, cell = _codes_of_all(begin), _codes_of_all(column)
    pairs = np.unique(np.column_stack([of, cell]), axis=0)
    broken = len(pairs) - len(np.unique(of))
    if broken:
        raise SynthesisError(
            f"{source} does not determine {name}: {broken} of its cells go with more than one; correct the table, or "
            "take the dependency out of the dictionary"
        )
    levels, rows = np.unique(of, return_inverse=True)
    held = holders(rows, len(levels), people)
    common = np.isin(of, levels[held >= minimum_people])
    if not common.any():
        raise SynthesisError(
            f"no cell of {source} is held by {minimum_people} people, so that {name} cannot be looked up: state the "
            "values of the dependency"
        )
    kept = np.unique(of[common & (of >= 0)])
    codes = np.where(common, np.where(of < 0, -1, np.searchsorted(kept, of)), -2)
    return _learned(column, name, source, _Fact(codes, cell, kept))


def _codes_of_all(column: pd.Series[Any]) -> Codes:
    """(n,) codes, -1 for missing: of a category its own."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy().astype(np.intp)
    missing = column.isna().to_numpy()
    codes = np.full(len(column), -1, dtype=np.intp)
    codes[~missing] = np.unique(column.to_numpy()[~missing], return_inverse=True)[1]
    return codes


def _fact(column: pd.Series[Any], minimum_people: int, people: Person | None) -> _Fact | None:
    missing = column.isna().to_numpy()
    values = column.cat.codes.to_numpy() if isinstance(column.dtype, pd.CategoricalDtype) else column.to_numpy()
    cells, places = np.unique(values[~missing], return_inverse=True)
    if not 1 < len(cells) + bool(missing.any()) <= max(2, len(column) // minimum_people):
        return None
    everything = np.full(len(column), -1, dtype=np.intp)
    everything[~missing] = places
    slots = everything + 1
    held = holders(slots, len(cells) + 1, people)
    common = held >= minimum_people
    if not common[slots].mean() >= 1.0 - _RARE_SHARE:
        return None
    codes = np.where(common[slots], everything, -2)
    kept = np.flatnonzero(common[1:])
    place = np.full(len(cells) + 1, -2, dtype=np.intp)
    place[0] = -1
    place[kept + 1] = np.arange(len(kept))
    return _Fact(np.where(codes == -2, -2, place[slots]), everything, cells[kept])


def _is_function(source: _Fact | None, column: _Fact | None) -> bool:
    if source is None or column is None:
        return False
    for rows in (slice(0, _GLANCE), slice(None)):
        of, cell = source.codes[rows], column.everything[rows]
        order = np.argsort(of, kind="stable")
        of, cell = of[order], cell[order]
        if ((of[1:] == of[:-1]) & (of[1:] != -2) & (cell[1:] != cell[:-1])).any():
            return False
    return True


def _has_order(column: pd.Series[Any]) -> bool:
    return not isinstance(column.dtype, pd.CategoricalDtype) or bool(column.cat.ordered)


def _learned(column: pd.Series[Any], name: str, source: str, fact: _Fact | None) -> Derived:
    if fact is None:
        raise AssertionError("a source has distinct cells")
    k = len(fact.common)
    slots = np.where(fact.codes == -1, k, fact.codes)
    rows = np.bincount(slots[slots >= 0], minlength=k + 1).astype(np.float64)
    first = np.zeros(k + 1, dtype=np.intp)
    known = np.flatnonzero(slots >= 0)
    first[slots[known][::-1]] = known[::-1]
    cells = column.iloc[first].reset_index(drop=True)
    return Derived(name, source, fact.common, cells, rows / rows.sum())
