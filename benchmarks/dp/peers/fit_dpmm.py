"""What does AIM or MST, as dpmm has them, make of one table? Runs in dpmm's own environment, so it stands alone.

    python fit_dpmm.py --method mst --train train.csv --schema schema.json --epsilon 1 --rows 460 --seed 0 \
        --out synthetic.csv --report fit.json [--strength reduced]

The whole budget is ``--epsilon`` at ``--delta``: dpmm charges its binning on top of the model, so the model gets 90 %
and the binning 10 %. Level lists and bounds are the public ones of the schema. dpmm takes no missing values: a
categorical column gets one more level for them, a numeric one a 0/1 flag column while its gaps are filled with the
median of the train rows (not private, and in the peer's favour). Numbers are rounded to the schema's decimals.

Full strength is each tool's own default: AIM 16 rounds per column, 1000 iterations a round, models up to 80 MB
(McKenna, Mullins, Sheldon, Miklau, "AIM", VLDB 2022: "the default value of 80 for any official comparison"); MST 5000
iterations (McKenna, Miklau, Sheldon, "Winning the NIST contest", 2021). Reduced strength is for where that takes hours.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import logging
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

MISSING = "__missing__"
FLAG = "__missing_flag"
BINNING_SHARE = 0.1
STRENGTH: dict[tuple[str, str], dict[str, float]] = {
    ("aim", "full"): {"rounds_per_column": 16, "n_iters": 1000, "max_model_size_mb": 80},
    ("aim", "reduced"): {"rounds_per_column": 2, "n_iters": 100, "max_model_size_mb": 16},
    ("mst", "full"): {"n_iters": 5000},
    ("mst", "reduced"): {"n_iters": 1000},
}


def main() -> None:
    options = _options()
    schema = json.loads(options.schema.read_text())
    table = read(options.train, schema)
    complete, domain = without_gaps(table, schema)
    strength = STRENGTH[options.method, options.strength]
    logging.basicConfig(level=logging.ERROR)
    follow_estimates(options.report.with_suffix(".progress"))
    started, cpu = time.perf_counter(), time.process_time()
    if options.faster:
        sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
        importlib.import_module("benchmarks.dp.peers.faster").install()
    share = 0.0 if options.no_binning else BINNING_SHARE
    pipeline = pipeline_of(options.method, options.epsilon, options.delta, strength, len(complete.columns), share)
    pipeline.fit(complete, domain=domain, random_state=options.seed)
    fitted, fitted_cpu = time.perf_counter(), time.process_time()
    drawn = pipeline.generate(n_records=options.rows, random_state=options.seed)
    sampled = time.perf_counter()
    with_gaps(drawn, schema).to_csv(options.out, index=False)
    report = {
        "settings": {
            **strength,
            "model_epsilon": (1 - share) * options.epsilon,
            "binning_epsilon": share * options.epsilon,
        },
        "inference": "faster" if options.faster else "dpmm",
        "versions": {name: importlib.metadata.version(name) for name in ("dpmm", "opendp", "numpy", "pandas", "scipy")},
        "fit_seconds": round(fitted - started, 2),
        "fit_cpu_seconds": round(fitted_cpu - cpu, 2),
        "sample_seconds": round(sampled - fitted, 2),
    }
    options.report.write_text(json.dumps(report, indent=1) + "\n")


def read(path: Path, schema: Mapping[str, Any]) -> pd.DataFrame:
    """The table as written: categorical columns as text, the others as numbers, an empty cell missing."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
    for name, column in schema["columns"].items():
        if "levels" not in column:
            table[name] = pd.to_numeric(table[name])
    return table[list(schema["columns"])]


