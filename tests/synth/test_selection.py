"""What the reward pays for, what it punishes, and what selection may see."""

from __future__ import annotations

import inspect
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from synth.selection import Fold, Rows, SelectionTrace, select, unselected
from synth.selection.distances import Distances
from synth.selection.joint import Bins, auc, leaf_discrepancy, pair_discrepancy
from synth.selection.reward import Reward
from synth.selection.search import gaussian_process, reinforce, softmax

Floats = NDArray[np.float64]
LOWER = np.linalg.cholesky(0.6 * np.ones((4, 4)) + 0.4 * np.eye(4))


def rows(n: int, rng: np.random.Generator, *, joint: bool = True) -> Rows:
    """Four columns correlated by 0.6, or not at all, and a class that goes with the first."""
    scores = rng.normal(size=(n, 4)) @ (LOWER.T if joint else np.eye(4))
    return Rows(scores, (scores[:, 0] + rng.normal(size=n) > 0).astype(np.int64))


def fold(rng: np.random.Generator, n: int = 120) -> Fold:
    """Pools: fresh rows, rows without dependence, and copies of the fit rows under a little noise."""
    fit = rows(n, rng)
    again = rng.integers(n, size=4 * n)
    copies = Rows(fit.scores[again] + 0.03 * rng.normal(size=(4 * n, 4)), fit.classes[again])
    return Fold(fit, rows(n, rng), (rows(4 * n, rng), rows(4 * n, rng, joint=False), copies))


@pytest.fixture(scope="module")
def folds() -> list[Fold]:
    rng = np.random.default_rng(1)
    return [fold(rng), fold(rng)]


NAMES = ("model", "independent", "copies")


@pytest.fixture(scope="module")
def trace(folds: list[Fold]) -> SelectionTrace:
    return select(NAMES, folds, np.random.default_rng(2))


@pytest.mark.slow
def test_selection_refuses_copies_and_independence(trace: SelectionTrace) -> None:
    assert trace.weights["copies"] < 0.2
    assert trace.weights["independent"] < 0.35
    assert trace.points[trace.chosen].terms is not None


def test_copies_are_caught_by_every_privacy_term(folds: list[Fold]) -> None:
    reward = Reward.of(folds, np.random.default_rng(3))
    _, model = reward(np.array([1.0, 0, 0]), np.random.default_rng(4))
    _, copies = reward(np.array([0, 0, 1.0]), np.random.default_rng(4))
    assert copies.nnaa_loss > 0.3
    assert copies.dcr_share > 0.9
    assert copies.membership > 0.7
    assert copies.violation > 0.5
    assert model.violation < 0.1


def test_selection_has_no_way_to_a_holdout() -> None:
    """(I-13): it takes folds, made of rows of the table given to fit, and nothing else."""
    assert list(inspect.signature(select).parameters) == ["names", "folds", "rng", "tolerance"]
    assert set(Fold.__dataclass_fields__) == {"fit", "validation", "pools"}


@pytest.mark.slow
def test_the_trace_holds_every_point_and_the_plain_comparison(trace: SelectionTrace) -> None:
    sources = [point.source for point in trace.points]
    assert sources.count("single") == 3
    assert sources.count("uniform") == 1
    assert sources.count("reinforce") == 72
    assert sources.count("gaussian_process") == 16
    assert set(trace.comparison()) == {"single", "uniform", "reinforce", "gaussian_process"}
    assert all(abs(sum(point.weights.values()) - 1.0) < 1e-9 for point in trace.points)
    assert json.loads(json.dumps(trace.to_dict(), allow_nan=False))["chosen"] == trace.chosen


@pytest.mark.slow
def test_the_chosen_point_is_one_that_was_evaluated_and_no_worse_than_any_single(trace: SelectionTrace) -> None:
    chosen = trace.points[trace.chosen].reward
    assert chosen is not None
    assert all(chosen >= (point.reward or 0) - 0.05 for point in trace.points if point.source == "single")


@pytest.mark.slow
def test_equal_generators_select_alike(folds: list[Fold]) -> None:
    first, second = (select(NAMES, folds[:1], np.random.default_rng(7)) for _ in range(2))
    assert first == second


def test_given_weights_are_no_selection() -> None:
    assert unselected(["a", "b"], None, "why").weights == {"a": 0.5, "b": 0.5}
    given_ = unselected(["a", "b"], {"a": 1.0, "b": 3.0}, "why")
    assert given_.weights == {"a": 1.0, "b": 3.0}
    assert given_.comparison() == {}
    assert given_.reason == "why"


# -- the terms ------------------------------------------------------------------------------------------


