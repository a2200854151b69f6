"""What do all runs together show? Writes README.md and figures.svg beside the results.

    python -m benchmarks.dp.report

Every run that has a file is shown, none is picked; a figure that nobody measured is a dash.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks.dp.plot import plot
from benchmarks.dp.records import COLUMNS, FIGURE_OF, NAMES, TABLES, epsilons, finished, method_of
from benchmarks.dp.told import costs, equality, missing, spike
from benchmarks.results import Record, average, load, markdown, number

HERE = Path(__file__).resolve().parent
CHECKS = HERE / "checks"
COMPARED = ("2-way", "3-way", "correlation", "AUC", "G-mean")
CPU = ("CPU s", "CPU s, faster.py")
COSTS = (*CPU, "wall s", "MB")

INTRODUCTION = """\
# DP benchmark: ours, AIM and MST

Written by `python -m benchmarks.dp.report` from the files in `results/`, one per run, and `checks/`; no result is typed
by hand, no run is left out.

![Error and utility against epsilon](figures.svg)

## What was run

Three public tables, each split in two equal halves by three seeds (`tables.py`): *adult* (24,421 train rows, 14
columns), *diabetes-130* (35,757 patients, 25 columns) and *heart-disease* (460 patients of four hospitals, 15 columns,
many gaps). Every method fits the train half at delta 1e-5 and draws as many rows. All get the same public facts, a code
book: level lists, bounds, decimals, where a value may be missing.

- **AIM** and **MST** are those of dpmm 0.1.9, at each tool's own default strength: AIM 16 rounds a column, 1000
  iterations a round and models up to 80 MB; MST 5000 iterations. dpmm charges its binning separately: of the stated
  epsilon the model gets 90 %, the binning 10 %. Gaps in numbers are filled for dpmm with the train rows' median and
  flagged, which is not private and in the peers' favour (`peers/fit_dpmm.py`).
- **AIM, our cells** and **MST, our cells** are the same at full strength with the whole epsilon for the model: numbers
  come to them as the public cells that ours lays out by the dictionary, so there is nothing to bin (`fit_cells.py`).
- **AIM, reduced** has 2 rounds a column, 100 iterations and 16 MB: for where few rounds suit a small table.
- **Ours** is `synth.PrivateHybridSynthesizer` with its defaults. The head count that it plans by is the number of rows,
  which the peers are told too, rounded to two digits. Its noise has no seed: a repeated run gives other figures. The
  constants of its plan were set on public tables, these three among them; dpmm's defaults were not.

## How it was measured

All methods by one evaluator (`evaluate.py`), against the **holdout**, which no method has seen. The figures of *real
train rows* are what another sample of the same people gives: the floor of an error, roughly the ceiling of a utility.

