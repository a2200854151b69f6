"""The vote of disjoint parts: what one person can change, who is in which part, and what the parts see."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from audit.controls import Control
from gateway.candidate import Parts
from gateway.earlier import NOTHING_EARLIER, Earlier
from gateway.halves import LoneHalves, split_key, vote_key
from gateway.intake import RawTable, TypedTable, type_table
from gateway.votes import Ballot, Part, ballot_seeds, count_met, count_unasked, deal, failed_controls, void_measures
from policies import Limit, Policy, parse_dictionary, parse_policy
from tests.gateway.conftest import DICTIONARY, clinic_table
from tests.gateway.private_clinic import PRIVATE_POLICY

PATIENTS = parse_dictionary(DICTIONARY.encode())
ROWS = parse_dictionary(DICTIONARY.replace('patient = "patient"\n', "").encode())
SECRET = bytes(range(32))
PARTS = 5


def policy(limits: str) -> Policy:
    gate = f"[private_gate]\nepsilon = 1.9\nparts = {PARTS}\nshare = 0.6\n[limits]\n{limits}"
    return parse_policy((PRIVATE_POLICY.partition("[limits]")[0] + gate).encode())


# about half of the parts meet each of the first two by chance, so that a change shows
EVEN = policy(
    "nnaa_privacy_loss = { max = 0.0 }\ndcr_share = { max = 0.5 }\nexact_copy_excess = { max = 0.01 }\n"
    "rows_per_real_row = { max = 0.55 }\n"
)
COPIES = policy(
    "exact_copy_excess = { max = 0.02 }\nnear_copy_excess = { max = 0.05 }\nnnaa_privacy_loss = { max = 0.15 }\n"
)


def visits(seed: int, rows: int = 800) -> pd.DataFrame:
    return clinic_table(rows, np.random.default_rng(seed)).astype(object)


def typed(frame: pd.DataFrame, dictionary: object = PATIENTS) -> tuple[RawTable, TypedTable]:
    cells = frame.astype(str).replace({"nan": "", "NaT": "", "None": "", "<NA>": ""})
    raw = RawTable.from_text({name: list(cells[name]) for name in cells.columns})
    return raw, type_table(raw, PATIENTS if dictionary is PATIENTS else ROWS)


def parted(frame: pd.DataFrame, dictionary: object = PATIENTS) -> Parts:
    raw, table = typed(frame, dictionary)
    known = PATIENTS if dictionary is PATIENTS else ROWS
    sides = LoneHalves(known, split_key(SECRET, "clinic"), vote_key(SECRET, "clinic"))(raw, table)
    assert sides.lots is not None
    lots = (sides.lots[sides.seen], sides.lots[sides.unseen])
    return Parts(table.take(sides.seen), table.take(sides.unseen), sides.unseen, lots=lots)


def dealt(parts: Parts, count: int = PARTS) -> list[Part]:
    assert parts.lots is not None
    part = deal(parts.train, parts.holdout, parts.lots, count)
    return [part(place) for place in range(count)]


def ballot(candidate: TypedTable, terms: Policy, seed: int = 0, void: dict[str, str] | None = None) -> Ballot:
    seeds = ballot_seeds(np.random.default_rng(seed), PARTS)
    return Ballot(candidate, PATIENTS, terms, void or {}, NOTHING_EARLIER, seeds)


_NAMED = ("nnaa_privacy_loss", "dcr_share", "near_copy_excess")


def _no_draw(*_: object) -> tuple[pd.DataFrame, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    raise RuntimeError("nothing is drawn here")


def votes(parts: Parts, asked: Ballot) -> list[dict[str, bool]]:
    return [asked.findings(part, place) for place, part in enumerate(dealt(parts))]


@pytest.mark.parametrize("seed", range(5))
def test_one_patient_with_all_rows_changes_the_findings_of_one_part_at_most(seed: int) -> None:
    """Exactly: every other part finds what it found, to the last digit of whatever it computed."""
    frame = visits(seed)
    candidate = typed(visits(100 + seed))[1]
    rows = frame["patient"].value_counts()
    leaver = rows[rows >= 3].index[seed]
    asked = ballot(candidate, EVEN, seed)
    before, after = (votes(parted(each), asked) for each in (frame, frame[frame["patient"] != leaver]))
    assert sum(one != other for one, other in zip(before, after, strict=True)) <= 1
    assert len({tuple(found.values()) for found in before}) > 1  # they are not all of one mind anyway


@pytest.mark.parametrize("seed", range(3))
def test_one_row_of_several_equal_ones_changes_one_part_at_most(seed: int) -> None:
    """Where a row is a person, equal rows have lots of their own, and parts do not know the order in the file."""
    frame = visits(seed, 400)
    several = pd.concat([frame, frame.iloc[[7, 7, 7, 20]]], ignore_index=True).sample(frac=1, random_state=seed)
    equal = np.flatnonzero((several == frame.iloc[7]).all(axis=1).to_numpy())
    asked = replace(ballot(typed(visits(50 + seed), ROWS)[1], EVEN, seed), dictionary=ROWS)
    before = votes(parted(several, ROWS), asked)
    for place in equal[:2]:
        after = votes(parted(several.drop(several.index[place]), ROWS), asked)
        assert sum(one != other for one, other in zip(before, after, strict=True)) <= 1
    assert votes(parted(several.sample(frac=1, random_state=9), ROWS), asked) == before


def test_whoever_comes_or_goes_nobody_else_changes_part_or_place_in_it() -> None:
    frame = visits(1)
    leaver = frame["patient"].value_counts().index[0]
    before, after = dealt(parted(frame)), dealt(parted(frame[frame["patient"] != leaver]))
    different = [
        place
        for place, (one, other) in enumerate(zip(before, after, strict=True))
        if not (one.train.frame.equals(other.train.frame) and one.holdout.frame.equals(other.holdout.frame))
        or not (np.array_equal(one.train.people, other.train.people))
        or not (np.array_equal(one.holdout.people, other.holdout.people))
    ]
    assert len(different) == 1


def test_parts_and_sides_are_independent() -> None:
    """4,000 people, one row each, in a table of 2 sides by 8 parts; false-alarm rate 1e-6."""
    from scipy import stats

    keys = [f"P{number}" for number in range(4_000)]
    raw = RawTable.from_text({"patient": keys})
    sides = LoneHalves(PATIENTS, split_key(SECRET, "clinic"), vote_key(SECRET, "clinic"))(raw, None)  # type: ignore[arg-type]
    assert sides.lots is not None
    part = (sides.lots % np.uint64(8)).astype(int)
    table = [np.bincount(part[rows], minlength=8) for rows in (sides.seen, sides.unseen)]
    assert stats.chi2_contingency(table).pvalue > 1e-6
    assert stats.chisquare(np.sum(table, axis=0)).pvalue > 1e-6
    assert vote_key(SECRET, "clinic") not in (split_key(SECRET, "clinic"), vote_key(SECRET, "registry"), SECRET)


def test_every_row_is_in_one_part_and_no_person_in_two() -> None:
    parts = parted(visits(3))
    listed = dealt(parts)
    assert sum(part.train.row_count + part.holdout.row_count for part in listed) == 800
    assert sum(part.train.people_count for part in listed) == parts.train.people_count
    assert all(set(part.train.people).isdisjoint(part.holdout.people) for part in listed)


def test_a_person_with_two_lots_is_a_fault() -> None:
    parts = parted(visits(3))
    assert parts.lots is not None
    lots = parts.lots[0].copy()
    row = int(np.flatnonzero(np.bincount(parts.train.people)[parts.train.people] > 1)[0])
    lots[row] += np.uint64(1)
    with pytest.raises(RuntimeError, match="two lots"):
        deal(parts.train, parts.holdout, (lots, parts.lots[1]), PARTS)


def test_an_innocent_table_gets_the_votes_and_one_with_copies_does_not() -> None:
    """A tenth of the rows are copies of people whom the synthesizer saw, and so is a tenth of what each part sees."""
    parts = parted(visits(1, 3_000))
    innocent = typed(visits(2, 1_500))[1]
    honest = votes(parts, ballot(innocent, COPIES))
    assert sum(all(found.values()) for found in honest) >= 4
    rng = np.random.default_rng(0)
    stolen = parts.train.frame.iloc[rng.choice(parts.train.row_count, 150, replace=False)]
    mixed = pd.concat([innocent.frame.iloc[150:], stolen], ignore_index=True)
    leaking = TypedTable(mixed, np.arange(len(mixed)), len(mixed), (), ())
    caught = votes(parts, ballot(leaking, COPIES))
    assert sum(all(found.values()) for found in caught) == 0
    assert not any(found["exact_copy_excess"] for found in caught)


def test_a_part_sees_its_share_of_the_copies_however_many_more_people_than_rows_there_are() -> None:
    """600 rows for 3,000: one in ten is a copy, and what every part sees holds at least about as many."""
    terms = policy("exact_copy_excess = { max = 0.06 }\n")
    parts = parted(visits(1, 3_000))
    innocent = typed(visits(2, 600))[1]
    stolen = parts.train.frame.iloc[np.random.default_rng(0).choice(parts.train.row_count, 60, replace=False)]
    mixed = pd.concat([innocent.frame.iloc[60:], stolen], ignore_index=True)
    caught = votes(parts, ballot(TypedTable(mixed, np.arange(600), 600, (), ()), terms))
    assert sum(all(found.values()) for found in caught) <= 1
    assert sum(all(found.values()) for found in votes(parts, ballot(innocent, terms))) == 5


def test_a_measure_whose_control_failed_is_met_in_no_part() -> None:
    parts = parted(visits(1))
    candidate = typed(visits(2))[1]
    void = void_measures([Control("dcr_share", 0.5, fault="it saw nothing"), Control("nnaa_privacy_loss", 0.0)])
    assert void == {"dcr_share": "control of dcr_share on generated rows: it saw nothing"}
    loose = policy("dcr_share = { max = 1.0 }\nnnaa_privacy_loss = { max = 1.0 }\n")
    assert count_met(votes(parts, ballot(candidate, loose)), loose) == {"dcr_share": 5, "nnaa_privacy_loss": 5}
    met = count_met(votes(parts, ballot(candidate, loose, void=void)), loose)
    assert met == {"dcr_share": 0, "nnaa_privacy_loss": 5}


def test_controls_that_fail_are_taken_again_on_other_generated_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Void is what failed every time; nothing is drawn again for measures that the policy does not limit."""
    terms = policy("nnaa_privacy_loss = { max = 0.1 }\ncumulative_dcr_share = { max = 0.6 }\n")
    runs: list[tuple[str, ...]] = []

    def outcome(*failing: tuple[str, ...]) -> set[str]:
        left = iter(failing)

        def controls(*_: object) -> tuple[Control, ...]:
            runs.append(next(left))
            return tuple(Control(name, 0.0, fault="unseen" if name in runs[-1] else "") for name in _NAMED)

        runs.clear()
        monkeypatch.setattr("gateway.votes.generated_controls", controls)
        return {each.name for each in failed_controls(_no_draw, PATIENTS, terms, np.random.default_rng(0))}

    assert outcome(()) == set()
    assert outcome(("near_copy_excess",)) == {"near_copy_excess"}  # no limit of the policy's: left at that
    assert outcome(("nnaa_privacy_loss",), ("dcr_share",), ()) == set()
    assert len(runs) == 2
    assert outcome(("dcr_share",), *4 * [("dcr_share", "nnaa_privacy_loss")]) == {"dcr_share"}
    assert len(runs) == 5


