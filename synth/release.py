"""Which calibrated, decoded rows keep the row rules and the class balance?"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from policies import Dictionary
from synth.absence import Absence
from synth.balance import ClassBalance, first_of_each
from synth.calibration.quantiles import Floats
from synth.dependencies import with_declared_values
from synth.encoding import Encoding
from synth.errors import SynthesisError
from synth.model import Model
from synth.strata import Strata
from synth.thinning import Thinning

ROUNDS = 30
_CLASS_ROWS = 30
_SPARE_ROWS = 6_000


def released_rows(
    rows: int,
    dictionary: Dictionary,
    balance: ClassBalance,
    model: Model,
    encoding: Encoding,
    absences: tuple[Absence, ...],
    thinning: Thinning,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """(rows, c) typed frame with allotted classes in which every row rule holds.

    Ranks mean something among many rows only, so a request for few rows makes about as many as the table has, 6000 at
    most, and keeps some by chance. Rows that break a rule are replaced by further rows of their class, calibrated among
    the first ones, for thirty rounds at most. Where the rules cut into a marginal, the marginal gives way.

    Raises
    ------
    SynthesisError
        Rows are still missing after thirty rounds.
    """
    wanted = balance.allot(rows)
    smallest = int(wanted[wanted > 0].min())
    like_the_table = -(-int(balance.rows.sum()) // rows)
    spare = max(1, min(max(-(-_CLASS_ROWS // smallest), like_the_table), _SPARE_ROWS // rows))
    first = np.repeat(np.arange(len(wanted)), wanted * spare)
    first_strata = _strata_of(first, model.strata)
    reference = thinning.draw(model, encoding, first_strata, rng)
    kept: list[pd.DataFrame] = []
    lacking = wanted.copy()
    places, groups, scores, offset = first, first_strata, reference, 0
    for _ in range(ROUNDS):
        made = model.calibration.apply(scores, groups, rng)[offset:]
        frame = _frame(made, places[offset:], dictionary, balance, encoding, absences, rng)
        holds = np.ones(len(frame), dtype=np.bool_)
        for rule in dictionary.rules:
            holds &= rule.holds(frame)
        chosen = _some_of_each(places[offset:], holds, lacking, rng)
        kept.append(frame.iloc[chosen])
        lacking -= np.bincount(places[offset:][chosen], minlength=len(lacking))
        if not lacking.any():
            together = pd.concat(kept, ignore_index=True)
            return together.iloc[rng.permutation(len(together))].reset_index(drop=True)
        share = max(float(holds.mean()), 0.02)
        more = np.repeat(np.arange(len(wanted)), np.ceil(lacking / share * 1.2).astype(np.int64) + (lacking > 0))
        more = more[: len(first) + rows]
        places, offset = np.concatenate([first, more]), len(first)
        groups = np.concatenate([first_strata, _strata_of(more, model.strata)])
        scores = np.vstack([reference, thinning.draw(model, encoding, groups[offset:], rng, together=False)])
    raise SynthesisError(
        f"{int(lacking.sum())} of {rows} rows still break one of {len(dictionary.rules)} row rules "
        f"after {ROUNDS} rounds of resampling: check that real rows keep the rules"
    )


def _frame(
    scores: Floats,
    places: NDArray[np.intp],
    dictionary: Dictionary,
    balance: ClassBalance,
    encoding: Encoding,
    absences: tuple[Absence, ...],
    rng: np.random.Generator,
) -> pd.DataFrame:
    cells: dict[str, Any] = encoding.decode(scores, rng)
    target = dictionary.target
    if target is not None:
        column = dictionary.columns[target]
        kind = pd.CategoricalDtype(list(column.categories or ()), ordered=column.type != "category")
        cells[target] = pd.Categorical.from_codes(balance.codes[places], dtype=kind)
    frame = pd.DataFrame({name: cells[name] for name in dictionary.released})
    for absence in absences:
        frame = absence.settled(frame, partial(encoding.apart, scores), rng)
    return with_declared_values(frame, dictionary)


def _strata_of(places: NDArray[np.intp], strata: Strata) -> NDArray[np.int64]:
    """Stratum of each row, in the shares of its class."""
    result = np.empty(len(places), dtype=np.int64)
    for place in np.unique(places):
        rows = np.flatnonzero(places == place)
        result[rows] = strata.allot(int(place), len(rows))
    return result


def _some_of_each(
    places: NDArray[np.intp], holds: NDArray[np.bool_], lacking: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.intp]:
    """Row numbers: of every class as many rows that hold as are lacking, taken by chance."""
    return first_of_each(rng.permutation(np.flatnonzero(holds)), places, lacking)
