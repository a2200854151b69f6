"""How long does a large table take, whole? Every encounter of *diabetes-130*, fitted and drawn as a release does it.

    OMP_NUM_THREADS=2 python -m benchmarks.hybrid.whole --source FOLDER

101,766 rows; the two identifiers are left out, so that a row is an encounter, and every other column stays. The
dictionary is the gate's own draft with the target named. One process of two threads and nothing beside it; seconds are
of the wall, reading and writing the files apart from fitting and drawing.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import time
from pathlib import Path

import click
import numpy as np
import pandas as pd
import torch

from benchmarks.hybrid.tables import drafted
from gateway.intake import read_table, type_table, write_csv
from policies import load_dictionary
from synth import HybridSynthesizer

IDENTIFIERS = ("encounter_id", "patient_nbr")
HERE = Path(__file__).resolve().parent


@click.command()
@click.option("--source", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--work", type=click.Path(file_okay=False, path_type=Path), default=Path("build/bench/whole"))
@click.option("--seed", type=int, default=0)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), default=None)
def main(source: Path, work: Path, seed: int, out: Path | None) -> None:
    """Print, and keep in a file, the seconds and the peak memory of each stage.

    \b
    Example:
        OMP_NUM_THREADS=2 python -m benchmarks.hybrid.whole --source ~/uci
    """
    work.mkdir(parents=True, exist_ok=True)
    path = work / "whole.csv"
    table = pd.read_csv(
        source / "diabetes-130" / "diabetes-130.csv.gz", dtype=str, keep_default_na=False, na_values=[""]
    )
    table.drop(columns=[*IDENTIFIERS]).to_csv(path, index=False)
    (work / "dictionary.toml").write_text(drafted(path, "diabetes-130", "readmitted"), encoding="utf-8")
    public = load_dictionary(work / "dictionary.toml")
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    rng = np.random.default_rng(seed)
    marks = [("", time.perf_counter(), time.process_time())]

    def mark(stage: str) -> None:
        marks.append((stage, time.perf_counter(), time.process_time()))

    typed = type_table(read_table(path, written=public.source), public)
    mark("read")
    synthesizer = HybridSynthesizer(public).fit(typed.frame, rng)
    mark("fit")
    drawn = synthesizer.sample(len(typed.frame), rng)
    mark("draw")
    (work / "synthetic.csv").write_bytes(write_csv(drawn, public))
    mark("write")
    result = {
        "rows": len(typed.frame),
        "columns": len(public.released),
        "threads": os.environ.get("OMP_NUM_THREADS", "1"),
        "load": os.getloadavg()[0],
        "stages": [
            {"stage": stage, "seconds": round(wall - before[1], 1), "cpu_seconds": round(cpu - before[2], 1)}
            for before, (stage, wall, cpu) in itertools.pairwise(marks)
        ],
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    text = json.dumps(result, indent=1)
    click.echo(text)
    if out is not None:
        out.write_text(text + "\n")


if __name__ == "__main__":
    main()
