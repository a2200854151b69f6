"""Does the evaluator say what can be worked out by hand, and what an independent one says?"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from scipy.spatial.distance import cdist

from benchmarks.hybrid.evaluate import evaluate, main, train_on_real
from benchmarks.hybrid.fidelity import conditional, correlation_difference, one_way, pair_trend, three_way
from benchmarks.hybrid.models import predictions, scores, two_sample_auc
from benchmarks.hybrid.privacy import Encoder, adversarial_accuracy, copies, nearest, reuse
from benchmarks.hybrid.reading import MISSING, Columns, read, sampled, spelled

COLUMNS = Columns.of(["sex", "age", "dose", "ill"], ["sex"], "ill")
TINY = Columns.of(["sex", "age", "ill"], ["sex"], "ill")

# What a second, independently written evaluator says of the tables of ``_people`` with seeds 0, 1, 2, at seed 3.
KNOWN = {
    "ks_mean": 0.1237719298245614,
    "ks_max": 0.16421052631578947,
    "w1_mean": 0.04766971777269259,
    "w1_max": 0.066812865497076,
    "tvd_mean": 0.045,
    "tvd_max": 0.07833333333333334,
    "ks_mean_vs_holdout": 0.07937306501547987,
    "w1_mean_vs_holdout": 0.026056557634495443,
    "tvd_mean_vs_holdout": 0.05,
    "corr_diff": 0.12231511985489563,
    "missing_rate_diff": 0.03666666666666667,
    "out_of_train_range": 0.0,
    "unseen_level_rate": 0.0,
    "nnaa_train": 0.49,
    "nnaa_holdout": 0.375,
    "nnaa_privacy_loss": -0.115,
    "dcr_share": 0.46,
    "dcr_median_train": 0.2504700869321823,
    "dcr_median_holdout": 0.2533656251249943,
    "dcr_p5_train": 0.050094008445739746,
    "dcr_p5_holdout": 0.0,
    "dup_rate_train": 0.03,
    "dup_rate_holdout": 0.09,
    "mia_auc": 0.4724305555555555,
    "mia_tpr_at_fpr10": 0.025,
}


def _people(rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.integers(20, 90, rows).astype(float)
    dose = np.where(rng.random(rows) < 0.2, np.nan, np.round(rng.random(rows) * 2.5 + age / 50, 1))
    sex = np.where(rng.random(rows) < 0.1, None, rng.choice(["f", "m"], rows))
    ill = np.where(age + 20 * rng.random(rows) > 65, 1, 0)
    return pd.DataFrame({"sex": sex, "age": age, "dose": dose, "ill": ill})


def _tiny(rows: list[tuple[str, float, str]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["sex", "age", "ill"]).astype({"sex": object, "ill": object})


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people") / "s3"
    folder.mkdir()
    for seed, (name, rows) in enumerate({"train": 120, "holdout": 120, "synthetic": 100}.items()):
        _people(rows, seed).to_csv(folder / f"{name}.csv", index=False)
    facts = {"target": "ill", "categorical": ["sex"], "site": "sex", "columns": {name: {} for name in COLUMNS.names}}
    (folder / "schema.json").write_text(json.dumps(facts))
    return folder


def _tables(split):
    return [read(split / f"{name}.csv", COLUMNS) for name in ("train", "holdout", "synthetic")]


@pytest.mark.slow
def test_every_figure_is_what_an_independent_evaluator_says_of_the_same_tables(split, tmp_path):
    out, trtr = tmp_path / "figures.json", tmp_path / "trtr.json"
    arguments = ["--split", split, "--synthetic", split / "synthetic.csv", "--seed", 3, "--trtr", trtr, "--out", out]
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    figures = json.loads(out.read_text())
    assert {name: figures[name] for name in KNOWN} == pytest.approx(KNOWN, abs=1e-9)
    assert (figures["n_train"], figures["n_synth"], figures["n_numeric"], figures["n_categorical"]) == (120, 100, 2, 2)
    assert figures["trtr"] == json.loads(trtr.read_text())["trtr"]
    assert figures["within_site_ks"] is not None


@pytest.mark.slow
def test_train_in_the_place_of_synthetic_rows_is_its_own_floor_and_gives_everything_away(split):
    train, holdout, _ = _tables(split)
    figures = evaluate(train, holdout, train, COLUMNS, 0, train_on_real(train, holdout, COLUMNS, 0), "sex")
    for name in ("ks_mean", "w1_mean", "tvd_mean", "corr_diff", "pair_trend"):
        assert figures[f"{name}_vs_holdout"] == figures[f"{name}_floor"]
    for name in ("three_way_tvd", "within_class_ks", "within_class_tvd", "within_site_w1"):
        assert figures[name] == figures[f"{name}_floor"]
    assert (figures["ks_mean"], figures["corr_diff"], figures["pair_trend"]) == (0.0, 0.0, 1.0)
    assert (figures["nnaa_train"], figures["dup_rate_train"], figures["value_reuse"]) == (0.0, 1.0, 1.0)
    assert figures["dcr_share"] > 0.9
    assert figures["mia_auc"] > 0.9
    assert figures["tstr"] == figures["trtr"]


def test_cells_are_read_alike_however_they_are_written(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("ill,sex,age\n1.0,None,30\n1,,\n0, f ,nan\n")
    table = read(path, TINY)
    assert table["ill"].tolist() == ["1", "1", "0"]
    assert table["sex"].tolist() == ["None", MISSING, "f"]
    assert table["age"].isna().tolist() == [False, True, True]
    assert [spelled(value) for value in (True, 2.0, "2.50", np.nan)] == ["True", "2", "2.5", MISSING]


def test_a_file_that_lacks_a_column_is_refused_by_its_name(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("sex,ill\nf,1\n")
    with pytest.raises(ValueError, match="missing are age"):
        read(path, TINY)


def test_a_sample_keeps_the_order_of_rows():
    table = pd.DataFrame({"age": np.arange(50.0)})
    drawn = sampled(table, 10, np.random.default_rng(0))["age"]
    assert len(drawn) == 10
    assert drawn.is_monotonic_increasing
    assert sampled(table, 50, np.random.default_rng(0)) is table


def test_one_way_distances_are_those_worked_out_by_hand():
    real = _tiny([("f", 0.0, "0"), ("f", 10.0, "0"), ("m", 10.0, "1"), ("m", 20.0, "1")])
    made = _tiny([("f", 10.0, "0"), ("m", 10.0, "0"), ("m", 20.0, "0"), (MISSING, 20.0, "1")])
    ks, wasserstein, variation = one_way(real, real, made, TINY)
    assert ks == {"age": pytest.approx(0.25)}
    assert wasserstein == {"age": pytest.approx(5.0 / 20.0)}
    assert variation == {"sex": pytest.approx(0.25), "ill": pytest.approx(0.25)}
    empty = made.assign(age=np.nan)
    assert one_way(real, real, empty, TINY)[0] == {"age": 1.0}


def test_a_pair_trend_counts_a_flipped_correlation_as_nothing_and_levels_by_their_joint_table():
    columns = Columns.of(["a", "b"], [], "")
    left = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [1.0, 2.0, 3.0]})
    right = left.assign(b=[3.0, 2.0, 1.0])
    assert pair_trend(left, right, columns) == pytest.approx(0.0)
    assert correlation_difference(left, right, ["a", "b"]) == pytest.approx(2.0)
    assert correlation_difference(left, right, ["a"]) is None
    levels = Columns.of(["a", "b"], ["a", "b"], "")
    here = pd.DataFrame({"a": list("xxyy"), "b": list("pqpq")})
    there = pd.DataFrame({"a": list("xxyy"), "b": list("ppqq")})
    assert pair_trend(here, there, levels) == pytest.approx(0.5)


def test_three_way_tables_see_what_pairs_do_not():
    rows = [(a, b, a ^ b) for a in (0, 1) for b in (0, 1)] * 10
    real = pd.DataFrame(rows, columns=["a", "b", "c"]).astype(str).astype(object)
    every = [(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)] * 5
    even = pd.DataFrame(every, columns=["a", "b", "c"]).astype(str).astype(object)
    columns = Columns.of(["a", "b", "c"], ["a", "b", "c"], "c")
    assert pair_trend(real, even, columns) == pytest.approx(1.0)
    assert three_way(real, real, {"self": real, "even": even}, columns) == pytest.approx({"self": 0.0, "even": 0.5})


def test_errors_within_classes_see_numbers_that_swapped_their_class_and_a_class_that_is_gone():
    ages = np.arange(20.0)
    real = _tiny([("f", age, "0") for age in ages] + [("f", age + 100, "1") for age in ages])
    swapped = real.assign(ill=["1"] * 20 + ["0"] * 20)
    assert one_way(real, real, swapped, TINY)[0] == {"age": 0.0}
    assert conditional(real, real, swapped, TINY, "ill") == {"ks": 1.0, "w1": pytest.approx(100 / 119), "tvd": 0.0}
    gone = real.assign(ill="0")
    assert conditional(real, real, gone, TINY, "ill")["tvd"] == pytest.approx(0.5)
    assert conditional(real[:30], real, real, TINY, "ill")["ks"] == 0.0  # the class of ten tells nothing
    assert conditional(real[:5], real, real, TINY, "ill") == {"ks": None, "w1": None, "tvd": None}


def test_nearest_distances_are_those_of_scipy_and_a_row_is_not_its_own_neighbour():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((40, 5)).astype(np.float32), rng.standard_normal((30, 5)).astype(np.float32)
    assert nearest(a, b) == pytest.approx(cdist(a, b).min(axis=1), abs=1e-6)
    own = cdist(a, a)
    np.fill_diagonal(own, np.inf)
    assert nearest(a, a, leave_self=True) == pytest.approx(own.min(axis=1), abs=1e-6)


def test_adversarial_accuracy_is_nothing_for_copies_and_one_for_strangers():
    points = np.array([[0.0], [10.0], [20.0]], dtype=np.float32)
    assert adversarial_accuracy(points, points + 1) == 0.0
    assert adversarial_accuracy(points, points + 1000) == 1.0
    # of the real points only 20 is nearer to its own kind, of the others only 1000 and 1001
    assert adversarial_accuracy(points, np.array([[1.0], [1000.0], [1001.0]], dtype=np.float32)) == pytest.approx(0.5)


def test_rows_become_points_on_the_scale_of_train_with_gaps_flagged():
    train = _tiny([("f", 0.0, "0"), ("m", 2.0, "1")])
    other = _tiny([("f", np.nan, "0")])
    encode = Encoder(train, [other], TINY)
    assert encode(train).tolist() == [[-1, 0, 1, 0, 1, 0], [1, 0, 0, 1, 0, 1]]
    assert encode(other).tolist() == [[0, 1, 1, 0, 1, 0]]


def test_copies_values_and_extremes_are_counted_beyond_what_the_holdout_has():
    train = _tiny([("f", 1.0, "0"), ("m", 5.0, "1"), ("m", 5.0, "0"), ("f", 9.25, "1")])
    holdout = _tiny([("f", 1.0, "0"), ("m", 6.0, "1"), ("m", 7.0, "0"), ("f", 8.0, "1")])
    made = _tiny([("f", 1.0, "0"), ("f", 9.2500000001, "1"), ("m", 5.0, "0"), ("m", 7.5, "1")])
    assert copies(train, holdout, made, TINY) == {"dup_rate_train": 0.75, "dup_rate_holdout": 0.25, "dup_excess": 0.5}
    found = reuse(train, holdout, made, TINY)
    assert (found["value_reuse"], found["value_reuse_holdout"], found["value_reuse_excess"]) == (0.75, 0.25, 0.5)
    assert found["value_reuse_gap"] == 0.5
    assert (found["extremes"], found["extremes_published"]) == (1, 1)  # the minimum is in the holdout too
    assert (found["extremes_holdout"], found["extremes_by_chance"]) == (1, 0)
    assert reuse(train, holdout, holdout, TINY)["value_reuse_excess"] == 0.0
    nothing = reuse(train[["sex", "ill"]], holdout, made, Columns.of(["sex", "ill"], ["sex"], "ill"))
    assert nothing["value_reuse"] is None


@pytest.mark.slow
def test_a_classifier_tells_shifted_rows_and_not_the_same_rows(split):
    train, holdout, _ = _tables(split)
    assert two_sample_auc(train, train, COLUMNS, 0) < 0.5
    assert two_sample_auc(train, train.assign(age=train["age"] + 200), COLUMNS, 0) > 0.99
    assert abs(two_sample_auc(train, holdout, COLUMNS, 0) - 0.5) < 0.15  # four standard errors of an AUC


@pytest.mark.slow
def test_models_of_one_class_or_of_nothing_but_gaps_are_worth_a_coin_flip_or_work_without(split):
    train, holdout, _ = _tables(split)
    alone = scores(predictions(train.assign(ill="0"), holdout, COLUMNS, 0))["mean"]
    assert (alone["roc_auc"], alone["g_mean"]) == (0.5, 0.0)
    unseen = scores(predictions(train.assign(ill="9"), holdout, COLUMNS, 0))["mean"]
    assert (unseen["roc_auc"], unseen["accuracy"]) == (0.5, 0.0)
    without = scores(predictions(train.assign(dose=np.nan, sex="f"), holdout, COLUMNS, 0))["mean"]
    assert without["roc_auc"] > 0.9


@pytest.mark.slow
def test_standard_errors_are_those_of_a_share(split):
    train, holdout, _ = _tables(split)
    known = train_on_real(train, holdout, COLUMNS, 0)
    share = known["trtr"]["lr"]["accuracy"]
    expected = float(np.sqrt(share * (1 - share) / len(holdout)))
    # 100 resamples: the standard error's own relative error is 7 %, four of them allowed
    assert known["trtr_standard_error"]["lr"]["accuracy"] == pytest.approx(expected, rel=0.28)
