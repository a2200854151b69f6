"""Rows behind the seal are reached through charged mechanisms only, and one patient moves a count by at most k."""

from __future__ import annotations

import copy
import functools
import itertools
import math
import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from synth.dp import provenance, sealed
from synth.dp.budget import PrivacyBudget
from synth.dp.events import Event, ExponentialEvent, GaussianEvent, PrivacyError, PureEvent, SampledGaussianEvent
from synth.dp.mechanisms import SCORE_GRID, ScoreChoice
from synth.dp.provenance import RAW, Traced, public
from synth.dp.randomness import SystemRandomness
from synth.dp.rows import Rows, bounded_rows
from synth.dp.sealed import STOP, SealedTable

FALSE_ALARM = 1e-6  # of every statistical test here
TABLE = GaussianEvent("tables", 2.0, 1.0, 200)
CHOICE = ExponentialEvent("choose", 2.0, 400)
COUNT = PureEvent("head count", 1.0)
HISTOGRAM = PureEvent("histogram", 1.0)
TRAIN = SampledGaussianEvent("train", 1.0, 0.1, 3)


@dataclass(frozen=True)
class Grouping:
    column: int
    groups: NDArray[np.intp]


def seal(codes: object, people: object = None, max_rows: int = 1, plan: tuple[Event, ...] = ()) -> SealedTable:
    table = np.asarray(codes, dtype=np.int32)
    owners = np.arange(len(table)) if people is None else np.asarray(people)
    budget = PrivacyBudget(plan or (TABLE, CHOICE, COUNT, TRAIN))
    return SealedTable.seal(table, public((2, 3)), owners, public(max_rows), budget)


def test_a_table_is_the_true_counts_plus_noise_of_its_sigma() -> None:
    codes = [[0, 0]] * 40 + [[1, 2]] * 60
    table = seal(codes)
    true = np.array([[40, 0, 0], [0, 0, 60]])
    drawn = np.array([table.table((0, 1), TABLE).value.counts - true for _ in range(150)])
    scaled = drawn.ravel() / 2.0
    assert FALSE_ALARM < stats.chi2(scaled.size).cdf(float(scaled @ scaled)) < 1 - FALSE_ALARM
    assert abs(scaled.mean()) < stats.norm.isf(FALSE_ALARM / 2) / math.sqrt(scaled.size)


def test_axes_follow_the_columns_asked_for() -> None:
    table = seal([[1, 2]] * 500)
    assert table.table((1, 0), TABLE).value.counts.shape == (3, 2)
    assert table.table((1, 0), TABLE).value.counts[2, 1] > 400
    assert table.table((1,), TABLE).value.columns == (1,)


def test_answers_have_the_drawn_event_as_source() -> None:
    held = PrivacyBudget((TABLE, COUNT))
    table = SealedTable.seal(np.zeros((5, 2), dtype=np.int32), public((2, 3)), np.arange(5), public(1), held)
    answers = [table.count(COUNT), table.table(public((0,)), TABLE)]
    assert [answer.sources for answer in answers] == [frozenset({name}) for name, _ in held.used]


def test_head_count_counts_patients_not_rows() -> None:
    people = [0] * 300 + [1] * 300
    drawn = seal([[0, 0]] * 600, people, max_rows=300).count(COUNT).value
    assert abs(drawn - 2) < 40  # Laplace of scale 1: beyond 38 with probability below 1e-16


def test_choice_takes_the_table_farthest_from_its_estimate() -> None:
    table = seal([[1, 2]] * 100)
    good, bad = public(np.array([0.0, 100.0])), public(np.array([50.0, 25.0, 25.0]))
    penalties = public(np.zeros(2))
    found = [table.choose([(0,), (1,)], [good, bad], penalties, CHOICE, stop=False).value for _ in range(5)]
    assert found == [1] * 5  # scores 0 and 150 at epsilon 2: wrong with probability e^-150
    drawn = table.choose([(0,)], [good], public(np.array([90.0])), CHOICE, stop=True)
    assert drawn.value == STOP


def test_choice_probabilities_are_those_of_the_scores() -> None:
    table = seal([[0, 0]] * 10)
    estimates = public([np.array([10.0, 0.0]), np.array([9.0, 1.0, 0.0])])
    drawn = [
        table.choose(((0,), (1,)), estimates, public(np.array([0.0, 1.0])), CHOICE, stop=True).value for _ in range(300)
    ]
    # Scores 0, 2 - 1 and, for stop, 0 at epsilon 2: weights 1, e, 1.
    weights = np.array([1.0, 1.0, math.e])
    observed = [drawn.count(STOP), drawn.count(0), drawn.count(1)]
    assert stats.chisquare(observed, weights / weights.sum() * 300).pvalue > FALSE_ALARM


