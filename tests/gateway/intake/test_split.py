"""Patients to two sides: nobody on both, every class on each, sizes as even as can be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.intake import IntakeError, split_people

single_class_people = st.lists(st.tuples(st.integers(0, 4), st.integers(1, 3)), min_size=2, max_size=40)


@settings(deadline=None)
@given(single_class_people, st.integers(0, 2**32 - 1), st.sampled_from([0.5, 0.2, 0.8]))
def test_everyone_is_on_one_side_and_every_class_on_both(
    drawn: list[tuple[int, int]], seed: int, fraction: float
) -> None:
    people = np.repeat(np.arange(len(drawn)), [rows for _, rows in drawn])
    classes = np.repeat([label for label, _ in drawn], [rows for _, rows in drawn])
    order = np.random.default_rng(seed).permutation(len(people))
    people, classes = people[order], classes[order]
    train, holdout = split_people(people, np.random.default_rng(seed), fraction, classes)
    assert sorted([*train, *holdout]) == list(range(len(people)))
    assert not set(people[train]) & set(people[holdout])
    assert train.tolist() == sorted(train)
    labels = np.array([label for label, _ in drawn])
    for label in set(labels.tolist()):
        held = len(set(people[holdout[classes[holdout] == label]]))
        total = int((labels == label).sum())
        assert abs(held - total * fraction) < 1 or total * fraction < 1 or total * (1 - fraction) < 1
        if total >= 2:
            assert 0 < held < total


@settings(deadline=None)
@given(st.integers(2, 60), st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_halves_differ_by_one_person_at_most(count: int, classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    train, holdout = split_people(np.arange(count), rng, classes=rng.integers(0, classes + 1, count))
    assert abs(len(train) - len(holdout)) <= 1


def test_two_classes_of_three_split_evenly_in_total() -> None:
    for seed in range(20):
        train, holdout = split_people(np.arange(6), np.random.default_rng(seed), classes=np.array([0, 0, 0, 1, 1, 1]))
        assert (len(train), len(holdout)) == (3, 3)


def test_people_of_several_classes_still_put_each_class_on_both_sides() -> None:
    # persons 0..3; class 1 is held by 0 and 1, class 2 by 1 and 2, class 3 by 2 and 3
    people = np.array([0, 1, 1, 2, 2, 3])
    classes = np.array([1, 1, 2, 2, 3, 3])
    for seed in range(50):
        train, holdout = split_people(people, np.random.default_rng(seed), classes=classes)
        assert set(classes[train]) == set(classes[holdout]) == {1, 2, 3}


def test_a_class_that_cannot_be_on_both_sides_is_no_error() -> None:
    # three people, each pair shares a class: two of them must end together
    people, classes = np.array([0, 1, 1, 2, 2, 0]), np.array([1, 1, 2, 2, 3, 3])
    train, holdout = split_people(people, np.random.default_rng(1), classes=classes)
    assert len(train)
    assert len(holdout)


def test_rows_without_class_are_a_class() -> None:
    train, holdout = split_people(np.arange(4), np.random.default_rng(0), classes=np.array([-1, -1, 0, 0]))
    assert len(train) == len(holdout) == 2


def test_who_is_held_out_is_a_fair_draw() -> None:
    held = np.zeros(10)
    for seed in range(1000):
        _, holdout = split_people(np.arange(10), np.random.default_rng(seed), classes=np.array([0] * 7 + [1] * 3))
        held[holdout] += 1
    # binomial(1000, 1/2) has sd 15.8: one of ten counts 6 sd off is a false alarm in 2e-8 of all runs
    assert np.abs(held - 500).max() < 95


def test_a_generator_is_all_that_decides() -> None:
    people = np.arange(30)
    first = split_people(people, np.random.default_rng(5))
    again = split_people(people, np.random.default_rng(5))
    assert np.array_equal(first[1], again[1])


@pytest.mark.parametrize(
    ("people", "fraction", "classes"),
    [([0, 0], 0.5, None), ([0, 1], 0.0, None), ([0, 1], 1.0, None), ([0, 1], float("nan"), None), ([0, 1], 0.5, [0])],
    ids=["one person", "nobody out", "everyone out", "NaN", "other length"],
)
def test_what_cannot_be_split_is_refused(people: list[int], fraction: float, classes: list[int] | None) -> None:
    with pytest.raises(IntakeError):
        split_people(
            np.array(people), np.random.default_rng(0), fraction, None if classes is None else np.array(classes)
        )


@pytest.mark.parametrize("fraction", [0.01, 0.99])
def test_both_sides_have_somebody(fraction: float) -> None:
    for classes in (None, np.array([0, 1])):
        train, holdout = split_people(np.arange(2), np.random.default_rng(0), fraction, classes)
        assert len(train) == len(holdout) == 1
