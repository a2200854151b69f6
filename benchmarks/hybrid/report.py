"""What do all runs together show? Writes README.md, ablation.md, fresh.md and figures.svg beside the results.

    python -m benchmarks.hybrid.report

Every run that has a file is shown, none is picked; a figure that nobody measured is a dash.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks.hybrid.ablation import ablation
from benchmarks.hybrid.fresh import fresh
from benchmarks.hybrid.goals import goals
from benchmarks.hybrid.headline import headline
from benchmarks.hybrid.plot import plot
from benchmarks.hybrid.records import (
    CLOSENESS,
    COSTS,
    FLOORS,
    HOLDOUT,
    NAMES,
    PRIVACY,
    TABLES,
    UTILITY,
    Column,
    figure,
    one_a_seed,
    runs_of,
)
from benchmarks.results import Record, average, load, markdown, number

HERE = Path(__file__).resolve().parent

INTRODUCTION = """\
# Hybrid benchmark: ours and the permissively licensed peers, without differential privacy

Written by `python -m benchmarks.hybrid.report` from the files in `results/`, one per run; no result is typed by hand,
no run is left out. The ablations stand in [ablation.md](ablation.md).

![Nearness to the population against nearness to the patients](figures.svg)

## What was run

Public tables (`tables.py`), each split in two equal halves by three seeds: *wdbc* (284 train rows, 31 columns),
*heart-disease* (460 patients of four hospitals, 15 columns, many gaps), *heart-failure* (149, 13 columns), *adult*
(20,000, 14 columns) and *diabetes-130* (30,000 patients, 25 columns). Every method fits the train half and draws as
many rows. The peers are told the columns' kinds; ours gets the dictionary that the gate drafts from the whole table,
with the target named and nothing else touched.

- **Ours** is `synth.HybridSynthesizer` with its defaults, through the gate's own reader and writer. **Ours, one person
  a knot** (`people_per_knot=1`) publishes the train half's own values, **two people a knot** the means of two
  neighbours, where the defaults average over three: see the source's headline below. No setting of the gate does that.
- **SMOTE** is imbalanced-learn's, every row made; **GMM per class** scikit-learn's, 1 to 5 full Gaussians by BIC.
  **arfpy** 0.1.1, **py-synthpop** 0.1.2 and **mostlyai-engine** 2.7.3 have their defaults; arfpy gets at most 5,000
  train rows. What cannot take gaps gets the train median and a flag, or one more level (`peers/layout.py`).
- **ForestDiffusion** 1.0.6 runs only where it is asked for, with 20 steps and 20 noisy copies instead of 50 and 100:
  even so it takes more than five minutes of one core for 460 rows
  (`make build/bench/peers/forestdiffusion/.done`, then `BENCH='--methods forestdiffusion'`).
- **Bootstrap** (train rows drawn again) and **marginals alone** (each column by itself) are the two ends.
- Left out for their licence: SDV, CTGAN, TVAE, Copulas (Business Source License), and SDMetrics, which needs Copulas.

## How to read the columns

One evaluator for all (`evaluate.py`); against the **holdout**, which no method has seen, unless the title says train.
*Real train rows* is what other real rows of the same people's kind reach: the floor of an error. *Real holdout rows* in
the place of synthetic ones are the floor of what is held against train.

- **C2ST**: AUC of boosting that tells synthetic rows from the holdout (five folds), *all real*: from both halves; 0.5
  cannot tell. Bootstrap reaches 0.5 against all real rows: read it with the privacy columns.
