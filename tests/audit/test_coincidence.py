"""How likely it is that strangers hold a row, and what an equal row says of copying."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from audit import coincidence
from audit.coincidence import COPIED, _Density, chance_of_copying, strangers_alike
from audit.tables import AuditTables
from tests.audit.tables import SHARES, patients, put_together, skewed


def test_a_row_that_nobody_else_could_have_counts_fully(rng: np.random.Generator) -> None:
    train, holdout, fresh = (patients(200, rng) for _ in range(3))
    weight = chance_of_copying(
        put_together(train, holdout, pd.concat([train[:50], fresh[50:]], ignore_index=True)), rng
    )
    assert (weight[:50] > 0.99).all()
    assert (weight[50:] == 0).all()


def test_a_row_that_another_person_has_too_counts_next_to_nothing(rng: np.random.Generator) -> None:
    """Two of 400 have it, amid many alike: about one of 200 strangers does, against one copy in a hundred."""
    train, holdout, fresh = (skewed(200, 8, rng) for _ in range(3))
    rows = pd.concat([train, holdout]).apply(tuple, axis=1)
    pair = next(row for row, held in rows.value_counts().items() if held == 2)
    fresh.loc[0] = list(pair)
    weight = chance_of_copying(put_together(train, holdout, fresh), rng)
    assert weight[0] == pytest.approx(COPIED / (COPIED + 200 / 399), rel=0.01)


def test_a_row_that_everybody_has_counts_next_to_nothing(rng: np.random.Generator) -> None:
    """No row differs, so that kernels are silent; all of 150 strangers have it, against one copy in a hundred."""
    same = pd.DataFrame({"a": np.ones(150), "b": np.zeros(150)})
    weight = chance_of_copying(put_together(same, same, same[:20]), rng)
    assert weight == pytest.approx(np.full(20, COPIED / (COPIED + 150)), rel=1e-9)


def test_a_patient_who_is_in_the_tables_twice_may_not_be_copied_for_it(rng: np.random.Generator) -> None:
    """Numbers to the last digit: nobody shares them by chance, so an equal row of another code is the same person's."""
    train, holdout, fresh = (patients(200, rng) for _ in range(3))
    train.loc[20:39] = train.loc[0:19].to_numpy()
    train = train.astype(holdout.dtypes.to_dict())
    fresh.loc[:9] = train.loc[:9].to_numpy()
    weight = chance_of_copying(put_together(train, holdout, fresh.astype(holdout.dtypes.to_dict())), rng)
    assert (weight[:10] > 0.9).all()


def test_wide_tables_have_chances_too(rng: np.random.Generator) -> None:
    """Products over 150 columns are too small for a float; their logarithms are not."""
    wide = [pd.DataFrame(rng.standard_normal((60, 150))).rename(columns=str) for _ in range(3)]
    wide[2].loc[:4] = wide[0].loc[:4]
    weight = chance_of_copying(put_together(*wide), rng)
    assert (weight[:5] == 1).all()
    assert (weight[5:] == 0).all()


def test_a_persons_own_rows_do_not_make_a_row_usual(rng: np.random.Generator) -> None:
    train, holdout, fresh = (patients(200, rng) for _ in range(3))
    train.loc[1:9] = train.loc[[0] * 9].to_numpy()
    fresh.loc[0] = train.loc[0]
    one_each = np.arange(200, dtype=np.int64)
    same = one_each.copy()
    same[:10] = 0
    alone = AuditTables(put_together(train, holdout, fresh).dictionary, train, holdout, fresh, same, one_each)
    assert chance_of_copying(alone, rng)[0] > 0.99


def test_train_and_holdout_are_treated_alike(rng: np.random.Generator) -> None:
    train, holdout, fresh = skewed(120, 6, rng), skewed(120, 6, rng), skewed(120, 6, rng)
    one = chance_of_copying(put_together(train, holdout, fresh), rng)
    other = chance_of_copying(put_together(holdout, train, fresh), rng)
    np.testing.assert_allclose(one, other, rtol=1e-9)


@pytest.mark.parametrize("width", [4, 6, 8])
def test_the_chances_are_those_of_the_population(rng: np.random.Generator, width: int) -> None:
    """Summed over the rows of one person each, known by construction; 30 % off is 4 standard errors of 12 tables."""
    said = true = 0.0
    shares = np.array(SHARES)
    for _ in range(12):
        tables = put_together(skewed(400, width, rng), skewed(400, width, rng), skewed(400, width, rng))
        density = _Density.of(tables, rng)
        single = np.flatnonzero(np.bincount(density.row)[density.row] == 1)
        said += float(density.chance(density.row[single]).sum())
        real = pd.concat([tables.train, tables.holdout]).iloc[single]
        true += float(shares[np.column_stack([real[name].cat.codes for name in real])].prod(axis=1).sum())
    assert said == pytest.approx(true, rel=0.3)


def test_the_whole_of_a_small_space_has_probability_one(rng: np.random.Generator) -> None:
    train, holdout = skewed(4_000, 3, rng), skewed(4_000, 3, rng)
    density = _Density.of(put_together(train, holdout, train), rng)
    there = np.unique(density.row)
    assert 0.98 < float(density.chance(there).sum()) < 1.02


def test_more_different_rows_than_are_asked_for_count_fully(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, holdout = skewed(300, 5, rng), skewed(300, 5, rng)
    before = chance_of_copying(put_together(train, holdout, train.copy()), rng)
    monkeypatch.setattr(coincidence, "ASKED", 10)
    after = chance_of_copying(put_together(train, holdout, train.copy()), rng)
    known = after < 1
    rows = train.apply(tuple, axis=1)
    assert rows[known].nunique() == 10
    assert (after[~known] == 1).all()
    assert (before < 1).all()


def coded(frame: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Codes of values and of whole rows of a table of categories."""
    values = np.column_stack([frame[name].cat.codes for name in frame]).astype(np.int64)
    return values, np.unique(values, axis=0, return_inverse=True)[1]


@pytest.mark.parametrize("width", [4, 6, 8, 10])
def test_strangers_are_alike_about_as_often_as_the_population_has_it(rng: np.random.Generator, width: int) -> None:
    """Known by construction; kernels that leave equal rows out say too little, but no less than a tenth."""
    values, row = coded(skewed(800, width, rng))
    true = float((np.array(SHARES) ** 2).sum()) ** width
    assert true / 10 < strangers_alike(values, row, np.arange(800), 800, rng) < 1.5 * true


def test_rows_that_two_files_share_do_not_make_strangers_alike(rng: np.random.Generator) -> None:
    table = patients(400, rng).apply(lambda column: pd.Series(pd.Categorical(column)))
    apart = strangers_alike(*coded(table), np.arange(400), 3, rng)
    table.iloc[200:300] = table.iloc[:100].to_numpy()
    shared = strangers_alike(*coded(table), np.arange(400), 3, rng)
    assert shared < 3 * apart + 1e-9
    assert shared * 200 * 200 < 0.1
