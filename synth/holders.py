"""By how many people is each of several cells held?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synth.calibration.quantiles import Person


def holders(slots: NDArray[np.intp], count: int, people: Person | None) -> NDArray[np.intp]:
    """(count,) people with a row in each slot; a person with several rows there counts once.

    Parameters
    ----------
    slots : (n,) slot of each row, in ``range(count)``; n >= 1.
    people : (n,) person codes; without them every row is another person.
    """
    if people is None:
        return np.bincount(slots, minlength=count)
    persons = int(people.max()) + 1
    return np.bincount(np.unique(slots * persons + people) // persons, minlength=count)
