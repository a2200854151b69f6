"""Can a classifier tell synthetic rows from real ones, and does one trained on them know real people?

Logistic regression, random forest and gradient boosting at scikit-learn's defaults. Whatever their inputs need
(levels, medians, scales) is learned from the rows they are fitted on.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, recall_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

from benchmarks.hybrid.reading import Columns, Floats, sampled

MODELS = ("lr", "rf", "hgb")
SCORES = ("accuracy", "macro_f1", "roc_auc", "g_mean")
MOST_ROWS = 10_000
"""Rows on a side of the two-sample test, and rows a model of the target is fitted on, at most."""
RESAMPLES = 100
FAR = 50.0
FOLDS = 5


@dataclass(frozen=True)
class Predictions:
    """What one model said of the test rows: labels (n,), and chances (n, classes) in the order of ``classes``."""

    truth: NDArray[Any]
    labels: NDArray[Any]
    chances: Floats
    classes: tuple[Any, ...]

    def scores(self, rows: NDArray[np.intp] | None = None) -> dict[str, float]:
        """Accuracy, macro F1, AUC (mean of one against the rest) and G-mean (of the recalls), on some rows or all."""
        chosen = slice(None) if rows is None else rows
        truth, labels, chances = self.truth[chosen], self.labels[chosen], self.chances[chosen]
        classes = list(self.classes)
        recalls = recall_score(truth, labels, labels=classes, average=None, zero_division=0)
        return {
            "accuracy": float(accuracy_score(truth, labels)),
            "macro_f1": float(f1_score(truth, labels, labels=classes, average="macro", zero_division=0)),
            "roc_auc": self._auc(truth, chances),
            "g_mean": float(np.prod(recalls) ** (1 / len(recalls))),
        }

    def coded(self) -> Predictions:
        """The same with numbers for labels, which are compared faster; a label that no test row has is -1."""
        place = {level: code for code, level in enumerate(self.classes)}
        truth, labels = (np.array([place.get(level, -1) for level in each]) for each in (self.truth, self.labels))
        return Predictions(truth, labels, self.chances, tuple(range(len(self.classes))))

    def _auc(self, truth: NDArray[Any], chances: Floats) -> float:
        if len(self.classes) == 2:
            return float(roc_auc_score((truth == self.classes[1]).astype(int), chances[:, 1] - chances[:, 0]))
        each = [roc_auc_score((truth == level).astype(int), chances[:, i]) for i, level in enumerate(self.classes)]
        return float(np.mean(each))


def predictions(
    train: pd.DataFrame, test: pd.DataFrame, columns: Columns, seed: int, most: int = MOST_ROWS
) -> dict[str, Predictions]:
    """What each model, fitted on at most ``most`` rows of ``train``, says of ``test``.

    Train rows of one class give that class to everybody.
    """
    train = sampled(train, most, np.random.default_rng(seed))
    return {model: _predicted(model, train, test, columns, seed) for model in MODELS}


def scores(told: dict[str, Predictions]) -> dict[str, dict[str, float]]:
    """Every score by model, and the means over models."""
    found = {model: each.scores() for model, each in told.items()}
    found["mean"] = {name: float(np.mean([found[model][name] for model in MODELS])) for name in SCORES}
    return found


def standard_errors(told: dict[str, Predictions], rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """Standard error of every score over the choice of test people, by bootstrap (Efron 1979), models as fitted."""
    told = {model: each.coded() for model, each in told.items()}
    classes, truth = next(iter(told.values())).classes, next(iter(told.values())).truth
    drawn: dict[str, list[dict[str, float]]] = {model: [] for model in (*MODELS, "mean")}
    for _ in range(RESAMPLES):
        rows = rng.integers(0, len(truth), len(truth))
        if len(np.unique(truth[rows])) < len(classes):
            continue
        each = {model: told[model].scores(rows) for model in MODELS}
        each["mean"] = {name: float(np.mean([each[model][name] for model in MODELS])) for name in SCORES}
        for model, values in each.items():
            drawn[model].append(values)
    return {
        model: {name: float(np.std([one[name] for one in each], ddof=1)) for name in SCORES}
        for model, each in drawn.items()
    }


def two_sample_auc(
    real: pd.DataFrame, synthetic: pd.DataFrame, columns: Columns, seed: int, most: int = MOST_ROWS
) -> float:
    """Classifier two-sample test (Lopez-Paz, Oquab, ICLR 2017): AUC of boosting, five folds; 0.5 cannot tell."""
    rng = np.random.default_rng(seed)
    real, synthetic = sampled(real, most, rng), sampled(synthetic, most, rng)
    both = pd.concat([real, synthetic], ignore_index=True)
    truth = np.r_[np.zeros(len(real)), np.ones(len(synthetic))]
    (features,) = _features("hgb", both, [both], columns.numeric, columns.categorical)
    chances = np.zeros(len(both))
    for seen, unseen in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(features, truth):
        model = HistGradientBoostingClassifier(random_state=seed).fit(features[seen], truth[seen])
        chances[unseen] = model.predict_proba(features[unseen])[:, 1]
    return float(roc_auc_score(truth, chances))


def _predicted(model: str, train: pd.DataFrame, test: pd.DataFrame, columns: Columns, seed: int) -> Predictions:
    classes = tuple(sorted(test[columns.target].unique()))
    truth, told = test[columns.target].to_numpy(), train[columns.target].to_numpy()
    chances = np.zeros((len(test), len(classes)))
    if len(set(told)) < 2:
        chances[:, [level == told[0] for level in classes]] = 1.0
        return Predictions(truth, np.full(len(test), told[0], dtype=object), chances, classes)
    features, unseen = _features(model, train, [train, test], columns.numeric, columns.predictors)
    classifier = _classifier(model, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            classifier.fit(features, told)
        except ValueError:  # a class of one row cannot be split for early stopping
            sizes = pd.Series(told).map(pd.Series(told).value_counts()).to_numpy()
            classifier.fit(features[sizes > 1], told[sizes > 1])
    found = classifier.predict_proba(unseen)
    for place, level in enumerate(classifier.classes_):
        if level in classes:
            chances[:, classes.index(level)] = found[:, place]
    return Predictions(truth, classifier.predict(unseen), chances, classes)


def _classifier(model: str, seed: int) -> LogisticRegression | RandomForestClassifier | HistGradientBoostingClassifier:
    if model == "lr":
        return LogisticRegression(max_iter=1000)
    if model == "rf":
        return RandomForestClassifier(100, random_state=seed, n_jobs=1)
    return HistGradientBoostingClassifier(random_state=seed)


def _features(
    model: str, learned: pd.DataFrame, tables: Sequence[pd.DataFrame], numeric: list[str], levelled: Sequence[str]
) -> list[Floats]:
    """A model's input for each of ``tables``: boosting takes gaps as they are, the others the median and a flag."""
    median = learned[numeric].median().fillna(0.0)
    levels = {name: sorted(learned[name].unique()) for name in levelled}
    gaps = [place for place, name in enumerate(numeric) if learned[name].isna().any()]
    found = []
    for table in tables:
        parts: list[Floats]
        if model == "hgb":
            numbers = table[numeric].to_numpy(float, copy=True)
            numbers[:, learned[numeric].isna().all().to_numpy()] = 0.0  # a column of gaps carries nothing
            parts = [numbers]
        else:
            parts = [table[numeric].fillna(median).to_numpy(float)]
            parts.append(table[numeric].isna().to_numpy(float)[:, gaps])
        parts += [_level_features(model, table[name], levels[name]) for name in levelled]
        found.append(np.hstack(parts))
    if model == "lr":
        scale = StandardScaler().fit(found[0])
        found = [np.clip(scale.transform(matrix), -FAR, FAR) for matrix in found]
    return found


def _level_features(model: str, cells: pd.Series, levels: list[str]) -> Floats:
    place = {level: float(code) for code, level in enumerate(levels)}
    codes = np.asarray(cells.map(place).fillna(-1.0), dtype=np.float64)
    if model != "lr":
        return codes[:, None]
    return np.equal(codes[:, None], np.arange(len(levels))[None, :]).astype(float)
