"""One number per pair of columns, worked out by hand and against scipy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from audit.report.association import association
from tests.audit.report.conftest import KINDS, dictionary_of, frame_of


def test_ranks_agree_with_spearman(rng: np.random.Generator) -> None:
    dictionary = dictionary_of(age=KINDS["age"], dose=KINDS["dose"])
    table = frame_of(dictionary, 200, rng)
    table["dose"] = np.where(rng.random(200) < 0.3, np.nan, table["age"] ** 3 + rng.normal(0, 30_000, 200))
    both = table.dropna()
    expected = stats.spearmanr(both["age"], both["dose"]).statistic
    assert association(dictionary, table, ("age", "dose"))[0, 1] == pytest.approx(expected)


def test_two_categories_agree_with_cramers_v(rng: np.random.Generator) -> None:
    dictionary = dictionary_of(a=KINDS["ward"], b=KINDS["ward"])
    table = frame_of(dictionary, 300, rng)
    known = table.dropna()
    expected = stats.contingency.association(pd.crosstab(known["a"], known["b"]), method="cramer")
    assert association(dictionary, table, ("a", "b"))[1, 0] == pytest.approx(expected)


def test_a_category_that_decides_a_number_has_strength_one() -> None:
    dictionary = dictionary_of(ward=KINDS["ward"], age=KINDS["age"])
    wards = pd.Categorical(["north", "north", "south", "south"], categories=["north", "south", "east"])
    table = pd.DataFrame({
        "ward": wards, "age": [30.0, 30.0, 60.0, 60.0],
    })  # fmt: skip
    assert association(dictionary, table, ("ward", "age"))[0, 1] == pytest.approx(1)


def test_a_constant_column_and_too_few_rows_have_no_number() -> None:
    dictionary = dictionary_of(age=KINDS["age"], dose=KINDS["dose"])
    constant = pd.DataFrame({"age": [1.0] * 20, "dose": np.arange(20.0)})
    assert np.isnan(association(dictionary, constant, ("age", "dose"))[0, 1])
    few = pd.DataFrame({"age": np.arange(20.0), "dose": np.where(np.arange(20) < 10, np.arange(20.0), np.nan)})
    assert np.isnan(association(dictionary, few, ("age", "dose"), minimum=11)[0, 1])
    assert association(dictionary, few, ("age", "dose"), minimum=10)[0, 1] == pytest.approx(1)
