"""How rows are allotted to classes, strata and components, and who is split from whom."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from synth.balance import ClassBalance, largest_remainder
from synth.errors import SynthesisError
from synth.folds import split_people
from synth.mixture import Mixture
from synth.strata import Strata

counts = st.lists(st.integers(1, 500), min_size=1, max_size=12)


def target(codes: list[int], levels: str = "abcd", *, ordered: bool = False) -> pd.Series:
    kind = pd.CategoricalDtype(list(levels), ordered=ordered)
    return pd.Series(pd.Categorical.from_codes(codes, dtype=kind))


@given(counts, st.integers(1, 2_000))
def test_largest_remainder_adds_up_and_is_never_off_by_one(rows: list[int], total: int) -> None:
    shares = np.array(rows) / sum(rows)
    allotted = largest_remainder(shares, total)
    assert allotted.sum() == total
    assert (np.abs(allotted - shares * total) < 1.0 + 1e-9).all()


def test_largest_remainder_by_hand() -> None:
    """Shares of 10: 4.7, 3.1 and 2.2 give 4, 3 and 2; the one that is left goes to 0.7."""
    assert largest_remainder(np.array([0.47, 0.31, 0.22]), 10).tolist() == [5, 3, 2]


large_counts = st.lists(st.integers(11, 500), min_size=1, max_size=12)


@given(large_counts, st.integers(12, 300))
def test_no_large_class_is_dropped_while_there_are_rows_for_all(rows: list[int], total: int) -> None:
    labels = np.repeat(np.arange(len(rows)), rows)
    balance, _ = ClassBalance.fit(target(labels.tolist(), "abcdefghijkl"), len(labels), minimum_people=11)
    allotted = balance.allot(total)
    assert allotted.sum() == total
    assert (allotted >= 1).all()


def test_a_missing_target_is_a_class_and_no_target_is_one_class() -> None:
    balance, places = ClassBalance.fit(target([-1] * 20 + [1] * 30), 50, minimum_people=11)
    assert balance.codes.tolist() == [-1, 1]
    assert np.bincount(places).tolist() == [20, 30]
    assert ClassBalance.fit(None, 50, minimum_people=11)[0].rows.tolist() == [50]


def test_a_class_of_few_people_is_not_released_and_counts_as_its_neighbour_or_as_the_largest() -> None:
    labels = [0] * 40 + [1] * 30 + [2] * 10
    ordered, near = ClassBalance.fit(target(labels, ordered=True), 80, minimum_people=11)
    nominal, large = ClassBalance.fit(target(labels), 80, minimum_people=11)
    assert ordered.codes.tolist() == nominal.codes.tolist() == [0, 1]
    assert np.bincount(near).tolist() == ordered.rows.tolist() == [40, 40]
    assert np.bincount(large).tolist() == nominal.rows.tolist() == [50, 30]
    assert ordered.allot(8).tolist() == [4, 4]
    assert ClassBalance.fit(target(labels), 80, minimum_people=10)[0].rows.tolist() == [40, 30, 10]


def test_many_rows_of_few_people_are_few() -> None:
    people = np.concatenate([np.arange(40), np.full(40, 40)])
    balance, _ = ClassBalance.fit(target([0] * 40 + [1] * 40), 80, minimum_people=11, people=people)
    assert balance.codes.tolist() == [0]


def test_a_target_of_rare_classes_alone_is_refused() -> None:
    with pytest.raises(SynthesisError, match="no class of the target is held by 11 people"):
        ClassBalance.fit(target([0] * 8 + [1] * 9), 17, minimum_people=11)


@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.integers(1, 6))
def test_nobody_is_on_both_sides_of_a_split(seed: int, people: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    owners = np.repeat(np.arange(people), rng.integers(1, most + 1, people))
    rng.shuffle(owners)
    left, right = split_people(rng.integers(0, 3, len(owners)), owners, rng, at_most=40)
    assert set(owners[left]).isdisjoint(owners[right])
    assert max(len(left), len(right)) <= 40


def test_a_split_shares_every_class_evenly() -> None:
    classes = np.repeat([0, 1], [300, 21])
    left, right = split_people(classes, None, np.random.default_rng(0), at_most=1_000)
    assert len(left) + len(right) == 321
    assert abs((classes[left] == 1).sum() - (classes[right] == 1).sum()) <= 1


# -- strata ------------------------------------------------------------------------------------------------------------


def two_clouds(n: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Column 0 is a coin that shifts columns 1 to 3; column 4 is a coin that goes with nothing."""
    coins = np.where(rng.random((n, 2)) < 0.5, -1.0, 1.0)
    scores = np.column_stack([coins[:, 0], rng.normal(size=(n, 3)) + 1.5 * coins[:, :1], coins[:, 1]])
    return scores, np.zeros(n, dtype=np.int64)