def test_controls_that_cannot_be_taken_bear_nothing_out() -> None:
    void = void_measures(failed_controls(_no_draw, PATIENTS, COPIES, np.random.default_rng(0)))
    assert void.keys() >= COPIES.limits.keys()
    assert "stopped by RuntimeError" in void["nnaa_privacy_loss"]


def test_rows_per_real_row_is_held_among_the_parts_own_people() -> None:
    parts = parted(visits(1))
    for most, met in ((1.0, 5), (0.2, 0)):
        terms = policy(f"rows_per_real_row = {{ max = {most} }}\nnnaa_privacy_loss = {{ max = 1.0 }}\n")
        found = votes(parts, ballot(typed(visits(2, 400))[1], terms))
        assert count_met(found, terms)["rows_per_real_row"] == met


def test_a_limit_is_asked_in_the_parts_that_are_small_enough_and_counted_apart_in_the_others() -> None:
    parts = parted(visits(1))
    sizes = sorted(part.train.row_count for part in dealt(parts))
    assert sizes[2] < sizes[3]
    few = Limit(max=-0.9, most_rows=sizes[2])  # of fewer rows than a policy file may name, so that parts are quick
    terms = COPIES.model_copy(update={"limits": {"nnaa_privacy_loss": Limit(max=1.0), "exact_copy_excess": few}})
    found = votes(parts, ballot(typed(visits(2))[1], terms))
    assert count_met(found, terms) == {"nnaa_privacy_loss": 5, "exact_copy_excess": 0}
    assert count_unasked(found, terms) == {"exact_copy_excess": 2}
    assert sum(all(part.values()) for part in found) == 2


def test_an_empty_part_cannot_be_measured() -> None:
    parts = parted(visits(1))
    empty = parts.train.take(np.empty(0, dtype=np.int64))
    with pytest.raises(ValueError, match="at least two"):
        ballot(typed(visits(2))[1], COPIES).findings(Part(empty, parts.holdout), 0)


def test_earlier_releases_are_seen_near_the_parts_people_too() -> None:
    """A table that was released before, of nothing but people who were learned from, is found in every part."""
    terms = policy("cumulative_near_copy_excess = { max = 0.1 }\n")
    parts = parted(visits(1, 1_500))
    candidate = typed(visits(2, 1_000))[1]
    asked = ballot(candidate, terms)
    assert count_met(votes(parts, asked), terms)["cumulative_near_copy_excess"] == 5
    before = replace(asked, earlier=Earlier(parts.train.frame, 1, 0))
    assert count_met(votes(parts, before), terms)["cumulative_near_copy_excess"] == 0
    lost = replace(asked, earlier=Earlier(None, 1, 1))
    assert count_met(votes(parts, lost), terms)["cumulative_near_copy_excess"] == 0
