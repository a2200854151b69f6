"""How strongly does each of six attacks believe that a person was in train? Scores, higher for likelier members.

Every attack sees the release; those that compare also need people known not to be in train. These are half of the
holdout, while the other half is attacked beside train; then the halves change places. Each change is a ``Round``.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from audit.neighbours import Matrix, Nearest, Reference, Rows, several, squared_tiles
from audit.sides import Side, Sides

REAL: tuple[Side, Side] = ("train", "holdout")
BANDWIDTH = 0.5  # kernel width over the median distance between real strangers
FLOOR = 1e-3  # of that median, added to distances before their logarithm is taken
TILE = 64, 4_096  # queries and reference rows of one step: their distances stay in the processor's cache
PEERS = 5  # nearest reference people by whom an outlier's score is calibrated
SPACED = 250  # train people by whom the usual distance between strangers is told, about
COMPARED = 5_000  # holdout rows the attacked ones are compared with, at most
LEARNED = 3_000  # rows of each kind a classifier or a mixture learns from, at most
TREES = 60
TREE_ROWS = 120_000  # rows times trees of a classifier, beyond which there are fewer trees
DIRECTIONS = 12  # principal directions a mixture is fitted in
PER_PART = 50  # released rows per normal component of the mixture, at least
PARTS = 8

Floats = NDArray[np.float64]
People = tuple[Rows, ...]


@dataclass(frozen=True)
class Round:
    """One attack on every train query and on the holdout queries at the places ``asked``.

    ``touched`` are, for train and holdout, codes of the people each score rests on: the attacked one, and the nearest
    reference where the score compares with one.
    """

    asked: Rows
    train: Floats
    holdout: Floats
    touched: tuple[People, People]


def attacks(sides: Sides, rng: np.random.Generator) -> dict[str, tuple[Round, ...]]:
    """Scores of the queries of train and holdout under each attack.

    - ``distance``: nearness of the nearest released row (Chen, Yu, Zhang, Fritz, GAN-Leaks, CCS 2020).
    - ``neighbour ratio``: the same over the nearest reference person (its calibrated form, there).
    - ``density ratio``: kernel density of the release over that of reference people (van Breugel, Sun, Qian, van der
      Schaar, DOMIAS, AISTATS 2023).
    - ``classifier``: a forest of random trees that tells released rows from reference people (Houssiau et al., TAPAS,
      2022; Stadler, Oprisanu, Troncoso, USENIX Security 2022, train theirs on shadow models).
    - ``likelihood``: density under a mixture of normals fitted to the release (Hilprecht, Haertrich, Bernau, PoPETs
      2019, and the white-box attack of GAN-Leaks, with a fitted density in the place of the generator).
    - ``outlier``: nearness of the nearest released row beside that of the person's five nearest reference people, so
      that an isolated person is measured by what is usual out there (Watson et al., On the importance of difficulty
      calibration, ICLR 2022; Meeus et al., Achilles' heels, ESORICS 2023).
    """
    asked = {side: sides.queries[side] for side in REAL}
    rows = {side: sides.matrix[side][asked[side]] for side in REAL}
    released, searched = sides.matrix["released"], sides.searched["released"]
    spaced = asked["train"][:: max(len(asked["train"]) // SPACED, 1)]
    strangers = sides.nearest("train", "holdout", spaced).distance
    unit = float(np.median(strangers)) or float(strangers.mean()) or 1.0
    width = BANDWIDTH * unit
    found = {side: surroundings(rows[side], searched, width) for side in REAL}
    gap = {side: found[side].nearest.distance for side in REAL}
    near = {side: np.log(gap[side] + FLOOR * unit) for side in REAL}
    near_some = np.unique(np.concatenate([found[side].nearest.index for side in REAL]))
    rivals = released[_some(near_some, LEARNED, rng)]
    likely = _likelihood(released[_some(np.arange(len(released), dtype=np.int64), LEARNED, rng)], rows, rng)

    everyone = np.arange(len(asked["holdout"]), dtype=np.int64)
    own = ((sides.ids("train", asked["train"]),), (sides.ids("holdout", asked["holdout"]),))
    result: dict[str, list[Round]] = {
        "distance": [Round(everyone, -gap["train"], -gap["holdout"], own)],
        "likelihood": [Round(everyone, likely["train"], likely["holdout"], own)],
    }
    for half, reference in halves(sides, rng):
        compared = _some(reference, COMPARED, rng)
        known = sides.matrix["holdout"][compared]
        known_table = Reference(known)
        part: dict[Side, Matrix] = {"train": rows["train"], "holdout": rows["holdout"][half]}
        close = {side: near[side] if side == "train" else near[side][half] for side in REAL}
        dense = {side: found[side].density if side == "train" else found[side].density[half] for side in REAL}
        about = {side: surroundings(part[side], known_table, width) for side in REAL}
        stranger = {side: about[side].nearest for side in REAL}
        # peers are sought among those whose own distance to the release is known already
        others = np.setdiff1d(everyone, half)
        peers = {side: several(part[side], rows["holdout"][others], min(PEERS, len(others))) for side in REAL}
        usual = near["holdout"][others]
        seen = _classifier(rivals, known[_some(np.arange(len(known), dtype=np.int64), LEARNED, rng)], part, rng)
        scores = {
            "neighbour ratio": {side: np.log(stranger[side].distance + FLOOR * unit) - close[side] for side in REAL},
            "density ratio": {side: dense[side] - about[side].density for side in REAL},
            "classifier": seen,
            "outlier": {side: usual[peers[side]].mean(axis=1) - close[side] for side in REAL},
        }
        train_ids = sides.ids("train", asked["train"]), sides.ids("holdout", compared[stranger["train"].index])
        half_ids = (
            sides.ids("holdout", asked["holdout"][half]),
            sides.ids("holdout", compared[stranger["holdout"].index]),
        )
        for name, score in scores.items():
            result.setdefault(name, []).append(Round(half, score["train"], score["holdout"], (train_ids, half_ids)))
    return {name: tuple(rounds) for name, rounds in result.items()}


def halves(sides: Sides, rng: np.random.Generator) -> Iterator[tuple[Rows, Rows]]:
    """Twice: which holdout queries are attacked (places among them), and which holdout rows are the reference."""
    people = sides.people["holdout"]
    _, person = np.unique(people, return_inverse=True)
    first = (rng.permutation(int(person.max()) + 1) % 2).astype(np.bool_)[person]
    for side in (first, ~first):
        yield np.flatnonzero(side[sides.queries["holdout"]]), np.flatnonzero(~side)


@dataclass(frozen=True)
class Surroundings:
    """The nearest reference row of each of (q,) rows, and the logarithm of the kernel density (q,) there."""

    nearest: Nearest
    density: Floats


def surroundings(queries: Matrix, reference: Matrix | Reference, width: float) -> Surroundings:
    """Both from one pass over the distances, because the distances are what costs.

    Which row is called the nearest is so up to the rounding of the matrix product, see ``audit.neighbours``; the
    distance is that of this row, measured exactly. The density is the mean Gaussian kernel, up to a factor that is the
    same for every table.
    """
    table = reference if isinstance(reference, Reference) else Reference(reference)
    scale = -1 / (2 * width * width)
    index = np.zeros(len(queries), dtype=np.int64)
    least = np.full(len(queries), np.inf)
    total = np.zeros(len(queries))
    for begin, start, block in squared_tiles(queries, table, TILE[1]):
        for first in range(0, len(block), TILE[0]):
            squared = block[first : first + TILE[0]]
            part = slice(start + first, start + first + len(squared))
            closest = squared.argmin(axis=1)
            low = np.take_along_axis(squared, closest[:, None], axis=1)
            squared -= low
            squared *= scale
            here, there = low[:, 0].astype(np.float64), least[part]
            both = np.minimum(here, there)
            total[part] *= np.exp(scale * (there - both))
            total[part] += np.exp(scale * (here - both)) * np.exp(squared, out=squared).sum(axis=1)
            index[part] = np.where(here < there, begin + closest, index[part])
            least[part] = both
    apart = queries - table.rows[index]
    nearest_one = np.einsum("ij,ij->i", apart, apart)
    return Surroundings(Nearest(np.sqrt(nearest_one), index), np.log(total / len(table.rows)) + scale * nearest_one)


def _some(rows: Rows, most: int, rng: np.random.Generator) -> Rows:
    return rows if len(rows) <= most else np.sort(rng.choice(rows, most, replace=False))


def _classifier(
    released: Matrix, known: Matrix, asked: dict[Side, Matrix], rng: np.random.Generator
) -> dict[Side, Floats]:
    """Share of fully grown trees that take each row for a released one."""
    labels = np.repeat([1, 0], [len(released), len(known)])
    trees = min(TREES, TREE_ROWS // len(labels))
    forest = ExtraTreesClassifier(trees, class_weight="balanced", n_jobs=1, random_state=int(rng.integers(2**31)))
    with threadpool_limits(1, user_api="openmp"):
        forest.fit(np.vstack([released, known]).astype(np.float32), labels)
        return {side: forest.predict_proba(rows.astype(np.float32))[:, 1] for side, rows in asked.items()}


def _likelihood(released: Matrix, asked: dict[Side, Matrix], rng: np.random.Generator) -> dict[Side, Floats]:
    """Log density under a mixture of normals in the leading directions of the release, and spherical beyond them."""
    size = max(min(DIRECTIONS, released.shape[1], len(released) - 1), 1)
    seed = int(rng.integers(2**31))
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", RuntimeWarning)  # a release without any variance
        turn = PCA(size, svd_solver="covariance_eigh", random_state=seed).fit(released)
        mixture = GaussianMixture(
            int(np.clip(len(released) // PER_PART, 1, PARTS)), reg_covar=1e-3, max_iter=50, random_state=seed
        ).fit(turn.transform(released))
        beyond = max(float(turn.noise_variance_), 1e-3)
        result: dict[Side, Floats] = {}
        for side, rows in asked.items():
            turned = turn.transform(rows)
            rest = ((rows - turn.inverse_transform(turned)) ** 2).sum(axis=1)
            result[side] = mixture.score_samples(turned) - rest / (2 * beyond)
    return result
