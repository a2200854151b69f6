"""A logit over earlier columns' cells reaches the real tables, and never lets come together what never does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeRegressor

from synth.cells import cell_borders
from synth.components.logit import FEW, LEAST, Cells, Logit, _coefficients, _design
from synth.components.trees import ConditionalTrees

Floats = NDArray[np.float64]
N = 6_000


def stumps(features: Floats, values: Floats) -> list[DecisionTreeRegressor]:
    """Trees that say nothing: a single leaf."""
    return [DecisionTreeRegressor(max_depth=1, min_samples_leaf=len(values) // 2 + 1).fit(features, values)]


def fitted(earlier: Floats, values: Floats, classes: NDArray[np.int64], rng: np.random.Generator) -> Logit:
    before = [Cells.of(column) for column in earlier.T]
    count = int(classes.max()) + 1
    trees = stumps(earlier, values)
    return Logit.fit(trees, earlier, values, Cells.of(values), before, earlier, classes, count, rng)


def table(first: NDArray[np.int64], second: NDArray[np.int64], shape: tuple[int, int]) -> Floats:
    return np.bincount(first * shape[1] + second, minlength=shape[0] * shape[1]).reshape(shape) / len(first)


@given(
    cells=st.lists(st.integers(-4, 12), min_size=1, max_size=300),
    least=st.floats(1, 60),
)
def test_every_cell_holds_the_least_rows_and_a_common_value_parts_cells(cells: list[int], least: float) -> None:
    column = np.array(cells, dtype=np.float64)
    borders = cell_borders(column, least)
    code = np.searchsorted(borders, column, side="right")
    counts = np.bincount(code, minlength=len(borders) + 1)
    assert (np.diff(borders) > 0).all()
    assert len(counts) == 1 or (counts >= int(least)).all()
    values, rows = np.unique(column, return_counts=True)
    common = np.searchsorted(borders, values[rows >= int(least)], side="right")
    assert len(np.unique(common)) == len(common)


def test_a_column_without_common_values_is_cut_into_equal_parts() -> None:
    column = np.random.default_rng(4).permutation(2_401).astype(np.float64)
    assert np.bincount(np.searchsorted(cell_borders(column, 2_401 / 8), column, side="right")).tolist() in (
        [300] * 7 + [301],
        [301, *[300] * 7],
    )


def test_tables_with_every_earlier_column_come_back() -> None:
    """Total variation of two samples of 6,000 in 30 cells is 0.02 on average; by chance it would be 0.10 and more."""
    rng = np.random.default_rng(0)
    earlier = rng.integers(0, [5, 6, 3], size=(N, 3))
    chance = np.exp(1.2 * rng.normal(size=(5, 5))[earlier[:, 0]] + rng.normal(size=(6, 5))[earlier[:, 1]])
    values = (rng.random(N)[:, None] * chance.sum(axis=1, keepdims=True) > np.cumsum(chance, axis=1)).sum(axis=1)
    classes = rng.integers(2, size=N)
    logit = fitted(earlier.astype(np.float64), values.astype(np.float64), classes, rng)
    made = logit.draw(earlier.astype(np.float64), earlier.astype(np.float64), classes, rng).astype(np.int64)
    for j, levels in ((0, 5), (1, 6), (2, 3)):
        shape = (levels, 5)
        real = table(earlier[:, j], values, shape)
        assert 0.5 * np.abs(table(earlier[:, j], made, shape) - real).sum() < 0.035
        if j < 2:
            assert 0.5 * np.abs(np.outer(real.sum(axis=1), real.sum(axis=0)) - real).sum() > 0.1


def test_coefficients_are_those_of_an_independent_logit() -> None:
    """scikit-learn's multinomial logit with the same penalty, no intercept and no offset."""
    rng = np.random.default_rng(1)
    earlier, classes = rng.integers(0, 4, size=(2_000, 2)).astype(np.float64), rng.integers(4, size=2_000)
    code = (earlier.sum(axis=1) + rng.integers(0, 3, size=2_000)).astype(np.intp) % 3
    design = _design([cell_borders(column, LEAST) for column in earlier.T], 4, earlier, classes)
    ours = _coefficients(design, code, np.zeros((2_000, 3)))
    theirs = LogisticRegression(C=1 / 5.0, fit_intercept=False, tol=1e-10, max_iter=5_000).fit(design.toarray(), code)
    ours -= ours.mean(axis=1, keepdims=True)
    assert np.abs(ours - theirs.coef_.T).max() < 0.02


