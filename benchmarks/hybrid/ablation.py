"""What does each component, each calibration and the learned selection earn?"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.hybrid.records import FIGURE_OF, TABLES, figure, runs_of
from benchmarks.hybrid.variants import ABLATION, OURS
from benchmarks.results import Record, average, cpu_seconds, markdown, number
from synth.hybrid import DEFAULT_COMPONENTS

SECTIONS = (
    ("Each component left out", f"{OURS}-without-"),
    ("Each component alone", f"{OURS}-only-"),
    ("Each calibration alone", f"{OURS}-calibration-"),
    ("Rows chosen otherwise", f"{OURS}-rows-"),
    ("Weights chosen otherwise", f"{OURS}-selector-"),
)
SHOWN = (
    ("C2ST", FIGURE_OF["C2ST"], 3),
    ("KS", FIGURE_OF["KS"], 4),
    ("TVD", FIGURE_OF["TVD"], 4),
    ("pair trend", FIGURE_OF["pair trend"], 4),
    ("correlation", FIGURE_OF["correlation"], 4),
    ("3-way", FIGURE_OF["3-way"], 4),
    ("NNAA loss", FIGURE_OF["NNAA loss"], 4),
    ("DCR share", FIGURE_OF["DCR share"], 4),
    ("membership AUC", FIGURE_OF["membership AUC"], 4),
    ("values reused, over the holdout's", FIGURE_OF["over the holdout's"], 4),
    ("extremes published", FIGURE_OF["extremes published"], 1),
    ("AUC", FIGURE_OF["AUC"], 3),
    ("AUC below real", figure("tstr_auc_gap"), 4),
    ("CPU s", cpu_seconds, 0),
)
SOURCES = {"single": "best single", "uniform": "uniform", "reinforce": "learned", "gaussian_process": "Bayesian"}

INTRODUCTION = f"""\
# Ablation of the hybrid

Written by `python -m benchmarks.hybrid.report` from the runs of `--methods ablation`; the columns are those of
[README.md](README.md), means over the seeds that every form was run with. A component, a calibration or a search earns
its place where leaving it out makes a figure worse by more than the seeds differ (in brackets: half the range over
seeds).

The default mixture is of {", ".join(DEFAULT_COMPONENTS)}.

Of the searches, *grid* tries all weightings in thirds and the even one, *bayesian* is a Gaussian process search with as
many evaluations as the learned policy and its comparison together, *single* takes the best component alone; all with
the same reward, on folds made the same way (`selectors.py`).
"""


def ablation(records: Sequence[Record]) -> str:
    """The whole page as Markdown."""
    parts = [INTRODUCTION]
    for table in TABLES:
        tried = {form: [r for r in runs_of(records, table, form) if "figures" in r] for form in ABLATION}
        if not any(tried[form] for form in ABLATION if form != OURS):
            continue
        seeds = set.intersection(*({r["seed"] for r in runs} for runs in tried.values() if runs))
        tried = {form: [r for r in runs if r["seed"] in seeds] for form, runs in tried.items()}
        parts.append(f"## {table}\n")
        for title, prefix in SECTIONS:
            forms = [form for form in ABLATION if form.startswith(prefix) and tried[form]]
            if forms:
                rows = [_row("**ours**", tried[OURS])] if tried[OURS] else []
                rows += [_row(form.removeprefix(prefix), tried[form]) for form in forms]
                parts += [f"### {title}\n", markdown(["form", *(t for t, _, _ in SHOWN), "weights", "seeds"], rows)]
        parts += ["### What the searches found on the validation rows\n", _rewards(tried[OURS])]
    return "\n".join(parts)


def _row(name: str, runs: Sequence[Record]) -> list[str]:
    cells = []
    for _, measure, digits in SHOWN:
        values = [value for value in map(measure, runs) if value is not None]
        spread = (
            f" ({(max(values) - min(values)) / 2:.{digits}f})" if len(values) > 1 and measure != cpu_seconds else ""
        )
        cells.append(number(average(measure, runs), digits) + spread)
    return [name, *cells, _weights(runs), str(len(runs))]


def _weights(runs: Sequence[Record]) -> str:
    """Mean weights in percent, largest first, equal ones by name: the same page from the same runs."""
    names = {name for run in runs for name in run["settings"]["weights"]}
    means = {name: sum(run["settings"]["weights"].get(name, 0.0) for run in runs) / len(runs) for name in names}
    ranked = sorted((name for name in means if means[name] >= 0.005), key=lambda name: (-means[name], name))
    return ", ".join(f"{name} {100 * means[name]:.0f}" for name in ranked)


def _rewards(runs: Sequence[Record]) -> str:
    """Best reward of every source in the trace of ours; the searches were given different numbers of evaluations."""
    told = [run for run in runs if run.get("comparison")]
    if not told:
        return "Nothing was selected.\n"
    rows = [
        [
            str(run["seed"]),
            *(number(run["comparison"].get(source), 4) for source in SOURCES),
            run["settings"]["weights_from"],
        ]
        for run in told
    ]
    return markdown(["seed", *SOURCES.values(), "chosen from"], rows)
