"""Exact, near and rare copies."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import hypergeom

from audit import sides
from audit.coincidence import chance_of_copying
from audit.measures.copies import _Crowding, copies, exact_copies
from audit.neighbours import Reference
from audit.tables import AuditTables
from policies import Measurement
from tests.audit.tables import levels, patients, put_together, skewed


def measure(tables: AuditTables, rng: np.random.Generator) -> dict[str, Measurement]:
    return {m.name: m for m in copies(tables, rng)}


def with_copies(train: pd.DataFrame, released: pd.DataFrame, count: int) -> pd.DataFrame:
    return pd.concat([train[:count], released[count:]], ignore_index=True)


def test_one_copy_in_ten_is_caught_in_a_table_of_500(rng: np.random.Generator) -> None:
    train, holdout, fresh = (patients(500, rng) for _ in range(3))
    found = measure(put_together(train, holdout, with_copies(train, fresh, 50)), rng)
    assert found["exact_copy_excess"].value == pytest.approx(0.1, abs=1e-3)
    assert found["exact_copy_excess"].lower > 0.05
    assert found["near_copy_excess"].lower > 0.04


def test_noise_hides_a_copy_from_equality_only(rng: np.random.Generator) -> None:
    train, holdout, fresh = (patients(500, rng) for _ in range(3))
    released = with_copies(train, fresh, 50)
    released.loc[:49, "pressure"] += 0.5 * rng.standard_normal(50)
    found = measure(put_together(train, holdout, released), rng)
    assert found["exact_copy_excess"].value == 0.0
    assert found["near_copy_excess"].lower > 0.04


def test_ten_copied_outliers_are_counted(rng: np.random.Generator) -> None:
    train, holdout, fresh = (patients(500, rng) for _ in range(3))
    train.loc[:9, "pressure"] += 200 + 40 * np.arange(10)
    released = with_copies(train, fresh, 10)
    released.loc[:9, "pressure"] += 1.0  # and a little noise
    found = measure(put_together(train, holdout, released), rng)["rare_copies"]
    assert found.value == 10
    assert found.lower > 0


def test_a_fresh_sample_copies_nobody(rng: np.random.Generator) -> None:
    """Intervals at 99.99 %: false alarm 1e-4 each. Rare copies of fresh people: one in seventy such tables has any."""
    found = measure(put_together(*[patients(300, rng) for _ in range(3)], confidence=0.9999), rng)
    assert found["exact_copy_excess"].lower <= 0 <= found["exact_copy_excess"].upper
    assert found["near_copy_excess"].lower <= 0 <= found["near_copy_excess"].upper
    assert found["rare_copies"].value <= 1


def test_no_equal_row_means_no_copy_whatever_the_size(rng: np.random.Generator) -> None:
    """The share of released rows with an equal in train is counted: at zero there is nothing left to doubt."""
    found = exact_copies(put_together(*[patients(25, rng) for _ in range(3)]), rng)
    assert (found.value, found.upper) == (0.0, 0.0)


def test_equality_among_strangers_is_no_copy(rng: np.random.Generator) -> None:
    """By hand: released a, a, b, c. Train holds a and c, holdout a and b: equals 3/4 and 3/4, each met by many."""
    cells = {"train": "aacc" * 5, "holdout": "aabb" * 5, "released": "aabc" * 5}
    frames = [pd.DataFrame({"c": levels(list(part), "abc")}) for part in cells.values()]
    found = exact_copies(put_together(*frames), rng)
    assert found.value == pytest.approx(0.0)
    assert found.lower < 0 < found.upper < 0.01


def test_copies_stand_out_among_rows_that_strangers_share(rng: np.random.Generator) -> None:
    """Sixteen skewed categories: one row in twenty equals a stranger's, 2 % of copies must top that.

    By twelve tables of other draws, each bound is four standard deviations or more away.
    """
    train, holdout, fresh = (skewed(2_000, 16, rng) for _ in range(3))
    equal = fresh.apply(tuple, axis=1).isin(set(train.apply(tuple, axis=1)))
    assert equal.sum() > 60
    honest = exact_copies(put_together(train, holdout, fresh), rng)
    assert honest.lower < 0 < honest.upper < 0.007
    leaky = exact_copies(put_together(train, holdout, with_copies(train, fresh, 40)), rng)
    assert leaky.lower > 0.001
    assert leaky.value == pytest.approx(0.0125, abs=0.007)


def test_a_copy_counts_fully_whatever_the_split(rng: np.random.Generator) -> None:
    train, holdout, fresh = patients(400, rng), patients(100, rng), patients(200, rng)
    found = measure(put_together(train, holdout, with_copies(train, fresh, 40)), rng)
    assert found["exact_copy_excess"].value == pytest.approx(0.2, abs=2e-3)
    assert found["near_copy_excess"].value == pytest.approx(0.2, abs=0.12)
    assert found["exact_copy_excess"].upper == pytest.approx(0.2, abs=2e-3)


def test_a_larger_train_is_thinned_as_if_drawn(rng: np.random.Generator) -> None:
    """The expected share of an equally large draw is the hypergeometric one, scipy's, times the row's weight."""
    train = pd.DataFrame({"c": levels(["a"] * 3 + ["b"] * 57, "abc")})
    holdout = pd.DataFrame({"c": levels(["c"] * 20, "abc")})
    released = pd.DataFrame({"c": levels(["a"] * 20, "abc")})
    chance = 1 - hypergeom(60, 3, 20).pmf(0)
    tables = put_together(train, holdout, released)
    weight = chance_of_copying(tables, rng)[0]
    assert 0 < weight < 0.1
    assert exact_copies(tables, rng).value == pytest.approx(weight * min(3 * chance, 1.0))


def test_missing_values_are_part_of_a_copy(rng: np.random.Generator) -> None:
    train, holdout = patients(60, rng), patients(60, rng)
    train["enzyme"] = np.nan
    released = train.copy()
    assert exact_copies(put_together(train, holdout, released), rng).value == pytest.approx(1.0, abs=0.01)
    released["enzyme"] = 1.0
    assert exact_copies(put_together(train, holdout, released), rng).value == 0.0


def test_large_tables_are_searched_in_part_and_rare_copies_still_found(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sides, "QUERY_ROWS", 100)
    train, holdout, fresh = (patients(600, rng) for _ in range(3))
    train.loc[:9, "pressure"] += 200 + 40 * np.arange(10)
    found = measure(put_together(train, holdout, with_copies(train, fresh, 60)), rng)
    assert found["rare_copies"].value >= 10
    assert found["near_copy_excess"].n == 100
    assert found["near_copy_excess"].lower < 0.1 < found["near_copy_excess"].upper


def test_where_all_rows_at_hand_are_of_one_person_no_figure_is_lost(rng: np.random.Generator) -> None:
    """What bounds that person's spacing is infinite then, and equal rows elsewhere leave no room."""
    train, holdout = rng.standard_normal((60, 2)), np.zeros((30, 2))
    people = {
        "train": np.concatenate([np.zeros(40, dtype=np.int64), np.arange(1, 21)]),
        "holdout": np.arange(30),
        "released": np.arange(60),
    }
    matrices = {"train": train, "holdout": holdout, "released": train}
    draws = {side: (np.arange(len(matrix)), Reference(matrix)) for side, matrix in matrices.items()}
    drawn = sides.Sides(draws, people, rng)  # type: ignore[arg-type]
    drawn.queries["train"] = np.arange(40)
    assert np.isinf(drawn.spacing_bound("train")[:40]).all()
    figures = _Crowding(drawn, "train", "holdout").up_to(np.inf)
    assert np.isinf(figures).all()
