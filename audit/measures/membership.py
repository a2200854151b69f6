"""Can an attacker tell from the release who was in train?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.auc import AUC, auc
from audit.intervals import share_interval, touched_variance
from audit.neighbours import Matrix, Rows, nearest, squared_blocks
from audit.outcome import FEWEST, measured, too_few
from audit.sides import Side, Sides
from audit.tables import AuditTables
from policies import Measurement

NAMES = ("membership_auc",)

BANDWIDTH = 0.5  # kernel width over the median distance between real strangers
REAL: tuple[Side, Side] = ("train", "holdout")
FLOOR = 1e-3  # of that median, added to distances before their logarithm is taken

Floats = NDArray[np.float64]


def membership(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
    """Area under the ROC curve of the strongest of three membership attacks, 0.5 without leak.

    1. distance: how near the nearest released row is;
    2. neighbour ratio: how near it is compared with the nearest reference person;
    3. density ratio: kernel density of the release over that of reference people.

    Attacks 2 and 3 need people known not to be in train: half of the holdout, while the other half is attacked
    beside train; then the halves change places and the two areas are averaged. An attack that is right less often
    than chance is turned round (rows kept at a distance from train betray it as well), so the value is 0.5 or more.
    DeLong's variance, with placements that share a person, attacked or nearest for reference, taken as dependent; each
    attack gets its share of the error (Bonferroni), so that the largest lower and the largest upper end bound the
    strongest attack.

    References
    ----------
    Chen, Yu, Zhang, Fritz, GAN-Leaks, CCS 2020 (1 and its calibration, 2); van Breugel, Sun, Qian, van der Schaar,
    Membership inference attacks against synthetic data through overfitting detection (DOMIAS), AISTATS 2023 (3).
    """
    if tables.fewest_people < FEWEST:
        return too_few(NAMES, tables.fewest_people)
    sides = tables.sides("whole", rng)
    attacks = _attacks(sides, rng)
    confidence = 1 - (1 - tables.confidence) / len(attacks)
    bounds = {name: attack.turned(confidence) for name, attack in attacks.items()}
    strongest = max(attacks, key=lambda name: bounds[name].value)
    interval = max(bound.low for bound in bounds.values()), max(bound.high for bound in bounds.values())
    rows = len(sides.queries["train"]), len(sides.queries["holdout"])
    method = (
        f"strongest of {len(attacks)} attacks ({strongest}) on {rows[0]} train and {rows[1]} holdout rows; "
        "DeLong, Bonferroni"
    )
    return (measured("membership_auc", bounds[strongest].value, interval, tables.confidence, sum(rows), method),)


@dataclass(frozen=True)
class _Bound:
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class _Attack:
    """An area with the variance of its estimate, and of how many rows it is at best."""

    value: float
    variance: float
    rows: int

    def turned(self, confidence: float) -> _Bound:
        """Value and interval of the better of the attack and its opposite."""
        low, high = share_interval(self.value, self.variance, self.rows, confidence)
        return _Bound(max(self.value, 1 - self.value), max(low, 1 - high), max(high, 1 - low))


def _attacks(sides: Sides, rng: np.random.Generator) -> dict[str, _Attack]:
    train, holdout = sides.queries["train"], sides.queries["holdout"]
    to_release = {side: sides.nearest(side, "released").distance for side in REAL}
    strangers = sides.nearest("train", "holdout").distance
    unit = float(np.median(strangers)) or float(strangers.mean()) or 1.0
    width = BANDWIDTH * unit
    density = {
        side: _log_density(sides.matrix[side][sides.queries[side]], sides.matrix["released"], width) for side in REAL
    }
    ratio, kernel = [], []
    for asked, reference in _halves(sides, rng):
        known = sides.matrix["holdout"][reference]
        rows = sides.matrix["train"][train], sides.matrix["holdout"][holdout[asked]]
        stranger = [nearest(part, known) for part in rows]
        touched = (
            (sides.ids("train", train), sides.ids("holdout", reference[stranger[0].index])),
            (sides.ids("holdout", holdout[asked]), sides.ids("holdout", reference[stranger[1].index])),
        )
        released = to_release["train"], to_release["holdout"][asked]
        scores = [
            np.log(found.distance + FLOOR * unit) - np.log(distance + FLOOR * unit)
            for found, distance in zip(stranger, released, strict=True)
        ]
        ratio.append((auc(scores[0], scores[1]), touched))
        logs = density["train"], density["holdout"][asked]
        scores = [log - _log_density(part, known, width) for part, log in zip(rows, logs, strict=True)]
        kernel.append((auc(scores[0], scores[1]), touched))
    plain = auc(-to_release["train"], -to_release["holdout"])
    own = [((sides.ids("train", train),), (sides.ids("holdout", holdout),))]
    return {
        "distance": _averaged([(plain, own[0])], sides),
        "neighbour ratio": _averaged(ratio, sides),
        "density ratio": _averaged(kernel, sides),
    }


def _averaged(results: Sequence[tuple[AUC, tuple[tuple[Rows, ...], tuple[Rows, ...]]]], sides: Sides) -> _Attack:
    """Mean of the areas; placements that share a person, attacked or nearest for reference, are dependent."""
    parts: list[tuple[Floats, tuple[Rows, ...]]] = []
    for result, touched in results:
        for influence, ids in zip(result.influence, touched, strict=True):
            parts.append((influence / len(results), ids))
    variance = touched_variance(parts, sides.points)
    rows = [len(sides.queries[side]) for side in REAL]
    trials = sum(rows) if variance > 0 else min(rows)
    return _Attack(float(np.mean([result.value for result, _ in results])), variance, trials)


def _halves(sides: Sides, rng: np.random.Generator) -> Iterator[tuple[Rows, Rows]]:
    """Twice: which holdout queries are attacked (places among them), and which holdout rows are the reference."""
    people = sides.people["holdout"]
    _, person = np.unique(people, return_inverse=True)
    first = (rng.permutation(int(person.max()) + 1) % 2).astype(np.bool_)[person]
    for side in (first, ~first):
        yield np.flatnonzero(side[sides.queries["holdout"]]), np.flatnonzero(~side)


def _log_density(queries: Matrix, reference: Matrix, width: float) -> Floats:
    """Log of the mean Gaussian kernel, up to a constant that is the same for every table."""
    result = np.empty(len(queries))
    scale = -1 / (2 * width * width)
    for start, squared, _ in squared_blocks(queries, reference):
        block = queries[start : start + len(squared)]
        nearest_one = squared.min(axis=1)
        squared -= nearest_one[:, None]
        squared *= scale
        total = np.exp(squared, out=squared).sum(axis=1, dtype=np.float64)
        length = np.einsum("ij,ij->i", block, block)
        result[start : start + len(squared)] = np.log(total) + scale * (nearest_one + length)
    result -= np.log(len(reference))
    return result
