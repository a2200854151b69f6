"""What a leak exposes, counted apart from the measures that must say so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from audit import plants
from audit.copy_stakes import repeated
from audit.line_stakes import leaning, met, on_lines
from audit.link_stakes import linked
from audit.measures import REGISTRY
from audit.plan import Stake
from audit.stakes import STAKES
from audit.straight import straighten
from audit.tables import AuditTables
from tests.audit.tables import levels, patients, put_together

KNOWLEDGE = ("uniques", "anonymity", "homogeneity", "closeness", "all_columns")


def four(values: str) -> pd.Categorical:
    return levels(list(values), "abcd")


@pytest.fixture
def small() -> AuditTables:
    """Known is q, sensitive is s; twenty times: a is alone in train, b shares with one of the other table, c and d not.

    A class of q is one of 20 rows of each pattern, so numbers are those of the four rows.
    """
    train = pd.DataFrame({"q": four("abbc"), "s": levels(list("nnyn"), "ny")})
    holdout = pd.DataFrame({"q": four("bddd"), "s": levels(list("nyny"), "ny")})
    return put_together(
        train, holdout, train, quasi_identifiers=["q"], sensitive=["s"], attacker_class_size=2, attacker_known_columns=1
    )


def test_counts_worked_out_by_hand(small: AuditTables, rng: np.random.Generator) -> None:
    """Train a b b c, holdout b d d d, a class is small with one person; s is n n y n and n y n y."""
    found = {name: stake for place in KNOWLEDGE[:3] for name, stake in STAKES[place](small, rng).items()}
    assert found["replicated_uniques"].exposed == 2 / 4  # a and c have one real person each
    # a and c lie in train classes of one; both rows of b in a holdout class of one
    assert found["k_map_excess"].exposed == 2 / 4 - 2 / 4
    assert found["identity_disclosure_risk"].exposed == pytest.approx((1 + 1 / 3 + 1 / 3 + 1) / 4)
    # the classes a and c have one sensitive value; no holdout person is in either
    assert found["homogeneity_excess"].exposed == 2 / 4
    assert all(stake.spread == 0 and stake.least == stake.exposed for stake in found.values())


@pytest.mark.parametrize("place", KNOWLEDGE)
@pytest.mark.parametrize("known", [("age", "sex", "ward"), ()])
@pytest.mark.parametrize("rows", [1, 3])
def test_a_measure_says_of_train_itself_what_is_counted(
    place: str, known: tuple[str, ...], rows: int, rng: np.random.Generator
) -> None:
    """Every class system is tried here, so both are the same number; with one row per person and with several."""
    train, holdout = (patients(150, rng) for _ in range(2))
    people = np.arange(150) // rows
    tables = put_together(
        *(train, holdout, train),
        target="outcome",
        integers=["age"],
        quasi_identifiers=known,
        train_people=people,
        holdout_people=people,
        attacker_class_size=4,
        attacker_known_columns=2,
    )
    said = {m.name: m for m in REGISTRY[place](tables, rng)}
    for name, stake in STAKES[place](tables, rng).items():
        assert said[name].value == pytest.approx(stake.exposed, abs=1e-9), name
        assert stake.spread == 0


def test_a_number_as_secret_is_measured_by_ranks_there_too(rng: np.random.Generator) -> None:
    train, holdout = (patients(120, rng) for _ in range(2))
    tables = put_together(train, holdout, train, sensitive=["enzyme", "ward"], attacker_known_columns=2)
    said = {m.name: m for m in REGISTRY["closeness"](tables, rng)}
    (stake,) = STAKES["closeness"](tables, rng).values()
    assert said["t_closeness_excess"].value == pytest.approx(stake.exposed, abs=1e-9)


def test_systems_that_are_drawn_leave_a_spread(rng: np.random.Generator) -> None:
    """Of 435 pairs a measure tries 300 and the count 400: both lie within four standard errors of all of them."""
    frame = pd.DataFrame(rng.integers(0, 30, (60, 30)).astype(np.float64), columns=[f"x{i}" for i in range(30)])
    tables = put_together(frame, frame[::-1].reset_index(drop=True) + 1, frame, attacker_known_columns=2)
    (stake,) = STAKES["uniques"](tables, rng).values()
    (said,) = REGISTRY["uniques"](tables, rng)
    assert 0 < stake.spread < 0.01
    assert abs(said.value - stake.exposed) <= 4 * stake.spread
    assert stake.least == pytest.approx(stake.exposed - 4 * stake.spread)


def test_nothing_is_exposed_without_a_secret(rng: np.random.Generator) -> None:
    frames = [patients(60, rng) for _ in range(2)]
    tables = put_together(*frames, frames[0])
    assert STAKES["homogeneity"](tables, rng) == {"homogeneity_excess": Stake(0.0)}
    assert STAKES["closeness"](tables, rng) == {"t_closeness_excess": Stake(0.0)}
    assert set(STAKES["all_columns"](tables, rng)) == {"all_columns_k_map_excess"}


def pencilled(train: pd.DataFrame, holdout: pd.DataFrame, rng: np.random.Generator) -> AuditTables:
    tables = put_together(train, holdout, train)
    numbers = straighten(tables)["train"].numbers
    return replace(tables, released=plants.pencils(train, tables.dictionary, numbers, np.arange(len(train)), rng))


def test_lines_that_are_not_rounded_give_away_everybody_they_meet_in(rng: np.random.Generator) -> None:
    """Two of five nearest strangers can lie in nearly one direction; that is where a person may not be counted."""
    train, holdout = (pd.DataFrame(rng.standard_normal((80, 5)), columns=list("vwxyz")) for _ in range(2))
    tables = pencilled(train, holdout, rng)
    stake = met(tables, rng)["line_reconstruction"]
    assert 0.2 <= stake.exposed <= 0.25
    assert met(replace(tables, released=tables.released.round(0)), rng)["line_reconstruction"].exposed < 0.05
    (said,) = REGISTRY["reconstruction"](tables, rng)
    assert said.value >= stake.least


def test_lines_in_two_numbers_give_nobody_away(rng: np.random.Generator) -> None:
    train, holdout = (pd.DataFrame(rng.standard_normal((80, 2)), columns=list("xy")) for _ in range(2))
    assert met(pencilled(train, holdout, rng), rng) == {"line_reconstruction": Stake(0.0)}


@pytest.mark.parametrize(("columns", "integers", "exposed"), [("xy", (), 0.0), ("xyz", (), 1.0), ("xyz", ("z",), 0.0)])
def test_a_row_is_surely_on_its_line_where_three_numbers_are_not_rounded(
    columns: str, integers: tuple[str, ...], exposed: float, rng: np.random.Generator
) -> None:
    """Half of the candidate are rows on lines and half train itself, which no line is needed for."""
    train, holdout = (pd.DataFrame(rng.standard_normal((80, len(columns))), columns=list(columns)) for _ in range(2))
    tables = put_together(train, holdout, train, integers=integers)
    start = np.arange(40)
    lines = plants.between(train, tables.dictionary, start, start + 40, rng)
    tables = replace(tables, released=pd.concat([lines, train[:40]], ignore_index=True))
    stake = on_lines(tables, rng)["segment_excess"]
    assert stake.exposed == exposed / 2
    found = {m.name: m for m in REGISTRY["segments"](tables, rng)}
    assert found["segment_excess"].value >= stake.least


def test_a_copy_that_hardly_anybody_could_have_stakes_its_row_and_one_of_a_crowd_nothing(
    rng: np.random.Generator,
) -> None:
    train, holdout = (pd.DataFrame(rng.standard_normal((80, 4)), columns=list("wxyz")) for _ in range(2))
    half = pd.concat([train[:40], holdout[:40] + 9], ignore_index=True)
    assert repeated(put_together(train, holdout, half), rng).exposed == pytest.approx(0.5, abs=0.05)
    crowd = pd.DataFrame({"x": four("ab" * 20), "y": four("ba" * 20)})
    assert repeated(put_together(crowd, crowd, crowd), rng).exposed < 0.01


def test_a_half_that_nobody_shares_links_its_person(rng: np.random.Generator) -> None:
    """Continuous numbers: released train joins everybody, a fresh sample joins both tables alike."""
    train, holdout, fresh = (pd.DataFrame(rng.standard_normal((80, 4)), columns=list("wxyz")) for _ in range(3))
    whole = linked(put_together(train, holdout, train), rng)
    assert whole.exposed == 1.0
    assert abs(linked(put_together(train, holdout, fresh), rng).exposed) < 0.1


def test_a_half_shared_by_many_links_by_lot(rng: np.random.Generator) -> None:
    """Two columns of two levels, in two hands: each of four rows ties with one other in either half."""
    pairs = pd.DataFrame({"a": four("aabb" * 10), "b": four("abab" * 10)})
    other = pd.DataFrame({"a": four("cccc" * 10), "b": four("cccc" * 10)})
    stake = linked(put_together(pairs, other, pairs), rng)
    holdout = 1 / 16  # level c is as far from all four
    assert stake.exposed == pytest.approx((1 / 4 - holdout) / (1 - holdout))


def test_mixtures_that_strangers_have_between_them_lean_to_neither_side(rng: np.random.Generator) -> None:
    """a or b in each of two columns: two holdout people have any of them between them, and none that holds a c."""
    train = pd.DataFrame({"x": four("ab" * 20), "y": four("ba" * 20)})
    holdout = pd.DataFrame({"x": four("aabb" * 10), "y": four("abab" * 10)})
    assert leaning(put_together(train, holdout, train), rng).exposed == 0.0
    strange = pd.DataFrame({"x": four("ac" * 20), "y": four("cb" * 20)})
    assert leaning(put_together(strange, holdout, strange), rng).exposed == 0.5
    numeric = pd.DataFrame({"x": four("ab" * 20), "y": rng.standard_normal(40)})
    assert leaning(put_together(numeric, numeric, numeric), rng).exposed == 0.5
