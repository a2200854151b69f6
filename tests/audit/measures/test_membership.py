"""Membership attacks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from sklearn.metrics import roc_auc_score

from audit.measures import membership as module
from audit.measures.membership import membership
from tests.audit.tables import patients, put_together


def test_copies_give_everyone_away(rng: np.random.Generator) -> None:
    train, holdout = patients(120, rng), patients(120, rng)
    (found,) = membership(put_together(train, holdout, train.copy()), rng)
    assert found.value == pytest.approx(1.0)
    assert found.lower > 0.9


def test_a_fresh_sample_gives_nobody_away(rng: np.random.Generator) -> None:
    """Interval at 99.99 %: false alarm 1e-4."""
    (found,) = membership(put_together(*[patients(150, rng) for _ in range(3)], confidence=0.9999), rng)
    assert 0.5 <= found.value < 0.65
    assert found.lower <= 0.5


def test_keeping_away_from_train_gives_people_away_too(rng: np.random.Generator) -> None:
    """A release filtered to keep its distance leaves holes where train was; the attacker turns the guess round."""
    train, holdout, pool = patients(150, rng), patients(150, rng), patients(1500, rng)
    rows = put_together(train, holdout, pool).matrices
    far = np.argsort(cdist(rows["released"], rows["train"]).min(1))[-400:]
    (found,) = membership(put_together(train, holdout, pool.iloc[far].reset_index(drop=True)), rng)
    assert found.lower > 0.5


def test_the_strongest_attack_counts_and_bounds_hold_all(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    attacks = {
        "weak": module._Attack(0.52, 0.0004, 1000),
        "turned": module._Attack(0.40, 0.0004, 1000),
        "vague": module._Attack(0.55, 0.0100, 1000),
    }
    monkeypatch.setattr(module, "_attacks", lambda *_: attacks)
    (found,) = membership(put_together(*[patients(30, rng) for _ in range(3)]), rng)
    bounds = [attack.turned(1 - 0.05 / 3) for attack in attacks.values()]
    assert found.value == pytest.approx(0.60)
    assert "(turned)" in found.method
    assert found.lower == pytest.approx(bounds[1].low)
    assert found.upper == pytest.approx(bounds[2].high)


def test_the_distance_attack_is_the_plain_one(rng: np.random.Generator) -> None:
    tables = put_together(*[patients(80, rng) for _ in range(3)])
    rows = tables.matrices
    scores = [-cdist(rows[side], rows["released"]).min(1) for side in ("train", "holdout")]
    truth = roc_auc_score(np.repeat([1, 0], 80), np.concatenate(scores))
    assert module._attacks(tables.sides("whole", rng), rng)["distance"].value == pytest.approx(truth)


def test_the_density_is_that_of_gaussian_kernels(rng: np.random.Generator) -> None:
    queries, reference = rng.standard_normal((20, 40)), rng.standard_normal((30, 40))
    truth = logsumexp(-cdist(queries, reference, "sqeuclidean") / (2 * 1.7**2), axis=1) - np.log(30)
    np.testing.assert_allclose(module._log_density(queries, reference, 1.7), truth, rtol=1e-4)


def test_the_reference_is_never_attacked_in_its_own_half(rng: np.random.Generator) -> None:
    people = np.repeat(np.arange(40), 3)
    holdout = patients(120, rng)
    tables = put_together(patients(60, rng), holdout, patients(60, rng), holdout_people=people)
    drawn = tables.sides("whole", rng)
    halves = list(module._halves(drawn, rng))
    assert sorted(np.concatenate([asked for asked, _ in halves])) == list(range(120))
    for asked, reference in halves:
        attacked = set(people[drawn.queries["holdout"][asked]])
        assert not attacked & set(people[reference])


@pytest.mark.slow
def test_many_rows_per_person_do_not_narrow_the_interval_by_themselves(rng: np.random.Generator) -> None:
    """Every row written twenty times: the interval of the distance attack stays, to 15 %, that of the people."""

    def interval(times: int) -> float:
        frames = [patients(60, np.random.default_rng(seed)) for seed in (1, 2)]
        many = [pd.concat([frame] * times, ignore_index=True) for frame in frames]
        people = np.tile(np.arange(60), times)
        released = patients(60, np.random.default_rng(3))
        tables = put_together(*many, released, train_people=people, holdout_people=people)
        return module._attacks(tables.sides("whole", rng), rng)["distance"].variance

    assert interval(20) == pytest.approx(interval(1), rel=0.15)


def test_a_table_of_equal_rows_says_nothing(rng: np.random.Generator) -> None:
    frame = pd.DataFrame({"x": np.ones(40)})
    (found,) = membership(put_together(frame, frame, frame), rng)
    assert found.value == pytest.approx(0.5)
