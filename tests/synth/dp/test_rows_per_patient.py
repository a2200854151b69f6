"""Several rows per patient under differential privacy: counted at no more noise, kept, and asked of nobody else."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from policies import Dictionary
from synth.dp import measure, sealed
from synth.dp.accounting import compose_epsilon
from synth.dp.budget import PrivacyBudget
from synth.dp.domain import _numbers_of_rows, domain_of
from synth.dp.events import EnvelopeEvent, GaussianEvent, PrivacyError
from synth.dp.plan import plan_of
from synth.dp.private import PrivateHybridSynthesizer
from synth.dp.provenance import RAW, public, remember
from synth.dp.sealed import SealedTable
from synth.visits import Visits

MOST = 4
PEOPLE = 600
FALSE_ALARM = 1e-6
TABLE = GaussianEvent("tables", 20.0, 5.0, 10)


def dictionary(most: int = MOST, *, keys: bool = True, **changes: Any) -> Dictionary:
    columns: dict[str, Any] = {
        "id": {"type": "identifier", "surrogate": keys},
        "sex": {"type": "category", "categories": ["f", "m"], "per_patient": True},
        "born": {"type": "integer", "minimum": 1900.0, "maximum": 2020.0, "per_patient": True},
        "seen": {"type": "integer", "minimum": 1900.0, "maximum": 2030.0},
        "site": {"type": "category", "categories": ["a", "b", "c"]},
        "ward": {"type": "category", "categories": ["1", "2"]},
        "ill": {"type": "boolean", "categories": ["no", "yes"]},
    }
    values: dict[str, Any] = {
        "version": 1, "name": "visits", "target": "ill", "patient": "id", "max_rows_per_patient": most,
        "people": PEOPLE, "columns": columns, "rules": [{"check": "born < seen"}],
        "dependencies": [{"source": "site", "determines": "ward", "values": {"a": "1", "b": "1", "c": "2"}}],
    }  # fmt: skip
    values.update(changes)
    return Dictionary.model_validate_json(json.dumps(values))


def clinic(people: int = PEOPLE, seed: int = 0) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """The older, the more visits, up to seven; three of ten come once."""
    rng = np.random.default_rng(seed)
    born = rng.integers(1930, 2005, people)
    visits = 1 + rng.binomial(6, np.clip((2010 - born) / 130, 0, 1) * (rng.random(people) < 0.7))
    owners = rng.permutation(np.repeat(np.arange(people), visits))
    sex, site = rng.integers(0, 2, people)[owners], rng.integers(0, 3, len(owners))
    frame = pd.DataFrame(
        {
            "sex": pd.Categorical.from_codes(sex, dtype=pd.CategoricalDtype(["f", "m"])),
            "born": born[owners].astype(float),
            "seen": rng.integers(2010, 2020, len(owners)).astype(float),
            "site": pd.Categorical.from_codes(site, dtype=pd.CategoricalDtype(["a", "b", "c"])),
            "ward": pd.Categorical.from_codes(site // 2, dtype=pd.CategoricalDtype(["1", "2"])),
            "ill": pd.Categorical.from_codes(
                rng.integers(0, 2, len(owners)), dtype=pd.CategoricalDtype(["no", "yes"], ordered=True)
            ),
        }
    )
    return frame, owners.astype(np.int64)


def shares(people: NDArray[np.int64], most: int = MOST) -> NDArray[np.float64]:
    """Share of people with 1, 2, ..., ``most`` rows or more."""
    rows = np.bincount(people)
    counted = np.bincount(np.minimum(rows[rows > 0], most), minlength=most + 1)[1:]
    return np.asarray(counted / counted.sum())


@pytest.fixture(scope="module")
def fitted() -> PrivateHybridSynthesizer:
    frame, owners = clinic()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "RECORDS", (3_000, 3_000))
        synthesizer = PrivateHybridSynthesizer(dictionary(), 30.0, 1e-5, components=("graphical",))
        return synthesizer.fit(frame, people_codes=owners)


@pytest.fixture(scope="module")
def made(fitted: PrivateHybridSynthesizer) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    return fitted.sample_people(1_500, np.random.default_rng(2))


@pytest.mark.slow
def test_people_have_as_many_rows_as_the_bounded_real_ones(
    fitted: PrivateHybridSynthesizer, made: tuple[pd.DataFrame, NDArray[np.int64]]
) -> None:
    """Noise of scale sigma on the rows of people with c rows is sigma / c people; wrong once in 10^6 runs.

    The target halves each cell, hence the root of 2; a tenth of a share more is left to the model, to people cut short
    and to rows that stay alone because of a rule.
    """
    noise = next(event for event in fitted.plan() if isinstance(event, GaussianEvent) and event.stage == "star")
    far = stats.norm.isf(FALSE_ALARM / (2 * MOST)) * math.sqrt(2) * noise.sigma / PEOPLE
    tolerance = 0.5 * far * sum(1 / rows for rows in range(1, MOST + 1)) + 0.1
    assert tolerance < 0.2
    real = shares(clinic()[1])
    assert 0.5 * np.abs(real - shares(made[1])).sum() < tolerance
    assert 0.5 * np.abs(real - np.eye(MOST)[0]).sum() > 2 * tolerance  # not so if everybody had one row
    assert np.bincount(made[1]).max() == MOST


@pytest.mark.slow
def test_what_is_declared_is_kept_and_rules_and_dependencies_hold(
    made: tuple[pd.DataFrame, NDArray[np.int64]],
) -> None:
    frame, people = made
    by_person = frame.groupby(people)
    assert (by_person["sex"].nunique() == 1).all()
    assert (by_person["born"].nunique() == 1).all()
    assert (by_person["seen"].nunique() > 1).any()
    assert (frame["born"] < frame["seen"]).all()
    assert ((frame["site"] == "c") == (frame["ward"] == "2")).all()
    assert list(frame.columns) == list(dictionary().released)
    assert frame.dtypes.to_dict() == clinic()[0].dtypes.to_dict()
    assert len(frame) == len(people) == 1_500


@pytest.mark.slow
def test_who_has_more_rows_is_older_as_in_the_real_table(made: tuple[pd.DataFrame, NDArray[np.int64]]) -> None:
    """Among some 500 people a rank correlation has a standard error of 0.045; six of them are a false alarm of 1e-8."""

    def slope(frame: pd.DataFrame, people: NDArray[np.int64]) -> float:
        first = ~pd.Series(people).duplicated().to_numpy()
        rows = np.minimum(np.bincount(people)[people[first]], MOST)
        return float(stats.spearmanr(frame["born"].to_numpy()[first], rows).statistic)

    assert slope(*clinic()) < -0.35
    assert slope(*made) == pytest.approx(slope(*clinic()), abs=0.27)


@pytest.mark.slow
def test_the_claim_covers_the_column_by_the_plan_alone(fitted: PrivateHybridSynthesizer) -> None:
    claim = fitted.claim_
    assert claim is not None
    assert fitted.spent_ == fitted.plan() == claim.events
    assert all(event.sensitivity == MOST for event in claim.events if isinstance(event, GaussianEvent))
    assert next(each for each in claim.events if each.stage == "star").count == 6  # type: ignore[union-attr]
    assert compose_epsilon(claim.events, 1e-5) <= 30.0
    assert claim.to_dict()["rows_per_unit"] == "a column of the tables measured"
    assert fitted.settings_["rows_per_person"] is True
    assert not fitted._fitted.tainted


@pytest.mark.slow
def test_without_a_public_head_count_they_are_kept_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "RECORDS", (300, 300))
    frame, owners = clinic(150)
    unknown = dictionary(people=None)
    fit = PrivateHybridSynthesizer(unknown, 20.0, 1e-5, components=("graphical",)).fit(frame, people_codes=owners)
    assert isinstance(fit.spent_[1], EnvelopeEvent)
    assert fit.claim_ is not None
    people = fit.sample_people(200, np.random.default_rng(0))[1]
    assert np.bincount(people).max() > 1


@pytest.mark.parametrize("people", [600, None])
def test_nothing_is_spent_on_it_where_it_is_not_asked_for(people: int | None) -> None:
    """The plan is the same to the last bit, whatever is declared per patient."""
    plain = dictionary(keys=False, people=people)
    bare = plain.model_copy(
        update={
            "columns": {name: each.model_copy(update={"per_patient": False}) for name, each in plain.columns.items()}
        }
    )
    alone = PrivateHybridSynthesizer(dictionary(1, keys=False, people=people), 2.0, 1e-5).plan()
    assert PrivateHybridSynthesizer(dictionary(1, people=people), 2.0, 1e-5).plan() == alone
    kept = PrivateHybridSynthesizer(plain, 2.0, 1e-5).plan()
    assert PrivateHybridSynthesizer(bare, 2.0, 1e-5).plan() == kept
    for each in (plain, dictionary(1)):
        assert domain_of(each, 16).numbers is None
        assert Visits.declared(each) is None
        assert [cells.name for cells in domain_of(each, 16).columns] == list(each.released)


def test_not_asked_for_every_row_is_another_persons() -> None:
    frame, owners = clinic(60)
    fit = PrivateHybridSynthesizer(dictionary(keys=False), 1.0, 1e-5, components=("graphical",))
    made, people = fit.fit(frame, people_codes=owners).sample_people(40, np.random.default_rng(0))
    assert np.array_equal(people, np.arange(40))
    assert fit.settings_["rows_per_person"] is False
    assert fit.claim_ is not None
    assert fit.claim_.to_dict()["rows_per_unit"] == "not measured"
    pd.testing.assert_frame_equal(made, fit.sample(40, np.random.default_rng(0)))


def test_a_mark_that_it_was_read_off_the_data_is_refused() -> None:
    values = dictionary().model_dump(mode="json", exclude_none=True)
    values["columns"]["sex"]["from_data"] = ["per_patient"]
    drafted = Dictionary.model_validate_json(json.dumps(values))
    with pytest.raises(PrivacyError, match="sex"):
        PrivateHybridSynthesizer(drafted, 1.0, 1e-5).plan()


def test_what_one_that_is_declared_determines_is_the_persons_too() -> None:
    visits = Visits.declared(dictionary())
    assert visits is not None
    assert visits.fixed == ("sex", "born")
    assert visits.counts.tolist() == [1, 2, 3, 4]
    assert visits.ties == (("ward", "site"),)
    values = dictionary().model_dump(mode="json", exclude_none=True)
    values["columns"]["site"]["per_patient"] = True
    told = Visits.declared(Dictionary.model_validate_json(json.dumps(values)))
    assert told is not None
    assert told.fixed == ("sex", "born", "site", "ward")


@pytest.mark.parametrize(("most", "cells"), [(2, 8), (8, 8), (9, 8), (40, 16), (1_000, 128)])
def test_every_number_up_to_the_bound_has_a_declared_cell(most: int, cells: int) -> None:
    domain = domain_of(dictionary(most), cells)
    assert domain.numbers is not None
    assert domain.numbers.shape == (most,)
    assert np.all(np.diff(domain.numbers) >= 0)
    assert set(domain.numbers) == set(range(min(most, cells))) == set(range(domain.sizes[-1]))
    cell = domain.columns[-1]
    drawn = cell.decode(domain.numbers, np.random.default_rng(0))
    assert cell.encode(pd.Series(drawn)).tolist() == domain.numbers.tolist()
    assert drawn.min() >= 1
    assert drawn.max() <= most


def test_more_columns_in_the_plan_never_cost_more_than_was_asked() -> None:
    plans = [plan_of(dictionary(most), 5_000, 1.0, 1e-5)[1] for most in (2, 3, 40)]
    assert all(compose_epsilon(plan.events, 1e-5) <= 1.0 for plan in plans)
    assert all(a.star.sigma < b.star.sigma for a, b in pairwise(plans))


tables = st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=9), min_size=1, max_size=6)


def sealed_counts(patients: list[list[int]], most: int, columns: tuple[int, ...]) -> NDArray[np.int64]:
    """True counts behind the seal of one column of two cells and of the number of rows."""
    owners = np.repeat(np.arange(len(patients)), [len(each) for each in patients])
    codes = np.array([code for each in patients for code in each], dtype=np.int32)[:, None]
    cells = np.arange(most, dtype=np.int32)
    closed = SealedTable.seal(codes, (2, most), owners, most, PrivacyBudget((TABLE,)), numbers=cells)
    return sealed._VAULT[closed].counts(columns)


@settings(max_examples=80, deadline=None)
@given(tables, st.lists(st.integers(0, 1), min_size=1, max_size=9), st.integers(1, 5))
def test_one_patient_moves_every_table_with_the_column_by_at_most_the_bound(
    others: list[list[int]], patient: list[int], most: int
) -> None:
    """In L1, and so in L2. Whose rows are left out at random has rows alike here, so neighbours are coupled."""
    alike = [each if len(each) <= most else each[:1] * len(each) for each in others]
    for columns in ((1,), (0, 1)):
        change = sealed_counts([*alike, patient], most, columns) - sealed_counts(alike, most, columns)
        assert change.min() >= 0
        assert change.sum() == min(most, len(patient))
        assert math.sqrt((change**2).sum()) <= most
    alone = sealed_counts([*alike, patient], most, (1,)) - sealed_counts(alike, most, (1,))
    assert np.flatnonzero(alone).tolist() == [min(most, len(patient)) - 1]  # no one else's number has changed


@pytest.mark.parametrize("numbers", [[0, 1], [0, 1, 3], [0, -1, 2]])
def test_numbers_outside_the_declared_cells_are_refused(numbers: list[int]) -> None:
    codes = np.zeros((4, 1), dtype=np.int32)
    with pytest.raises(PrivacyError, match=r"1 \.\. 3 rows"):
        SealedTable.seal(
            codes, (1, 3), np.zeros(4, int), 3, PrivacyBudget((TABLE,)), numbers=np.array(numbers, dtype=np.int32)
        )


def test_cells_of_small_numbers_are_single_and_all_numbers_have_one() -> None:
    for bound, cells in ((5, 8), (40, 8), (400, 128), (9, 8), (7, 2)):
        column = _numbers_of_rows("n", bound, cells)
        codes = column.encode(pd.Series(np.arange(1.0, bound + 1)))
        assert column.size <= max(cells, 2) + 1
        assert (np.diff(codes) >= 0).all()
        assert set(codes) == set(range(column.size))
        single = min(bound, max(cells // 2, 1))
        assert list(codes[:single]) == list(range(single))


def test_a_bound_no_table_can_have_is_refused_before_anything_is_laid_out() -> None:
    with pytest.raises(PrivacyError, match="max_rows_per_patient"):
        domain_of(dictionary(10**12), 8)


@pytest.mark.parametrize("raw", [False, True])
def test_cells_of_numbers_that_were_read_off_rows_taint_every_answer(raw: bool) -> None:
    codes, people = np.zeros((6, 1), dtype=np.int32), np.array([0, 0, 1, 2, 3, 4])
    numbers = np.array([0, 1], dtype=np.int32)
    if raw:
        remember(numbers, frozenset({RAW}))
    declared = public((1, 2)), people, public(2)
    closed = SealedTable.seal(codes, *declared, PrivacyBudget((TABLE,)), numbers=public(numbers))
    assert closed.table(public((1,)), TABLE).tainted == raw
