"""Which runs of the benchmark are still missing, and what does each cost and reach?

    python -m benchmarks.hybrid.run --data build/bench/data --work build/bench/work --tables wdbc --methods ours,gmm

One run is one process that fits and draws, then one that evaluates, then one JSON file under ``--out``; a run whose
file is there is skipped, so a killed benchmark goes on where it stopped. A failure or a run past ``--limit-minutes`` of
CPU time is a result too. CPU seconds and peak memory are the operating system's figures for the whole fitting process,
imports included. This module imports nothing heavy, as a child's peak memory counts what it was forked from.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from benchmarks.dp.run import Limits, follow, machine

HERE = Path(__file__).resolve().parent
TABLES = ("wdbc", "heart-disease", "heart-failure", "adult", "diabetes-130")
CLASSIC = ("real-holdout", "real-fresh", "bootstrap", "marginals", "smote", "gmm")
OWN_ENVIRONMENT = ("arfpy", "mostlyai", "synthpop", "forestdiffusion")
"""Peers that have an environment of their own, below ``--peers`` and by the same name."""
MOST_ROWS = {"arfpy": 5_000, "forestdiffusion": 5_000}
"""Train rows that a peer is given where all of them would take hours."""
METHODS = ("ours", "ours-paper", "ours-paper-two", *CLASSIC, *OWN_ENVIRONMENT)
DEFAULTS = tuple(method for method in METHODS if method not in ("forestdiffusion", "real-fresh"))
"""Run where they are asked for: ForestDiffusion takes more than five minutes for 460 rows, and fresh rows are there
where tables were split in thirds."""


@dataclass(frozen=True)
class Run:
    """One cell of the benchmark. ``method`` is one of ``METHODS`` or any form of ours (``variants.py``)."""

    table: str
    method: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.table}/{self.method}-seed{self.seed}"


@click.command()
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--work", type=click.Path(file_okay=False, path_type=Path), default=Path("build/bench/work"))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=HERE / "results")
@click.option("--tables", default=",".join(TABLES))
@click.option(
    "--methods", default=",".join(DEFAULTS), help="Comma-separated; 'ablation' stands for every form of ours."
)
@click.option("--seeds", default="0,1,2")
@click.option("--limit-minutes", type=float, default=60.0, help="CPU time after which a fit is stopped and recorded.")
@click.option("--peers", type=click.Path(file_okay=False, path_type=Path), default=Path("build/bench/peers"))
@click.option("--figures-again", is_flag=True, help="Evaluate finished runs again whose rows are still in --work.")
@click.option("--refresh", is_flag=True, help="Repeat runs of ours that another state of the code made.")
def main(
    data: Path,
    work: Path,
    out: Path,
    tables: str,
    methods: str,
    seeds: str,
    limit_minutes: float,
    peers: Path,
    figures_again: bool,
    refresh: bool,
) -> None:
    """Make every run that has no result yet.

    \b
    Example:
        python -m benchmarks.hybrid.run --data build/bench/data --work build/bench/work --tables wdbc --methods ours \\
            --seeds 0
    """
    for run in planned(tables.split(","), methods.split(","), [int(seed) for seed in seeds.split(",")]):
        result = out / f"{run.name}.json"
        record = json.loads(result.read_text()) if result.exists() else None
        if record is not None and not (refresh and stale(record)):
            rows = work / run.name / "synthetic.csv"
            if not figures_again or "figures" not in record or not rows.exists():
                continue
            record["figures"] = _figures(run, data / run.table / f"s{run.seed}", rows, work / run.name)
        else:
            click.echo(f"{dt.datetime.now(dt.UTC):%H:%M:%S} {run.name}", err=True)
            record = carry_out(run, data / run.table, work / run.name, Limits(limit_minutes * 60), peers)
        result.parent.mkdir(parents=True, exist_ok=True)
        draft = result.with_suffix(".part")
        draft.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n")
        draft.replace(result)
        click.echo(f"{dt.datetime.now(dt.UTC):%H:%M:%S} {run.name}: {told(record)}", err=True)


def planned(tables: Sequence[str], methods: Sequence[str], seeds: Sequence[int]) -> Iterator[Run]:
    """Every combination, table by table and seed by seed.

    Raises
    ------
    click.BadParameter
        A method is unknown.
    """
    wanted: list[str] = []
    for method in methods:
        if method == "ablation":
            from benchmarks.hybrid.variants import ABLATION  # the synthesizer is heavy to import

            wanted += [form for form in ABLATION if form not in wanted]
        elif method in METHODS or method.startswith("ours-"):
            wanted.append(method)
        else:
            raise click.BadParameter(
                f"unknown method {method}; known are {', '.join(METHODS)}, forms of ours, ablation"
            )
    for table in tables:
        for seed in seeds:
            for method in wanted:
                yield Run(table, method, seed)


def carry_out(run: Run, folder: Path, work: Path, limits: Limits, peers: Path) -> dict[str, Any]:
    """Fit, draw and evaluate one run, from the table's ``folder``."""
    split = folder / f"s{run.seed}"
    work.mkdir(parents=True, exist_ok=True)
    synthetic, report = work / "synthetic.csv", work / "fit.json"
    report.unlink(missing_ok=True)
    began, load = dt.datetime.now(dt.UTC), os.getloadavg()[0]
    ended = follow(_fit(run, folder, work, peers), work / "fit.log", limits)
    cost = asdict(ended)
    record: dict[str, Any] = {
        "table": run.table,
        "method": run.method,
        "seed": run.seed,
        "machine": machine(),
        "outcome": cost.pop("outcome"),
        "cost": cost
        | {
            "load_at_start": round(load, 2),
            "load_at_end": round(os.getloadavg()[0], 2),
            "niceness": os.nice(0),
            "started_at": began.isoformat(timespec="seconds"),
        },
    }
    if report.exists():
        record |= json.loads(report.read_text())
    if record["outcome"] == "finished":
        record["figures"] = _figures(run, split, synthetic, work)
    return record