rows_of_one = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2)), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(st.lists(rows_of_one, min_size=1, max_size=5), rows_of_one, st.integers(1, 4))
def test_one_patient_moves_counts_and_scores_by_at_most_k(
    others: list[list[tuple[int, int]]], patient: list[tuple[int, int]], k: int
) -> None:
    def counts(tables: list[list[tuple[int, int]]]) -> NDArray[np.int64]:
        owners = np.repeat(np.arange(len(tables)), [len(each) for each in tables])
        codes = np.array([row for each in tables for row in each], dtype=np.int32)
        kept = bounded_rows(owners, k, SystemRandomness())
        assert np.bincount(owners[kept]).max() <= k
        held = Rows(codes[kept].T.copy(), owners[kept], 0, (2, 3), k, PrivacyBudget((TABLE,)), SystemRandomness())
        return held.counts((0, 1))

    # Neighbours are coupled by giving the same rows to everybody else: those with at most k rows keep all of them.
    short = [each[:k] for each in others]
    change = counts([*short, patient]) - counts(short)
    assert change.min() >= 0
    assert change.sum() == min(k, len(patient))
    assert float(np.sqrt((change**2).sum())) <= k
    estimate = np.full(6, 1.7)
    assert abs(np.abs(counts([*short, patient]) - estimate).sum() - np.abs(counts(short) - estimate).sum()) <= k + 1e-9


def test_which_rows_of_a_patient_stay_is_uniform() -> None:
    owners = np.array([0, 0, 0, 0, 1])
    pairs = [tuple(bounded_rows(owners, 2, SystemRandomness())[:2].tolist()) for _ in range(1200)]
    observed = [pairs.count(each) for each in itertools.combinations(range(4), 2)]
    assert stats.chisquare(observed).pvalue > FALSE_ALARM


def test_a_table_event_must_cover_all_rows_of_a_patient() -> None:
    weak = GaussianEvent("tables", 20.0, 2.0)
    table = seal([[0, 0]] * 6, [0, 0, 0, 1, 1, 1], 3, (weak, GaussianEvent("t", 20.0, 3.5)))
    with pytest.raises(PrivacyError, match="sensitivity"):
        table.table((0,), weak)
    with pytest.raises(PrivacyError, match="whole number"):
        table.table((0,), GaussianEvent("t", 20.0, 3.5))


def test_events_outside_the_plan_are_refused_before_any_draw() -> None:
    held = PrivacyBudget((GaussianEvent("tables", 20.0),))
    table = SealedTable.seal(np.zeros((5, 2), dtype=np.int32), (2, 3), np.arange(5), 1, held)
    with pytest.raises(PrivacyError, match="not in the plan"):
        table.table((0,), GaussianEvent("tables", 10.0))
    with pytest.raises(PrivacyError, match="not in the plan"):
        table.count(COUNT)
    with pytest.raises(PrivacyError, match="not in the plan"):
        table.train(TRAIN, lambda *_: 0)
    assert held.used == ()
    table.table((0,), GaussianEvent("tables", 20.0))
    with pytest.raises(PrivacyError, match="used up"):
        table.table((0,), GaussianEvent("tables", 20.0))


def test_rows_outside_the_declared_domain_are_refused_without_a_value() -> None:
    with pytest.raises(PrivacyError, match="column 1 has 2 rows outside") as caught:
        seal([[0, 0], [1, 77], [1, -77]])
    assert "77" not in str(caught.value)
    with pytest.raises(PrivacyError, match="whole numbers"):
        SealedTable.seal(np.zeros((2, 2)), (2, 3), np.arange(2), 1, PrivacyBudget((TABLE,)))
    with pytest.raises(PrivacyError, match="people"):
        seal([[0, 0], [0, 0]], [0])


def test_a_trainer_sees_the_bounded_rows_and_its_result_is_charged() -> None:
    table = seal([[0, 0], [1, 1], [1, 2]], [5, 5, 9], 1)

    def trainer(codes: NDArray[np.int32], owners: NDArray[np.int64], randomness: SystemRandomness) -> tuple[int, ...]:
        assert isinstance(randomness, SystemRandomness)
        assert owners.tolist() == [0, 1]
        codes[:] = 0  # its own copy
        return codes.shape

    learned = table.train(TRAIN, trainer)
    assert learned.value == (2, 2)
    assert not learned.tainted
    assert table.open("test").value.sum() > 0


