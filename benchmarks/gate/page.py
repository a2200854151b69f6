"""What do all audits of known truth together show? Writes README.md and figure.svg beside the results.

    python -m benchmarks.gate.page

Every line of ``results/`` counts, none is picked; where nothing was run the cell is empty.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.gate.figure import draw
from benchmarks.gate.power import CELLS, CONTROLS, FIRST, HERE, HONEST, LEAKS, conditions, load
from benchmarks.gate.rates import (
    Found,
    Rate,
    catches,
    held,
    limits_of,
    quantile,
    reached,
    refusals,
    voids,
    with_controls,
)
from policies import Limit, Policy, load_pack

PACKS = {"small": ("small-cohort",), "large": ("controlled-access", "public-release")}

INTRODUCTION = """\
# What the gate catches, what it refuses without cause, what it costs

Written by `python -m benchmarks.gate.page` from the files in `results/`; no figure is typed by hand, no run left out.

![Detection by leak and table](figure.svg)

## What was run

Limits were chosen on four public tables: *wdbc* (569 patients, 30 numbers and a diagnosis), *heart-disease* (920
patients, 15 mixed columns, many gaps), *adult* (48,842 people, 14 columns, nine of them categories) and *diabetes-130*
(71,515 patients, 25 columns, most of them categories). Three limits of `small-cohort`, for `replicated_uniques`,
`singling_out` and `t_closeness_excess`, were widened for two more, *mgus2* (1,384 patients, 10 columns) and *rotterdam*
(2,982, 14 columns), of which 5 and 6 in 20 honest releases had been refused before; those of `traced_to_one` and
`traced_to_two` were chosen on all six. On *colon* (929 patients of a trial, 13 columns) and *flchain* (7,874, 11
columns) none was chosen; these four are of the R package survival. A table
of n rows is drawn anew for every repetition and halved into **train** and **holdout**; as many people who are in
neither make an **honest release**. The limits were chosen on other draws than the ones reported here: on the splits
numbered 0 to 99, so that by normal and generalised Pareto tails of what was seen there at most three fresh samples in a
hundred exceed any of a pack's limits. Reported are splits from
{first} on, of mgus2 and rotterdam from 300.
A leak is planted in the honest release, in place of as many of its rows, or is all of it:

- *copies p %*: train rows as they stand; *ten outliers*: the ten train rows farthest from everybody, as they stand;
- *SMOTE*: rows between a train row and one of its five nearest; *interpolated*: between any two train rows;
- *noise s sd*: train rows whose numbers got normal noise of s standard deviations of their column; categories stay.

