"""Which released tables leak for certain? Leaks made on purpose, to try measures out on (I-16)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.columns import deviation
from audit.neighbours import Matrix, Rows, nearest, several
from policies import Dictionary

NOISE = 0.05  # standard deviations added to the numbers of a noised copy
FAR = 0.2  # the same of a copy that is not much nearer to its person than some people are to each other
NEIGHBOURS = 5  # among which SMOTE draws the other end of a line
SHARES = (0.15, 0.4)  # of the way from a person at which two rows lie on a line of a pencil
NARROW = 0.5  # reach of an overfitted kernel, over the distance to the row's nearest stranger
SWITCH = 0.05  # chance that an overfitted kernel draws a category anew

Floats = NDArray[np.float64]


def copied(frame: pd.DataFrame, dictionary: Dictionary, rng: np.random.Generator) -> pd.DataFrame:
    """Every other row as it stands, the rest with noise of 0.05 standard deviations on their numbers."""
    return noised(frame, dictionary, np.where(np.arange(len(frame)) % 2 == 1, NOISE, 0.0), rng)


def noised(frame: pd.DataFrame, dictionary: Dictionary, noise: Floats, rng: np.random.Generator) -> pd.DataFrame:
    """Normal noise on every number and time, ``noise`` (n,) standard deviations of its column; categories stay.

    Whole numbers stay whole, what is missing stays missing.
    """
    planted = frame.copy()
    for name, values in _numbers(frame).items():
        moved = values + noise * deviation(values[~np.isnan(values)]) * rng.standard_normal(len(values))
        planted[name] = _column(frame, name, dictionary, np.where(noise > 0, moved, values))
    return planted


def on_lines(
    frame: pd.DataFrame, dictionary: Dictionary, matrix: Matrix, people: Rows, start: Rows, rng: np.random.Generator
) -> pd.DataFrame:
    """SMOTE: one row on the line from each of the rows at ``start`` to one of its five nearest strangers in ``frame``.

    ``matrix`` (n, w) and ``people`` (n,) are the encoded rows and the persons of ``frame``.

    References
    ----------
    Chawla, Bowyer, Hall, Kegelmeyer, SMOTE, JAIR 16 (2002).
    """
    near = several(matrix[start], matrix, NEIGHBOURS, people[start], people)
    found = (near >= 0).sum(axis=1)
    drawn = near[np.arange(len(start)), rng.integers(0, np.maximum(found, 1))]
    return between(frame, dictionary, start, np.where(found > 0, drawn, start), rng)


def between(
    frame: pd.DataFrame,
    dictionary: Dictionary,
    start: Rows,
    end: Rows,
    rng: np.random.Generator,
    share: Floats | None = None,
) -> pd.DataFrame:
    """One row on the line between the rows at ``start`` and at ``end``, pair by pair, ``share`` of the way or anywhere.

    Numbers and times lie on the line, whole numbers rounded; where one is missing at either end, the nearer end's value
    is taken. Each category is that of one end or the other by a coin.
    """
    share = rng.random(len(start)) if share is None else share
    ends = {name: np.where(rng.random(len(start)) < 0.5, start, end) for name in frame.columns}
    planted = pd.DataFrame({name: frame[name].iloc[rows].reset_index(drop=True) for name, rows in ends.items()})
    nearer = np.where(share < 0.5, start, end)
    for name, values in _numbers(frame).items():
        line = values[start] + share * (values[end] - values[start])
        planted[name] = _column(planted, name, dictionary, np.where(np.isnan(line), values[nearer], line))
    return planted


def pencils(
    frame: pd.DataFrame, dictionary: Dictionary, numbers: Floats, people: Rows, rng: np.random.Generator
) -> pd.DataFrame:
    """Four rows after each other for every fourth row of ``frame``: two on each of two lines to its nearest strangers.

    ``numbers`` (n, d) are what an attacker measures lines in; people with an unknown one have no lines, nor has anybody
    without five strangers. Where nobody has, ``frame`` as it stands.
    """
    known = np.flatnonzero(~np.isnan(numbers).any(axis=1))
    near = several(numbers[known], numbers[known], NEIGHBOURS, people[known], people[known])
    chosen = rng.permutation(np.flatnonzero((near >= 0).all(axis=1)))[: max(len(frame) // 4, 1)]
    if not len(chosen):
        return frame
    two = rng.permuted(np.tile(np.arange(NEIGHBOURS), (len(chosen), 1)), axis=1)[:, :2]
    ends = known[near[chosen[:, None], two]]
    start, end = np.repeat(known[chosen], 4), np.repeat(ends, 2, axis=1).ravel()
    return between(frame, dictionary, start, end, rng, np.tile(SHARES, 2 * len(chosen)))


def overfitted(
    frame: pd.DataFrame, dictionary: Dictionary, matrix: Matrix, people: Rows, rng: np.random.Generator
) -> pd.DataFrame:
    """As many draws from a kernel density of ``frame`` so narrow that it hardly departs from the rows.

    A row is drawn with replacement; its numbers move by normal noise, in all about half as far as its nearest
    stranger is (Breiman's variable kernel); each category is drawn anew from its column with a chance of 5 %
    (Aitchison and Aitken's kernel).

    References
    ----------
    Breiman, Meisel, Purcell, Variable kernel estimates of multivariate densities, Technometrics 19 (1977).
    Aitchison, Aitken, Multivariate binary discrimination by the kernel method, Biometrika 63 (1976).
    """
    n = len(frame)
    drawn = rng.integers(0, n, n)
    spacing = nearest(matrix, matrix, people, people).distance
    spacing = np.where(np.isfinite(spacing), spacing, 0.0)[drawn]
    planted = frame.iloc[drawn].reset_index(drop=True)
    moving = max(len(_numbers(frame)), 1)
    planted = noised(planted, dictionary, NARROW * spacing / np.sqrt(moving), rng)
    for name in frame.columns:
        if isinstance(frame[name].dtype, pd.CategoricalDtype):
            source = np.where(rng.random(n) < SWITCH, rng.integers(0, n, n), drawn)
            planted[name] = frame[name].iloc[source].reset_index(drop=True)
    return planted


def shuffled(frame: pd.DataFrame, rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """Rows of nobody: every column drawn from ``frame`` by itself, without replacement."""
    drawn = {name: rng.permutation(len(frame))[:rows] for name in frame.columns}
    return pd.DataFrame({name: frame[name].iloc[drawn[name]].reset_index(drop=True) for name in frame.columns})


def loneliest(matrix: Matrix, people: Rows, others: Matrix, count: int) -> Rows:
    """Positions of the ``count`` rows of ``matrix`` farthest from every stranger in it and from every row of others."""
    own, across = nearest(matrix, matrix, people, people).distance, nearest(matrix, others).distance
    order: Rows = np.argsort(-np.minimum(own, across), kind="stable")
    return np.sort(order[:count])


def _numbers(frame: pd.DataFrame) -> dict[str, Floats]:
    """Numbers, and times in seconds, by column; NaN where missing."""
    found: dict[str, Floats] = {}
    for name in frame.columns:
        kind = frame[name].dtype.kind
        if kind == "f":
            found[name] = frame[name].to_numpy(dtype=np.float64)
        elif kind == "M":
            seconds = frame[name].to_numpy(dtype="datetime64[s]")
            found[name] = np.where(np.isnat(seconds), np.nan, seconds.astype(np.int64).astype(np.float64))
    return found


def _column(frame: pd.DataFrame, name: str, dictionary: Dictionary, values: Floats) -> Floats | NDArray[np.datetime64]:
    """Values in the column's own type, whole where it is."""
    if frame[name].dtype.kind != "M":
        return np.round(values) if dictionary.columns[name].type == "integer" else values
    step = 86_400.0 if dictionary.columns[name].type == "date" else 1.0
    times = np.round(np.nan_to_num(values) / step) * step
    return np.where(np.isnan(values), np.datetime64("NaT", "s"), times.astype(np.int64).astype("datetime64[s]"))
