"""Are all methods measured and recorded alike?"""

from __future__ import annotations

import json
import sys

import click
import numpy as np
import pandas as pd
import pytest

from benchmarks.dp.evaluate import evaluate, read
from benchmarks.dp.fit_ours import dictionary, two_digits, typed
from benchmarks.dp.report import page
from benchmarks.dp.run import Limits, Run, follow, planned
from benchmarks.dp.tables import decimals, outward
from benchmarks.dp.utility import train_on_one_test_on_other

SCHEMA = {
    "target": "ill",
    "columns": {
        "sex": {"levels": ["f", "m"], "nullable": True},
        "age": {"min": 0.0, "max": 100.0, "decimals": 0, "nullable": False},
        "dose": {"min": 0.0, "max": 2.5, "decimals": 1, "nullable": True},
        "ill": {"levels": ["no", "yes"], "nullable": False},
    },
}


def _people(rows: int, rng: np.random.Generator) -> pd.DataFrame:
    age = rng.integers(20, 90, rows).astype(float)
    dose = np.where(rng.random(rows) < 0.2, np.nan, np.round(rng.random(rows) * 2.5, 1))
    sex = np.where(rng.random(rows) < 0.1, None, rng.choice(["f", "m"], rows))
    ill = np.where(age + rng.normal(0, 5, rows) > 55, "yes", "no")
    return pd.DataFrame({"sex": sex, "age": age, "dose": dose, "ill": ill.astype(object)})


def test_the_train_rows_themselves_have_no_distance_to_train_and_a_sampling_distance_to_the_holdout():
    rng = np.random.default_rng(2)
    train, holdout = _people(300, rng), _people(300, rng)
    figures = evaluate(train, holdout, train, SCHEMA, seed=0)
    assert set(figures["against_train"].values()) == {0.0}
    assert 0 < figures["against_holdout"]["two_way_tvd"] < 0.5
    assert figures["tstr"]["mean"]["auc"] > 0.9


def test_a_synthetic_table_with_one_class_is_worth_a_coin_flip():
    rng = np.random.default_rng(3)
    train, holdout = _people(60, rng).assign(ill="no"), _people(60, rng)
    scores = train_on_one_test_on_other(train, holdout, "ill", ["age", "dose"], seed=0)
    assert scores["mean"]["auc"] == 0.5
    assert scores["mean"]["g_mean"] == 0.0


def test_a_column_that_is_all_missing_and_a_level_that_train_lacks_do_not_stop_the_models():
    rng = np.random.default_rng(4)
    train, holdout = _people(60, rng).assign(dose=np.nan, sex="f"), _people(60, rng)
    scores = train_on_one_test_on_other(train, holdout, "ill", ["age", "dose"], seed=0)
    assert scores["mean"]["auc"] > 0.8


def test_cells_are_read_as_written(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("sex,age,dose,ill\nf,30,,no\n,41,0.5,yes\n")
    table = read(path, SCHEMA)
    assert table["sex"].isna().tolist() == [False, True]
    assert table["age"].tolist() == [30.0, 41.0]


def test_our_synthesizer_gets_the_public_facts_and_the_typed_rows(tmp_path):
    public = dictionary(SCHEMA)
    assert public.columns["age"].type == "integer"
    assert public.columns["dose"].decimals == 1
    assert not public.drafted
    path = tmp_path / "table.csv"
    path.write_text("sex,age,dose,ill\nf,30,,no\n,41,0.5,yes\n")
    frame = typed(read(path, SCHEMA), public)
    assert frame["sex"].cat.codes.tolist() == [0, -1]
    assert frame["dose"].isna().tolist() == [True, False]
    assert [two_digits(n) for n in (7, 460, 24421, 35757)] == [7, 460, 24000, 36000]


def test_bounds_are_rounded_outward_to_two_digits():
    assert (outward(0.291, up=False), outward(583.0, up=True), outward(-2.61, up=False)) == (0.29, 590.0, -2.7)
    assert decimals(pd.Series([1.25, 3.0, np.nan])) == 2


def test_every_combination_is_planned_and_the_floor_once_per_seed():
    runs = list(planned(["adult"], ["aim", "real"], [1.0, 3.0], [0, 1]))
    assert [run.name for run in runs] == [
        "adult/aim-eps1-seed0",
        "adult/aim-eps3-seed0",
        "adult/real-seed0",
        "adult/aim-eps1-seed1",
        "adult/aim-eps3-seed1",
        "adult/real-seed1",
    ]
    assert (Run("t", "aim-reduced", 1, 0).tool, Run("t", "aim-reduced", 1, 0).strength) == ("aim", "reduced")


def test_an_unknown_method_is_refused():
    with pytest.raises(click.BadParameter, match="unknown methods gan"):
        list(planned(["adult"], ["gan"], [1.0], [0]))


def test_a_process_past_its_cpu_limit_is_a_result_with_its_cost(tmp_path):
    cost = follow([sys.executable, "-c", "while True: pass"], tmp_path / "log", Limits(cpu_seconds=1))
    assert cost.outcome == "no result within 1 CPU s"
    assert 0.9 < cost.cpu_seconds < 10
    assert cost.peak_mb > 1


def test_a_process_that_waits_is_interrupted_by_the_wall_clock(tmp_path):
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    cost = follow(command, tmp_path / "log", Limits(cpu_seconds=50, wall_seconds=1))
    assert cost.outcome == "interrupted after 1 s of wall time"
    assert cost.cpu_seconds < cost.wall_seconds


def test_a_failure_is_a_result_with_its_last_line(tmp_path):
    cost = follow([sys.executable, "-c", "raise SystemExit('out of memory')"], tmp_path / "log", Limits())
    assert cost.outcome == "failed with exit code 1: out of memory"


def _record(method: str, seed: int, two_way: float | None, cpu: float) -> dict[str, object]:
    figures = {"figures": {"against_holdout": {"two_way_tvd": two_way}}} if two_way is not None else {}
    return {
        "table": "adult",
        "method": method,
        "strength": "full",
        "epsilon": 1.0,
        "seed": seed,
        "outcome": "finished" if two_way is not None else "no result within 60 CPU s",
        "cost": {"cpu_seconds": cpu, "wall_seconds": cpu, "peak_mb": 100.0},
        "machine": {"processor": "p", "cores": 2, "memory_gb": 8.0, "system": "Linux", "python": "3.11"},
        **figures,
    }


def test_the_page_compares_over_the_seeds_that_both_have_and_lists_what_has_no_result():
    records = [
        _record("ours", 0, 0.03, 10.0),
        _record("ours", 1, 0.05, 10.0),
        _record("mst", 0, 0.04, 400.0),
        _record("aim", 0, None, 60.0),
    ]
    text = page(json.loads(json.dumps(records)))
    assert "| adult | 1 | MST | -0.0100 | - | - | - | - | 40.0 | - | 0 |" in text
    assert "- adult, AIM, epsilon 1, seed 0: no result within 60 CPU s (60 CPU s)" in text
