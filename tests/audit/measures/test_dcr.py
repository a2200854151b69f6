"""Nearer to train than to holdout?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from audit.measures.dcr import dcr
from tests.audit.tables import levels, patients, put_together


def test_it_agrees_with_brute_force(rng: np.random.Generator) -> None:
    tables = put_together(patients(70, rng), patients(70, rng), patients(120, rng))
    rows = tables.matrices
    to_train, to_holdout = (cdist(rows["released"], rows[side]).min(1) for side in ("train", "holdout"))
    truth = np.mean(to_train < to_holdout - 1e-9) + 0.5 * np.mean(np.abs(to_train - to_holdout) <= 1e-9)
    assert dcr(tables, rng)[0].value == pytest.approx(truth)


def test_copies_are_all_nearer_to_train(rng: np.random.Generator) -> None:
    train, holdout = patients(100, rng), patients(100, rng)
    (found,) = dcr(put_together(train, holdout, train.copy()), rng)
    assert found.value == 1.0
    assert 0.9 < found.lower < 1.0


def test_equal_distances_count_half(rng: np.random.Generator) -> None:
    frame = pd.DataFrame({"c": levels(["a", "b"] * 20, "ab"), "d": levels(["x"] * 40, "xy")})
    assert dcr(put_together(frame, frame, frame), rng)[0].value == 0.5


def test_a_larger_train_is_no_reason_to_be_nearer(rng: np.random.Generator) -> None:
    """Train four times the holdout: without equal sizes the share would be near 0.8. Interval at 99.99 %."""
    tables = put_together(patients(400, rng), patients(100, rng), patients(300, rng), confidence=0.9999)
    (found,) = dcr(tables, rng)
    assert found.lower <= 0.5 <= found.upper
    assert found.upper < 0.75


def test_rows_that_hang_on_one_person_are_not_independent_evidence(rng: np.random.Generator) -> None:
    """300 released rows around one train person say as much as that one person."""
    train, holdout = patients(100, rng), patients(100, rng)
    released = pd.concat([train.iloc[[0]]] * 150 + [holdout.iloc[[0]]] * 150, ignore_index=True)
    (found,) = dcr(put_together(train, holdout, released), rng)
    assert found.value == pytest.approx(0.5)
    assert found.upper - found.lower > 0.8
