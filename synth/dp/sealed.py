"""Who may look at the rows? Only charged mechanisms, and ``open``, which marks what it returns as raw."""

from __future__ import annotations

import copy
import math
import operator
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NoReturn, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from synth.dp.budget import PrivacyBudget
from synth.dp.captures import refuse_captured
from synth.dp.events import (
    ExponentialEvent,
    GaussianEvent,
    PrivacyError,
    PureEvent,
    SampledGaussianEvent,
)
from synth.dp.mechanisms import (
    SCORE_GRID,
    CountLaplace,
    ScoreChoice,
    TableGaussian,
    on_grid,
    whole_scores,
)
from synth.dp.provenance import RAW, Traced, gathered, remember, unwrap
from synth.dp.randomness import SystemRandomness
from synth.dp.rows import Rows, bounded_rows, checked_codes, numbered

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

STOP = -1
_LARGEST_TABLE = 2**22  # cells


@dataclass(frozen=True)
class NoisyTable:
    """Counts of some columns' combinations after noise.

    ``counts`` has one axis per column of ``columns``, in that order, and may be negative; ``sigma`` is the noise's
    standard deviation in counts.
    """

    columns: tuple[int, ...]
    counts: NDArray[np.int64]
    sigma: float


class Trainer(Protocol[T_co]):
    """Learns from rows by DP-SGD with the noise multiplier, rate and steps of the event it was made for."""

    def __call__(
        self, codes: NDArray[np.int32], owners: NDArray[np.int64], randomness: SystemRandomness, *given: Any
    ) -> T_co:
        """``codes`` (n, d); ``owners`` (n,) numbers the patients 0 .. P - 1; ``given`` came with the call."""
        ...


