"""The whole synthesizer at its edges: rules, rare classes, few rows, patients with several rows, reports."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from policies import Dictionary, parse_dictionary
from synth import HybridSynthesizer, SynthesisError
from synth.encoding import encode
from synth.folds import folds_of
from synth.model import Recipe

COLUMNS = """
[columns.low]
type = "integer"
minimum = 0
maximum = 300
[columns.high]
type = "integer"
minimum = 0
maximum = 400
nullable = true
[columns.site]
type = "category"
categories = ["a", "b", "c"]
[columns.grade]
type = "ordinal"
categories = ["I", "II", "III", "IV"]
nullable = true
"""
TARGET = 'version = 1\nname = "t"\ntarget = "grade"\n'
QUICK = ("copula",)


def dictionary_of(rules: str = "", head: str = TARGET) -> Dictionary:
    return parse_dictionary((head + COLUMNS + rules).encode())


def levels(codes: NDArray[np.int64], names: list[str], *, ordered: bool) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(names, ordered=ordered))


def table_of(n: int, seed: int = 0, grade: NDArray[np.int64] | None = None) -> pd.DataFrame:
    """``high`` is never measured at site c, and above ``low`` elsewhere; a grade is missing in a tenth of the rows."""
    rng = np.random.default_rng(seed)
    low = rng.normal(100, 15, n).round()
    site = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    grades = np.where(rng.random(n) < 0.1, -1, np.digitize(low + rng.normal(0, 10, n), [90, 110, 125]))
    return pd.DataFrame(
        {
            "low": low,
            "high": np.where(site == 2, np.nan, low + rng.gamma(4, 6, n).round() + 1),
            "site": levels(site, ["a", "b", "c"], ordered=False),
            "grade": levels(grades if grade is None else grade, ["I", "II", "III", "IV"], ordered=True),
        }
    )


def fitted(table: pd.DataFrame, dictionary: Dictionary, **options: object) -> HybridSynthesizer:
    synthesizer = HybridSynthesizer(dictionary, **{"components": QUICK, **options})  # type: ignore[arg-type]
    return synthesizer.fit(table, np.random.default_rng(1))


@pytest.fixture(scope="module")
def whole() -> HybridSynthesizer:
    return fitted(table_of(500), dictionary_of())


# -- what comes out ----------------------------------------------------------------------------------------------------


def test_what_is_never_measured_at_a_site_is_never_released_there(whole: HybridSynthesizer) -> None:
    """The site's share of 500 rows has a standard deviation of 0.014; ten draws together miss by 0.02 once in 10^5."""
    rng = np.random.default_rng(2)
    table = pd.concat([whole.sample(500, rng) for _ in range(10)])
    assert (table["high"].isna() == (table["site"] == "c")).mean() > 0.98
    assert abs(table["high"].isna().mean() - table_of(500)["high"].isna().mean()) < 0.02


@pytest.mark.parametrize("rows", [1, 2, 7, 60, 1_500])
def test_any_number_of_rows_can_be_asked_for(whole: HybridSynthesizer, rows: int) -> None:
    table = whole.sample(rows, np.random.default_rng(3))
    assert len(table) == rows
    assert list(table.index) == list(range(rows))
    assert table["low"].between(0, 300).all()


def test_one_row_is_a_draw_and_not_the_median(whole: HybridSynthesizer) -> None:
    """Forty single rows spread like the largest class, with a deviation of 8: one of 5 would be a chance of 10^-4."""
    rng = np.random.default_rng(4)
    low = np.array([whole.sample(1, rng)["low"].iloc[0] for _ in range(40)])
    assert low.std() > 5


def test_rows_stand_in_random_order(whole: HybridSynthesizer) -> None:
    codes = whole.sample(400, np.random.default_rng(5))["grade"].cat.codes.to_numpy()
    assert (np.diff(codes) < 0).sum() > 80


