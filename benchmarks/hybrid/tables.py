"""Which real tables, split how, with which public facts and which drafted dictionary?

    python -m benchmarks.hybrid.tables --source FOLDER --out build/bench/data
    python -m benchmarks.hybrid.tables --source FOLDER --thirds --out build/bench/thirds

``FOLDER`` holds public tables of the UCI repository, as ``benchmarks/dp/tables.py`` says, and
``heart-failure/heart-failure.csv`` (id 519; 299 rows, CC BY 4.0). The Wisconsin diagnostic breast cancer table (id 17)
comes with scikit-learn. Each table is split in two equal halves, stratified by the label, by the seeds 0, 1, 2; of the
larger ones the first 20,000 (adult) and 30,000 (diabetes-130) rows of either half, which are in random order, are kept.

``--thirds`` splits in three instead, train, holdout and ``fresh.csv``: real people who are neither, to be held against
the holdout in the place of synthetic ones. Of the larger tables 15,000 and 20,000 rows of each third are kept, and of
``adult-500`` and ``diabetes-130-500``, the same tables under other names, 500: small samples of many people.

``schema.json`` says what a code book would: levels, bounds rounded outward, decimals, gaps. ``dictionary.toml`` is what
``gateway dictionary draft`` makes of the whole table, with the target named and nothing else touched.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from benchmarks.dp import tables as dp_tables
from gateway.intake import propose_dictionary, propose_snapshot

NAMES = ("wdbc", "heart-disease", "heart-failure", "adult", "diabetes-130")
CUTS = {"adult-500": "adult", "diabetes-130-500": "diabetes-130"}
"""Further names of the larger tables in thirds."""
HALVES: Mapping[str, int] = {"adult": 20_000, "diabetes-130": 30_000}
THIRDS: Mapping[str, int] = {"adult": 15_000, "diabetes-130": 20_000, "adult-500": 500, "diabetes-130-500": 500}
"""Rows of a half or a third, at most."""
SITE = {"heart-disease": "site"}

Loaded = tuple[pd.DataFrame, str, list[str]]


@click.command()
@click.option("--source", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("build/bench/data"))
@click.option("--tables", default=",".join(NAMES))
@click.option("--seeds", default="0,1,2")
@click.option("--thirds", is_flag=True, help="Also a fresh third of other people, fresh.csv.")
def main(source: Path, out: Path, tables: str, seeds: str, thirds: bool) -> None:
    """Write train.csv, holdout.csv and schema.json of every table and seed, and one dictionary.toml a table.

    \b
    Example:
        python -m benchmarks.hybrid.tables --source ~/uci --out build/bench/data
    """
    for name in tables.split(","):
        table, target, categorical = LOADERS[name](source)
        for column in [*categorical, target]:
            table[column] = table[column].map(_level, na_action="ignore")
        table, numbers = table.reset_index(drop=True), [int(seed) for seed in seeds.split(",")]
        prepare(table, name, target, categorical, out / name, numbers, thirds=thirds)


def prepare(
    table: pd.DataFrame,
    name: str,
    target: str,
    categorical: list[str],
    folder: Path,
    seeds: list[int],
    *,
    thirds: bool = False,
) -> None:
    """Lay out one table below ``folder``; what is there is left."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = dp_tables.schema(table, target, categorical)
    if site := SITE.get(name):
        facts["site"] = site
    if not (folder / "dictionary.toml").exists():
        whole = folder / "whole.csv"
        table.to_csv(whole, index=False)
        (folder / "dictionary.toml").write_text(drafted(whole, name, target), encoding="utf-8")
        whole.unlink()
    for seed in seeds:
        split = folder / f"s{seed}"
        if (split / "schema.json").exists():
            continue
        split.mkdir(exist_ok=True)
        rest, parts = table, {}
        if thirds:
            rest, parts["fresh"] = train_test_split(table, test_size=1 / 3, stratify=table[target], random_state=seed)
        parts["train"], parts["holdout"] = train_test_split(
            rest, test_size=0.5, stratify=rest[target], random_state=seed
        )
        most = (THIRDS if thirds else HALVES).get(name, len(table))
        rows = min(most, *(len(part) for part in parts.values()))
        for part, people in parts.items():
            people.iloc[:rows].to_csv(split / f"{part}.csv", index=False)
        (split / "schema.json").write_text(json.dumps(facts, indent=1))


def drafted(table: Path, name: str, target: str) -> str:
    """The gate's own draft of a dictionary for a CSV file, with its target named."""
    snapshot, how = propose_snapshot(table)
    draft = propose_dictionary(snapshot.table(), name, snapshot.source, how).toml
    text = re.sub(r"(?m)^#? ?target = .*\n", "", draft)
    return re.sub(r"(?m)^version = 1\n", f"version = 1\ntarget = {json.dumps(target)}\n", text, count=1)


def _wdbc(_source: Path) -> Loaded:
    table = load_breast_cancer(as_frame=True).frame.rename(columns=lambda name: name.replace(" ", "_"))
    table["diagnosis"] = np.where(table.pop("target") == 0, "M", "B")
    return table, "diagnosis", []


def _heart_failure(source: Path) -> Loaded:
    path = source / "heart-failure" / "heart-failure.csv"
    table = pd.read_csv(path, keep_default_na=False, na_values=[""], low_memory=False)
    return table, "DEATH_EVENT", ["anaemia", "diabetes", "high_blood_pressure", "sex", "smoking"]


def _level(value: Any) -> str:
    """One spelling per level: the code 3.0 of a column with gaps is the level "3"."""
    if isinstance(value, (float, np.floating)) and value == int(value):
        return str(int(value))
    return str(value)


LOADERS: dict[str, Callable[[Path], Loaded]] = {"wdbc": _wdbc, "heart-failure": _heart_failure, **dp_tables.TABLES}
LOADERS |= {cut: LOADERS[whole] for cut, whole in CUTS.items()}


if __name__ == "__main__":
    main()
