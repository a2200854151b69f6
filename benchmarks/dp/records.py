"""What stands in one result file, and under which title?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.results import Figure, Record, cpu_seconds, figure_at

Method = tuple[str, str]  # tool, strength

TABLES = ("adult", "diabetes-130", "heart-disease")
NAMES: dict[Method, str] = {
    ("real", "full"): "*real train rows (floor)*",
    ("ours", "full"): "**ours**",
    ("aim", "full"): "AIM",
    ("aim", "cells"): "AIM, our cells",
    ("aim", "reduced"): "AIM, reduced",
    ("mst", "full"): "MST",
    ("mst", "cells"): "MST, our cells",
    ("mst", "reduced"): "MST, reduced",
}


def _by(inference: str) -> Figure:
    """CPU seconds of the runs with dpmm's own inference (and of ours), or of those with faster.py."""
    return lambda record: cpu_seconds(record) if record.get("inference", "dpmm") == inference else None


COLUMNS: tuple[tuple[str, Figure, int], ...] = (
    ("1-way", figure_at("figures", "against_holdout", "one_way_tvd"), 4),
    ("2-way", figure_at("figures", "against_holdout", "two_way_tvd"), 4),
    ("3-way", figure_at("figures", "against_holdout", "three_way_tvd"), 4),
    ("2-way, label", figure_at("figures", "against_holdout", "two_way_tvd_with_label"), 4),
    ("3-way, label", figure_at("figures", "against_holdout", "three_way_tvd_with_label"), 4),
    ("correlation", figure_at("figures", "against_holdout", "correlation_difference"), 4),
    ("AUC", figure_at("figures", "tstr", "mean", "auc"), 3),
    ("AUC LR", figure_at("figures", "tstr", "logistic_regression", "auc"), 3),
    ("AUC RF", figure_at("figures", "tstr", "random_forest", "auc"), 3),
    ("AUC boosting", figure_at("figures", "tstr", "boosting", "auc"), 3),
    ("G-mean", figure_at("figures", "tstr", "mean", "g_mean"), 3),
    ("accuracy", figure_at("figures", "tstr", "mean", "accuracy"), 3),
    ("2-way, train", figure_at("figures", "against_train", "two_way_tvd"), 4),
    ("CPU s", _by("dpmm"), 0),
    ("CPU s, faster.py", _by("faster"), 0),
    ("wall s", figure_at("cost", "wall_seconds"), 0),
    ("MB", figure_at("cost", "peak_mb"), 0),
)
FIGURE_OF = {title: figure for title, figure, _ in COLUMNS}


def method_of(record: Record) -> Method:
    return record["method"], record["strength"]


def finished(
    records: Sequence[Record], table: str, method: Method | None = None, epsilon: float | None = None
) -> list[Record]:
    """The runs that ended with a synthetic table, of one method or epsilon where given."""
    return [
        record
        for record in records
        if record["outcome"] == "finished"
        and record["table"] == table
        and (method is None or method_of(record) == method)
        and (epsilon is None or record["epsilon"] == epsilon)
    ]


def epsilons(records: Iterable[Record]) -> list[float]:
    return sorted({record["epsilon"] for record in records if record["epsilon"] is not None})
