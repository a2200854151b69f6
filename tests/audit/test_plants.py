"""Leaks made on purpose."""

from __future__ import annotations

import numpy as np
import pandas as pd

from audit import plants
from audit.encoding import Encoder
from audit.neighbours import nearest, several
from tests.audit.tables import declare, levels, patients


def dated(count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Patients with a day of admission, some of them missing."""
    frame = patients(count, rng)
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, count), unit="D")
    frame["day"] = pd.Series(days).astype("datetime64[s]")
    frame.loc[rng.random(count) < 0.1, "day"] = pd.NaT
    return frame


def test_copies_keep_every_other_row_and_move_the_numbers_of_the_rest(rng: np.random.Generator) -> None:
    frame = dated(60, rng)
    planted = plants.copied(frame, declare(frame, integers=["age"]), rng)
    pd.testing.assert_frame_equal(planted.iloc[::2], frame.iloc[::2])
    moved = planted.iloc[1::2]
    assert (moved["pressure"] != frame["pressure"].iloc[1::2]).all()
    assert np.abs(moved["pressure"] - frame["pressure"].iloc[1::2]).max() < 5 * 0.05 * frame["pressure"].std()
    assert moved["ward"].equals(frame["ward"].iloc[1::2])
    assert planted.dtypes.equals(frame.dtypes)


def test_noise_keeps_whole_numbers_whole_and_missing_values_missing(rng: np.random.Generator) -> None:
    frame = dated(60, rng)
    noised = plants.noised(frame, declare(frame, integers=["age"]), np.full(60, 0.3), rng)
    assert (noised["age"] == noised["age"].round()).all()
    for name in ("enzyme", "day", "ward"):
        assert noised[name].isna().equals(frame[name].isna()), name


def test_a_row_between_two_lies_on_their_line_and_takes_each_category_from_an_end(rng: np.random.Generator) -> None:
    """One share of the way for all numbers; a number missing at one end is that of the nearer end."""
    frame = pd.DataFrame({"x": [0.0, 10.0], "y": [5.0, 25.0], "z": [np.nan, 4.0]})
    frame["c"] = levels(["a", "b"], "abz")
    zeros, ones = np.zeros(400, dtype=np.int64), np.ones(400, dtype=np.int64)
    rows = plants.between(frame, declare(frame), zeros, ones, rng)
    share = rows["x"] / 10
    assert share.between(0, 1).all()
    assert np.allclose(rows["y"], 5 + 20 * share)
    assert rows["z"].isna().equals(share < 0.5)
    assert set(rows["c"]) == {"a", "b"}


def test_smote_rows_lie_between_a_row_and_one_of_its_five_nearest_strangers(rng: np.random.Generator) -> None:
    frame = pd.DataFrame(rng.standard_normal((40, 3)), columns=list("xyz"))
    people = np.repeat(np.arange(20), 2)
    matrix = Encoder.fit(declare(frame), (frame,)).encode(frame)
    start = rng.permutation(40)
    rows = plants.on_lines(frame, declare(frame), matrix, people, start, rng).to_numpy()
    near = several(matrix[start], matrix, 5, people[start], people)
    values = frame.to_numpy()
    for row, base, ends in zip(rows, start, near, strict=True):
        shares = (row - values[base]) / (values[ends] - values[base])
        assert (np.ptp(shares, axis=1) < 1e-6).any()
        assert (people[ends] != people[base]).all()


def test_a_lone_row_has_no_line_and_stays_where_it_is(rng: np.random.Generator) -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0]})
    same = np.zeros(2, dtype=np.int64)  # one person: no strangers
    rows = plants.on_lines(frame, declare(frame), frame.to_numpy(), same, np.arange(2), rng)
    assert rows["x"].tolist() == [1.0, 2.0]


def test_a_pencil_is_two_lines_of_two_rows_from_one_person(rng: np.random.Generator) -> None:
    frame = pd.DataFrame(rng.standard_normal((40, 3)), columns=list("xyz"))
    values = frame.to_numpy()
    rows = plants.pencils(frame, declare(frame), values, np.arange(40), rng).to_numpy().reshape(10, 4, 3)
    for a, b, c, d in rows:
        meeting = [one + (one - two) * 0.15 / 0.25 for one, two in ((a, b), (c, d))]
        assert np.allclose(*meeting)
        assert np.isclose(values, meeting[0]).all(axis=1).any()
        assert not np.allclose(np.cross(a - b, c - d), 0)


def test_nobody_with_enough_strangers_leaves_the_table_as_it_is(rng: np.random.Generator) -> None:
    frame = pd.DataFrame(rng.standard_normal((4, 3)), columns=list("xyz"))
    assert plants.pencils(frame, declare(frame), frame.to_numpy(), np.arange(4), rng) is frame


def test_an_overfitted_model_stays_nearer_to_its_rows_than_strangers_are(rng: np.random.Generator) -> None:
    """The median draw lies within the median distance between strangers; 300 rows leave no room for chance."""
    frame, fresh = dated(300, rng), dated(300, rng)
    encoder = Encoder.fit(declare(frame), (frame,), (fresh,))
    matrix = encoder.encode(frame)
    drawn = plants.overfitted(frame, declare(frame), matrix, np.arange(300), rng)
    assert drawn.dtypes.equals(frame.dtypes)
    near = [np.median(nearest(encoder.encode(part), matrix).distance) for part in (drawn, fresh)]
    assert near[0] < 0.75 * near[1]


def test_an_overfitted_model_of_categories_alone_mostly_repeats_its_rows(rng: np.random.Generator) -> None:
    frame = pd.DataFrame({name: levels(rng.choice(list("abcdefgh"), 200), "abcdefgh") for name in "uvwx"})
    matrix = Encoder.fit(declare(frame), (frame,)).encode(frame)
    drawn = plants.overfitted(frame, declare(frame), matrix, np.arange(200), rng)
    kept = nearest(Encoder.fit(declare(frame), (frame,)).encode(drawn), matrix).distance == 0
    assert 0.7 < kept.mean() <= 1


def test_shuffled_rows_keep_every_column_and_no_row(rng: np.random.Generator) -> None:
    """A row survives with a chance of about 60 to the minus three."""
    frame = dated(60, rng)
    rows = plants.shuffled(frame, 60, rng)
    assert rows.dtypes.equals(frame.dtypes)
    for name in frame:
        assert rows[name].value_counts().to_dict() == frame[name].value_counts().to_dict()
        assert rows[name].isna().sum() == frame[name].isna().sum()
    assert not pd.concat([frame, rows]).duplicated().any()


def test_the_loneliest_are_far_from_strangers_and_from_the_others() -> None:
    """Rows 3 and 4 are one person's and near each other only; row 2 has a double among the others."""
    matrix = np.array([[0.0], [1.0], [50.0], [100.0], [101.0]])
    people = np.array([0, 1, 2, 3, 3])
    found = plants.loneliest(matrix, people, np.array([[0.5], [50.5]]), 2)
    assert found.tolist() == [3, 4]
