"""Made rows that lean towards the rows they were learned from are thinned to what chance gives, and others are left."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from policies import parse_dictionary
from synth.encoding import Encoding, encode
from synth.selection import Fold, Rows
from synth.spacing import BANDS, MOST_ODDS, Spacing, nearest
from synth.thinning import kept

Floats = NDArray[np.float64]
WIDTH = 8


def people(n: int, rng: np.random.Generator) -> Floats:
    """Two crowds of unequal spread, dependent columns."""
    crowd = rng.random(n) < 0.7
    return np.where(crowd[:, None], 0.4, 1.0) * rng.normal(size=(n, WIDTH)) + rng.normal(size=(n, 1))


def leaning(seen: Floats, n: int, share: float, rng: np.random.Generator) -> Floats:
    """Fresh rows, but a share of them drawn around rows that were seen."""
    near = seen[rng.integers(len(seen), size=round(share * n))]
    return np.vstack([near + 0.25 * rng.normal(size=near.shape), people(n - len(near), rng)])


@pytest.fixture(scope="module")
def encoding() -> Encoding:
    """Of numbers without spikes or gaps: rows are apart as their scores are."""
    rng = np.random.default_rng(0)
    names = [f"x{j}" for j in range(WIDTH)]
    columns = "".join(f'[columns.{name}]\ntype = "number"\nminimum = -99\nmaximum = 99\n' for name in names)
    table = pd.DataFrame(people(200, rng), columns=names)
    dictionary = parse_dictionary(f'version = 1\nname = "t"\n{columns}'.encode())
    return encode(table, dictionary, names, np.zeros(200, dtype=np.int64), rng, minimum_people=11, people=None)[0]


def fold(share: float, rng: np.random.Generator) -> Fold:
    fit, validation = people(300, rng), people(300, rng)
    pool = leaning(fit, 2_400, share, rng)
    return Fold(
        *(Rows(rows, np.zeros(len(rows), dtype=np.int64)) for rows in (fit, validation)),
        (Rows(pool, np.zeros(2_400, dtype=np.int64)),),
    )


def share_nearer(made: Floats, seen: Floats, unseen: Floats) -> float:
    return float((cdist(made, seen).min(axis=1) < cdist(made, unseen).min(axis=1)).mean())


def test_rows_that_lean_towards_seen_people_are_thinned_until_they_hardly_do(encoding: Encoding) -> None:
    """By chance a share of 600 rows leaves 0.5 by 0.06 or more about once in three hundred times, in one direction."""
    rng = np.random.default_rng(1)
    spacing = Spacing.learn([fold(0.3, rng), fold(0.3, rng)], {"model": 1.0}, encoding, seen := people(300, rng), rng)
    made, unseen, alike = leaning(seen, 2_400, 0.3, rng), people(300, rng), np.zeros(2_400, dtype=np.int64)
    some = kept(spacing.of(encoding.apart(made), rng), alike, np.array([600]), rng)
    assert share_nearer(made, seen, unseen) > 0.6
    assert share_nearer(made[some], seen, unseen) < 0.56


def test_a_model_that_leans_towards_nobody_keeps_its_rows_alike(encoding: Encoding) -> None:
    """Ten bands of 480 rows each vary by 5 % by chance; by 30 % in none of a million."""
    rng = np.random.default_rng(2)
    spacing = Spacing.learn([fold(0.0, rng), fold(0.0, rng)], {"model": 1.0}, encoding, people(300, rng), rng)
    assert spacing.odds.min() > 0.7
    assert spacing.odds.max() < 1.3


def test_even_a_copying_model_refuses_no_row_for_good_and_prefers_none_nearer(encoding: Encoding) -> None:
    rng = np.random.default_rng(3)
    odds = Spacing.learn([fold(1.0, rng)], {"model": 1.0}, encoding, people(300, rng), rng).odds
    assert odds.shape == (BANDS,)
    assert (np.diff(odds) >= 0).all()
    assert odds.min() >= odds.max() / MOST_ODDS - 1e-9
    assert odds.mean() == pytest.approx(1.0)


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 12), min_size=1, max_size=4))
def test_each_stratum_gets_the_rows_it_wants_none_twice(seed: int, wanted: list[int]) -> None:
    rng = np.random.default_rng(seed)
    strata = rng.permutation(np.repeat(np.arange(len(wanted)), 3 * np.array(wanted)))
    spacing = Spacing(people(20, rng).astype(np.float32), np.linspace(0.5, 1.5, BANDS))
    some = kept(spacing.of(people(len(strata), rng).astype(np.float32), rng), strata, np.array(wanted), rng)
    assert np.array_equal(np.bincount(strata[some], minlength=len(wanted)), wanted)
    assert len(np.unique(some)) == len(some)


def test_rows_of_different_levels_are_as_far_apart_as_random_numbers_and_missing_ones_are_a_level() -> None:
    """Of 400 numbers the mean squared difference leaves 2 by a quarter about once in a thousand times."""
    rng = np.random.default_rng(4)
    codes = np.repeat([0, 1, -1], [150, 150, 100])
    table = pd.DataFrame(
        {
            "level": pd.Categorical.from_codes(codes, ["a", "b"]),
            "x": np.where(codes == -1, np.nan, rng.normal(size=400)),
        }
    )
    text = 'version = 1\nname = "t"\n[columns.level]\ntype = "category"\ncategories = ["a", "b"]\nnullable = true\n'
    text += '[columns.x]\ntype = "number"\nminimum = -99\nmaximum = 99\nnullable = true\n'
    dictionary = parse_dictionary(text.encode())
    classes = np.zeros(400, dtype=np.int64)
    found, scores = encode(table, dictionary, ["level", "x"], classes, rng, minimum_people=11, people=None)
    rows = found.apart(scores).astype(np.float64)
    numbers, indicators = rows[:, 0], rows[:, 1:]
    assert np.ptp(numbers[codes == -1]) == 0.0
    known = numbers[codes >= 0]
    assert np.mean((known[:, None] - known[None, :]) ** 2) == pytest.approx(2.0, abs=0.5)
    for one in (0, 1, -1):
        assert np.ptp(indicators[codes == one], axis=0).max() == 0.0
    level = indicators[:, :3]
    assert np.sum((level[0] - level[-1]) ** 2) == np.sum((level[0] - level[200]) ** 2) == 2.0


@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(1, 30))
def test_nearest_distances_are_those_of_an_independent_library(seed: int, n: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    rows, among = (people(size, rng).astype(np.float32) for size in (m, n))
    place = int(rng.integers(1, n + 1))
    expected = np.sort(cdist(rows, among), axis=1)[:, place - 1]
    assert np.allclose(nearest(rows, among, place=place), expected, rtol=1e-3, atol=1e-3)
    itself = nearest(among, among, np.arange(n, dtype=np.intp))
    others = np.where(np.eye(n, dtype=bool), np.inf, cdist(among, among)).min(axis=1)
    assert np.allclose(itself, others, rtol=1e-3, atol=2e-3)
