"""Which of too many made rows are kept?

More rows are made than are wanted, and some are left out: those that lie nearer to learned rows than to others
(``spacing.py``). Of the rows that stay by chance, some are then exchanged for others that were as likely to stay, which
brings their tables of two columns to the wanted ones, and leaves each column as calibrated within its stratum
(``pair_tables.py``, ``balanced_sampling.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth.balance import first_of_each
from synth.balanced_sampling import balanced, counted
from synth.calibration.quantiles import Floats
from synth.encoding import Encoding
from synth.model import Model
from synth.pair_tables import PairTables
from synth.selection import Rows
from synth.spacing import Spacing

SURPLUS = 1.5
"""Rows made for each that is kept, over the largest odds, so that the odds come out nearly as they should."""
MOST_MADE = 200_000
"""Rows made at a time; of a larger request twice as many are made as are kept, and large odds come out smaller."""
LEAST_TOLD = 2_000
"""People of whom tables may be learned; those of fewer tell of single ones, and the tables of all made rows serve.

Of 4,000 rows of adult, learned tables brought made rows nearer to other people and no nearer to the patients; of 1,500
they brought them nearer to both.
"""
_TIMES, _EXTRA = 8, 60_000
"""Rows made, for each that is kept, to choose from: eight while that many are not more than 60,000."""
_FEW = 11
"""Made rows below which a combination has no cell of its own."""
_MOST_CELLS = 80_000_000
"""Rows times tables that are held at once, four bytes each; of more rows fewer tables are looked at, by chance."""

Classes = NDArray[np.int64]


@dataclass(frozen=True)
class Thinning:
    """Odds by which made rows are kept, and tables that the kept ones have together.

    Attributes
    ----------
    spacing : None: every row has the same odds.
    balanced : exchange kept rows for others while that brings their tables nearer to the wanted ones.
    tables : of the real rows; None: the wanted tables are those of all rows that were made, by their odds.
    """

    spacing: Spacing | None = None
    balanced: bool = False
    tables: PairTables | None = None

    def draw(
        self, model: Model, encoding: Encoding, strata: Classes, rng: np.random.Generator, *, together: bool = True
    ) -> Floats:
        """(m, d) scores of the mixture for strata (m,): more are made, and as many kept in each stratum.

        ``together``: the rows are a table of their own, with the classes that the real one has.
        """
        exchanging = together and self.balanced
        if self.spacing is None and not exchanging:
            return model.mixture.draw(strata, rng)
        most = 1.0 if self.spacing is None else float(self.spacing.odds.max())
        times = min(int(np.ceil(SURPLUS * most)), max(MOST_MADE // max(len(strata), 1), 2))
        if exchanging:
            times = max(times, min(_TIMES, _EXTRA // max(len(strata), 1)))
        many = np.repeat(strata, times)
        scores = model.mixture.draw(many, rng)
        shown = Rows(model.calibration.apply(scores, many, rng), model.strata.class_of[many])
        odds = np.ones(len(many)) if self.spacing is None else self.spacing.of(encoding.apart(shown.scores), rng)
        chosen = kept(odds, many, np.bincount(strata, minlength=int(many.max(initial=0)) + 1), rng)
        if exchanging:
            chosen = self._exchanged(chosen, odds, many, encoding, shown, rng)
        result = np.empty((len(strata), scores.shape[1]))
        result[np.argsort(strata, kind="stable")] = scores[chosen]
        return result

    def _exchanged(
        self,
        chosen: NDArray[np.intp],
        odds: Floats,
        strata: Classes,
        encoding: Encoding,
        shown: Rows,
        rng: np.random.Generator,
    ) -> NDArray[np.intp]:
        """Rows in the place of the chosen ones, of the same strata in the same order, and exactly as likely."""
        tables = self.tables or PairTables.learn(encoding, shown, None, _FEW, rng, drawn=len(chosen))
        places = tables.places(encoding, shown)
        margins, size = tables.margins(encoding, shown, strata)
        of_stratum = np.bincount(strata[chosen], minlength=int(strata.max(initial=0)) + 1)
        total = np.bincount(strata, weights=odds, minlength=len(of_stratum))
        weights = odds * (of_stratum / np.maximum(total, 1e-300))[strata]
        if self.tables is None:
            wanted = counted(places, len(tables.counts), weights)
        else:
            wanted = tables.wanted(shown.classes[chosen])
        most = max(_MOST_CELLS // len(odds) - len(margins), 1)
        if len(places) > most:
            places = [places[t] for t in rng.choice(len(places), most, replace=False)]
        places += [place + np.int32(len(wanted)) for place in margins]
        wanted = np.concatenate([wanted, counted(margins, size, weights)])
        taken = np.zeros(len(odds), dtype=np.bool_)
        taken[chosen] = True
        alike = np.unique(odds, return_inverse=True)[1]
        result = np.flatnonzero(balanced(taken, strata * (int(alike.max()) + 1) + alike, places, wanted, rng))
        return result[np.argsort(strata[result], kind="stable")]


def kept(odds: Floats, strata: Classes, wanted: Classes, rng: np.random.Generator) -> NDArray[np.intp]:
    """Made rows to keep by odds (m,) and strata (m,), ``wanted`` of each stratum and stratum by stratum.

    References
    ----------
    Weighted sampling without replacement: Efraimidis and Spirakis, Information Processing Letters 97 (2006).
    """
    keys = rng.standard_exponential(len(odds)) / odds
    return first_of_each(np.argsort(keys, kind="stable"), strata, wanted)