@pytest.mark.parametrize("given_back", ["codes", "a view of them", "inside a list"])
def test_rows_that_a_trainer_hands_back_are_raw(given_back: str) -> None:
    table = seal([[0, 0], [1, 2]])

    def trainer(
        codes: NDArray[np.int32], owners: NDArray[np.int64], randomness: SystemRandomness, given_back: str
    ) -> object:
        return {"codes": codes, "a view of them": codes[:1], "inside a list": [owners]}[given_back]

    assert table.train(TRAIN, trainer, public(given_back)).tainted


def test_an_error_in_training_shows_no_value_and_stays_charged() -> None:
    held = PrivacyBudget((TRAIN,))
    table = SealedTable.seal(np.ones((5, 2), dtype=np.int32), (2, 3), np.arange(5), 1, held)

    def trainer(codes: NDArray[np.int32], owners: NDArray[np.int64], randomness: SystemRandomness) -> int:
        raise ValueError(f"cell value {codes[0, 0]} 4711")

    with pytest.raises(PrivacyError, match="ValueError") as caught:
        table.train(TRAIN, trainer)
    assert "4711" not in str(caught.value)
    assert len(held.used) == 1


def test_a_trainer_that_captures_arrays_is_refused_uncharged() -> None:
    rows = np.zeros(3)
    table = seal([[0, 0]])
    with pytest.raises(PrivacyError, match="captures"):
        table.train(TRAIN, lambda *_: rows.sum())
    with pytest.raises(PrivacyError, match="captures"):
        table.train(TRAIN, functools.partial(_learned, people=3))
    with pytest.raises(PrivacyError, match="bare"):
        table.train(TRAIN, _learned, 3)
    assert not table.train(TRAIN, _learned, public(3)).tainted  # which were refused were not charged


def test_what_a_trainer_is_called_with_brings_its_sources() -> None:
    assert seal([[0, 0]]).train(TRAIN, _learned, Traced(3, frozenset({RAW}))).tainted


def _learned(_codes: object, _owners: object, _randomness: object, people: int) -> int:
    return people


def test_opened_rows_are_raw_and_taint_what_is_asked_with_them() -> None:
    table = seal([[0, 0], [1, 2]])
    opened = table.open("exploration")
    assert RAW in opened.sources
    picked = provenance.flow("pick", lambda codes: (int(codes[0, 0]),), opened)
    assert table.table(picked, TABLE).tainted
    guess = provenance.flow("guess", lambda codes: [np.bincount(codes[:, 0], minlength=2).astype(float)], opened)
    assert table.choose(((0,),), guess, public(np.zeros(1)), CHOICE, stop=True).tainted
    with pytest.raises(PrivacyError):
        table.open("")


def test_the_array_that_was_sealed_is_raw_wherever_it_turns_up() -> None:
    codes = np.zeros((4, 2), dtype=np.int32)
    SealedTable.seal(codes, (2, 3), np.arange(4), 1, PrivacyBudget((TABLE,)))
    assert provenance.flow("look", lambda each: each.sum(), codes).tainted
    assert provenance.flow("look", lambda each: each.sum(), codes[:, 0]).tainted


@pytest.mark.parametrize("bare", ["sizes", "max_rows", "numbers"])
def test_facts_of_unknown_origin_taint_every_answer(bare: str) -> None:
    """They may have been read off the rows."""
    facts: dict[str, Any] = {"sizes": public((2, 3, 2)), "max_rows": public(2), "numbers": public(np.array([0, 1]))}
    codes, people = np.zeros((4, 2), dtype=np.int32), np.arange(4)
    assert not SealedTable.seal(codes, people=people, budget=PrivacyBudget((COUNT,)), **facts).count(COUNT).tainted
    facts[bare] = facts[bare].value.copy() if bare == "numbers" else facts[bare].value
    table = SealedTable.seal(codes, people=people, budget=PrivacyBudget((COUNT, HISTOGRAM)), **facts)
    assert table.count(COUNT).tainted
    assert table.histogram(public(0), HISTOGRAM).tainted


