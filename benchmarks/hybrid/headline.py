"""Does the hybrid reach the headline of its source, and at what price?

The source (Mahin et al., arXiv:2510.10513, 2025) states in its abstract a Wasserstein distance "as low as" 0.001, a KS
"around" 0.01, pairwise trends above 90 % and an NNAA "approaching" 50 %, without saying what was held out. Against the
rows it was fitted on, a table that copies every column's values has KS 0: the price stands beside the figure.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.hybrid.records import NAMES, TABLES, Column, figure, one_a_seed, runs_of
from benchmarks.hybrid.variants import OURS, PAPER, PAPER_TWO
from benchmarks.results import Record, average, markdown, number

CLAIMED: tuple[Column, ...] = (
    ("KS, train", figure("ks_mean"), 4),
    ("W, train", figure("w1_mean"), 4),
    ("pair trend, train", figure("pair_trend"), 4),
    ("NNAA, train", figure("nnaa_train"), 3),
)
SOURCE = ("0.01", "0.001", "over 0.90", "0.5")
PRICE: tuple[Column, ...] = (
    ("values reused", figure("value_reuse"), 3),
    ("excess", figure("value_reuse_excess"), 3),
    ("extremes published", figure("extremes_published"), 1),
    ("of", figure("extremes"), 1),
    ("copies, excess", figure("dup_excess"), 4),
    ("NNAA loss", figure("nnaa_privacy_loss"), 4),
    ("DCR share", figure("dcr_share"), 4),
    ("KS, holdout", figure("ks_mean_vs_holdout"), 4),
)

FLOORS = (figure("ks_mean_floor"), figure("w1_mean_floor"), figure("pair_trend_floor"))

INTRODUCTION = """\
The source claims these figures of its best case, against rows that its abstract does not name. Ours are against the
train half, where copying every column is perfect; a fresh sample of as many people has the KS of the row in italics.
To the right, what each form pays: train values and extremes that come back, and whether the holdout is any nearer.
"""


def headline(records: Sequence[Record]) -> str:
    """A table: the source's claim, then by table the two forms that smooth less, ours, and real holdout rows."""
    columns = (*CLAIMED, *PRICE)
    rows = [["*source's claim*", *SOURCE, *["-"] * len(PRICE)]]
    for table in TABLES:
        of_table = [record for record in records if record["table"] == table and "figures" in record]
        if not runs_of(of_table, table, PAPER) and not runs_of(of_table, table, PAPER_TWO):
            continue
        tried = {method: runs_of(of_table, table, method) for method in (PAPER, PAPER_TWO, OURS)}
        rows += [
            [f"{table}, {NAMES[method]}", *(number(average(measure, runs), digits) for _, measure, digits in columns)]
            for method, runs in tried.items()
            if runs
        ]
        floors = [number(average(measure, one_a_seed(of_table)), 4) for measure in FLOORS]
        rows.append([f"*{table}, real holdout rows*", *floors, *["-"] * (len(columns) - len(floors))])
    if len(rows) == 1:
        return "No run of these forms yet.\n"
    return f"{INTRODUCTION}\n{markdown(['', *(title for title, _, _ in columns)], rows)}"
