"""What any few columns give away."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycanon import anonymity as pycanon

from audit import combinations as budget
from audit import exposure as module
from audit.combinations import combinations
from audit.exposure import exposure
from audit.measures.all_columns import NAMES, all_columns
from audit.tables import AuditTables
from policies import Measurement
from tests.audit.tables import levels, patients, put_together


def measure(tables: AuditTables, seed: int = 0) -> dict[str, Measurement]:
    return {m.name: m for m in all_columns(tables, np.random.default_rng(seed))}


def rows(cells: list[str]) -> pd.DataFrame:
    """Each cell a known column and a sensitive one; a dot is missing."""
    values = [[None if part == "." else part for part in cell] for cell in cells]
    return pd.DataFrame(
        {
            "known": levels([value[0] for value in values], "ABCDEF"),
            "secret": levels([value[1] for value in values], "xyz"),
        }
    )


def copied(share: float, rng: np.random.Generator, count: int = 300) -> AuditTables:
    """Released: ``share`` copies of train, the rest fresh."""
    train, holdout, fresh = (patients(count, rng) for _ in range(3))
    cut = int(share * count)
    released = pd.concat([train[:cut], fresh[cut:]], ignore_index=True)
    return put_together(train, holdout, released, target="outcome")


def test_scores_by_hand() -> None:
    """One column at a time, fewer than three people tell.

    known: train A A B C, holdout D D E F. A and D hold two people (f = 2), the others one. Released: A, D, E.
    Of strangers f = 2 is always shown (both D), f = 1 in one case of two (E, not F): missing 0 and 1/2.
    secret: all x, nobody is told by it. So A: expected 0, missed 0; B: expected 1/2, missed 1: (1/2 - 1) / (1/2 + 1).
    """
    train, holdout = rows(["Ax", "Ax", "Bx", "Cx"]), rows(["Dx", "Dx", "Ex", "Fx"])
    tables = put_together(
        train, holdout, rows(["Ax", "Dx", "Ex"]), target="secret", attacker_class_size=3, attacker_known_columns=1
    )
    found = exposure(tables, combinations(2, 1, 11, np.random.default_rng(0)), ("secret",))
    third = 1 / 3
    assert found.shown == pytest.approx([0, 0, -third, -third, 0, 0, third, -third])
    assert found.named == pytest.approx(found.shown[None])
    assert (found.smallest, found.fewest) == (1, 1)


def test_a_value_named_wrongly_or_not_alone_is_not_named() -> None:
    """Released A is y, not the person's x; D is x and y; only E names its person rightly."""
    train, holdout = rows(["Ax", "Ax", "Bx", "Cx"]), rows(["Dx", "Dx", "Ex", "Fx"])
    tables = put_together(
        train,
        holdout,
        rows(["Ay", "Dx", "Dy", "Ex"]),
        target="secret",
        attacker_class_size=3,
        attacker_known_columns=1,
    )
    named = exposure(tables, combinations(2, 1, 12, np.random.default_rng(0)), ("secret",)).named[0]
    # Of strangers: f = 2 is missed always (weight 1/2 each), f = 1 in one case of two.
    assert named == pytest.approx([0, 0, -1 / 3, -1 / 3, 0, 0, 1 / 3, -1 / 3])


def test_the_value_is_the_share_of_people_copied(rng: np.random.Generator) -> None:
    for share in (0.1, 0.5, 1.0):
        found = measure(copied(share, rng))
        assert found["all_columns_k_map_excess"].value == pytest.approx(share, abs=0.05)
        assert found["all_columns_k_map_excess"].lower > 0
        assert found["all_columns_homogeneity_excess"].lower > 0


def test_a_rule_that_holds_for_all_people_is_no_leak(rng: np.random.Generator) -> None:
    """The sensitive value follows from another column for everybody."""
    frames = [patients(200, rng) for _ in range(3)]
    for frame in frames:
        frame["outcome"] = levels(["ill" if value > 120 else "well" for value in frame["pressure"]], ["well", "ill"])
    found = measure(put_together(*frames, target="outcome"))["all_columns_homogeneity_excess"]
    assert found.lower < 0 < found.upper


