"""What a user of ``HybridSynthesizer`` relies on, on one mixed table with missing cells, dates, a rule and patients."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from policies import Dictionary, parse_dictionary
from synth import HybridSynthesizer, SynthesisError

DICTIONARY = b"""
version = 1
name = "ward"
target = "outcome"
[columns.age]
type = "integer"
minimum = 0
maximum = 120
[columns.diastolic]
type = "number"
minimum = 20
maximum = 200
decimals = 1
nullable = true
[columns.systolic]
type = "number"
minimum = 40
maximum = 300
decimals = 1
nullable = true
[columns.ward]
type = "category"
categories = ["east", "north", "south", "west"]
[columns.grade]
type = "ordinal"
categories = ["low", "middle", "high"]
nullable = true
[columns.smoker]
type = "boolean"
categories = ["no", "yes"]
[columns.admitted]
type = "date"
minimum = 2015-01-01
maximum = 2030-12-31
[columns.spent]
type = "number"
minimum = 0
maximum = 100000
decimals = 2
[columns.outcome]
type = "category"
categories = ["home", "transfer", "death"]
[[rules]]
check = "diastolic < systolic"
"""
QUICK = ("copula", "gmm")


@pytest.fixture(scope="module")
def dictionary() -> Dictionary:
    return parse_dictionary(DICTIONARY)


def ward_table(rows: int, rng: np.random.Generator, dictionary: Dictionary) -> pd.DataFrame:
    """Blood pressure depends on age and is missing mostly in the west; a third spent nothing; death is rare."""
    age = rng.integers(18, 95, rows)
    ward = rng.choice(4, rows, p=[0.4, 0.3, 0.2, 0.1])
    diastolic = np.round(rng.normal(60 + 0.3 * age, 8).clip(30, 150), 1)
    systolic = np.round(diastolic + rng.gamma(9, 5, rows) + 1, 1).clip(40, 299)
    gone = rng.random(rows) < np.where(ward == 3, 0.7, 0.05)
    spent = np.where(rng.random(rows) < 1 / 3, 0.0, np.round(rng.lognormal(5, 1, rows), 2).clip(0, 99_999))
    outcome = rng.choice(3, rows, p=[0.82, 0.13, 0.05])

    def categorical(name: str, codes: NDArray[np.int64]) -> pd.Categorical:
        column = dictionary.columns[name]
        dtype = pd.CategoricalDtype(list(column.categories or ()), ordered=column.type in ("ordinal", "boolean"))
        return pd.Categorical.from_codes(codes, dtype=dtype)

    return pd.DataFrame(
        {
            "age": age.astype(np.float64),
            "diastolic": np.where(gone, np.nan, diastolic),
            "systolic": np.where(gone, np.nan, systolic),
            "ward": categorical("ward", ward),
            "grade": categorical("grade", np.where(rng.random(rows) < 0.2, -1, np.digitize(age, [40, 70]))),
            "smoker": categorical("smoker", (rng.random(rows) < 0.3).astype(np.int64)),
            "admitted": (np.datetime64("2018-01-01") + rng.integers(0, 2500, rows)).astype("datetime64[s]"),
            "spent": spent,
            "outcome": categorical("outcome", outcome),
        }
    )


@pytest.fixture(scope="module")
def real(dictionary: Dictionary) -> pd.DataFrame:
    return ward_table(800, np.random.default_rng(11), dictionary)


@pytest.fixture(scope="module")
def fitted(real: pd.DataFrame, dictionary: Dictionary) -> HybridSynthesizer:
    return HybridSynthesizer(dictionary, components=QUICK, selection="uniform").fit(real, np.random.default_rng(1))


@pytest.fixture(scope="module")
def synthetic(fitted: HybridSynthesizer) -> pd.DataFrame:
    return fitted.sample(800, np.random.default_rng(2))


def test_the_output_is_a_typed_frame_like_the_input(real: pd.DataFrame, synthetic: pd.DataFrame) -> None:
    assert list(synthetic.columns) == list(real.columns)
    assert (synthetic.dtypes == real.dtypes).all()
    assert isinstance(synthetic.index, pd.RangeIndex)
    assert len(synthetic) == 800


def test_numbers_keep_their_bounds_wholeness_and_decimals(synthetic: pd.DataFrame, dictionary: Dictionary) -> None:
    for name in ("age", "diastolic", "systolic", "spent"):
        column, cells = dictionary.columns[name], synthetic[name].dropna()
        assert cells.between(column.minimum, column.maximum).all()
        assert np.allclose(cells, cells.round(0 if name == "age" else column.decimals or 0), atol=1e-9)


def test_the_class_balance_is_kept_to_the_row_and_no_class_is_dropped(
    real: pd.DataFrame, synthetic: pd.DataFrame
) -> None:
    assert (synthetic["outcome"].value_counts().sort_index() == real["outcome"].value_counts().sort_index()).all()


def test_every_row_keeps_the_row_rules(synthetic: pd.DataFrame, dictionary: Dictionary) -> None:
    assert dictionary.rules[0].holds(synthetic).all()


def west_and_east_missing(table: pd.DataFrame) -> tuple[float, float]:
    gone = table["systolic"].isna()
    return float(gone[table["ward"] == "west"].mean()), float(gone[table["ward"] == "east"].mean())


def test_missing_cells_follow_the_ward(synthetic: pd.DataFrame) -> None:
    """A Gaussian sees the unordered wards through one latent each: it keeps the direction, not the whole of 0.70."""
    west, east = west_and_east_missing(synthetic)
    assert west > 2.5 * east


@pytest.mark.slow
def test_trees_give_missing_cells_their_real_rate_in_every_ward(real: pd.DataFrame, dictionary: Dictionary) -> None:
    """West is missing in 0.70 of some 80 rows: 0.2 is about four standard errors of the difference."""
    trees = HybridSynthesizer(dictionary, components=("trees",)).fit(real, np.random.default_rng(1))
    west, east = west_and_east_missing(trees.sample(800, np.random.default_rng(2)))
    real_west, real_east = west_and_east_missing(real)
    assert abs(west - real_west) < 0.2
    assert abs(east - real_east) < 0.08


def test_zero_inflation_survives_as_zeros(real: pd.DataFrame, synthetic: pd.DataFrame) -> None:
    assert abs((synthetic["spent"] == 0).mean() - (real["spent"] == 0).mean()) < 0.03


def test_no_extreme_is_published_and_continuous_values_are_not_reused(
    real: pd.DataFrame, synthetic: pd.DataFrame
) -> None:
    """(I-12): of the amounts spent, two decimals over thousands, chance alone repeats a few per cent."""
    assert synthetic["spent"].max() != real["spent"].max()
    spent = synthetic.loc[synthetic["spent"] > 0, "spent"]
    assert spent.isin(real["spent"]).mean() < 0.1


def test_even_exact_matching_publishes_no_real_value(real: pd.DataFrame, dictionary: Dictionary) -> None:
    """Exact matching repeats real *scores*; decoding smooths once more, so a continuous cell is nobody's."""
    exact = HybridSynthesizer(dictionary, components=("copula",), calibration=("exact",))
    spent = exact.fit(real, np.random.default_rng(1)).sample(800, np.random.default_rng(2))["spent"]
    assert spent[spent > 0].isin(real["spent"]).mean() < 0.1


