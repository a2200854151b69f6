"""Membership attacks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from audit import intruders
from audit.auc import auc
from audit.intruders import Round, attacks, halves, surroundings
from audit.measures import membership as module
from audit.measures.membership import membership, rate_at
from audit.plants import loneliest
from audit.tables import AuditTables
from policies import Measurement
from tests.audit.tables import levels, patients, put_together


def measure(tables: AuditTables, rng: np.random.Generator) -> dict[str, Measurement]:
    return {m.name: m for m in membership(tables, rng)}


def test_copies_give_everyone_away(rng: np.random.Generator) -> None:
    train, holdout = patients(120, rng), patients(120, rng)
    found = measure(put_together(train, holdout, train.copy()), rng)
    assert found["membership_auc"].value == pytest.approx(1.0)
    assert found["membership_auc"].lower > 0.9
    assert found["membership_tpr"].value == pytest.approx(1.0)
    assert found["membership_tpr"].lower > 0.1
    assert found["membership_outlier_auc"].lower > 0.5


def test_a_fresh_sample_gives_nobody_away(rng: np.random.Generator) -> None:
    """Intervals at 99.99 %: false alarm 1e-4 each."""
    found = measure(put_together(*[patients(150, rng) for _ in range(3)], confidence=0.9999), rng)
    assert 0.5 <= found["membership_auc"].value < 0.65
    assert found["membership_auc"].lower <= 0.5
    assert found["membership_tpr"].lower <= 0.01 < found["membership_tpr"].upper
    assert found["membership_outlier_auc"].lower <= 0.5


def test_keeping_away_from_train_gives_people_away_too(rng: np.random.Generator) -> None:
    """A release filtered to keep its distance leaves holes where train was; the attacker turns the guess round."""
    train, holdout, pool = patients(150, rng), patients(150, rng), patients(1500, rng)
    rows = put_together(train, holdout, pool).matrices
    far = np.argsort(cdist(rows["released"], rows["train"]).min(1))[-400:]
    found = measure(put_together(train, holdout, pool.iloc[far].reset_index(drop=True)), rng)
    assert found["membership_auc"].lower > 0.5


def test_the_strongest_attack_counts_and_bounds_hold_all(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    estimates = {
        "weak": module._Attack(0.52, 0.0004, 1000, 500),
        "turned": module._Attack(0.40, 0.0004, 1000, 500),
        "vague": module._Attack(0.55, 0.0100, 1000, 500),
    }
    monkeypatch.setattr(module, "attacks", lambda *_: {name: name for name in estimates})
    monkeypatch.setattr(module, "_averaged", lambda name, *_: estimates[name])
    found = measure(put_together(*[patients(30, rng) for _ in range(3)]), rng)["membership_auc"]
    bounds = [estimate.turned(1 - 0.05 / 3) for estimate in estimates.values()]
    assert found.value == pytest.approx(0.60)
    assert "(turned)" in found.method
    assert found.lower == pytest.approx(bounds[1].low)
    assert found.upper == pytest.approx(bounds[2].high)


def test_six_kinds_of_attack_are_tried_and_each_sees_copies(rng: np.random.Generator) -> None:
    train, holdout = patients(120, rng), patients(120, rng)
    sides = put_together(train, holdout, train.copy()).sides("whole", rng)
    scored = attacks(sides, rng)
    assert len(scored) == 6
    for name, rounds in scored.items():
        areas = [
            roc_auc_score(np.repeat([1, 0], [len(r.train), len(r.holdout)]), np.concatenate([r.train, r.holdout]))
            for r in rounds
        ]
        # a mixture of few normals knows the region, not the rows
        assert np.mean(areas) > (0.5 if name == "likelihood" else 0.8), name


def test_copied_outliers_show_among_outliers(rng: np.random.Generator) -> None:
    train, holdout, fresh = (patients(400, rng) for _ in range(3))
    tables = put_together(train, holdout, fresh)
    lonely = loneliest(tables.matrices["train"], tables.people["train"], tables.matrices["holdout"], 20)
    found = measure(replace(tables, released=pd.concat([train.iloc[lonely], fresh[20:]], ignore_index=True)), rng)
    assert found["membership_auc"].value < 0.65
    assert found["membership_outlier_auc"].lower > 0.6


def test_outliers_are_the_most_isolated_people_of_both_tables_together(rng: np.random.Generator) -> None:
    """Of 120 and 150 people a sixth, so that about twenty of the smaller table are among them: 45, and who ties."""
    tables = put_together(patients(120, rng), patients(150, rng), patients(100, rng))
    rows = np.vstack([tables.matrices["train"], tables.matrices["holdout"]])
    apart = cdist(rows, rows)
    np.fill_diagonal(apart, np.inf)
    alone = apart.min(axis=1).round(9)
    expected = np.flatnonzero(alone >= np.sort(alone)[-45])
    found = module._outliers(tables.sides("whole", rng))
    assert np.flatnonzero(np.concatenate([found["train"], found["holdout"]])).tolist() == expected.tolist()


def test_a_holdout_without_outliers_cannot_tell_of_them(rng: np.random.Generator) -> None:
    wide, narrow = (pd.DataFrame(scale * rng.standard_normal((120, 4)), columns=list("abcd")) for scale in (1, 0.01))
    found = measure(put_together(wide, narrow, wide), rng)["membership_outlier_auc"]
    assert found.status == "inconclusive"
    assert "of the 40 most isolated people one table holds 0, and 10 would do" in found.reason


@pytest.mark.slow
def test_a_score_that_follows_isolation_does_not_take_chance_for_a_leak(rng: np.random.Generator) -> None:
    """Distance to the middle as the score, which betrays nobody: 200 tables at 90 %, above 34 alarms once in 1000."""
    alarms = 0
    for _ in range(200):
        frames = [pd.DataFrame(rng.standard_t(4, (200, 3)), columns=list("abc")) for _ in range(2)]
        sides = put_together(frames[0], frames[1], frames[0]).sides("whole", rng)
        asked = np.arange(200, dtype=np.int64)
        scores = [np.linalg.norm(frame.to_numpy(), axis=1) for frame in frames]
        own = (sides.ids("train", asked),), (sides.ids("holdout", asked),)
        area = module._averaged([Round(asked, scores[0], scores[1], own)], module._outliers(sides), sides)
        alarms += area.turned(0.9).low > 0.5
    assert alarms <= 34


def test_the_distance_attack_is_the_plain_one(rng: np.random.Generator) -> None:
    tables = put_together(*[patients(80, rng) for _ in range(3)])
    rows = tables.matrices
    scores = [-cdist(rows[side], rows["released"]).min(1) for side in ("train", "holdout")]
    truth = roc_auc_score(np.repeat([1, 0], 80), np.concatenate(scores))
    (found,) = attacks(tables.sides("whole", rng), rng)["distance"]
    assert auc(found.train, found.holdout).value == pytest.approx(truth)


@pytest.mark.parametrize("width", [8, 40])
@pytest.mark.parametrize("tile", [intruders.TILE, (3, 7)])
def test_surroundings_are_the_nearest_row_and_gaussian_kernels(
    width: int, tile: tuple[int, int], rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In double and in single precision, in one step and in many; one query lies on a reference row."""
    monkeypatch.setattr(intruders, "TILE", tile)
    queries, reference = rng.standard_normal((20, width)), rng.standard_normal((30, width))
    queries[4] = reference[21]
    apart = cdist(queries, reference)
    found = surroundings(queries, reference, 1.7)
    assert found.nearest.index.tolist() == apart.argmin(axis=1).tolist()
    np.testing.assert_allclose(found.nearest.distance, apart.min(axis=1))
    np.testing.assert_allclose(found.density, logsumexp(-(apart**2) / (2 * 1.7**2), axis=1) - np.log(30), rtol=1e-4)


