"""How well does a model trained on one table predict the label of real people it has not seen?"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, recall_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

MODELS = ("logistic_regression", "random_forest", "boosting")
FAR = 50.0  # standard deviations beyond which a linear model's input is held


def train_on_one_test_on_other(
    train: pd.DataFrame, test: pd.DataFrame, target: str, numeric: Sequence[str], seed: int
) -> dict[str, dict[str, float]]:
    """AUC, G-mean and accuracy on ``test`` of three models fitted on all rows of ``train``, and their means.

    The G-mean is the geometric mean of the recalls of the classes. Whatever the models' inputs need (levels, medians
    for gaps, scales) is learned from ``train`` alone. A train table with one class gives that class to everybody: AUC
    0.5, G-mean 0.
    """
    classes = sorted(test[target].unique())
    found = {model: _scores(model, train, test, target, numeric, classes, seed) for model in MODELS}
    found["mean"] = {name: float(np.mean([found[m][name] for m in MODELS])) for name in ("auc", "g_mean", "accuracy")}
    return found


def _scores(
    model: str,
    train: pd.DataFrame,
    test: pd.DataFrame,
    target: str,
    numeric: Sequence[str],
    classes: Sequence[str],
    seed: int,
) -> dict[str, float]:
    told, truth = train[target].to_numpy(), test[target].to_numpy()
    chances = np.zeros((len(test), len(classes)))
    if len(set(told)) < 2:
        chances[:, [level in told for level in classes]] = 1.0
    else:
        features, unseen = _features(model, train, test, target, numeric)
        classifier = _classifier(model, seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            classifier.fit(features, told)
        known = {level: place for place, level in enumerate(classes)}
        for place, level in enumerate(classifier.classes_):
            if level in known:
                chances[:, known[level]] = classifier.predict_proba(unseen)[:, place]
    guess = np.array(classes)[chances.argmax(axis=1)]
    recalls = recall_score(truth, guess, labels=classes, average=None, zero_division=0)
    aucs = [roc_auc_score(truth == level, chances[:, place]) for place, level in enumerate(classes)]
    return {
        "auc": float(np.mean(aucs)),
        "g_mean": float(np.prod(recalls) ** (1 / len(recalls))),
        "accuracy": float(accuracy_score(truth, guess)),
    }


def _classifier(model: str, seed: int) -> LogisticRegression | RandomForestClassifier | HistGradientBoostingClassifier:
    if model == "logistic_regression":
        return LogisticRegression(max_iter=1000)
    if model == "random_forest":
        return RandomForestClassifier(100, random_state=seed)
    return HistGradientBoostingClassifier(random_state=seed)


def _features(
    model: str, train: pd.DataFrame, test: pd.DataFrame, target: str, numeric: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    names = [name for name in train.columns if name != target]
    learned: Mapping[str, float | list[str]] = {
        name: _median(train[name]) if name in numeric else sorted(train[name].dropna().unique()) for name in names
    }
    left, right = (
        np.hstack([_column(model, frame[name], learned[name], gaps=bool(train[name].isna().any())) for name in names])
        for frame in (train, test)
    )
    if model != "logistic_regression":
        return left, right
    scale = StandardScaler().fit(left)
    return np.clip(scale.transform(left), -FAR, FAR), np.clip(scale.transform(right), -FAR, FAR)


def _column(model: str, values: pd.Series, learned: float | list[str], *, gaps: bool) -> NDArray[np.float64]:
    """One column as a model's input: levels as indicators (codes for trees), numbers as they are, gaps as a flag."""
    if isinstance(learned, list):
        place = {level: float(code) for code, level in enumerate(learned)}
        codes = np.asarray(values.map(place).fillna(-1.0), dtype=np.float64)
        if model != "logistic_regression":
            return codes[:, None]
        return np.equal(codes[:, None], np.arange(-1, len(learned))[None, :]).astype(np.float64)
    numbers = values.to_numpy(dtype=np.float64)
    missing = np.isnan(numbers)
    if model == "boosting":  # takes gaps as they are, but no column of nothing else
        return np.zeros((len(numbers), 1)) if missing.all() else numbers[:, None]
    filled = np.where(missing, learned, numbers)
    return np.column_stack([filled, missing.astype(np.float64)]) if gaps else filled[:, None]


def _median(values: pd.Series) -> float:
    present = values.dropna()
    return float(present.median()) if len(present) else 0.0