def test_columns_of_unknown_origin_taint_the_answer() -> None:
    """Which table is asked for may have been decided by the rows."""
    table = seal([[0, 0], [1, 2]], plan=(TABLE, CHOICE, HISTOGRAM))
    guess, prices = public([np.zeros(2)]), public(np.zeros(1))
    assert table.table((0,), TABLE).tainted
    assert table.histogram(0, HISTOGRAM).tainted
    assert table.choose(((0,),), guess, prices, CHOICE, stop=True).tainted
    assert not table.table(public((0,)), TABLE).tainted
    assert not table.choose(public(((0,),)), guess, prices, CHOICE, stop=True).tainted


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-(2**40), 2**40), min_size=8, max_size=8), st.integers(0, 7))
def test_one_patient_moves_a_score_by_at_most_k_however_far_the_estimate_is(estimate: list[int], cell: int) -> None:
    """The distances of eight cells at 2^40 counts each do not fit into 64 bits."""
    others = list(range(8))
    without, within = _scores(others, estimate), _scores([*others, cell], estimate)
    counts = [1 + (place == cell) for place in range(8)]
    exact = sum(abs(count - guess) for count, guess in zip(counts, estimate, strict=True))
    assert within == [exact * SCORE_GRID, 0]
    assert abs(within[0] - without[0]) <= SCORE_GRID


@pytest.mark.parametrize("far", [2**40, -(2**40)])
def test_scores_of_the_farthest_estimates_are_exact(far: int) -> None:
    for rows in ([], [3], [3, 3, 5]):
        exact = sum(abs(rows.count(place) - far) for place in range(8))
        assert _scores(rows, [far] * 8) == [exact * SCORE_GRID, 0]


def _scores(rows: list[int], estimate: list[int]) -> list[int]:
    """What a choice among one table and stopping is made by."""
    seen: list[list[int]] = []

    class Watched(ScoreChoice):
        def randomise(self, value: None = None) -> int:
            seen.append(list(self.utility))
            return super().randomise(value)

    codes = np.array(rows, dtype=np.int32)[:, None]
    table = SealedTable.seal(codes, public((8,)), np.arange(len(rows)), public(1), PrivacyBudget((CHOICE,)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealed, "ScoreChoice", Watched)
        table.choose(public(((0,),)), public([np.array(estimate, float)]), public(np.zeros(1)), CHOICE, stop=True)
    return seen[0]


def test_bare_estimates_are_refused() -> None:
    with pytest.raises(PrivacyError, match="bare"):
        seal([[0, 0]]).choose([(0,)], [np.zeros(2)], public(np.zeros(1)), CHOICE, stop=True)  # type: ignore[list-item]


@pytest.mark.parametrize("estimate", [[math.nan, 0.0], [math.inf, 0.0], [0.0]])
def test_unusable_estimates_are_refused_uncharged(estimate: list[float]) -> None:
    held = PrivacyBudget((CHOICE,))
    table = SealedTable.seal(np.zeros((5, 2), dtype=np.int32), (2, 3), np.arange(5), 1, held)
    with pytest.raises(PrivacyError):
        table.choose([(0,)], [public(np.array(estimate))], public(np.zeros(1)), CHOICE, stop=True)
    assert held.used == ()


@pytest.mark.parametrize("columns", [(), (0, 0), (2,), (-1,)])
def test_unusable_columns_are_refused(columns: tuple[int, ...]) -> None:
    with pytest.raises(PrivacyError, match="columns"):
        seal([[0, 0]]).table(columns, TABLE)


def test_grouped_cells_are_counted_together_and_bring_the_views_sources() -> None:
    table = seal([[0, 0], [1, 1], [1, 2]] * 100)
    views = Traced([Grouping(1, np.array([0, 1, 1])), Grouping(0, np.array([0, 0]))], frozenset({RAW}))
    coarse = table.regrouped(views)
    assert coarse.sizes == (2, 1)
    answer = coarse.table((0, 1), TABLE)
    assert answer.value.counts.shape == (2, 1)
    assert abs(int(answer.value.counts[1, 0]) - 200) < 30
    assert answer.tainted
    with pytest.raises(PrivacyError, match="view"):
        table.regrouped(public([Grouping(0, np.array([0, 1, 2]))]))


def test_a_histogram_is_charged() -> None:
    event = PureEvent("histogram", 1.0)
    table = seal([[0, 0], [1, 2]] * 200, plan=(event,))
    answer = table.histogram(public(1), event)
    assert np.abs(answer.value.counts - np.array([200, 0, 200])).max() < 40
    assert answer.value.sigma == pytest.approx(math.sqrt(2 * math.exp(-1)) / (1 - math.exp(-1)))
    assert not answer.tainted


def test_nothing_of_the_rows_is_shown_or_stored() -> None:
    table = seal([[1, 2]] * 77)
    assert repr(table) == "SealedTable(2 columns)"
    assert not hasattr(table, "__dict__")
    assert not [name for name in dir(table) if "code" in name.lower() or "owner" in name.lower()]
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(PrivacyError, match="cannot be copied"):
            attempt(table)
