"""Values out of the leaves of a tree, and the line over all leaves."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeRegressor

from synth.components.leaves import Leaves
from synth.components.logit import Logit
from synth.components.trees import ConditionalTrees

Floats = NDArray[np.float64]


def stump(features: Floats, values: Floats, rng: np.random.Generator, lined: int = 10_000) -> Leaves:
    """Two leaves, split by the first feature."""
    tree = DecisionTreeRegressor(max_depth=1).fit(np.column_stack([features[:, 0], 0 * features[:, 1:]]), values)
    return Leaves.filled(tree, features, values, rng, lined=lined)


def table(rows: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Values that a jump of the first feature and a weak slope of the second move; half of them are 0."""
    features = rng.normal(size=(rows, 3))
    values = 2.0 * (features[:, 0] > 0) + 0.3 * features[:, 1] + rng.normal(size=rows)
    return features, np.where(rng.random(rows) < 0.5, 0.0, values)


def test_a_line_keeps_what_leaves_leave_unsaid() -> None:
    """Correlation 0.14; two samples of 20,000 differ by 0.01, and by more than 0.04 less than once in 10,000 times."""
    rng = np.random.default_rng(1)
    features, values = table(20_000, rng)
    real = np.corrcoef(features[:, 1], values)[0, 1]
    lined, blind = (stump(features, values, rng, lined).draw(features, rng) for lined in (20_000, 0))
    assert np.corrcoef(features[:, 1], lined)[0, 1] == pytest.approx(real, abs=0.04)
    assert abs(np.corrcoef(features[:, 1], blind)[0, 1]) < 0.04 < real - 0.04


def test_a_leafs_distribution_stays_with_the_line() -> None:
    """Kolmogorov-Smirnov distance in either leaf below 0.03: 1.36 sqrt(2 / 10,000) = 0.019 is its 95 % point."""
    rng = np.random.default_rng(2)
    features, values = table(20_000, rng)
    drawn = stump(features, values, rng).draw(features, rng)
    for side in (features[:, 0] > 0, features[:, 0] <= 0):
        grid = np.sort(values[side])
        have = np.searchsorted(np.sort(drawn[side]), grid, side="right") / side.sum()
        assert np.abs(have - np.searchsorted(grid, grid, side="right") / side.sum()).max() < 0.03


def test_every_value_comes_out_of_its_own_leaf() -> None:
    rng = np.random.default_rng(3)
    features, values = table(2_000, rng)
    leaves = stump(features, values, rng)
    asked = 10.0 * rng.normal(size=(5_000, 3))  # far beyond what the line was learned on
    drawn, own, asked_leaf = leaves.draw(asked, rng), leaves.tree.apply(features), leaves.tree.apply(asked)
    for leaf in np.unique(own):
        assert np.isin(drawn[asked_leaf == leaf], values[own == leaf]).all()


def test_where_nothing_is_to_be_said_the_line_says_nothing() -> None:
    """Schwarz's criterion: 40 features of noise bend ranks by less than a tenth of a deviation."""
    rng = np.random.default_rng(4)
    features, values = rng.normal(size=(3_000, 40)), rng.normal(size=3_000)
    leaves = stump(features, values, rng)
    assert (features @ leaves.slope).std() < 0.1
    assert leaves.noise == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("values", [np.zeros(60), np.arange(60.0)])
def test_constant_columns_and_features_are_no_matter(values: Floats) -> None:
    rng = np.random.default_rng(5)
    for features in (np.zeros((60, 2)), np.column_stack([np.arange(60.0), np.zeros(60)])):
        drawn = stump(features, values, rng).draw(features, rng)
        assert np.isfinite(drawn).all()
        assert np.isin(drawn, values).all()


def said(component: ConditionalTrees) -> tuple[bool, bool]:
    """Whether any column has a line over its leaves, and whether any has a logit."""
    drawn_from = [column.drawn_from for column in component._columns]
    groves = [each for each in drawn_from if not isinstance(each, Logit)]
    return any(leaves.slope.any() for grove in groves for leaves in grove), len(groves) < len(drawn_from)


@pytest.mark.parametrize(("rows", "people", "lined"), [(900, None, False), (12_000, None, True), (12_000, 600, False)])
def test_only_tables_of_many_people_have_lines_and_logits(rows: int, people: int | None, lined: bool) -> None:
    """Two columns with a spike each, and one that six columns move by their sum's cube."""
    rng = np.random.default_rng(6)
    scores = rng.normal(size=(rows, 9))
    moved = scores[:, :6].sum(axis=1)[:, None] / 4 + rng.normal(size=(rows, 2))
    scores[:, 6:8] = np.where(rng.random((rows, 2)) < 0.6, 0.0, moved)
    scores[:, 8] = (scores[:, :6].sum(axis=1) / 2) ** 3 + rng.normal(size=rows)
    component = ConditionalTrees(people=people).fit(scores, np.zeros(rows, dtype=np.int64), rng)
    assert said(component) == (lined, lined)


def test_a_line_is_not_asked_of_few_rows() -> None:
    """55 features of noise for 60 rows would fit them all."""
    rng = np.random.default_rng(8)
    features, values = rng.normal(size=(60, 55)), rng.normal(size=60)
    assert not stump(features, values, rng).slope.any()


@pytest.mark.parametrize("rows", [50, 120, 1_500])
def test_odd_tables_come_out_finite(rows: int) -> None:
    """Constants, ties, two columns that are one, a class of a single row, a spike with one row beside it."""
    rng = np.random.default_rng(9)
    wide = rng.normal(size=rows)
    scores = np.column_stack([np.zeros(rows), np.sign(wide), wide, wide, (np.arange(rows) == 3) * 2.0])
    classes = (np.arange(rows) == 7).astype(np.int64)
    made = ConditionalTrees().fit(scores, classes, rng).sample(np.r_[classes, 1, 1, 5], rng)
    assert np.isfinite(made).all()
    assert not made[:, 0].any()
