"""What do a mixture per class, SMOTE, and the floors make of one table?

    python -m benchmarks.hybrid.peers.fit_classic --method gmm --train train.csv --schema schema.json --rows 284 \
        --seed 0 --out synthetic.csv --report fit.json

- ``smote``: imbalanced-learn's SMOTE, for tables with levels SMOTE-NC, five neighbours: every row made, none kept
  (Chawla, Bowyer, Hall, Kegelmeyer, JAIR 16, 2002).
- ``gmm``: scikit-learn's mixture of full Gaussians per class, one to five by BIC, levels as indicators.
- ``bootstrap``: train rows drawn with replacement, the worst case for privacy.
- ``marginals``: each column drawn by itself, the worst case for dependence.
- ``real-holdout``: the holdout beside the train file, which is no generator: what sampling alone makes of every figure.
- ``real-fresh``: the fresh third beside the train file, people of neither side: what a generator aims at.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pandas as pd
from imblearn.over_sampling import SMOTE, SMOTENC
from numpy.typing import NDArray
from sklearn.mixture import GaussianMixture

from benchmarks.hybrid.peers.layout import Table, carry_out, options

METHODS = ("smote", "gmm", "bootstrap", "marginals", "real-holdout", "real-fresh")
PACKAGES = ("imbalanced-learn", "scikit-learn", "numpy", "pandas")
NEIGHBOURS = 5
MOST_GAUSSIANS = 5
RIDGE = 1e-4


def main() -> None:
    chosen = options(__doc__, METHODS)
    table = Table(chosen.train, chosen.schema)
    made = {"smote": _smote, "gmm": _gmm, "bootstrap": _bootstrap, "marginals": _marginals}
    made |= {"real-holdout": _holdout, "real-fresh": _fresh}
    settings: dict[str, dict[str, Any]] = {
        "smote": {"k_neighbors": NEIGHBOURS},
        "gmm": {"n_components": f"1 to {MOST_GAUSSIANS} by BIC", "reg_covar": RIDGE},
    }

    def fit() -> pd.DataFrame:
        return made[chosen.method](table, chosen)

    carry_out(chosen, table, fit, lambda rows: rows, PACKAGES, settings.get(chosen.method, {}))


def class_sizes(target: NDArray[np.object_], rows: int, rng: np.random.Generator) -> dict[str, int]:
    """How many of ``rows`` each class of the target gets, drawn by its share."""
    levels, counts = np.unique(target, return_counts=True)
    return {str(level): int(n) for level, n in zip(levels, rng.multinomial(rows, counts / counts.sum()), strict=True)}


def _smote(table: Table, chosen: argparse.Namespace) -> pd.DataFrame:
    complete = table.complete()
    target, features = complete[table.target].to_numpy(), complete.drop(columns=table.target)
    sizes = class_sizes(target, chosen.rows, np.random.default_rng(chosen.seed))
    wanted = {level: int((target == level).sum()) + size for level, size in sizes.items()}
    levels = table.levels_of(complete)
    settings: dict[str, Any] = {"sampling_strategy": wanted, "k_neighbors": NEIGHBOURS, "random_state": chosen.seed}
    sampler = SMOTENC(categorical_features=levels, **settings) if levels else SMOTE(**settings)
    made, labels = sampler.fit_resample(features, target)
    result: pd.DataFrame = made.assign(**{table.target: labels}).iloc[len(complete) :]  # the real rows come first
    return result.sample(frac=1, random_state=chosen.seed).reset_index(drop=True)


def _gmm(table: Table, chosen: argparse.Namespace) -> pd.DataFrame:
    complete = table.complete()
    levels = {name: sorted(complete[name].unique()) for name in table.levels_of(complete)}
    numbers = complete[table.numeric]
    centre, scale = numbers.mean(), numbers.std().replace(0.0, 1.0)
    indicators = [
        (complete[name].to_numpy()[:, None] == np.array(own, object)).astype(float) for name, own in levels.items()
    ]
    points = np.hstack([((numbers - centre) / scale).to_numpy(), *indicators])
    target, parts = complete[table.target].to_numpy(), []
    for level, size in class_sizes(target, chosen.rows, np.random.default_rng(chosen.seed)).items():
        if not size:
            continue
        own_points = points[target == level]
        counts = range(1, min(MOST_GAUSSIANS, len(own_points)) + 1)
        fits = [GaussianMixture(n, reg_covar=RIDGE, random_state=chosen.seed).fit(own_points) for n in counts]
        drawn = min(fits, key=lambda fit: float(fit.bic(own_points))).sample(size)[0]
        made, start = (
            pd.DataFrame(drawn[:, : len(table.numeric)], columns=table.numeric) * scale + centre,
            len(table.numeric),
        )
        for name, own in levels.items():
            made[name] = np.array(own, object)[drawn[:, start : start + len(own)].argmax(1)]
            start += len(own)
        made[table.target] = level
        parts.append(made)
    return pd.concat(parts).sample(frac=1, random_state=chosen.seed).reset_index(drop=True)


def _bootstrap(table: Table, chosen: argparse.Namespace) -> pd.DataFrame:
    return table.rows.sample(chosen.rows, replace=True, random_state=chosen.seed).reset_index(drop=True)


def _marginals(table: Table, chosen: argparse.Namespace) -> pd.DataFrame:
    rng, rows = np.random.default_rng(chosen.seed), table.rows
    return pd.DataFrame({name: rows[name].to_numpy()[rng.integers(0, len(rows), chosen.rows)] for name in rows})


def _holdout(_table: Table, chosen: argparse.Namespace) -> pd.DataFrame:
    return Table(chosen.train.with_name("holdout.csv"), chosen.schema).rows


def _fresh(_table: Table, chosen: argparse.Namespace) -> pd.DataFrame:
    return Table(chosen.train.with_name("fresh.csv"), chosen.schema).rows


if __name__ == "__main__":
    main()
