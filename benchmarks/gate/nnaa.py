"""How fast is our exact NNAA beside SynthEval's, on the same rows and with the same distances?

    python -m benchmarks.gate.nnaa --source FOLDER --peer build/bench-gate/syntheval/bin/python

Rows of *adult* (SynthEval's default distance, Gower's, on mixed types) and of a table of normal numbers (its Euclidean
distance). Neither tool preprocesses. Ours is ``audit.measures.nnaa``, with strict comparison as SynthEval has it; for
Gower's distance the search is that of ``audit.gower``, as in the measure ``nnaa_gower_privacy_loss``. The peer runs as
a process of its own in an environment made of ``peers/requirements-syntheval.txt``; imports and reading count for
neither.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import click
import numpy as np

from audit.measures.nnaa import accuracy
from audit.neighbours import Matrix
from benchmarks.gate import tables
from benchmarks.gate.gower import Flags, gower_accuracy

PEER = Path(__file__).resolve().parent / "peers" / "nnaa_syntheval.py"


@click.command()
@click.option("--source", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--peer", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--rows", type=int, default=20_000)
@click.option("--work", type=click.Path(file_okay=False, path_type=Path), default=Path("build/bench-gate"))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), default=None)
def main(source: Path, peer: Path, rows: int, work: Path, out: Path | None) -> None:
    """Both tools, one after the other, on the same file; Gower's distance takes SynthEval 14 GiB at 20,000 rows.

    \b
    Example:
        python -m benchmarks.gate.nnaa --source ~/uci --peer build/bench-gate/syntheval/bin/python --rows 5000
    """
    work.mkdir(parents=True, exist_ok=True)
    results = []
    for name, distance in (("adult", "gower"), ("normal", "euclid")):
        real, fake, categorical = _adult(source, rows) if name == "adult" else _normal(rows)
        path = work / f"{name}-{rows}.npz"
        np.savez(path, real=real, fake=fake, categorical=categorical)
        ours = _ours(real, fake, categorical if distance == "gower" else None)
        done = subprocess.run(  # noqa: S603  # the interpreter was named by whoever runs this
            [str(peer), str(PEER), str(path), distance], check=True, capture_output=True, text=True
        )
        theirs = json.loads(done.stdout.strip().splitlines()[-1])
        times = theirs["cpu_seconds"] / ours["cpu_seconds"]
        shape = {"table": name, "distance": distance, "rows": rows, "columns": real.shape[1]}
        results.append(shape | {"ours": ours, "syntheval": theirs, "times": round(times, 1)})
        click.echo(json.dumps(results[-1]), err=True)
    text = json.dumps({"threads": os.environ.get("OMP_NUM_THREADS", "all"), "runs": results}, indent=1)
    click.echo(text)
    if out is not None:
        out.write_text(text + "\n", encoding="utf-8")


def _ours(real: Matrix, fake: Matrix, categorical: Flags | None) -> dict[str, float]:
    wall, processor = time.perf_counter(), time.process_time()
    value = accuracy(real, fake, ties=0.0) if categorical is None else gower_accuracy(real, fake, categorical)
    return {"value": value, "seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - processor}


def _adult(source: Path, rows: int) -> tuple[Matrix, Matrix, Flags]:
    """Two disjoint samples; a missing number is 0, a missing level a level of its own."""
    frame = tables.load("adult", source).frame
    categorical = np.array([str(frame[name].dtype) == "category" for name in frame])
    columns = [
        frame[name].cat.codes if chosen else frame[name].fillna(0.0)
        for name, chosen in zip(frame, categorical, strict=True)
    ]
    matrix = np.column_stack(columns).astype(np.float64)
    order = np.random.default_rng(1).permutation(len(matrix))
    return matrix[order[:rows]], matrix[order[rows : 2 * rows]], categorical


def _normal(rows: int) -> tuple[Matrix, Matrix, Flags]:
    rng = np.random.default_rng(2)
    mixing = rng.standard_normal((20, 20)) / 4
    real, fake = (rng.standard_normal((rows, 20)) @ (mixing + np.eye(20)) for _ in range(2))
    return real, fake, np.zeros(20, dtype=np.bool_)


if __name__ == "__main__":
    main()