def test_tables_come_back_where_many_cells_never_come_together() -> None:
    """Twenty levels nested in twenty others, four in each; by chance 12,000 rows err by 0.02."""
    rng = np.random.default_rng(5)
    first, other = rng.integers(0, 20, 12_000), rng.integers(0, 5, 12_000)
    second = (first + rng.integers(0, 4, 12_000)) % 20
    earlier = np.column_stack([first, other]).astype(np.float64)
    nothing = np.zeros(12_000, dtype=np.int64)
    made = (
        fitted(earlier, second.astype(np.float64), nothing, rng).draw(earlier, earlier, nothing, rng).astype(np.int64)
    )
    assert ((made - first) % 20 < 4).all()
    for column, levels in ((first, 20), (other, 5)):
        shape = (levels, 20)
        assert 0.5 * np.abs(table(column, made, shape) - table(column, second, shape)).sum() < 0.06


@pytest.mark.parametrize("together", [0, 1, FEW - 1])
def test_whether_nobody_or_few_have_two_levels_both_is_not_told(together: int) -> None:
    """Two levels that chance would bring together in 375 of 6,000 rows."""
    rng = np.random.default_rng(2)
    first, second = rng.integers(0, 4, N), rng.integers(0, 4, N)
    both = np.flatnonzero((first == 2) & (second == 3))
    second[both[together:]] = 1
    logit = fitted(first[:, None].astype(np.float64), second.astype(np.float64), np.zeros(N, dtype=np.int64), rng)
    many = np.repeat(first, 5)[:, None].astype(np.float64)
    for code in (0, 1):  # the class, and one unseen
        made = logit.draw(many, many, np.full(len(many), code), rng)
        assert not ((many[:, 0] == 2) & (made == 3)).any()
        assert set(np.unique(made)) == {0.0, 1.0, 2.0, 3.0}


def test_a_level_too_rare_for_a_cell_stays_with_those_who_have_it() -> None:
    """24 of 2,000, women only; levels depend on sex, so that trees part the sexes."""
    rng = np.random.default_rng(6)
    man = rng.random(2_000) < 0.5
    level = np.where(man, rng.choice(3, 2_000, p=[0.7, 0.2, 0.1]), rng.choice(3, 2_000, p=[0.1, 0.2, 0.7]))
    level[np.flatnonzero(~man)[:24]] = 3
    scores = np.column_stack([man, level, rng.normal(size=2_000)]).astype(np.float64)
    many = np.zeros(20_000, dtype=np.int64)
    made = ConditionalTrees().fit(scores, many[:2_000], rng).sample(many, rng)
    rare = made[:, 1] == 3
    assert rare.sum() > 50
    assert made[rare, 0].mean() < 0.2


@pytest.mark.parametrize("rows", [30, 400])
def test_odd_columns_come_out_as_values_of_theirs(rows: int) -> None:
    """No error, and nothing between values: constants, a class of one row, a class unseen, and no row to draw."""
    rng = np.random.default_rng(3)
    earlier = np.column_stack([np.zeros(rows), rng.normal(size=rows)])
    values = (np.arange(rows) % 7 == 0) * 2.5
    classes = (np.arange(rows) == 3).astype(np.int64)
    logit = fitted(earlier, values, classes, rng)
    made = logit.draw(earlier, earlier, np.where(classes == 1, 2, classes), rng)
    assert np.isin(made, values).all()
    assert len(logit.draw(earlier[:0], earlier[:0], classes[:0], rng)) == 0
