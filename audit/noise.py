"""How likely is a row as one of these people with noise on the numbers, and how likely by what they are all like?

Both are densities that stand around the rows of a table. As *one person with noise* a row keeps that person's
categories, nearly, and its numbers are off by independent normal noise of one size in standard deviations. As *a draw
from the population* it may be off along the directions in which people differ, as far as they do (kernels of the shape
of the covariance, with noise on top), or column by column, each value kept, moved or drawn anew. Noise goes across
where people differ along: what is far likelier as a noised person than as a draw from everybody was made from that
person.

References
----------
Aitchison and Aitken, Multivariate binary discrimination by the kernel method, Biometrika 63 (1976), with the column's
own distribution in place of the even one. Silverman, Density estimation (1986), section 4.2 (kernels of the shape of
the covariance).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from audit.neighbours import Rows
from audit.standard import NOISE, Codes, Points, Scale

REDRAWN = (0.02, 0.2)  # chances that a category of a noised person is drawn anew
WIDTHS = (0.25, 0.5, 1.0)  # of kernels of the covariance's shape, 1 being as wide as the table
MOVED = (0.1, 0.3)  # standard deviations of a kernel that goes column by column
LOOSE = (0.1, 0.3, 0.6)  # chances that such a kernel draws a value anew
ANEW = (0.02, 0.2, 0.5)  # chances that a category is drawn anew beside numbers off along the covariance
PATTERNS = 40  # sets of known numbers that the covariance is worked out for, the most common ones
FLOOR = 0.1  # rows' worth of density that a column has anywhere, per standard deviation
NEAR = 256  # rows that are held against a row one by one, at most, by
MIDDLING = 0.35  # standard deviations of noise likeliest
LEVELS = 48  # of a category that are told apart in finding these
ROWS, BLOCK = 500, 4_000  # asked rows and people in one product
PAIRS = 1_000_000  # pairs of rows at a time
CELLS = 4_000_000  # differences at a time
TOGETHER = 4  # columns multiplied before a logarithm is taken

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]


def as_one_person(asked: Points, people: Points, scale: Scale) -> tuple[Floats, Rows]:
    """Log mean over the rows of ``people`` of what noise around each gives each asked row (q,), and the likeliest row.

    Noise is of any of the sizes ``NOISE`` and never less than the rounding of a column; a category is drawn anew with
    any of the chances ``REDRAWN``, and so is whether a number is known. Rows of the asked row's own person do not
    count. Of more than ``NEAR`` rows those count that a middling noise makes likeliest: what the others add is less
    than nothing to speak of where one person explains the row. Minus infinity where nobody is any explanation.
    """
    near = _nearest(asked, people, scale)
    logs, parents = [], []
    step = max(CELLS // max(near.shape[1] * max(asked.numbers.shape[1], asked.codes.shape[1]), 1), 1)
    for start in range(0, len(asked), step):
        part, some = asked.take(slice(start, start + step)), near[start : start + step]
        log = _noise(part, people, some, scale) + _unchanged(part, people, some, scale)
        log[(some < 0) | (part.person[:, None] == people.person[some])] = -np.inf
        logs.append(_log_sum(log))
        parents.append(np.take_along_axis(some, log.argmax(axis=1)[:, None], axis=1)[:, 0])
    return np.concatenate(logs) - np.log(_others(asked, people)), np.concatenate(parents)


def as_anybody(asked: Points, people: Points, scale: Scale) -> Floats:
    """Log density (q,) of each asked row as a draw from what the rows of ``people`` are like.

    The mean of kernels of the covariance's shape of any of ``WIDTHS`` with noise of any of ``NOISE`` on top, and of
    kernels column by column, ``MOVED`` and ``LOOSE``; the former want a row whose numbers are known where those of many
    others are, in one of ``PATTERNS`` ways. Rows of the asked row's own person do not count.
    """
    step = max(PAIRS // len(people), 1)
    chunks = [asked.take(slice(start, start + step)) for start in range(0, len(asked), step)]
    found = [np.logaddexp(_along(part, people, scale), _by_column(part, people, scale)) for part in chunks]
    return np.concatenate(found) - np.log(_others(asked, people))


def _along(asked: Points, people: Points, scale: Scale) -> Floats:
    """Kernels of the covariance's shape with noise on top, a category being drawn anew with any chance of ``ANEW``."""
    result = np.full(len(asked), -np.inf)
    levels = _log_mean(np.stack([_levels(asked, people, redrawn, scale) for redrawn in ANEW], axis=2))
    levels[asked.person[:, None] == people.person] = -np.inf
    if not asked.known.shape[1]:
        return _log_sum(levels)
    patterns, of, times = np.unique(asked.known, axis=0, return_inverse=True, return_counts=True)
    for each in np.argsort(-times, kind="stable")[:PATTERNS]:
        rows, known = np.flatnonzero(of.ravel() == each), patterns[each]
        part: list[Floats] = []
        for width in WIDTHS:
            for size in NOISE:
                covariance = width**2 * scale.covariance + np.diag(size**2 + scale.rounding)
                inverse = np.linalg.inv(np.linalg.cholesky(covariance[np.ix_(known, known)]))
                mine, theirs = asked.numbers[np.ix_(rows, known)] @ inverse.T, people.numbers[:, known] @ inverse.T
                log = levels[rows] - 0.5 * _squared(mine, theirs) + np.log(np.diag(inverse)).sum()
                part.append(_log_sum(log))
        result[rows] = _log_sum(np.column_stack(part)) - np.log(len(part))
    return result


