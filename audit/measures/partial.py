"""Do released rows repeat most of one real person's row, with the rest made up?

A row copied with three columns changed equals nobody and may be far from everybody. What gives it away is how
unlikely it is to agree with one person on just these values by chance, and to differ from them in no more.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from audit.classes import coded
from audit.columns import common_codes, numbers
from audit.intervals import clopper_pearson, touched_variance
from audit.measures.copies import REAL, excess_interval
from audit.neighbours import Rows
from audit.outcome import FEWEST, measured, too_few
from audit.plan import Plan
from audit.sides import REFERENCE_ROWS, SIDES, Side, draw_people
from audit.tables import AuditTables
from policies import Measurement

NAMES = ("partial_copy_excess",)
CONTROLS: dict[str, Plan] = {"partial_copy_excess": Plan(0.0, NAMES, sees=("copies",))}

QUERIES = 800  # rows asked about, per table
COMMON = 1 / 32  # frequency above which a value has its own dense column
CELLS = 4_000_000  # agreements held at a time, but
LEAST = 128  # rows of them at least: of fewer the matrix product costs more
DIFFERENT = 1.0  # nats a column that differs takes away: minus the logarithm of the share of a copy that is made up
ELSEWHERE = 0.5  # part of the agreement with the other table that is expected with this one too
TIE = 1e-3  # nats within which two agreements are one: they are sums in single precision
UNUSUAL = (0.0005, 0.01)  # share of strangers whose agreement is unusual: half a row, within these
TAIL = (0.1, 10)  # share and number of strangers, at least, that tell how fast large agreements thin out
MOST = 4  # times the share of strangers, at most, that may be unusual

Floats = NDArray[np.float64]


def partial_copies(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
    """Share of released rows that agree unusually with one train person, minus the same for holdout people.

    Agreement with a person is the information in the values both have: minus the logarithm of the chance of each equal
    value among all real rows, less what neighbouring columns tell about each other, so that two columns that always go
    together count once. "Neighbouring" is the maximum spanning tree of mutual information between the columns (Chow and
    Liu), taken on adaptive bins; within a bin, values are taken as independent. Missing is a value. Each column in
    which they differ takes one nat away, as if a third of a copy's values were made up: the weights of agreement and
    disagreement of record linkage (Fellegi and Sunter). Without that, look-alikes who share what is rare and little
    else hide full copies of ordinary people.

    Only the person agreed with most counts, less half of the agreement with whom the row agrees with most in the other
    table: an ordinary row has its like everywhere. Unusual is what half a row in so many would exceed among real
    strangers (train rows with holdout people and the other way round, their own table in the place of the other, their
    own person left out). A stranger's own values are not counted among those that make a value likely, as a released
    row's are not. The tenth of strangers with the largest agreements is taken to thin out exponentially (Pickands), so
    that one pair of twins does not set the mark; but no more than four times as many strangers may lie above.

    Not seen are copies of people whom others are as much alike as the copy is, in full or in what is left of it: in a
    table of 2,500 people in 14 columns, nine of them of few levels, that was six in ten of the full copies and eight in
    ten of those with three columns made up.

    Train and holdout are cut to equal size, and the difference is scaled back by what was cut from train. Full copies
    count as well. With all released rows looked at, the upper end never exceeds the share that do agree so with a train
    person, which is counted.

    References
    ----------
    Chow, Liu, Approximating discrete probability distributions with dependence trees, IEEE Transactions on Information
    Theory 14 (1968). Fellegi, Sunter, A theory for record linkage, JASA 64 (1969). Pickands, Statistical inference
    using extreme order statistics, Annals of Statistics 3 (1975).
    """
    if tables.fewest_people < FEWEST:
        return too_few(NAMES, tables.fewest_people)
    size = min(len(tables.train), len(tables.holdout), REFERENCE_ROWS)
    kept = {side: draw_people(tables.people[side], size if side in REAL else QUERIES, rng) for side in SIDES}
    fewest = min(len(np.unique(tables.people[side][kept[side]])) for side in REAL)
    if fewest < FEWEST:
        return too_few(NAMES, fewest)
    asked = {side: draw_people(tables.people[side][kept[side]], QUERIES, rng) for side in SIDES}
    items = _Items(tables, kept)
    strangers = []
    for side, other in zip(REAL, reversed(REAL), strict=True):
        mine, theirs = (items.most((side, asked[side]), among)[0] for among in (side, other))
        strangers.append(theirs - ELSEWHERE * mine)
    n = len(asked["released"])
    usual = _usual(np.concatenate(strangers), float(np.clip(0.5 / n, *UNUSUAL)))
    found = {side: items.most(("released", asked["released"]), side) for side in REAL}
    to_train, to_holdout = (
        found[side][0] - ELSEWHERE * found[other][0] >= usual for side, other in zip(REAL, reversed(REAL), strict=True)
    )
    difference = to_train.astype(np.float64) - to_holdout
    points, touched = 0, []
    for side, agrees in zip(REAL, (to_train, to_holdout), strict=True):
        person = np.unique(tables.people[side][kept[side]], return_inverse=True)[1]
        met, alone = points + person[found[side][1]], points + int(person.max()) + 1
        touched.append(np.where(agrees, met, alone + np.arange(n)))  # a row that agrees with nobody depends on nobody
        points = alone + n
    variance = touched_variance([((difference - difference.mean()) / n, touched)], points)
    scale = len(tables.train) / size
    counted = float(to_train.mean())
    if scale > 1 or n < len(tables.released):
        counted = min(scale * clopper_pearson(counted, n, tables.confidence)[1], 1.0)
    value = min(scale * float(difference.mean()), counted)
    interval = excess_interval(difference, variance, scale, counted, tables.confidence)
    method = (
        f"{n} released rows against {size} train and as many holdout rows; information in equal values, less others"
    )
    return (measured(NAMES[0], value, interval, tables.confidence, n, method),)


def _usual(strangers: Floats, share: float) -> float:
    """The agreement from which it is unusual: about ``share`` of the (m,) strangers reach it, ties counted."""
    tail = min(max(TAIL[0], TAIL[1] / len(strangers)), 1.0)
    threshold = float(np.quantile(strangers, 1 - tail))
    beyond = strangers[strangers > threshold] - threshold  # fewer than that where many are tied
    few = float(np.quantile(strangers, 1 - min(MOST * share, 1.0), method="higher")) + TIE
    if not len(beyond):
        return few
    return max(threshold + float(beyond.mean() * np.log(len(beyond) / len(strangers) / share)), few)


class _Items:
    """Values, and pairs of values of neighbouring columns, of every row as weighted items.

    Agreement of two rows is the sum of the weights of the items both have: minus log of the frequency of a value, and
    minus the pointwise mutual information of the bins of a pair; and what all columns would take away if they differed
    is taken away beforehand, and given back with each that does not.
    """

    def __init__(self, tables: AuditTables, kept: Mapping[Side, Rows]) -> None:
        names = tables.dictionary.released
        self._columns = len(names)
        self._person = {side: np.unique(tables.people[side][kept[side]], return_inverse=True)[1] for side in REAL}
        binned = coded(tables)
        values = [
            common_codes({side: numbers(tables.frames[side], name)[kept[side]] for side in SIDES})[0] for name in names
        ]
        bins = {side: np.column_stack([binned.codes[side][name][kept[side]] for name in names]) for side in SIDES}
        real = np.vstack([bins[side] for side in REAL])
        columns: list[tuple[dict[Side, Rows], Floats, Floats]] = []
        for column in values:
            both = np.concatenate([column[side] for side in REAL])
            counts = np.bincount(both, minlength=max(int(column[side].max()) for side in SIDES) + 1)
            everybody, others = _surprise(counts)
            columns.append((column, everybody + DIFFERENT, others + DIFFERENT))
        for one, other in _tree(real):
            both_codes, weights = _pair(values[one], values[other], bins, real, one, other)
            columns.append((both_codes, weights, weights))
        self._dense: dict[Side, NDArray[np.float32]] = {}
        self._rare: dict[Side, sparse.csr_matrix] = {}
        self._searched: dict[Side, sparse.csr_matrix] = {}  # the same by item
        self._split(columns, {side: len(kept[side]) for side in SIDES})

    def most(self, asked: tuple[Side, Rows], among: Side) -> tuple[Floats, Rows]:
        """The largest agreement of each row (q,) with a row of a real table, not of its own person, and which that is.

        Of a row that has nobody but its own person there, it is minus infinity.
        """
        side, rows = asked
        best, index = np.empty(len(rows)), np.empty(len(rows), dtype=np.int64)
        if among not in self._searched:
            self._searched[among] = sparse.csr_matrix(self._rare[among].T)
        reference, rare = self._dense[among].T, self._searched[among]
        weight, rare_weight = self._weights["others" if side in REAL else "all"]
        step = max(CELLS // reference.shape[1], LEAST)
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            agreement = (self._dense[side][part] * weight) @ reference
            few = sparse.coo_matrix(sparse.csr_matrix(self._rare[side][part].multiply(rare_weight)) @ rare)
            agreement[few.row, few.col] += few.data
            if side == among:
                agreement[self._person[among][part, None] == self._person[among]] = -np.inf
            winner = agreement.argmax(axis=1)
            best[start : start + step] = agreement[np.arange(len(part)), winner] - DIFFERENT * self._columns
            index[start : start + step] = winner
        return best, index

    def _split(self, columns: list[tuple[dict[Side, Rows], Floats, Floats]], rows: Mapping[Side, int]) -> None:
        """Frequent items as dense columns, for one matrix product; the others sparse."""
        common = []
        for column, weights, _ in columns:
            both = np.concatenate([column[side] for side in REAL])
            common.append(np.flatnonzero(np.bincount(both, minlength=len(weights)) > COMMON * len(both)))
        starts = np.cumsum([0, *(len(weights) for _, weights, _ in columns)])
        dense_items = np.concatenate([start + often for start, often in zip(starts, common, strict=False)])
        self._weights: dict[str, tuple[NDArray[np.float32], Floats]] = {}
        for counted, which in (("all", 1), ("others", 2)):
            every = np.concatenate([column[which] for column in columns])
            self._weights[counted] = every[dense_items].astype(np.float32), every[None, :]
        for side in SIDES:
            dense = np.zeros((rows[side], len(dense_items)), np.float32)
            entries: list[tuple[NDArray[np.int32], NDArray[np.int32]]] = []
            filled = 0
            for (column, weights, _), start, often in zip(columns, starts, common, strict=False):
                place = np.full(len(weights), -1)
                place[often] = filled + np.arange(len(often))
                at = place[column[side]]
                frequent, seldom = np.flatnonzero(at >= 0), np.flatnonzero(at < 0)
                dense[frequent, at[frequent]] = 1.0
                entries.append((seldom.astype(np.int32), (start + column[side][seldom]).astype(np.int32)))
                filled += len(often)
            row, item = (np.concatenate(part) for part in zip(*entries, strict=True))
            shape = (rows[side], int(starts[-1]))
            self._dense[side] = dense
            self._rare[side] = sparse.csr_matrix((np.ones(len(row), np.float32), (row, item)), shape=shape)


def _surprise(counts: Rows) -> tuple[Floats, Floats]:
    """Minus the logarithm of the chance of each value, from its count among real rows, and among all but one of them.

    A value seen once says little about its chance: in a column of measurements nobody shares one, in a column of years
    many do. Its count is corrected by how many values were seen twice (Good, Biometrika 40, 1953). A real row that has
    the value is itself one of those counted, where a released row is not, so it is left out; among as many rows still,
    for else all that strangers share would weigh a little less than what a released row shares.
    """
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    alone, total = min(1.0, 2 * (twice + 0.5) / max(once, 1)), max(int(counts.sum()), 1)

    def of(seen: Rows) -> Floats:
        surprise: Floats = -np.log(np.where(seen > 1, seen, alone) / total)
        return surprise

    return of(counts), of(counts - 1)


def _pair(
    first: Mapping[Side, Rows],
    second: Mapping[Side, Rows],
    bins: Mapping[Side, Rows],
    real: Rows,
    one: int,
    other: int,
) -> tuple[dict[Side, Rows], Floats]:
    """Both values as one item, weighted by minus the pointwise mutual information of their bins in ``real`` (n, d)."""
    size = max(int(second[side].max()) for side in SIDES) + 1
    codes, distinct = _seen({side: first[side] * size + second[side] for side in SIDES})
    joint, left, right = _frequencies(real[:, [one, other]])
    weights = np.zeros(distinct)
    for side in SIDES:
        a, b = bins[side][:, one], bins[side][:, other]
        inside = (a < len(left)) & (b < len(right))
        a, b = np.where(inside, a, 0), np.where(inside, b, 0)
        known = inside & (joint[a, b] > 0)
        chance = np.where(known, joint[a, b], 1.0)
        alone = np.where(known, left[a] * right[b], 1.0)
        weights[codes[side]] = -np.log(chance / alone)
    return codes, weights


def _seen(codes: dict[Side, Rows]) -> tuple[dict[Side, Rows], int]:
    """The codes as places among those that occur, in ascending order, and how many these are."""
    total = max(int(part.max()) for part in codes.values()) + 1
    if total > CELLS:
        places, distinct = common_codes(codes)
        return places, len(distinct)
    seen = np.zeros(total, dtype=np.bool_)
    for part in codes.values():
        seen[part] = True
    place = np.cumsum(seen) - 1
    return {side: place[part] for side, part in codes.items()}, int(place[-1]) + 1


def _tree(real: Rows) -> list[tuple[int, int]]:
    """Edges of the maximum spanning tree of mutual information between the columns."""
    some = real[:: max(len(real) // 10_000, 1)]
    count = real.shape[1]
    information = np.zeros((count, count))
    for one in range(count):
        for other in range(one + 1, count):
            joint, left, right = _frequencies(some[:, [one, other]])
            alone = left[:, None] * right[None, :]
            seen = joint > 0
            information[one, other] = float((joint[seen] * np.log(joint[seen] / alone[seen])).sum())
    # the smallest tree of the negated figures; a zero would read as no edge
    tree = sparse.csgraph.minimum_spanning_tree(-(information + np.triu(np.full((count, count), 1e-9), 1))).tocoo()
    return [(int(one), int(other)) for one, other in zip(tree.row, tree.col, strict=True)]


def _frequencies(pairs: Rows) -> tuple[Floats, Floats, Floats]:
    """Joint and single frequencies of two coded columns (n, 2)."""
    sizes = pairs.max(axis=0) + 1
    joint = np.bincount(pairs[:, 0] * sizes[1] + pairs[:, 1], minlength=int(sizes[0] * sizes[1])).reshape(sizes)
    joint = joint / len(pairs)
    return joint, joint.sum(axis=1), joint.sum(axis=0)
