"""What must a measurement say of tables whose truth is known, and what falls with it if it does not? (I-16)"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Plant = Literal["copies", "outliers", "lines", "overfit"]
PLANTS: tuple[Plant, ...] = ("copies", "outliers", "lines", "overfit")


@dataclass(frozen=True)
class Plan:
    """How one measurement is tried out on planted leaks and on a fresh real sample.

    ``innocent`` is its value without leak, ``voids`` every measurement name that falls with it. ``sees`` are the
    plants that must show on any table where the measure works; with none of them, only the fresh sample is asked.
    With ``counted``, a value above the innocent one is enough to have seen the leak. With ``queried``, its interval
    rests on the rows drawn by :class:`audit.sides.Sides`, and gets no narrower in a larger table.

    - ``copies``: rows of train, half as they stand, half with noise of 0.05 standard deviations.
    - ``outliers``: the most isolated rows of train, copied: a small share of a table of otherwise nobody's rows.
    - ``lines``: rows on the lines between train rows and their nearest train neighbours (SMOTE).
    - ``overfit``: a model fitted so closely to train that it hardly departs from its rows.
    """

    innocent: float
    voids: tuple[str, ...]
    sees: tuple[Plant, ...] = ()
    counted: bool = False
    queried: bool = False
