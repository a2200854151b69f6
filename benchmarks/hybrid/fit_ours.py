"""What does one form of the hybrid make of one table? The same command line as the peers' scripts.

    python -m benchmarks.hybrid.fit_ours --form ours --train train.csv --schema schema.json \
        --dictionary dictionary.toml --rows 284 --seed 0 --out synthetic.csv --report fit.json

The table goes in as it goes into the gate: by its drafted dictionary, and out by the gate's own writer.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import time
from pathlib import Path

import click
import numpy as np
import torch

import synth
from benchmarks.hybrid.selectors import synthesizer_of
from gateway.intake import read_table, type_table, write_csv
from policies import load_dictionary

PACKAGES = ("sluice-gate", "numpy", "pandas", "scipy", "scikit-learn", "torch")


@click.command()
@click.option("--form", default="ours")
@click.option("--train", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--schema", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=None, hidden=True)
@click.option("--dictionary", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--rows", type=int, required=True)
@click.option("--seed", type=int, required=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), required=True)
def main(
    form: str, train: Path, schema: Path | None, dictionary: Path, rows: int, seed: int, out: Path, report: Path
) -> None:
    """Fit one form of the hybrid to one table and draw as many rows as it has.

    \b
    Example:
        python -m benchmarks.hybrid.fit_ours --train train.csv --dictionary dictionary.toml --rows 284 --seed 0 \\
            --out synthetic.csv --report fit.json
    """
    del schema  # what the peers are told; ours has its dictionary
    torch.set_num_threads(1)
    public = load_dictionary(dictionary)
    table = type_table(read_table(train, written=public.source), public)
    rng = np.random.default_rng(seed)
    started, cpu = time.perf_counter(), time.process_time()
    synthesizer = synthesizer_of(form, public).fit(table.frame, rng)
    fitted, fitted_cpu = time.perf_counter(), time.process_time()
    drawn = synthesizer.sample(rows, rng)
    sampled, sampled_cpu = time.perf_counter(), time.process_time()
    out.write_bytes(write_csv(drawn, public))
    trace = synthesizer.trace_
    result = {
        "settings": synthesizer.settings_,
        "comparison": trace.comparison(),
        "evaluations": len(trace.points),
        "source": source(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "fit_seconds": round(fitted - started, 2),
        "fit_cpu_seconds": round(fitted_cpu - cpu, 2),
        "sample_seconds": round(sampled - fitted, 2),
        "sample_cpu_seconds": round(sampled_cpu - fitted_cpu, 2),
    }
    report.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")


def source() -> str:
    """SHA-256 over the synthesizer's own files: runs of one table must come from one state of the code."""
    folder = Path(synth.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        if "dp" not in path.relative_to(folder).parts:
            digest.update(f"{path.relative_to(folder).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    main()