def test_the_reference_is_never_attacked_in_its_own_half(rng: np.random.Generator) -> None:
    people = np.repeat(np.arange(40), 3)
    holdout = patients(120, rng)
    tables = put_together(patients(60, rng), holdout, patients(60, rng), holdout_people=people)
    drawn = tables.sides("whole", rng)
    rounds = list(halves(drawn, rng))
    assert sorted(np.concatenate([asked for asked, _ in rounds])) == list(range(120))
    for asked, reference in rounds:
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
        tables = put_together(many[0], many[1], released, train_people=people, holdout_people=people)
        sides = tables.sides("whole", rng)
        everyone = {side: np.ones(len(sides.queries[side]), dtype=np.bool_) for side in intruders.REAL}
        return module._averaged(attacks(sides, rng)["distance"], everyone, sides).variance

    assert interval(20) == pytest.approx(interval(1), rel=0.15)


def test_a_table_of_equal_rows_says_nothing(rng: np.random.Generator) -> None:
    frame = pd.DataFrame({"x": np.ones(40)})
    found = measure(put_together(frame, frame, frame), rng)["membership_auc"]
    assert found.value == pytest.approx(0.5)


def test_categories_alone_missing_values_and_several_rows_per_person_are_no_obstacle(rng: np.random.Generator) -> None:
    def frame() -> pd.DataFrame:
        return pd.DataFrame({c: levels([(*"abc", None)[i] for i in rng.integers(0, 4, 240)], "abc") for c in "vwxyz"})

    people = np.repeat(np.arange(120), 2)
    tables = put_together(frame(), frame(), frame(), train_people=people, holdout_people=people)
    found = measure(tables, rng)
    assert [m.status for m in found.values()] == ["measured"] * 3
    assert found["membership_tpr"].n == 240


