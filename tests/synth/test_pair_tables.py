"""Tables say what the rows have, nothing of combinations that few people have, and are the same for the same rows."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from policies import Dictionary, parse_dictionary
from synth.balanced_sampling import counted
from synth.calibration.quantiles import Person
from synth.encoding import Encoding, encode
from synth.pair_tables import BASE, MOST_TABLES, PairTables
from synth.selection import Rows

N = 2_000
LEAST = 11
CLASSES = 2
YES_NO = pd.CategoricalDtype(["no", "yes"])


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


def test_every_table_has_every_row_once_and_counts_are_rounded_to_fives(real: tuple[Encoding, Rows]) -> None:
    """Rounding to either side is right on average; a sum of 400 and more such errors is below 150 but once in 10^4."""
    tables = learned(real)
    # age, pressure, weight, ward, and whether weight is missing
    assert [tuple(pair) for pair in tables.pairs] == list(combinations(range(5), 2))
    places = tables.places(*real)
    exact = counted(places, len(tables.counts))
    assert exact.sum() == N * len(tables.pairs)
    assert (tables.counts % BASE == 0).all()
    assert (np.abs(tables.counts - exact) < BASE).all()
    assert abs(tables.counts.sum() - exact.sum()) < 150
    first = 0
    for known, place in zip(tables.known, places, strict=True):
        assert place.min() >= first
        first += len(known) + CLASSES
        assert place.max() < first


def test_what_fewer_people_have_has_no_cell_and_no_difference_tells_how_many_they_are(
    real: tuple[Encoding, Rows],
) -> None:
    tables = learned(real)
    exact = counted(tables.places(*real), len(tables.counts))
    first = 0
    for known in tables.known:
        pools = exact[first : first + CLASSES]
        assert ((pools == 0) | (pools >= LEAST)).all()
        assert (exact[first + CLASSES : first + CLASSES + len(known)] >= LEAST).all()
        first += CLASSES + len(known)
    assert sum(len(known) for known in tables.known) < sum(len(known) for known in learned(real, least=1).known)


@pytest.mark.parametrize("few", [1, LEAST - 1])
def test_a_single_rare_combination_is_hidden_with_another(few: int) -> None:
    """Two columns of two levels: the fourth cell would follow from the other three."""
    levels = np.repeat([[0, 0], [0, 1], [1, 0], [1, 1]], [900, 600, 400, few], axis=0)
    table = pd.DataFrame(
        {name: pd.Categorical.from_codes(levels[:, j], dtype=YES_NO) for j, name in enumerate(("a", "b"))}
    )
    columns = "".join(f'[columns.{name}]\ntype = "category"\ncategories = ["no", "yes"]\n' for name in ("a", "b"))
    nothing, rng = np.zeros(len(table), dtype=np.int64), np.random.default_rng(3)
    dictionary = parse_dictionary(f'version = 1\nname = "t"\n{columns}'.encode())
    encoding, scores = encode(table, dictionary, ["a", "b"], nothing, rng, minimum_people=2, people=None)
    tables = PairTables.learn(encoding, Rows(scores, nothing), None, LEAST, rng)
    exact = counted(tables.places(encoding, Rows(scores, nothing)), len(tables.counts))
    assert exact.tolist()[0] == 400 + few
    assert sorted(exact.tolist()[1:]) == [600, 900]


def test_counts_are_wanted_of_as_many_rows_as_a_class_has(real: tuple[Encoding, Rows]) -> None:
    tables = learned(real)
    exact = counted(tables.places(*real), len(tables.counts))
    classes = np.repeat([0, 1], [3 * int(np.sum(real[1].classes == 0)), 0])
    wanted = tables.wanted(classes)
    ones = counted(tables.places(real[0], Rows(real[1].scores, np.ones(N, dtype=np.int64))), len(exact)) > 0
    assert wanted.sum() == pytest.approx(len(classes) * len(tables.pairs), rel=0.02)
    assert (wanted[ones] == 0).all()


def test_people_are_counted_and_not_their_rows(real: tuple[Encoding, Rows]) -> None:
    """Each of ten people has two hundred rows, so that no combination is held by eleven."""
    owners = np.arange(N) % (LEAST - 1)
    assert all(len(known) == 0 for known in learned(real, owners).known)
    assert any(len(known) for known in learned(real, np.arange(N) % 500).known)


def test_rows_of_other_kinds_have_a_place_too(real: tuple[Encoding, Rows]) -> None:
    encoding, rows = real
    tables = learned(real)
    for strange in (np.full_like(rows.scores, 7.9), -rows.scores):
        counts = counted(tables.places(encoding, Rows(strange, rows.classes)), len(tables.counts))
        assert counts.sum() == N * len(tables.pairs)
        assert np.abs(counts - tables.counts).max() > 0.05 * N


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
