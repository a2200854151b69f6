"""The grades of closeness: their cut-offs, what has none, and that no score shows through."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.measures import fidelity, utility
from audit.report.closeness import Closeness, Grade, in_plain_words
from policies import Dictionary, Measurement
from tests.audit.report.conftest import KINDS, dictionary_of, measurement

CLOSE, SOMEWHAT, CLEARLY = Grade.AS_CLOSE, Grade.SOMEWHAT_FARTHER, Grade.CLEARLY_FARTHER
DICTIONARY = dictionary_of(**KINDS).model_copy(update={"target": "stage"})
FOUND = {
    "ks_holdout": 0.06, "floor_ks": 0.05, "total_variation_holdout": 0.03, "floor_total_variation": 0.03,
    "pair_trend_holdout": 0.9, "floor_pair_trend": 0.92,
    "correlation_difference_holdout": 0.05, "floor_correlation_difference": 0.05,
    "tstr_auc": 0.79, "trtr_auc": 0.8,
}  # fmt: skip


def audit(**values: float) -> tuple[Measurement, ...]:
    return tuple(measurement(name, value, 0.01) for name, value in (FOUND | values).items())


def grades(dictionary: Dictionary = DICTIONARY, **values: float) -> Closeness:
    return Closeness.of(audit(**values), dictionary)


def test_every_measurement_it_reads_is_one_that_the_audit_makes() -> None:
    assert set(FOUND) <= {*fidelity.NAMES, *utility.NAMES}


@pytest.mark.parametrize(
    ("floor", "distance", "grade"),
    [
        (0.08, 0.0, CLOSE), (0.08, 0.12, CLOSE), (0.08, 0.1201, SOMEWHAT), (0.08, 0.2, SOMEWHAT),
        (0.08, 0.2001, CLEARLY), (0.0, 0.01, CLOSE), (0.0, 0.0101, SOMEWHAT), (0.005, 0.035, SOMEWHAT),
        (0.005, 0.0351, CLEARLY), (0.6, 0.9, CLOSE),
    ],
)  # fmt: skip
@pytest.mark.parametrize("figure", ["ks", "total_variation", "pair_trend", "correlation_difference"])
def test_a_distance_is_graded_by_its_floor(figure: str, floor: float, distance: float, grade: Grade) -> None:
    """Within 1.5 times or 0.01, within 2.5 times or 0.03, beyond; the other figures are as close as can be."""
    agreement = figure == "pair_trend"
    values = {f"{figure}_holdout": distance, f"floor_{figure}": floor}
    found = grades(DICTIONARY, **{name: 1 - value if agreement else value for name, value in values.items()})
    own, other = (found.columns, found.pairs) if figure in ("ks", "total_variation") else (found.pairs, found.columns)
    assert (own, other) == (grade, CLOSE)


@pytest.mark.parametrize(
    ("real", "synthetic", "grade"),
    [
        (0.9, 0.95, CLOSE), (0.9, 0.86, CLOSE), (0.9, 0.859, SOMEWHAT), (0.9, 0.78, SOMEWHAT), (0.9, 0.779, CLEARLY),
        (0.6, 0.5, CLEARLY), (0.6, 0.4, CLEARLY),
    ],
)  # fmt: skip
def test_a_prediction_is_graded_by_what_is_lost_of_the_gain_over_guessing(
    real: float, synthetic: float, grade: Grade
) -> None:
    """A tenth of the gain, three tenths, more: of 0.4 they are 0.04 and 0.12."""
    assert grades(trtr_auc=real, tstr_auc=synthetic).prediction is grade


@pytest.mark.parametrize("real", [0.45, 0.5, 0.51])
def test_where_real_rows_do_not_beat_guessing_a_prediction_has_no_grade(real: float) -> None:
    """The interval of 0.51 begins at 0.5."""
    assert grades(trtr_auc=real, tstr_auc=0.5).prediction is None


@pytest.mark.parametrize("name", sorted(FOUND))
@pytest.mark.parametrize("how", ["missing", "inconclusive", "failed", "nan", "infinite"])
def test_what_has_no_number_takes_the_grade_of_its_topic_and_of_no_other(name: str, how: str) -> None:
    kept = tuple(each for each in audit() if each.name != name)
    lost = {
        "missing": (),
        "inconclusive": (replace(measurement(name, FOUND[name]), status="inconclusive"),),
        "failed": (Measurement.void(name, status="failed", reason="out of memory"),),
        "nan": (measurement(name, math.nan),),
        "infinite": (measurement(name, math.inf),),
    }
    found = vars(Closeness.of((*kept, *lost[how]), DICTIONARY))
    topic = "prediction" if "auc" in name else "pairs" if "pair" in name or "corr" in name else "columns"
    assert found.pop(topic) is None
    assert set(found.values()) == {CLOSE}


def test_a_kind_of_column_that_the_table_does_not_have_is_not_asked_for() -> None:
    """One number, one category: no correlation exists; categories alone have no KS; one column has no pair."""
    fewer = {"correlation_difference_holdout": math.nan, "floor_correlation_difference": math.nan}
    found = grades(dictionary_of(age=KINDS["age"], sex=KINDS["sex"]), **fewer)
    assert found == Closeness(CLOSE, CLOSE, None)
    categories = dictionary_of(ward=KINDS["ward"], sex=KINDS["sex"])
    assert grades(categories, ks_holdout=math.nan, **fewer) == Closeness(CLOSE, CLOSE, None)
    assert grades(dictionary_of(age=KINDS["age"])) == Closeness(CLOSE, None, None)


def test_no_audit_gives_no_grade_and_no_sentence() -> None:
    assert Closeness.of((), DICTIONARY) == Closeness()
    assert in_plain_words(Closeness()) == ()


@given(st.tuples(*[st.sampled_from([*Grade, None])] * 3))
def test_the_sentences_depend_on_the_grades_alone_and_hold_no_digit(found: tuple[Any, Any, Any]) -> None:
    said = in_plain_words(Closeness(*found))
    assert len(said) == (0 if found == (None, None, None) else 3)
    assert not any(letter.isdigit() for part in said for text in part for letter in text)
    for (_, sentence), grade in zip(said, found, strict=bool(said)):
        assert ("No grade" in sentence) is (grade is None)
        assert ("about as" in sentence.lower()) is (grade is CLOSE)
        assert ("somewhat" in sentence.lower()) is (grade is SOMEWHAT)
        assert ("clearly" in sentence.lower()) is (grade is CLEARLY)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_table_that_is_farther_never_has_a_better_grade(floor: float, one: float, other: float) -> None:
    near, far = (grades(ks_holdout=value, floor_ks=floor).columns for value in sorted((one, other)))
    assert near is not None
    assert far is not None
    assert near <= far
