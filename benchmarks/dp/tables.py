"""Which real tables, split how, with which public facts?

    python -m benchmarks.dp.tables --source FOLDER --out build/bench-dp/data

``FOLDER`` holds three public tables of the UCI repository as ``adult/adult.csv`` (id 2; 48,842 rows, the survey weight
fnlwgt is dropped), ``heart-disease/heart-disease.csv`` (id 45; 920 rows of four hospitals, num > 0 is the label) and
``diabetes-130/diabetes-130.csv.gz`` (id 296; the first encounter of each of 71,515 patients, so that one row is one
patient; the label is a readmission within 30 days). All three are CC BY 4.0. Each has one header line, commas, and an
empty cell for a missing value.

Each table is split in two equal halves, stratified by the label, by the seeds 0, 1, 2. ``schema.json`` beside them is
what a code book would publish: level lists, bounds (minimum and maximum of the whole table rounded outward to two
digits, standing in for the code book), decimals, and whether a value may be missing. Every method gets the same.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

MOST_DECIMALS = 6


@click.command()
@click.option("--source", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("build/bench-dp/data"))
@click.option("--seeds", default="0,1,2")
def main(source: Path, out: Path, seeds: str) -> None:
    """Write train.csv, holdout.csv and schema.json of every table and seed; what is there is left.

    \b
    Example:
        python -m benchmarks.dp.tables --source ~/uci --out build/bench-dp/data
    """
    for name, load in TABLES.items():
        table, target, categorical = load(source)
        for column in [*categorical, target]:
            table[column] = table[column].map(_spelling)
        table = table.reset_index(drop=True)
        for seed in map(int, seeds.split(",")):
            folder = out / name / f"s{seed}"
            if (folder / "schema.json").exists():
                continue
            folder.mkdir(parents=True, exist_ok=True)
            left, right = train_test_split(table, test_size=0.5, stratify=table[target], random_state=seed)
            rows = min(len(left), len(right))
            left.iloc[:rows].to_csv(folder / "train.csv", index=False)
            right.iloc[:rows].to_csv(folder / "holdout.csv", index=False)
            (folder / "schema.json").write_text(json.dumps(schema(table, target, categorical), indent=1))


def schema(table: pd.DataFrame, target: str, categorical: Sequence[str]) -> dict[str, Any]:
    """The public facts of a table's columns."""
    facts: dict[str, Any] = {"target": target, "categorical": list(categorical), "columns": {}}
    for name, values in table.items():
        nullable = bool(values.isna().any())
        if name in categorical or name == target:
            facts["columns"][name] = {"levels": sorted(map(str, values.dropna().unique())), "nullable": nullable}
        else:
            low, high = outward(float(values.min()), up=False), outward(float(values.max()), up=True)
            facts["columns"][name] = {"min": low, "max": high, "decimals": decimals(values), "nullable": nullable}
    return facts


def outward(value: float, *, up: bool) -> float:
    """``value`` rounded to two significant digits, upward or downward."""
    if value == 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    return float(f"{(math.ceil if up else math.floor)(value / unit) * unit:.10g}")


def decimals(values: pd.Series) -> int | None:
    """How many decimals the column is written with; None where there are more than six."""
    present = values.dropna()
    for places in range(MOST_DECIMALS + 1):
        if np.allclose(present, present.round(places), rtol=0, atol=1e-9):
            return places
    return None


def _adult(source: Path) -> tuple[pd.DataFrame, str, list[str]]:
    table = _read(source / "adult" / "adult.csv").drop(columns=["fnlwgt"])
    names = "workclass education marital-status occupation relationship race sex native-country"
    return table, "income", names.split()


def _diabetes_130(source: Path) -> tuple[pd.DataFrame, str, list[str]]:
    table = _read(source / "diabetes-130" / "diabetes-130.csv.gz")
    table = table.sort_values("encounter_id").drop_duplicates("patient_nbr")
    table = table[table["gender"] != "Unknown/Invalid"]
    table["readmitted_30"] = np.where(table["readmitted"] == "<30", "yes", "no")
    for column in ("max_glu_serum", "A1Cresult"):
        table[column] = table[column].replace("None", "not_measured")
    categorical = [
        "race",
        "gender",
        "age",
        "admission_type_id",
        "discharge_disposition_id",
        "admission_source_id",
        "max_glu_serum",
        "A1Cresult",
        "metformin",
        "glipizide",
        "glyburide",
        "pioglitazone",
        "rosiglitazone",
        "insulin",
        "change",
        "diabetesMed",
    ]
    numeric = [
        "time_in_hospital",
        "num_lab_procedures",
        "num_procedures",
        "num_medications",
        "number_outpatient",
        "number_emergency",
        "number_inpatient",
        "number_diagnoses",
    ]
    return table[[*categorical, *numeric, "readmitted_30"]], "readmitted_30", categorical


def _heart_disease(source: Path) -> tuple[pd.DataFrame, str, list[str]]:
    table = _read(source / "heart-disease" / "heart-disease.csv")
    table["num"] = np.where(table["num"] > 0, "disease", "healthy")
    return table, "num", ["site", "sex", "cp", "fbs", "restecg", "exang", "slope", "thal"]


def _read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, keep_default_na=False, na_values=[""], low_memory=False)


def _spelling(value: Any) -> Any:
    """One spelling per level: the code 3.0 of a column with gaps is the level "3"."""
    if pd.isna(value):
        return value
    if isinstance(value, (float, np.floating)) and value == int(value):
        return str(int(value))
    return str(value)


TABLES: dict[str, Callable[[Path], tuple[pd.DataFrame, str, list[str]]]] = {
    "adult": _adult,
    "diabetes-130": _diabetes_130,
    "heart-disease": _heart_disease,
}


if __name__ == "__main__":
    main()
