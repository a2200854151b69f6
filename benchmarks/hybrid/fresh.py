"""What would fresh real rows have reached, published in the place of synthetic ones?

The goals ask for errors as small as sampling alone makes them and for no lean towards the train people. A sample of
other real people leans towards nobody and has the errors of sampling, and yet misses some of these limits, by chance or
because it is no larger than it is. So tables are cut in thirds, and the fresh third goes through the same evaluator.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import mean, stdev

from benchmarks.hybrid.goals import AT_LEAST, GOALS, Limit
from benchmarks.hybrid.records import FIGURE_OF, NAMES, TABLES, runs_of
from benchmarks.results import Figure, Record, average, markdown, number

FRESH = "real-fresh"
PEER = "gmm"
SAMPLES = ("adult-500", "diabetes-130-500")
FAR = 2.0
"""Standard errors beyond which a difference is in bold."""

BESIDE: tuple[tuple[str, Figure, Limit, int], ...] = tuple(
    (title, FIGURE_OF[key], lambda _table, _runs: None, digits)
    for title, key, digits in (
        ("three-way tables", "3-way", 4),
        ("KS within class", "class KS", 4),
        ("AUC, trained on it", "AUC", 3),
        ("accuracy, trained on it", "accuracy", 3),
    )
)
"""Figures that have no limit of their own."""
MORE_IS_BETTER = (*AT_LEAST, "AUC, trained on it", "accuracy, trained on it")

INTRODUCTION = """\
# Ours beside fresh real rows

Written by `python -m benchmarks.hybrid.report` from the files in `thirds/`, one per run; no run is left out.

The goals of [README.md](README.md) ask to be as near to the population as a fresh sample of it, and no nearer to the
patients. Here is that sample. Each seed cuts a table into thirds of other people: train, holdout and fresh. Ours, and
where it was run the mixture of Gaussians, is fitted on the train third and draws as many rows; **fresh real rows** are
the fresh third itself, published in the place of synthetic rows. One evaluator for all (`evaluate.py`), the limits of
that page, the floors taken from these thirds. Thirds hold fewer people than that page's halves, and errors are larger.

- **±** is one standard error over the seeds. Seeds cut the same people anew, so it tells how far a figure hangs on the
  cut and on the draw, not what other hospitals would give; over three seeds it is itself rough.
- **difference** is ours minus fresh, by seed, in bold where ours is worse by more than two standard errors. Some of so
  many comparisons pass that by chance.
- **limit kept** counts the seeds in which a limit was kept, by ours and by fresh rows. Where the limit is what the
  train rows reach, a fresh sample keeps it in about half of them.
"""
SAMPLED = """\
*adult-500* and *diabetes-130-500* are samples of 500 rows a third out of many, nearly other people with each seed.
"""
TEN = """\
## Ten cuts of the small tables in halves

