"""Tables say what the rows have, nothing of combinations that few people have, and are the same for the same rows."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from policies import Dictionary, parse_dictionary
from synth.calibration.quantiles import Person
from synth.encoding import Encoding, encode
from synth.pair_tables import MOST_TABLES, PairTables
from synth.selection import Rows

N = 2_000
LEAST = 11


def patients(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Pressure goes with age; the ward has three levels, the rarest among old patients only; weight has gaps."""
    age = rng.normal(size=n)
    ward = np.where(age > 1.0, 2, rng.integers(2, size=n))
    weight = np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n))
    return pd.DataFrame(
        {
            "age": age,
            "pressure": 0.8 * age + 0.6 * rng.normal(size=n),
            "weight": weight,
            "ward": pd.Categorical.from_codes(ward, ["a", "b", "c"]),
        }
    )


def dictionary_of() -> Dictionary:
    numbers = "".join(
        f'[columns.{name}]\ntype = "number"\nminimum = -99\nmaximum = 99\n' for name in ("age", "pressure", "weight")
    )
    text = f'version = 1\nname = "t"\n{numbers}[columns.ward]\ntype = "category"\ncategories = ["a", "b", "c"]\n'
    return parse_dictionary(text.encode())


@pytest.fixture(scope="module")
def real() -> tuple[Encoding, Rows]:
    rng = np.random.default_rng(0)
    table = patients(N, rng)
    classes = rng.integers(2, size=N)
    encoding, scores = encode(table, dictionary_of(), list(table), classes, rng, minimum_people=LEAST, people=None)
    return encoding, Rows(scores, classes)


def learned(real: tuple[Encoding, Rows], owners: Person | None = None, least: int = LEAST) -> PairTables:
    return PairTables.learn(*real, owners, least, np.random.default_rng(1))


def test_every_table_has_every_row_once(real: tuple[Encoding, Rows]) -> None:
    tables = learned(real)
    # age, pressure, weight, ward, and whether weight is missing
    assert [tuple(pair) for pair in tables.pairs] == list(combinations(range(5), 2))
    counts = tables.counts(tables.places(*real))
    assert counts.sum() == N * len(tables.pairs)
    np.testing.assert_allclose(tables.shares, counts / N)
    first = 0
    for known, place in zip(tables.known, tables.places(*real), strict=True):
        assert place.min() >= first
        first += len(known) + 1
        assert place.max() < first


def test_a_combination_that_fewer_people_have_has_no_cell_of_its_own(real: tuple[Encoding, Rows]) -> None:
    tables = learned(real)
    first = 0
    for known in tables.known:
        assert (np.round(tables.shares[first + 1 : first + 1 + len(known)] * N) >= LEAST).all()
        first += len(known) + 1
    assert sum(len(known) for known in tables.known) < sum(len(known) for known in learned(real, least=1).known)


def test_people_are_counted_and_not_their_rows(real: tuple[Encoding, Rows]) -> None:
    """Each of ten people has two hundred rows, so that no combination is held by eleven."""
    owners = np.arange(N) % (LEAST - 1)
    assert all(len(known) == 0 for known in learned(real, owners).known)
    assert any(len(known) for known in learned(real, np.arange(N) % 500).known)


@pytest.mark.parametrize(
    "strangers",
    [
        pytest.param(lambda scores: np.where(np.isfinite(scores), 7.9, scores), id="beyond"),
        pytest.param(lambda scores: -scores, id="turned round"),
    ],
)
def test_rows_of_other_kinds_have_a_place_too(
    real: tuple[Encoding, Rows], strangers: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> None:
    encoding, rows = real
    tables = learned(real)
    others = Rows(strangers(rows.scores), rows.classes)
    counts = tables.counts(tables.places(encoding, others))
    assert counts.sum() == N * len(tables.pairs)
    assert np.abs(counts / N - tables.shares).max() > 0.05


def test_of_a_wide_table_some_pairs_are_looked_at() -> None:
    rng = np.random.default_rng(2)
    names = [f"x{j}" for j in range(40)]
    table = pd.DataFrame(rng.normal(size=(100, 40)), columns=names)
    numbers = "".join(f'[columns.{name}]\ntype = "number"\nminimum = -99\nmaximum = 99\n' for name in names)
    nothing = np.zeros(100, dtype=np.int64)
    dictionary = parse_dictionary(f'version = 1\nname = "t"\n{numbers}'.encode())
    encoding, scores = encode(table, dictionary, names, nothing, rng, minimum_people=LEAST, people=None)
    tables = PairTables.learn(encoding, Rows(scores, nothing), None, 1, rng)
    assert len(tables.pairs) == MOST_TABLES
    assert len(np.unique(tables.pairs, axis=0)) == MOST_TABLES
    assert (tables.pairs[:, 0] < tables.pairs[:, 1]).all()
    assert set(np.unique(tables.pairs)) == set(range(40))
