"""Positive and negative controls (I-16)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from audit import controls
from audit.controls import PLANS, hold_to_controls, run_controls
from audit.tables import AuditTables
from policies import Limit, Measurement, Policy, decide
from tests.audit.tables import levels, patients, put_together


def tables_of(count: int, rng: np.random.Generator) -> AuditTables:
    return put_together(*[patients(count, rng) for _ in range(3)], target="outcome", integers=["age"])


def test_every_control_catches_the_leak_and_spares_the_fresh_sample(rng: np.random.Generator) -> None:
    """Eight fresh checks at one in a thousand: false alarm below 1 %."""
    found = run_controls(tables_of(240, rng), rng)
    assert [control.name for control in found] == list(PLANS)
    assert [control.fault for control in found] == [""] * len(PLANS)
    asked = [control.planted for control in found if PLANS[control.name].planted]
    assert all(m is not None and m.value > 0 for m in asked)
    assert all(control.fresh is not None for control in found)


def test_a_measure_that_cannot_fail_is_void(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    def blind(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
        return (Measurement("dcr_share", 0.5, 0.49, 0.51, tables.confidence, 100, "never looks"),)

    monkeypatch.setattr(controls, "_DISTANCE", (blind,))
    monkeypatch.setattr(controls, "_CLASSES", ())
    faults = {control.name: control.fault for control in run_controls(tables_of(100, rng), rng)}
    assert "planted leak of 100 rows was not seen" in faults["dcr_share"]


def test_a_measure_that_objects_to_everything_is_void(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shrill(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
        return (Measurement("dcr_share", 0.9, 0.8, 0.95, tables.confidence, 100, "always alarmed"),)

    monkeypatch.setattr(controls, "_DISTANCE", (shrill,))
    monkeypatch.setattr(controls, "_CLASSES", ())
    faults = {control.name: control.fault for control in run_controls(tables_of(100, rng), rng)}
    assert "taken for a leak" in faults["dcr_share"]


def test_a_leak_too_vaguely_seen_says_how_many_rows_would_do(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0.7 with a lower end at 0.4: half-width 0.3 must shrink below 0.2, so 2.25 times the rows."""

    def vague(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
        return (Measurement("dcr_share", 0.7, 0.4, 0.9, tables.confidence, 100, "few rows"),)

    monkeypatch.setattr(controls, "_DISTANCE", (vague,))
    monkeypatch.setattr(controls, "_CLASSES", ())
    faults = {control.name: control.fault for control in run_controls(tables_of(100, rng), rng)}
    assert "about 225 rows would show it" in faults["dcr_share"]


def test_a_table_of_a_few_cells_shows_no_copies(rng: np.random.Generator) -> None:
    """Every row is shared by strangers, so copying cannot be seen there, and what is not seen is not safe."""
    frames = [
        pd.DataFrame({name: levels(rng.choice(["n", "y"], 400), "ny") for name in ("a", "b", "c")}) for _ in range(3)
    ]
    faults = {control.name: control.fault for control in run_controls(put_together(*frames), rng)}
    for name in ("nnaa_privacy_loss", "dcr_share", "exact_copy_excess", "near_copy_excess", "membership_auc"):
        assert "was not seen" in faults[name], name


def test_too_few_holdout_people_say_how_many_would_do(rng: np.random.Generator) -> None:
    found = run_controls(put_together(patients(100, rng), patients(39, rng), patients(100, rng)), rng)
    assert all("39 holdout people" in control.fault and "40 would do" in control.fault for control in found)


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


def test_noise_keeps_whole_numbers_whole_and_missing_values_missing(rng: np.random.Generator) -> None:
    frame = patients(60, rng)
    tables = put_together(frame, frame, frame, integers=["age"])
    noised = controls._noised(frame, tables.dictionary, rng)
    assert (noised["age"] == noised["age"].round()).all()
    assert noised["enzyme"].isna().equals(frame["enzyme"].isna())
    assert noised.iloc[::2].equals(frame.iloc[::2])
    assert not noised["pressure"].iloc[1::2].equals(frame["pressure"].iloc[1::2])


def test_what_a_control_voids_denies(rng: np.random.Generator) -> None:
    control = replace(run_controls(tables_of(60, rng), rng)[1], fault="a planted leak of 30 rows was not seen")
    assert control.name == "dcr_share"
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
    control = controls.Control("nnaa_privacy_loss", 0.0, None, None, "fault")
    names = ("nnaa_train", "nnaa_holdout", "nnaa_privacy_loss")
    held = hold_to_controls((Measurement(name, 0.5, 0.4, 0.6, 0.95, 9, "") for name in names), (control,))
    assert [m.status for m in held] == ["inconclusive"] * 3


def test_a_failed_measure_stays_failed() -> None:
    control = controls.Control("dcr_share", 0.5, None, None, "fault")
    failed = Measurement.void("dcr_share", status="failed", reason="stopped by KeyError")
    assert hold_to_controls((failed,), (control,)) == (failed,)
