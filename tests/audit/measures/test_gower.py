"""Nearest-neighbour adversarial accuracy under Gower's distance."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit.measures import gower
from audit.measures.gower import NAMES, mixed, nnaa_gower
from audit.tables import AuditTables
from policies import Measurement
from tests.audit.tables import levels, patients, put_together


def measure(tables: AuditTables, rng: np.random.Generator) -> dict[str, Measurement]:
    return {m.name: m for m in nnaa_gower(tables, rng)}


def test_it_agrees_with_the_formula_over_all_pairs(rng: np.random.Generator) -> None:
    tables = put_together(*[patients(90, rng) for _ in range(3)])
    found = measure(tables, rng)
    real = pd.concat([tables.train, tables.holdout])

    def distances(a: pd.DataFrame, b: pd.DataFrame) -> np.ndarray:
        total = np.zeros((len(a), len(b)))
        for name in a:
            if isinstance(a[name].dtype, pd.CategoricalDtype):
                codes = a[name].cat.codes.to_numpy(), b[name].cat.codes.to_numpy()
                total += codes[0][:, None] != codes[1]
                continue
            x, y = ((each[name].to_numpy() - real[name].min()) / np.ptp(real[name].dropna()) for each in (a, b))
            gap = np.abs(np.clip(x, 0, 1)[:, None] - np.clip(y, 0, 1))
            both = np.isnan(x)[:, None] & np.isnan(y)
            total += np.where(both, 0.0, np.where(np.isnan(gap), 1.0, gap))
        return total / a.shape[1]

    def nearer(other: np.ndarray, own: np.ndarray) -> float:
        return float(np.mean((other > own + 1e-9) + 0.5 * (np.abs(other - own) <= 1e-9)))

    def plain(side: pd.DataFrame) -> float:
        across, own, kind = (
            distances(side, tables.released),
            distances(side, side),
            distances(tables.released, tables.released),
        )
        np.fill_diagonal(own, np.inf)
        np.fill_diagonal(kind, np.inf)
        return (nearer(across.min(1), own.min(1)) + nearer(across.min(0), kind.min(1))) / 2

    train, holdout = plain(tables.train), plain(tables.holdout)
    assert found["nnaa_gower_train"].value == pytest.approx(train)
    assert found["nnaa_gower_holdout"].value == pytest.approx(holdout)
    assert found["nnaa_gower_privacy_loss"].value == pytest.approx(holdout - train)
    assert "Gower" in found["nnaa_gower_train"].method


def test_copies_lose_privacy_and_one_draw_of_the_population_does_not(rng: np.random.Generator) -> None:
    """The interval of the innocent table is two-sided at 99.99 %: false alarm 1e-4."""
    train, holdout, fresh = (patients(150, rng) for _ in range(3))
    assert measure(put_together(train, holdout, train.copy()), rng)["nnaa_gower_privacy_loss"].lower > 0.3
    innocent = measure(put_together(train, holdout, fresh, confidence=0.9999), rng)
    assert innocent["nnaa_gower_privacy_loss"].lower <= 0 <= innocent["nnaa_gower_privacy_loss"].upper
    assert innocent["nnaa_gower_train"].lower <= 0.5 <= innocent["nnaa_gower_train"].upper


def test_another_row_of_the_same_person_is_no_neighbour(rng: np.random.Generator) -> None:
    """Each person's second row is the first once more: as one person's they are no neighbours, as strangers' twins."""
    train, holdout, released = (patients(60, rng) for _ in range(3))
    twice = pd.concat([train, train], ignore_index=True)
    family = put_together(twice, holdout, released, train_people=np.arange(120) % 60)
    twins = put_together(twice, holdout, released)
    values = [measure(tables, rng)["nnaa_gower_train"].value for tables in (family, twins)]
    assert values[0] < values[1] - 0.1


def test_numbers_stand_in_the_range_of_the_real_ones_and_what_is_beyond_at_its_end() -> None:
    def frame(numbers: list[float]) -> pd.DataFrame:
        return pd.DataFrame({"x": numbers, "c": levels(["a", "b", None, "a"], "ab")})

    rows = mixed(
        put_together(
            frame([10.0, 20.0, np.nan, 30.0]), frame([50.0, 20.0, 20.0, 20.0]), frame([0.0, 100.0, 40.0, np.nan])
        )
    )
    assert np.array_equal(rows["train"].numbers[:, 0], [0.0, 0.25, np.nan, 0.5], equal_nan=True)
    assert np.array_equal(rows["released"].numbers[:, 0], [0.0, 1.0, 0.75, np.nan], equal_nan=True)
    assert rows["train"].codes[:, 0].tolist() == [1, 2, 0, 1]


@pytest.mark.parametrize("real", [[7.0, 7.0, 7.0], [np.nan, np.nan, np.nan], [-1.7e308, 0.0, 1.7e308]])
def test_a_column_that_is_constant_empty_or_very_wide_is_still_a_share(real: list[float]) -> None:
    frame, released = pd.DataFrame({"x": real}), pd.DataFrame({"x": [7.0, 8.0, np.nan]})
    numbers = mixed(put_together(frame, frame, released))["released"].numbers[:, 0]
    assert np.isnan(numbers[2])
    assert ((numbers[:2] >= 0) & (numbers[:2] <= 1)).all()


def test_of_large_tables_some_rows_are_asked_and_the_interval_says_so(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = put_together(*[patients(200, rng) for _ in range(3)])
    whole = measure(tables, rng)["nnaa_gower_privacy_loss"]
    monkeypatch.setattr(gower, "ASKED", 50)
    some = measure(tables, rng)["nnaa_gower_privacy_loss"]
    assert (whole.n, some.n) == (200, 50)
    assert "50 of them asked" in some.method
    assert some.upper - some.lower > 1.5 * (whole.upper - whole.lower)


def test_too_few_people_decide_nothing(rng: np.random.Generator) -> None:
    found = nnaa_gower(put_together(patients(60, rng), patients(19, rng), patients(60, rng)), rng)
    assert tuple(m.name for m in found) == NAMES
    assert all(m.status == "inconclusive" and "needs 20" in m.reason for m in found)
