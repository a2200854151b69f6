"""What was the hybrid to reach, and does it?

The limits were set before the runs: as near to the holdout as other real rows are, and no nearer to the train rows than
a fitted Gaussian is. A table of fewer than 1,000 train rows has wider limits on privacy, as sampling alone moves them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from benchmarks.hybrid.records import TABLES, figure, runs_of, within_one_error
from benchmarks.results import Figure, Record, average, markdown, number

SMALL = 1_000
C2ST: Mapping[str, float] = {
    "wdbc": 0.55,
    "heart-disease": 0.62,
    "heart-failure": 0.62,
    "adult": 0.55,
    "diabetes-130": 0.55,
}
Limit = Callable[[str, Sequence[Record]], float | None]


def _fixed(value: float) -> Limit:
    return lambda _table, _runs: value


def _by_rows(small: float, large: float) -> Limit:
    def limit(_table: str, runs: Sequence[Record]) -> float:
        return small if runs[0]["figures"]["n_train"] < SMALL else large

    return limit


def _floor(name: str) -> Limit:
    return lambda _table, runs: average(figure(name), runs)


GOALS: tuple[tuple[str, Figure, Limit, int], ...] = (
    ("C2ST against the holdout", figure("c2st_auc_vs_holdout"), lambda table, _runs: C2ST.get(table), 3),
    ("NNAA privacy loss", figure("nnaa_privacy_loss"), _by_rows(0.05, 0.01), 4),
    ("DCR share", figure("dcr_share"), _by_rows(0.56, 0.51), 4),
    ("membership AUC", figure("mia_auc"), _fixed(0.51), 4),
    ("copies beyond the holdout's", figure("dup_excess"), _fixed(0.0), 4),
    ("extremes published", figure("extremes_published"), _floor("extremes_by_chance"), 1),
    ("values reused, over the holdout's", figure("value_reuse_gap"), _fixed(0.01), 4),
    ("KS against the holdout", figure("ks_mean_vs_holdout"), _floor("ks_mean_floor"), 4),
    ("Wasserstein against the holdout", figure("w1_mean_vs_holdout"), _floor("w1_mean_floor"), 4),
    ("TVD against the holdout", figure("tvd_mean_vs_holdout"), _floor("tvd_mean_floor"), 4),
    ("correlation difference", figure("corr_diff_vs_holdout"), _floor("corr_diff_floor"), 4),
    ("pair trend", figure("pair_trend_vs_holdout"), _floor("pair_trend_floor"), 4),
    ("scores within one standard error", within_one_error, _fixed(12.0), 1),
)
AT_LEAST = ("pair trend", "scores within one standard error")


def goals(records: Sequence[Record]) -> str:
    """A table of the goals: what ours reached on average over its seeds, and the limit; in bold where it is missed."""
    runs = {table: [r for r in runs_of(records, table, "ours") if "figures" in r] for table in TABLES}
    tables = [table for table in TABLES if runs[table]]
    if not tables:
        return "No run of ours yet.\n"
    rows = []
    for title, measure, limit, digits in GOALS:
        cells = []
        for table in tables:
            reached, bound = average(measure, runs[table]), limit(table, runs[table])
            sign, word = (-1.0, "least") if title in AT_LEAST else (1.0, "most")
            text = f"{number(reached, digits)} (at {word} {number(bound, digits)})"
            missed = reached is not None and bound is not None and sign * reached > sign * bound
            cells.append("-" if reached is None else f"**{text}**" if missed else text)
        rows.append([title, *cells])
    return markdown(["goal", *tables], rows)