class SealedTable:
    """Coded rows of patients that only charged mechanisms reach.

    Nothing about the rows is in an attribute, in ``repr`` or in a pickle, which is refused. What the rows are sealed or
    asked with (sizes, bounds, columns) is :class:`Traced`: bare numbers may have been read off the rows, and taint all
    answers to what they were used for.
    """

    __slots__ = ("__weakref__",)
    holds_rows: ClassVar[bool] = True

    @classmethod
    def seal(
        cls,
        codes: NDArray[Any],
        sizes: tuple[int, ...] | Traced[tuple[int, ...]],
        people: NDArray[Any],
        max_rows: int | Traced[int],
        budget: PrivacyBudget,
        randomness: SystemRandomness | None = None,
        numbers: NDArray[np.int32] | Traced[Any] | None = None,
    ) -> SealedTable:
        """Take rows in and bound what one patient contributes.

        Parameters
        ----------
        codes : (n, d) integers
            Code of each cell, in 0 .. sizes[j] - 1.
        sizes : tuple of int, traced
            Declared number of cells of each column.
        people : (n,) integers
            Which rows belong to one patient.
        max_rows : int, traced
            Of a patient with more rows, this many are kept, drawn with system randomness independently of everyone
            else's, so that neighbouring tables still differ in one patient's rows only.
        numbers : (max_rows,) integers, traced, optional
            Declared cell of 1, 2, ... rows: adds a last column, of the number of rows kept of the row's patient. Its
            number of cells is the last of ``sizes``, and ``codes`` is without it.

        Raises
        ------
        PrivacyError
            Shapes differ, or a code is outside its column's declared cells. Nothing has been charged by then.
        """
        system = randomness or SystemRandomness()
        for each in (codes, people):
            remember(each, frozenset({RAW}))
        (cells, most, filled), sources = unwrap("seal", [_of_known_origin(each) for each in (sizes, max_rows, numbers)])
        table = checked_codes(codes, cells if filled is None else cells[:-1], people, most)
        _, owners = np.unique(np.asarray(people), return_inverse=True)
        bounded = bounded_rows(owners, most, system)
        kept = table[bounded]
        if filled is not None:
            _check_numbers(filled, cells[-1], most)
            kept = numbered(kept, owners[bounded], filled)
        sealed = cls()
        _VAULT[sealed] = Rows(
            codes=np.ascontiguousarray(kept.T),
            owners=owners[bounded].astype(np.int64),
            patients=int(owners.max()) + 1 if owners.size else 0,
            sizes=tuple(int(size) for size in cells),
            max_rows=int(most),
            budget=budget,
            randomness=system,
            sources=sources,
        )
        return sealed

    @property
    def sizes(self) -> tuple[int, ...]:
        """Declared cells of each column: public."""
        return _VAULT[self].sizes

    @property
    def max_rows(self) -> int:
        """Declared largest number of rows of one patient: public, and the sensitivity of every count."""
        return _VAULT[self].max_rows

    def regrouped(self, views: Traced[Any]) -> SealedTable:
        """The same rows, patients and budget with one column per view, whose cells are put into groups.

        Every answer has the sources of the views too: grouping by raw rows taints what is measured with it.

        Parameters
        ----------
        views : sequence of objects with ``column`` and ``groups``, (cells,) group of each cell, 0 .. without gaps

        Raises
        ------
        PrivacyError
            A view of a column that is not there, or that does not group exactly its cells.
        """
        rows = _VAULT[self]
        plain, sources = unwrap("regrouped", views)
        for view in plain:
            if not 0 <= view.column < len(rows.sizes) or view.groups.shape != (rows.sizes[view.column],):
                raise PrivacyError(f"a view must group all cells of one of {len(rows.sizes)} columns")
        codes = np.empty((len(plain), rows.codes.shape[1]), dtype=np.int32)
        for place, view in enumerate(plain):
            codes[place] = view.groups.astype(np.int32)[rows.codes[view.column]]
        sizes = tuple(int(view.groups.max()) + 1 for view in plain)
        other = SealedTable()
        _VAULT[other] = replace(rows, codes=codes, sizes=sizes, cache={}, sources=rows.sources | sources)
        return other

    def count(self, event: PureEvent) -> Traced[int]:
        """Number of patients with discrete Laplace noise of scale 1 / epsilon; may be negative."""
        rows = _VAULT[self]
        name = rows.budget.draw(event)
        mechanism = CountLaplace(epsilon=event.epsilon, sensitivity=1, randomness=rows.randomness)
        return Traced(mechanism.randomise(rows.patients), rows.sources | {name})

    def table(self, columns: tuple[int, ...] | Traced[tuple[int, ...]], event: GaussianEvent) -> Traced[NoisyTable]:
        """Counts of ``columns``' combinations with discrete Gaussian noise.

        Raises
        ------
        PrivacyError
            Unknown columns, a table of more than 2^22 cells, an event of less sensitivity than ``max_rows``, or one
            that is not left in the budget.
        """
        rows = _VAULT[self]
        chosen, sources = unwrap("table", _of_known_origin(columns))
        wanted = _columns(chosen, rows.sizes)
        sensitivity = math.floor(event.sensitivity)
        if event.sensitivity < rows.max_rows or sensitivity != event.sensitivity:
            raise PrivacyError(
                f"a patient may own {rows.max_rows} rows: the event's sensitivity must be a whole number of at least "
                f"that, found {event.sensitivity}"
            )
        mechanism = TableGaussian(sigma=event.sigma, sensitivity=sensitivity, randomness=rows.randomness)
        name = rows.budget.draw(event)
        noisy = mechanism.randomise_table(rows.counts(wanted)).reshape([rows.sizes[column] for column in wanted])
        return Traced(NoisyTable(wanted, noisy, event.sigma), rows.sources | sources | {name})

    def histogram(self, column: int | Traced[int], event: PureEvent) -> Traced[NoisyTable]:
        """One column's counts with discrete Laplace noise of scale ``max_rows`` / epsilon; may be negative.

        Epsilon-DP in itself (Ghosh, Roughgarden and Sundararajan, STOC 2009): a patient's rows change all counts
        together by at most ``max_rows``.
        """
        rows = _VAULT[self]
        chosen, sources = unwrap("histogram", _of_known_origin(column))
        wanted = _columns((chosen,), rows.sizes)
        mechanism = CountLaplace(epsilon=event.epsilon, sensitivity=rows.max_rows, randomness=rows.randomness)
        name = rows.budget.draw(event)
        noisy = mechanism.randomise_table(rows.counts(wanted))
        ratio = math.exp(-event.epsilon / rows.max_rows)
        return Traced(NoisyTable(wanted, noisy, math.sqrt(2 * ratio) / (1 - ratio)), rows.sources | sources | {name})

    def choose(
        self,
        candidates: Sequence[tuple[int, ...]] | Traced[Any],
        estimates: Sequence[Traced[Any]] | Traced[Any],
        penalties: Traced[Any],
        event: ExponentialEvent,
        *,
        stop: bool,
    ) -> Traced[int]:
        """Which table is the estimate farthest from, by the exponential mechanism.

        The score of a candidate is the L1 distance of its true counts from its estimate, less its penalty, all in
        counts rounded to 2^-20. Estimate and penalty do not depend on the rows except through earlier answers, so one
        patient changes a score by at most ``max_rows``: the true counts change by that much in L1.

        Parameters
        ----------
        candidates : sequence of column tuples, traced
        estimates : one array per candidate, of its table's cells (any shape), in counts
        penalties : (candidates,) array in counts
        stop : bool
            Add a candidate of score 0, returned as -1 (:data:`STOP`).

        Raises
        ------
        PrivacyError
            Bare arrays, shapes that differ, numbers that are not finite, or an event not left in the budget.
        """
        rows = _VAULT[self]
        asked = (_of_known_origin(candidates), estimates, penalties)
        (pairs, guesses, prices), sources = unwrap("choose", asked)
        wanted = [_columns(pair, rows.sizes) for pair in pairs]
        prices = np.asarray(prices, dtype=np.float64)
        if not wanted or len(guesses) != len(wanted) or prices.shape != (len(wanted),):
            raise PrivacyError(
                f"one estimate and one penalty per candidate are needed, found {len(wanted)} candidates, "
                f"{len(guesses)} estimates and penalties of shape {prices.shape}"
            )
        grids = [on_grid(np.asarray(guess, dtype=np.float64).ravel()) for guess in guesses]
        for columns, grid in zip(wanted, grids, strict=True):
            if grid.size != math.prod(rows.sizes[column] for column in columns):
                raise PrivacyError(
                    f"the estimate of columns {columns} has {grid.size} cells, another number is declared"
                )
        on_grid(prices)
        name = rows.budget.draw(event)
        distances = [
            _whole_sum(np.abs(rows.counts(columns) * SCORE_GRID - grid))
            for columns, grid in zip(wanted, grids, strict=True)
        ]
        scores = whole_scores(distances, prices) + [0] * stop
        mechanism = ScoreChoice(
            epsilon=event.epsilon,
            sensitivity=rows.max_rows * SCORE_GRID,
            scores=scores,
            randomness=rows.randomness,
        )
        chosen = mechanism.randomise()
        return Traced(STOP if chosen == len(wanted) else chosen, rows.sources | sources | {name})

    def train(self, event: SampledGaussianEvent, trainer: Trainer[T], *given: Any) -> Traced[T]:
        """Let a DP-SGD trainer see the rows; the budget is charged first, whatever becomes of it.

        Parameters
        ----------
        given : traced values that the trainer is called with, after rows, owners and randomness.

        Raises
        ------
        PrivacyError
            Something is not traced, the trainer captures values of its own, or it fails; its own error, which could
            hold values, is not shown.
        """
        rows = _VAULT[self]
        refuse_captured("train", trainer)
        plain, sources = unwrap("train", given)
        name = rows.budget.draw(event)
        codes, owners = rows.codes.T.copy(order="C"), rows.owners.copy()
        for each in (codes, owners):  # what comes back as they are, or as a view of them, was not learned
            remember(each, frozenset({RAW}))
        try:
            learned = trainer(codes, owners, rows.randomness, *plain)
        except PrivacyError:
            raise
        except Exception as error:  # noqa: BLE001 - any error of a trainer could carry cell values
            raise PrivacyError(f"training stopped with {type(error).__name__}; its charge stands") from None
        learned, inside = gathered(learned)
        return Traced(learned, rows.sources | sources | {name} | inside)

    def open(self, reason: str) -> Traced[NDArray[np.int32]]:
        """The (n, d) codes themselves, uncharged: whatever they reach has RAW among its sources and makes no claim."""
        if not reason:
            raise PrivacyError("say why the rows are opened")
        rows = _VAULT[self]
        return Traced(np.ascontiguousarray(rows.codes.T), rows.sources | {RAW, f"{RAW}: {reason}"})

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise PrivacyError("a sealed table cannot be copied or stored")

    def __repr__(self) -> str:
        return f"SealedTable({len(self.sizes)} columns)"