def _by_column(asked: Points, people: Points, scale: Scale) -> Floats:
    """Kernels that keep each value, move it a little where it is a number, or draw it anew from the column."""
    others = asked.person[:, None] != people.person
    logs = {(moved, loose): _levels(asked, people, loose, scale) for moved in MOVED for loose in LOOSE}
    chance = {each: np.ones(others.shape, dtype=np.float32) for each in logs}
    narrowest = NOISE[0] ** 2 + scale.rounding
    for k, (x, a, known) in enumerate(zip(asked.numbers.T, people.numbers.T, asked.known.T, strict=True)):
        both = others & known[:, None] & people.known[:, k]
        squared = np.square(x[:, None] - a).astype(np.float32)
        same = _bell(squared, narrowest[k]) * np.float32(scale.recurring[k])
        for moved in MOVED:
            kernel = _bell(squared, moved**2 + narrowest[k])
            kernel *= np.float32(1 - scale.recurring[k])
            kernel += same
            kernel *= both
            anywhere = (kernel.sum(axis=1) + FLOOR / len(people)) / (both.sum(axis=1) + 1.0)
            for loose in LOOSE:
                anew = anywhere.astype(np.float32)[:, None]
                factor = np.float32(1 - loose) * kernel
                factor += np.where(both, np.float32(loose), np.float32(1)) * anew
                factor[~known] = 1.0
                chance[moved, loose] *= factor
        if k % TOGETHER == TOGETHER - 1 or k == asked.numbers.shape[1] - 1:
            for each, log in logs.items():
                log += np.log(chance[each])
                chance[each].fill(1.0)
    parts = [_log_sum(np.where(others, log, -np.inf)) for log in logs.values()]
    result: Floats = _log_sum(np.column_stack(parts)) - np.log(len(parts))
    return result


def _bell(squared: Singles, variance: float) -> Singles:
    """Normal density at these squared distances, but for a constant."""
    bell: Singles = np.exp(squared * np.float32(-0.5 / variance)) * np.float32(variance**-0.5)
    return bell


def _nearest(asked: Points, people: Points, scale: Scale) -> Rows:
    """The rows (q, ``NEAR``) of other people that a middling noise makes likeliest; all where there are no more.

    Levels of a column count as equal here where they are equal modulo ``LEVELS``.
    """
    if len(people) <= NEAR:
        return np.broadcast_to(np.arange(len(people)), (len(asked), len(people)))
    place = np.full((len(asked), NEAR), -1, dtype=np.int64)
    best = np.full(place.shape, -np.inf, dtype=np.float32)
    for start in range(0, len(people), BLOCK):
        block = people.take(slice(start, start + BLOCK))
        asked_of = _sought(block, scale)
        for first in range(0, len(asked), ROWS):
            rows = slice(first, first + ROWS)
            part = asked.take(rows)
            product = _seeking(part, scale) @ asked_of.T
            product[part.person[:, None] == block.person] = -np.inf
            best[rows], place[rows] = _with_larger(best[rows], place[rows], product, start)
    return place


def _seeking(asked: Points, scale: Scale) -> Singles:
    """Rows (q, f) whose product with ``_sought`` of people is their log likelihood, but for a constant of each row."""
    numbers = asked.numbers * (1 / np.sqrt(MIDDLING**2 + scale.rounding))
    kept = [
        np.log1p((1 - REDRAWN[0]) / (REDRAWN[0] * share[code]))
        for code, share in zip(asked.codes.T, scale.shares, strict=True)
    ]
    return _features(numbers, asked.known.astype(np.float64), asked.codes, kept, scale)


def _sought(people: Points, scale: Scale) -> Singles:
    """Rows (m, f) of people, see ``_seeking``."""
    numbers = people.numbers * (1 / np.sqrt(MIDDLING**2 + scale.rounding))
    return _features(numbers, -0.5 * np.square(numbers), people.codes, [1.0] * len(scale.shares), scale)


