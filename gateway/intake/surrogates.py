"""Which keys stand in for the identifiers of a released table? Fresh ones, that nobody has ever had."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from policies import Dictionary

_LETTERS = np.array(list("0123456789ABCDEFGHJKMNPQRSTVWXYZ"))  # Crockford's base 32: no two are mistaken for each other
_LENGTH = 12  # 60 bits: among a million keys two are equal once in two million releases, and are then drawn again
_PREFIX = "SYN"  # so that no key can be one of a hospital's


def fresh_keys(dictionary: Dictionary, people: NDArray[np.int64], rng: np.random.Generator) -> dict[str, list[str]]:
    """Keys by surrogate column, one per row: of the patient column one per person, of any other one per row.

    They are drawn at random and tell nothing, neither of a person nor of an order.

    Parameters
    ----------
    people : (rows,) code of the synthetic person each row belongs to.
    """
    keys = {}
    for name in dictionary.surrogates:
        _, codes = (
            np.unique(people, return_inverse=True) if name == dictionary.patient else (None, np.arange(len(people)))
        )
        drawn = _distinct(int(codes.max(initial=-1)) + 1, rng)
        keys[name] = [drawn[code] for code in codes.tolist()]
    return keys


def _distinct(count: int, rng: np.random.Generator) -> list[str]:
    keys: dict[str, None] = {}
    while len(keys) < count:
        drawn = _LETTERS[rng.integers(len(_LETTERS), size=(count - len(keys), _LENGTH))]
        keys.update(dict.fromkeys(_PREFIX + "".join(row) for row in drawn.tolist()))
    return list(keys)
