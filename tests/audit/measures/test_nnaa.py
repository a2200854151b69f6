"""Nearest-neighbour adversarial accuracy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from audit.measures.nnaa import NAMES, adversarial_accuracy, nnaa
from audit.neighbours import Reference
from audit.sides import Sides
from audit.tables import AuditTables
from policies import Measurement
from tests.audit.tables import levels, patients, put_together


def accuracy(train: list[float], released: list[float], people: list[int] | None = None) -> float:
    matrices = {"train": train, "holdout": train, "released": released}
    sides = Sides(
        {  # type: ignore[misc]
            side: (np.arange(len(values)), Reference(np.array(values, dtype=np.float64)[:, None]))
            for side, values in matrices.items()
        },
        {
            "train": np.array(people or range(len(train))),
            "holdout": np.array(people or range(len(train))),
            "released": np.arange(len(released)),
        },
        np.random.default_rng(0),
    )
    return adversarial_accuracy(sides, "train").value


def measure(tables: AuditTables, rng: np.random.Generator) -> dict[str, Measurement]:
    return {m.name: m for m in nnaa(tables, rng)}


def test_a_copy_of_train_scores_zero_and_a_table_far_away_one() -> None:
    assert accuracy([0, 1, 3], [0, 1, 3]) == 0.0
    assert accuracy([0, 1, 3], [10, 11, 12]) == 1.0


def test_three_rows_by_hand() -> None:
    """Train 0: nearer to released (0); train 1: both 1 away (half); train 3: both 2 away (half).

    Released 0: nearer to train (0); released 5: 1 to 6, 2 to 3 (1); released 6: 1 to 5, 3 to 3 (1). (1/3 + 2/3) / 2.
    """
    assert accuracy([0, 1, 3], [0, 5, 6]) == pytest.approx(0.5)


def test_another_row_of_the_same_person_is_no_neighbour() -> None:
    """Alone, train 0 and 0.1 are each other's nearest (own kind: 1); as one person both look to 9 (0)."""
    strangers = accuracy([0, 0.1, 9], [3, 4, 20], [0, 1, 2])
    family = accuracy([0, 0.1, 9], [3, 4, 20], [0, 0, 1])
    assert strangers - family == pytest.approx((2 / 3) / 2)


def test_it_agrees_with_brute_force(rng: np.random.Generator) -> None:
    tables = put_together(*[patients(90, rng) for _ in range(3)])
    found = measure(tables, rng)

    def half_open(other: np.ndarray, own: np.ndarray) -> float:
        return float(np.mean((other > own + 1e-9) + 0.5 * (np.abs(other - own) <= 1e-9)))

    def brute(real: np.ndarray, synthetic: np.ndarray) -> float:
        across, own, kind = cdist(real, synthetic), cdist(real, real), cdist(synthetic, synthetic)
        np.fill_diagonal(own, np.inf)
        np.fill_diagonal(kind, np.inf)
        return (half_open(across.min(1), own.min(1)) + half_open(across.min(0), kind.min(1))) / 2

    rows = tables.matrices
    train, holdout = brute(rows["train"], rows["released"]), brute(rows["holdout"], rows["released"])
    assert found["nnaa_train"].value == pytest.approx(train)
    assert found["nnaa_holdout"].value == pytest.approx(holdout)
    assert found["nnaa_privacy_loss"].value == pytest.approx(holdout - train)


def test_copies_lose_privacy_and_one_draw_of_the_population_does_not(rng: np.random.Generator) -> None:
    """The interval of the innocent table is two-sided at 99.99 %: false alarm 1e-4."""
    train, holdout, fresh = (patients(150, rng) for _ in range(3))
    copied = measure(put_together(train, holdout, train.copy()), rng)["nnaa_privacy_loss"]
    assert copied.lower > 0.3
    innocent = measure(put_together(train, holdout, fresh, confidence=0.9999), rng)
    assert innocent["nnaa_privacy_loss"].lower <= 0 <= innocent["nnaa_privacy_loss"].upper
    assert innocent["nnaa_train"].lower <= 0.5 <= innocent["nnaa_train"].upper


@pytest.mark.slow
def test_a_fresh_sample_of_a_table_full_of_equal_rows_scores_a_half(rng: np.random.Generator) -> None:
    """Ties count half. Mean of 60 tables of 8 x 3 x 2 cells; six standard errors: false alarm below 1e-8.

    A strict comparison would give about a third here.
    """

    def coarse(count: int) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "a": levels(rng.choice(list("abcdefgh"), count), "abcdefgh"),
                "b": levels(rng.choice(list("xyz"), count, p=[0.6, 0.3, 0.1]), "xyz"),
                "c": levels(rng.choice(list("fm"), count), "fm"),
            }
        )

    values = np.array(
        [measure(put_together(coarse(100), coarse(100), coarse(100)), rng)["nnaa_train"].value for _ in range(60)]
    )
    assert abs(values.mean() - 0.5) < 6 * values.std() / np.sqrt(60) + 1 / 400  # 1/400: n against n - 1 neighbours


@pytest.mark.slow
def test_the_interval_of_a_fresh_sample_covers_nothing_lost(rng: np.random.Generator) -> None:
    """100 tables at 90 %: 10 or fewer misses expected; more than 24 with a chance below 2e-5."""
    misses = 0
    for _ in range(100):
        tables = put_together(*[patients(80, rng) for _ in range(3)], confidence=0.9)
        loss = measure(tables, rng)["nnaa_privacy_loss"]
        misses += not loss.lower <= 0 <= loss.upper
    assert misses <= 24


def test_tables_are_cut_to_the_smallest(rng: np.random.Generator) -> None:
    found = measure(put_together(patients(60, rng), patients(40, rng), patients(90, rng)), rng)
    assert found["nnaa_privacy_loss"].n == 40
    assert "40 rows a side" in found["nnaa_train"].method


def test_too_few_people_decide_nothing(rng: np.random.Generator) -> None:
    found = nnaa(put_together(patients(60, rng), patients(19, rng), patients(60, rng)), rng)
    assert tuple(m.name for m in found) == NAMES
    assert all(m.status == "inconclusive" and "19 people" in m.reason and "needs 20" in m.reason for m in found)
