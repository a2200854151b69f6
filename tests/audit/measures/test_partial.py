"""Partial copies."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.measures.partial import NAMES, _frequencies, _Items, _surprise, _tree, _usual, partial_copies
from audit.sides import SIDES
from audit.tables import AuditTables
from policies import Measurement
from tests.audit.tables import levels, patients, put_together


def measure(tables: AuditTables, rng: np.random.Generator) -> Measurement:
    (found,) = partial_copies(tables, rng)
    assert found.name == NAMES[0]
    return found


def changed_in_three_columns(train: pd.DataFrame, fresh: pd.DataFrame, count: int) -> pd.DataFrame:
    """The first ``count`` rows of train with three columns taken from somebody else."""
    released = pd.concat([train[:count], fresh[count:]], ignore_index=True)
    for name in ("age", "pressure", "ward"):
        released.loc[: count - 1, name] = fresh.loc[: count - 1, name]
    return released


def test_rows_copied_with_three_columns_changed_are_caught(rng: np.random.Generator) -> None:
    train, holdout, fresh = (patients(500, rng) for _ in range(3))
    found = measure(put_together(train, holdout, changed_in_three_columns(train, fresh, 50)), rng)
    assert found.lower > 0.02
    # one row in eight has neither an enzyme nor a dose of its own, and nothing rare is left of it
    assert found.value == pytest.approx(0.09, abs=0.03)


def test_a_fresh_sample_repeats_nobody(rng: np.random.Generator) -> None:
    """Interval at 99.99 %: false alarm 1e-4."""
    found = measure(put_together(*[patients(300, rng) for _ in range(3)], confidence=0.9999), rng)
    assert found.lower <= 0 <= found.upper


def test_agreement_is_the_information_in_equal_values() -> None:
    """By hand, one column: p(a) = 3/4, p(b) = 1/4 in train and holdout; the only pair of equal rare values is b's."""
    cells = {"train": "aaab" * 10, "holdout": "aaab" * 10, "released": "ab" * 20}
    frames = [pd.DataFrame({"c": levels(list(part), "ab")}) for part in cells.values()]
    found = measure(put_together(*frames), np.random.default_rng(1))
    assert found.value == 0.0


def test_two_columns_that_always_go_together_count_once(rng: np.random.Generator) -> None:
    """Agreement on a column and on its copy is no more than agreement on one: the pair takes back what it adds."""
    train, holdout, fresh = (patients(200, rng) for _ in range(3))
    single = put_together(train[["ward", "sex"]], holdout[["ward", "sex"]], fresh[["ward", "sex"]])
    doubled = [frame[["ward", "sex"]].assign(again=frame["ward"]) for frame in (train, holdout, fresh)]
    kept = {side: np.arange(200) for side in SIDES}
    rows = np.arange(200)
    first = _Items(single, kept).most(("released", rows), "train")[0]
    second = _Items(put_together(*doubled), kept).most(("released", rows), "train")[0]
    np.testing.assert_allclose(first, second, atol=1e-4)


def test_the_tree_joins_the_columns_that_tell_about_each_other(rng: np.random.Generator) -> None:
    a, c = rng.integers(0, 4, 500), rng.integers(0, 4, 500)
    edges = {frozenset(edge) for edge in _tree(np.column_stack([a, c, (a + 1) % 4, c]))}
    assert {frozenset({0, 2}), frozenset({1, 3})} <= edges
    assert len(edges) == 3


def test_a_value_nobody_shares_surprises_more_than_its_count_says() -> None:
    """Forty values seen once and none twice: 2 x 0.5 / 40 of a row each. Where values repeat, the count stands."""
    np.testing.assert_allclose(_surprise(np.ones(40, dtype=np.int64))[0], -np.log(1 / 40 / 40))
    np.testing.assert_allclose(_surprise(np.array([6, 2]))[0], -np.log([0.75, 0.25]))


def test_a_real_row_is_none_of_those_that_make_its_value_likely() -> None:
    """Six rows and two, one value seen twice and none once: without the row that has it, five and one of eight."""
    np.testing.assert_allclose(_surprise(np.array([6, 2]))[1], -np.log([5 / 8, 1 / 8]))


def test_an_agreement_that_many_strangers_share_is_usual() -> None:
    alone = np.concatenate([np.zeros(398), [5.0, 5.0]])  # one pair of strangers, seen from either end
    assert _usual(alone, 0.002) <= 5.0
    assert _usual(np.concatenate([np.zeros(390), np.full(10, 5.0)]), 0.002) > 5.0


@given(
    values=st.lists(st.sampled_from([-3.0, 0.0, 0.5, 4.0]) | st.floats(-50, 50), min_size=40, max_size=200),
    share=st.floats(0.0005, 0.01),
)
def test_few_strangers_lie_above_the_mark(values: list[float], share: float) -> None:
    strangers = np.array(values)
    mark = _usual(strangers, share)
    assert (strangers >= mark).sum() <= np.ceil(4 * share * len(strangers))
    assert mark >= np.median(strangers)


def test_the_mark_is_where_an_exponential_tail_has_the_share(rng: np.random.Generator) -> None:
    """20,000 draws: the relative standard error of the share beyond is some 10 %, six of them are allowed."""
    drawn = rng.exponential(size=20_000)
    assert np.exp(-_usual(drawn, 0.001)) == pytest.approx(0.001, rel=0.6)