def test_marginals_and_correlation_come_back(real: pd.DataFrame, synthetic: pd.DataFrame) -> None:
    assert abs(synthetic["age"].mean() - real["age"].mean()) < 2.5  # about 2.3 standard errors of a difference
    pair = ["diastolic", "systolic"]
    assert abs(synthetic[pair].corr().iloc[0, 1] - real[pair].corr().iloc[0, 1]) < 0.15


def test_equal_generators_give_equal_tables_and_others_do_not(real: pd.DataFrame, dictionary: Dictionary) -> None:
    def draw(seed: int) -> pd.DataFrame:
        synthesizer = HybridSynthesizer(dictionary, components=QUICK, selection="uniform")
        return synthesizer.fit(real, np.random.default_rng(seed)).sample(50, np.random.default_rng(seed))

    assert draw(5).equals(draw(5))
    assert not draw(5).equals(draw(6))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["noise", "interpolation", "smote", "copula", "gmm", "cvae", "trees"])
def test_every_component_alone_makes_a_whole_table(real: pd.DataFrame, dictionary: Dictionary, name: str) -> None:
    made = HybridSynthesizer(dictionary, components=(name,)).fit(real, np.random.default_rng(3))
    table = made.sample(200, np.random.default_rng(4))
    assert len(table) == 200
    assert made.weights_ == {name: 1.0}
    assert set(table["outcome"].unique()) == {"home", "transfer", "death"}


