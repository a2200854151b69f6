"""What does one synthetic table reach against the real holdout, and against the train rows it was made from?

    python -m benchmarks.dp.evaluate --split DATA/adult/s0 --synthetic synthetic.csv --seed 0 --out figures.json

The same for every method. The holdout is what no method has seen, and the figure to read; against train, a table that
copied its rows would look perfect. ``real`` (the train rows in the place of synthetic ones) gives the floor.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd

from benchmarks.dp.distances import cramers_v, pearson, subsets, total_variation
from benchmarks.dp.grid import CELLS, Grid
from benchmarks.dp.utility import train_on_one_test_on_other


@click.command()
@click.option("--split", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--synthetic", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--seed", type=int, default=0, help="Seed of the forest and the boosting.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
def main(split: Path, synthetic: Path, seed: int, out: Path) -> None:
    """Evaluate one synthetic table.

    \b
    Example:
        python -m benchmarks.dp.evaluate --split DATA/adult/s0 --synthetic synthetic.csv --out figures.json
    """
    schema = json.loads((split / "schema.json").read_text())
    train, holdout = read(split / "train.csv", schema), read(split / "holdout.csv", schema)
    figures = evaluate(train, holdout, read(synthetic, schema), schema, seed)
    out.write_text(json.dumps(figures, indent=1, allow_nan=False) + "\n")


def read(path: Path, schema: Mapping[str, Any]) -> pd.DataFrame:
    """A table as written: categorical columns as text, the others as numbers, an empty cell missing."""
    table = pd.read_csv(path, dtype=object, keep_default_na=False, na_values=[""])[list(schema["columns"])]
    for name, column in schema["columns"].items():
        if "levels" not in column:
            table[name] = pd.to_numeric(table[name]).astype(float)
    return table


def evaluate(
    train: pd.DataFrame, holdout: pd.DataFrame, synthetic: pd.DataFrame, schema: Mapping[str, Any], seed: int
) -> dict[str, Any]:
    """Every figure of one synthetic table, as plain numbers."""
    numeric = [name for name, column in schema["columns"].items() if "levels" not in column]
    grid = Grid.of(pd.concat([train, holdout], ignore_index=True), schema)
    return {
        "rows": {"train": len(train), "holdout": len(holdout), "synthetic": len(synthetic)},
        "against_holdout": _distances(holdout, synthetic, grid, schema["target"], numeric),
        "against_train": _distances(train, synthetic, grid, schema["target"], numeric),
        "tstr": train_on_one_test_on_other(synthetic, holdout, schema["target"], numeric, seed),
        "grid": {
            "cells_per_numeric_column": CELLS,
            "cells": sum(grid.sizes),
            "triples": len(subsets(len(grid.sizes), 3)),
        },
    }


def _distances(
    real: pd.DataFrame, synthetic: pd.DataFrame, grid: Grid, target: str, numeric: list[str]
) -> dict[str, float]:
    names = list(grid.columns)
    label, sizes = names.index(target), grid.sizes
    left, right = grid.codes(real), grid.codes(synthetic)
    found = {
        f"{word}_way_tvd": float(total_variation(left, right, sizes, subsets(len(names), ways)).mean())
        for word, ways in (("one", 1), ("two", 2), ("three", 3))
    }
    for word, ways in (("two", 2), ("three", 3)):
        chosen = subsets(len(names), ways, holding=label)
        found[f"{word}_way_tvd_with_label"] = float(total_variation(left, right, sizes, chosen).mean())
    mixed = [(i, j) for i, j in combinations(range(len(names)), 2) if not (names[i] in numeric and names[j] in numeric)]
    linear = np.abs(pearson(real, numeric) - pearson(synthetic, numeric))
    other = np.abs(cramers_v(left, sizes, mixed) - cramers_v(right, sizes, mixed))
    found["pearson_difference"] = float(linear.mean()) if len(linear) else 0.0
    found["cramers_v_difference"] = float(other.mean()) if len(other) else 0.0
    found["correlation_difference"] = float(np.concatenate([linear, other]).mean())
    return found


if __name__ == "__main__":
    main()
