"""How do noisy answers become typed rows?"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from policies import Dictionary
from synth.dependencies import with_declared_values
from synth.dp.coarsen import Coarse, Floats
from synth.dp.domain import Codes, Domain
from synth.dp.loglinear import Cell, LogLinear, cells_of
from synth.dp.update import exchanged
from synth.errors import SynthesisError

SETTLING = 15
"""Redraws of the model's records before they are kept; the last two thirds are averaged."""
POOL = 4
"""Records kept per record of the model."""
_STEP = 0.4
_ROUNDS = 30
_SPREAD_AGAIN = 5


@dataclass(frozen=True)
class Settled:
    """Records of the model (pool, d), and the average table (share of all rows) of every pair of columns."""

    records: Codes
    pairs: dict[tuple[int, int], Floats]


@dataclass(frozen=True)
class Fitted:
    """All that sampling needs: a pool of records in coarse cells, the tables they are to stand for, and the cells."""

    pool: Codes
    pairs: dict[tuple[int, int], Floats]
    coarse: list[Coarse]


def settled(model: LogLinear) -> Settled:
    """Let the model's records forget where they began, and average what they show while they do."""
    ready = model.copy()
    sizes = ready.sizes
    every = [np.arange(size) for size in sizes]
    pairs = list(itertools.combinations(range(len(sizes)), 2))
    sums = {pair: np.zeros(sizes[pair[0]] * sizes[pair[1]]) for pair in pairs}
    kept: list[Codes] = []
    for turn in range(SETTLING):
        ready.fit(1, step=_STEP)
        if turn >= SETTLING // 3:
            for pair in pairs:
                sums[pair] += np.bincount(
                    cells_of(ready.codes, pair, (every[pair[0]], every[pair[1]])), minlength=len(sums[pair])
                )
        if turn >= SETTLING - POOL:
            kept.append(ready.codes.copy())
    return Settled(np.concatenate(kept), {pair: table / table.sum() for pair, table in sums.items()})


def mixed(
    ready: Settled,
    sets: Mapping[str, Codes],
    weights: Mapping[str, float],
    coarse: list[Coarse],
    rng: np.random.Generator,
) -> Fitted:
    """The pool by the generators' weights."""
    parts = []
    for name, weight in weights.items():
        source = ready.records if name == "graphical" else sets[name]
        count = round(weight * len(ready.records))
        parts.append(source if count == len(source) else source[rng.integers(len(source), size=count)])
    return Fitted(np.concatenate(parts), ready.pairs, coarse)


def rows_of(
    fitted: Fitted, domain: Domain, dictionary: Dictionary, rows: int, rng: np.random.Generator
) -> pd.DataFrame:
    """(rows, c) typed frame in which every row rule holds.

    Raises
    ------
    SynthesisError
        Rows that keep the rules are too hard to come by.
    """
    block = max(len(fitted.pool) // POOL, 1)
    chosen = np.concatenate([_stand_for(fitted, min(block, rows - start), rng) for start in range(0, rows, block)])
    records = fitted.pool[rng.permutation(chosen)]
    kept: list[pd.DataFrame] = []
    for turn in range(_ROUNDS):
        if turn > _SPREAD_AGAIN:
            records = fitted.pool[rng.integers(len(fitted.pool), size=len(records))]
        frame = with_declared_values(domain.decode(_fine(records, fitted.coarse, rng), rng), dictionary)
        holds = _holds(frame, dictionary)
        kept.append(frame[holds])
        records = records[~holds]
        if not len(records):
            together = pd.concat(kept, ignore_index=True)
            return together.iloc[rng.permutation(rows)].reset_index(drop=True)
    raise SynthesisError(
        f"{len(records)} of {rows} rows still break one of {len(dictionary.rules)} row rules after {_ROUNDS} rounds of "
        "resampling: check that real rows keep the rules"
    )


def _stand_for(fitted: Fitted, rows: int, rng: np.random.Generator) -> NDArray[np.intp]:
    sizes = [each.size for each in fitted.coarse]
    places: list[Cell] = []
    targets: list[Floats] = []
    for (a, b), target in fitted.pairs.items():
        places.append(fitted.pool[:, a].astype(np.intp) * sizes[b] + fitted.pool[:, b])
        targets.append(target)
    if not places:
        return rng.permutation(len(fitted.pool))[:rows]
    return exchanged(places, targets, rows, rng)


def _fine(records: Codes, coarse: list[Coarse], rng: np.random.Generator) -> Codes:
    """Fine cells, drawn by their shares inside the coarse ones."""
    fine = np.empty_like(records)
    for column, cells in enumerate(coarse):
        order = np.argsort(cells.groups, kind="stable")
        first = np.searchsorted(cells.groups[order], np.arange(cells.size))
        # one ladder over all coarse cells: cell g lies between g and g + 1
        ladder = np.cumsum(cells.inside[order])
        start = np.append(0.0, ladder)[first]
        end = np.append(start[1:], ladder[-1])
        ticket = start[records[:, column]] + rng.random(len(records)) * (end - start)[records[:, column]]
        last = np.append(first[1:], len(order)) - 1
        place = np.searchsorted(ladder, ticket, side="right")
        fine[:, column] = order[np.clip(place, first[records[:, column]], last[records[:, column]])]
    return fine


def _holds(frame: pd.DataFrame, dictionary: Dictionary) -> NDArray[np.bool_]:
    holds = np.ones(len(frame), dtype=np.bool_)
    for rule in dictionary.rules:
        holds &= rule.holds(frame)
    return holds
