"""How likely is it that strangers hold the very row that a released row equals? A density of whole rows.

A row that several people have, or that lies amid many alike, comes up again in any sample; a row far from everybody's
does not. To tell a copy from a coincidence, the chance of each row is taken from the real rows of train and holdout
alike, its own person left out: the share of other people's rows that equal it, and where there are none, what kernels
on the rows that differ give. The kernels speak too where an equal row would be next to impossible by them: a patient
who is in the tables twice may not be copied for it. With probability 1 - lambda a kernel keeps a column's value, else
it draws one from all rows; lambda is the one that makes the real rows themselves likeliest, each by the others that
differ. How much chance the rows that only one person has hold together is known better than how they share it: pairs of
people with equal rows tell. The kernels are scaled to that.

References
----------
Aitchison and Aitken, Multivariate binary discrimination by the kernel method, Biometrika 63 (1976), with the column's
own distribution in place of the even one. Good, The population frequencies of species and the estimation of population
parameters, Biometrika 40 (1953): 2 N2 / N for all that was seen once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from audit.classes import People, identical_rows, numbered, stacked, value_codes
from audit.sides import Side
from audit.tables import AuditTables

SMOOTHING = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)  # lambdas tried
REFERENCES = 4_000  # real rows the kernel is spread over, at most
CHOOSING = 500  # real rows that choose lambda and the scale, at most
ASKED = 4_000  # different rows whose chance is told, at most
CHUNK = 256  # of them at a time
BEARING = 1_000  # rows that pairs of strangers are judged by, at most
ALLOWANCE = 10.0  # kernels say up to 8 times too little of clumpy tables
POSSIBLE = 0.01  # chance of a twin among all real rows, allowance included, below which equal rows are one patient's
COPIED = 0.01  # share of train copied, in the odds of a copy against a coincidence

REAL: tuple[Side, Side] = ("train", "holdout")

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]


def chance_of_copying(tables: AuditTables, rng: np.random.Generator) -> Floats:
    """Weight (m,) of each released row: the chance that it is a copy and no coincidence, if a real row equals it.

    ``c / (c + s)``: as many copies of the row are expected as c, if ``COPIED`` of train was copied, and as many
    coincidences as s, in as many strangers as train has rows. Next to 1 where hardly anybody else could have the row,
    next to 0 where another real person happens to have it, and 0 where no real row equals it. Train and holdout are
    treated alike, so that weighing does not move the difference of their equals where nothing was copied. Where more
    than ``ASKED`` different rows have an equal, those that are not drawn have weight 1.
    """
    rows = identical_rows(tables)
    met = _met(rows, rows["released"])
    if not len(met):
        return np.zeros(len(rows["released"]))
    asked = met if len(met) <= ASKED else np.sort(rng.choice(met, ASKED, replace=False))
    weight = np.ones(len(met))
    weight[np.searchsorted(met, asked)] = COPIED / (COPIED + _coincidences(tables, asked, rng))
    return _by_row(rows["released"], met, weight, 0.0)


def evidence_of_copying(tables: AuditTables, asked: Codes, rng: np.random.Generator) -> Floats:
    """Log likelihood ratio (q,) of each of these released rows as a copy of some train person to a coincidence.

    ``1 / s``, see :func:`chance_of_copying`: a copy is of any train row alike; ``s`` with an allowance for what kernels
    say too little. Minus infinity where no real row equals it. All rows are told: time goes with how many are asked.
    """
    rows = identical_rows(tables)
    released = rows["released"][asked]
    met = _met(rows, released)
    if not len(met):
        return np.full(len(released), -np.inf)
    expected = np.maximum(ALLOWANCE * _coincidences(tables, met, rng), np.finfo(np.float64).tiny)
    return _by_row(released, met, -np.log(expected), -np.inf)


def _met(rows: Mapping[Side, Codes], released: Codes) -> Codes:
    """The different ones of these released rows that a real row equals, ascending."""
    return np.intersect1d(released, np.concatenate([rows[side] for side in REAL]))


def _coincidences(tables: AuditTables, asked: Codes, rng: np.random.Generator) -> Floats:
    """How many of as many strangers as train has rows would hold each of these rows (q,)."""
    return len(tables.train) * _Density.of(tables, rng).chance(asked)


def _by_row(released: Codes, met: Codes, found: Floats, otherwise: float) -> Floats:
    """What was ``found`` of the rows ``met``, for each of the released rows; of the others ``otherwise``."""
    place = np.minimum(np.searchsorted(met, released), len(met) - 1)
    result: Floats = np.where(met[place] == released, found[place], otherwise)
    return result


def strangers_alike(values: Codes, row: Codes, person: Codes, few: int, rng: np.random.Generator) -> float:
    """Expected pairs of rows of two different people that are equal, as a share of all pairs, by kernels alone.

    Of rows that ``few`` people or fewer have; the others count as no pair. Equal rows are left out everywhere: rows
    that two files share do not explain themselves. On clumpy tables that says too little, seen to be up to 8 times. At
    most ``BEARING`` rows bear a kernel, as many are asked.

    Parameters
    ----------
    values : (r, d) codes of the columns' values, equal where the values are
    row, person : (r,) codes of the whole row, equal exactly where ``values`` are, and of whose it is
    """
    order = rng.permutation(len(values))
    likely = _Density.likeliest(values, row, numbered(person)[0], order[:BEARING], order[: CHOOSING // 2])
    asked = order[-BEARING:]
    shared_by_few = asked[likely._holders()[asked] <= few]
    return float(likely._spread(shared_by_few).sum()) / len(asked)


@dataclass(frozen=True)
class _Density:
    """Value codes (r, d) of all real rows, their row codes and people (r,), which rows bear a kernel, lambda, scale.

    People are numbered without gaps.
    """

    values: Codes
    row: Codes
    person: Codes
    bearing: Codes
    smoothing: float
    scale: float = 1.0

    @classmethod
    def of(cls, tables: AuditTables, rng: np.random.Generator) -> _Density:
        rows, values = identical_rows(tables), stacked(value_codes(tables), REAL)
        (kept, count), (left_out, _) = (numbered(tables.people[side]) for side in REAL)
        row, person = np.concatenate([rows[side] for side in REAL]), np.concatenate([kept, count + left_out])
        order = rng.permutation(len(values))
        some = order[:CHOOSING]
        likely = cls.likeliest(values, row, person, order[:REFERENCES], some)
        return replace(likely, scale=likely._good_turing(some))

    @classmethod
    def likeliest(cls, values: Codes, row: Codes, person: Codes, bearing: Codes, some: Codes) -> _Density:
        """Unscaled, with the lambda that makes ``some`` rows likeliest."""
        tried = [cls(values, row, person, bearing, each) for each in SMOOTHING]
        return max(tried, key=lambda density: float(density._log_spread(some).sum()))

    def chance(self, asked: Codes) -> Floats:
        """Probability (q,) that a stranger has the row of each code, one of the people who have it left out."""
        order = np.argsort(self.row, kind="stable")
        return self._at(order[np.searchsorted(self.row, asked, sorter=order)])

    def _good_turing(self, some: Codes) -> float:
        """What the rows of one person have together by Good and Turing, over what kernels give them; one added to both.

        In expected rows, so that with hardly a pair to go by the scale stays near one.
        """
        holders = self._holders()
        single = some[holders[some] == 1]
        if not len(single):
            return 1.0
        given = float(self._spread(single).mean()) * float((holders == 1).sum())
        return (float((holders == 2).sum()) + 1.0) / (given * len(self.row) + 1.0)

    def _holders(self) -> Codes:
        """How many people have each row."""
        return People.of(self.row, self.person, self._people).sizes(int(self.row.max()) + 1)[self.row]

    @property
    def _people(self) -> int:
        return int(self.person.max()) + 1

    def _at(self, places: Codes) -> Floats:
        """The probability of the rows at these places, their own people's rows left out everywhere."""
        own = np.bincount(self.person)[self.person[places]]
        _, pair, times = np.unique(self.row * self._people + self.person, return_inverse=True, return_counts=True)
        equal = np.bincount(self.row)[self.row[places]] - times[pair[places]]
        log = self._log_spread(places)
        spread = self.scale * np.exp(log)
        usual = np.isneginf(log)  # all others who bear a kernel have the row
        twins = (equal > 0) & (usual | (ALLOWANCE * len(self.row) * spread >= POSSIBLE))
        result: Floats = np.where(twins, equal / (len(self.row) - own), spread)
        return result

    def _spread(self, places: Codes) -> Floats:
        """What kernels give the rows at these places, unscaled."""
        result: Floats = np.exp(self._log_spread(places))
        return result

    def _log_spread(self, places: Codes) -> Floats:
        return np.concatenate([self._kernel(part) for part in np.split(places, range(CHUNK, len(places), CHUNK))])

    def _kernel(self, places: Codes) -> Floats:
        """Log of the mean over bearing rows of other people that differ somewhere of what their kernels give them."""
        others = self.person[places, None] != self.person[self.bearing]
        people = np.maximum(others.sum(axis=1), 1)
        log = np.where(others & (self.row[places, None] != self.row[self.bearing]), 0.0, -np.inf)
        for value in self.values.T:
            same = value[places, None] == value[self.bearing]
            drawn = self.smoothing * ((same & others).sum(axis=1) + 0.5) / (people + 1.0)
            log += np.where(same, np.log(1 - self.smoothing + drawn)[:, None], np.log(drawn)[:, None])
        result: Floats = logsumexp(log, axis=1) - np.log(people)
        return result
