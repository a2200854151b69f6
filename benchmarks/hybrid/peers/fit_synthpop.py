"""What do sequential classification trees, as py-synthpop has them with its defaults, make of one table?

    python -m benchmarks.hybrid.peers.fit_synthpop --train train.csv --schema schema.json --rows 284 --seed 0 \
        --out synthetic.csv --report fit.json

A Python port of R's synthpop: Nowok, Raab, Dibben, synthpop: Bespoke creation of synthetic data in R, JSS 74 (2016).
"""

from __future__ import annotations

import importlib
import warnings
from typing import Any

import numpy as np

from benchmarks.hybrid.peers.layout import Table, carry_out, options


def main() -> None:
    chosen = options(__doc__, ("synthpop",))
    warnings.simplefilter("ignore")
    table = Table(chosen.train, chosen.schema, chosen.most_rows, chosen.seed)
    library = importlib.import_module("synthpop")
    complete = table.complete()
    levels = {*table.levels_of(complete), table.target}
    complete = complete.astype(dict.fromkeys(levels, "category"))
    kinds = {name: "category" if name in levels else "float" for name in complete.columns}

    def fit() -> Any:
        model = library.Synthpop(seed=chosen.seed)
        np.random.seed(chosen.seed)  # noqa: NPY002  # what the library draws from
        model.fit(complete, kinds)
        return model

    packages = ("py-synthpop", "scikit-learn", "pandas", "numpy")
    carry_out(chosen, table, fit, lambda model: model.generate(chosen.rows), packages, {})


if __name__ == "__main__":
    main()
