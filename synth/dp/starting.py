"""From which generators could the rows come, once tables are measured?

The log-linear model, rows that know nothing but their label (the star), a DP-SGD network where one was paid for, and
the row-based components in their plain form *on generated rows*: those copy what they are given, and here that is
nobody. All of them give coarse cells, so that they can be mixed and held against the noisy tables.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from synth import components as component_registry
from synth.dp.domain import Codes
from synth.dp.loglinear import LogLinear
from synth.dp.measure import Shares

DEFAULT_COMPONENTS: tuple[str, ...] = ("graphical", "star", "noise", "interpolation", "smote", "gmm")
"""Names of the generators that are tried.

``cvae``, the DP-SGD network, has to be asked for: at a tenth of the budget it made adult's tables no better (two-way
distance .0280 against .0277 at epsilon 1) and the fit three times as long. Asked for, it runs where the number of
patients carries it.
"""
_LESSONS = 4_000
"""Generated rows that a row-based component is shown."""


def starting_sets(
    model: LogLinear,
    shares: Shares,
    networks: Mapping[str, Codes],
    names: tuple[str, ...],
    label: int | None,
    rng: np.random.Generator,
) -> dict[str, Codes]:
    """(n, d) coarse cells by component; ``networks`` are already drawn."""
    size = len(model.codes)
    found: dict[str, Codes] = {}
    for name in names:
        if name == "graphical":
            found[name] = model.codes
        elif name == "star":
            found[name] = _star(shares, label, size, rng)
        elif name in component_registry.REGISTRY and name != "cvae":
            found[name] = _imitated(name, model.codes, label, size, rng)
    found.update(networks)
    return found


def _star(shares: Shares, label: int | None, size: int, rng: np.random.Generator) -> Codes:
    """Every column given the label alone."""
    codes = np.stack([rng.choice(len(each), size, p=each) for each in shares.shares], axis=1).astype(np.int32)
    if label is None:
        return codes
    for column, crossed in enumerate(shares.labelled):
        if crossed is None:
            continue
        for value in range(crossed.shape[1]):
            rows = np.flatnonzero(codes[:, label] == value)
            mass = np.maximum(crossed[:, value], 0.0) + 1e-3 * shares.shares[column]
            codes[rows, column] = rng.choice(len(mass), len(rows), p=mass / mass.sum())
    return codes


def _imitated(name: str, codes: Codes, label: int | None, size: int, rng: np.random.Generator) -> Codes:
    """What a row-based or mixture component makes of generated rows."""
    lesson = codes[rng.choice(len(codes), min(_LESSONS, len(codes)), replace=False)]
    free = [column for column in range(codes.shape[1]) if column != label]
    if not free:
        return lesson[rng.integers(len(lesson), size=size)]
    classes = np.zeros(len(lesson), dtype=np.int64) if label is None else lesson[:, label].astype(np.int64)
    shares = [np.bincount(lesson[:, column]) / len(lesson) for column in free]
    ends = [np.cumsum(share) for share in shares]
    scores = np.stack(
        [_score(lesson[:, c], share, end, rng) for c, share, end in zip(free, shares, ends, strict=True)], axis=1
    )
    component = component_registry.REGISTRY[name](form="plain", device="cpu").fit(scores, classes, rng)
    wanted = np.sort(rng.choice(classes, size))
    drawn = component.sample(wanted, rng)
    made = np.empty((size, codes.shape[1]), dtype=np.int32)
    if label is not None:
        made[:, label] = wanted
    for place, (column, end) in enumerate(zip(free, ends, strict=True)):
        cell = np.searchsorted(end[:-1], ndtr(drawn[:, place]), side="right")
        made[:, column] = cell
    return made


def _score(
    codes: NDArray[np.int32], share: NDArray[np.float64], end: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Normal scores, spread over the part of the normal curve that a cell's share takes."""
    place = end[codes] - share[codes] * rng.uniform(0.02, 0.98, len(codes))
    return np.asarray(ndtri(np.clip(place, 1e-6, 1 - 1e-6)))