def test_literal_figures_are_pycanons_worst(rng: np.random.Generator) -> None:
    """Least k over pairs of three columns, least l over the two other columns together."""
    train, holdout, released = (patients(150, rng)[["ward", "sex", "outcome"]] for _ in range(3))
    found = measure(put_together(train, holdout, released, target="outcome", attacker_known_columns=2))
    written = released.astype(object).where(released.notna(), "missing").astype(str)
    pairs = (["ward", "sex"], ["ward", "outcome"], ["sex", "outcome"])
    assert found["all_columns_k_anonymity"].value == min(pycanon.k_anonymity(written, pair) for pair in pairs)
    assert found["all_columns_l_diversity"].value == pycanon.l_diversity(written, ["ward", "sex"], ["outcome"])


def test_l_counts_values_of_many_levels(rng: np.random.Generator) -> None:
    """Two wards with five and seven of 800 codes: l is 5."""
    codes = [f"d{place}" for place in range(800)]
    secret = codes[:5] * 7 + codes[:7] * 5
    frame = pd.DataFrame({"ward": levels(list("a" * 35 + "b" * 35), "ab"), "code": levels(secret, codes)})
    assert measure(put_together(frame, frame, frame, target="code"))["all_columns_l_diversity"].value == 5.0


cells = st.lists(st.tuples(st.sampled_from("ABC."), st.sampled_from("xyz.")), min_size=4, max_size=30)


@settings(max_examples=30, deadline=None)
@given(cells, cells, st.randoms(use_true_random=False))
def test_order_of_rows_and_names_of_levels_are_nothing(
    real: list[tuple[str, str]], released: list[tuple[str, str]], random: np.random.RandomState
) -> None:
    def scores(rename: dict[str, str], order: list[int]) -> np.ndarray:
        def table(part: list[tuple[str, str]]) -> pd.DataFrame:
            return rows([rename.get(known, known) + secret for known, secret in part])

        train = table([real[place] for place in order])
        tables = put_together(train, table(real), table(released), target="secret", attacker_class_size=3)
        return exposure(tables, combinations(2, 2, 99, np.random.default_rng(0)), ("secret",)).shown[: len(real)]

    order = list(range(len(real)))
    random.shuffle(order)
    plain = scores({}, list(range(len(real))))
    assert scores({"A": "F", "B": "A", "C": "D"}, order) == pytest.approx(plain[order])


def test_mixed_types_constants_and_empty_columns_are_counted(rng: np.random.Generator) -> None:
    tables = copied(0.3, rng)
    for frame in tables.frames.values():
        frame["dose"] = np.nan
        frame["age"] = 50.0
    found = measure(tables)
    assert all(m.status == "measured" for m in found.values())
    assert found["all_columns_k_map_excess"].lower > 0


def test_nobody_is_pointed_at_where_crowds_share_everything() -> None:
    crowd = rows(["Ax"] * 30 + ["By"] * 30)
    found = measure(put_together(crowd, crowd, crowd, target="secret"))
    assert found["all_columns_k_anonymity"].value == 30.0
    assert found["all_columns_k_map_excess"].value == found["all_columns_homogeneity_excess"].value == 0.0
    assert found["all_columns_k_map_excess"].upper > 0


def test_people_count_once_and_by_their_worst_row(rng: np.random.Generator) -> None:
    """Each train person has one copied and one uncopied row: all are pointed at. Holdout people have two, too."""
    first, second, holdout = patients(100, rng), patients(100, rng), patients(200, rng)
    people = np.tile(np.arange(100), 2)
    tables = put_together(
        pd.concat([first, second], ignore_index=True),
        holdout,
        first.copy(),
        target="outcome",
        train_people=people,
        holdout_people=people,
    )
    found = measure(tables)["all_columns_k_map_excess"]
    assert found.value > 0.9
    assert found.n == 200