def stale(record: Mapping[str, Any]) -> bool:
    """Whether a run of ours was made by another state of the synthesizer's code, or has no result."""
    from benchmarks.hybrid.fit_ours import source  # as above

    return str(record["method"]).startswith("ours") and record.get("source") != source()


def told(record: Mapping[str, Any]) -> str:
    """One line about a run."""
    figures = record.get("figures")
    if figures is None:
        return str(record["outcome"])
    names = ("c2st_auc_vs_holdout", "nnaa_privacy_loss", "dcr_share", "mia_auc", "w1_mean_vs_holdout")
    shown = ", ".join(f"{name} {figures[name]:.3f}" for name in names if figures[name] is not None)
    return f"{shown}, tstr {figures['tstr']['mean']['roc_auc']:.3f}, {record['cost']['cpu_seconds']:.0f} CPU s"


def _fit(run: Run, folder: Path, work: Path, peers: Path) -> list[str]:
    split = folder / f"s{run.seed}"
    rows = len((split / "train.csv").read_text().splitlines()) - 1
    arguments = ["--train", split / "train.csv", "--schema", split / "schema.json", "--rows", rows, "--seed", run.seed]
    arguments += ["--out", work / "synthetic.csv", "--report", work / "fit.json"]
    if run.method in OWN_ENVIRONMENT:
        python = str(peers / run.method / "bin" / "python")
        command = [python, "-m", f"benchmarks.hybrid.peers.fit_{run.method}"]
        if most := MOST_ROWS.get(run.method):
            command += ["--most-rows", str(most)]
    elif run.method in CLASSIC:
        command = [sys.executable, "-m", "benchmarks.hybrid.peers.fit_classic", "--method", run.method]
    else:
        command = [sys.executable, "-m", "benchmarks.hybrid.fit_ours", "--form", run.method]
        command += ["--dictionary", str(folder / "dictionary.toml")]
    return [*command, *map(str, arguments)]


def _figures(run: Run, split: Path, synthetic: Path, work: Path) -> dict[str, Any]:
    figures = work / "figures.json"
    command = [sys.executable, "-m", "benchmarks.hybrid.evaluate", "--split", str(split), "--synthetic", str(synthetic)]
    command += [
        "--seed",
        str(run.seed),
        "--trtr",
        str(work.parent / f"trtr-seed{run.seed}.json"),
        "--out",
        str(figures),
    ]
    if follow(command, work / "evaluate.log", Limits()).outcome != "finished":
        raise click.ClickException(f"{run.name}: the evaluation failed, see {work / 'evaluate.log'}")
    found: dict[str, Any] = json.loads(figures.read_text())
    return found


if __name__ == "__main__":
    main()
