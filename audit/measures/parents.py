"""Are released rows mixtures of two people the synthesizer saw, wherever those two stand?

A row between two people who are nothing alike lies near neither and near none of their neighbours, and among few
numbers honest rows lie on such lines too. What gives it away is everything at once: each category is that of one of the
two, and all numbers round to one and the same point of the way. All pairs are tried, and a row counts where pairs
explain it far better than the people around it do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from audit.columns import categorical_columns, deviation, levels, numbers, numeric_columns
from audit.intervals import clopper_pearson, touched_variance
from audit.measures.copies import REAL, excess_interval
from audit.neighbours import Rows
from audit.outcome import FEWEST, UNEVEN, measured, too_few, void_all
from audit.plan import Plan
from audit.sides import SIDES, Side, draw_people
from audit.tables import AuditTables
from policies import Measurement

NAMES = ("two_parent_excess",)
CONTROLS = {"two_parent_excess": Plan(0.0, NAMES, staked=NAMES, on="lines")}

MOST_ROWS = 1_000  # real rows of a table whose pairs are all tried; of more, some say nothing of the others
QUERIES = 500  # rows asked about, per table
PAIRS = 20_000  # pairs of people worked out at a time
UNUSUAL = (0.0005, 0.01)  # share of strangers who may be explained as well: two rows, within these
EXACT = 1e-6  # of a standard deviation, by which a number may be off by computing
SINGLE = 4 * 2.0**-24  # of the largest number, by which single precision may be off
ROUNDED = 0.99  # share of a column's known values that must lie on a grid for the column to do
ON_GRID = 0.01  # of a step, by which a number on the grid may be off it
GAPS = 20  # smallest gaps between values that are tried for the step of a grid
SMOOTHING = (0.1, 0.2, 0.3, 0.4, 0.6)  # lambdas tried
WIDTHS = (0.05, 0.1, 0.2, 0.4)  # of the kernel on numbers, in standard deviations
CHOOSING = 100  # real rows that choose lambda and width, at most

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def two_parents(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
    """``two_parent_excess``: share of released rows unusually well explained by two train people, less by two others.

    A pair explains a row with the chance that a point drawn on the line between the two, its numbers rounded as their
    columns are and its categories tossed between the ends, is that row. The mean over all pairs of train is held
    against what kernels around all real people give the row (categories: Aitchison and Aitken's; numbers: normal with a
    spike where values recur; widths by leave-one-out likelihood). Unusual is a ratio that two rows in so many would
    exceed among real strangers (train rows by holdout pairs and the other way round), if it is more than one. 0 without
    memory. Rows that the table whose pairs are tried has itself are left out: ``exact_copy_excess`` tells of them.

    Not seen are mixtures rounded coarser than the column's own grid, with noise on top, on another scale than the
    column's, with every number whole from either parent, or off the line in one column.

    Train and holdout are cut to equal size, and the excess is scaled back by the pairs cut from train. Of more than
    ``MOST_ROWS`` rows it is inconclusive: the pairs that were not tried might be the ones. Rows that share a parent are
    dependent. With all released rows looked at, the upper end never exceeds the share that train pairs do explain by
    more than is usual, which is counted.

    References
    ----------
    Zhang, Cisse, Dauphin, Lopez-Paz, mixup, ICLR 2018 (lines between any two rows). Chawla, Bowyer, Hall, Kegelmeyer,
    SMOTE, JAIR 16 (2002). Aitchison and Aitken, Biometrika 63 (1976).
    """
    if tables.fewest_people < FEWEST:
        return too_few(NAMES, tables.fewest_people)
    size = min(len(tables.train), len(tables.holdout))
    scale = (len(tables.train) / size) ** 2  # a pair is seen where both were drawn
    if len(tables.train) > UNEVEN * size or size > MOST_ROWS:
        reason = (
            f"all pairs of {len(tables.train)} train rows are to be compared with those of as many holdout rows, and "
            f"there are {len(tables.holdout)}; up to {MOST_ROWS} rows a side can be tried"
        )
        return void_all(NAMES, "inconclusive", reason, tables.fewest_people)
    drawn = _Drawn(tables, size, rng)
    strangers = np.concatenate([drawn.ratio("holdout", "train")[0], drawn.ratio("train", "holdout")[0], [0.0]])
    n, confidence = len(drawn.queries["released"]), tables.confidence
    told = strangers[~np.isnan(strangers)]
    usual = max(float(np.quantile(told, 1 - np.clip(2 / n, *UNUSUAL), method="higher")), 0.0)
    explained: dict[Side, Flags] = {}
    touched: list[Rows] = []
    points = drawn.points
    for side in REAL:
        ratio, *ends = drawn.ratio("released", side)
        explained[side] = ratio > usual
        for end in ends:  # a row that nobody explains shares no parent
            touched.append(np.where(explained[side], drawn.ids(side, end), points + np.arange(n)))
            points += n
    difference = explained["train"].astype(np.float64) - explained["holdout"]
    variance = touched_variance([((difference - difference.mean()) / n, touched)], points)
    counted = float(explained["train"].mean())
    if scale > 1 or n < len(tables.released):
        counted = min(scale * clopper_pearson(counted, n, confidence)[1], 1.0)
    value = min(scale * float(difference.mean()), counted)
    interval = excess_interval(difference, variance, scale, counted, confidence)
    method = f"{n} released rows against all pairs of {size} train and of as many holdout rows"
    return (measured("two_parent_excess", value, interval, confidence, n, method),)


@dataclass(frozen=True)
class _Rows:
    """``numbers`` (n, d), ``codes`` (n, c) of levels."""

    numbers: Floats
    codes: NDArray[np.int64]

    def take(self, rows: Rows) -> _Rows:
        return _Rows(self.numbers[rows], self.codes[rows])


class _Drawn:
    """Rows drawn of each table, and how much better pairs of another table explain some of them than their like do."""

    def __init__(self, tables: AuditTables, size: int, rng: np.random.Generator) -> None:
        dictionary = tables.dictionary
        self._rows: dict[Side, _Rows] = {}
        self._people: dict[Side, Rows] = {}
        self.queries: dict[Side, Rows] = {}
        self._first: dict[Side, int] = {}
        self.points = 0
        for side in SIDES:
            frame, people = tables.frames[side], tables.people[side]
            kept = draw_people(people, size if side != "released" else QUERIES, rng)
            columns = [numbers(frame, name) for name in numeric_columns(dictionary)]
            codes = [levels(frame, name, dictionary.columns[name]) for name in categorical_columns(dictionary)]
            self._rows[side] = _Rows(_table(columns, len(frame), np.float64), _table(codes, len(frame), np.int64)).take(
                kept
            )
            self._people[side] = np.unique(people[kept], return_inverse=True)[1].astype(np.int64)
            self.queries[side] = draw_people(self._people[side], QUERIES, rng)
            self._first[side] = self.points
            self.points += int(self._people[side].max(initial=-1)) + 1
        real = [self._rows[side] for side in REAL]
        self._real = _Rows(*(np.concatenate([getattr(rows, part) for rows in real]) for part in ("numbers", "codes")))
        self._owner = np.concatenate([self.ids(side, np.arange(size)) for side in REAL])
        whole = [dictionary.columns[name].type != "number" for name in numeric_columns(dictionary)]
        self._half = _half_steps(self._real.numbers, whole)
        self._kernels = _Kernels.chosen(self._real, self._owner, self._half, rng)

    def ids(self, side: Side, rows: Rows) -> Rows:
        """One code per person over all tables."""
        return self._first[side] + self._people[side][rows]

    def ratio(self, of: Side, among: Side) -> tuple[Floats, Rows, Rows]:
        """Log of the ratio (q,) for each query of table ``of`` to pairs of table ``among``, and its likeliest parents.

        Minus infinity where no pair explains the row, NaN where ``among`` has the very row; its parents are then the
        first row, who count for nothing.
        """
        asked, owner = self._rows[of].take(self.queries[of]), self.ids(of, self.queries[of])
        people = self._rows[among]
        twins = _twins(asked, people, self._half)
        found = [
            (0.0, 0, 0) if twin else _explained(x, c, people, self._half)
            for x, c, twin in zip(asked.numbers, asked.codes, twins, strict=True)
        ]
        chance = np.array([each[0] for each in found])
        one, other = (np.array([each[k] for each in found], dtype=np.int64) for k in (1, 2))
        ratio = np.where(twins, np.nan, -np.inf)
        some = np.flatnonzero(chance > 0)
        ratio[some] = np.log(chance[some]) - self._kernels.log_chance(asked.take(some), owner[some])
        return ratio, one, other


def _table(columns: list[NDArray], rows: int, kind: type) -> NDArray:  # type: ignore[type-arg]
    return np.column_stack(columns).astype(kind) if columns else np.empty((rows, 0), dtype=kind)


def _half_steps(values: Floats, whole: Sequence[bool]) -> Floats:
    """Half the step (d,) of the grid each column's known values lie on, or next to nothing; 1/2 at least if ``whole``.

    The step is the smallest gap between values that nearly all of them are multiples of, counted from their median.
    """
    result = np.empty(values.shape[1])
    for k, column in enumerate(values.T):
        known = np.sort(column[~np.isnan(column)])
        spread = deviation(known) or 1.0
        off = max(EXACT * spread, SINGLE * float(np.abs(known).max(initial=0.0)))
        least = max(10 * off, 1.0 if whole[k] else 0.0)
        step = 1.0 if whole[k] else 2 * off
        gaps = np.diff(known)
        for gap in np.unique(gaps[gaps > least])[:GAPS]:
            places = (known - known[len(known) // 2]) / gap
            if (np.abs(places - np.round(places)) <= ON_GRID).mean() >= ROUNDED:
                step = float(gap)
                break
        result[k] = 0.5 * step + off
    return result


def _twins(asked: _Rows, people: _Rows, half: Floats) -> Flags:
    """Which rows (q,) one of the people has: equal levels, numbers within half a step, the same gaps."""
    same = np.ones((len(asked.codes), len(people.codes)), dtype=np.bool_)
    for mine, theirs in zip(asked.codes.T, people.codes.T, strict=True):
        same &= mine[:, None] == theirs
    for number, held, near in zip(asked.numbers.T, people.numbers.T, half, strict=True):
        gaps = np.isnan(number)[:, None] & np.isnan(held)
        with np.errstate(invalid="ignore"):
            close = np.abs(number[:, None] - held) <= near
        same &= gaps | close
    return np.asarray(same.any(axis=1))


def _explained(numbers: Floats, codes: NDArray[np.int64], people: _Rows, half: Floats) -> tuple[float, int, int]:
    """Mean over all pairs of the chance that the pair yields this row, and the rows of the likeliest pair."""
    low, high = numbers - half, numbers + half
    known = ~np.isnan(numbers)
    with np.errstate(invalid="ignore"):
        below, above = people.numbers[:, known] < low[known], people.numbers[:, known] > high[known]
    against = np.hstack([people.codes != codes, below, above, ~np.isnan(people.numbers[:, ~known])]).T
    best, total, ends = 0.0, 0.0, (0, 0)
    for one, other in _possible(against):
        chance = np.ones(len(one))
        for k in range(len(codes)):
            own, others = people.codes[one, k] == codes[k], people.codes[other, k] == codes[k]
            chance *= np.where(own & others, 1.0, 0.5)
        start, end = np.zeros(len(one)), np.ones(len(one))
        for k in range(len(numbers)):
            a, b = people.numbers[one, k], people.numbers[other, k]
            if not known[k]:
                chance *= np.where(np.isnan(a) & np.isnan(b), 1.0, 0.5)
                continue
            gaps = np.isnan(a) | np.isnan(b)
            with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
                given = np.where(np.isnan(a), b, a)
                met = (given >= low[k]) & (given <= high[k])
                first, last = (low[k] - a) / (b - a), (high[k] - a) / (b - a)
                apart = ~gaps & (a != b)
                start = np.where(apart, np.maximum(start, np.minimum(first, last)), start)
                end = np.where(apart, np.minimum(end, np.maximum(first, last)), end)
            chance = np.where(apart, chance, chance * met * np.where(gaps, 0.5, 1.0))
        chance *= np.maximum(end - start, 0.0)
        total += float(chance.sum())
        top = int(chance.argmax())
        if chance[top] > best:
            best, ends = float(chance[top]), (int(one[top]), int(other[top]))
    rows = len(people.codes)
    return 2 * total / (rows * (rows - 1)), *ends


def _possible(against: Flags) -> Iterator[tuple[Rows, Rows]]:
    """Pairs of rows no column speaks against, for (b, n) what speaks against one end: it must not against the other.

    ``PAIRS`` of them at a time.
    """
    rows = against.shape[1]
    if not len(against):
        return
    scarce = int(against.sum(axis=1).argmax())
    first = np.flatnonzero(~against[scarce])  # one end of every possible pair is among them
    open_to = np.packbits(~against, axis=1)
    free = np.full((len(first), open_to.shape[1]), 255, dtype=np.uint8)
    for bit, here in zip(open_to, against[:, first], strict=True):
        free[here] &= bit
    place, other = np.nonzero(np.unpackbits(free, axis=1, count=rows))
    one = first[place]
    once = (one < other) | (against[scarce, other] & (one != other))
    one, other = one[once], other[once]
    for start in range(0, len(one), PAIRS):
        yield one[start : start + PAIRS], other[start : start + PAIRS]


@dataclass(frozen=True)
class _Kernels:
    """A density around each real row: ``spike`` (d,) is how much of a number's kernel sits on the value itself."""

    real: _Rows
    owner: Rows
    half: Floats
    unit: Floats
    spike: Floats
    smoothing: float = 0.3
    width: float = 0.25

    @classmethod
    def chosen(cls, real: _Rows, owner: Rows, half: Floats, rng: np.random.Generator) -> _Kernels:
        """Smoothing, then width, under which the real rows are likeliest by the other people's."""
        some = rng.permutation(len(owner))[:CHOOSING]
        spike, unit = np.zeros(len(half)), np.ones(len(half))
        for k, column in enumerate(real.numbers.T):
            known = column[~np.isnan(column)]
            if len(known):
                _, times = np.unique(np.round(known / (2 * half[k])), return_counts=True)
                spike[k] = float(((times / len(known)) ** 2).sum())
                unit[k] = deviation(known) or 1.0
        asked, who = real.take(some), owner[some]
        tried = [cls(real, owner, half, unit, spike, smoothing) for smoothing in SMOOTHING]
        best = max(tried, key=lambda kernels: float(kernels.log_chance(asked, who).sum()))
        tried = [cls(real, owner, half, unit, spike, best.smoothing, width) for width in WIDTHS]
        return max(tried, key=lambda kernels: float(kernels.log_chance(asked, who).sum()))

    def log_chance(self, asked: _Rows, owner: Rows) -> Floats:
        """Log chance (q,) of each row around other people's; ``owner`` (q,) says whose it is."""
        others = owner[:, None] != self.owner
        count = np.maximum(others.sum(axis=1), 1)
        log = np.where(others, 0.0, -np.inf)
        for mine, theirs in zip(asked.codes.T, self.real.codes.T, strict=True):
            log += self._smoothed((mine[:, None] == theirs).astype(np.float64), others, count)
        for k, (x, a) in enumerate(zip(asked.numbers.T, self.real.numbers.T, strict=True)):
            gap = np.abs(x[:, None] - a)
            spread = self.width * self.unit[k]
            with np.errstate(invalid="ignore"):
                bell = np.exp(-0.5 * (gap / spread) ** 2) * min(2 * self.half[k] / (spread * np.sqrt(2 * np.pi)), 1.0)
                kernel = self.spike[k] * (gap <= self.half[k]) + (1 - self.spike[k]) * bell
            missing = np.isnan(x)[:, None], np.isnan(a)[None, :]
            kernel = np.where(missing[0] | missing[1], (missing[0] & missing[1]).astype(np.float64), kernel)
            log += self._smoothed(kernel, others, count)
        result: Floats = logsumexp(log, axis=1) - np.log(count)
        return result

    def _smoothed(self, kernel: Floats, others: Flags, count: Rows) -> Floats:
        """Log of the kernel mixed with what the column has anywhere, nothing being quite impossible."""
        anywhere = ((kernel * others).sum(axis=1) + 0.5 * self.smoothing / len(self.owner)) / (count + 1.0)
        result: Floats = np.log((1 - self.smoothing) * kernel + self.smoothing * anywhere[:, None])
        return result
