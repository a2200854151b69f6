"""Which runs of the benchmark are still missing, and what does each cost and reach?

    python -m benchmarks.dp.run --data build/bench-dp/data --tables adult,heart-disease --epsilons 1,3,8 --seeds 0,1,2 \
        --methods ours,aim,mst,real

One run is one process that fits and draws, then one that evaluates, then one JSON file under ``--out``; a run whose
file is there is skipped, so a killed benchmark goes on where it stopped. A failure or a run past ``--limit-minutes`` is
a result too, with its cost so far. CPU seconds and peak memory are the operating system's figures for the whole
fitting process, imports included. This module imports nothing heavy, as a child's peak memory counts what it was forked
from.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

DELTA = 1e-5
HERE = Path(__file__).resolve().parent
METHODS = ("ours", "aim", "mst", "aim-cells", "mst-cells", "aim-reduced", "mst-reduced", "real")


@dataclass(frozen=True)
class Run:
    """One cell of the benchmark. ``method`` is one of ``METHODS``; ``real`` is the floor: the train rows themselves."""

    table: str
    method: str
    epsilon: float | None
    seed: int

    @property
    def name(self) -> str:
        budget = "" if self.epsilon is None else f"-eps{self.epsilon:g}"
        return f"{self.table}/{self.method}{budget}-seed{self.seed}"

    @property
    def tool(self) -> str:
        return self.method.partition("-")[0]

    @property
    def strength(self) -> str:
        """Of a peer: ``full``, ``reduced``, or ``cells``, which is full strength on our public cells."""
        return self.method.partition("-")[2] or "full"


@dataclass(frozen=True)
class Limits:
    """When a process is stopped, in seconds. Where the system does not tell CPU time, wall time stands for it."""

    cpu_seconds: float | None = None
    wall_seconds: float | None = None


@dataclass(frozen=True)
class Cost:
    """What a process took; ``peak_mb`` is its largest resident set in MiB."""

    outcome: str
    wall_seconds: float
    cpu_seconds: float
    peak_mb: float


@click.command()
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=HERE / "results")
@click.option("--work", type=click.Path(file_okay=False, path_type=Path), default=Path("build/bench-dp/work"))
@click.option("--tables", default="adult,diabetes-130,heart-disease")
@click.option("--methods", default="ours,aim,mst,real", help=f"Comma-separated, of {', '.join(METHODS)}.")
@click.option("--epsilons", default="1,3,8")
@click.option("--seeds", default="0,1,2")
@click.option("--limit-minutes", type=float, default=75.0, help="CPU time after which a fit is stopped and recorded.")
@click.option("--wall-minutes", type=float, default=None, help="Wall time after which a fit is interrupted.")
@click.option("--plain-peers", is_flag=True, help="The peers with dpmm's own inference, not with peers/faster.py.")
@click.option("--peer-python", default="build/bench-dp/dpmm/bin/python", help="Interpreter of the peers' environment.")
def main(
    data: Path,
    out: Path,
    work: Path,
    tables: str,
    methods: str,
    epsilons: str,
    seeds: str,
    limit_minutes: float,
    wall_minutes: float | None,
    plain_peers: bool,
    peer_python: str,
) -> None:
    """Make every run that has no result yet.

    \b
    Example:
        python -m benchmarks.dp.run --data build/bench-dp/data --tables heart-disease --methods ours --epsilons 1
    """
    wanted = planned(
        tables.split(","),
        methods.split(","),
        [float(e) for e in epsilons.split(",")],
        [int(s) for s in seeds.split(",")],
    )
    for run in wanted:
        result = out / f"{run.name}.json"
        if result.exists():
            continue
        click.echo(f"{dt.datetime.now(dt.UTC):%H:%M:%S} {run.name}", err=True)
        limits = Limits(limit_minutes * 60, None if wall_minutes is None else wall_minutes * 60)
        peer = (peer_python, str(HERE / "peers" / "fit_dpmm.py"), *(() if plain_peers else ("--faster",)))
        record = carry_out(run, data / run.table / f"s{run.seed}", work / run.name, limits, peer)
        result.parent.mkdir(parents=True, exist_ok=True)
        draft = result.with_suffix(".part")
        draft.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n")
        draft.replace(result)
        click.echo(f"{dt.datetime.now(dt.UTC):%H:%M:%S} {run.name}: {record['outcome']}", err=True)


def planned(
    tables: Sequence[str], methods: Sequence[str], epsilons: Sequence[float], seeds: Sequence[int]
) -> Iterator[Run]:
    """Every combination, seed by seed; the floor ``real`` has no epsilon and is made once per table and seed."""
    unknown = sorted(set(methods) - set(METHODS))
    if unknown:
        raise click.BadParameter(f"unknown methods {', '.join(unknown)}; known are {', '.join(METHODS)}")
    for table in tables:
        for seed in seeds:
            for method in methods:
                budgets: Sequence[float | None] = [None] if method == "real" else epsilons
                for epsilon in budgets:
                    yield Run(table, method, epsilon, seed)


def carry_out(run: Run, split: Path, work: Path, limits: Limits, peer: Sequence[str]) -> dict[str, Any]:
    """Fit, draw and evaluate one run. A synthetic table that an interrupted benchmark left in ``work`` is kept."""
    work.mkdir(parents=True, exist_ok=True)
    synthetic, report, costs = work / "synthetic.csv", work / "fit.json", work / "cost.json"
    record: dict[str, Any] = {
        "table": run.table,
        "method": run.tool,
        "strength": run.strength,
        "epsilon": run.epsilon,
        "delta": None if run.epsilon is None else DELTA,
        "seed": run.seed,
        "machine": machine(),
    }
    if run.method == "real":
        synthetic, cost = split / "train.csv", {"outcome": "finished"}
    elif costs.exists():
        cost = json.loads(costs.read_text())
    else:
        cost = _fit(run, split, work, limits, peer)
        costs.write_text(json.dumps(cost, indent=1) + "\n")
    record["outcome"] = cost.pop("outcome")
    record["cost"] = cost
    if report.exists():
        record.update(json.loads(report.read_text()))
    progress = work / "fit.progress"
    if progress.exists() and (lines := progress.read_text().splitlines()):
        record["last_progress"] = json.loads(lines[-1])
    if record["outcome"] == "finished":
        figures = work / "figures.json"
        command = [sys.executable, "-m", "benchmarks.dp.evaluate", "--split", str(split), "--synthetic", str(synthetic)]
        ended = follow([*command, "--seed", str(run.seed), "--out", str(figures)], work / "evaluate.log", Limits())
        if ended.outcome != "finished":
            raise click.ClickException(f"{run.name}: the evaluation failed, see {work / 'evaluate.log'}")
        record["figures"] = json.loads(figures.read_text())
    return record


def follow(command: Sequence[str], log: Path, limits: Limits) -> Cost:
    """Run a command to its end or to a limit, in one thread and in a process group of its own."""
    environment = dict(os.environ, PYTHONWARNINGS="ignore")
    environment.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
    started, stopped = time.monotonic(), None
    with log.open("w") as output:
        process = subprocess.Popen(  # noqa: S603  # our own scripts, arguments from this module
            command, stdout=output, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
        try:
            while True:
                ended, status, usage = os.wait4(process.pid, os.WNOHANG)
                if ended:
                    break
                if stopped is None and (stopped := _past(limits, process.pid, time.monotonic() - started)):
                    os.killpg(process.pid, signal.SIGKILL)
                time.sleep(0.05)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode and not stopped:
        last = (log.read_text(errors="replace").strip().splitlines() or ["no message"])[-1]
        stopped = f"failed with exit code {process.returncode}: {last[:200]}"
    return Cost(
        stopped or "finished",
        wall_seconds=round(time.monotonic() - started, 2),
        cpu_seconds=round(usage.ru_utime + usage.ru_stime, 2),
        peak_mb=round(usage.ru_maxrss / 1024, 1),
    )


def _past(limits: Limits, pid: int, wall: float) -> str | None:
    """What to record of a process that is past one of its limits."""
    if limits.cpu_seconds is not None and _cpu_seconds(pid, wall) > limits.cpu_seconds:
        return f"no result within {limits.cpu_seconds:.0f} CPU s"
    if limits.wall_seconds is not None and wall > limits.wall_seconds:
        return f"interrupted after {limits.wall_seconds:.0f} s of wall time"
    return None


def _cpu_seconds(pid: int, wall: float) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return wall
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # user and system time


def machine() -> dict[str, Any]:
    """The machine as far as a reader needs it to judge the times; no names."""
    processor = platform.processor() or platform.machine()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        names = [line.split(":", 1)[1].strip() for line in listing.read_text().splitlines() if "model name" in line]
        processor = names[0] if names else processor
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "memory_gb": round(memory, 1),
        "system": platform.system(),
        "python": platform.python_version(),
        "shared": "other work ran on the same cores: CPU seconds are the fair figure",
    }


def _fit(run: Run, split: Path, work: Path, limits: Limits, peer: Sequence[str]) -> dict[str, Any]:
    rows = len((split / "train.csv").read_text().splitlines()) - 1
    arguments = ["--train", split / "train.csv", "--schema", split / "schema.json", "--epsilon", run.epsilon]
    arguments += ["--delta", DELTA, "--rows", rows, "--seed", run.seed]
    arguments += ["--out", work / "synthetic.csv", "--report", work / "fit.json"]
    if run.tool == "ours":
        command = [sys.executable, "-m", "benchmarks.dp.fit_ours"]
    else:
        strength = "reduced" if run.strength == "reduced" else "full"
        command = [*peer, "--method", run.tool, "--strength", strength]
        if run.strength == "cells":
            command = [sys.executable, "-m", "benchmarks.dp.fit_cells", "--peer", shlex.join(command)]
    begun, load = dt.datetime.now(dt.UTC), os.getloadavg()[0]
    cost = follow([*command, *map(str, arguments)], work / "fit.log", limits)
    return {
        "outcome": cost.outcome,
        "wall_seconds": cost.wall_seconds,
        "cpu_seconds": cost.cpu_seconds,
        "peak_mb": cost.peak_mb,
        "load_at_start": round(load, 2),
        "load_at_end": round(os.getloadavg()[0], 2),
        "niceness": os.nice(0),
        "started_at": begun.isoformat(timespec="seconds"),
    }


if __name__ == "__main__":
    main()