def test_drawn_combinations_bound_the_literal_figures(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = copied(0.2, rng)
    complete = measure(tables)
    monkeypatch.setattr(budget, "BUDGET", 20 * (900 + budget.SETUP))
    drawn = measure(tables)
    assert drawn["all_columns_k_anonymity"].value <= complete["all_columns_k_anonymity"].value
    assert "all columns together" in drawn["all_columns_l_diversity"].method
    assert "20 of 63 combinations" in drawn["all_columns_k_map_excess"].method
    assert drawn["all_columns_k_map_excess"].lower > 0


def test_nothing_sensitive_and_too_few_people_decide_nothing(rng: np.random.Generator) -> None:
    found = measure(put_together(*[patients(30, rng) for _ in range(3)]))
    assert tuple(found) == NAMES
    assert found["all_columns_k_map_excess"].status == "measured"
    assert all("neither" in found[name].reason for name in NAMES[2:])
    found = measure(put_together(patients(30, rng), patients(12, rng), patients(30, rng), target="outcome"))
    assert [m.status for m in found.values()] == ["measured", "inconclusive"] * 2
    assert "12 people" in found["all_columns_k_map_excess"].reason


def test_a_single_column_has_nothing_to_match_on(rng: np.random.Generator) -> None:
    frame = patients(30, rng)[["outcome"]]
    found = measure(put_together(frame, frame, frame, target="outcome"))
    assert found["all_columns_k_map_excess"].status == "measured"
    assert "only one" in found["all_columns_l_diversity"].reason


@pytest.mark.slow
@pytest.mark.parametrize(("train", "holdout"), [(100, 100), (160, 60)])
def test_a_fresh_sample_points_at_train_and_holdout_alike(rng: np.random.Generator, train: int, holdout: int) -> None:
    """80 tables at 90 %: 8 misses expected at most; more than 23 with a chance below 2e-6. Mean 0 within five errors
    (6e-7), whatever the sizes. Both measures and both sizes: false alarm below 2e-5."""
    found = [
        measure(
            put_together(
                patients(train, rng), patients(holdout, rng), patients(100, rng), target="outcome", confidence=0.9
            )
        )
        for _ in range(80)
    ]
    for name in ("all_columns_k_map_excess", "all_columns_homogeneity_excess"):
        excess = [part[name] for part in found]
        assert sum(not m.lower <= 0 <= m.upper for m in excess) <= 23
        values = np.array([m.value for m in excess])
        assert abs(values.mean()) <= 5 * values.std() / np.sqrt(80)


def test_one_copy_in_twenty_shows_at_three_hundred_rows(rng: np.random.Generator) -> None:
    """Fifteen copies in each of five tables, all seen at 95 %."""
    assert all(measure(copied(0.05, rng))["all_columns_k_map_excess"].lower > 0 for _ in range(5))


@pytest.mark.slow
def test_two_thousand_rows_of_forty_columns_are_counted_in_seconds(rng: np.random.Generator) -> None:
    """10,700 combinations; about four seconds of one core here, thirty allowed."""
    frames = [pd.DataFrame(rng.standard_normal((2_000, 40)), columns=[f"v{i}" for i in range(40)]) for _ in range(3)]
    started = time.process_time()
    found = measure(put_together(*frames))
    assert time.process_time() - started < 30
    assert "every combination" in found["all_columns_k_map_excess"].method


def test_how_pairs_of_class_and_value_are_counted_is_nothing(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two sensitive columns, one of them a number; in one table of all pairs, and by the rows that are asked for."""
    train, holdout, fresh = (patients(200, rng) for _ in range(3))
    released = pd.concat([train[:80], fresh[80:]], ignore_index=True)
    tables = put_together(train, holdout, released, sensitive=["outcome", "enzyme"])
    chosen = combinations(7, 3, 600, rng)
    found = []
    for pairs in (0, 10**6):
        monkeypatch.setattr(module, "PAIRS", pairs)
        found.append(exposure(tables, chosen, ("outcome", "enzyme")))
    np.testing.assert_array_equal(found[0].named, found[1].named)
    np.testing.assert_array_equal(found[0].shown, found[1].shown)
    assert found[0].named.shape == (2, 400)
    assert (found[0].named[:, :80].mean(axis=1) > found[0].named[:, 80:].mean(axis=1)).all()


def test_l_counts_values_where_classes_times_values_outgrow_two_bytes() -> None:
    """120 wards times 800 codes; every ward has the same five."""
    wards, codes = [f"w{place}" for place in range(120)], [f"d{place}" for place in range(800)]
    frame = pd.DataFrame(
        {"ward": levels([ward for ward in wards for _ in range(5)], wards), "code": levels(codes[-5:] * 120, codes)}
    )
    found = measure(put_together(frame, frame, frame, target="code", attacker_class_size=2))
    assert found["all_columns_l_diversity"].value == 5.0
