"""Whom attackers target and which released rows they find."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit.attacks.targets import Targets, _Low, match, nearest_sets
from tests.audit.tables import patients, put_together


def test_the_match_is_the_nearest_row_by_plain_distances(rng: np.random.Generator) -> None:
    train, holdout, released = (patients(60, rng) for _ in range(3))
    targets = Targets.draw(put_together(train, holdout, released), 1, rng)
    columns = ("age", "pressure", "ward")
    apart = targets.matrix("train", columns)[:, None] - targets.matrix("released", columns)[None]
    distance = np.sqrt((apart**2).sum(axis=2))
    found = match(targets, columns)["train"]
    assert distance[np.arange(60), found.index] == pytest.approx(distance.min(axis=1))
    assert found.loneliness == pytest.approx(distance.min(axis=1) / np.sort(distance, axis=1)[:, 9])


def test_a_copy_is_lonely_and_a_row_in_a_crowd_is_not() -> None:
    released = pd.DataFrame({"x": [0.0] * 15 + [50.0, 51.0], "y": np.arange(17.0)})
    tables = put_together(released[:16], released[:16], released)
    found = match(Targets.draw(tables, 1, np.random.default_rng(0)), ("x",))["train"]
    assert (found.loneliness[:15] == 1).all()
    assert found.loneliness[15] == 0


def test_equal_released_rows_are_looked_at_once() -> None:
    frame = pd.DataFrame({"x": [3.0, 1.0, 3.0, 2.0]})
    targets = Targets.draw(put_together(frame, frame, frame), 1, np.random.default_rng(0))
    assert sorted(frame["x"].to_numpy()[targets.rows["released"]]) == [1.0, 2.0, 3.0]


def test_distances_that_may_be_taken_are_spent_on_people(rng: np.random.Generator) -> None:
    tables = put_together(*(patients(3_000, rng) for _ in range(3)))
    searches, released = 2, len(Targets.draw(tables, 1, rng).rows["released"])
    for people in (600, 2_000):
        targets = Targets.draw(tables, searches, rng, cells=2 * searches * released * people)
        assert [targets.count(side) for side in ("train", "holdout")] == [people, people]


def test_rows_that_tie_belong_to_the_set() -> None:
    frame = pd.DataFrame({"x": [0.0, 1.0, 1.0, 9.0], "y": [0.0, 1.0, 2.0, 3.0]})
    targets = Targets.draw(put_together(frame, frame, frame), 1, np.random.default_rng(0))
    ((part, (one, two)),) = nearest_sets(targets, ("x",), (1, 2))
    assert part == slice(0, 8)
    assert np.bincount(one[0]).tolist() == [1, 2, 2, 1] * 2
    assert np.bincount(two[0]).tolist() == [3, 2, 2, 3] * 2
    target, place = np.divmod(one[1], 4)
    assert target.tolist() == one[0].tolist()
    x = frame["x"].to_numpy()
    assert (x[targets.rows["released"][place]] == np.tile(x, 2)[target]).all()


@pytest.mark.parametrize("width", [7, 100, 1_003])
def test_smallest_values_are_those_of_a_sort(width: int, rng: np.random.Generator) -> None:
    for values in (rng.random((20, width)), np.round(4 * rng.random((20, width)))):
        wanted = np.sort(values, axis=1)
        low = _Low.of(values, (0, 5), np.full(20, 1e-9))
        for number, place in enumerate((0, 5)):
            assert (low.ends[number] == wanted[:, place]).all()
            rows, columns = np.nonzero(values <= wanted[:, place, None])
            assert [part.tolist() for part in low.up_to(number)] == [rows.tolist(), columns.tolist()]
