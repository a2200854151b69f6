"""All pairs of people: none is missed, none counts twice, and each chance is the one worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from audit import pair_search
from audit.columns import Cells
from audit.pair_search import Floats, PairSearch, has_pair, possible


def explained(numbers: list[float], codes: list[int], people: Cells) -> tuple[float, set[int]]:
    search = PairSearch(people, np.full(len(numbers), 0.5))
    found = search.explain(np.array(numbers), np.array(codes, dtype=np.int64), np.random.default_rng(0))
    assert not found.twin
    return found.chance, set(found.ends)


def people(rows: list[tuple[list[float], list[int]]]) -> Cells:
    return Cells(np.array([row[0] for row in rows]), np.array([row[1] for row in rows], dtype=np.int64))


def test_the_chance_of_a_row_is_worked_out_by_hand() -> None:
    """Of three pairs one has (4, 2) between its ends: 0.35 to 0.45 of the way by the first number, 0.3 to 0.5 by the
    second; the category is either end's. (9, 1) would lie at two places at once."""
    three = people([([0.0, 0.0], [1]), ([10.0, 5.0], [2]), ([80.0, 90.0], [3])])
    chance, ends = explained([4.0, 2.0], [1], three)
    assert chance == pytest.approx(0.1 * 0.5 / 3)
    assert ends == {0, 1}
    assert explained([9.0, 1.0], [1], three)[0] == 0.0
    assert explained([4.0, 2.0], [3], three)[0] == 0.0


def test_a_missing_number_is_that_of_an_end() -> None:
    two = people([([0.0, np.nan], []), ([10.0, 7.0], [])])
    for number, expected in ((np.nan, 0.05), (7.0, 0.05), (5.0, 0.0)):
        assert explained([4.0, number], [], two)[0] == pytest.approx(expected)


def test_what_both_ends_share_is_certain_and_what_they_differ_in_is_tossed() -> None:
    """(3, 2, 4) has a number and no category of both ends in common; (5, 1, 4) lies a sixth of the way between two of
    three people; (3, 1, 7) does in the first twelfth, once with either of two; nobody has an 8 or a 10."""
    alike = people([([3.0], [2, 2]), ([3.0], [4, 4])])
    assert explained([3.0], [2, 4], alike)[0] == pytest.approx(0.25)
    assert explained([4.0], [2, 4], alike)[0] == 0.0
    three = people([([3.0], [1, 2]), ([3.0], [1, 4]), ([9.0], [7, 7])])
    assert explained([5.0], [1, 4], three)[0] == pytest.approx(0.25 / 6 / 3)
    assert explained([3.0], [1, 7], three)[0] == pytest.approx(2 * 0.25 / 12 / 3)
    assert explained([5.0], [1, 8], three)[0] == explained([10.0], [1, 7], three)[0] == 0.0


def test_a_row_that_somebody_has_is_a_twin_and_no_pair_is_tried() -> None:
    search = PairSearch(people([([3.0, np.nan], [1]), ([8.0, 2.0], [2])]), np.full(2, 0.5))
    for numbers, code, twin in (
        ([3.4, np.nan], 1, True),
        ([3.4, np.nan], 2, False),
        ([3.4, 2.0], 1, False),
        ([3.6, np.nan], 1, False),
        ([8.0, np.nan], 2, False),
    ):
        found = search.explain(np.array(numbers), np.array([code]), np.random.default_rng(0))
        assert found.twin == twin


def rows_of(rng: np.random.Generator, count: int) -> Cells:
    numbers = np.round(rng.normal(0, 4, (count, 3)))
    numbers[rng.random((count, 3)) < 0.15] = np.nan
    return Cells(numbers, rng.integers(0, 3, (count, 2)))


def chance_by_hand(numbers: Floats, codes: NDArray[np.int64], one: Cells, other: Cells, half: float) -> float:
    """One pair, number after number: the part of the way that rounds to the row, and a coin for what the ends toss."""
    chance, start, end = 1.0, 0.0, 1.0
    for x, a, b in zip(codes, one.codes[0], other.codes[0], strict=True):
        chance *= (float(x == a) + float(x == b)) / 2
    for x, a, b in zip(numbers, one.numbers[0], other.numbers[0], strict=True):
        if np.isnan(x):
            chance *= (float(np.isnan(a)) + float(np.isnan(b))) / 2
        elif np.isnan(a) or np.isnan(b):
            known = b if np.isnan(a) else a
            chance *= 0.5 * float(abs(x - known) <= half)
        elif a == b:
            chance *= float(abs(x - a) <= half)
        else:
            ends = sorted([(x - half - a) / (b - a), (x + half - a) / (b - a)])
            start, end = max(start, ends[0]), min(end, ends[1])
    return chance * max(end - start, 0.0)


