"""Columns of a typed frame as numbers and level codes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from audit.columns import Cells
from tests.audit.tables import declare, levels


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "ward": levels(["b", None, "a"], "ab"),
            "age": [40.0, np.nan, 71.0],
            "seen": np.array(["1970-01-02", "1969-12-31", "NaT"], dtype="datetime64[s]"),
            "sex": levels(["m", "f", "m"], "fm"),
        }
    )


def test_cells_keep_gaps_and_the_order_of_columns() -> None:
    """Days since 1970 for times; levels from 1 on, and 0 for none."""
    cells = Cells.of(frame(), declare(frame()))
    np.testing.assert_array_equal(cells.numbers, [[40.0, 1.0], [np.nan, -1.0], [71.0, np.nan]])
    np.testing.assert_array_equal(cells.codes, [[2, 2], [0, 1], [1, 2]])
    assert (cells.numbers.dtype, cells.codes.dtype) == (np.float64, np.int64)


def test_a_table_may_have_columns_of_one_kind_only() -> None:
    for names, shapes in ((["age", "seen"], ((3, 2), (3, 0))), (["ward"], ((3, 0), (3, 1)))):
        part = frame()[names]
        cells = Cells.of(part, declare(part))
        assert (cells.numbers.shape, cells.codes.shape) == shapes
        assert (cells.numbers.dtype, cells.codes.dtype) == (np.float64, np.int64)


def test_rows_are_taken_before_or_after_they_are_read_and_joined_in_turn() -> None:
    whole, some = Cells.of(frame(), declare(frame())), np.array([2, 0])
    rest = Cells.of(frame().iloc[[1]], declare(frame()))
    for cells in (whole.take(some), Cells.of(frame().iloc[some], declare(frame()))):
        both = Cells.joined([cells, rest])
        np.testing.assert_array_equal(both.numbers, whole.numbers[[2, 0, 1]])
        np.testing.assert_array_equal(both.codes, whole.codes[[2, 0, 1]])
