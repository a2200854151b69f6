"""Positive and negative controls (I-16)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from audit import controls
from audit.controls import PLANS, hold_to_controls, run_controls, unseen
from audit.measures import CONTROLS_OF, NAMES_OF, REGISTRY
from audit.plan import PLANTS, Plan, Plant, Stake
from audit.tables import AuditTables
from policies import Limit, Measurement, Policy, decide
from tests.audit.tables import levels, patients, put_together


def tables_of(count: int, rng: np.random.Generator) -> AuditTables:
    return put_together(*[patients(count, rng) for _ in range(3)], target="outcome", integers=["age"])


def only(
    monkeypatch: pytest.MonkeyPatch,
    measure: Callable[[AuditTables, np.random.Generator], tuple[Measurement, ...]],
    plan: Plan,
) -> None:
    """An audit of this measure alone, in the place of the distance shares."""
    monkeypatch.setattr(controls, "REGISTRY", {"dcr": measure})
    monkeypatch.setattr(controls, "CONTROLS_OF", {"dcr": {"dcr_share": plan}})
    monkeypatch.setattr(controls, "PLANS", {"dcr_share": plan})


def few(monkeypatch: pytest.MonkeyPatch, *places: str) -> None:
    """An audit of these measures alone."""
    plans = {place: CONTROLS_OF[place] for place in places}
    monkeypatch.setattr(controls, "REGISTRY", {place: REGISTRY[place] for place in places})
    monkeypatch.setattr(controls, "CONTROLS_OF", plans)
    monkeypatch.setattr(controls, "PLANS", {name: plan for part in plans.values() for name, plan in part.items()})


@pytest.mark.slow
def test_every_control_catches_the_leak_and_spares_the_fresh_sample(rng: np.random.Generator) -> None:
    """All fresh checks together: false alarm at most once in 200 audits."""
    found = run_controls(tables_of(400, rng), rng)
    assert [control.name for control in found] == list(PLANS)
    assert {control.name: control.fault for control in found if not control.passed} == {}
    for control in found:
        plan = PLANS[control.name]
        asked = plan.staked and control.name not in control.note
        assert tuple(control.planted) == (*plan.sees, *([plan.on] if asked else ()))
        assert all(m.value > control.innocent for m in control.planted.values())
        assert control.fresh is not None
    assert unseen(found) == ()


def test_every_kind_of_leak_is_claimed_by_a_measure() -> None:
    assert {plant for plan in PLANS.values() for plant in plan.sees} == set(PLANTS)


def test_every_limited_figure_is_shown_a_leak() -> None:
    """But that of a union, which falls with its measure."""
    assert all(plan.sees or plan.staked for plan in PLANS.values())
    for place, plans in CONTROLS_OF.items():
        for plan in plans.values():
            assert not plan.staked or place in controls.STAKES


def test_a_plan_falls_on_names_its_own_measure_emits() -> None:
    for place, plans in CONTROLS_OF.items():
        for name, plan in plans.items():
            assert {name, *plan.voids, *plan.staked} <= set(NAMES_OF[place])


@pytest.mark.parametrize("plant", PLANTS)
def test_a_measure_is_shown_exactly_the_leaks_it_claims(
    plant: Plant, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[AuditTables] = []

    def watching(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
        shown.append(tables)
        return (Measurement("dcr_share", 0.9, 0.8, 1.0, tables.confidence, 100, ""),)

    only(monkeypatch, watching, Plan(0.5, ("dcr_share",), sees=(plant,)))
    tables = tables_of(200, rng)
    (control,) = run_controls(replace(tables, earlier=tables.released), rng)
    planted, fresh = shown
    assert list(control.planted) == [plant]
    assert planted.confidence == 0.99
    assert fresh.confidence == pytest.approx(0.99)  # one measure has the whole false alarm of 0.5 % for itself
    assert planted.earlier is None
    assert len(planted.released) == len(planted.train) == len(planted.holdout) == 200
    copies = pd.concat([planted.train, planted.released]).duplicated().sum()
    low, high = {"copies": (100, 100), "outliers": (20, 20), "lines": (0, 10), "overfit": (0, 10)}[plant]
    assert low <= copies <= high
    assert "taken for a leak" in control.fault


def test_a_leak_that_no_measure_saw_is_named(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    def blind(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
        return (Measurement("dcr_share", 0.5, 0.49, 0.51, tables.confidence, 100, "never looks"),)

    only(monkeypatch, blind, Plan(0.5, ("dcr_share",), sees=("copies", "lines")))
    found = run_controls(tables_of(100, rng), rng)
    assert unseen(found) == PLANTS
    assert "planted copies" in found[0].fault


def test_a_measure_that_breaks_on_a_plant_is_void_and_leaks_no_value(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
        raise ValueError("patient 4711")

    few(monkeypatch, "nnaa", "dcr")
    monkeypatch.setitem(controls.REGISTRY, "dcr", broken)
    faults = {control.name: control.fault for control in run_controls(tables_of(100, rng), rng)}
    assert "ValueError" in faults["dcr_share"]
    assert "4711" not in faults["dcr_share"]
    assert faults["nnaa_privacy_loss"] == ""


def test_a_measure_that_cannot_fail_is_void(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    def blind(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
        return (Measurement("dcr_share", 0.5, 0.49, 0.51, tables.confidence, 100, "never looks"),)

    few(monkeypatch, "nnaa", "dcr")
    monkeypatch.setitem(controls.REGISTRY, "dcr", blind)
    faults = {control.name: control.fault for control in run_controls(tables_of(100, rng), rng)}
    assert "planted copies in 100 rows were not seen" in faults["dcr_share"]


def test_a_measure_that_objects_to_everything_is_void(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shrill(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
        return (Measurement("dcr_share", 0.9, 0.8, 0.95, tables.confidence, 100, "always alarmed"),)

    few(monkeypatch, "nnaa", "dcr")
    monkeypatch.setitem(controls.REGISTRY, "dcr", shrill)
    faults = {control.name: control.fault for control in run_controls(tables_of(100, rng), rng)}
    assert "taken for a leak" in faults["dcr_share"]


def test_a_leak_too_vaguely_seen_says_how_many_rows_would_do(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0.7 with a lower end at 0.4: half-width 0.3 must shrink below 0.2, so 2.25 times the rows."""

    def vague(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
        return (Measurement("dcr_share", 0.7, 0.4, 0.9, tables.confidence, 100, "few rows"),)

    few(monkeypatch, "nnaa", "dcr")
    monkeypatch.setitem(controls.REGISTRY, "dcr", vague)
    faults = {control.name: control.fault for control in run_controls(tables_of(100, rng), rng)}
    assert "about 225 rows would show it" in faults["dcr_share"]


def test_a_table_of_a_few_cells_shows_no_copies(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row is shared by strangers, so copying cannot be seen there, and what is not seen is not safe."""
    few(monkeypatch, "nnaa", "dcr", "copies")
    frames = [
        pd.DataFrame({name: levels(rng.choice(["n", "y"], 400), "ny") for name in ("a", "b", "c")}) for _ in range(3)
    ]
    faults = {control.name: control.fault for control in run_controls(put_together(*frames), rng)}
    for name in ("nnaa_privacy_loss", "dcr_share", "exact_copy_excess", "near_copy_excess"):
        assert "not seen" in faults[name], name


def crowd(count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Everybody shares what is known with dozens, and the sensitive value is a coin."""
    return pd.DataFrame({name: levels(rng.choice(["n", "y"], count), "ny") for name in ("a", "b", "c")})


KNOWLEDGE = ("uniques", "anonymity", "homogeneity", "closeness", "all_columns")


def test_where_train_itself_tells_nobody_there_is_nothing_to_see(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Classes of about fifty people: a copy of train points at nobody, and a measure that says so is right."""
    few(monkeypatch, *KNOWLEDGE)
    tables = put_together(*[crowd(400, rng) for _ in range(3)], target="c", quasi_identifiers=["a", "b"])
    found = run_controls(tables, rng)
    for control in found:
        assert control.passed
        assert control.planted == {}
        assert control.note.startswith("nothing to see: train itself, released, would move"), control.name
        assert control.name in control.note
    measured = Measurement("k_map_excess", 0.0, -0.01, 0.01, 0.95, 400, "classes")
    (held,) = hold_to_controls((measured,), found)
    assert held.status == "measured"
    assert held.method.startswith("classes; control: nothing to see")


def test_a_stake_that_cannot_be_counted_voids_and_leaks_no_value(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> dict[str, Stake]:
        raise ValueError("patient 4711")

    few(monkeypatch, "uniques", "anonymity")
    monkeypatch.setattr(controls, "STAKES", {**controls.STAKES, "uniques": broken})
    faults = {control.name: control.fault for control in run_controls(tables_of(100, rng), rng)}
    assert "ValueError" in faults["replicated_uniques"]
    assert "4711" not in faults["replicated_uniques"]
    assert faults["k_map_excess"] == ""


def test_a_stake_that_is_no_number_is_not_nothing(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> dict[str, Stake]:
        return {"replicated_uniques": Stake(float("nan"))}

    few(monkeypatch, "uniques")
    monkeypatch.setattr(controls, "STAKES", {**controls.STAKES, "uniques": broken})
    faults = {control.name: control.fault for control in run_controls(tables_of(100, rng), rng)}
    assert "no number" in faults["replicated_uniques"]


def test_a_measure_that_breaks_on_train_itself_is_void(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
        raise ValueError("patient 4711")

    few(monkeypatch, "uniques")
    monkeypatch.setitem(controls.REGISTRY, "uniques", broken)
    (control,) = run_controls(tables_of(100, rng), rng)
    assert "replicated_uniques could not be tried on planted whole: stopped by ValueError" in control.fault


Measure = Callable[[AuditTables, np.random.Generator], tuple[Measurement, ...]]


def says_nothing(measure: Measure) -> Measure:
    return lambda tables, rng: tuple(replace(m, value=0.0, lower=-0.01, upper=0.01) for m in measure(tables, rng))


def takes_one_side_for_the_other(measure: Measure) -> Measure:
    def swapped(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
        sides = {"train": tables.holdout, "train_people": tables.holdout_people}
        others = {"holdout": tables.train, "holdout_people": tables.train_people}
        return measure(replace(tables, **sides, **others), rng)

    return swapped


def counts_half(measure: Measure) -> Measure:
    return lambda tables, rng: tuple(
        replace(m, value=m.value / 2, lower=m.lower / 2, upper=m.upper / 2) for m in measure(tables, rng)
    )


@pytest.mark.parametrize("place", [*KNOWLEDGE, "reconstruction"])
def test_a_measure_that_is_broken_no_longer_sees_what_is_there_to_see(
    place: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is broken shows on train itself; a search for lines may miss half of them, so half is no fault there."""
    few(monkeypatch, place)
    tables = tables_of(200, rng)
    assert [control.fault for control in run_controls(tables, rng)] == [""] * len(CONTROLS_OF[place])
    for broken in (says_nothing, takes_one_side_for_the_other, counts_half):
        if place == "reconstruction" and broken is counts_half:
            continue
        monkeypatch.setitem(controls.REGISTRY, place, broken(REGISTRY[place]))
        for control in run_controls(tables, rng):
            assert f"was not seen by {control.name}" in control.fault, broken.__name__


@pytest.mark.parametrize("broken", [says_nothing, takes_one_side_for_the_other])
def test_rows_on_lines_are_not_seen_by_a_broken_measure(
    broken: Callable[[Measure], Measure], rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where numbers are not rounded; the table of lines is measured once for both figures."""
    few(monkeypatch, "segments")
    tables = put_together(*[pd.DataFrame(rng.standard_normal((120, 4)), columns=list("wxyz")) for _ in range(3)])
    calls: list[int] = []

    def counting(measure: Measure) -> Measure:
        def counted(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
            calls.append(len(tables.released))
            return measure(tables, rng)

        return counted

    monkeypatch.setitem(controls.REGISTRY, "segments", counting(REGISTRY["segments"]))
    found = {control.name: control for control in run_controls(tables, rng)}
    assert found["segment_excess"].passed
    assert calls == [120, 60]
    monkeypatch.setitem(controls.REGISTRY, "segments", broken(REGISTRY["segments"]))
    found = {control.name: control for control in run_controls(tables, rng)}
    assert "was not seen by segment_excess" in found["segment_excess"].fault


def coins(count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Ten coins: two people have any row between them, and a half of one is that of dozens."""
    return pd.DataFrame({f"c{j}": levels(rng.choice(["n", "y"], count), "ny") for j in range(10)})


def vitals(count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Few columns: a copy joins the halves of many, and a close fit those of a few."""
    age = np.clip(np.round(60 + 12 * rng.standard_normal(count)), 18, 99)
    return pd.DataFrame(
        {
            "age": age,
            "bmi": np.round(27 + 4 * rng.standard_normal(count), 1),
            "pressure": np.round(100 + 0.5 * age + 12 * rng.standard_normal(count)),
            "sex": levels(rng.choice(["f", "m"], count), "fm"),
            "outcome": levels(np.where(rng.random(count) < age / 150, "ill", "well"), ["well", "ill"]),
        }
    )


@pytest.mark.parametrize("place", ["linkability", "segments"])
def test_where_a_plant_exposes_nobody_by_a_figure_there_is_nothing_to_see(
    place: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    few(monkeypatch, place)
    found = {c.name: c for c in run_controls(put_together(*[coins(200, rng) for _ in range(3)]), rng)}
    control = found["linkability" if place == "linkability" else "segment_share"]
    assert control.passed, control.fault
    assert "lines" not in control.planted
    assert f"would move {control.name} by less than 0.05" in control.note
    assert "lines" in unseen(found.values())


def test_copies_of_rows_that_many_have_expose_nobody_by_what_they_repeat(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    few(monkeypatch, "partial")
    (control,) = run_controls(put_together(*[coins(200, rng).iloc[:, :4] for _ in range(3)]), rng)
    assert control.passed, control.fault
    assert "planted copies would move partial_copy_excess by less than 0.05" in control.note


@pytest.mark.parametrize("broken", [says_nothing, takes_one_side_for_the_other])
def test_a_broken_measure_of_partial_copies_is_void_where_copies_repeat_what_hardly_anybody_has(
    broken: Callable[[Measure], Measure], rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In five columns, where every other copy gives its person away."""
    few(monkeypatch, "partial")
    tables = put_together(*[vitals(200, rng) for _ in range(3)], integers=["age", "pressure"])
    (control,) = run_controls(tables, rng)
    assert control.fault == ""
    monkeypatch.setitem(controls.REGISTRY, "partial", broken(REGISTRY["partial"]))
    (control,) = run_controls(tables, rng)
    assert "planted copies in 200 rows were not seen" in control.fault


def test_a_weak_plant_is_asked_for_what_it_exposes(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    """In five columns a close fit links fewer than one in ten; whoever says nothing, or the wrong side, is void."""
    few(monkeypatch, "linkability")
    tables = put_together(*[vitals(200, rng) for _ in range(3)], integers=["age", "pressure"])
    (control,) = run_controls(tables, rng)
    assert control.fault == ""
    assert {"copies", "lines"} <= set(control.planted)
    for broken in (says_nothing, takes_one_side_for_the_other):
        monkeypatch.setitem(controls.REGISTRY, "linkability", broken(REGISTRY["linkability"]))
        (control,) = run_controls(tables, rng)
        assert "planted copies in 200 rows were not seen" in control.fault, broken.__name__


@pytest.mark.parametrize("broken", [says_nothing, takes_one_side_for_the_other])
def test_what_cannot_be_told_is_no_excuse(
    broken: Callable[[Measure], Measure], rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two columns tell people apart and five do not: half of them are joined, but how many depends on the halves."""
    few(monkeypatch, "linkability")
    monkeypatch.setitem(controls.REGISTRY, "linkability", broken(REGISTRY["linkability"]))
    frames = []
    for _ in range(3):
        numbers = {"hb": np.round(rng.normal(14, 2, 200), 3), "weight": np.round(rng.normal(75, 15, 200), 2)}
        flags = {f"c{k}": levels(rng.choice(["n", "y"], 200, p=[0.7, 0.3]), "ny") for k in range(5)}
        frames.append(pd.DataFrame({**numbers, **flags}))
    (control,) = run_controls(put_together(*frames), rng)
    assert "planted copies in 200 rows were not seen" in control.fault


@pytest.mark.parametrize("broken", [says_nothing, takes_one_side_for_the_other])
def test_a_broken_segment_share_is_void_where_numbers_tell_lines(
    broken: Callable[[Measure], Measure], rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    few(monkeypatch, "segments")
    monkeypatch.setitem(controls.REGISTRY, "segments", broken(REGISTRY["segments"]))
    found = {c.name: c for c in run_controls(put_together(*[vitals(150, rng) for _ in range(3)]), rng)}
    assert "planted lines in 150 rows were not seen" in found["segment_share"].fault


def test_a_stake_of_a_weak_plant_that_cannot_be_counted_voids(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Stake:
        raise ValueError("patient 4711")

    few(monkeypatch, "segments")
    monkeypatch.setitem(controls.SHOWN, "segment_share", broken)
    found = {c.name: c for c in run_controls(put_together(*[coins(100, rng) for _ in range(3)]), rng)}
    assert "could not be counted: ValueError" in found["segment_share"].fault
    assert "4711" not in found["segment_share"].fault


def test_a_second_figure_of_a_measure_is_asked_by_its_own_name(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def blind(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
        return tuple(
            replace(m, value=0.0, lower=0.0) if m.name == "identity_disclosure_risk" else m
            for m in REGISTRY["anonymity"](tables, rng)
        )

    few(monkeypatch, "anonymity")
    monkeypatch.setitem(controls.REGISTRY, "anonymity", blind)
    (control,) = run_controls(tables_of(100, rng), rng)
    assert control.fault == "train itself, released, was not seen by identity_disclosure_risk"


def test_too_few_holdout_people_say_how_many_would_do(rng: np.random.Generator) -> None:
    found = run_controls(put_together(patients(100, rng), patients(39, rng), patients(100, rng)), rng)
    assert all("39 holdout people" in control.fault and "40 would do" in control.fault for control in found)


@pytest.mark.slow
def test_controls_of_people_with_many_rows_keep_them_whole(rng: np.random.Generator) -> None:
    """Rows of one person are alike; split over both halves they would make a fresh sample look like a leak."""
    parts = []
    for _ in range(3):
        people = np.repeat(np.arange(70), 4)
        base = rng.standard_normal((70, 4))[people]
        parts.append(pd.DataFrame(base + 0.05 * rng.standard_normal(base.shape), columns=list("wxyz")))
    tables = put_together(*parts, train_people=people, holdout_people=people)
    for control in run_controls(tables, rng):
        assert "taken for a leak" not in control.fault, control.name


def test_what_a_control_voids_denies() -> None:
    control = controls.Control("dcr_share", 0.5, fault="planted copies in 30 rows were not seen")
    good = Measurement("dcr_share", 0.5, 0.45, 0.55, 0.95, 100, "method")
    other = Measurement("nnaa_privacy_loss", 0.0, -0.01, 0.01, 0.95, 100, "method")
    held = hold_to_controls((good, other), (control,))
    assert held[1] is other
    assert held[0].status == "inconclusive"
    assert held[0].value == good.value
    assert "not seen" in held[0].reason
    policy = Policy(version=1, id="test", purpose="test", context="controlled", limits={"dcr_share": Limit(max=0.6)})
    assert decide(policy, (good, other)).allowed
    assert not decide(policy, held).allowed


def test_one_failed_accuracy_control_voids_all_three_accuracies() -> None:
    control = controls.Control("nnaa_privacy_loss", 0.0, fault="fault")
    names = ("nnaa_train", "nnaa_holdout", "nnaa_privacy_loss")
    held = hold_to_controls((Measurement(name, 0.5, 0.4, 0.6, 0.95, 9, "") for name in names), (control,))
    assert [m.status for m in held] == ["inconclusive"] * 3


def test_a_failed_measure_stays_failed() -> None:
    control = controls.Control("dcr_share", 0.5, fault="fault")
    failed = Measurement.void("dcr_share", status="failed", reason="stopped by KeyError")
    assert hold_to_controls((failed,), (control,)) == (failed,)
