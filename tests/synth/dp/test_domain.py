"""Cells come from the dictionary alone, and values find their way into them and back."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies import Column, Dictionary
from synth.dp.domain import Domain, domain_of
from synth.dp.events import PrivacyError


def domain(cells: int = 8, **columns: Any) -> Domain:
    values = {"version": 1, "name": "little", "columns": columns}
    return domain_of(Dictionary.model_validate_json(json.dumps(values)), cells)


def test_few_possible_values_have_a_cell_each() -> None:
    (cells,) = domain(days={"type": "integer", "minimum": 1.0, "maximum": 5.0}).columns
    assert cells.size == 5
    assert cells.encode(pd.Series([1.0, 3.0, 5.0])).tolist() == [0, 2, 4]


def test_the_least_and_the_greatest_possible_value_have_cells_of_their_own() -> None:
    (cells,) = domain(gain={"type": "integer", "minimum": 0.0, "maximum": 1000.0, "nullable": True}).columns
    codes = cells.encode(pd.Series([0.0, 1.0, 999.0, 1000.0, np.nan]))
    assert codes[0] != codes[1]
    assert codes[2] != codes[3]
    assert codes[4] == cells.size - 1 == 8
    decoded = cells.decode(np.array([0, 7], dtype=np.int32), np.random.default_rng(0))
    assert decoded.tolist() == [0.0, 1000.0]


def test_categories_keep_the_dictionarys_order() -> None:
    (cells,) = domain(kind={"type": "category", "categories": ["b", "a"], "nullable": True}).columns
    column = pd.Series(pd.Categorical(["a", "b", None], categories=["b", "a"]))
    assert cells.encode(column).tolist() == [1, 0, 2]


def test_categories_read_off_the_data_are_refused() -> None:
    """One patient of a rare category would renumber all the others: add or remove one would move every row."""
    (cells,) = domain(kind={"type": "category", "categories": ["c", "b", "a"]}).columns
    for read_off in (pd.Series(["a", "b"]).astype("category"), pd.Series(["a", "b"])):
        with pytest.raises(PrivacyError, match="dictionary"):
            cells.encode(read_off)


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(["integer", "number", "tenths", "date", "datetime"]),
    seed=st.integers(0, 2**16),
    cells=st.integers(4, 40),
)
def test_a_decoded_value_is_of_its_cell_within_bounds_and_of_the_declared_decimals(
    kind: str, seed: int, cells: int
) -> None:
    bounds: dict[str, Any] = {
        "integer": {"type": "integer", "minimum": -7.0, "maximum": 311.0},
        "number": {"type": "number", "minimum": 0.25, "maximum": 9.75},
        "tenths": {"type": "number", "minimum": -2.6, "maximum": 6.2, "decimals": 1},
        "date": {"type": "date", "minimum": "2019-12-30", "maximum": "2021-03-02"},
        "datetime": {"type": "datetime", "minimum": "2020-01-01T00:00:00", "maximum": "2020-01-09T11:30:07"},
    }
    (column,) = domain(cells, x={**bounds[kind], "nullable": True}).columns
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, column.size, 50).astype(np.int32)
    values = pd.Series(column.decode(codes, rng))
    assert np.array_equal(column.encode(values), codes)
    if kind == "tenths":
        known = values.dropna()
        assert (known == known.round(1)).all()
    if kind == "date":
        assert values.dropna().dt.normalize().equals(values.dropna())
        assert str(values.dtype) == "datetime64[s]"


def test_values_outside_the_bounds_are_counted_not_shown() -> None:
    (cells,) = domain(age={"type": "integer", "minimum": 18.0, "maximum": 90.0}).columns
    with pytest.raises(PrivacyError, match="age: 2 values") as caught:
        cells.encode(pd.Series([17.0, 40.0, 117.0]))
    assert "117" not in str(caught.value)
    with pytest.raises(PrivacyError, match="1 cells are missing"):
        cells.encode(pd.Series([20.0, np.nan]))


def test_another_frame_than_the_dictionarys_is_refused() -> None:
    with pytest.raises(PrivacyError, match="days"):
        domain(days={"type": "integer", "minimum": 1.0, "maximum": 5.0}).encode(pd.DataFrame({"weeks": [1.0]}))


def test_a_column_that_was_drafted_from_data_is_refused() -> None:
    column = Column(type="integer", minimum=0.0, maximum=3.0, from_data=("maximum",))
    drafted = Dictionary(version=1, name="little", columns={"stays": column})
    with pytest.raises(PrivacyError, match="stays"):
        domain_of(drafted, 8)