def test_a_missing_target_is_a_class_whose_share_is_kept(whole: HybridSynthesizer) -> None:
    real = table_of(500)["grade"].value_counts(dropna=False, sort=False)
    made = whole.sample(500, np.random.default_rng(6))["grade"].value_counts(dropna=False, sort=False)
    assert made.to_dict() == real.to_dict()


def test_a_table_without_a_target_is_one_class() -> None:
    head = 'version = 1\nname = "t"\n'
    made = fitted(table_of(300), dictionary_of(head=head)).sample(300, np.random.default_rng(7))
    shares = made["grade"].value_counts(normalize=True) - table_of(300)["grade"].value_counts(normalize=True)
    assert shares.abs().max() < 0.05


def test_a_class_of_three_people_is_not_released_unless_three_are_enough() -> None:
    grade = np.repeat([0, 1, 3], [150, 147, 3])
    table = table_of(300, grade=grade)
    made = fitted(table, dictionary_of()).sample(3_000, np.random.default_rng(8))
    assert set(made["grade"].astype(str)) == {"I", "II"}
    allowing = HybridSynthesizer(dictionary_of(), components=("copula",), minimum_people=3)
    made = allowing.fit(table, np.random.default_rng(1)).sample(3_000, np.random.default_rng(8))
    assert (made["grade"] == "IV").sum() == 30
    assert allowing.settings_["minimum_people"] == 3


def test_a_table_of_constants_comes_back() -> None:
    table = table_of(40).assign(
        low=100.0, high=120.0, site=levels(np.zeros(40, dtype=np.int64), list("abc"), ordered=False)
    )
    made = fitted(table, dictionary_of()).sample(25, np.random.default_rng(9))
    assert set(made["low"]) == {100.0}
    assert set(made["site"]) == {"a"}


# -- row rules ---------------------------------------------------------------------------------------------------------


def test_every_row_keeps_every_rule() -> None:
    rules = '[[rules]]\ncheck = "low < high"\n[[rules]]\ncheck = "low >= 80 and low != 100"\n'
    dictionary = dictionary_of(rules)
    table = table_of(900)
    kept = table[np.logical_and.reduce([rule.holds(table) for rule in dictionary.rules])].reset_index(drop=True)
    made = fitted(kept, dictionary).sample(2_000, np.random.default_rng(10))
    assert all(rule.holds(made).all() for rule in dictionary.rules)
    assert len(made) == 2_000


def test_rules_that_no_row_can_keep_end_in_an_error_without_values() -> None:
    impossible = fitted(table_of(200), dictionary_of('[[rules]]\ncheck = "low > 299"\n'))
    with pytest.raises(SynthesisError, match="50 of 50 rows still break one of 1 row rules"):
        impossible.sample(50, np.random.default_rng(11))


# -- people ------------------------------------------------------------------------------------------------------------


def test_a_patient_is_fitted_on_or_validated_on_but_never_both() -> None:
    """Every row of a patient carries the patient's own ``low``; no such value stands on both sides of any fold."""
    people = np.repeat(np.arange(120), 3)
    table = table_of(360)
    table["low"] = (people % 120).astype(np.float64) + 40
    classes = np.zeros(360, dtype=np.int64)
    rng = np.random.default_rng(12)
    dictionary = dictionary_of()
    encoding, scores = encode(table, dictionary, ["low", "site"], classes, rng, minimum_people=11, people=people)
    recipe = Recipe(("copula", "noise"), "guarded", ("full",), "cpu")
    folds = folds_of(recipe, encoding, scores, classes, people, rng, lambda _: None)
    assert len(folds) == 2
    for fold in folds:
        own, other = (set(np.round(part.scores[:, 0], 6)) for part in (fold.fit, fold.validation))
        # ties of three rows are spread over the patient's interval of the ranks: compare the intervals
        rank = {round(float(s), 6): int(p) for s, p in zip(encoding.snap(scores)[:, 0], people, strict=True)}
        assert {rank[s] for s in own}.isdisjoint({rank[s] for s in other})