def test_pairs_that_are_near_have_half_of_the_odds() -> None:
    """Of three pairs one is near; one has the row on a tenth of its way, one on a twentieth, one nowhere."""
    three = people([([0.0], []), ([10.0], []), ([-10.0], [])])
    pairs = {(0, 1): 0.1, (1, 2): 0.05, (0, 2): 0.0}
    for near in pairs:
        places = np.full((3, 2), -1)
        places[near[0], 1] = near[1]
        search = PairSearch(three, np.full(1, 0.5), places)
        found = search.explain(np.array([4.0]), np.empty(0, dtype=np.int64), np.random.default_rng(0))
        assert found.chance == pytest.approx(0.5 * 0.15 / 3 + 0.5 * pairs[near])


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(2, 70))
def test_the_mean_over_all_pairs_is_that_of_one_pair_after_the_other(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    some, asked = rows_of(rng, count), rows_of(rng, 4)
    search = PairSearch(some, np.full(3, 0.5))
    each = [some.take(np.array([row])) for row in range(count)]
    for x, c in zip(asked.numbers, asked.codes, strict=True):
        found = search.explain(x, c, rng)
        pairs = {(i, j): chance_by_hand(x, c, each[i], each[j], 0.5) for i in range(count) for j in range(i)}
        if not found.twin:
            assert found.chance == pytest.approx(sum(pairs.values()) / len(pairs))
            best = max(pairs.values())
            assert best == 0 or pairs[max(found.ends), min(found.ends)] == pytest.approx(best)


@pytest.mark.parametrize("rows", [40, 64, 65, 200])
def test_every_pair_counts_once_however_many_there_are(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    against = np.zeros((11, rows), dtype=np.bool_)
    against[0, :5] = True
    for k in range(1, 11):
        against[k, rng.permutation(rows)[: 4 + k]] = True
    wanted = {(i, j) for i in range(rows) for j in range(i) if not (against[:, i] & against[:, j]).any()}
    monkeypatch.setattr(pair_search, "PAIRS", 100)
    drawn, parts = possible(against, rng)
    found = [(max(pair), min(pair)) for part in parts for pair in zip(*map(np.ndarray.tolist, part), strict=True)]
    assert drawn == 1.0
    assert len(found) == len(set(found))
    assert set(found) == wanted
    assert max(len(one) for one, _ in possible(against, rng)[1]) <= 100


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(2, 70), st.floats(0.2, 0.9))
def test_whether_any_pair_is_possible_is_told_as_by_trying_each(
    seed: int, columns: int, rows: int, share: float
) -> None:
    against = np.random.default_rng(seed).random((columns, rows)) < share
    each = [not (against[:, i] & against[:, j]).any() for i in range(rows) for j in range(i)]
    assert has_pair(against) == any(each)


def test_of_too_many_pairs_a_random_part_stands_for_all(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mean of 600 draws lies within five standard errors of what all pairs give: false alarm 6e-7."""
    some = Cells(rng.normal(0, 4, (60, 2)), np.empty((60, 0), dtype=np.int64))
    search, asked = PairSearch(some, np.full(2, 0.1)), (np.array([0.3, -0.2]), np.empty(0, dtype=np.int64))
    found = search.explain(*asked, rng)
    assert not found.twin
    whole = found.chance
    monkeypatch.setattr(pair_search, "MOST_PAIRS", 100)
    drawn, parts = possible(np.zeros((1, 60), dtype=np.bool_), rng)
    assert drawn == pytest.approx(100 / 3_600)
    assert sum(len(one) for one, _ in parts) < 100
    means = [search.explain(*asked, rng).chance for _ in range(600)]
    assert whole > 0
    assert np.std(means) > 0
    assert abs(np.mean(means) - whole) < 5 * np.std(means) / np.sqrt(600)
