"""Does the holdout hold people whom the tool has seen? By the patient column, and by rows that are in both files."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import comb
from scipy.stats import poisson

from audit.classes import People, codes_of, numbered, stacked, whole_rows
from audit.coincidence import ALLOWANCE, strangers_alike
from gateway.intake import IntakeError, Problem, RawTable, TypedTable
from policies import Dictionary

FEW = 3  # people with the same row, beyond whom it is common property
FEWEST = 3  # people with a row of the other file, before anything is made of them
FALSE_ALARM = 1e-4  # chance that honest files are refused, were the expectation right

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
    values = codes_of({"real": real.frame, "holdout": holdout.frame})
    row, kinds = whole_rows(values)
    (seen, seen_count), (unseen, unseen_count) = numbered(real.people), numbered(holdout.people)
    here = People.of(row["real"], seen, seen_count).sizes(kinds)
    there = People.of(row["holdout"], unseen, unseen_count).sizes(kinds)
    shared = ((here > 0) & (there > 0) & (here + there <= FEW))[row["holdout"]]
    met = len(np.unique(unseen[shared]))
    if met < FEWEST:
        return
    expected = _by_twins(here, there, seen_count, unseen_count)
    if poisson.sf(met - 1, expected) >= FALSE_ALARM:
        return
    every = np.concatenate([row["real"], row["holdout"]]), np.concatenate([seen, seen_count + unseen])
    alike = strangers_alike(stacked(values, ("real", "holdout")), *every, FEW, rng)
    expected += ALLOWANCE * len(seen) * len(unseen) * alike
    if poisson.sf(met - 1, expected) < FALSE_ALARM:
        rule = f"{int(shared.sum())} rows of the holdout are in the real table too, more than chance explains"
        advice = "leave out of the holdout what equals a real row in all released columns, or give other people's rows"
        raise IntakeError(Problem(rule, advice))


def _by_twins(here: Codes, there: Codes, real: int, holdout: int) -> float:
    """Expected people of the holdout whose kind is in both files, from kinds that several of one file alone have.

    Were people dealt to the files at random, j of a kind's h people would be among the m of the holdout in
    C(m, j) C(n, h - j) equally likely ways: in both files, but for j = 0 and j = h.
    """
    expected = 0.0
    for held in range(2, FEW + 1):
        alone = int((((here == held) & (there == 0)) | ((here == 0) & (there == held))).sum())
        ways = [float(comb(holdout, j) * comb(real, held - j)) for j in range(held + 1)]
        one_file, both = ways[0] + ways[-1], sum(j * ways[j] for j in range(1, held))
        expected += alone * both / one_file if one_file > 0 else 0.0
    return expected