Audited are all measures that guard anybody, at the confidence that three attempts leave of 95 %. A limit **catches** a
leak if it refuses the release with it and admits the honest one on the same train and holdout rows; the pack catches
what any of its limits does. A figure that the controls of its repetition voided is refused, on the honest release too.
Rates are hits of repetitions with the exact 95 % interval of the rate. Limits on
fidelity, on the size of a release and on a claim of differential privacy are left out.
"""


@click.command()
@click.option("--results", type=click.Path(exists=True, file_okay=False, path_type=Path), default=HERE / "results")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=HERE)
def main(results: Path, out: Path) -> None:
    """Write the page and its figure.

    \b
    Example:
        python -m benchmarks.gate.page --results benchmarks/gate/results
    """
    named = {f"{name}-{rows}": rows for name, rows, _ in CELLS}
    cells = {cell: held(load(results / f"{cell}.jsonl")) for cell in named}
    cells = {cell: found for cell, found in cells.items() if found}
    parts = [INTRODUCTION.replace("{first}", _numbered())]
    shown: dict[str, dict[str, Rate]] = {}
    for size, packs in PACKS.items():
        some = {cell: found for cell, found in cells.items() if (named[cell] < 1_000) == (size == "small")}
        if not some:
            continue
        for pack in packs:
            policy = load_pack(pack)
            parts += [f"## Under `{pack}`\n", *_under(policy, some)]
            if pack == packs[0]:
                shown |= {cell: _row(found, limits_of(policy, found, _learned(cell))) for cell, found in some.items()}
    parts += ["## What honest releases reach\n", *_honest(cells), "## Controls\n", *_controls(cells)]
    parts += ["## How much was run\n", *_extent(cells)]
    for name, written in (("speed", _speed), ("nnaa", _nnaa)):
        path = results / f"{name}.json"
        if path.exists():
            parts += written(json.loads(path.read_text(encoding="utf-8")))
    (out / "README.md").write_text("\n".join(parts), encoding="utf-8")
    draw(shown, (HONEST, *LEAKS), out / "figure.svg")


def _numbered() -> str:
    """Where the reported splits begin, by rows of the table."""
    begin = {number: [rows for rows, at in FIRST.items() if at == number] for number in sorted(set(FIRST.values()))}
    told = [
        f"{number} (tables of {', '.join(f'{rows:,}' for rows in sizes[:-1])} and {sizes[-1]:,} rows)"
        for number, sizes in begin.items()
    ]
    return " and ".join(told)


def _under(policy: Policy, cells: Mapping[str, Found]) -> Iterator[str]:
    """Refusals, catches and who caught, of one pack."""
    limits = {cell: limits_of(policy, found, _learned(cell)) for cell, found in cells.items()}
    rows = {cell: _row(found, limits[cell]) for cell, found in cells.items()}
    yield table(
        ("", *cells),
        [("**honest release refused**", *(str(rows[cell][HONEST]) for cell in cells))]
        + [("*of these, with controls run*", *(str(refusals(with_controls(cells[c]), limits[c])[""]) for c in cells))]
        + [(leak, *(str(rows[cell].get(leak, "")) for cell in cells)) for leak in LEAKS],
    )
    yield "\nWhich limit refused honest releases, and the three that caught most of each leak, in per cent:\n"
    lines = []
    for condition in (HONEST, *LEAKS):
        line = [condition]
        for cell, found in cells.items():
            each = refusals(found, limits[cell]) if condition == HONEST else catches(found, limits[cell], condition)
            best = sorted((rate for rate in each.items() if rate[0] and rate[1].hits), key=lambda item: -item[1].share)
            line.append(", ".join(f"{name} {100 * rate.share:.0f}" for name, rate in best[:3]))
        lines.append(line)
    yield table(("", *cells), lines)
    yield ""


def _learned(cell: str) -> int:
    """Train rows of a cell, which is named after the rows of train and holdout together."""
    return int(cell.rsplit("-", 1)[1]) // 2


def _row(found: Found, limits: Mapping[str, Limit]) -> dict[str, Rate]:
    """Honest releases refused and leaks caught by the whole pack."""
    rates = {HONEST: refusals(found, limits)[""]}
    rates |= {leak: catches(found, limits, leak)[""] for leak in LEAKS}
    return {condition: rate for condition, rate in rates.items() if rate.of}


def _honest(cells: Mapping[str, Found]) -> Iterator[str]:
    yield "Upper ends of the intervals on honest releases, median and largest; a lower limit refuses honest rows.\n"
    names = sorted({name for found in cells.values() for key, run in found.items() if key[0] == HONEST for name in run})
    lines = []
    for name in names:
        ends = {cell: reached(found, name) for cell, found in cells.items()}
        lines.append((name, *(f"{quantile(e, 0.5):.3g}, {e[-1]:.3g}" if e else "" for e in ends.values())))
    yield table(("", *cells), lines)
    yield ""


def _controls(cells: Mapping[str, Found]) -> Iterator[str]:
    """How often each measure was void."""
    yield "How often the controls of an audit voided a measure, where they ever did:\n"
    rates = {cell: voids(found) for cell, found in cells.items()}
    names = sorted({name for each in rates.values() for name, rate in each.items() if rate.hits})
    counts = ("*audits with controls*", *(str(_runs(found)) for found in cells.values()))
    yield table(
        ("", *cells), [counts, *((name, *(str(rates[cell].get(name, "")) for cell in cells)) for name in names)]
    )
    yield ""


def _extent(cells: Mapping[str, Found]) -> Iterator[str]:
    """Candidates audited of those planned."""
    yield "Candidates audited so far; `python -m benchmarks.gate.power --source FOLDER` goes on with the rest.\n"
    lines = []
    for name, rows, count in CELLS:
        planned = sum(len(conditions(repetition, count)) for repetition in range(count))
        lines.append((f"{name}-{rows}", str(len(cells.get(f"{name}-{rows}", {}))), str(planned)))
    yield table(("table and rows", "audited", "planned"), lines)
    yield ""


def _runs(found: Found) -> int:
    return sum(condition == CONTROLS for condition, _ in found)


def _speed(result: Mapping[str, Any]) -> list[str]:
    whole = result["audit"]
    head = (
        f"## Cost of an audit\n\n{result['rows']:,} x {result['columns']} mixed cells released, as many real rows; "
        f"encoded width {result['width']}, {result['threads']} threads, load of the machine {result['load']:.1f} "
        f"(`python -m benchmarks.gate.speed`). The whole audit: {whole['seconds']} s, {whole['cpu_seconds']} CPU s, "
        f"{whole['peak_mb']} MiB at most. Below, each measure by itself; what several share is paid by the first. One "
        f"matrix product of 4,000 queries with the references takes {result['matrix_product']['cpu_seconds']} CPU s; "
        "the last column counts a measure's cost in such products.\n"
    )
    keys = ("stage", "seconds", "cpu_seconds", "peak_mb", "products")
    return [head, table(keys, [[str(line.get(key, "")) for key in keys] for line in [*result["stages"], whole]]), ""]


def _nnaa(result: Mapping[str, Any]) -> list[str]:
    lines = [
        (
            f"{run['table']}, {run['rows']:,} x {run['columns']}, {run['distance']}",
            *(f"{run[tool]['value']:.6g}" for tool in ("ours", "syntheval")),
            *(f"{run[tool]['cpu_seconds']:.1f}" for tool in ("ours", "syntheval")),
            f"{run['times']:.1f}",
        )
        for run in result["runs"]
    ]
    head = (
        "## NNAA beside SynthEval\n\nSame rows, same distance, strict comparison (`python -m benchmarks.gate.nnaa`); "
        "Gower's distance is SynthEval's default.\n"
    )
    return [head, table(("", "ours", "SynthEval", "our CPU s", "their CPU s", "times"), lines), ""]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    main()
