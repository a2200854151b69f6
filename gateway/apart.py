"""Does the holdout hold people whom the tool has seen? By the patient column, and by rows that are in both files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import poisson

from audit.coincidence import strangers_alike
from audit.columns import numbers
from gateway.intake import IntakeError, Problem, RawTable, TypedTable
from policies import Dictionary

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
    Rows are equal where all released columns are; missing equals missing. Where a person has several rows, people are
    counted. As many people of the holdout as have a row of the real table are held against a Poisson law. It expects
    what pairs of people within each file share, scaled to the pairs between the files, and ``ALLOWANCE`` times what
    kernels on the rows that differ give (:func:`audit.coincidence.strangers_alike`). Fewer than ``FEWEST`` pass.

    Raises
    ------
    IntakeError
        ``FEWEST`` or more are in both, which has a chance below ``FALSE_ALARM``.
    """
    values = _value_codes((real.frame, holdout.frame))
    row = _row_codes(values)
    cut = len(real.frame)
    shared = np.isin(row[cut:], row[:cut])
    met = len(np.unique(holdout.people[shared]))
    if met < FEWEST:
        return
    expected = _by_twins(row, cut, real.people, holdout.people)
    if poisson.sf(met - 1, expected) >= FALSE_ALARM:
        return
    person = np.concatenate([_from_zero(real.people), _from_zero(holdout.people) + real.people_count])
    expected += ALLOWANCE * cut * len(shared) * strangers_alike(values, row, person, rng)
    if poisson.sf(met - 1, expected) < FALSE_ALARM:
        rule = f"{int(shared.sum())} rows of the holdout are in the real table too, more than chance explains"
        advice = "leave out of the holdout what equals a real row in all released columns, or give other people's rows"
        raise IntakeError(Problem(rule, advice))


def _by_twins(row: Codes, cut: int, real: Codes, holdout: Codes) -> float:
    """Pairs of people with a row in common within the files, scaled to pairs between them."""
    pairs = possible = 0.0
    counts = []
    for codes, people in ((row[:cut], real), (row[cut:], holdout)):
        held = np.unique(np.column_stack([codes, people]), axis=0)[:, 0]
        holders = np.bincount(held).astype(np.float64)
        count = len(np.unique(people))
        pairs += float((holders * (holders - 1) / 2).sum())
        possible += count * (count - 1) / 2
        counts.append(count)
    return pairs * counts[0] * counts[1] / possible if possible else 0.0


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
