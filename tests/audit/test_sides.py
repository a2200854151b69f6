"""Who stands alone in a table too large for all pairs."""

from __future__ import annotations

import numpy as np
import pytest

from audit import sides as module
from audit.measures import copies
from audit.neighbours import Reference, nearest
from audit.sides import SIDES, Sides


def drawn(rng: np.random.Generator, people: int = 400) -> Sides:
    return Sides(
        {side: (np.arange(600), Reference(rng.standard_normal((600, 6)))) for side in SIDES},
        {side: rng.integers(0, people, 600) for side in SIDES},
        rng,
    )


@pytest.fixture(autouse=True)
def few_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUERY_ROWS", 150)


@pytest.mark.parametrize("count", [1, 30, 200])
def test_the_loneliest_are_those_farthest_from_all_queries_of_their_side(count: int, rng: np.random.Generator) -> None:
    sides = drawn(rng)
    matrix, people, some = sides.matrix["train"], sides.people["train"], sides.queries["train"]
    spacing = nearest(matrix, matrix[some], people, people[some]).distance
    expected = np.sort(np.argsort(-spacing, kind="stable")[:count])
    np.testing.assert_array_equal(sides.loneliest("train", count), expected)


def test_a_spacing_is_never_above_its_bound(rng: np.random.Generator) -> None:
    sides = drawn(rng)
    own = sides.nearest("holdout", "holdout", np.arange(600)).distance
    assert (own <= sides.spacing_bound("holdout")).all()


@pytest.mark.parametrize("share", [0.0, 0.004, 0.1, 0.6])
def test_crowding_told_where_it_counts_is_crowding_told_everywhere(share: float, rng: np.random.Generator) -> None:
    sides = drawn(rng)
    lazily = copies._Crowding(sides, "train", "holdout"), copies._Crowding(sides, "holdout", "train")
    fully = copies._Crowding(sides, "train", "holdout"), copies._Crowding(sides, "holdout", "train")
    every = np.concatenate([part.up_to(np.inf) for part in fully])
    usual = float(np.quantile(every, share, method="lower"))
    assert copies._usual(lazily, share) == usual
    released = copies._Crowding(sides, "released", "train")
    low = released.up_to(usual) <= usual
    np.testing.assert_array_equal(low, released.up_to(np.inf) <= usual)
    if share < 0.1:
        assert not all(part.told.all() for part in lazily)


def test_the_most_isolated_are_found_without_measuring_everybody_twice(rng: np.random.Generator) -> None:
    sides = drawn(rng, people=600)
    spacing, limit = copies._isolated(sides, 60)
    every = []
    for side, other in (("train", "holdout"), ("holdout", "train")):
        where = spacing[side][0]  # type: ignore[index]
        own = sides.nearest(side, side, where).distance  # type: ignore[arg-type]
        every.append(np.minimum(own, sides.nearest(side, other, where).distance))  # type: ignore[arg-type]
    exact = float(np.sort(np.concatenate(every))[-60])
    assert limit == exact
    for (_, found), true in zip(spacing.values(), every, strict=True):
        np.testing.assert_array_equal(found >= limit, true >= limit)
        np.testing.assert_array_equal(found[found >= limit], true[true >= limit])
