"""What does a peer make of one table that is already cut into our public cells, with the whole budget for its model?

    python -m benchmarks.dp.fit_cells --peer "python peers/fit_dpmm.py --method mst" --train train.csv \
        --schema schema.json --epsilon 1 --delta 1e-5 --rows 460 --seed 0 --out synthetic.csv --report fit.json

The harder test for us: dpmm spends a tenth of epsilon on bins that it then has to live with. Here a numeric column
comes to it as the cells that our synthesizer lays out by the dictionary and the head count alone (``synth.dp.plan``:
equal widths, the least and the greatest value by themselves, missing a cell), so there is nothing left to bin and
nothing to pay for it. Drawn cells become values as ours do, evenly over the cell.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import click
import numpy as np
import pandas as pd

from benchmarks.dp.evaluate import read
from benchmarks.dp.fit_ours import dictionary, two_digits, typed
from benchmarks.dp.fitting import fit_options
from synth.dp.plan import plan_of


@click.command()
@click.option("--peer", required=True, help="The peer's own command, without what this one takes too.")
@fit_options
def main(
    peer: str,
    train: Path,
    schema: Path,
    epsilon: float,
    delta: float,
    rows: int,
    seed: int,
    out: Path,
    report: Path,
) -> None:
    """Cut a table into public cells, let a peer fit those, and turn its cells into values.

    \b
    Example:
        python -m benchmarks.dp.fit_cells --peer "python peers/fit_dpmm.py --method mst" --train train.csv \\
            --schema schema.json --epsilon 1 --rows 460 --seed 0 --out synthetic.csv --report fit.json
    """
    facts = json.loads(schema.read_text())
    public = dictionary(facts)
    domain, plan = plan_of(public, two_digits(rows), epsilon, delta)
    codes = domain.encode(typed(read(train, facts), public))
    names = [column.name for column in domain.columns]
    levels = {name: [str(code) for code in range(size)] for name, size in zip(names, domain.sizes, strict=True)}
    folder = out.parent
    pd.DataFrame(codes, columns=names).to_csv(folder / "cells.csv", index=False)
    (folder / "cells.json").write_text(
        json.dumps({"columns": {name: {"levels": levels[name], "nullable": False} for name in names}})
    )
    arguments = ["--train", folder / "cells.csv", "--schema", folder / "cells.json", "--out", folder / "drawn.csv"]
    arguments += ["--epsilon", epsilon, "--delta", delta, "--rows", rows, "--seed", seed, "--report", report]
    command = [*shlex.split(peer), "--no-binning", *map(str, arguments)]
    subprocess.run(command, check=True)  # noqa: S603  # the command line of our own benchmark
    drawn = pd.read_csv(folder / "drawn.csv", dtype=np.int32)[names].to_numpy()
    domain.decode(drawn, np.random.default_rng(seed)).to_csv(out, index=False)
    told = json.loads(report.read_text())
    told["settings"]["cells_per_number"] = plan.layout.cells
    report.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
