"""What does a whole audit of a large table cost, measure by measure, and how far is each from its matrix product?

    OMP_NUM_THREADS=2 python -m benchmarks.gate.speed --rows 100000 --columns 50

A mixed table with gaps and correlations is drawn; half of the people are train, half holdout, and as many rows as both
together are released. Every measure runs on the same tables in the order of the registry, so that one which comes later
finds the neighbour searches of those before it; then come the controls. The product beside them is what one exact
search costs at the least: queries times references times encoded width, as one matrix product by the same library.
Then a database counts a sample of the combinations of columns that ``audit.combinations`` counts, scaled to all.
At last the whole audit runs on the same tables anew, as a release has it: that is what the person who waits sees, and
all the memory it takes. Without an earlier release there are no cumulative figures to measure, here as there.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import duckdb
import numpy as np
import pandas as pd

from audit.classes import coded
from audit.combinations import classes_of, combinations
from audit.controls import run_controls
from audit.measures import REGISTRY
from audit.run import run_audit
from audit.sides import QUERY_ROWS, REFERENCE_ROWS
from audit.tables import AuditTables
from policies import Dictionary

ASKED = 50  # combinations of columns that the database counts, at most
MEMORY = Path("/proc/self/statm")
PAGE = os.sysconf("SC_PAGE_SIZE")


@click.command()
@click.option("--rows", type=int, default=100_000, help="Rows of train and holdout together, and of the release.")
@click.option("--columns", type=int, default=50)
@click.option("--known", type=int, default=3, help="Columns the attacker knows, of all columns.")
@click.option("--earlier", type=int, default=0, help="Rows of an earlier release of the same people.")
@click.option(
    "--only",
    default="",
    help="Measures by name, 'controls', 'group-bys' or 'audit' (the whole), comma between; all where none is named.",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), default=None)
def main(rows: int, columns: int, known: int, earlier: int, only: str, out: Path | None) -> None:
    """Print, and keep in a file, the wall seconds, CPU seconds and peak memory of every measure and of all at once.

    \b
    Example:
        OMP_NUM_THREADS=2 python -m benchmarks.gate.speed --rows 20000 --columns 20
    """
    tables = mixed(rows, columns, known, np.random.default_rng(5), earlier)
    whole: dict[str, Any] | None = None
    counted: dict[str, Any] | None = None
    measures = [name for name in REGISTRY if name != "cumulative" or earlier]
    lines = [cost("encoding", lambda: tables.matrices)]
    width = tables.matrices["train"].shape[1]
    product = cost("matrix product", lambda: matrix_product(min(rows // 2, REFERENCE_ROWS), width))
    for name in only.split(",") if only else [*measures, "controls", "group-bys", "audit"]:
        if name == "group-bys":
            counted = group_bys(tables)
            click.echo(json.dumps(counted), err=True)
        elif name == "audit":
            tables = replace(tables)  # nothing of what the stages found is left
            whole = audit_cost(tables)
            click.echo(json.dumps(whole), err=True)
        else:
            line = cost(name, stage(name, tables))
            lines.append(line | {"products": round(line["cpu_seconds"] / max(product["cpu_seconds"], 0.01), 1)})
            click.echo(json.dumps(lines[-1]), err=True)
        result = {
            "rows": rows,
            "columns": columns,
            "width": width,
            "threads": os.environ.get("OMP_NUM_THREADS", "all"),
            "load": os.getloadavg()[0],
            "seconds": round(sum(line["seconds"] for line in lines), 1),
            "cpu_seconds": round(sum(line["cpu_seconds"] for line in lines), 1),
            "peak_mb": max(line["peak_mb"] for line in lines),
            "matrix_product": product,
            "stages": lines,
            "group_bys": counted,
            "audit": whole,
        }
        if out is not None:  # after every stage: a run that is stopped has told what it knew
            out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    click.echo(json.dumps(result, indent=1))


def mixed(rows: int, columns: int, known: int, rng: np.random.Generator, earlier: int = 0) -> AuditTables:
    """Numbers, whole numbers, skewed amounts with zeros, categories of 2 to 40 levels; a cell in twelve is missing.

    With ``earlier``, so many rows of the same kind were released before.
    """
    real, released = (_frame(rows, columns, rng) for _ in range(2))
    half = rows // 2
    dictionary = Dictionary.model_validate(
        {"version": 1, "name": "mixed", "target": "c0", "columns": {name: _facts(real[name]) for name in real}}
    )
    parts = real.iloc[:half].reset_index(drop=True), real.iloc[half:].reset_index(drop=True)
    people = np.arange(half), np.arange(rows - half)
    before = _frame(earlier, columns, rng) if earlier else None
    return AuditTables(dictionary, *parts, released, *people, attacker_known_columns=known, earlier=before)


def stage(name: str, tables: AuditTables) -> Callable[[], object]:
    """One measure, or the controls."""
    rng = np.random.default_rng(7)
    if name == "controls":
        return lambda: run_controls(tables, rng)
    return lambda: REGISTRY[name](tables, rng)


def group_bys(tables: AuditTables) -> dict[str, Any]:
    """Every combination of columns counted by ``audit.combinations``, and by DuckDB: CPU seconds of each.

    The database counts real and released rows per class of at most ``ASKED`` of the combinations, drawn at random, from
    codes as narrow as ours in its own memory; its cost is scaled to all of them. Rows are people here, so that it need
    not tell people apart, and it is not asked which row is in which class, as ours tells.
    """
    rng, codes = np.random.default_rng(7), coded(tables)
    names, both = tables.dictionary.released, len(tables.train) + len(tables.holdout)
    real = [np.concatenate([codes.codes["train"][name], codes.codes["holdout"][name]]) for name in names]
    released = [codes.codes["released"][name] for name in names]
    chosen = combinations(len(names), tables.attacker_known_columns, both + len(tables.released), rng)
    sizes = [codes.sizes[name] for name in names]
    ours = cost("combinations", lambda: [None for _ in classes_of(real, released, sizes, np.arange(both), chosen)])
    pairs = zip(real, released, strict=True)
    frame = pd.DataFrame({f"c{place}": np.concatenate(pair).astype(np.uint16) for place, pair in enumerate(pairs)})
    frame["real"] = np.arange(len(frame)) < both
    asked = [chosen.chosen[place] for place in rng.permutation(len(chosen.chosen))[:ASKED]]
    with duckdb.connect(
        ":memory:", config={"threads": int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1))}
    ) as it:
        it.register("given", frame)
        it.execute("CREATE TABLE rows AS SELECT * FROM given")
        counts = "SELECT count(*) FILTER (real), count(*) FILTER (NOT real) FROM rows GROUP BY "
        queries = [counts + ", ".join(f"c{column}" for column in subset) for subset in asked]
        database = cost("database", lambda: [it.execute(query).fetchnumpy() for query in queries])
    scaled = database["cpu_seconds"] * len(chosen.chosen) / len(asked)
    return {
        "combinations": len(chosen.chosen),
        "cpu_seconds": ours["cpu_seconds"],
        "database_asked": len(asked),
        "database_cpu_seconds_scaled": round(scaled, 1),
        "database_costs_times": round(scaled / max(ours["cpu_seconds"], 0.01), 1),
    }


def audit_cost(tables: AuditTables) -> dict[str, Any]:
    """The whole audit from the typed frames on, with the wall seconds of its stages as the audit itself tells them."""
    told: dict[str, float] = {}
    line = cost("audit", lambda: told.update(run_audit(tables, np.random.default_rng(7)).seconds))
    return line | {"measures": {name: round(seconds, 2) for name, seconds in told.items()}}


def matrix_product(references: int, width: int) -> None:
    """Single precision products of as many queries as an audit asks, a block of queries at a time."""
    rng = np.random.default_rng(1)
    reference = rng.standard_normal((width, references)).astype(np.float32)
    query = rng.standard_normal((80, width)).astype(np.float32)
    for _ in range(QUERY_ROWS // 80):
        query @ reference


def cost(name: str, work: Callable[[], object]) -> dict[str, Any]:
    """Wall seconds, CPU seconds of all threads, and the largest resident memory while it ran, in MiB."""
    with _watched() as peak:
        wall, processor = time.perf_counter(), time.process_time()
        work()
        seconds, cpu = time.perf_counter() - wall, time.process_time() - processor
    return {"stage": name, "seconds": round(seconds, 2), "cpu_seconds": round(cpu, 2), "peak_mb": round(max(peak))}


@contextmanager
def _watched() -> Iterator[list[float]]:
    """Resident memory, read every twentieth of a second by a second thread."""
    seen, done = [_resident()], threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            seen.append(_resident())

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()
        seen.append(_resident())


def _resident() -> float:
    return int(MEMORY.read_text().split()[1]) * PAGE / 2**20


def _frame(rows: int, columns: int, rng: np.random.Generator) -> pd.DataFrame:
    health = rng.standard_normal((rows, 3))
    found: dict[str, Any] = {}
    for place in range(columns):
        score = health @ np.cos(np.arange(3) + place) / 2 + rng.standard_normal(rows)
        gap = rng.random(rows) < (1 / 12 if place % 4 else 0.0)
        kind = place % 5
        if kind in (0, 3):
            levels = (2, 3, 5, 8, 12, 20, 40)[place % 7]
            codes = np.clip(np.floor((score + 2.5) / 5 * levels), 0, levels - 1).astype(np.int64)
            names = np.array([f"l{level}" for level in range(levels)], dtype=object)[codes]
            names[gap & (place > 0)] = None
            found[f"c{place}"] = pd.Categorical(names, categories=[f"l{level}" for level in range(levels)])
            continue
        value = {1: score, 2: np.round(50 + 15 * score), 4: np.where(score > 0, np.round(np.exp(score), 1), 0.0)}[kind]
        found[f"c{place}"] = np.where(gap, np.nan, value)
    return pd.DataFrame(found)


def _facts(column: pd.Series[Any]) -> dict[str, Any]:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return {"type": "category", "categories": tuple(column.cat.categories), "nullable": True}
    return {"type": "number", "minimum": -1e6, "maximum": 1e6, "nullable": True}


if __name__ == "__main__":
    main()
