"""What does one synthetic table reach against real people, seen and unseen?

    python -m benchmarks.hybrid.evaluate --split DATA/wdbc/s0 --synthetic synthetic.csv --seed 0 --out figures.json

The same for every method. ``--trtr`` names a file that keeps what the models reach when they are trained on the real
train rows: it is made if it is not there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd

from benchmarks.hybrid.fidelity import conditional, correlation_difference, one_way, pair_trend, three_way
from benchmarks.hybrid.models import predictions, scores, standard_errors, two_sample_auc
from benchmarks.hybrid.privacy import copies, distances, reuse
from benchmarks.hybrid.reading import Columns, read, sampled

PAIR_ROWS = 10_000
"""Rows on a side of pair trends, at most."""


@click.command()
@click.option("--split", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--synthetic", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--seed", type=int, default=0, help="Seed of subsamples, folds and models.")
@click.option("--trtr", type=click.Path(dir_okay=False, path_type=Path), default=None)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
def main(split: Path, synthetic: Path, seed: int, trtr: Path | None, out: Path) -> None:
    """Evaluate one synthetic table.

    \b
    Example:
        python -m benchmarks.hybrid.evaluate --split DATA/wdbc/s0 --synthetic synthetic.csv --out figures.json
    """
    schema = json.loads((split / "schema.json").read_text())
    columns = Columns.of(list(schema["columns"]), schema["categorical"], schema["target"])
    train, holdout, made = (read(path, columns) for path in (split / "train.csv", split / "holdout.csv", synthetic))
    known = (
        json.loads(trtr.read_text())
        if trtr is not None and trtr.exists()
        else train_on_real(train, holdout, columns, seed)
    )
    if trtr is not None and not trtr.exists():
        trtr.write_text(json.dumps(known, indent=1, allow_nan=False) + "\n")
    figures = evaluate(train, holdout, made, columns, seed, known, schema.get("site"))
    out.write_text(json.dumps(figures, indent=1, allow_nan=False) + "\n")


def train_on_real(train: pd.DataFrame, holdout: pd.DataFrame, columns: Columns, seed: int) -> dict[str, Any]:
    """What the models reach on the holdout when trained on the real train rows, with standard errors."""
    told = predictions(train, holdout, columns, seed)
    return {"trtr": scores(told), "trtr_standard_error": standard_errors(told, np.random.default_rng(seed))}


def evaluate(
    train: pd.DataFrame,
    holdout: pd.DataFrame,
    synthetic: pd.DataFrame,
    columns: Columns,
    seed: int,
    known: Mapping[str, Any],
    site: str | None = None,
) -> dict[str, Any]:
    """Every figure of one synthetic table, as plain numbers; None where there is nothing to measure.

    ``known`` is what :func:`train_on_real` gives, ``site`` the column of the hospital, if there is one.
    """
    rng = np.random.default_rng(seed)
    numeric = columns.numeric
    found: dict[str, Any] = {
        "n_train": len(train),
        "n_holdout": len(holdout),
        "n_synth": len(synthetic),
        "n_numeric": len(numeric),
        "n_categorical": len(columns.categorical),
        "seed": seed,
    }
    found |= _one_way(train, holdout, synthetic, columns)
    found |= _pairs(train, holdout, synthetic, columns, rng)
    found |= distances(train, holdout, synthetic, columns, rng)
    found |= copies(train, holdout, synthetic, columns) | reuse(train, holdout, synthetic, columns)
    triples = three_way(train, holdout, {"three_way_tvd": synthetic, "three_way_tvd_floor": train}, columns)
    found |= triples
    for by, column in (("class", columns.target), ("site", site)):
        if column is not None:
            for suffix, table in (("", synthetic), ("_floor", train)):
                errors = conditional(train, holdout, table, columns, column)
                found |= {f"within_{by}_{name}{suffix}": value for name, value in errors.items()}
    real = pd.concat([train, holdout], ignore_index=True)
    found["c2st_auc"] = two_sample_auc(real, synthetic, columns, seed)
    found["c2st_auc_vs_holdout"] = two_sample_auc(holdout, synthetic, columns, seed)
    found["tstr"] = scores(predictions(synthetic, holdout, columns, seed))
    found |= known
    found["tstr_auc_gap"] = found["trtr"]["mean"]["roc_auc"] - found["tstr"]["mean"]["roc_auc"]
    return found


def _one_way(
    train: pd.DataFrame, holdout: pd.DataFrame, synthetic: pd.DataFrame, columns: Columns
) -> dict[str, float | str | None]:
    numeric = columns.numeric
    found: dict[str, float | str | None] = {}
    against = (("", train, synthetic), ("_vs_holdout", holdout, synthetic), ("_floor", holdout, train))
    for suffix, real, table in against:
        for name, values in zip(("ks", "w1", "tvd"), one_way(train, real, table, columns), strict=True):
            found[f"{name}_mean{suffix}"] = _mean(values)
            found[f"{name}_max{suffix}"] = max(values.values(), default=None)
            found[f"{name}_max_column{suffix}"] = max(values, key=lambda column: values[column], default=None)
    gaps = (train[numeric].isna().mean() - synthetic[numeric].isna().mean()).abs()
    found["missing_rate_diff"] = float(gaps.mean()) if numeric else None
    beyond = (synthetic[numeric] < train[numeric].min()) | (synthetic[numeric] > train[numeric].max())
    found["out_of_train_range"] = float(beyond.to_numpy().mean()) if numeric else None
    unseen = [float((~synthetic[name].isin(train[name].unique())).mean()) for name in columns.categorical]
    found["unseen_level_rate"] = float(np.mean(unseen))
    return found


def _pairs(
    train: pd.DataFrame, holdout: pd.DataFrame, synthetic: pd.DataFrame, columns: Columns, rng: np.random.Generator
) -> dict[str, float | None]:
    seen, made = sampled(train, PAIR_ROWS, rng), sampled(synthetic, PAIR_ROWS, rng)
    unseen = sampled(holdout, PAIR_ROWS, np.random.default_rng(0))
    found: dict[str, float | None] = {}
    against = (("", train, synthetic), ("_vs_holdout", holdout, synthetic), ("_floor", holdout, train))
    for suffix, real, table in against:
        found[f"corr_diff{suffix}"] = correlation_difference(real, table, columns.numeric)
    found["pair_trend"] = pair_trend(seen, made, columns)
    found["pair_trend_vs_holdout"] = pair_trend(unseen, made, columns)
    found["pair_trend_floor"] = pair_trend(unseen, seen, columns)
    return found


def _mean(values: Mapping[str, float]) -> float | None:
    figures: Sequence[float] = list(values.values())
    return float(np.mean(figures)) if figures else None


if __name__ == "__main__":
    main()