Three cuts of a table of some hundred people say little of a figure that rests on the nearest of them. These are ten
cuts in halves, seeds 0 to 9, of which the page of goals has the first three; every method fits each train half anew.
From the files in `results/` and, seeds 3 to 9, in `ten/`; the runs of a method are in brackets. In bold: beyond the
limit, held against it seed by seed, by more than two standard errors.
"""


def fresh(records: Sequence[Record], halves: Sequence[Record] = (), more: Sequence[Record] = ()) -> str:
    """The whole page as Markdown: ``records`` of thirds, and ``halves`` with ``more`` cuts of the small tables."""
    pairs = {table: _pairs(records, table) for table in (*TABLES, *SAMPLES)}
    tables = [table for table, found in pairs.items() if found]
    if not tables:
        return "\n".join([INTRODUCTION, "No run yet.\n", *_ten_cuts(halves, more)])
    parts = [INTRODUCTION, SAMPLED] if any(table in SAMPLES for table in tables) else [INTRODUCTION]
    parts += ["## Ours minus fresh real rows\n", _overview({table: pairs[table] for table in tables})]
    for table in tables:
        rows = pairs[table][0][0]["figures"]["n_train"]
        parts += [f"## {table}\n", f"Rows a third: {rows:,}; seeds: {len(pairs[table])}.\n", _of_table(records, table)]
    return "\n".join([*parts, *_ten_cuts(halves, more), _states(records, more)])


def _states(records: Sequence[Record], more: Sequence[Record]) -> str:
    """Which state of the code made which runs of ours."""
    made: dict[str, set[str]] = {}
    for runs, kind in ((records, "thirds"), (more, "seeds 3 to 9")):
        for run in runs:
            if "source" in run:
                made.setdefault(run["source"][:16], set()).add(f"{kind} of {run['table']}")
    lines = [f"- {state}: {', '.join(sorted(tables))}." for state, tables in sorted(made.items())]
    title = "### States of the code\n\nSHA-256 over `synth/` that made the runs of ours:\n"
    return "\n".join([title, *lines]) + "\n"


def error(values: Sequence[float]) -> float | None:
    """Standard error of the mean; None for fewer than two values."""
    return stdev(values) / sqrt(len(values)) if len(values) > 1 else None


def _overview(pairs: dict[str, list[tuple[Record, Record]]]) -> str:
    rows = [
        [title, *(_difference(title, measure, of_table, digits) for of_table in pairs.values())]
        for title, measure, _, digits in (*GOALS, *BESIDE)
    ]
    return markdown(["goal", *pairs], rows)


def _of_table(records: Sequence[Record], table: str) -> str:
    pairs = _pairs(records, table)
    ours, others = ([pair[side] for pair in pairs] for side in (0, 1))
    peers = [record for record in runs_of(records, table, PEER) if "figures" in record]
    rows = []
    for title, measure, limit, digits in (*GOALS, *BESIDE):
        row = [title, number(_mean_limit(limit, table, ours), digits)]
        row += [_spread(measure, ours, digits), _spread(measure, others, digits)]
        row += [_difference(title, measure, pairs, digits), _kept(title, measure, limit, table, ours)]
        row += [_kept(title, measure, limit, table, others)]
        rows.append(row + ([_spread(measure, peers, digits)] if peers else []))
    titles = ["goal", "limit", NAMES["ours"], "fresh real rows", "difference", "limit kept by ours", "by fresh"]
    return markdown(titles + ([NAMES[PEER]] if peers else []), rows)


def _ten_cuts(halves: Sequence[Record], more: Sequence[Record]) -> list[str]:
    """A table of each real table that has more cuts: goals by the methods that were run on them."""
    parts = []
    for table in TABLES:
        methods = [method for method in NAMES if runs_of(more, table, method)]
        tried = {method: runs_of([*halves, *more], table, method) for method in methods}
        if not tried:
            continue
        rows = []
        for title, measure, limit, digits in GOALS:
            bound = _mean_limit(limit, table, next(iter(tried.values())))
            told = [_against(title, measure, limit, table, runs, digits) for runs in tried.values()]
            rows.append([title, number(bound, digits), *told])
        cuts = [f"{NAMES[method]} ({len(runs)})" for method, runs in tried.items()]
        parts += [f"### {table}\n", markdown(["goal", "limit", *cuts], rows)]
    return [TEN, *parts] if parts else []


def _against(title: str, measure: Figure, limit: Limit, table: str, runs: Sequence[Record], digits: int) -> str:
    found = [(value, limit(table, [run])) for run in runs if (value := measure(run)) is not None]
    text = _told([value for value, _ in found], digits)
    gaps = [value - bound for value, bound in found if bound is not None]
    return f"**{text}**" if _worse(title, gaps) else text


def _pairs(records: Sequence[Record], table: str) -> list[tuple[Record, Record]]:
    """Runs of ours and of fresh rows on the same thirds."""
    ours, others = (
        {record["seed"]: record for record in runs_of(records, table, method) if "figures" in record}
        for method in ("ours", FRESH)
    )
    return [(ours[seed], others[seed]) for seed in sorted(ours) if seed in others]


def _spread(measure: Figure, runs: Sequence[Record], digits: int) -> str:
    return _told([value for value in map(measure, runs) if value is not None], digits)


def _difference(title: str, measure: Figure, pairs: Sequence[tuple[Record, Record]], digits: int) -> str:
    both = [(measure(ours), measure(other)) for ours, other in pairs]
    gaps = [left - right for left, right in both if left is not None and right is not None]
    return f"**{_told(gaps, digits)}**" if _worse(title, gaps) else _told(gaps, digits)


def _worse(title: str, gaps: Sequence[float]) -> bool:
    """Whether gaps to another figure are on the wrong side of 0 by more than two standard errors."""
    doubt = error(gaps)
    sign = -1.0 if title in MORE_IS_BETTER else 1.0
    return doubt is not None and sign * mean(gaps) > FAR * doubt


def _told(values: Sequence[float], digits: int) -> str:
    if not values:
        return "-"
    doubt = error(values)
    return number(mean(values), digits) + ("" if doubt is None else f" ± {number(doubt, digits)}")


def _mean_limit(limit: Limit, table: str, runs: Sequence[Record]) -> float | None:
    return average(lambda run: limit(table, [run]), runs)


def _kept(title: str, measure: Figure, limit: Limit, table: str, runs: Sequence[Record]) -> str:
    sign = -1.0 if title in AT_LEAST else 1.0
    told = [(measure(run), limit(table, [run])) for run in runs]
    held = [sign * value <= sign * bound for value, bound in told if value is not None and bound is not None]
    return f"{sum(held)} of {len(held)}" if held else "-"
