"""What do three standard classifiers, trained on one table, say about the rows of another?"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from audit.columns import levels, numbers
from policies import Dictionary

Learner = Literal["logistic regression", "random forest", "gradient boosting"]
LEARNERS: tuple[Learner, ...] = ("logistic regression", "random forest", "gradient boosting")
LARGEST = 1e30  # forests hold features in single precision
WIDEST = 60  # indicator columns for one category at most, the frequent levels; the rest share none

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Prediction:
    """Class probabilities (n, classes) in the dictionary's order of target levels, and the likeliest class (n,)."""

    probability: Floats
    choice: NDArray[np.int64]


def predict(
    learner: Learner, fit: pd.DataFrame, test: pd.DataFrame, dictionary: Dictionary, rng: np.random.Generator
) -> Prediction:
    """Train ``learner`` on ``fit`` and predict the target of ``test``; everything is learned from ``fit`` alone.

    Rows of ``fit`` without a target are passed over. With a single class in ``fit``, that class is predicted always.
    """
    target = str(dictionary.target)
    column = dictionary.columns[target]
    labels = levels(fit, target, column)
    fit, labels = fit[labels > 0], labels[labels > 0] - 1
    probability = np.zeros((len(test), len(column.categories or ())))
    seen = np.unique(labels)
    if len(seen) < 2:
        probability[:, seen] = 1.0
    else:
        features, asked = _features(learner, fit, test, dictionary)
        # one thread: tables here are small, and waiting threads cost more than they bring
        with warnings.catch_warnings(), threadpool_limits(1, user_api="openmp"):
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = _model(learner, rng).fit(features, labels)
            probability[:, np.asarray(model.classes_)] = model.predict_proba(asked)
    return Prediction(probability, probability.argmax(axis=1))


def _model(learner: Learner, rng: np.random.Generator) -> Any:
    seed = int(rng.integers(2**31))
    if learner == "logistic regression":
        return LogisticRegression(max_iter=300, random_state=seed)
    if learner == "random forest":
        return RandomForestClassifier(100, n_jobs=1, random_state=seed)
    return HistGradientBoostingClassifier(early_stopping=False, random_state=seed)


def _features(learner: Learner, fit: pd.DataFrame, test: pd.DataFrame, dictionary: Dictionary) -> tuple[Floats, Floats]:
    """Numbers with missing flags (gradient boosting: NaN as it is), levels as codes (regression: indicators)."""
    split = len(fit)
    parts = [np.zeros((split + len(test), 0))]
    for name in dictionary.released:
        column = dictionary.columns[name]
        if name == dictionary.target:
            continue
        if column.type in ("category", "boolean"):
            codes = np.concatenate([levels(frame, name, column) for frame in (fit, test)])
            parts.append(_indicators(codes, split) if learner == "logistic regression" else codes[:, None])
        else:
            values = np.concatenate([numbers(frame, name) for frame in (fit, test)])
            parts.append(values[:, None] if learner == "gradient boosting" else _filled(values, split))
    matrix = np.hstack(parts, dtype=np.float64)
    parts.clear()  # indicators of many levels are wide: one copy is enough
    np.clip(matrix, -LARGEST, LARGEST, out=matrix)
    if matrix.shape[1] == 0:
        matrix = np.zeros((len(matrix), 1))
    if learner == "logistic regression":
        scaler = StandardScaler(copy=False).fit(matrix[:split])
        matrix = np.clip(scaler.transform(matrix), -50, 50, out=matrix)
    return matrix[:split], matrix[split:]


def _indicators(codes: NDArray[np.int64], split: int) -> Floats:
    counts = np.bincount(codes[:split], minlength=int(codes.max()) + 1)
    kept = np.argsort(-counts, kind="stable")[:WIDEST]
    indicators: Floats = (codes[:, None] == kept[None, :]).astype(np.float64)
    return indicators


def _filled(values: Floats, split: int) -> Floats:
    """Missing at the median of the fitted rows, with a flag where those have any."""
    absent = np.isnan(values)
    known = values[:split][~absent[:split]]
    middle = float(np.median(known)) if len(known) else 0.0
    filled = np.where(absent, middle, values)
    return np.column_stack([filled, absent]) if bool(absent[:split].any()) else filled[:, None]
