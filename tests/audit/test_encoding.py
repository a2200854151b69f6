"""The common scale of distances."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit.encoding import LEVELS, WIDTH, Encoder
from tests.audit.tables import declare, levels


def encode(frame: pd.DataFrame) -> np.ndarray:
    return Encoder.fit(declare(frame), [frame]).encode(frame)


def apart(frame: pd.DataFrame, first: int, second: int) -> float:
    rows = encode(frame)
    return float(((rows[first] - rows[second]) ** 2).sum())


def test_two_random_numbers_and_two_different_levels_are_equally_far_apart(rng: np.random.Generator) -> None:
    numbers = pd.DataFrame({"x": rng.normal(100, 7, 4000)})
    rows = encode(numbers)[:, 0]
    assert np.mean((rows[:2000] - rows[2000:]) ** 2) == pytest.approx(2.0, abs=0.35)
    assert apart(pd.DataFrame({"c": levels(["a", "b", "a"], "ab")}), 0, 1) == 2.0


def test_a_missing_value_is_a_value() -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0, np.nan, np.nan], "c": levels(["a", None, "b", None, None], "ab")})
    assert apart(frame, 3, 4) == 0.0
    assert apart(frame, 1, 3) >= 1.0  # the median, known, is not the missing value
    assert apart(frame[["c"]], 0, 1) == 2.0


def test_a_value_missing_in_the_release_alone_is_seen() -> None:
    real = pd.DataFrame({"x": [1.0, 2.0, 3.0]})
    released = pd.DataFrame({"x": [2.0, np.nan]})
    rows = Encoder.fit(declare(real), [real], [released]).encode(released)
    assert ((rows[0] - rows[1]) ** 2).sum() == 1.0


def test_one_huge_value_neither_flattens_a_column_nor_hides(rng: np.random.Generator) -> None:
    values = np.append(rng.standard_normal(500), 1e9)
    rows = encode(pd.DataFrame({"x": values}))[:, 0]
    assert rows[:-1].std() == pytest.approx(1.0, abs=0.1)
    assert rows[-1] > 10
    assert np.array_equal(np.argsort(rows), np.argsort(values))


def test_a_spike_and_a_constant_column_have_a_finite_scale() -> None:
    frame = pd.DataFrame({"spike": [0.0] * 999 + [5.0], "constant": [4.0] * 1000, "nothing": [np.nan] * 1000})
    rows = encode(frame)
    assert np.isfinite(rows).all()
    assert rows[-1, 0] > rows[0, 0]


def test_ordinal_levels_are_as_far_apart_as_their_places() -> None:
    stages = pd.Categorical(["i", "ii", "iii"], categories=["i", "ii", "iii"], ordered=True)
    frame = pd.DataFrame({"stage": stages})
    assert apart(frame, 0, 2) == pytest.approx(4 * apart(frame, 0, 1))


def test_many_levels_share_columns_but_frequent_ones_do_not() -> None:
    names = [f"code{i}" for i in range(800)]
    frame = pd.DataFrame({"icd": levels([name for i, name in enumerate(names) for _ in range(800 - i)], names)})
    rows = encode(frame)
    assert rows.shape[1] == LEVELS
    starts = np.cumsum([0] + [800 - i for i in range(40)])
    assert all(not np.array_equal(rows[starts[0]], rows[starts[i]]) for i in range(1, 25))


def test_a_wide_table_stays_bounded() -> None:
    frame = pd.DataFrame(
        {f"c{i}": levels([f"v{j}" for j in range(50)], [f"v{j}" for j in range(50)]) for i in range(30)}
    )
    assert encode(frame).shape[1] <= WIDTH


def test_dates_are_days() -> None:
    frame = pd.DataFrame({"day": pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-04", None]).as_unit("s")})
    assert apart(frame, 1, 2) == pytest.approx(4 * apart(frame, 0, 1))
