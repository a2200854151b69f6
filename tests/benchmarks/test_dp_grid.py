"""Into which cell does a value fall?"""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.dp.grid import Grid, Levels, Numeric


def test_equal_mass_cells_of_values_that_all_differ():
    # 8 values in 4 cells: two each, edges halfway between neighbours
    cells = Numeric.of(np.arange(8.0), decimals=0, cells=4)
    assert cells.edges.tolist() == [1.5, 3.5, 5.5]
    assert cells.codes(pd.Series(np.arange(8.0))).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_a_value_that_holds_a_cells_share_is_a_cell_of_its_own_that_no_neighbour_enters():
    # 0 holds 12 of 16 rows; the rest of four rows is one of the four cells' mass
    cells = Numeric.of(np.array([0.0] * 12 + [10.0, 20.0, 30.0, 40.0]), decimals=0, cells=4)
    assert cells.spikes.tolist() == [0.0]
    assert cells.edges.tolist() == []
    assert cells.codes(pd.Series([0.0, 1.0, 0.4, 40.0, np.nan])).tolist() == [0, 1, 0, 1, 2]


def test_equal_values_are_never_parted():
    # ranks of the middle rows: 1 -> 1/6, 2 -> 1/2 (3 of 6 rows), 3 -> 5/6; with 2 cells each, 2 belongs to the upper
    cells = Numeric.of(np.array([1.0, 1.0, 2.0, 2.0, 3.0, 3.0]), decimals=0, cells=2)
    assert len(set(cells.codes(pd.Series([2.0, 2.0])))) == 1


def test_values_outside_the_real_range_fall_into_the_outer_cells():
    cells = Numeric.of(np.arange(8.0), decimals=0, cells=4)
    assert cells.codes(pd.Series([-100.0, 100.0])).tolist() == [0, 3]


def test_a_level_that_is_not_public_and_a_gap_have_cells_of_their_own():
    assert Levels(("a", "b")).codes(pd.Series(["b", "c", None, "a"], dtype=object)).tolist() == [1, 2, 3, 0]


def test_a_grid_takes_the_columns_of_the_schema_in_order():
    schema = {"columns": {"sex": {"levels": ["f", "m"]}, "age": {"decimals": 0}}}
    real = pd.DataFrame({"age": [20.0, 30.0], "sex": ["m", "f"]})
    grid = Grid.of(real, schema)
    assert grid.codes(pd.DataFrame({"age": [30.0, np.nan], "sex": ["f", "m"]})).tolist() == [[0, 1], [1, 3]]
    assert grid.sizes == (4, 4)  # f, m, other, missing; 20, 30, elsewhere, missing


@given(
    st.lists(st.one_of(st.integers(-50, 50).map(float), st.just(float("nan"))), min_size=1, max_size=60).filter(
        lambda values: not all(np.isnan(values))
    )
)
def test_every_value_has_one_cell_and_cells_keep_the_order_of_values(values):
    cells = Numeric.of(np.array(values), decimals=0)
    codes = cells.codes(pd.Series(values))
    assert ((codes >= 0) & (codes < cells.size)).all()
    rest = [(v, c) for v, c in zip(values, codes, strict=True) if not np.isnan(v) and c >= len(cells.spikes)]
    assert [c for _, c in sorted(rest)] == sorted(c for _, c in rest)
