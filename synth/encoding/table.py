"""Which columns of scores stand for which columns of the table?"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from synth.calibration.quantiles import Floats
from synth.encoding.derived import Derived
from synth.encoding.levels import LevelCodec
from synth.encoding.linked import Elapsed
from synth.encoding.numbers import Unit
from synth.encoding.order import Codes
from synth.encoding.values import ValueCodec, snapped

_FREQUENT = 0.05
_CUTS = 8
_LEVELS = 40


@dataclass(frozen=True)
class ValueColumn:
    """A numeric or date column.

    Attributes
    ----------
    codec : its ranks; None where too few people have a value, and every cell comes back missing.
    score, mask : number of its score (-1: it has one outcome only) and of its missingness (-1: never missing).
    elapsed : the date it is counted from, None where it is counted by itself.
    """

    name: str
    unit: Unit
    codec: ValueCodec | None
    score: int
    mask: int
    elapsed: Elapsed | None = None


@dataclass(frozen=True)
class LevelColumn:
    """A categorical column, or the missingness that some value columns share (no categories: 0 present, 1 missing).

    ``rule`` tells missingness from another column where it is a function of that; the score then serves the model only.
    """

    codec: LevelCodec
    score: int
    name: str = ""
    dtype: pd.CategoricalDtype | None = None
    rule: Derived | None = None


@dataclass(frozen=True)
class Encoding:
    """What stands for what.

    Every value column has one score, every categorical column one, and every pattern of missing cells that value
    columns share one more; a column with a single possible outcome has none, nor has one that is a function of another
    column. Missing categories are levels.

    Attributes
    ----------
    names : (d,) what each score stands for.
    presence : (d,) number of the score that tells whether a cell is present at all, -1 where it always is.
    values : columns of numbers and dates; a date stands after the one it is counted from.
    """

    names: tuple[str, ...]
    presence: Codes
    values: tuple[ValueColumn, ...]
    levels: tuple[LevelColumn, ...]
    masks: tuple[LevelColumn, ...]
    derived: tuple[Derived, ...]

    @property
    def width(self) -> int:
        """Number of scores, d."""
        return len(self.names)

    @property
    def numbers(self) -> Codes:
        """Scores that stand for numbers or dates."""
        return np.array([item.score for item in self.values if item.score >= 0], dtype=np.intp)

    @property
    def ties(self) -> tuple[tuple[str, str], ...]:
        """Pairs of a column and the one it is counted from or looked up from."""
        counted = tuple((item.name, item.elapsed.source) for item in self.values if item.elapsed is not None)
        return (*counted, *((item.name, item.source) for item in self.derived))

    def present(self, scores: Floats) -> NDArray[np.bool_]:
        """(m, d) whether each score stands for a cell that is present; one under a missing cell tells nothing."""
        known = np.ones(scores.shape, dtype=np.bool_)
        for j in np.flatnonzero(self.presence >= 0):
            mask = next(m for m in self.masks if m.score == self.presence[j])
            known[:, j] = ndtr(scores[:, mask.score]) < mask.codec.edges[1]
        return known

    def cuts(self) -> list[tuple[int, float]]:
        """Score number and threshold of borders between levels and around frequent spikes, eight a score at most."""
        found: list[tuple[int, float]] = []
        for levels in (*self.levels, *self.masks):
            if levels.score >= 0:
                found += [(levels.score, cut) for cut in _spread_out(levels.codec.edges[1:-1])]
        for item in self.values:
            if item.codec is not None and item.score >= 0:
                wide = item.codec.spikes[item.codec.spikes[:, 1] - item.codec.spikes[:, 0] > _FREQUENT]
                found += [(item.score, cut) for cut in _spread_out(np.unique(wide))]
        return found

    def snap(self, scores: Floats) -> Floats:
        """Scores with those of one level or spike all at its middle: what the table shows of them, and no more."""
        result = scores.copy()
        for levels in (*self.levels, *self.masks):
            if levels.score >= 0:
                edges = levels.codec.edges
                spans = np.column_stack([edges[:-1], edges[1:]])
                result[:, levels.score] = ndtri(snapped(ndtr(scores[:, levels.score]), spans))
        for values in self.values:
            if values.codec is not None and values.score >= 0:
                result[:, values.score] = ndtri(snapped(ndtr(scores[:, values.score]), values.codec.spikes))
        return np.clip(result, -8.0, 8.0)

    def cells(self, scores: Floats) -> tuple[Floats, Codes]:
        """(m, v) numbers as ranks, missing as NaN, and (m, l) codes of levels and of missingness, snapped."""
        shown = self.snap(scores)
        numbers = np.where(self.present(scores), shown, np.nan)[:, self.numbers]
        codes = np.empty((len(scores), len(self._told_apart)), dtype=np.int64)
        for j, levels in enumerate(self._told_apart):
            codes[:, j] = self._codes(levels, shown)
        return numbers, codes

    @property
    def _told_apart(self) -> tuple[LevelColumn, ...]:
        return tuple(levels for levels in (*self.levels, *self.masks) if levels.score >= 0)

    @staticmethod
    def _codes(levels: LevelColumn, shown: Floats) -> Codes:
        return np.searchsorted(levels.codec.edges[1:-1], ndtr(shown[:, levels.score]), side="right")

    def apart(self, scores: Floats, without: Collection[str] = ()) -> NDArray[np.float32]:
        """(m, w) rows whose distances mean the same for every kind of cell, those of some columns left out.

        Two rows of different levels differ by 2 in squared distance, as two random numbers do on average; what is
        missing is a level, and the number under it tells nothing. Levels beyond forty share columns in turn.
        """
        shown = self.snap(scores)
        numbers = [v.score for v in self.values if v.score >= 0 and v.name not in without]
        # in single precision from here on: of many rows with many levels this is what takes memory
        parts = [np.where(self.present(scores), shown, 0.0)[:, numbers].astype(np.float32)]
        alone = {v.mask for v in self.values} - {v.mask for v in self.values if v.name not in without}
        masks = [mask for number, mask in enumerate(self.masks) if number not in alone]
        for levels in (*self.levels, *masks):
            if levels.score >= 0 and levels.name not in without:
                codes = self._codes(levels, shown)
                count = min(len(levels.codec.edges) - 1, _LEVELS)
                parts.append(codes[:, None] % count == np.arange(count))
        return np.hstack(parts).astype(np.float32, copy=False)

    def decode(self, scores: Floats, rng: np.random.Generator) -> dict[str, Any]:
        """Cells by column name, as a typed frame holds them.

        Parameters
        ----------
        scores : (m, d) normal scores.
        rng : draws what nothing is known of.
        """
        rows = len(scores)
        probabilities = np.clip(ndtr(scores), 1e-12, 1.0 - 1e-12)
        half = np.full(rows, 0.5)

        def levels_of(item: LevelColumn) -> Codes:
            return item.codec.decode(half if item.score < 0 else probabilities[:, item.score])

        cells: dict[str, Any] = {}
        for levels in self.levels:
            cells[levels.name] = pd.Categorical.from_codes(levels_of(levels), dtype=levels.dtype)
        masks = [
            levels_of(mask) == 1
            if mask.rule is None
            else mask.rule.decode(pd.Series(cells[mask.rule.source]), rng).to_numpy(dtype=np.bool_)
            for mask in self.masks
        ]
        for item in self.values:
            values = np.full(rows, np.nan)
            if item.codec is not None:
                values = item.codec.decode(half if item.score < 0 else probabilities[:, item.score])
                if item.mask >= 0:
                    values = np.where(masks[item.mask], np.nan, values)
            cells[item.name] = (
                item.unit.cells(values)
                if item.elapsed is None
                else item.elapsed.cells(values, cells[item.elapsed.source])
            )
        for other in self.derived:
            cells[other.name] = other.decode(pd.Series(cells[other.source]), rng)
        return cells


def _spread_out(borders: Floats) -> list[float]:
    """Scores at no more than eight of the borders (probabilities), those nearest to equal shares."""
    inner = borders[(borders > 0.0) & (borders < 1.0)]
    if len(inner) > _CUTS:
        wanted = np.arange(1, _CUTS + 1) / (_CUTS + 1)
        inner = inner[np.unique(np.abs(inner[:, None] - wanted).argmin(axis=0))]
    return [float(cut) for cut in ndtri(inner)]