def _features(numbers: Floats, beside: Floats, codes: Codes, weight: Sequence[float | Floats], scale: Scale) -> Singles:
    """Two (n, p) blocks of numbers, and for each of the (n, c) level codes one column per level, ``weight`` in its own.

    Most of it is zero and it may be thousands of columns wide: no more than a block of rows is made at a time.
    """
    widths = [min(len(share), LEVELS) for share in scale.shares]
    features = np.zeros((len(codes), 2 * numbers.shape[1] + sum(widths)), dtype=np.float32)
    count = numbers.shape[1]
    features[:, :count], features[:, count : 2 * count] = numbers, beside
    at, rows = 2 * count, np.arange(len(codes))
    for code, each, width in zip(codes.T, weight, widths, strict=True):
        features[rows, at + code % LEVELS] = each
        at += width
    return features


def _with_larger(best: Singles, place: Rows, product: Singles, start: int) -> tuple[Singles, Rows]:
    """The largest (q, ``NEAR``) of ``best`` and of (q, m) products with rows from ``start`` on, and their places."""
    row, column = np.nonzero(product > best.min(axis=1)[:, None])
    count = np.bincount(row, minlength=len(product))
    turn = np.arange(len(row)) - (np.cumsum(count) - count)[row]
    new = np.full((len(product), int(count.max())), -np.inf, dtype=np.float32)
    where = np.full(new.shape, -1, dtype=np.int64)
    new[row, turn], where[row, turn] = product[row, column], start + column
    best, place = np.hstack([best, new]), np.hstack([place, where])
    kept = np.argpartition(best, -NEAR, axis=1)[:, -NEAR:]
    return np.take_along_axis(best, kept, axis=1), np.take_along_axis(place, kept, axis=1)


def _noise(asked: Points, people: Points, near: Rows, scale: Scale) -> Floats:
    """Log density (q, k) of the asked known numbers around those of the rows ``near`` (q, k), for noise of any size."""
    variances = np.square(NOISE)[:, None] + scale.rounding
    squared = np.square(asked.numbers[:, None] - people.numbers[near]) * asked.known[:, None]
    given = np.log(variances) @ asked.known.T
    return _log_mean(-0.5 * (squared @ (1 / variances).T + given.T[:, None]))


def _unchanged(asked: Points, people: Points, near: Rows, scale: Scale) -> Floats:
    """Log chance (q, k) of the asked levels, each drawn anew or that of the row ``near`` (q, k)."""
    same = asked.codes[:, None] == people.codes[near]
    shares = np.array([share[mine] for mine, share in zip(asked.codes.T, scale.shares, strict=True)])
    logs = []
    for redrawn in REDRAWN:
        anew = redrawn * shares.reshape(asked.codes.shape[1], len(asked)).T
        kept = np.log1p((1 - redrawn) / anew)
        logs.append((same @ kept[:, :, None])[:, :, 0] + np.log(anew).sum(axis=1)[:, None])
    return _log_mean(np.stack(logs, axis=2))


def _squared(mine: Floats, theirs: Floats) -> Floats:
    squared = np.einsum("ij,ij->i", mine, mine)[:, None] + np.einsum("ij,ij->i", theirs, theirs)
    result: Floats = np.maximum(squared - 2 * mine @ theirs.T, 0.0)
    return result


def _levels(asked: Points, people: Points, redrawn: float, scale: Scale) -> Floats:
    """Log chance (q, m) of the asked levels if each of a person's is drawn anew from its column that often."""
    log = np.zeros((len(asked), len(people)))
    for mine, theirs, share in zip(asked.codes.T, people.codes.T, scale.shares, strict=True):
        anew = redrawn * share[mine][:, None]
        log += np.log(anew) + np.log1p((1 - redrawn) / anew) * (mine[:, None] == theirs)
    return log


def _log_mean(logs: Floats) -> Floats:
    """Log of the mean over the last axis of what these are logarithms of."""
    top = logs.max(axis=-1)
    result: Floats = np.log(np.exp(logs - top[..., None]).mean(axis=-1)) + top
    return result


def _log_sum(log: Floats) -> Floats:
    """Log of each row's sum of what these (q, m) are logarithms of."""
    top = log.max(axis=1, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0.0)
    total = np.exp(log - top[:, None]).sum(axis=1)
    with np.errstate(divide="ignore"):
        result: Floats = np.log(total) + top
    return result


def _others(asked: Points, people: Points) -> Floats:
    """How many rows of other people each asked row (q,) is held against, one at least."""
    person, times = np.unique(people.person, return_counts=True)
    place = np.minimum(np.searchsorted(person, asked.person), len(person) - 1)
    own = np.where(person[place] == asked.person, times[place], 0)
    result: Floats = np.maximum(len(people) - own, 1).astype(np.float64)
    return result
