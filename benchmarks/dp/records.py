"""What stands in one result file, and under which title?"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

Record = dict[str, Any]
Figure = Callable[[Record], float | None]
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


def _figure(*path: str) -> Figure:
    def look(record: Record) -> float | None:
        value: Any = record
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return None if value is None else float(value)

    return look


cpu_seconds = _figure("cost", "cpu_seconds")


def _by(inference: str) -> Figure:
    """CPU seconds of the runs with dpmm's own inference (and of ours), or of those with faster.py."""
    return lambda record: cpu_seconds(record) if record.get("inference", "dpmm") == inference else None


COLUMNS: tuple[tuple[str, Figure, int], ...] = (
    ("1-way", _figure("figures", "against_holdout", "one_way_tvd"), 4),
    ("2-way", _figure("figures", "against_holdout", "two_way_tvd"), 4),
    ("3-way", _figure("figures", "against_holdout", "three_way_tvd"), 4),
    ("2-way, label", _figure("figures", "against_holdout", "two_way_tvd_with_label"), 4),
    ("3-way, label", _figure("figures", "against_holdout", "three_way_tvd_with_label"), 4),
    ("correlation", _figure("figures", "against_holdout", "correlation_difference"), 4),
    ("AUC", _figure("figures", "tstr", "mean", "auc"), 3),
    ("AUC LR", _figure("figures", "tstr", "logistic_regression", "auc"), 3),
    ("AUC RF", _figure("figures", "tstr", "random_forest", "auc"), 3),
    ("AUC boosting", _figure("figures", "tstr", "boosting", "auc"), 3),
    ("G-mean", _figure("figures", "tstr", "mean", "g_mean"), 3),
    ("accuracy", _figure("figures", "tstr", "mean", "accuracy"), 3),
    ("2-way, train", _figure("figures", "against_train", "two_way_tvd"), 4),
    ("CPU s", _by("dpmm"), 0),
    ("CPU s, faster.py", _by("faster"), 0),
    ("wall s", _figure("cost", "wall_seconds"), 0),
    ("MB", _figure("cost", "peak_mb"), 0),
)
FIGURE_OF = {title: figure for title, figure, _ in COLUMNS}


def load(folder: Path) -> list[Record]:
    """Every result of a folder, in the order of its names."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*/*.json"))]


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


def markdown(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first two columns are text and whose others are figures."""
    lines = [titles, ["---"] * 2 + ["---:"] * (len(titles) - 2), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def average(figure: Figure, records: Iterable[Record]) -> float | None:
    """The mean of a figure over the runs that have it; None where none has."""
    values = [value for value in map(figure, records) if value is not None]
    return mean(values) if values else None
