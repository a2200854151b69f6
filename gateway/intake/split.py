"""Which patients does the synthesizer see, and which stay unseen? By patient, never by row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.intake.errors import refuse

_SWAPS = 200

Rows = NDArray[np.int64]
Flags = NDArray[np.bool_]


def split_people(
    people: Rows,
    rng: np.random.Generator,
    holdout_fraction: float = 0.5,
    classes: Rows | None = None,
) -> tuple[Rows, Rows]:
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
    nobody = np.full(people.shape, -1, dtype=np.int64)
    return split_on(people, nobody, rng.permutation(len(people)), rng, holdout_fraction, classes)


def split_on(
    people: Rows,
    known: Rows,
    turns: NDArray[Any],
    rng: np.random.Generator,
    holdout_fraction: float = 0.5,
    classes: Rows | None = None,
) -> tuple[Rows, Rows]:
    """As :func:`split_people`, but people of a ``known`` side keep it; the others make the halves as even as can be.

    Parameters
    ----------
    known : (n,) array
        1 for a row of somebody held out, 0 of somebody learned from, -1 of somebody new.
    turns : (n,) array
        Of the new people of a class those with the smallest turn (that of their first row) are held out.
    rng
        Only for what turns do not settle: which of several odd classes gets one person more, and the swaps.
    """
    if classes is None:
        classes = np.zeros_like(people)
    if people.shape != classes.shape or people.shape != known.shape or people.ndim != 1:
        raise refuse("people and classes are not one per row", "give two arrays of the table's length")
    if not 0 < holdout_fraction < 1:
        raise refuse("the holdout fraction is not between 0 and 1", "give a share such as 0.5")
    ids, first, person = np.unique(people, return_index=True, return_inverse=True)
    if len(ids) < 2:
        raise refuse("fewer than two people cannot be split", "collect more people")
    _, code = np.unique(classes, return_inverse=True)
    held = np.unique(np.stack([person, code], axis=1), axis=0)  # (person, class) pairs, each once
    kept = known[first]
    out = _draw(_rarest(held, len(ids)), kept, np.argsort(turns[first], kind="stable"), holdout_fraction, rng)
    out = _mend(held, out, kept < 0, rng)
    rows_out = out[person]
    return np.flatnonzero(~rows_out), np.flatnonzero(rows_out)


def _rarest(held: Rows, count: int) -> Rows:
    size = np.bincount(held[:, 1])
    order = np.argsort(-size[held[:, 1]], kind="stable")  # the rarest is written last and stays
    stratum = np.empty(count, dtype=np.int64)
    stratum[held[order, 0]] = held[order, 1]
    return stratum


def _draw(stratum: Rows, known: Rows, order: Rows, fraction: float, rng: np.random.Generator) -> Flags:
    strata, place, sizes = np.unique(stratum, return_inverse=True, return_counts=True)
    quota = sizes * fraction
    both = sizes >= 2
    already = np.bincount(place[known == 1], minlength=len(strata))
    free = np.bincount(place[known < 0], minlength=len(strata))
    least = np.where(both, np.maximum(np.floor(quota), 1), 0).astype(np.int64)
    most = np.where(both, np.minimum(np.ceil(quota), sizes - 1), 1).astype(np.int64)
    take = np.clip(np.minimum(least, most), already, already + free)
    most = np.clip(most, already, already + free)
    left = round(len(stratum) * fraction) - int(take.sum())
    # largest remainders first, ties by lot
    for i in np.lexsort((rng.random(len(strata)), -(quota - take))):
        if left > 0 and take[i] < most[i]:
            take[i] += 1
            left -= 1
    out: Flags = known == 1
    new = order[known[order] < 0]
    for i, number in enumerate(take - already):
        out[new[place[new] == i][:number]] = True
    if out.all() or not out.any():  # single-person classes only, or all known on one side: still both sides
        if not len(new):
            raise refuse("all people are on one side of the split that is kept", "ask with the people it was made for")
        out[new[0]] ^= True
    return out


def _mend(held: Rows, out: Flags, free: Flags, rng: np.random.Generator) -> Flags:
    """Swap people between the sides while that puts more classes on both; only people of several classes need it."""
    size = np.bincount(held[:, 1])
    for _ in range(_SWAPS):
        broken = _one_sided(held, out, size)
        if not len(broken):
            break
        members = held[held[:, 1] == rng.choice(broken), 0]
        one = rng.choice(members)
        others = np.flatnonzero((out != out[one]) & free)
        if not free[one] or not len(others):
            continue
        other = rng.choice(others)
        swapped = out.copy()
        swapped[[one, other]] = out[[other, one]]
        if len(_one_sided(held, swapped, size)) < len(broken):
            out = swapped
    return out


def _one_sided(held: Rows, out: Flags, size: Rows) -> Rows:
    outside = np.bincount(held[:, 1], weights=out[held[:, 0]], minlength=len(size))
    return np.flatnonzero((size >= 2) & ((outside == 0) | (outside == size)))
