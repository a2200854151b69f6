"""What encoding fits a table, and what are the table's scores?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from policies import Dictionary
from synth.calibration.quantiles import KNOT, Floats, Person
from synth.encoding.derived import derived_columns, derived_mask
from synth.encoding.latents import draw_latents
from synth.encoding.levels import LevelCodec
from synth.encoding.linked import Elapsed, linked_dates
from synth.encoding.numbers import Unit
from synth.encoding.order import Codes, Context
from synth.encoding.table import Encoding, LevelColumn, ValueColumn
from synth.encoding.values import ValueCodec, rank_intervals
from synth.errors import SynthesisError

_FEW_CELLS = 500_000
_MASK_OWNERS = 1_000_000


def encode(
    table: pd.DataFrame,
    dictionary: Dictionary,
    names: Sequence[str],
    classes: NDArray[np.int64],
    rng: np.random.Generator,
    *,
    minimum_people: int,
    people: Person | None = None,
    people_per_knot: int = KNOT,
) -> tuple[Encoding, Floats]:
    """Learn the encoding of some columns of a typed frame, and encode them.

    Parameters
    ----------
    table : (n, c) typed frame.
    names : columns to encode; the target is not among them, ``classes`` stands for it.
    classes : (n,) class codes >= 0; level order and the scores of tied and missing cells are drawn in view of them.
    minimum_people : people who must share a level or a spike for it to be told apart.
    people : (n,) person codes; without them every row is another person.
    people_per_knot : people whose values are averaged wherever a number comes back; 1 gives real values back (I-12).

    Returns
    -------
    The encoding, and (n, d) finite scores, each about standard normal.
    """
    learned = [(each.source, each.determines) for each in dictionary.dependencies if each.values is None]
    derived = derived_columns(table, names, learned, minimum_people=minimum_people, people=people)
    names = [name for name in names if name not in {item.name for item in derived}]
    kinds = dictionary.columns
    links = linked_dates(kinds, table, names)
    elapsed = {name: Elapsed.of(kinds[name], table[name], source, kinds[source]) for name, source in links.items()}
    units = {
        name: elapsed[name].unit if name in elapsed else Unit.of(kinds[name], table[name])
        for name in names
        if not kinds[name].is_categorical
    }
    floats = {
        name: elapsed[name].floats(table[name], table[links[name]]) if name in elapsed else unit.floats(table[name])
        for name, unit in units.items()
    }
    codes = {name: table[name].cat.codes.to_numpy().astype(np.intp) for name in names if name not in units}
    masks = _Masks.of(floats, minimum_people, people)
    context = _context(names, floats, codes, masks, classes, rng)
    scores = _Scores()
    mask_columns: list[LevelColumn] = []
    levels: list[LevelColumn] = []
    values: list[ValueColumn] = []
    for owner, name in enumerate(names):
        if name in codes:
            column = kinds[name]
            declared = len(column.categories or ())
            codec = LevelCodec.fit(
                codes[name],
                declared,
                keeps_order=column.type != "category",
                context=context,
                owner=owner,
                minimum_people=minimum_people,
                people=people,
            )
            if not len(codec.order) and not column.nullable:
                raise SynthesisError(
                    f"no category of column {name} is held by {minimum_people} people, the least that may be released: "
                    "merge its categories, declare it nullable, or leave it out"
                )
            dtype = table[name].dtype
            at = scores.add(name, *codec.intervals(codes[name])) if len(codec.order) > 1 else -1
            levels.append(LevelColumn(codec, at, name, dtype if isinstance(dtype, pd.CategoricalDtype) else None))
            continue
        if name in masks.empty:
            values.append(ValueColumn(name, units[name], None, -1, -1, elapsed.get(name)))
            continue
        mask = masks.of_column.get(name, -1)
        if mask == len(mask_columns):
            missing = masks.patterns[mask].astype(np.intp)
            flag = LevelCodec.fit(
                missing,
                2,
                keeps_order=True,
                context=context,
                owner=_MASK_OWNERS + mask,
                minimum_people=minimum_people,
                people=people,
            )
            at = scores.add(f"{name} (missing)", *flag.intervals(missing)) if len(flag.order) > 1 else -1
            rule = derived_mask(masks.patterns[mask], table, list(codes), minimum_people=minimum_people, people=people)
            mask_columns.append(LevelColumn(flag, at, rule=rule))
        presence = mask_columns[mask].score if mask >= 0 else -1
        item = _value_column(
            name, units[name], floats[name], mask, presence, scores, minimum_people, people, people_per_knot
        )
        values.append(replace(item, elapsed=elapsed.get(name)))
    turn = {name: place for place, name in enumerate(links)}
    values.sort(key=lambda item: turn.get(item.name, -1))  # stable; a date after the one it is counted from
    encoding = Encoding(
        tuple(scores.names),
        np.array(scores.presence, dtype=np.intp),
        tuple(values),
        tuple(levels),
        tuple(mask_columns),
        derived,
    )
    return encoding, scores.drawn(len(table), classes, rng)


@dataclass
class _Scores:
    """Scores collected so far: their names, intervals and the score that tells their presence."""

    names: list[str] = field(default_factory=list)
    presence: list[int] = field(default_factory=list)
    lower: list[Floats] = field(default_factory=list)
    upper: list[Floats] = field(default_factory=list)

    def add(self, name: str, lower: Floats, upper: Floats, presence: int = -1) -> int:
        self.names.append(name)
        self.presence.append(presence)
        self.lower.append(lower)
        self.upper.append(upper)
        return len(self.names) - 1

    def drawn(self, rows: int, classes: NDArray[np.int64], rng: np.random.Generator) -> Floats:
        if not self.names:
            return np.empty((rows, 0))
        largest = np.argsort(-np.bincount(classes), kind="stable")[:12]
        indicators = (classes[:, None] == largest) * 1.0
        sweeps = 20 if rows * len(self.names) < _FEW_CELLS else 8
        return draw_latents(np.column_stack(self.lower), np.column_stack(self.upper), indicators, rng, sweeps=sweeps)


@dataclass(frozen=True)
class _Masks:
    """Patterns of missing cells, each once, and the value columns without enough people to tell anything."""

    patterns: tuple[NDArray[np.bool_], ...]
    of_column: dict[str, int]
    empty: frozenset[str]

    @classmethod
    def of(cls, floats: dict[str, Floats], minimum_people: int, people: Person | None) -> _Masks:
        patterns: list[NDArray[np.bool_]] = []
        seen: dict[bytes, int] = {}
        of_column: dict[str, int] = {}
        empty = set()
        for name, column in floats.items():
            missing = np.isnan(column)
            present = int((~missing).sum()) if people is None else len(np.unique(people[~missing]))
            if present < minimum_people:
                empty.add(name)
            elif missing.any():
                key = missing.tobytes()
                if key not in seen:
                    seen[key] = len(patterns)
                    patterns.append(missing)
                of_column[name] = seen[key]
        return cls(tuple(patterns), of_column, frozenset(empty))


def _value_column(
    name: str,
    unit: Unit,
    column: Floats,
    mask: int,
    presence: int,
    scores: _Scores,
    minimum_people: int,
    people: Person | None,
    people_per_knot: int,
) -> ValueColumn:
    known = ~np.isnan(column)
    codec = ValueCodec.fit(
        column[known],
        lower=unit.lower,
        upper=unit.upper,
        decimals=unit.decimals,
        minimum_people=minimum_people,
        people=None if people is None else people[known],
        people_per_knot=people_per_knot,
    )
    constant = len(codec.spikes) == 1 and codec.spikes[0, 1] - codec.spikes[0, 0] == 1.0
    if constant:
        return ValueColumn(name, unit, codec, -1, mask)
    lower, upper = np.zeros(len(column)), np.ones(len(column))
    lower[known], upper[known] = rank_intervals(column[known])
    return ValueColumn(name, unit, codec, scores.add(name, lower, upper, presence), mask)


def _context(
    names: Sequence[str],
    floats: dict[str, Floats],
    codes: dict[str, Codes],
    masks: _Masks,
    classes: NDArray[np.int64],
    rng: np.random.Generator,
) -> Context:
    scores: dict[int, Floats] = {
        _MASK_OWNERS + k: pattern.astype(np.float64) for k, pattern in enumerate(masks.patterns)
    }
    levels: dict[int, Codes] = {-1: classes.astype(np.intp)}
    for owner, name in enumerate(names):
        if name in codes:
            levels[owner] = codes[name] + 1
        elif name not in masks.empty:
            known = ~np.isnan(floats[name])
            score = np.zeros(len(known))
            low, high = rank_intervals(floats[name][known])
            score[known] = ndtri((low + high) / 2.0)
            scores[owner] = score
    return Context.of(scores, levels, rng)
