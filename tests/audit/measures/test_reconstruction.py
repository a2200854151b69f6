"""Rebuilding people where lines through released rows meet."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit import plants
from audit.measures import reconstruction
from audit.measures.reconstruction import NAMES, _cross, _roundings, line_reconstruction
from audit.tables import AuditTables
from policies import Measurement
from tests.audit.measures.test_segments import wide
from tests.audit.tables import levels, patients, put_together


def measure(tables: AuditTables, rng: np.random.Generator) -> Measurement:
    (found,) = line_reconstruction(tables, rng)
    assert found.name == NAMES[0]
    return found


def smote(train: pd.DataFrame, holdout: pd.DataFrame, times: int, rng: np.random.Generator) -> pd.DataFrame:
    tables = put_together(train, holdout, train)
    start = np.repeat(np.arange(len(train)), times)
    return plants.on_lines(train, tables.dictionary, tables.matrices["train"], tables.people["train"], start, rng)


def test_two_lines_meet_where_the_hand_says() -> None:
    """From the origin along x and along y: (1, 0), (2, 0) and (0, 1), (0, 3) meet at the origin, outside both."""
    four = np.array([[[1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 3.0, 0.0]]])
    np.testing.assert_allclose(_cross(four), [[0.0, 0.0, 0.0]], atol=1e-12)


def test_lines_that_cross_inside_a_pair_or_run_parallel_give_nobody() -> None:
    crossing = [[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 2.0, 0.0]]
    parallel = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 0.0]]
    assert len(_cross(np.array([crossing, parallel]))) == 0


@pytest.mark.parametrize("decimals", [None, 3])
def test_two_draws_per_person_rebuild_people_exactly(decimals: int | None, rng: np.random.Generator) -> None:
    train, holdout = wide(200, rng), wide(200, rng)
    released = smote(train, holdout, 2, rng)
    if decimals is not None:
        released = released.round(decimals)
    found = measure(put_together(train, holdout, released), rng)
    assert found.value > 0.05
    assert found.lower > 0
    assert found.upper == pytest.approx(found.value, abs=0.02)  # the people rebuilt are counted


def test_more_draws_rebuild_more(rng: np.random.Generator) -> None:
    train, holdout = wide(150, rng), wide(150, rng)
    shares = [measure(put_together(train, holdout, smote(train, holdout, times, rng)), rng).value for times in (2, 6)]
    assert shares[1] > 2 * shares[0]


def test_fresh_people_and_copies_give_no_lines(rng: np.random.Generator) -> None:
    """Eight continuous columns: four fresh people in one plane have no chance worth stating."""
    train, holdout, fresh = (wide(200, rng) for _ in range(3))
    assert measure(put_together(train, holdout, fresh), rng).upper == 0.0
    assert measure(put_together(train, holdout, train.copy()), rng).upper == 0.0


def test_where_few_rows_are_looked_at_chance_raises_no_alarm_and_lines_still_do(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A grid of 0.1 lets points meet real people by chance, holdout people as often: only the rest is extrapolated.

    40 of 600 rows are looked at, so what is found stands for fifteen times as much.
    """
    monkeypatch.setattr(reconstruction, "QUERIES", 40)
    train, holdout, fresh = (wide(600, rng).round(1) for _ in range(3))
    honest = measure(put_together(train, holdout, fresh), rng)
    assert honest.lower <= 0.0
    lines = wide(300, rng)
    caught = measure(put_together(lines, wide(300, rng), smote(lines, holdout.iloc[:300], 2, rng)), rng)
    assert caught.value > 0.005
    assert caught.upper > 0.1
    assert honest.upper < caught.upper / 2


def test_with_fewer_than_three_numbers_nobody_is_rebuilt_and_the_method_says_why(rng: np.random.Generator) -> None:
    frames = [pd.DataFrame({c: levels(rng.choice(list("abc"), 40).tolist(), "abc") for c in "xyz"}) for _ in range(3)]
    found = measure(put_together(*frames), rng)
    assert (found.status, found.value, found.upper) == ("measured", 0.0, 0.0)
    assert "fewer than three" in found.method


def test_whole_numbers_hide_lines_and_alarm_nobody(rng: np.random.Generator) -> None:
    frames = [patients(150, rng).round({"pressure": 0, "enzyme": 0, "dose": 0}) for _ in range(3)]
    found = measure(put_together(*frames, confidence=0.999), rng)
    assert found.lower <= 0


