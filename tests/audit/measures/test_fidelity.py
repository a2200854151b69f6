"""Fidelity against train, holdout, and the floor between them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from audit.marginals import numeric_distances, total_variation
from audit.measures.fidelity import NAMES, fidelity
from audit.pairs import contingency_distances, correlation_differences
from audit.resampling import Groups
from audit.tables import AuditTables
from policies import Measurement
from tests.audit.tables import levels, patients, put_together


def measure(tables: AuditTables, rng: np.random.Generator) -> dict[str, Measurement]:
    return {m.name: m for m in fidelity(tables, rng)}


def test_ks_and_wasserstein_are_scipys(rng: np.random.Generator) -> None:
    values = [rng.standard_normal(60), rng.standard_normal(50) + 0.3, np.round(rng.standard_normal(70), 1)]
    frames = [pd.DataFrame({"x": part}) for part in values]
    tables = put_together(*frames)
    ks, wasserstein = (part[0] for part in numeric_distances(tables, "x", Groups.deal(tables, rng)))
    span = np.ptp(values[0])
    for place, (a, b) in enumerate(((0, 2), (1, 2), (0, 1))):
        assert ks[place] == pytest.approx(stats.ks_2samp(values[a], values[b]).statistic)
        assert wasserstein[place] == pytest.approx(stats.wasserstein_distance(values[a], values[b]) / span)


def test_a_missing_number_is_a_value_below_all(rng: np.random.Generator) -> None:
    """Half of train missing, nobody in the release: KS 0.5, and half the mass moved by one range."""
    known, half = pd.DataFrame({"x": [1.0, 2.0] * 10}), pd.DataFrame({"x": [np.nan] * 10 + [1.0, 2.0] * 5})
    tables = put_together(half, known, known)
    ks, wasserstein = (part[0] for part in numeric_distances(tables, "x", Groups.deal(tables, rng)))
    assert ks.tolist() == [0.5, 0.0, 0.5]
    assert wasserstein.tolist() == [0.5, 0.0, 0.5]


def test_a_column_nobody_knows_is_equal_to_itself(rng: np.random.Generator) -> None:
    frame = pd.DataFrame({"x": [np.nan] * 20})
    tables = put_together(frame, frame, frame)
    ks, wasserstein = numeric_distances(tables, "x", Groups.deal(tables, rng))
    assert not ks.any()
    assert not wasserstein.any()


def test_total_variation_by_hand(rng: np.random.Generator) -> None:
    """Shares (a, b, missing): train .5 .5 0, released .25 .25 .5, holdout 1 0 0."""
    frames = [
        pd.DataFrame({"c": levels([None if cell == "." else cell for cell in cells], "ab")})
        for cells in ("ab" * 10, "a" * 20, "ab.." * 5)
    ]
    tables = put_together(*frames)
    assert total_variation(tables, "c", Groups.deal(tables, rng))[0].tolist() == [0.5, 0.75, 0.5]


def test_correlation_is_numpys_over_rows_with_both_known(rng: np.random.Generator) -> None:
    frames = [
        pd.DataFrame(rng.multivariate_normal([0, 5], [[1, r], [r, 1]], 40), columns=["x", "y"]) for r in (0.8, 0.2, 0.0)
    ]
    frames[2].loc[:9, "x"] = np.nan
    tables = put_together(*frames)
    rho = [frame.dropna().corr().iloc[0, 1] for frame in frames]
    found = correlation_differences(tables, Groups.deal(tables, rng))
    assert found[0, 0].tolist() == pytest.approx([abs(rho[0] - rho[2]), abs(rho[1] - rho[2]), abs(rho[0] - rho[1])])


def test_a_column_that_does_not_vary_has_no_correlation(rng: np.random.Generator) -> None:
    line = pd.DataFrame({"x": np.arange(20.0), "y": np.arange(20.0)})
    flat = line.assign(y=3.0)
    tables = put_together(line, flat, flat)
    assert correlation_differences(tables, Groups.deal(tables, rng))[0, 0].tolist() == pytest.approx([1.0, 0.0, 1.0])


def test_pair_trend_by_hand(rng: np.random.Generator) -> None:
    """x and y agree in train and run against each other in the release: 1 - |1 - (-1)| / 2 = 0 for that pair.

    c follows x in both, so both its pairs with x and y are compared in tables: x half in the lowest and half in the
    highest bin. (x, c) is the same in both; (y, c) has nothing in common.
    """
    train = pd.DataFrame({"x": [0.0, 1.0] * 10, "y": [0.0, 1.0] * 10, "c": levels(["a", "b"] * 10, "ab")})
    released = train.assign(y=1.0 - train["y"])
    found = measure(put_together(train, train, released), rng)
    assert found["pair_trend_train"].value == pytest.approx((0 + 1 + 0) / 3)
    assert found["correlation_difference_train"].value == pytest.approx(2.0)
    assert found["floor_pair_trend"].value == pytest.approx(1.0)


def test_joint_tables_are_those_of_crosstab(rng: np.random.Generator) -> None:
    frames = [patients(80, rng)[["age", "ward"]] for _ in range(3)]
    tables = put_together(*frames)
    edges = np.linspace(frames[0]["age"].min(), frames[0]["age"].max(), 11)
    edges[0], edges[-1] = -np.inf, np.inf
    shares = [
        pd.crosstab(
            pd.cut(frame["age"], edges, right=False, labels=False),
            frame["ward"].astype(object).where(frame["ward"].notna(), "missing"),
            normalize=True,
        )
        for frame in frames
    ]
    truth = 0.5 * shares[0].stack().sub(shares[2].stack(), fill_value=0).abs().sum()
    found = contingency_distances(tables, Groups.deal(tables, rng), rng)
    assert found[0, 0, 0] == pytest.approx(truth)


def test_leaving_out_a_group_is_measuring_without_it(rng: np.random.Generator) -> None:
    frames = [patients(90, rng) for _ in range(3)]
    tables = put_together(*frames)
    groups = Groups.deal(tables, rng)
    kept = [frame[groups.of[side] != 4].reset_index(drop=True) for side, frame in tables.frames.items()]
    without = put_together(*kept)
    same = Groups.deal(without, rng)
    np.testing.assert_allclose(total_variation(tables, "ward", groups)[5], total_variation(without, "ward", same)[0])
    np.testing.assert_allclose(
        numeric_distances(tables, "enzyme", groups)[0][5], numeric_distances(without, "enzyme", same)[0][0]
    )
    np.testing.assert_allclose(
        correlation_differences(tables, groups)[:, 5], correlation_differences(without, same)[:, 0], atol=1e-12
    )


def test_the_people_of_a_group_stay_together(rng: np.random.Generator) -> None:
    people = np.repeat(np.arange(30), 3)
    tables = put_together(patients(90, rng), patients(40, rng), patients(40, rng), train_people=people)
    groups = Groups.deal(tables, rng)
    assert all(len(set(groups.of["train"][people == person])) == 1 for person in range(30))
    assert np.bincount(groups.of["train"][::3], minlength=20).max() == 2


def test_a_copy_is_nearer_to_train_than_the_floor(rng: np.random.Generator) -> None:
    train, holdout = patients(300, rng), patients(300, rng)
    found = measure(put_together(train, holdout, train.copy()), rng)
    assert found["ks_train"].value == 0.0
    assert found["ks_holdout"].value == found["floor_ks"].value > 0
    assert found["pair_trend_train"].value == pytest.approx(1.0)


def test_every_interval_holds_its_value(rng: np.random.Generator) -> None:
    found = measure(put_together(*[patients(100, rng) for _ in range(3)]), rng)
    assert tuple(found) == NAMES
    assert all(m.lower <= m.value <= m.upper for m in found.values())


def test_what_a_table_does_not_have_is_not_measured(rng: np.random.Generator) -> None:
    numbers = measure(put_together(*[patients(40, rng)[["age", "pressure"]] for _ in range(3)]), rng)
    assert numbers["total_variation_train"].status == "inconclusive"
    assert numbers["pair_trend_train"].status == "measured"
    single = measure(put_together(*[patients(40, rng)[["sex"]] for _ in range(3)]), rng)
    assert {name for name, m in single.items() if m.status == "measured"} == {
        "total_variation_train",
        "total_variation_holdout",
        "floor_total_variation",
    }


@pytest.mark.slow
def test_the_jackknife_interval_covers_a_real_difference(rng: np.random.Generator) -> None:
    """A release shifted by one sd: KS 0.383. 60 tables at 90 %: 6 misses expected, more than 17 with chance 3e-5."""
    truth = 2 * stats.norm.cdf(0.5) - 1
    misses = 0
    for _ in range(60):
        frames = [pd.DataFrame({"x": rng.standard_normal(200) + shift}) for shift in (0, 0, 1)]
        found = measure(put_together(*frames, confidence=0.9), rng)["ks_train"]
        misses += not found.lower <= truth <= found.upper
    assert misses <= 17