def test_many_rows_of_one_patient_do_not_make_a_spike() -> None:
    table = table_of(400)
    table.loc[:29, "low"] = 250.0
    people = np.concatenate([np.zeros(30, dtype=np.int64), np.arange(1, 371)])
    plain = fitted(table, dictionary_of()).sample(2_000, np.random.default_rng(13))
    safe = HybridSynthesizer(dictionary_of(), components=QUICK).fit(table, np.random.default_rng(1), people=people)
    made = safe.sample(2_000, np.random.default_rng(13))
    assert (plain["low"] == 250).mean() > 0.05
    assert (made["low"] == 250).mean() < 0.02


# -- real values, for comparison only --------------------------------------------------------------------------------


def numbers_of(n: int) -> pd.DataFrame:
    """Numbers with many decimals, whole ones with ties, and a spike with a long tail; the first two go together."""
    rng = np.random.default_rng(14)
    length = rng.lognormal(3, 1, n)
    return pd.DataFrame(
        {
            "length": length,
            "stay": np.floor(length / 4 + rng.gamma(2, 2, n)),
            "cost": np.where(rng.random(n) < 0.3, 0.0, np.round(rng.lognormal(5, 1, n), 2)),
        }
    )


NUMBERS = "".join(
    f'[columns.{name}]\ntype = "number"\nminimum = 0\nmaximum = 1000000\n' for name in ("length", "stay", "cost")
)


@pytest.mark.parametrize("calibration", [("full",), ("exact",)])
@pytest.mark.parametrize("several", [False, True])
def test_one_person_a_knot_gives_every_column_back_and_the_default_never_does(
    calibration: tuple[str, ...], several: bool
) -> None:
    """(I-12) The price of full matching as the literature has it: the multiset of every column, extremes included."""
    table = numbers_of(240)
    public = parse_dictionary(f'version = 1\nname = "t"\n{NUMBERS}'.encode())
    people = np.arange(240) // 2 if several else None

    def made(**options: Any) -> tuple[pd.DataFrame, object]:
        synthesizer = HybridSynthesizer(public, components=("copula",), calibration=calibration, **options)
        fit = synthesizer.fit(table, np.random.default_rng(1), people=people)
        return fit.sample(240, np.random.default_rng(2)), fit.settings_["people_per_knot"]

    copied, told = made(people_per_knot=1)
    assert told == 1
    for name in table:
        assert np.array_equal(np.sort(copied[name]), np.sort(table[name])), name
    assert not np.array_equal(copied["length"], table["length"])  # the columns, not the rows
    for options, expected in (({}, 3), ({"people_per_knot": 2}, 2)):
        smoothed, told = made(**options)
        assert told == expected
        assert not np.isin(smoothed["length"], table["length"]).any()
        assert smoothed["length"].max() != table["length"].max()
        assert smoothed["cost"].max() != table["cost"].max()


# -- options and reports -----------------------------------------------------------------------------------------------


def test_given_weights_are_used_as_given_and_nothing_is_selected() -> None:
    made = fitted(table_of(200), dictionary_of(), components=("copula", "noise"), weights={"copula": 99, "noise": 1})
    assert made.weights_ == {"copula": 0.99, "noise": 0.01}
    assert made.trace_.points[made.trace_.chosen].source == "given"


@pytest.mark.parametrize(
    ("options", "spaced"),
    [({}, True), ({"spacing": False}, False), ({"form": "plain"}, False), ({"weights": {"copula": 1}}, False)],
)
def test_rows_are_spaced_where_it_can_be_learned_and_the_settings_say_so(options: dict[str, Any], spaced: bool) -> None:
    """The plain form is to copy people as the literature has it."""
    assert fitted(table_of(120), dictionary_of(), **options).settings_["spacing"] is spaced


@pytest.mark.parametrize(
    ("people", "options", "told"),
    [
        (2_100, {}, (True, True)),
        (1_900, {}, (True, False)),
        (2_100, {"balancing": False}, (False, False)),
        (2_100, {"form": "plain"}, (False, False)),
    ],
)
def test_tables_of_two_thousand_people_are_learned_in_the_guarded_form_and_the_settings_say_so(
    people: int, options: dict[str, Any], told: tuple[bool, bool]
) -> None:
    settings = fitted(table_of(people), dictionary_of(), **options).settings_
    assert (settings["balancing"], settings["pair_tables"]) == told


