"""How does a noisy table enter the model, and two of the same columns together?"""

from __future__ import annotations

import math

import numpy as np

from synth.dp.loglinear import Cell, Factor, Floats, LogLinear

_LEAST_EXPECTED = 0.5
_LEAST_DEPARTURE = 0.05
_MOST_DEPARTURE = 2.0
_CHANCE = 0.1


def factor_of(
    model: LogLinear, columns: tuple[int, ...], groups: tuple[Cell, ...], counts: Floats, noise: float
) -> Factor:
    """The table as a factor; real departures from the model so far are taken to be as large as the table shows.

    Their variance in a cell of ``m`` expected rows is ``scale * m``, with the scale by the method of moments, and at
    most ``(2 m)^2``: a cell that ought to be empty does not fill up on noise. No fit is asked for that is much closer
    than chance, ``sqrt(m)``.
    """
    expected = np.maximum(model.expected(columns, groups), _LEAST_EXPECTED)
    excess = float(((counts - expected) ** 2).sum()) - len(counts) * noise
    scale = max(excess, _LEAST_DEPARTURE * len(counts) * noise) / float(expected.sum())
    ridge = noise / np.minimum(scale, _MOST_DEPARTURE**2 * expected)
    ridge = np.maximum(ridge, _CHANCE * np.sqrt(np.maximum(counts, 1.0)))
    return Factor(columns, groups, counts, ridge, math.sqrt(noise))


def united(
    known: Factor, groups: tuple[Cell, ...], counts: Floats, noise: float
) -> tuple[tuple[Cell, ...], Floats, float]:
    """Two noisy tables of the same columns as one of the finer cells, each cell by least squares.

    Groups are nested: the coarse table's cells are unions of the fine one's. Returns groups, counts and the mean
    variance of the noise.
    """
    if len(counts) >= len(known.counts):
        fine, coarse = (groups, counts, noise), (known.groups, known.counts, known.noise**2)
    else:
        fine, coarse = (known.groups, known.counts, known.noise**2), (groups, counts, noise)
    member = members_of(fine[0], coarse[0])
    size = np.bincount(member, minlength=len(coarse[1]))
    gain = size * fine[2] / (size * fine[2] + coarse[2])
    gap = (coarse[1] - np.bincount(member, fine[1], minlength=len(coarse[1]))) * gain / np.maximum(size, 1)
    left = fine[2] * (1.0 - gain / np.maximum(size, 1))
    return fine[0], fine[1] + gap[member], float(left[member].mean())


def members_of(fine: tuple[Cell, ...], coarse: tuple[Cell, ...]) -> Cell:
    """(fine cells,) the coarse table's cell that holds each of the fine table's."""
    member = np.zeros(1, dtype=np.intp)
    for inner, outer in zip(fine, coarse, strict=True):
        first = np.unique(inner, return_index=True)[1]
        member = (member[:, None] * (int(outer.max()) + 1) + outer[first][None, :]).ravel()
    return member
