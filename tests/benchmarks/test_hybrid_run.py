"""Are the runs of the hybrid benchmark planned, made, recorded and shown as they are?"""

from __future__ import annotations

import json
import sys

import click
import numpy as np
import pandas as pd
import pytest

from benchmarks.hybrid.ablation import ablation
from benchmarks.hybrid.fresh import fresh
from benchmarks.hybrid.headline import headline
from benchmarks.hybrid.models import MODELS, SCORES
from benchmarks.hybrid.peers import fit_classic
from benchmarks.hybrid.peers.fit_classic import class_sizes
from benchmarks.hybrid.peers.layout import Table
from benchmarks.hybrid.plot import plot
from benchmarks.hybrid.report import page
from benchmarks.hybrid.run import DEFAULTS, METHODS, Limits, Run, carry_out, planned, stale, told
from benchmarks.hybrid.selectors import lattice, searched, synthesizer_of
from benchmarks.hybrid.tables import prepare
from benchmarks.hybrid.variants import ABLATION, FORMS, settings
from policies import load_dictionary


def people() -> pd.DataFrame:
    """A small table of numbers, levels and gaps."""
    rng = np.random.default_rng(5)
    age = rng.integers(20, 90, 240)
    dose = np.where(rng.random(240) < 0.2, np.nan, np.round(rng.random(240) * 2.5, 1))
    site = rng.choice(["north", "south"], 240)
    ill = np.where(age + rng.normal(0, 5, 240) > 55, "yes", "no")
    return pd.DataFrame({"site": site, "age": age, "dose": dose, "ill": ill})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small table laid out as the benchmark lays out its tables."""
    out = tmp_path_factory.mktemp("data") / "heart-disease"
    prepare(people(), "heart-disease", "ill", ["site"], out, [0])
    return out


@pytest.fixture(scope="module")
def thirds(tmp_path_factory):
    """The same in thirds."""
    out = tmp_path_factory.mktemp("thirds") / "heart-disease"
    prepare(people(), "heart-disease", "ill", ["site"], out, [0], thirds=True)
    return out


def test_a_table_is_laid_out_in_halves_with_its_facts_and_a_drafted_dictionary(folder):
    halves = [pd.read_csv(folder / "s0" / f"{name}.csv") for name in ("train", "holdout")]
    assert [len(half) for half in halves] == [120, 120]
    facts = json.loads((folder / "s0" / "schema.json").read_text())
    assert (facts["target"], facts["site"], facts["columns"]["dose"]["decimals"]) == ("ill", "site", 1)
    dictionary = load_dictionary(folder / "dictionary.toml")
    assert dictionary.target == "ill"
    assert list(dictionary.released) == list(facts["columns"])
    assert not (folder / "whole.csv").exists()


def test_a_table_in_thirds_has_every_person_on_one_side_only_and_as_many_on_each(thirds):
    parts = [pd.read_csv(thirds / "s0" / f"{name}.csv") for name in ("train", "holdout", "fresh")]
    assert [len(part) for part in parts] == [80, 80, 80]
    together = pd.concat(parts).sort_values(list(parts[0])).reset_index(drop=True)
    whole = people().sort_values(list(parts[0])).reset_index(drop=True)
    pd.testing.assert_frame_equal(together, whole, check_dtype=False)


def test_fresh_rows_are_the_third_that_is_neither_train_nor_holdout(thirds, tmp_path, monkeypatch):
    made = peer_rows(thirds / "s0", "real-fresh", tmp_path, monkeypatch)
    pd.testing.assert_frame_equal(made, pd.read_csv(thirds / "s0" / "fresh.csv"), check_dtype=False)


def test_fresh_rows_are_run_where_they_are_asked_for_only():
    assert "real-fresh" in METHODS
    assert "real-fresh" not in DEFAULTS
    assert [run.name for run in planned(["adult-500"], ["real-fresh"], [4])] == ["adult-500/real-fresh-seed4"]


def test_every_combination_is_planned_and_ablation_stands_for_every_form():
    runs = list(planned(["wdbc"], ["ours", "gmm"], [0, 1]))
    assert [run.name for run in runs] == [
        "wdbc/ours-seed0",
        "wdbc/gmm-seed0",
        "wdbc/ours-seed1",
        "wdbc/gmm-seed1",
    ]
    assert [run.method for run in planned(["wdbc"], ["ablation"], [0])] == list(ABLATION)


def test_an_unknown_method_is_refused():
    with pytest.raises(click.BadParameter, match="unknown method gan"):
        list(planned(["wdbc"], ["gan"], [0]))


def test_every_form_can_be_made_and_an_unknown_one_is_refused(folder):
    dictionary = load_dictionary(folder / "dictionary.toml")
    for form in FORMS:
        made = synthesizer_of(form, dictionary)
        assert len(made.components) >= 1
    assert "trees" not in synthesizer_of("ours-without-trees", dictionary).components
    assert synthesizer_of("ours-only-gmm", dictionary).components == ("gmm",)
    assert synthesizer_of("ours-calibration-none", dictionary).calibration == ()
    assert synthesizer_of("ours-selector-grid", dictionary).selection == "reinforce"
    with pytest.raises(ValueError, match="expected one of"):
        settings("ours-without-doubt")


def test_the_mode_that_publishes_real_values_is_one_person_a_knot_and_no_ablation(folder):
    dictionary = load_dictionary(folder / "dictionary.toml")
    knots = {form: synthesizer_of(form, dictionary).people_per_knot for form in FORMS}
    assert (knots["ours"], knots["ours-paper"], knots["ours-paper-two"]) == (3, 1, 2)
    assert all(knots[form] == 3 for form in ABLATION)


def test_the_headline_stands_beside_its_price_and_real_rows_and_only_where_it_was_tried():
    reached = {"ks_mean": 0.0, "ks_mean_floor": 0.0642, "value_reuse": 1.0, "extremes": 54, "extremes_published": 54}
    runs = [
        {
            "table": table,
            "method": method,
            "seed": 0,
            "figures": reached if method == "ours-paper" else {"ks_mean": 0.0117},
        }
        for table, method in (("wdbc", "ours"), ("wdbc", "ours-paper"), ("adult", "ours"))
    ]
    claim, paper, ours, floor = headline(runs).strip().splitlines()[-4:]
    assert [cell.strip() for cell in claim.split("|")][2:6] == ["0.01", "0.001", "over 0.90", "0.5"]
    assert paper.startswith("| wdbc, ours, one person a knot | 0.0000 | - |")
    assert "| 1.000 | - | 54.0 | 54.0 |" in paper
    assert ours.startswith("| wdbc, **ours** | 0.0117 |")
    assert floor.startswith("| *wdbc, real holdout rows* | 0.0642 |")
    assert headline(runs[2:]) == "No run of these forms yet.\n"


def run_of(method, seed, loss, trend, floor=0.95):
    """A record with two figures in which the first is better small and the second great."""
    figures = {"n_train": 100, "nnaa_privacy_loss": loss, "pair_trend_vs_holdout": trend, "pair_trend_floor": floor}
    scores = {model: dict.fromkeys(SCORES, 0.8) for model in (*MODELS, "mean")}
    errors = {model: dict.fromkeys(SCORES, 0.02) for model in MODELS}
    figures |= {"tstr": scores, "trtr": scores, "trtr_standard_error": errors}
    return {"table": "wdbc", "method": method, "seed": seed, "figures": figures}


def row_of(text, title):
    return [[cell.strip() for cell in line.split("|")[2:-1]] for line in text.splitlines() if line.startswith(title)]


def test_ours_stands_beside_fresh_rows_with_errors_and_differences_by_seed():
    """Losses .04, .06, .08 against 0, .01, -.01: differences .04, .05, .09, mean .06, standard error .0153."""
    runs = [run_of("ours", s, loss, 0.94) for s, loss in enumerate((0.04, 0.06, 0.08))]
    runs += [run_of("real-fresh", s, loss, 0.96) for s, loss in enumerate((0.0, 0.01, -0.01))]
    overview, of_table = row_of(fresh(runs), "| NNAA privacy loss")
    assert overview == ["**0.0600 ± 0.0153**"]
    assert of_table == ["0.0500", "0.0600 ± 0.0115", "0.0000 ± 0.0058", "**0.0600 ± 0.0153**", "1 of 3", "3 of 3"]
    assert row_of(fresh(runs), "| scores within")[1][:3] == ["12.0", "12.0 ± 0.0", "12.0 ± 0.0"]


@pytest.mark.parametrize(("ours", "bold"), [((0.94, 0.93), True), ((0.96, 0.97), False)])
def test_a_trend_is_worse_where_it_is_smaller(ours, bold):
    runs = [run_of("ours", s, 0.0, trend) for s, trend in enumerate(ours)]
    runs += [run_of("real-fresh", s, 0.0, trend) for s, trend in enumerate((0.951, 0.949))]
    assert row_of(fresh(runs), "| pair trend")[0][0].startswith("**") is bold


def test_a_seed_without_its_fresh_rows_is_left_out_of_the_comparison_and_a_lone_one_has_no_error():
    runs = [run_of("ours", 0, 0.04, 0.95), run_of("ours", 1, 0.9, 0.95), run_of("real-fresh", 0, 0.01, 0.95)]
    assert row_of(fresh(runs), "| NNAA privacy loss")[0] == ["0.0300"]
    assert "1 seeds" not in fresh(runs)
    assert "No run yet." in fresh([])


def test_a_mean_of_ten_cuts_is_in_bold_where_it_is_beyond_its_limit_by_more_than_chance():
    """Against .05: .06, .07, .08 lie two hundredths beyond with an error of .0058, .04, .06, .08 one with .0115."""
    far = [run_of("ours", s, loss, 0.95) for s, loss in enumerate((0.06, 0.07, 0.08))]
    near = [run_of("gmm", s, loss, 0.95) for s, loss in enumerate((0.04, 0.06, 0.08))]
    other = [run_of("smote", 0, 0.9, 0.95)]
    text = fresh([], [*far[:1], *near[:1], *other], far[1:] + near[1:])
    assert "| goal | limit | **ours** (3) | GMM per class (3) |" in text
    assert row_of(text, "| NNAA privacy loss") == [["0.0500", "**0.0700 ± 0.0058**", "0.0600 ± 0.0115"]]


def test_a_grid_holds_every_weighting_in_thirds_and_the_even_one():
    points = list(lattice(3))
    assert len(points) == 10 + 1
    assert all(point.sum() == pytest.approx(1.0) for point in points)
    assert [0.0, 2 / 3, 1 / 3] in [point.tolist() for point in points]


@pytest.mark.parametrize("selector", ["single", "grid", "bayesian"])
def test_a_search_chooses_the_best_point_that_it_evaluated(selector):
    class Reward:
        """Best at two thirds of the first of three components."""

        def __call__(self, weights, rng, effort=1):
            return -float(np.abs(weights - np.array([2 / 3, 1 / 3, 0.0])).sum()), None

    trace = searched(selector, ("a", "b", "c"), Reward(), np.random.default_rng(0))
    best = max(point.reward for point in trace.points)
    assert trace.points[trace.chosen].reward == best
    if selector == "grid":
        assert trace.weights == pytest.approx({"a": 2 / 3, "b": 1 / 3, "c": 0.0})
    if selector == "single":
        assert trace.weights == {"a": 1.0, "b": 0.0, "c": 0.0}


def test_gaps_go_into_a_flag_and_a_level_and_come_back(folder):
    table = Table(folder / "s0" / "train.csv", folder / "s0" / "schema.json")
    complete = table.complete()
    assert not complete.isna().any().any()
    assert table.levels_of(complete) == ["site", "dose__missing_flag"]
    pd.testing.assert_frame_equal(table.restored(complete), table.rows, check_dtype=False)
    assert len(Table(folder / "s0" / "train.csv", folder / "s0" / "schema.json", 50).rows) == 50


def test_class_sizes_add_up_to_the_rows_that_are_wanted():
    sizes = class_sizes(np.array(["a"] * 30 + ["b"] * 10, dtype=object), 100, np.random.default_rng(0))
    assert sum(sizes.values()) == 100
    assert sizes["a"] > sizes["b"]


def peer_rows(split, method, out, monkeypatch):
    """What a peer makes, as many rows as it was given."""
    rows = len(pd.read_csv(split / "train.csv"))
    command = ["fit_classic", "--method", method, "--rows", rows, "--seed", "0"]
    command += ["--train", split / "train.csv", "--schema", split / "schema.json"]
    command += ["--out", out / "made.csv", "--report", out / "fit.json"]
    monkeypatch.setattr(sys, "argv", [str(word) for word in command])
    fit_classic.main()
    return pd.read_csv(out / "made.csv")


@pytest.mark.parametrize("method", [method for method in fit_classic.METHODS if method != "real-fresh"])
def test_every_classic_peer_makes_a_table_of_the_same_columns(folder, tmp_path, method, monkeypatch):
    split = folder / "s0"
    made, train = peer_rows(split, method, tmp_path, monkeypatch), pd.read_csv(split / "train.csv")
    assert list(made.columns) == list(train.columns)
    assert len(made) == 120
    assert set(made["ill"]) <= {"yes", "no"}
    assert json.loads((tmp_path / "fit.json").read_text())["versions"]["numpy"] == np.__version__
    if method == "smote":
        assert not made.duplicated().all()
        assert made["age"].between(train["age"].min(), train["age"].max()).all()


@pytest.mark.slow
def test_a_run_of_ours_is_recorded_with_its_settings_cost_and_figures_and_shown(folder, tmp_path):
    run = Run("heart-disease", "ours-only-gmm", 0)
    record = json.loads(json.dumps(carry_out(run, folder, tmp_path, Limits(), tmp_path), allow_nan=False))
    assert record["outcome"] == "finished", (tmp_path / "fit.log").read_text()
    assert record["settings"]["weights"] == {"gmm": 1.0}
    assert record["figures"]["n_synth"] == 120
    assert record["cost"]["peak_mb"] > 50
    assert not stale(record)
    assert stale(record | {"source": "another"})
    assert "tstr" in told(record)
    default = record | {"method": "ours"}
    text = page([default, record | {"method": "gmm", "settings": {}}])
    assert "| **ours** |" in text
    assert "GMM per class" in text
    assert "| gmm |" in ablation([default, record])
    plot([default], tmp_path / "figures.svg")
    assert (tmp_path / "figures.svg").stat().st_size > 1000


@pytest.mark.slow
def test_a_fit_that_fails_is_a_result_and_listed(folder, tmp_path):
    record = carry_out(Run("heart-disease", "ours-no-such-form", 0), folder, tmp_path, Limits(), tmp_path)
    assert record["outcome"].startswith("failed with exit code 1")
    assert "figures" not in record
    assert told(record) == record["outcome"]
    assert "- heart-disease, ours-no-such-form, seed 0: failed with exit code 1" in page([record])