def test_a_grid_is_read_from_the_release() -> None:
    """Steps of 0.1 and of 0.5: uniform errors of 0.01 / 12 and 0.25 / 12; a column off any grid adds none."""
    grid = np.column_stack([np.arange(10) * 0.1, np.arange(10) * 0.5, np.sqrt(np.arange(10.0))])
    grid[3] = np.nan
    np.testing.assert_allclose(_roundings(grid), [0.01 / 12, 0.25 / 12, 0.0], rtol=1e-6)


def gappy(count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Thirty measurements, 8 % of them missing: one person in twelve has all."""
    health = rng.standard_normal((count, 4)) @ np.random.default_rng(4).standard_normal((4, 30))
    values = health + rng.standard_normal((count, 30))
    values[rng.random(values.shape) < 0.08] = np.nan
    return pd.DataFrame(values, columns=[f"m{i}" for i in range(30)])


def test_numbers_missing_here_and_there_hide_nobody(rng: np.random.Generator) -> None:
    """Everybody is looked at, fresh people raise no alarm, and two draws per person rebuild as many as without gaps."""
    train, holdout, fresh = (gappy(150, rng) for _ in range(3))
    honest = measure(put_together(train, holdout, fresh), rng)
    assert (honest.n, honest.value, honest.upper) == (150, 0.0, 0.0)
    caught = measure(put_together(train, holdout, smote(train, holdout, 2, rng)), rng)
    assert caught.lower > 0


def test_a_release_that_fills_gaps_hides_nobody_either(rng: np.random.Generator) -> None:
    """Lines run between rows whose gaps were filled first: a person is met in what she has."""
    train, holdout = gappy(150, rng), gappy(150, rng)
    filled = train.fillna(train.median())
    found = measure(put_together(train, holdout, smote(filled, holdout, 4, rng)), rng)
    assert found.lower > 0


def test_what_cannot_be_compared_widens_the_upper_end(rng: np.random.Generator) -> None:
    """Of eight numbers every row has three at random: few fours have three in common, and what is found says less."""
    frames = [wide(150, rng) for _ in range(3)]
    whole = measure(put_together(*frames), rng)
    for frame in frames:
        names = [f"m{i}" for i in range(8)]
        kept = rng.random((150, 8)).argsort(axis=1) < 3
        frame[names] = frame[names].where(kept)
    sparse = measure(put_together(*frames), rng)
    assert whole.upper == 0.0
    assert sparse.status == "inconclusive" or sparse.upper > 0.5


def test_people_without_three_numbers_widen_the_upper_end(rng: np.random.Generator) -> None:
    """A third of train has two numbers left: not counted, and taken for as exposed as the others may be at most."""
    train, holdout, fresh = (wide(150, rng) for _ in range(3))
    train.loc[:49, [f"m{i}" for i in range(6)]] = np.nan
    found = measure(put_together(train, holdout, fresh), rng)
    assert (found.n, found.value) == (100, 0.0)
    assert 0.03 < found.upper < 0.05  # 3.69 expected at most in 100


def test_row_order_does_not_matter(rng: np.random.Generator) -> None:
    train, holdout = wide(80, rng), wide(80, rng)
    released = smote(train, holdout, 4, rng)
    plain = measure(put_together(train, holdout, released), np.random.default_rng(1))
    frames = [frame[::-1].reset_index(drop=True) for frame in (train, holdout, released)]
    assert measure(put_together(*frames), np.random.default_rng(2)).value == pytest.approx(plain.value, abs=0.03)


def test_missing_numbers_constant_columns_and_several_rows_per_person(rng: np.random.Generator) -> None:
    frames = [wide(120, rng).assign(constant=1.0, empty=np.nan) for _ in range(3)]
    for frame in frames:
        frame.loc[::7, "m0"] = np.nan
    people = np.repeat(np.arange(60), 2)
    found = measure(put_together(*frames, train_people=people, holdout_people=people), rng)
    assert found.status == "measured"
    assert found.value == 0.0


def test_too_few_people_are_inconclusive(rng: np.random.Generator) -> None:
    assert measure(put_together(*[patients(15, rng) for _ in range(3)]), rng).status == "inconclusive"