@pytest.mark.slow
def test_selection_drops_a_component_that_copies_people(real: pd.DataFrame, dictionary: Dictionary) -> None:
    """The plain forms copy; a privacy-constrained reward leaves them next to nothing beside a fitted model."""
    synthesizer = HybridSynthesizer(dictionary, components=("copula", "noise", "smote"), form="plain")
    synthesizer.fit(real, np.random.default_rng(5))
    assert synthesizer.weights_["noise"] + synthesizer.weights_["smote"] < 0.35
    sources = {point.source for point in synthesizer.trace_.points}
    assert {"uniform", "single", "reinforce"} <= sources


@pytest.mark.slow
@pytest.mark.parametrize(
    "steps", [("moment",), ("soft",), ("adaptive_soft",), ("iterative",), ("moment", "soft", "full")]
)
def test_every_calibration_is_selectable_and_composable(
    real: pd.DataFrame, dictionary: Dictionary, steps: tuple[str, ...]
) -> None:
    table = HybridSynthesizer(dictionary, components=("copula",), calibration=steps).fit(
        real, np.random.default_rng(6)
    ).sample(400, np.random.default_rng(7))  # fmt: skip
    assert abs(table["age"].median() - real["age"].median()) < 8


def test_a_class_of_one_patient_neither_breaks_the_fit_nor_comes_out(
    real: pd.DataFrame, dictionary: Dictionary
) -> None:
    lonely = real[real["outcome"] != "death"].head(300)
    one = real[real["outcome"] == "death"].head(1)
    table = pd.concat([lonely, one], ignore_index=True)
    made = HybridSynthesizer(dictionary, components=("copula",)).fit(table, np.random.default_rng(8))
    assert not (made.sample(3_000, np.random.default_rng(9))["outcome"] == "death").any()


@pytest.mark.parametrize("damage", ["constant", "all missing", "single class"])
def test_a_poor_column_is_survived(real: pd.DataFrame, dictionary: Dictionary, damage: str) -> None:
    table = real.copy()
    if damage == "constant":
        table["age"] = 40.0
    elif damage == "all missing":
        table[["diastolic", "systolic"]] = np.nan
    else:
        table = table[table["outcome"] == "home"].reset_index(drop=True)
    made = HybridSynthesizer(dictionary, components=QUICK, selection="uniform").fit(table, np.random.default_rng(1))
    out = made.sample(100, np.random.default_rng(2))
    if damage == "constant":
        assert (out["age"] == 40).all()
    elif damage == "all missing":
        assert out["systolic"].isna().all()
    else:
        assert (out["outcome"] == "home").all()


def test_too_few_people_and_unknown_components_are_refused(real: pd.DataFrame, dictionary: Dictionary) -> None:
    with pytest.raises(SynthesisError, match="people"):
        HybridSynthesizer(dictionary).fit(real.head(5), np.random.default_rng(0))
    with pytest.raises(SynthesisError, match="components"):
        HybridSynthesizer(dictionary, components=("magic",)).fit(real, np.random.default_rng(0))
    with pytest.raises(SynthesisError, match="fit"):
        HybridSynthesizer(dictionary).sample(5, np.random.default_rng(0))
