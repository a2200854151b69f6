"""Which two people of a table have a row between them, and how likely is it theirs? All pairs are tried.

What speaks against one end of a pair must not speak against the other. That is asked of all pairs at once, 64 to a
machine word, and only those that are left are worked out, column by column, for as long as any point of the way would
do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.columns import Cells, deviation

PAIRS = 20_000  # pairs of people worked out at a time
MOST_PAIRS = 1_000_000  # pairs, counted from either end, that are worked out for a row: all those of 1,000 people
_WORD = 64
_WORDS = 4_096  # looked through at a time

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Codes = NDArray[np.int64]
Words = NDArray[np.uint64]


@dataclass(frozen=True)
class Explained:
    """Chance that a pair yields a row, which is half of all pairs and half of those near; its likeliest pair's places.

    ``twin`` says that one of the people has the very row: equal levels, numbers within half a step, the same gaps. Then
    no pair was tried.
    """

    chance: float = 0.0
    ends: tuple[int, int] = (0, 0)
    twin: bool = False


class PairSearch:
    """All pairs of these people; ``half`` (d,) is half a step of each number's grid.

    ``near`` (n, k) are places of the rows nearest to each, -1 for none: whoever mixes two people takes any two, or two
    alike as SMOTE does.
    """

    def __init__(self, people: Cells, half: Floats, near: Codes | None = None) -> None:
        self._rows = len(people.codes)
        self._near = np.zeros((self._rows, self._rows), dtype=np.bool_)
        if near is not None:
            row, place = np.nonzero(near >= 0)
            other = near[row, place]
            self._near[row, other] = self._near[other, row] = True
        every, alike = self._rows * (self._rows - 1) / 2, int(self._near.sum()) / 2
        # what a pair has beforehand, and what one of those near has on top
        self._odds = (0.5 if alike else 1.0) / max(every, 1.0), 0.5 / max(alike, 1.0)
        self._half = half
        self._numbers = np.ascontiguousarray(people.numbers.T)
        self._codes = np.ascontiguousarray(people.codes.T)
        self._gaps = np.isnan(self._numbers)
        kept = [_kept(column[~gap], near) for column, gap, near in zip(self._numbers, self._gaps, half, strict=True)]
        self._order = np.argsort(kept, kind="stable")  # results do not depend on it, only time does

    def explain(self, numbers: Floats, codes: Codes, rng: np.random.Generator) -> Explained:
        """How likely a row of ``numbers`` (d,) and level ``codes`` (c,) is a point on the way between two people.

        A pair's chance is the part of the way whose points are rounded to this row, halved for each category, and for
        each missing number, in which the two differ. Beforehand it is any of all pairs or any of those near, at even
        odds. Of more than ``MOST_PAIRS`` possible pairs some are drawn, and the estimate is unbiased.
        """
        against, halved = self._against(numbers, codes)
        if not against.any(axis=0).all():
            return Explained(twin=True)
        low, high = numbers - self._half, numbers + self._half
        order = [k for k in self._order if not np.isnan(numbers[k])]
        best, total, ends = 0.0, 0.0, (0, 0)
        drawn, pairs = possible(against, rng)
        for pair in pairs:
            one, other, part = self._on_one_way(*pair, low, high, order)
            if not len(one):
                continue
            chance = np.ldexp(part, -(halved[one] + halved[other]))
            chance *= self._odds[0] + self._odds[1] * self._near[one, other]
            total += float(chance.sum())
            top = int(chance.argmax())
            if chance[top] > best:
                best, ends = float(chance[top]), (int(one[top]), int(other[top]))
        return Explained(total / drawn, ends)

    def _on_one_way(
        self, one: Codes, other: Codes, low: Floats, high: Floats, order: list[int]
    ) -> tuple[Codes, Codes, Floats]:
        """Those of the pairs with all of ``low`` to ``high`` (d,) between them at once, and on what part of the way."""
        start, end = np.zeros(len(one)), np.ones(len(one))
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            for k in order:
                here = self._numbers[k].take(one)
                way = self._numbers[k].take(other)
                way -= here
                first = np.subtract(low[k], here)
                first /= way
                last = np.subtract(high[k], here, out=here)
                last /= way
                # a number that both have, or one has alone, is met everywhere: infinite or no number
                np.fmax(start, np.minimum(first, last, out=way), out=start)
                np.fmin(end, np.maximum(first, last, out=last), out=end)
                left = np.flatnonzero(end > start)
                if len(left) < len(one):
                    one, other, start, end = one.take(left), other.take(left), start.take(left), end.take(left)
        return one, other, end - start

    def count(self, numbers: Floats, codes: Codes) -> int:
        """How many pairs are possible for such a row, each counted from either end that might be its first."""
        against, _ = self._against(numbers, codes)
        return int(np.bitwise_count(_free(against, _one_end(against)[1])).sum()) if len(against) else 0

    def _against(self, numbers: Floats, codes: Codes) -> tuple[Flags, NDArray[np.int32]]:
        """What speaks against each end (b, n), and in how many columns the other end would be a matter of chance (n,).

        A number that is missing counts as too small and too large at once: it needs an end that meets it.
        """
        known = ~np.isnan(numbers)
        levels, gaps = self._codes != codes[:, None], self._gaps[known]
        strange = ~self._gaps[~known]
        held, near = self._numbers[known], self._half[known, None]
        with np.errstate(invalid="ignore"):
            below = ~(held >= numbers[known, None] - near)
            above = ~(held <= numbers[known, None] + near)
        halved = np.concatenate([levels, gaps, strange]).sum(axis=0, dtype=np.int32)
        return np.concatenate([levels, below, above, strange]), halved


def _kept(known: Floats, near: float) -> float:
    """Mean log of the part of the way that a column leaves to a pair, roughly: few points do where values differ."""
    if not len(known):
        return 0.0
    _, times = np.unique(known, return_counts=True)
    apart = 1 - float(((times / len(known)) ** 2).sum())
    return apart * min(float(np.log(near / (deviation(known) or near))), 0.0)


def possible(against: Flags, rng: np.random.Generator) -> tuple[float, Iterator[tuple[Codes, Codes]]]:
    """Pairs of rows no column speaks against, for (b, n) what speaks against one end: it must not against the other.

    Each once, ``PAIRS`` of them at a time, and beside them the share of all such pairs that they are: 1 unless there
    are more than ``MOST_PAIRS``.
    """
    if not len(against):
        return 1.0, iter(())
    scarce, first = _one_end(against)
    free = _free(against, first)
    count = int(np.bitwise_count(free).sum())
    drawn = min(MOST_PAIRS / count, 1.0) if count else 1.0

    def pairs() -> Iterator[tuple[Codes, Codes]]:
        most = max(_WORDS // free.shape[1], 1)
        for start in range(0, len(free), most):
            place, other = _set_bits(free[start : start + most])
            one = first[start + place]
            kept = (one < other) | against[scarce].take(other)  # a pair of two such rows is seen from either end
            if drawn < 1:
                kept &= rng.random(len(kept)) < drawn
            one, other = one[kept], other[kept]
            for cut in range(0, len(one), PAIRS):
                yield one[cut : cut + PAIRS], other[cut : cut + PAIRS]

    return drawn, pairs()


def has_pair(against: Flags) -> bool:
    """Whether there is any such pair, or a row that nothing speaks against."""
    return not len(against) or bool(_free(against, _one_end(against)[1]).any())


def _one_end(against: Flags) -> tuple[int, Codes]:
    """The column that speaks against most rows, and those (f,) it does not: one end of every pair is among them."""
    scarce = int(against.sum(axis=1).argmax())
    return scarce, np.flatnonzero(~against[scarce])


def _free(against: Flags, first: Codes) -> Words:
    """For each row ``first`` (f,), by bits (f, w), the rows against which nothing speaks that speaks against it.

    Eight columns at a time, by a table of all that eight can say (Arlazarov, Dinic, Kronrod, Faradzhev, Doklady
    Akademii Nauk SSSR 194, 1970: the method of four Russians).
    """
    rows = against.shape[1]
    width = -(-rows // _WORD)
    packed = np.zeros((len(against), width * _WORD // 8), dtype=np.uint8)
    packed[:, : -(-rows // 8)] = np.packbits(~against, axis=1)
    open_to = packed.view(np.uint64)
    said = np.packbits(against[:, first], axis=0, bitorder="little")
    everybody = np.zeros(width * _WORD // 8, dtype=np.uint8)
    everybody[: -(-rows // 8)] = np.packbits(np.ones(rows, dtype=np.bool_))
    free = np.broadcast_to(everybody.view(np.uint64), (len(first), width))
    for part, here in zip(range(0, len(against), 8), said, strict=True):
        eight = open_to[part : part + 8]
        table = np.empty((1 << len(eight), width), dtype=np.uint64)
        table[0] = ~np.uint64(0)
        for place, bits in enumerate(eight):
            np.bitwise_and(table[: 1 << place], bits, out=table[1 << place : 2 << place])
        free = free & table[here]
    return free


def _set_bits(words: Words) -> tuple[Codes, Codes]:
    """Row and column, in order, of each bit set in (f, w) words as ``np.packbits`` makes them."""
    flat = np.ascontiguousarray(words).ravel()
    some = np.flatnonzero(flat)
    bits = np.flatnonzero(np.unpackbits(flat[some].view(np.uint8)).view(np.bool_))
    at = bits // _WORD
    row, first = np.divmod(some, words.shape[1])
    return row.take(at), (first * _WORD).take(at) + bits % _WORD