def without_gaps(table: pd.DataFrame, schema: Mapping[str, Any]) -> tuple[pd.DataFrame, dict[str, dict[str, Any]]]:
    """The table with every gap turned into a level or a flag, and the public domain of its columns."""
    complete = table.copy()
    domain: dict[str, dict[str, Any]] = {}
    for name, column in schema["columns"].items():
        if "levels" in column:
            levels = column["levels"] + ([MISSING] if column["nullable"] else [])
            complete[name] = pd.Categorical(complete[name].fillna(MISSING), categories=levels)
            domain[name] = {"categories": levels}
            continue
        values = complete[name].astype(float)
        domain[name] = {"lower": column["min"], "upper": column["max"]}
        if column["nullable"]:
            complete[name + FLAG] = pd.Categorical(np.where(values.isna(), "1", "0"), categories=["0", "1"])
            domain[name + FLAG] = {"categories": ["0", "1"]}
            values = values.fillna(values.median())
        complete[name] = values
    return complete, domain


def with_gaps(drawn: pd.DataFrame, schema: Mapping[str, Any]) -> pd.DataFrame:
    """Back to the columns of the schema: flags and the extra level become gaps again, numbers are rounded."""
    columns: dict[str, pd.Series] = {}
    for name, column in schema["columns"].items():
        if "levels" in column:
            text = drawn[name].astype(object)
            columns[name] = text.where(text != MISSING, None)
            continue
        values = pd.to_numeric(drawn[name], errors="coerce").astype(float)
        if name + FLAG in drawn:
            values = values.where(drawn[name + FLAG].astype(str) != "1", np.nan)
        columns[name] = values if column["decimals"] is None else values.round(column["decimals"])
    return pd.DataFrame(columns)


def follow_estimates(path: Path) -> None:
    """Write one line per estimation of the graphical model: a run that never ends still shows how far it came."""
    inference = importlib.import_module("dpmm.models.base.mbi").FactoredInference
    estimate = inference.estimate
    started, cpu, ended = time.perf_counter(), time.process_time(), 0

    def _followed(self: Any, measurements: list[Any], *rest: Any, **named: Any) -> Any:
        nonlocal ended
        model = estimate(self, measurements, *rest, **named)
        ended += 1
        with path.open("a") as lines:
            lines.write(
                json.dumps(
                    {
                        "estimate": ended,
                        "measured_tables": len(measurements),
                        "last_sigma": float(measurements[-1][2]),
                        "seconds": round(time.perf_counter() - started, 1),
                        "cpu_seconds": round(time.process_time() - cpu, 1),
                    }
                )
                + "\n"
            )
        return model

    path.unlink(missing_ok=True)
    inference.estimate = _followed


def pipeline_of(
    method: str, epsilon: float, delta: float, strength: Mapping[str, float], columns: int, binning: float
) -> Any:
    """AIM or MST with its settings; ``binning`` is the share of epsilon for bins, 0 where no column is a number."""
    pipelines = importlib.import_module("dpmm.pipelines")
    budget = {"epsilon": (1 - binning) * epsilon, "delta": delta, "proc_epsilon": binning * epsilon or None}
    settings: dict[str, Any] = {"n_iters": int(strength["n_iters"])}
    if method == "mst":
        return pipelines.MSTPipeline(**budget, n_jobs=1, gen_kwargs=settings)
    settings["rounds"] = int(strength["rounds_per_column"]) * columns
    return pipelines.AIMPipeline(**budget, n_jobs=1, gen_kwargs=settings, max_model_size=strength["max_model_size_mb"])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Fit AIM or MST to one table.")
    parser.add_argument("--method", choices=("aim", "mst"), required=True)
    parser.add_argument("--strength", choices=("full", "reduced"), default="full")
    parser.add_argument("--no-binning", action="store_true", help="Only categories: the model gets all of epsilon.")
    parser.add_argument("--faster", action="store_true", help="The same arithmetic by faster.py, in less time.")
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--schema", type=Path, required=True)
    parser.add_argument("--epsilon", type=float, required=True)
    parser.add_argument("--delta", type=float, default=1e-5)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--report", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
