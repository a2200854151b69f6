"""Is a model trained on the release as good on unseen real people as one trained on real rows?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from audit.auc import AUC, auc
from audit.columns import levels
from audit.intervals import Interval, around, clustered_variance, share_interval
from audit.learners import LEARNERS, Prediction, predict
from audit.outcome import FEWEST, measured, too_few, void_all
from audit.plan import Plan
from audit.sides import draw_people
from audit.tables import AuditTables
from policies import Measurement

FIGURES = ("accuracy", "macro_f1", "g_mean", "auc")
NAMES = (*(f"{arm}_{figure}" for arm in ("tstr", "trtr") for figure in FIGURES), "utility_gap")
CONTROLS: dict[str, Plan] = {}  # nothing here guards anybody

FIT_ROWS = 10_000
TEST_ROWS = 20_000
REPLICATES = 500

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


def utility(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
    """Train on synthetic, test on real (``tstr_``) beside train on real, test on real (``trtr_``), on holdout rows.

    Every figure is the mean over logistic regression, random forest and histogram gradient boosting: accuracy; F1
    averaged over classes; G-mean, the geometric mean of the classes' recalls (0 where a class is never found); area
    under the ROC curve, one class against the rest, averaged over classes. ``utility_gap`` is trtr_auc minus
    tstr_auc. Classes are those that occur in the holdout; rows without a target are passed over.

    At most 10,000 rows train a model and 20,000 are predicted, drawn at random. Models are taken as given; intervals
    are over holdout people: score interval for accuracy, DeLong's for areas and their difference, percentile
    bootstrap for the other two.

    References
    ----------
    Esteban, Hyland, Rätsch, Real-valued (medical) time series generation with recurrent conditional GANs, arXiv
    1706.02633 (2017).
    """
    target = tables.dictionary.target
    if target is None:
        return void_all(NAMES, "inconclusive", "the dictionary names no target")
    if tables.fewest_people < FEWEST:
        return too_few(NAMES, tables.fewest_people)
    labels = levels(tables.holdout, target, tables.dictionary.columns[target])
    known = np.flatnonzero(labels > 0)
    rows = known[draw_people(tables.people["holdout"][known], TEST_ROWS, rng)]
    truth = labels[rows] - 1
    if len(np.unique(truth)) < 2:
        return void_all(NAMES, "inconclusive", "the holdout has fewer than two classes of the target", len(rows))
    test, people = tables.holdout.iloc[rows], tables.people["holdout"][rows]
    with threadpool_limits(1, user_api="blas"):  # products are small, and waiting threads cost more than they bring
        arms = {
            arm: _Arm.of([predict(learner, part, test, tables.dictionary, rng) for learner in LEARNERS], truth)
            for arm, part in (("tstr", _some(tables, "released", rng)), ("trtr", _some(tables, "train", rng)))
        }
    confidence, n = tables.confidence, len(rows)
    sizes = {arm: min(len(frame), FIT_ROWS) for arm, frame in (("tstr", tables.released), ("trtr", tables.train))}
    found = [
        measured(
            f"{arm}_{figure}", value, interval, confidence, n, f"{sizes[arm]} rows trained, {n} predicted; mean of 3"
        )
        for arm, part in arms.items()
        for figure, (value, interval) in _figures(part, truth, people, confidence, rng).items()
    ]
    gap = arms["trtr"].area.value - arms["tstr"].area.value
    moves = arms["trtr"].influence - arms["tstr"].influence
    interval = around(gap, clustered_variance(moves, people), confidence, low=-1.0, high=1.0)
    method = f"difference of areas on the same {n} rows; DeLong, paired"
    return (*found, measured("utility_gap", gap, interval, confidence, n, method))


@dataclass(frozen=True)
class _Area:
    value: float
    influence: Floats


@dataclass(frozen=True)
class _Arm:
    """Three models' choices (models, n), and the mean area with what each row adds to it."""

    choices: NDArray[np.int64]
    area: _Area

    @property
    def influence(self) -> Floats:
        return self.area.influence

    @classmethod
    def of(cls, predictions: Sequence[Prediction], truth: Codes) -> _Arm:
        classes = np.unique(truth)
        value, influence = 0.0, np.zeros(len(truth))
        share = 1 / (len(predictions) * len(classes))
        for prediction in predictions:
            for label in classes:
                positive = truth == label
                score = prediction.probability[:, label]
                result: AUC = auc(score[positive], score[~positive])
                value += share * result.value
                for rows, part in zip((positive, ~positive), result.influence, strict=True):
                    influence[rows] += share * part
        return cls(np.stack([prediction.choice for prediction in predictions]), _Area(value, influence))


def _some(tables: AuditTables, side: str, rng: np.random.Generator) -> pd.DataFrame:
    frame: Mapping[str, pd.DataFrame] = {"released": tables.released, "train": tables.train}
    people = {"released": tables.people["released"], "train": tables.people["train"]}
    return frame[side].iloc[draw_people(people[side], FIT_ROWS, rng)]


def _figures(
    arm: _Arm, truth: Codes, people: Codes, confidence: float, rng: np.random.Generator
) -> dict[str, tuple[float, Interval]]:
    n = len(truth)
    right = (arm.choices == truth).mean(axis=0)
    accuracy = float(right.mean())
    variance = clustered_variance((right - accuracy) / n, people)
    found = {"accuracy": (accuracy, share_interval(accuracy, variance, float(n), confidence))}
    _, person = np.unique(people, return_inverse=True)
    whole = _of_confusion(_confusion(arm.choices, truth, np.ones(n)))
    # rows of one class and the same three choices are counted together, once for all models
    alike, kind = np.unique(np.vstack([truth, arm.choices]), axis=1, return_inverse=True)
    draws = np.empty((REPLICATES, 2))
    count = int(person.max()) + 1
    for replicate in draws:
        times = np.bincount(rng.integers(count, size=count), minlength=count)
        weights = np.bincount(kind, weights=times[person], minlength=alike.shape[1]).astype(np.float64, copy=False)
        replicate[:] = _of_confusion(_confusion(alike[1:], alike[0], weights))
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    found["macro_f1"] = (float(whole[0]), (float(low[0]), float(high[0])))
    found["g_mean"] = (float(whole[1]), (float(low[1]), float(high[1])))
    area = arm.area
    variance = clustered_variance(area.influence, people)
    found["auc"] = (area.value, share_interval(area.value, variance, float(n), confidence))
    return found


def _confusion(choices: Codes, truth: Codes, weights: Floats) -> Floats:
    """(models, classes, classes) weighted counts, true class by chosen class."""
    size = int(max(choices.max(), truth.max())) + 1
    return np.stack(
        [
            np.bincount(truth * size + choice, weights=weights, minlength=size**2).reshape(size, size)
            for choice in choices
        ]
    )


def _of_confusion(counts: Floats) -> Floats:
    """Macro F1 and G-mean, mean over models; over the classes that occur."""
    occurs = counts.sum(axis=2) > 0
    hits = np.diagonal(counts, axis1=1, axis2=2)
    recall = np.where(occurs, hits / np.maximum(counts.sum(axis=2), 1e-300), 1.0)
    f1 = 2 * hits / np.maximum(counts.sum(axis=2) + counts.sum(axis=1), 1e-300)
    present = occurs.sum(axis=1)
    macro = np.where(occurs, f1, 0.0).sum(axis=1) / present
    geometric = recall.prod(axis=1) ** (1 / present)
    return np.array([macro.mean(), geometric.mean()])
