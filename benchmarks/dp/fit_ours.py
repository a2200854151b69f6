"""What does the private hybrid make of one table? The same command line as the peers' scripts.

    python -m benchmarks.dp.fit_ours --train train.csv --schema schema.json --epsilon 1 --delta 1e-5 --rows 460 \
        --seed 0 --out synthetic.csv --report fit.json

The public facts are those that the peers get: level lists, bounds and decimals of the schema. The head count that the
budget is planned by is the number of rows, which the peers draw, rounded to two digits. There is no seed on the private
path: ``--seed`` names the split and drives the drawing of rows alone, so a repeated run gives other noise.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd

import synth
from benchmarks.dp.evaluate import read
from benchmarks.dp.fitting import fit_options
from policies import Column, Dictionary


@click.command()
@fit_options
def main(
    train: Path, schema: Path, epsilon: float, delta: float, rows: int, seed: int, out: Path, report: Path
) -> None:
    """Fit the private hybrid to one table and draw as many rows as it has.

    \b
    Example:
        python -m benchmarks.dp.fit_ours --train train.csv --schema schema.json --epsilon 1 --rows 460 --seed 0 \\
            --out synthetic.csv --report fit.json
    """
    facts = json.loads(schema.read_text())
    public = dictionary(facts)
    table = typed(read(train, facts), public)
    started, cpu = time.perf_counter(), time.process_time()
    synthesizer = synth.PrivateHybridSynthesizer(public, epsilon, delta, people=two_digits(rows))
    synthesizer.fit(table)
    fitted, fitted_cpu = time.perf_counter(), time.process_time()
    drawn = synthesizer.sample(rows, np.random.default_rng(seed))
    sampled = time.perf_counter()
    drawn.to_csv(out, index=False)
    if synthesizer.claim_ is None:
        raise click.ClickException("the fit carries no privacy claim: it does not belong in this benchmark")
    versions = ("numpy", "pandas", "scipy", "scikit-learn", "torch", "opacus", "diffprivlib", "dp-accounting")
    result = {
        "settings": synthesizer.settings_,
        "source": source(),
        "versions": {name: importlib.metadata.version(name) for name in ("sluice-gate", *versions)},
        "fit_seconds": round(fitted - started, 2),
        "fit_cpu_seconds": round(fitted_cpu - cpu, 2),
        "sample_seconds": round(sampled - fitted, 2),
    }
    report.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")


def dictionary(schema: Mapping[str, Any]) -> Dictionary:
    """The public facts of a schema as the dictionary that our synthesizer takes."""
    return Dictionary(
        version=1,
        name="benchmark",
        target=schema["target"],
        columns={name: _column(column) for name, column in schema["columns"].items()},
    )


def typed(table: pd.DataFrame, public: Dictionary) -> pd.DataFrame:
    """A table as ``evaluate.read`` gives it, in the types that our synthesizer takes."""
    frame = {
        name: pd.Categorical(table[name], categories=list(column.categories or ()), ordered=column.type != "category")
        if column.is_categorical
        else table[name].to_numpy(dtype=np.float64)
        for name, column in public.columns.items()
    }
    return pd.DataFrame(frame)


def source() -> str:
    """SHA-256 over the synthesizer's own files: runs of one table must come from one state of the code."""
    folder = Path(synth.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(f"{path.relative_to(folder).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def two_digits(count: int) -> int:
    """``count`` to two significant digits: what a catalogue or a paper says of a table's size."""
    unit = int(10 ** max(0, math.floor(math.log10(count)) - 1))
    return round(count / unit) * unit


def _column(column: Mapping[str, Any]) -> Column:
    if "levels" in column:
        return Column(type="category", categories=tuple(column["levels"]), nullable=column["nullable"])
    bounds = {"minimum": column["min"], "maximum": column["max"], "nullable": column["nullable"]}
    if column["decimals"] == 0:
        return Column(type="integer", **bounds)
    return Column(type="number", decimals=column["decimals"], **bounds)


if __name__ == "__main__":
    main()
