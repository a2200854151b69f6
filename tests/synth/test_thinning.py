"""Rows are left out by their odds, exchanged within stratum and odds, and come in the order that was asked for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from policies import parse_dictionary
from synth.balanced_sampling import counted
from synth.encoding import Encoding, encode
from synth.model import Model, Recipe
from synth.pair_tables import PairTables
from synth.selection import Rows
from synth.spacing import BANDS, Spacing
from synth.thinning import Thinning

Floats = NDArray[np.float64]
WIDTH, N = 4, 1_200


@pytest.fixture(scope="module")
def fitted() -> tuple[Encoding, Rows, Model]:
    """Two crowds, columns that depend on each other through a sign no Gaussian follows, three strata or more."""
    rng = np.random.default_rng(0)
    crowd = rng.random(N) < 0.5
    shared = rng.normal(size=N)
    columns = np.column_stack([shared, np.abs(shared), *rng.normal(size=(WIDTH - 2, N))])
    columns += 0.3 * rng.normal(size=(N, WIDTH)) + crowd[:, None]
    names = [f"x{j}" for j in range(WIDTH)]
    table = pd.DataFrame(columns, columns=names)
    table["ward"] = pd.Categorical.from_codes(crowd.astype(np.int64), dtype=pd.CategoricalDtype(["a", "b"]))
    numbers = "".join(f'[columns.{name}]\ntype = "number"\nminimum = -99\nmaximum = 99\n' for name in names)
    ward = '[columns.ward]\ntype = "category"\ncategories = ["a", "b"]\n'
    classes = rng.integers(2, size=N)
    dictionary = parse_dictionary(f'version = 1\nname = "t"\n{numbers}{ward}'.encode())
    encoding, scores = encode(table, dictionary, list(table.columns), classes, rng, minimum_people=11, people=None)
    model = Recipe(("copula",), "guarded", ("full",), "cpu").learn(
        encoding, scores, classes, None, {"copula": 1.0}, rng, lambda _: None
    )
    return encoding, Rows(scores, classes), model


def strata_of(model: Model) -> NDArray[np.int64]:
    return np.repeat(np.arange(len(model.strata.rows)), model.strata.rows)


def error(tables: PairTables, encoding: Encoding, model: Model, scores: Floats, strata: NDArray[np.int64]) -> float:
    """Total variation distance to the learned tables, mean over tables."""
    shown = model.calibration.apply(scores, strata, np.random.default_rng(9))
    classes = model.strata.class_of[strata]
    counts = counted(tables.places(encoding, Rows(shown, classes)), len(tables.counts))
    return float(np.abs(counts - tables.wanted(classes)).sum() / 2 / len(scores) / len(tables.pairs))


def test_learned_tables_come_nearer_and_every_row_stays_in_its_stratum(fitted: tuple[Encoding, Rows, Model]) -> None:
    encoding, real, model = fitted
    strata = strata_of(model)
    strata = np.random.default_rng(1).permutation(strata)
    tables = PairTables.learn(encoding, real, None, 11, np.random.default_rng(2))
    plain = Thinning().draw(model, encoding, strata, np.random.default_rng(3))
    made = Thinning(balanced=True, tables=tables).draw(model, encoding, strata, np.random.default_rng(3))
    assert made.shape == plain.shape == (N, encoding.width)
    assert error(tables, encoding, model, made, strata) < 0.6 * error(tables, encoding, model, plain, strata)
    shown = encoding.snap(model.calibration.apply(made, strata, np.random.default_rng(9)))
    # calibration averages over three people, so that a row at a border may show the other level
    assert np.mean(model.strata.assign(shown, model.strata.class_of[strata]) == strata) > 0.99


def test_without_learned_tables_chance_is_taken_out_of_those_of_the_rows_made(
    fitted: tuple[Encoding, Rows, Model],
) -> None:
    """Held against the tables of 40,000 rows that the model makes, which leave a hundredth of a row's chance."""
    encoding, _, model = fitted
    many = np.repeat(strata_of(model), 34)
    made = model.calibration.apply(model.mixture.draw(many, np.random.default_rng(4)), many, np.random.default_rng(4))
    shown = Rows(made, model.strata.class_of[many])
    tables = PairTables.learn(encoding, shown, None, 300, np.random.default_rng(5), drawn=N)
    strata = strata_of(model)
    plain, balanced = (
        error(tables, encoding, model, one.draw(model, encoding, strata, np.random.default_rng(6)), strata)
        for one in (Thinning(), Thinning(balanced=True))
    )
    assert balanced < 0.8 * plain


def test_rows_are_exchanged_for_others_of_the_same_odds_only(
    fitted: tuple[Encoding, Rows, Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The nearest tenth is kept at 0.18 / 1.09 of the rate of the others, with exchanges as without."""
    encoding, real, model = fitted
    odds = np.repeat([0.18, (BANDS - 0.18) / (BANDS - 1)], [1, BANDS - 1])
    spacing = Spacing(encoding.apart(real.scores), odds)
    found: dict[bool, list[Floats]] = {}
    told = Spacing.of

    def noted(self: Spacing, rows: NDArray[np.float32], rng: np.random.Generator) -> Floats:
        found.setdefault(balanced, []).append(told(self, rows, rng))
        return found[balanced][-1]

    monkeypatch.setattr(Spacing, "of", noted)
    tables = PairTables.learn(encoding, real, None, 11, np.random.default_rng(2))
    strata = strata_of(model)
    near = {}
    for balanced in (True, False):
        made = Thinning(spacing, balanced, tables).draw(model, encoding, strata, np.random.default_rng(7))
        odds_made = found[balanced][0]
        times = len(odds_made) // len(strata)
        drawn = model.mixture.draw(np.repeat(strata, times), np.random.default_rng(7))
        place = {row.tobytes(): odd for row, odd in zip(drawn, odds_made, strict=True)}
        near[balanced] = float(np.mean([place[row.tobytes()] < 0.5 for row in made]))
    assert near[True] < 0.04
    assert near[False] < 0.04


def test_rows_that_are_no_table_of_their_own_are_drawn_as_they_come(fitted: tuple[Encoding, Rows, Model]) -> None:
    encoding, real, model = fitted
    tables = PairTables.learn(encoding, real, None, 11, np.random.default_rng(2))
    strata = strata_of(model)[:7]
    drawn = [
        thinning.draw(model, encoding, strata, np.random.default_rng(8), together=False)
        for thinning in (Thinning(), Thinning(balanced=True, tables=tables))
    ]
    np.testing.assert_array_equal(*drawn)
