"""Which patients does the synthesizer see, and which stay unseen? By patient, never by row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gateway.intake.errors import refuse

_SWAPS = 200


def split_people(
    people: NDArray[np.int64],
    rng: np.random.Generator,
    holdout_fraction: float = 0.5,
    classes: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row indices of a training and a holdout part that share no patient.

    Parameters
    ----------
    people : (n,) array
        One code per row, 0 to P - 1, naming the patient.
    holdout_fraction
        Share of the *people* held out, within (0, 1).
    classes : (n,) array, optional
        One class code per row; -1, no class, counts as a class. A person counts for the rarest of their classes.

    Returns
    -------
    train, holdout : arrays
        Ascending row indices; together every row once. The number of people held out is P times the fraction,
        rounded, and the same holds within each class up to one person. A class of two or more people is on both
        sides (where people have several classes each this can be impossible; then as many classes as a bounded
        number of swaps achieves).

    Raises
    ------
    IntakeError
        Fewer than two people, shapes that differ, or a fraction outside (0, 1).
    """
    if classes is None:
        classes = np.zeros_like(people)
    if people.shape != classes.shape or people.ndim != 1:
        raise refuse("people and classes are not one per row", "give two arrays of the table's length")
    if not 0 < holdout_fraction < 1:
        raise refuse("the holdout fraction is not between 0 and 1", "give a share such as 0.5")
    ids, person = np.unique(people, return_inverse=True)
    if len(ids) < 2:
        raise refuse("fewer than two people cannot be split", "collect more people")
    _, code = np.unique(classes, return_inverse=True)
    held = np.unique(np.stack([person, code], axis=1), axis=0)  # (person, class) pairs, each once
    out = _draw(_rarest(held, len(ids)), holdout_fraction, rng)
    out = _mend(held, out, rng)
    rows_out = out[person]
    return np.flatnonzero(~rows_out), np.flatnonzero(rows_out)


def _rarest(held: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    size = np.bincount(held[:, 1])
    order = np.argsort(-size[held[:, 1]], kind="stable")  # the rarest is written last and stays
    stratum = np.empty(count, dtype=np.int64)
    stratum[held[order, 0]] = held[order, 1]
    return stratum


def _draw(stratum: NDArray[np.int64], fraction: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    strata, sizes = np.unique(stratum, return_counts=True)
    quota = sizes * fraction
    both = sizes >= 2
    least = np.where(both, np.maximum(np.floor(quota), 1), 0).astype(np.int64)
    most = np.where(both, np.minimum(np.ceil(quota), sizes - 1), 1).astype(np.int64)
    take = np.minimum(least, most)
    left = round(len(stratum) * fraction) - int(take.sum())
    # largest remainders first, ties by lot
    for i in np.lexsort((rng.random(len(strata)), -(quota - take))):
        if left > 0 and take[i] < most[i]:
            take[i] += 1
            left -= 1
    out = np.zeros(len(stratum), dtype=np.bool_)
    for name, number in zip(strata, take, strict=True):
        out[rng.permutation(np.flatnonzero(stratum == name))[:number]] = True
    if out.all() or not out.any():  # single-person classes only: still both sides
        out[rng.integers(len(out))] ^= True
    return out


def _mend(held: NDArray[np.int64], out: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Swap people between the sides while that puts more classes on both; only people of several classes need it."""
    size = np.bincount(held[:, 1])
    for _ in range(_SWAPS):
        broken = _one_sided(held, out, size)
        if not len(broken):
            break
        members = held[held[:, 1] == rng.choice(broken), 0]
        one = rng.choice(members)
        other = rng.choice(np.flatnonzero(out != out[one]))
        swapped = out.copy()
        swapped[[one, other]] = out[[other, one]]
        if len(_one_sided(held, swapped, size)) < len(broken):
            out = swapped
    return out


def _one_sided(held: NDArray[np.int64], out: NDArray[np.bool_], size: NDArray[np.int64]) -> NDArray[np.int64]:
    outside = np.bincount(held[:, 1], weights=out[held[:, 0]], minlength=len(size))
    return np.flatnonzero((size >= 2) & ((outside == 0) | (outside == size)))