def test_two_columns_are_seen_together_as_often_as_they_are_in_the_table() -> None:
    """The copula does not follow what a grade and a site together say of ``low``."""

    def apart(made: pd.DataFrame) -> float:
        """Total variation distance of the tables of ``low`` in quarters, the site and the grade."""
        shares = [
            pd.crosstab(np.digitize(frame["low"], cuts), [frame["site"], frame["grade"]], normalize="all")
            for frame in (table, made)
        ]
        return float(shares[0].sub(shares[1], fill_value=0.0).abs().to_numpy().sum() / 2)

    table = table_of(2_400)
    cuts = table["low"].quantile([0.25, 0.5, 0.75]).to_numpy()
    found = {
        balancing: apart(
            fitted(table, dictionary_of(), weights={"copula": 1.0}, balancing=balancing).sample(
                2_400, np.random.default_rng(3)
            )
        )
        for balancing in (True, False)
    }
    assert found[True] < 0.7 * found[False]


def test_too_few_people_for_a_selection_get_even_weights_and_the_reason() -> None:
    made = fitted(table_of(30), dictionary_of(), components=("copula", "noise"))
    assert made.weights_ == {"copula": 0.5, "noise": 0.5}
    assert "40 people" in made.trace_.reason


@pytest.mark.slow
def test_selection_is_traced_and_progress_only_grows() -> None:
    told: list[float] = []
    synthesizer = HybridSynthesizer(dictionary_of(), components=("copula", "noise"))
    synthesizer.fit(table_of(200), np.random.default_rng(1), progress=lambda _stage, done: told.append(done))
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.0, 1.0)
    assert abs(sum(synthesizer.weights_.values()) - 1.0) < 1e-9
    assert {"uniform", "single", "reinforce", "gaussian_process"} == set(synthesizer.trace_.comparison())
    written = json.dumps([synthesizer.settings_, synthesizer.trace_.to_dict()], allow_nan=False)
    assert json.loads(written)[0]["weights"] == synthesizer.weights_


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"components": ()}, "components must be different names"),
        ({"components": ("copula", "copula")}, "components must be different names"),
        ({"weights": {"gmm": 1.0}}, "1 of them for others"),
        ({"weights": {"copula": float("nan")}}, "weights must be finite"),
        ({"weights": {"copula": 0.0}}, "some positive"),
        ({"calibration": ("full", "magic")}, "calibration steps must be among"),
        ({"form": "loose"}, "form must be guarded or plain"),
        ({"people_per_knot": 0}, "people_per_knot must be 1 or more, found 0"),
    ],
)
def test_unusable_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(SynthesisError, match=message):
        fitted(table_of(60), dictionary_of(), **options)


def test_unusable_tables_are_refused_without_naming_a_cell() -> None:
    table, dictionary = table_of(60), dictionary_of()
    rng = np.random.default_rng(0)
    with pytest.raises(SynthesisError, match=r"missing: \['low'\]"):
        HybridSynthesizer(dictionary).fit(table.drop(columns="low"), rng)
    with pytest.raises(SynthesisError, match="found 1"):
        HybridSynthesizer(dictionary).fit(table.head(1), rng)
    with pytest.raises(SynthesisError, match="found 2"):
        HybridSynthesizer(dictionary).fit(table, rng, people=np.arange(60) % 2)
    with pytest.raises(SynthesisError, match="one code per row"):
        HybridSynthesizer(dictionary).fit(table, rng, people=np.arange(59))


def test_a_request_for_no_rows_is_refused(whole: HybridSynthesizer) -> None:
    with pytest.raises(SynthesisError, match="rows must be 1 or more"):
        whole.sample(0, np.random.default_rng(0))
