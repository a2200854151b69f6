"""Train on synthetic, test on real."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, recall_score, roc_auc_score

from audit.learners import LEARNERS, Prediction, predict
from audit.measures import utility as module
from audit.measures.utility import NAMES, utility
from audit.tables import AuditTables
from policies import Measurement
from tests.audit.tables import declare, levels, patients, put_together


def measure(tables: AuditTables, rng: np.random.Generator) -> dict[str, Measurement]:
    return {m.name: m for m in utility(tables, rng)}


@pytest.mark.slow
def test_train_itself_leaves_no_gap(rng: np.random.Generator) -> None:
    """Only the models' own draws differ: within 0.03 of no gap."""
    train, holdout = patients(250, rng), patients(250, rng)
    found = measure(put_together(train, holdout, train.copy(), target="outcome"), rng)
    assert tuple(found) == NAMES
    assert abs(found["utility_gap"].value) < 0.03
    assert 0.6 < found["tstr_auc"].value < 0.95
    assert all(m.lower <= m.value <= m.upper for m in found.values())


@pytest.mark.slow
def test_a_release_with_shuffled_outcomes_teaches_nothing(rng: np.random.Generator) -> None:
    """Shuffled outcomes give areas around 0.5 with a spread of 0.1 from shuffle to shuffle; the truth is near 0.8."""
    train, holdout = patients(300, rng), patients(300, rng)
    released = train.assign(outcome=train["outcome"].array[rng.permutation(300)])
    found = measure(put_together(train, holdout, released, target="outcome", confidence=0.999), rng)
    assert found["utility_gap"].lower > 0
    assert found["utility_gap"].value == pytest.approx(found["trtr_auc"].value - found["tstr_auc"].value)


def test_figures_are_scikit_learns(rng: np.random.Generator) -> None:
    truth = rng.choice(3, 200, p=[0.6, 0.3, 0.1])
    probability = rng.dirichlet(np.ones(3), 200) + 0.5 * np.eye(3)[truth]
    probability /= probability.sum(axis=1, keepdims=True)
    choice = probability.argmax(axis=1)
    arm = module._Arm.of([Prediction(probability, choice)], truth)
    found = module._figures(arm, truth, np.arange(200), 0.95, rng)
    assert found["accuracy"][0] == pytest.approx((choice == truth).mean())
    assert found["macro_f1"][0] == pytest.approx(f1_score(truth, choice, average="macro"))
    recalls = recall_score(truth, choice, average=None)
    assert found["g_mean"][0] == pytest.approx(np.prod(recalls) ** (1 / 3))
    assert found["auc"][0] == pytest.approx(roc_auc_score(truth, probability, multi_class="ovr"))
    assert all(low <= value <= high for value, (low, high) in found.values())


def test_a_class_never_found_makes_the_g_mean_zero() -> None:
    counts = module._confusion(np.array([[0, 0, 0, 0]]), np.array([0, 0, 0, 1]), np.ones(4))
    macro, geometric = module._of_confusion(counts)
    assert geometric == 0.0
    assert macro == pytest.approx((2 * 3 / (3 + 4) + 0) / 2)


@pytest.mark.parametrize("learner", LEARNERS)
def test_learners_take_missing_values_and_classes_train_lacks(learner: str, rng: np.random.Generator) -> None:
    fit, test = patients(80, rng), patients(40, rng)
    fit["enzyme"] = np.where(rng.random(80) < 0.5, np.nan, fit["enzyme"])
    grade = levels(rng.choice(["low", "high"], 80), ["low", "middle", "high"])
    fit, test = fit.assign(grade=grade), test.assign(grade=levels(["middle"] * 40, ["low", "middle", "high"]))
    found = predict(learner, fit, test, declare(fit, target="grade"), rng)  # type: ignore[arg-type]
    assert found.probability.shape == (40, 3)
    assert not found.probability[:, 1].any()
    assert np.isfinite(found.probability).all()


@pytest.mark.parametrize("learner", LEARNERS)
def test_a_release_of_one_class_predicts_that_class(learner: str, rng: np.random.Generator) -> None:
    fit, test = patients(30, rng), patients(20, rng)
    fit["outcome"] = levels(["ill"] * 30, ["well", "ill"])
    found = predict(learner, fit, test, declare(fit, target="outcome"), rng)  # type: ignore[arg-type]
    assert found.choice.tolist() == [1] * 20


def test_rows_without_outcome_neither_teach_nor_test(rng: np.random.Generator) -> None:
    frames = [patients(60, rng) for _ in range(3)]
    for frame in frames:
        frame.loc[:19, "outcome"] = np.nan
    found = measure(put_together(*frames, target="outcome"), rng)
    assert found["tstr_auc"].n == 40


def test_no_target_or_one_class_of_it_decides_nothing(rng: np.random.Generator) -> None:
    frames = [patients(40, rng) for _ in range(3)]
    assert all("no target" in m.reason for m in utility(put_together(*frames), rng))
    frames[1]["outcome"] = levels(["ill"] * 40, ["well", "ill"])
    found = utility(put_together(*frames, target="outcome"), rng)
    assert tuple(m.name for m in found) == NAMES
    assert all(m.status == "inconclusive" and "two classes" in m.reason for m in found)


def test_only_the_target_leaves_no_features_and_no_error(rng: np.random.Generator) -> None:
    frames = [pd.DataFrame({"outcome": patients(40, rng)["outcome"]}) for _ in range(3)]
    assert measure(put_together(*frames, target="outcome"), rng)["tstr_auc"].value == pytest.approx(0.5)
