"""What do adversarial random forests, as arfpy has them with its defaults, make of one table?

    python -m benchmarks.hybrid.peers.fit_arfpy --train train.csv --schema schema.json --rows 284 --seed 0 \
        --out synthetic.csv --report fit.json

Watson, Blesch, Kapar, Wright, Adversarial random forests for density estimation and generative modelling, AISTATS 2023.
"""

from __future__ import annotations

import importlib
import warnings
from typing import Any

from benchmarks.hybrid.peers.layout import Table, carry_out, options


def main() -> None:
    chosen = options(__doc__, ("arfpy",))
    warnings.simplefilter("ignore")
    table = Table(chosen.train, chosen.schema, chosen.most_rows, chosen.seed)
    library = importlib.import_module("arfpy.arf")

    def fit() -> Any:
        model = library.arf(x=table.complete(), random_state=chosen.seed, verbose=False)
        model.forde()
        return model

    packages = ("arfpy", "scikit-learn", "pandas", "numpy")
    carry_out(
        chosen, table, fit, lambda model: model.forge(n=chosen.rows), packages, {"num_trees": 30, "min_node_size": 5}
    )


if __name__ == "__main__":
    main()