def test_a_pair_of_twins_hardly_moves_the_mark(rng: np.random.Generator) -> None:
    """By hand: 2 among the 50 largest raise their mean excess by 0.8 of about 1, and the mark by 3.2 times that."""
    drawn = rng.exponential(size=498)
    without, beside = _usual(drawn, 0.002), _usual(np.concatenate([drawn, [25.0, 25.0]]), 0.002)
    assert without <= beside < without + 5.0


def alike(rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """People with a number that every third shares with somebody, whoever they are, and sixteen columns alike."""
    usual = {f"c{k}": levels(rng.choice(list("abc"), rows, p=[0.75, 0.2, 0.05]), "abc") for k in range(16)}
    return pd.DataFrame({"number": rng.integers(0, 2_000, rows).astype(np.float64), **usual})


def test_copies_of_ordinary_people_are_not_hidden_by_a_number_that_strangers_share(rng: np.random.Generator) -> None:
    """Strangers who share the number and what is rare differ elsewhere, where a copy does not."""
    train, holdout, fresh = (alike(800, rng) for _ in range(3))
    found = measure(put_together(train, holdout, pd.concat([train[:80], fresh[80:]], ignore_index=True)), rng)
    assert found.value > 0.08


def test_a_persons_other_rows_are_no_strangers(rng: np.random.Generator) -> None:
    """Everybody twice: the row most like a row is its person's other one, and that is passed over."""
    twice = patients(100, rng).iloc[np.repeat(np.arange(100), 2)].reset_index(drop=True)
    people = np.repeat(np.arange(100), 2)
    tables = put_together(twice, twice, twice, train_people=people, holdout_people=people)
    items = _Items(tables, {side: np.arange(200) for side in SIDES})
    own, which = items.most(("train", np.arange(200)), "train")
    across = items.most(("train", np.arange(200)), "holdout")[0]
    assert (people[which] != people).all()
    assert (own < across).mean() > 0.9


def test_numbers_that_strangers_hardly_share_refuse_no_honest_release(rng: np.random.Generator) -> None:
    """Among numbers that one pair of people in a hundred shares, a released row shares what is new.

    With a stranger's own value counted, every such agreement of a released row looked rarer than any of strangers: in
    four of five tables the upper end then came to more than a twentieth, without in one of twenty. False alarms of the
    test: 1e-5.
    """
    ends = []
    for _ in range(12):
        tables = [
            pd.DataFrame({f"x{k}": rng.integers(0, 20_000, 180).astype(np.float64) for k in range(24)})
            for _ in range(3)
        ]
        ends.append(partial_copies(put_together(*tables), rng)[0].upper)
    assert np.median(ends) < 0.05


def test_frequencies_are_shares_of_rows() -> None:
    joint, left, right = _frequencies(np.array([[0, 1], [0, 1], [1, 0], [1, 1]]))
    np.testing.assert_allclose(joint, [[0.0, 0.5], [0.25, 0.25]])
    np.testing.assert_allclose(left, [0.5, 0.5])
    np.testing.assert_allclose(right, [0.25, 0.75])


def test_row_order_and_names_of_levels_do_not_matter(rng: np.random.Generator) -> None:
    train, holdout, fresh = (patients(120, rng) for _ in range(3))
    released = changed_in_three_columns(train, fresh, 30)
    plain = measure(put_together(train, holdout, released), np.random.default_rng(5))
    frames = [frame.copy() for frame in (train.sample(frac=1, random_state=1), holdout, released[::-1])]
    for frame in frames:
        frame["ward"] = frame["ward"].cat.rename_categories(dict(zip("abcde", "vwxyz", strict=True)))
        frame.index = pd.RangeIndex(len(frame))
    again = measure(put_together(*frames), np.random.default_rng(5))
    assert (again.value, again.upper) == pytest.approx((plain.value, plain.upper))


def test_missing_values_constant_columns_and_several_rows_per_person(rng: np.random.Generator) -> None:
    frames = [patients(120, rng).assign(constant=1.0, empty=np.nan) for _ in range(3)]
    people = np.repeat(np.arange(60), 2)
    found = measure(put_together(*frames, train_people=people, holdout_people=people), rng)
    assert found.status == "measured"
    assert found.lower <= 0


def test_a_larger_train_is_cut_and_scaled_back(rng: np.random.Generator) -> None:
    train, holdout, fresh = patients(600, rng), patients(200, rng), patients(400, rng)
    found = measure(put_together(train, holdout, pd.concat([train[:80], fresh[80:]], ignore_index=True)), rng)
    assert found.lower < 0.2 < found.upper + 0.05
    assert found.lower > 0


def test_too_few_people_are_inconclusive(rng: np.random.Generator) -> None:
    found = measure(put_together(*[patients(15, rng) for _ in range(3)]), rng)
    assert found.status == "inconclusive"
    assert "20" in found.reason


@pytest.mark.slow
def test_fresh_samples_are_spared_at_the_stated_rate(rng: np.random.Generator) -> None:
    """40 fresh samples at 95 %: the lower end above 0 at most 6 times (by chance once in 70 runs)."""
    alarms = sum(measure(put_together(*[patients(150, rng) for _ in range(3)]), rng).lower > 0 for _ in range(40))
    assert alarms <= 6
