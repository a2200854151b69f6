"""Which real tables are audited, and how is one split into train, holdout and an innocent release?

``source`` is a folder of public tables: three as ``benchmarks.dp.tables`` says, and in ``survival/`` four of the R
package survival, ``colon.csv``, ``flchain.csv``, ``mgus2.csv`` and ``rotterdam.csv``, as the collection Rdatasets has
them (``csv/survival`` of github.com/vincentarelbundock/Rdatasets, commit 1dcc2bf5). The Wisconsin diagnostic breast
cancer table comes with scikit-learn. One row is one patient in all of them. What a custodian's dictionary would declare
is taken from the whole table: levels, bounds rounded outward, which columns an acquaintance may know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer

from benchmarks.dp.tables import TABLES, decimals, outward
from policies import Dictionary

SURVIVAL = ("colon", "flchain", "mgus2", "rotterdam")
NAMES = ("wdbc", "heart-disease", "adult", "diabetes-130", *SURVIVAL)
KNOWN: Mapping[str, tuple[str, ...]] = {
    "wdbc": (),
    "heart-disease": ("age", "sex"),
    "adult": ("age", "sex", "race", "native-country", "marital-status"),
    "diabetes-130": ("age", "gender", "race"),
    **dict.fromkeys(SURVIVAL, ("age", "sex")),
    "rotterdam": ("age", "year", "meno"),
}
LABELS: Mapping[str, tuple[str, tuple[str, ...]]] = {  # what is told of each patient at last, and the codes beside it
    "colon": ("status", ("rx", "sex", "obstruct", "perfor", "adhere", "differ", "extent", "surg", "node4")),
    "flchain": ("death", ("sex", "flc.grp", "mgus", "chapter")),
    "mgus2": ("death", ("sex", "pstat")),
    "rotterdam": ("death", ("meno", "size", "grade", "hormon", "chemo", "recur")),
}
NUMBERED = ("rownames", "id", "pid", "study")  # numbers of rows and patients, and what is the same of all


@dataclass(frozen=True)
class Table:
    """A whole table as a typed frame, with its dictionary."""

    name: str
    frame: pd.DataFrame
    dictionary: Dictionary


def load(name: str, source: Path | None) -> Table:
    """One of ``NAMES``; all but wdbc need the folder of public tables."""
    if name == "wdbc":
        raw = load_breast_cancer()
        frame = pd.DataFrame(raw.data, columns=[str(column).replace(" ", "_") for column in raw.feature_names])
        frame["diagnosis"] = np.where(raw.target == 1, "benign", "malignant")
        target, categorical = "diagnosis", ["diagnosis"]
    elif source is None:
        raise SystemExit(f"{name} needs --source, the folder of the public tables")
    elif name in SURVIVAL:
        frame = pd.read_csv(source / "survival" / f"{name}.csv")
        if name == "colon":  # two rows a patient: recurrence, and death
            frame = frame[frame["etype"] == 2].drop(columns="etype")
        frame = frame.drop(columns=[column for column in NUMBERED if column in frame])
        target, others = LABELS[name]
        categorical = [*others, target]
    else:
        frame, target, others = TABLES[name](source)
        categorical = [*others, target]
    return _typed(name, frame.reset_index(drop=True), target, categorical)


def thirds(table: Table, rows: int, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame] | None:
    """Train and holdout of a table of ``rows`` rows, half each, and disjoint people for an innocent release.

    The release has as many rows as train, or what is left if that is half of it at least; else None.
    """
    half = rows // 2
    fresh = min(half, len(table.frame) - 2 * half)
    if fresh < half / 2:
        return None
    order = rng.permutation(len(table.frame))
    cuts = order[:half], order[half : 2 * half], order[2 * half : 2 * half + fresh]
    train, holdout, released = (table.frame.iloc[cut].reset_index(drop=True) for cut in cuts)
    return train, holdout, released


def _typed(name: str, frame: pd.DataFrame, target: str, categorical: list[str]) -> Table:
    columns: dict[str, Any] = {}
    for column in frame.columns:
        values = frame[column]
        facts: dict[str, Any] = {"nullable": bool(values.isna().any())}
        if column in categorical:
            spelled = values.map(_level, na_action="ignore")
            levels = sorted(spelled.dropna().unique())
            frame[column] = pd.Categorical(spelled, categories=levels)
            facts |= {"type": "category", "categories": tuple(levels)}
        else:
            frame[column] = values.astype(np.float64)
            facts |= {
                "type": "integer" if decimals(values) == 0 else "number",
                "minimum": outward(float(values.min()), up=False),
                "maximum": outward(float(values.max()), up=True),
            }
        columns[str(column)] = facts | ({"role": "quasi_identifier"} if column in KNOWN[name] else {})
    dictionary = Dictionary.model_validate({"version": 1, "name": name, "target": target, "columns": columns})
    return Table(name, frame[list(dictionary.released)], dictionary)


def _level(value: Any) -> str:
    """One spelling per level: the code 3.0 of a column with gaps is the level "3"."""
    return str(int(value)) if isinstance(value, float) and value == int(value) else str(value)
