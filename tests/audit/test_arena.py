"""The small tables of a control."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit.arena import Arena
from tests.audit.tables import patients, put_together


@pytest.fixture
def arena(rng: np.random.Generator) -> Arena:
    """Sixty train people of one row, forty holdout people of three."""
    train, holdout = patients(60, rng), patients(40, rng).loc[np.repeat(np.arange(40), 3)].reset_index(drop=True)
    tables = put_together(train, holdout, train, holdout_people=np.repeat(np.arange(40), 3), attacker_known_columns=4)
    return Arena.draw(tables, np.zeros(120, dtype=np.bool_), 1_000, rng)


def test_no_table_of_a_control_has_more_rows_than_another(arena: Arena) -> None:
    assert len(arena.train) == len(arena.holdout) == 60
    assert len(np.unique(arena.holdout_people)) == 20


def test_an_even_arena_has_as_many_people_on_both_sides_and_keeps_them_whole(
    arena: Arena, rng: np.random.Generator
) -> None:
    even = arena.even(rng)
    assert len(np.unique(even.train_people)) == len(np.unique(even.holdout_people)) == 20
    assert len(even.train) == 20
    assert len(even.holdout) == 60
    assert set(even.train_people) <= set(arena.train_people)
    pd.testing.assert_frame_equal(even.planted("whole", rng), even.train)


def test_a_candidate_of_a_control_is_of_its_rows_and_of_an_attacker_who_knows_two_columns(arena: Arena) -> None:
    candidate = arena.candidate(arena.holdout, arena.holdout_people, 0.99)
    assert candidate.train is arena.train
    assert candidate.confidence == 0.99
    assert candidate.attacker_known_columns == 2
    assert candidate.people["released"].tolist() == arena.holdout_people.tolist()
