"""What do all peers' scripts share: arguments, reading, gaps, timing, output?

Equal treatment: levels are read as text; a peer that takes no missing values gets ``complete``, in which a number has
the train median and a 0/1 flag column and a level is one more level; what comes back is rounded to the decimals of the
schema, which a tool that rounds by itself has anyway, and nothing is clipped.

Imports nothing of the project, as the peers' environments lack what it needs.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

MISSING = "__missing__"
FLAG = "__missing_flag"

Model = TypeVar("Model")


def options(description: str | None, methods: Sequence[str]) -> argparse.Namespace:
    """The command line of a peer's script."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", choices=methods, default=methods[0])
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--schema", type=Path, required=True)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--most-rows", type=int, default=None, help="Fit on at most this many of the train rows.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--report", type=Path, required=True)
    return parser.parse_args()


class Table:
    """A real table as its peers get it.

    Attributes
    ----------
    rows : the table: levels as text (None = missing), numbers as floats (NaN = missing).
    numeric, categorical : names in order, the target among the categorical.
    """

    def __init__(self, path: Path, schema: Path, most_rows: int | None = None, seed: int = 0) -> None:
        self.facts: dict[str, dict[str, Any]] = json.loads(schema.read_text())["columns"]
        self.target: str = json.loads(schema.read_text())["target"]
        self.categorical = [name for name, column in self.facts.items() if "levels" in column]
        self.numeric = [name for name in self.facts if name not in self.categorical]
        rows = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])[list(self.facts)]
        for name in self.numeric:
            rows[name] = pd.to_numeric(rows[name]).astype(float)
        for name in self.categorical:
            cells = rows[name].astype(object)
            rows[name] = cells.where(cells.notna(), None)
        if most_rows is not None and len(rows) > most_rows:
            rows = rows.sample(most_rows, random_state=seed).reset_index(drop=True)
        self.rows = rows

    def complete(self) -> pd.DataFrame:
        """The table without gaps, with its flag columns at the end."""
        result = self.rows.copy()
        for name in self.categorical:
            result[name] = result[name].fillna(MISSING)
        for name in self.numeric:
            gaps = result[name].isna()
            if gaps.any():
                result[name + FLAG] = gaps.map({True: "1", False: "0"}).astype(object)
                result[name] = result[name].fillna(result[name].median())
        return result

    def levels_of(self, complete: pd.DataFrame) -> list[str]:
        """Names of the columns of :meth:`complete` that are not numbers, the target left out."""
        return [name for name in complete.columns if name not in self.numeric and name != self.target]

    def restored(self, made: pd.DataFrame) -> pd.DataFrame:
        """Made rows with the columns of the table: gaps are gaps again, numbers rounded."""
        columns: dict[str, pd.Series] = {}
        for name, column in self.facts.items():
            if "levels" in column:
                cells = made[name].astype(object)
                columns[name] = cells.where(cells.notna() & (cells.astype(str) != MISSING), None)
                continue
            numbers = pd.to_numeric(made[name], errors="coerce").astype(float)
            if name + FLAG in made:
                numbers = numbers.where(made[name + FLAG].astype(str) != "1", np.nan)
            columns[name] = numbers if column["decimals"] is None else numbers.round(column["decimals"])
        return pd.DataFrame(columns)


def carry_out(
    chosen: argparse.Namespace,
    table: Table,
    fit: Callable[[], Model],
    sample: Callable[[Model], pd.DataFrame],
    packages: Sequence[str],
    settings: dict[str, Any],
) -> None:
    """Fit, draw, write the rows and the report."""
    started, cpu = time.perf_counter(), time.process_time()
    model = fit()
    fitted, fitted_cpu = time.perf_counter(), time.process_time()
    made = sample(model)
    sampled, sampled_cpu = time.perf_counter(), time.process_time()
    table.restored(made).iloc[: chosen.rows].to_csv(chosen.out, index=False)
    report = {
        "settings": settings,
        "rows_used": len(table.rows),
        "versions": {name: importlib.metadata.version(name) for name in packages},
        "fit_seconds": round(fitted - started, 2),
        "fit_cpu_seconds": round(fitted_cpu - cpu, 2),
        "sample_seconds": round(sampled - fitted, 2),
        "sample_cpu_seconds": round(sampled_cpu - fitted_cpu, 2),
    }
    chosen.report.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n")