def test_small_holdouts_cannot_tell_the_rate_nor_outliers_and_say_how_many_could(rng: np.random.Generator) -> None:
    found = measure(put_together(*[patients(60, rng) for _ in range(3)]), rng)
    assert found["membership_auc"].status == "measured"
    for name in ("membership_tpr", "membership_outlier_auc"):
        assert found[name].status == "inconclusive"
        assert "needs 100" in found[name].reason
    assert {m.status for m in measure(put_together(*[patients(15, rng) for _ in range(3)]), rng).values()} == {
        "inconclusive"
    }


def test_the_rate_is_counted_above_the_allowed_false_alarms() -> None:
    """By hand: of 200 control scores 0..199, two may be above: the threshold is 197, and 3 of 4 members are above."""
    value, low, high = rate_at(np.array([150.0, 198.0, 199.5, 300.0]), np.arange(200.0), 0.95)
    assert value == pytest.approx(0.75)
    assert low < 0.75 < high


def test_tied_scores_accuse_by_lot() -> None:
    """All are alike: whom the attacker takes for seen is a coin of 1 %, bounded as where the order is chance."""
    value, low, high = rate_at(np.zeros(300), np.zeros(300), 0.95)
    assert (value, low) == (0.0, 0.0)
    assert high == pytest.approx(rate_at(np.arange(300.0), np.arange(300.0), 0.95)[2])
    assert high < 0.1


def test_members_above_a_tie_all_count(rng: np.random.Generator) -> None:
    """Nine in ten members score 1, all others and the control 0: the upper end holds the nine in ten."""
    _, low, high = rate_at(np.where(np.arange(300) < 270, 1.0, 0.0), np.zeros(300), 0.95)
    assert low > 0.3
    assert 0.9 < high < 0.97


@pytest.mark.slow
@pytest.mark.parametrize("gap", [0.0, 1.0])
def test_the_upper_end_covers_where_scores_tie(gap: float, rng: np.random.Generator) -> None:
    """Scores of three values: the rate at 1 % lies on the line to the first corner of the curve. 300 draws at 90 %,
    5 % above: below 92 % by chance once in 100 runs."""
    steps = np.array([0.6, 0.3, 0.1])
    tilted = steps * np.exp(gap * np.arange(3))
    tilted /= tilted.sum()
    truth = 0.01 * tilted[2] / steps[2]
    scores = [rate_at(*(rng.choice(3, 200, p=p).astype(float) for p in (tilted, steps)), 0.9)[2] for _ in range(300)]
    assert sum(high >= truth for high in scores) >= 276


@pytest.mark.slow
@pytest.mark.parametrize("count", [120, 400])
@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_the_interval_of_the_rate_covers_with_an_estimated_threshold(
    count: int, shift: float, rng: np.random.Generator
) -> None:
    """Normal scores: the true rate is 1 - F(q99 - shift). 300 draws at 90 %: below 85 % by chance once in 500 runs."""
    truth = float(norm.sf(norm.ppf(0.99) - shift))
    hits = 0
    for _ in range(300):
        _, low, high = rate_at(shift + rng.standard_normal(count), rng.standard_normal(count), 0.9)
        hits += low <= truth <= high
    assert hits >= 255


@pytest.mark.slow
def test_fresh_samples_are_spared_at_the_stated_rate(rng: np.random.Generator) -> None:
    """40 fresh samples at 95 %: each figure's lower end above the innocent value at most 6 times (chance 1.5 %)."""
    alarms = dict.fromkeys(module.NAMES, 0)
    for _ in range(40):
        for found in membership(put_together(*[patients(110, rng) for _ in range(3)]), rng):
            alarms[found.name] += found.lower > module.CONTROLS[found.name].innocent
    assert max(alarms.values()) <= 6


def test_row_order_and_people_codes_do_not_matter_to_attacks_without_chance(rng: np.random.Generator) -> None:
    train, holdout, released = (patients(80, rng) for _ in range(3))
    order = rng.permutation(80)
    first = put_together(train, holdout, released)
    second = put_together(
        train.iloc[order].reset_index(drop=True), holdout, released, train_people=1000 - np.arange(80)[order]
    )
    scores = []
    for tables in (first, second):
        (found,) = attacks(tables.sides("whole", rng), rng)["distance"]
        assert isinstance(found, Round)
        scores.append(found.train)
    np.testing.assert_allclose(scores[0][order], scores[1])