def test_nnaa_and_membership_agree_with_a_plain_computation() -> None:
    rng = np.random.default_rng(5)
    fit, validation, pool = rng.normal(size=(40, 3)), rng.normal(size=(40, 3)), rng.normal(size=(90, 3))
    chosen = rng.permutation(90)[:40]
    loss, membership = Distances.of(fit, validation, pool).of_mixture(chosen)

    def accuracy(real: Floats, made: Floats) -> float:
        among_real, among_made = cdist(real, real), cdist(made, made)
        np.fill_diagonal(among_real, np.inf)
        np.fill_diagonal(among_made, np.inf)
        across = cdist(real, made)
        left = (across.min(axis=1) > among_real.min(axis=1)).mean()
        return float(left + (across.min(axis=0) > among_made.min(axis=1)).mean()) / 2

    assert loss == pytest.approx(accuracy(validation, pool[chosen]) - accuracy(fit, pool[chosen]))
    near_fit, near_validation = cdist(fit, pool[chosen]).min(axis=1), cdist(validation, pool[chosen]).min(axis=1)
    wins = (near_fit[:, None] < near_validation[None, :]).mean()
    assert membership == pytest.approx(float(wins), abs=1e-3)


def test_discrepancies_are_nothing_between_fresh_samples_and_much_without_dependence() -> None:
    """Means over 6 draws; their standard errors are under a quarter of the bounds."""
    found: dict[str, list[float]] = {"pair fresh": [], "pair broken": [], "leaf fresh": [], "leaf broken": []}
    for seed in range(6):
        rng = np.random.default_rng(seed)
        wanted, pools = rows(300, rng), [rows(1_200, rng), rows(1_200, rng, joint=False)]
        bins = Bins.of(wanted.scores, 2)
        pairs = pair_discrepancy([bins.indicators(pool) for pool in pools], bins.indicators(wanted), bins.blocks)
        leaves = leaf_discrepancy(pools, wanted, 2, rng)
        for name, form in (("pair", pairs), ("leaf", leaves)):
            found[f"{name} fresh"].append(form.squared(np.array([1.0, 0.0])))
            found[f"{name} broken"].append(form.squared(np.array([0.0, 1.0])))
    means = {name: float(np.mean(values)) for name, values in found.items()}
    assert abs(means["pair fresh"]) < 0.01
    assert abs(means["leaf fresh"]) < 0.03
    assert means["pair broken"] > 5 * abs(means["pair fresh"])
    assert means["leaf broken"] > 5 * abs(means["leaf fresh"])


def test_bins_never_split_ties() -> None:
    scores = np.repeat([[0.0], [1.0], [2.0]], [50, 30, 20], axis=0)
    bins = Bins.of(scores, 1)
    assert bins.indicators(Rows(scores, np.zeros(100, dtype=np.int64))).sum(axis=0).tolist() == [50, 30, 20, 100]
    assert bins.blocks.tolist() == [0, 0, 0, 1]


@given(hnp.arrays(np.float64, 12, elements=st.integers(0, 5).map(float)), st.integers(1, 2**12 - 2))
def test_auc_counts_pairs(score: Floats, bits: int) -> None:
    positive = np.array([bits >> k & 1 for k in range(12)], dtype=np.bool_)
    a, b = score[positive][:, None], score[~positive][None, :]
    assert auc(score, positive) == pytest.approx(float(((a > b) + 0.5 * (a == b)).mean()))


# -- the searches ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("search", ["reinforce", "gaussian_process"])
def test_searches_climb_a_hill_inside_the_simplex(search: str) -> None:
    top = np.array([0.5, 0.4, 0.05, 0.05])
    seen: list[tuple[float, Floats]] = []

    def evaluate(weights: Floats) -> float:
        seen.append((-float(((weights - top) ** 2).sum()), weights))
        return seen[-1][0]

    corners = np.eye(4)
    rewards = np.array([evaluate(corner) for corner in corners])
    if search == "reinforce":
        reinforce(evaluate, rewards, np.random.default_rng(0))
    else:
        gaussian_process(evaluate, corners, rewards, np.random.default_rng(0))
    assert max(seen, key=lambda pair: pair[0])[0] > -0.03
    assert all(abs(weights.sum() - 1.0) < 1e-9 and (weights >= 0).all() for _, weights in seen)


@given(hnp.arrays(np.float64, 5, elements=st.floats(-500, 500)))
def test_softmax_lands_on_the_simplex(logits: Floats) -> None:
    weights = softmax(logits)
    assert weights.sum() == pytest.approx(1.0)
    assert (weights >= 0).all()
