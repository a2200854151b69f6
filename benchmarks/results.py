"""What do the pages of every benchmark read out of result files, and how do they print it?"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

Record = dict[str, Any]
Figure = Callable[[Record], float | None]


def load(folder: Path) -> list[Record]:
    """Every result of a folder, in the order of its names."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*/*.json"))]


def figure_at(*path: str) -> Figure:
    """A number inside a record, or None where it is not."""

    def look(record: Record) -> float | None:
        value: Any = record
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return None if value is None else float(value)

    return look


cpu_seconds = figure_at("cost", "cpu_seconds")


def average(figure: Figure, records: Iterable[Record]) -> float | None:
    """The mean of a figure over the runs that have it; None where none has."""
    values = [value for value in map(figure, records) if value is not None]
    return mean(values) if values else None


def number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def markdown(titles: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int = 1) -> str:
    """A table whose first columns are text and whose others are figures."""
    lines = [titles, ["---"] * texts + ["---:"] * (len(titles) - texts), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
