"""What does mostlyai-engine's TabularARGN, with its defaults, make of one table?

    python -m benchmarks.hybrid.peers.fit_mostlyai --train train.csv --schema schema.json --rows 284 --seed 0 \
        --out synthetic.csv --report fit.json

On one core and without a limit of its own: the benchmark stops what takes longer than its limit. Tiessler et al.,
TabularARGN, arXiv:2501.12012 (2025).
"""

from __future__ import annotations

import importlib
import logging
import tempfile
from typing import Any

from benchmarks.hybrid.peers.layout import Table, carry_out, options


def main() -> None:
    chosen = options(__doc__, ("mostlyai",))
    table = Table(chosen.train, chosen.schema, chosen.most_rows, chosen.seed)
    importlib.import_module("torch").set_num_threads(1)
    engine = importlib.import_module("mostlyai.engine")
    logging.disable(logging.CRITICAL)
    engine.set_random_state(chosen.seed)
    kinds = dict.fromkeys(table.numeric, "TABULAR_NUMERIC_AUTO")
    kinds |= dict.fromkeys(table.categorical, "TABULAR_CATEGORICAL")

    with tempfile.TemporaryDirectory() as workspace:

        def fit() -> Any:
            model = engine.TabularARGN(
                random_state=chosen.seed, device="cpu", workspace_dir=workspace, tgt_encoding_types=kinds
            )
            model.fit(table.rows)
            return model

        packages = ("mostlyai-engine", "torch", "pandas", "numpy")
        carry_out(
            chosen,
            table,
            fit,
            lambda model: model.sample(n_samples=chosen.rows, device="cpu"),
            packages,
            {"device": "cpu"},
        )


if __name__ == "__main__":
    main()
