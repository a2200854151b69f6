"""How far apart are two tables?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats.contingency import association

from benchmarks.dp.distances import TRIPLES, cramers_v, pearson, subsets, total_variation

# columns of two cells each; left: (0,0) (0,1) (1,1) (1,1), right: (0,0) (0,0) (0,1) (1,0)
LEFT = np.array([[0, 0], [0, 1], [1, 1], [1, 1]])
RIGHT = np.array([[0, 0], [0, 0], [0, 1], [1, 0]])


def test_one_way_distance_by_hand():
    # first column 2/4 against 3/4 zeros; second 1/4 against 3/4
    assert total_variation(LEFT, RIGHT, (2, 2), [(0,), (1,)]).tolist() == [0.25, 0.5]


def test_two_way_distance_by_hand():
    # cells 00, 01, 10, 11: left 1/4 1/4 0 2/4, right 2/4 1/4 1/4 0: half of (1/4 + 0 + 1/4 + 2/4)
    assert total_variation(LEFT, RIGHT, (2, 2), [(0, 1)]).tolist() == [0.5]


def test_three_way_distance_sees_what_pairs_do_not():
    # parity: all one- and two-way tables are uniform in both, yet no row is shared
    even = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]])
    odd = 1 - even
    assert total_variation(even, odd, (2, 2, 2), subsets(3, 2)).tolist() == [0.0, 0.0, 0.0]
    assert total_variation(even, odd, (2, 2, 2), [(0, 1, 2)]).tolist() == [1.0]


def test_tables_of_different_lengths_are_compared_by_shares():
    assert total_variation(LEFT, np.vstack([LEFT, LEFT]), (2, 2), [(0, 1)]).tolist() == [0.0]


def test_few_triples_are_all_taken_and_many_are_drawn_the_same_each_time():
    assert len(subsets(14, 3)) == 364
    drawn = subsets(25, 3)
    assert len(drawn) == TRIPLES
    assert drawn == subsets(25, 3)
    assert len(set(drawn)) == TRIPLES


def test_sets_that_hold_the_label():
    assert subsets(4, 2, holding=3) == [(0, 3), (1, 3), (2, 3)]
    assert len(subsets(25, 3, holding=24)) == 276


def test_cramers_v_agrees_with_an_independent_implementation():
    rng = np.random.default_rng(1)
    codes = np.column_stack([rng.integers(0, 3, 200), rng.integers(0, 4, 200)])
    codes[:80, 1] = codes[:80, 0]
    counted = np.zeros((3, 4), dtype=np.int64)
    np.add.at(counted, (codes[:, 0], codes[:, 1]), 1)
    assert cramers_v(codes, (3, 5), [(0, 1)])[0] == pytest.approx(association(counted, method="cramer"))


def test_cramers_v_of_a_constant_column_is_zero():
    assert cramers_v(np.array([[0, 0], [0, 1]]), (2, 2), [(0, 1)]).tolist() == [0.0]


def test_pearson_leaves_gaps_out_and_calls_a_constant_uncorrelated():
    table = pd.DataFrame({"a": [1.0, 2.0, 3.0, np.nan], "b": [2.0, 4.0, 6.0, 0.0], "c": [1.0] * 4})
    assert pearson(table, ["a", "b", "c"]) == pytest.approx([1.0, 0.0, 0.0])
