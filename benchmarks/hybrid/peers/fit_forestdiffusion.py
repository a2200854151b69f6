"""What does ForestDiffusion (flow matching by XGBoost) make of one table?

    python -m benchmarks.hybrid.peers.fit_forestdiffusion --train train.csv --schema schema.json --rows 284 --seed 0 \
        --out synthetic.csv --report fit.json

20 steps and 20 noisy copies of every row instead of the defaults 50 and 100, which take hours on one core. Jolicoeur-
Martineau, Fatras, Kachman, Generating and imputing tabular data via diffusion and flow-based gradient-boosted trees,
AISTATS 2024.
"""

from __future__ import annotations

import importlib
import warnings
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.hybrid.peers.layout import Table, carry_out, options

STEPS = 20
COPIES = 20


def main() -> None:
    chosen = options(__doc__, ("forestdiffusion",))
    warnings.simplefilter("ignore")
    table = Table(chosen.train, chosen.schema, chosen.most_rows, chosen.seed)
    library = importlib.import_module("ForestDiffusion")
    complete = table.complete()
    levelled = [name for name in complete.columns if name not in table.numeric]
    levels = {name: sorted(complete[name].unique()) for name in levelled}
    codes = {
        name: pd.Categorical(complete[name], categories=levels[name]).codes.astype(float)
        if name in levels
        else complete[name].to_numpy(dtype=float)
        for name in complete.columns
    }
    features = [name for name in complete.columns if name != table.target]
    places = list(enumerate(features))

    def fit() -> Any:
        return library.ForestDiffusionModel(
            np.column_stack([codes[name] for name in features]),
            label_y=codes[table.target].astype(int),
            n_t=STEPS,
            duplicate_K=COPIES,
            bin_indexes=[place for place, name in places if name in levels and len(levels[name]) <= 2],
            cat_indexes=[place for place, name in places if name in levels and len(levels[name]) > 2],
            int_indexes=[
                place for place, name in places if name in table.numeric and table.facts[name]["decimals"] == 0
            ],
            n_jobs=1,
            seed=chosen.seed,
        )

    def sample(model: Any) -> pd.DataFrame:
        np.random.seed(chosen.seed)  # noqa: NPY002  # what the library draws from
        drawn = np.asarray(model.generate(batch_size=chosen.rows), dtype=float)
        made = {}
        for place, name in [*places, (len(features), table.target)]:
            cells = drawn[:, place]
            if name in levels:
                cells = np.array(levels[name], object)[np.clip(cells.round().astype(int), 0, len(levels[name]) - 1)]
            made[name] = cells
        return pd.DataFrame(made)

    packages = ("ForestDiffusion", "xgboost", "numpy", "pandas")
    carry_out(chosen, table, fit, sample, packages, {"n_t": STEPS, "duplicate_K": COPIES})


if __name__ == "__main__":
    main()
