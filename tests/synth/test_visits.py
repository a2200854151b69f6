"""Several rows per person: how many, what they share, and what is told of people with unusually many."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from policies import Dictionary, parse_dictionary
from synth import HybridSynthesizer
from synth.visits import Visits

TEXT = """
version = 1
name = "visits"
patient = "id"
max_rows_per_patient = 40
[columns.id]
type = "identifier"
surrogate = true
[columns.sex]
type = "category"
categories = ["f", "m"]
[columns.born]
type = "integer"
minimum = 1900
maximum = 2020
[columns.seen]
type = "integer"
minimum = 1900
maximum = 2030
[columns.pressure]
type = "number"
minimum = 40
maximum = 260
decimals = 0
[[rules]]
check = "born < seen"
"""


def dictionary(text: str = TEXT) -> Dictionary:
    return parse_dictionary(text.encode())


def clinic(people: int, seed: int = 0) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """The older, the more visits; two people come thirty times."""
    rng = np.random.default_rng(seed)
    born = rng.integers(1930, 2005, people)
    visits = 1 + rng.binomial(5, (2010 - born) / 90)
    visits[:2] = 30
    owners = np.repeat(np.arange(people), visits)
    n = len(owners)
    sex = rng.integers(0, 2, people)[owners]
    frame = pd.DataFrame(
        {
            "sex": pd.Categorical.from_codes(sex, dtype=pd.CategoricalDtype(["f", "m"])),
            "born": born[owners].astype(float),
            "seen": rng.integers(2010, 2020, n).astype(float),
            "pressure": np.round(rng.normal(120 + (1980 - born[owners]) / 2 + 6 * sex, 12, n)),
        }
    )
    order = rng.permutation(n)
    return frame.iloc[order].reset_index(drop=True), owners[order].astype(np.int64)


@pytest.fixture(scope="module")
def made() -> tuple[pd.DataFrame, NDArray[np.int64]]:
    frame, owners = clinic(700)
    fitted = HybridSynthesizer(dictionary(), components=("copula",)).fit(frame, np.random.default_rng(1), people=owners)
    assert fitted.settings_["rows_per_person"] is True
    return fitted.sample_people(3_000, np.random.default_rng(2))


@pytest.mark.slow
def test_people_have_as_many_rows_as_real_ones(made: tuple[pd.DataFrame, NDArray[np.int64]]) -> None:
    real = np.bincount(np.bincount(clinic(700)[1]), minlength=31) / 700
    sizes = np.bincount(np.bincount(made[1]), minlength=31)
    share = sizes / sizes.sum()
    assert 0.5 * np.abs(real - share).sum() < 0.06
    assert sizes[7:].sum() == 0  # nobody learns that two people came thirty times


@pytest.mark.slow
def test_what_a_person_keeps_is_kept_and_the_rules_hold(made: tuple[pd.DataFrame, NDArray[np.int64]]) -> None:
    frame, people = made
    by_person = frame.groupby(people)
    assert (by_person["sex"].nunique() == 1).all()
    assert (by_person["born"].nunique() == 1).all()
    assert (by_person["seen"].nunique() > 1).any()
    assert (frame["born"] < frame["seen"]).all()
    assert list(frame.columns) == ["sex", "born", "seen", "pressure"]


@pytest.mark.slow
def test_who_has_more_rows_is_older_as_in_the_real_table(made: tuple[pd.DataFrame, NDArray[np.int64]]) -> None:
    def slope(frame: pd.DataFrame, people: NDArray[np.int64]) -> float:
        first = ~pd.Series(people).duplicated().to_numpy()
        visits = np.bincount(people)[people[first]]
        usual = visits < 7
        return float(np.corrcoef(frame["born"].to_numpy()[first][usual], visits[usual])[0, 1])

    real, kept = slope(*clinic(700)), slope(*made)
    assert real < -0.5
    assert kept == pytest.approx(real, abs=0.15)


def test_without_fresh_keys_every_row_is_its_own() -> None:
    plain = dictionary(TEXT.replace("surrogate = true\n", ""))
    frame, owners = clinic(60)
    fitted = HybridSynthesizer(plain, components=("copula",)).fit(frame, np.random.default_rng(1), people=owners)
    assert np.array_equal(fitted.sample_people(50, np.random.default_rng(2))[1], np.arange(50))


def test_rare_numbers_count_as_the_nearest_common_one() -> None:
    owners = np.repeat(np.arange(52), [*[1] * 30, *[3] * 20, 9, 40])
    frame = clinic(400)[0].head(len(owners))
    visits, told = Visits.fit(frame, dictionary(), owners, minimum_people=11)
    assert visits.counts.tolist() == [1, 3]
    assert told[visits.name].value_counts().to_dict() == {"1": 30, "3": 60 + 49}
    assert visits.fixed == ()


DEATHS = """
version = 1
name = "deaths"
patient = "id"
[columns.id]
type = "identifier"
surrogate = true
[columns.seen]
type = "date"
minimum = 2010-01-01
maximum = 2022-01-01
[columns.died]
type = "date"
minimum = 2010-01-01
maximum = 2023-01-01
"""


@pytest.mark.slow
def test_nobody_is_seen_after_death_though_death_is_the_persons_and_a_visit_is_not() -> None:
    rng = np.random.default_rng(3)
    people = 300
    died = np.datetime64("2012-01-01") + rng.integers(0, 3_000, people).astype("timedelta64[D]")
    owners = np.repeat(np.arange(people), 3)
    seen = died[owners] - rng.integers(1, 70, len(owners)).astype("timedelta64[D]")
    frame = pd.DataFrame({"seen": seen.astype("datetime64[s]"), "died": died[owners].astype("datetime64[s]")})
    fitted = HybridSynthesizer(dictionary(DEATHS), components=("copula",)).fit(
        frame, np.random.default_rng(1), people=owners
    )
    made, persons = fitted.sample_people(900, np.random.default_rng(2))
    assert ((made["died"] - made["seen"]).dt.days >= 0).all()
    assert (made.groupby(persons)["died"].nunique() == 1).all()


def test_a_number_of_rows_that_no_ten_people_share_is_not_told() -> None:
    owners = np.repeat(np.arange(24), np.arange(3, 27))
    frame = clinic(400)[0].head(len(owners))
    assert Visits.fit(frame, dictionary(), owners, minimum_people=11)[0].counts.tolist() == [1]


def test_what_is_declared_per_patient_is_the_persons_beside_what_is_learned() -> None:
    frame, owners = clinic(400)
    text = TEXT.replace("decimals = 0\n", "decimals = 0\nper_patient = true\n")
    assert Visits.fit(frame, dictionary(), owners, minimum_people=11)[0].fixed == ("sex", "born")
    assert Visits.fit(frame, dictionary(text), owners, minimum_people=11)[0].fixed == ("sex", "born", "pressure")
    visits = Visits.declared(dictionary(text))
    assert visits is not None
    assert visits.fixed == ("pressure",)
    assert visits.counts.tolist() == list(range(1, 41))


@pytest.mark.parametrize("lost", ["surrogate = true\n", "max_rows_per_patient = 40\n"])
def test_nothing_is_declared_where_patients_get_no_keys_or_no_bound(lost: str) -> None:
    assert Visits.declared(dictionary(TEXT.replace(lost, ""))) is None
    assert Visits.declared(dictionary(TEXT.replace("max_rows_per_patient = 40", "max_rows_per_patient = 1"))) is None


def test_the_column_of_numbers_is_named_unlike_any_other() -> None:
    taken = TEXT + '[columns."rows of the person"]\ntype = "text"\n'
    visits = Visits.declared(dictionary(taken))
    assert visits is not None
    assert visits.name == "rows of the person'"
