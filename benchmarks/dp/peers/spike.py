"""How many rows does dpmm's binning of one number move off its commonest value?

    python -m benchmarks.dp.peers.spike --train train.csv --column hours-per-week --value 40 --low 1 --high 99 \
        --numbers 5 --out found.json

Runs in dpmm's own environment. Bins the column with PrivTree as dpmm's pipelines do (a tenth of epsilon, shared among
the table's ``--numbers`` numeric columns), draws evenly within the cell of the value and rounds to whole numbers as the
benchmark does; twenty times at each epsilon, with and without dpmm's limit on the number of cells.
"""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.dp.peers.fit_dpmm import BINNING_SHARE

REPEATS = 20
DRAWS = 20_000


def main() -> None:
    options = _options()
    values = pd.read_csv(options.train)[options.column].to_numpy(dtype=np.float64)
    binner: Any = importlib.import_module("dpmm.processing.binners").PrivTreeBinner
    rng = np.random.default_rng(0)
    found = []
    for epsilon in (1.0, 3.0, 8.0):
        for limited in (True, False):
            runs = []
            for _ in range(REPEATS):
                tree = binner(
                    n_bins="auto",
                    epsilon=BINNING_SHARE * epsilon / options.numbers,
                    lower=options.low,
                    upper=options.high,
                    enforce_bins=limited,
                )
                tree.fit(values)
                place = np.searchsorted(tree.bins, options.value, side="right") - 1
                low, high = tree.bins[place], tree.bins[place + 1]
                elsewhere = np.mean(np.round(rng.uniform(low, high, DRAWS)) != options.value)
                runs.append((float(elsewhere * np.mean((values >= low) & (values < high))), len(tree.bins) - 1))
            moved, cells = map(np.array, zip(*runs, strict=True))
            found.append(
                {
                    "epsilon": epsilon,
                    "limited": limited,
                    "share_of_rows_moved": {
                        "median": round(float(np.median(moved)), 4),
                        "least": round(float(moved.min()), 4),
                        "most": round(float(moved.max()), 4),
                    },
                    "cells": int(np.median(cells)),
                }
            )
    share = round(float(np.mean(values == options.value)), 4)
    answer = {
        "column": options.column,
        "value": options.value,
        "share_of_rows": share,
        "repeats": REPEATS,
        "runs": found,
    }
    options.out.write_text(json.dumps(answer, indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Bin one column as dpmm does, and draw its commonest value again.")
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--column", required=True)
    parser.add_argument("--value", type=float, required=True)
    parser.add_argument("--low", type=float, required=True)
    parser.add_argument("--high", type=float, required=True)
    parser.add_argument("--numbers", type=int, required=True, help="Numeric columns of the table.")
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