_VAULT: weakref.WeakKeyDictionary[SealedTable, Rows] = weakref.WeakKeyDictionary()


def _of_known_origin(value: Any) -> Traced[Any] | None:
    """The value as it is traced; a copy of a bare one, which may come from anywhere, and so from the rows."""
    return value if value is None or isinstance(value, Traced) else Traced(copy.copy(value), frozenset({RAW}))


def _whole_sum(distances: NDArray[np.int64]) -> int:
    """The sum of up to 2^22 numbers of 0 or more, exactly: that of 64 bits would wrap around."""
    high, low = distances >> 32, distances & (2**32 - 1)
    return (int(high.sum()) << 32) + int(low.sum())


def _check_numbers(numbers: NDArray[np.int32], size: int, max_rows: int) -> None:
    if numbers.shape != (max_rows,) or numbers.min() < 0 or numbers.max() >= size:
        raise PrivacyError(f"numbers must give one of {size} declared cells to each of 1 .. {max_rows} rows")


def _columns(columns: Any, sizes: tuple[int, ...]) -> tuple[int, ...]:
    try:
        wanted = tuple(operator.index(column) for column in columns)
    except TypeError:  # its message could name what was given
        wanted = ()
    if not wanted or len(set(wanted)) != len(wanted) or not all(0 <= column < len(sizes) for column in wanted):
        raise PrivacyError(f"a table needs numbers of different columns, from 0 .. {len(sizes) - 1}")
    cells = math.prod(sizes[column] for column in wanted)
    if cells > _LARGEST_TABLE:
        raise PrivacyError(f"a table of {cells} cells is too large: at most {_LARGEST_TABLE}")
    return wanted
