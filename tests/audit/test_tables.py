"""What an audit refuses to compare, and what it draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from audit import sides
from audit.errors import AuditError
from audit.sides import draw_people
from tests.audit.tables import levels, patients, put_together

GOOD = pd.DataFrame({"x": [1.0, 2.0, 3.0], "c": levels(["a", "b", None], "ab")})


@pytest.mark.parametrize(
    ("released", "options", "message"),
    [
        (GOOD[["c", "x"]], {}, "file order"),
        (GOOD[["x"]], {}, "lacking: \\['c'\\]"),
        (GOOD[:1], {}, "1 rows"),
        (GOOD.assign(x=[1.0, np.inf, 2.0]), {}, "column x holds infinite"),
        (GOOD.assign(x=["1", "2", "3"]), {}, "column x must be float64"),
        (GOOD.assign(c=levels(["a", "b", "z"], "abz")), {}, "column c must be categorical"),
        (GOOD, {"train_people": np.arange(2)}, "3 rows but 2 person codes"),
        (GOOD, {"holdout_people": np.zeros(3, dtype=np.int64)}, "at least two people"),
        (GOOD, {"confidence": 1.0}, "confidence within"),
        (GOOD, {"attacker_class_size": 1}, "class size of 2"),
    ],
)
def test_tables_that_cannot_be_compared_are_refused(
    released: pd.DataFrame, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(AuditError, match=message):
        put_together(GOOD, GOOD, released, **options)


def test_a_refusal_holds_no_cell_value() -> None:
    with pytest.raises(AuditError) as refusal:
        put_together(GOOD, GOOD, GOOD.assign(c=levels(["a", "b", "SECRET-77"], ["a", "b", "SECRET-77"])))
    assert "SECRET-77" not in str(refusal.value)


def test_people_are_drawn_whole_but_the_last(rng: np.random.Generator) -> None:
    people = np.repeat(np.arange(100), 3)
    chosen = people[draw_people(people, 50, rng)]
    assert len(chosen) == 50
    assert sorted(np.unique(chosen, return_counts=True)[1])[1:] == [3] * 16


def test_everyone_is_drawn_where_there_is_room(rng: np.random.Generator) -> None:
    assert draw_people(np.array([3, 3, 1]), 5, rng).tolist() == [0, 1, 2]


def test_draws_are_equally_large_as_asked_and_made_once(rng: np.random.Generator) -> None:
    tables = put_together(patients(30, rng), patients(20, rng), patients(10, rng))
    sizes = {
        matching: tuple(tables.sides(matching, rng).rows(side) for side in sides.SIDES)
        for matching in ("whole", "paired", "matched")
    }
    assert sizes == {"whole": (30, 20, 10), "paired": (20, 20, 10), "matched": (10, 10, 10)}
    assert tables.sides("paired", rng) is tables.sides("paired", rng)
    assert tables.sides("paired", rng).matrix["holdout"] is tables.sides("whole", rng).matrix["holdout"]
    equal = put_together(patients(9, rng), patients(9, rng), patients(9, rng))
    assert equal.sides("whole", rng) is equal.sides("matched", rng)


def test_large_tables_are_asked_in_part_but_searched_in_full(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sides, "QUERY_ROWS", 15)
    tables = put_together(patients(60, rng), patients(60, rng), patients(60, rng))
    drawn = tables.sides("matched", rng)
    found = drawn.nearest("train", "holdout")
    assert len(found.distance) == 15
    assert drawn.rows("holdout") == 60
    again = drawn.nearest("train", "holdout", drawn.queries["train"][:3])
    assert np.array_equal(again.distance, found.distance[:3])


def test_earlier_releases_are_checked_like_the_others(rng: np.random.Generator) -> None:
    frames = [patients(30, rng) for _ in range(4)]
    tables = put_together(*frames[:3], earlier=frames[3])
    assert tables.earlier is frames[3]
    with pytest.raises(AuditError, match="earlier: expected the 7 released columns"):
        put_together(*frames[:3], earlier=frames[3][["age"]])