def test_strata_follow_the_coin_that_matters_and_not_the_other() -> None:
    rng = np.random.default_rng(1)
    scores, classes = two_clouds(600, rng)
    strata, codes = Strata.fit(scores, classes, [(0, 0.0), (4, 0.0)], rng)
    assert [split[1] for split in strata.splits] == [0]
    assert np.array_equal(codes == 1, scores[:, 0] > 0)
    assert np.array_equal(strata.assign(scores, classes), codes)


def test_no_stratum_is_smaller_than_the_least_number_of_people() -> None:
    rng = np.random.default_rng(2)
    scores, classes = two_clouds(600, rng)
    people = np.arange(600)
    people[scores[:, 0] > 0] = 600 + np.arange((scores[:, 0] > 0).sum()) % 20
    assert len(Strata.fit(scores, classes, [(0, 0.0)], rng)[0].rows) == 2
    assert len(Strata.fit(scores, classes, [(0, 0.0)], rng, people=people)[0].rows) == 1


def test_strata_of_noise_are_not_cut() -> None:
    """Four times the expected gain, over some 20 cuts: by chance in fewer than one run in a thousand (seed fixed)."""
    rng = np.random.default_rng(3)
    scores = rng.normal(size=(800, 10))
    cuts = [(j, cut) for j in range(10) for cut in (-0.5, 0.5)]
    assert len(Strata.fit(scores, np.zeros(800, dtype=np.int64), cuts, rng)[0].rows) == 1


def test_strata_of_a_class_are_allotted_in_their_shares() -> None:
    strata = Strata(np.array([0, 1, 1]), np.array([50, 30, 10]), ())
    assert strata.allot(1, 8).tolist() == [1] * 6 + [2] * 2


# -- components' shares ------------------------------------------------------------------------------------------------


class Constant:
    name, memorises = "constant", False

    def __init__(self, value: float) -> None:
        self.value = value

    def fit(self, scores: NDArray[np.float64], classes: NDArray[np.int64], rng: np.random.Generator) -> Constant:
        return self

    def sample(self, classes: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float64]:
        return np.full((len(classes), 2), self.value)


def test_every_component_makes_its_share_of_every_class() -> None:
    mixture = Mixture({"a": Constant(1.0), "b": Constant(2.0)}, {"a": 3.0, "b": 1.0}, 2)
    classes = np.repeat([0, 1, 2], [400, 8, 1])
    made = mixture.draw(classes, np.random.default_rng(0))[:, 0]
    assert (made[:400] == 1.0).sum() == 300
    assert (made[400:408] == 1.0).sum() == 6
    assert (mixture.only("b").draw(classes, np.random.default_rng(0)) == 2.0).all()


def test_scores_that_are_not_finite_are_refused() -> None:
    mixture = Mixture({"a": Constant(float("nan"))}, {"a": 1.0}, 2)
    with pytest.raises(SynthesisError, match="component a"):
        mixture.draw(np.zeros(3, dtype=np.int64), np.random.default_rng(0))