- **1-, 2-, 3-way**: total variation distance of the tables, mean over all columns, pairs and triples (of
  diabetes-130's 2,300 triples 500 drawn once, the same for all). The grid is neutral: a numeric column has up to 16
  cells of equal mass in the real table, ties together, a value held by a sixteenth of the rows is a cell of its own,
  missing is a cell. *label*: only the tables that hold the label. *2-way, train*: against the train half.
- **correlation**: mean absolute difference of Pearson's r (pairs of numbers) and Cramér's V (all other pairs).
- **AUC, G-mean, accuracy**: trained on synthetic, tested on the holdout; means of logistic regression, random forest
  and gradient boosting, all rows used, default settings.
- **CPU s**, **MB**: of the whole fitting process, one thread. Wall seconds were taken while other work ran on the same
  two cores, the peers at low priority: CPU seconds are the fair figure. A peer's *CPU s* is with dpmm's own inference;
  *CPU s, faster.py* is of the runs that did the same arithmetic in less time, as told below.
"""

FASTER = """\
## The peers in less time

dpmm runs its inference through Python objects, which makes AIM a matter of hours on the larger tables.
`peers/faster.py` replaces three functions of dpmm by ones that do the same arithmetic otherwise: tables stay small
instead of being expanded to whole cliques, passes over cells run in C, large cliques are summed by matrix products, and
far pairs and candidate sizes are found without a detour. Rounds, iterations, line search, noise, scores and choices
stay dpmm's. Runs made so are labelled: their CPU seconds are what AIM and MST could cost, not what dpmm costs. Both
side by side, on the same noise (`peers/compare_faster.py`):
"""

CLOSING = """\
## Run it again

```
make bench-dp SOURCE=folder-of-the-public-tables   # splits, the peers' environment, every missing run, this page
```

A run whose file is in `results/` is not repeated: delete the file to repeat it. `BENCH=--plain-peers` runs dpmm's own
inference, with which AIM takes hours on the larger tables; `--limit-minutes` says when a fit is stopped and recorded as
having no result. `checks/` is written by `peers/compare_faster.py` and `peers/spike.py` in dpmm's environment.
"""


@click.command()
@click.option("--results", type=click.Path(exists=True, file_okay=False, path_type=Path), default=HERE / "results")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=HERE)
def main(results: Path, out: Path) -> None:
    """Write README.md and figures.svg.

    \b
    Example:
        python -m benchmarks.dp.report --results benchmarks/dp/results --out benchmarks/dp
    """
    records = load(results)
    (out / "README.md").write_text(page(records))
    plot(records, out / "figures.svg")


def page(records: Sequence[Record], checks: Path = CHECKS) -> str:
    """The whole page as Markdown."""
    parts = [INTRODUCTION, "## Ours against the peers\n", head_to_head(records)]
    for table in TABLES:
        of_table = [record for record in records if record["table"] == table]
        if of_table:
            parts += [f"## {table}\n", "Means over the seeds run.\n", _means(of_table, table)]
            parts += ["Every run.\n", _every_run(of_table)]
    parts += [spike(checks), FASTER, equality(checks), "Whole runs, one figure a run:\n", costs(records)]
    parts += ["## Full-strength runs that are not here yet\n", missing(records, checks)]
    parts += ["## Runs without a result\n", _without_result(records), "## How the costs were taken\n"]
    parts += [_notes(records), _machines(records), CLOSING]
    return "\n".join(parts)


def head_to_head(records: Sequence[Record]) -> str:
    """Ours minus each peer, over the seeds that both finished; the CPU column is peer over ours."""
    rows = []
    for table in TABLES:
        for epsilon in epsilons(records):
            ours = {record["seed"]: record for record in finished(records, table, ("ours", "full"), epsilon)}
            for peer in (method for method in NAMES if method[0] in ("aim", "mst")):
                theirs = {record["seed"]: record for record in finished(records, table, peer, epsilon)}
                seeds = sorted(set(ours) & set(theirs))
                if seeds:
                    pairs = [(ours[seed], theirs[seed]) for seed in seeds]
                    rows.append([table, f"{epsilon:g}", NAMES[peer], *_differences(pairs), ", ".join(map(str, seeds))])
    if not rows:
        return "No seed has both yet.\n"
    times = [f"times our CPU s{', faster.py' if 'faster' in title else ''}" for title in CPU]
    titles = ["table", "epsilon", "peer", *COMPARED, *times, "seeds"]
    return "Ours minus the peer: below 0 is better for the errors, above 0 for AUC and G-mean.\n\n" + markdown(
        titles, rows, texts=2
    )


def _differences(pairs: Sequence[tuple[Record, Record]]) -> list[str]:
    cells = []
    for title in (*COMPARED, *CPU):
        here = average(FIGURE_OF["CPU s" if title in CPU else title], (ours for ours, _ in pairs))
        there = average(FIGURE_OF[title], (theirs for _, theirs in pairs))
        if here is None or there is None:
            cells.append("-")
        else:
            cells.append(f"{there / here:.1f}" if title in COSTS else f"{here - there:+.4f}")
    return cells


def _means(records: Sequence[Record], table: str) -> str:
    rows = []
    for epsilon in (None, *epsilons(records)):
        for method, name in NAMES.items():
            tried = [r for r in records if method_of(r) == method and r["epsilon"] == epsilon]
            if tried:
                ended = finished(tried, table)
                cells = [number(average(figure, ended), digits) for _, figure, digits in COLUMNS]
                rows.append([_budget(epsilon), name, *cells, f"{len(ended)} of {len(tried)}"])
    return markdown(["epsilon", "method", *(title for title, _, _ in COLUMNS), "runs finished"], rows, texts=2)


def _every_run(records: Sequence[Record]) -> str:
    order = list(NAMES)
    ranked = sorted(records, key=lambda r: (r["epsilon"] or 0, order.index(method_of(r)), r["seed"]))
    rows = []
    for record in ranked:
        whole = record["outcome"] == "finished"
        cells = [
            number(figure(record), digits) if whole or title in COSTS else "-" for title, figure, digits in COLUMNS
        ]
        rows.append([_budget(record["epsilon"]), NAMES[method_of(record)], str(record["seed"]), *cells])
    return markdown(["epsilon", "method", "seed", *(title for title, _, _ in COLUMNS)], rows, texts=2)


def _without_result(records: Sequence[Record]) -> str:
    lines = []
    for record in records:
        if record["outcome"] == "finished":
            continue
        name = NAMES[method_of(record)].strip("*")
        line = f"- {record['table']}, {name}, epsilon {_budget(record['epsilon'])}, seed {record['seed']}: "
        line += f"{record['outcome']} ({record['cost']['cpu_seconds']:.0f} CPU s)"
        if progress := record.get("last_progress"):
            line += (
                f"; after {progress['cpu_seconds']:.0f} CPU s it had fitted its model {progress['estimate']} times, "
                f"lastly to {progress['measured_tables']} tables"
            )
        lines.append(line)
    return "\n".join(lines or ["None."]) + "\n"


def _notes(records: Sequence[Record]) -> str:
    runs: dict[str, list[str]] = {}
    for record in records:
        if note := record["cost"].get("note"):
            name = NAMES[method_of(record)].strip("*")
            runs.setdefault(note, []).append(
                f"{record['table']} {name} epsilon {_budget(record['epsilon'])} seed {record['seed']}"
            )
    states = {record["source"] for record in records if record["outcome"] == "finished" and "source" in record}
    if states:
        told = "one state" if len(states) == 1 else f"{len(states)} different states"
        runs[f"all runs of ours come from {told} of the code (SHA-256 over synth/*.py)"] = [
            state[:16] for state in sorted(states)
        ]
    return "".join(f"- {note[:1].upper()}{note[1:]}: {'; '.join(names)}.\n" for note, names in runs.items())


def _machines(records: Sequence[Record]) -> str:
    told = sorted({json.dumps({k: v for k, v in r["machine"].items() if k != "shared"}) for r in records})
    lines = []
    for text in told:
        m = json.loads(text)
        lines.append(
            f"{m['processor']}, {m['cores']} cores, {m['memory_gb']:g} GB, {m['system']}, Python {m['python']}."
        )
    return "Machine: " + " ".join(lines) + "\n"


def _budget(epsilon: float | None) -> str:
    return "-" if epsilon is None else f"{epsilon:g}"


if __name__ == "__main__":
    main()