- **KS**, **W** (Wasserstein in units of train's range), **TVD** (levels): one-way distances, means over columns.
  **class**, **site**: the same within each class or hospital of 20 rows or more. **3-way**: total variation distance of
  three-way tables, numbers in five cells. **correlation**: mean absolute difference of Pearson's r. **pair trend**: 1
  is equal; SDMetrics' formulas, with both tables cut at the same edges, which SDMetrics 0.32 does not do.
- **NNAA loss**: adversarial accuracy on the holdout minus on train (Yale et al. 2020), 0 is ideal. **DCR share**: rows
  nearer to train than to the holdout, 0.5 is ideal. **membership AUC**: telling train from holdout people by distance
  to synthetic rows. **copies**: rows equal to a train row, *excess* beyond those equal to a holdout row. **values
  reused**: numbers that stand in the train column, *excess* beyond what holdout cells have, which rounding makes, and
  *over the holdout's*: more than stand in the holdout's column. **extremes published**: train minima and maxima, held
  by one patient and not in the holdout, that come back; *by chance*: those of the holdout that do, which nobody saw.
- **AUC, accuracy, macro F1, G-mean**: trained on synthetic, tested on the holdout, means of logistic regression, random
  forest and boosting. **of 12 within one error**: scores of the three models that lie at most one standard error
  (bootstrap over holdout people) below train-on-real.
- **CPU s**, **MB**: of the whole fitting process, one thread, imports included; *fit* and *draw* without them. Wall
  seconds were taken while other work ran on the same two cores: CPU seconds are the fair figure.

Nearest-neighbour figures use at most 5,000 rows a side, classifiers and pair trends 10,000. These are attacks that
were tried, no guarantee.
"""

BESIDE_FRESH = """\
What a fresh sample of real people reaches of the same goals, and what ten cuts of the small tables give in place of
three, stands in [fresh.md](fresh.md).
"""

CLOSING = """\
## Run it again

```
make bench SOURCE=folder-of-the-public-tables     # splits, the peers' environments, every missing run, this page
make bench SOURCE=... BENCH='--tables wdbc --methods ours,gmm --seeds 0'
make bench SOURCE=... BENCH='--methods ablation --tables wdbc,heart-disease,heart-failure'
make bench-fresh SOURCE=...                       # thirds instead of halves, and fresh.md
```

A run whose file is in `results/` is not repeated: delete the file to repeat it; `--refresh` repeats those of ours that
another state of `synth/` made. `--limit-minutes` says when a fit is stopped and recorded as having no result.
"""


@click.command()
@click.option("--results", type=click.Path(exists=True, file_okay=False, path_type=Path), default=HERE / "results")
@click.option("--thirds", type=click.Path(file_okay=False, path_type=Path), default=HERE / "thirds")
@click.option("--ten", type=click.Path(file_okay=False, path_type=Path), default=HERE / "ten")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=HERE)
def main(results: Path, thirds: Path, ten: Path, out: Path) -> None:
    """Write README.md, ablation.md, fresh.md and figures.svg.

    \b
    Example:
        python -m benchmarks.hybrid.report --results benchmarks/hybrid/results --out benchmarks/hybrid
    """
    records = load(results)
    (out / "README.md").write_text(page(records))
    (out / "ablation.md").write_text(ablation(records))
    (out / "fresh.md").write_text(fresh(load(thirds), records, load(ten)))
    plot(records, out / "figures.svg")


def page(records: Sequence[Record]) -> str:
    """The whole page as Markdown."""
    parts = [INTRODUCTION, "## Ours against its goals\n", goals(records), BESIDE_FRESH]
    parts += ["## The source's headline, and its price\n", headline(records)]
    for table in TABLES:
        of_table = [record for record in records if record["table"] == table]
        if of_table:
            parts += [
                f"## {table}\n",
                "Means over the seeds run. Near to the population:\n",
                _closeness(of_table, table),
            ]
            parts += ["Near to the patients:\n", _methods(of_table, table, PRIVACY)]
            parts += ["Useful, and at what cost:\n", _utility(of_table, table)]
    parts += ["## Runs without a result\n", _without_result(records), "## How the costs were taken\n", _notes(records)]
    return "\n".join([*parts, CLOSING])


def _closeness(records: Sequence[Record], table: str) -> str:
    columns = [column for column in CLOSENESS if average(column[1], records) is not None]
    once = one_a_seed(records)
    real = [number(average(FLOORS[t], once) if t in FLOORS else None, digits) for t, _, digits in columns]
    held = runs_of(records, table, HOLDOUT)
    unseen = [number(average(m, held) if title.endswith(", train") else None, d) for title, m, d in columns]
    rows = [["*real train rows (floor)*", *real, "-"]]
    if held:
        rows.append(["*real holdout rows*", *unseen, _finished(held)])
    return _table(columns, [*rows, *_rows(records, table, columns)])


def _utility(records: Sequence[Record], table: str) -> str:
    paths = {"AUC": ("mean", "roc_auc"), "AUC LR": ("lr", "roc_auc"), "AUC RF": ("rf", "roc_auc")}
    paths |= {"AUC boosting": ("hgb", "roc_auc"), "accuracy": ("mean", "accuracy")}
    paths |= {"macro F1": ("mean", "macro_f1"), "G-mean": ("mean", "g_mean")}
    rows = []
    for name, key in (("*train on real*", "trtr"), ("*its standard error*", "trtr_standard_error")):
        figures = [figure(key, *paths[title]) if title in paths else None for title, _, _ in UTILITY]
        cells = [
            "-" if measure is None else number(average(measure, one_a_seed(records)), digits)
            for measure, (_, _, digits) in zip(figures, UTILITY, strict=True)
        ]
        rows.append([name, *cells, "-"])
    return _table(UTILITY, [*rows, *_rows(records, table, UTILITY)])


def _methods(records: Sequence[Record], table: str, columns: Sequence[Column]) -> str:
    return _table(columns, _rows(records, table, columns))


def _rows(records: Sequence[Record], table: str, columns: Sequence[Column]) -> list[list[str]]:
    rows = []
    for method, name in NAMES.items():
        tried = runs_of(records, table, method)
        if tried:
            ended = [record for record in tried if "figures" in record]
            cells = [number(average(m, tried if title in COSTS else ended), digits) for title, m, digits in columns]
            rows.append([name + _rows_used(tried), *cells, _finished(tried)])
    return rows


def _table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> str:
    return markdown(["method", *(title for title, _, _ in columns), "runs finished"], rows)


def _rows_used(runs: Sequence[Record]) -> str:
    for record in runs:
        if "figures" in record and record.get("rows_used", record["figures"]["n_train"]) < record["figures"]["n_train"]:
            return f" ({record['rows_used']:,} rows)"
    return ""


def _finished(runs: Sequence[Record]) -> str:
    return f"{sum('figures' in record for record in runs)} of {len(runs)}"


def _without_result(records: Sequence[Record]) -> str:
    lines = [
        f"- {r['table']}, {r['method']}, seed {r['seed']}: {r['outcome']} ({r['cost']['cpu_seconds']:.0f} CPU s)"
        for r in records
        if r["outcome"] != "finished"
    ]
    return "\n".join(lines or ["None."]) + "\n"


def _notes(records: Sequence[Record]) -> str:
    states = sorted({record["source"][:16] for record in records if "source" in record})
    lines = []
    if states:
        counted = "one state" if len(states) == 1 else f"{len(states)} states"
        lines.append(f"- Runs of ours come from {counted} of the code (SHA-256 over `synth/`): {', '.join(states)}.")
    versions: dict[str, set[str]] = {}
    for record in records:
        for package, version in record.get("versions", {}).items():
            versions.setdefault(package, set()).add(version)
    lines.append("- Versions: " + ", ".join(f"{p} {' or '.join(sorted(v))}" for p, v in sorted(versions.items())) + ".")
    machines = {json.dumps({k: v for k, v in r["machine"].items() if k != "shared"}, sort_keys=True) for r in records}
    for told in sorted(machines):
        m = json.loads(told)
        kind = f"{m['processor']}, {m['cores']} cores, {m['memory_gb']:g} GB"
        lines.append(f"- Machine: {kind}, {m['system']}, Python {m['python']}.")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
