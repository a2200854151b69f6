"""Does the holdout hold people whom the tool has seen? By the patient column, and by rows that are in both files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import comb
from scipy.stats import poisson

from audit.coincidence import strangers_alike
from audit.columns import numbers
from gateway.intake import IntakeError, Problem, RawTable, TypedTable
from policies import Dictionary

FEW = 3  # people with the same row, beyond whom it is common property
FEWEST = 3  # people with a row of the other file, before anything is made of them
FALSE_ALARM = 1e-4  # chance that honest files are refused, were the expectation right
ALLOWANCE = 10.0  # kernels say up to 8 times too little of clumpy tables

Codes = NDArray[np.int64]


def check_patients(real: RawTable, holdout: RawTable, dictionary: Dictionary) -> None:
    """Refuse a holdout that names a patient of the real table, as far as a patient column tells.

    Raises
    ------
    IntakeError
        Somebody is in both.
    """
    patient = dictionary.patient
    if patient is None or patient not in real.columns or patient not in holdout.columns:
        return
    both = set(real.columns[patient].spellings) & set(holdout.columns[patient].spellings)
    both -= {*dictionary.missing, *dictionary.columns[patient].missing}
    if both:
        rule = f"{len(both)} patients are in the real table and in the holdout"
        raise IntakeError(Problem(rule, "give as holdout only people whom the tool has never seen", patient))


def check_rows(real: TypedTable, holdout: TypedTable, rng: np.random.Generator) -> None:
    """Refuse a holdout that has more rows of the real table than strangers share by chance.

    A copy of a real row that is in the holdout as well looks like a coincidence to everything that compares the two.
    Rows are equal where all released columns are; missing equals missing. Told are kinds of rows that ``FEW`` people or
    fewer have; what more have is common property, and says nothing. The people of the holdout who have such a row of
    the real table are held against a Poisson law. It expects what such kinds within one file tell of those in both,
    and ``ALLOWANCE`` times what kernels on the rows that differ give (:func:`audit.coincidence.strangers_alike`).
    Fewer than ``FEWEST`` pass.

    Raises
    ------
    IntakeError
        ``FEWEST`` or more are in both, which has a chance below ``FALSE_ALARM``.
    """
    values = _value_codes((real.frame, holdout.frame))
    row = _row_codes(values)
    cut = len(real.frame)
    kinds = int(row.max()) + 1
    here, there = _holders(row[:cut], real.people, kinds), _holders(row[cut:], holdout.people, kinds)
    shared = ((here > 0) & (there > 0) & (here + there <= FEW))[row[cut:]]
    met = len(np.unique(holdout.people[shared]))
    if met < FEWEST:
        return
    expected = _by_twins(here, there, len(np.unique(real.people)), len(np.unique(holdout.people)))
    if poisson.sf(met - 1, expected) >= FALSE_ALARM:
        return
    person = np.concatenate([_from_zero(real.people), _from_zero(holdout.people) + real.people_count])
    expected += ALLOWANCE * cut * len(shared) * strangers_alike(values, row, person, FEW, rng)
    if poisson.sf(met - 1, expected) < FALSE_ALARM:
        rule = f"{int(shared.sum())} rows of the holdout are in the real table too, more than chance explains"
        advice = "leave out of the holdout what equals a real row in all released columns, or give other people's rows"
        raise IntakeError(Problem(rule, advice))


def _holders(row: Codes, people: Codes, kinds: int) -> Codes:
    """How many people of one file have each kind of row."""
    return np.bincount(np.unique(np.column_stack([row, people]), axis=0)[:, 0], minlength=kinds)


def _by_twins(here: Codes, there: Codes, real: int, holdout: int) -> float:
    """Expected kinds in both files, from those that several people of one file and nobody of the other have.

    Were people dealt to the files at random, a kind of h people would be in one file alone with probability
    (C(n, h) + C(m, h)) / C(n + m, h), and in both otherwise.
    """
    expected = 0.0
    for held in range(2, FEW + 1):
        alone = int((((here == held) & (there == 0)) | ((here == 0) & (there == held))).sum())
        one_file = float((comb(real, held) + comb(holdout, held)) / comb(real + holdout, held))
        expected += alone * (1 / one_file - 1) if one_file > 0 else 0.0
    return expected


def _value_codes(frames: Sequence[pd.DataFrame]) -> Codes:
    """Codes (r, d) of all rows' values, the frames one below the other; equal where the values are."""
    both = ([numbers(frame, name) for frame in frames] for name in frames[0].columns)
    return np.column_stack([pd.factorize(np.concatenate(parts), use_na_sentinel=False)[0] for parts in both])


def _row_codes(values: Codes) -> Codes:
    """One code (r,) per row, equal exactly where all of its values are."""
    row = np.zeros(len(values), dtype=np.int64)
    for column in values.T:
        row = _from_zero(row * (int(column.max()) + 1) + column)
    return row


def _from_zero(codes: Codes) -> Codes:
    return np.asarray(pd.factorize(codes)[0], dtype=np.int64)
