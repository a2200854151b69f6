"""What must a measurement say of tables whose truth is known, and what falls with it if it does not? (I-16)"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Plant = Literal["copies", "outliers", "lines", "overfit", "whole", "pencils", "noised"]
PLANTS: tuple[Plant, ...] = (
    "copies",
    "outliers",
    "lines",
    "overfit",
)  # those that show on nearly any table; the other three do on some

SPREADS = 4  # standard errors a right figure may fall short by


@dataclass(frozen=True)
class Plan:
    """How one measurement is tried out on planted leaks and on a fresh real sample.

    ``innocent`` is its value without leak, ``voids`` every measurement name that falls with it. ``sees`` are the
    plants that must show on any table where the measure works; three figures are excused (``audit.stakes.SHOWN``) where
    the plant exposes next to nobody by them. ``staked`` are the figures that must show the plant
    ``on`` wherever it exposes anybody: ``audit.stakes`` counts on the control's own tables what each must say, and a
    figure that must say next to nothing has nothing to see. With neither, only the fresh sample is asked. With
    ``counted``, a value above the innocent one is enough to have seen what must show on any table. With ``queried``,
    its interval rests on the rows drawn by :class:`audit.sides.Sides`, and gets no narrower in a larger table.

    - ``copies``: rows of train, half as they stand, half with noise of 0.05 standard deviations.
    - ``outliers``: the most isolated rows of train, copied: a small share of a table of otherwise nobody's rows.
    - ``lines``: rows on the lines between train rows and their nearest train neighbours (SMOTE).
    - ``overfit``: a model fitted so closely to train that it hardly departs from its rows.
    - ``whole``: train as it stands.
    - ``noised``: rows of train with noise of 0.2 standard deviations on their numbers.
    - ``pencils``: two rows on each of two lines from one train row to others, for a quarter of train.
    """

    innocent: float
    voids: tuple[str, ...]
    sees: tuple[Plant, ...] = ()
    staked: tuple[str, ...] = ()
    on: Plant = "whole"
    counted: bool = False
    queried: bool = False


@dataclass(frozen=True)
class Stake:
    """What a leak exposes by one figure; its standard error where class systems were drawn; and what part is found."""

    exposed: float
    spread: float = 0.0
    part: float = 1.0

    @property
    def least(self) -> float:
        """What a right figure says at the least."""
        return self.part * self.exposed - SPREADS * self.spread
