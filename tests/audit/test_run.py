"""A whole audit."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer

from audit import measures, run
from audit.controls import Control
from audit.measures import MEASURE_NAMES, NAMES_OF, REGISTRY
from audit.plan import PLANTS
from audit.run import run_audit
from audit.tables import AuditTables
from policies import Measurement
from tests.audit.tables import levels, patients, put_together


def quick(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Only these measures, and no controls."""
    monkeypatch.setattr(run, "REGISTRY", {name: REGISTRY[name] for name in names})
    monkeypatch.setattr(run, "run_controls", lambda *_: ())


@pytest.mark.slow
def test_breast_cancer_copies_are_told_from_fresh_patients(rng: np.random.Generator) -> None:
    """A third of the patients each as train, holdout and fresh release; intervals at 99.9 %."""
    raw = load_breast_cancer()
    frame = pd.DataFrame(raw.data, columns=[name.replace(" ", "_") for name in raw.feature_names])
    frame["diagnosis"] = levels(np.where(raw.target == 1, "benign", "malignant").tolist(), ["benign", "malignant"])
    order = rng.permutation(567).reshape(3, 189)
    train, holdout, fresh = (frame.iloc[part].reset_index(drop=True) for part in order)
    told = []
    result = run_audit(
        put_together(train, holdout, fresh, target="diagnosis", confidence=0.999),
        rng,
        progress=lambda stage, fraction: told.append((stage, fraction)),
    )
    assert Counter(m.name for m in result.measurements) == Counter(MEASURE_NAMES)
    assert {m.status for m in result.measurements} == {"measured"}
    found = {m.name: m for m in result.measurements}
    for name, innocent in (("nnaa_privacy_loss", 0), ("dcr_share", 0.5), ("membership_auc", 0.5), ("k_map_excess", 0)):
        assert found[name].lower <= innocent, name
    assert found["tstr_auc"].value > 0.95
    assert told[-1] == ("audit", 1.0)
    assert [fraction for _, fraction in told] == sorted(fraction for _, fraction in told)
    assert set(result.seconds) == {*REGISTRY, "controls"} - {"cumulative"}  # nothing was released earlier
    assert result.unseen == ()
    assert result.distances is not None
    assert [len(part) for part in result.distances] == [189, 189]

    copied = run_audit(put_together(train, holdout, train.copy(), target="diagnosis"), rng)
    found = {m.name: m for m in copied.measurements}
    assert found["nnaa_privacy_loss"].lower > 0.3
    assert found["dcr_share"].lower > 0.9
    assert found["exact_copy_excess"].lower > 0.9
    assert found["near_copy_excess"].lower > 0.8
    assert found["rare_copies"].value >= 5
    assert found["membership_auc"].lower > 0.9
    assert found["k_map_excess"].lower > 0.5
    assert found["homogeneity_excess"].lower > 0.5


def test_names_are_those_promised() -> None:
    assert len(set(MEASURE_NAMES)) == len(MEASURE_NAMES)
    assert set(NAMES_OF) == set(REGISTRY)
    assert {
        *("nnaa_train", "nnaa_holdout", "nnaa_privacy_loss", "dcr_share", "membership_auc"),
        *("exact_copy_excess", "near_copy_excess", "rare_copies"),
        *("k_anonymity", "k_map", "k_map_excess", "identity_disclosure_risk", "l_diversity", "homogeneity_excess"),
        *("tstr_accuracy", "tstr_macro_f1", "tstr_g_mean", "tstr_auc", "trtr_auc", "utility_gap"),
        *("ks_train", "wasserstein_holdout", "floor_total_variation", "pair_trend_train"),
        *("correlation_difference_holdout", "floor_correlation_difference"),
    } <= set(MEASURE_NAMES)


def test_a_measure_that_raises_fails_by_name_and_leaks_no_value(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
        raise ValueError(f"could not convert {tables.train['pressure'].iloc[0]} of patient 4711")

    quick(monkeypatch, "dcr")
    monkeypatch.setattr(run, "REGISTRY", {"nnaa": broken, "dcr": REGISTRY["dcr"]})
    result = run_audit(put_together(*[patients(40, rng) for _ in range(3)]), rng)
    found = {m.name: m for m in result.measurements}
    assert {found[name].reason for name in NAMES_OF["nnaa"]} == {"stopped by ValueError"}
    assert {found[name].status for name in NAMES_OF["nnaa"]} == {"failed"}
    assert found["dcr_share"].status == "measured"
    assert "4711" not in repr(result)


def test_a_measure_that_keeps_a_figure_back_fails(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch)
    monkeypatch.setattr(run, "REGISTRY", {"nnaa": lambda tables, rng: REGISTRY["nnaa"](tables, rng)[:2]})
    result = run_audit(put_together(*[patients(40, rng) for _ in range(3)]), rng)
    assert {m.status for m in result.measurements} == {"failed"}


def test_controls_that_cannot_run_bear_nothing_out(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> tuple[()]:
        raise RuntimeError("secret 4711")

    monkeypatch.setattr(run, "REGISTRY", {"dcr": REGISTRY["dcr"]})
    monkeypatch.setattr(run, "run_controls", broken)
    (found,) = run_audit(put_together(*[patients(40, rng) for _ in range(3)]), rng).measurements
    assert found.status == "inconclusive"
    assert "RuntimeError" in found.reason
    assert "4711" not in found.reason


def test_leaks_that_nothing_could_have_seen_are_named(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(monkeypatch, "dcr")
    tables = put_together(*[patients(40, rng) for _ in range(3)])
    assert run_audit(tables, rng).unseen == PLANTS
    saw = Control("dcr_share", 0.5, {"copies": Measurement("dcr_share", 1.0, 0.9, 1.0, 0.99, 40, "")})
    monkeypatch.setattr(run, "run_controls", lambda *_: (saw,))
    assert run_audit(tables, rng).unseen == ("outliers", "lines", "overfit")


def test_one_generator_state_gives_one_audit(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch, "nnaa", "dcr", "copies", "membership", "anonymity", "fidelity")
    frames = [patients(60, rng) for _ in range(3)]
    results = [run_audit(put_together(*frames), np.random.default_rng(5)).measurements for _ in range(2)]
    assert results[0] == results[1]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda frame: frame.assign(age=np.nan),
        lambda frame: frame.assign(age=7.0),
        lambda frame: frame.assign(ward=levels([None] * len(frame), "abcde")),
        lambda frame: frame.assign(day=pd.date_range("2020-01-01", periods=len(frame)).as_unit("s")),
        lambda frame: frame.assign(age=np.where(frame["age"] > 60, 1e300, frame["age"])),
        lambda frame: frame[["outcome"]],
        lambda frame: frame[["pressure"]],
        lambda frame: frame.iloc[[0] * len(frame)].reset_index(drop=True),
    ],
    ids=["missing", "constant", "no level", "date", "astronomic", "one category", "one number", "one row"],
)
def test_odd_tables_stop_no_measure(spoil, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    quick(monkeypatch, *(name for name in measures.REGISTRY if name != "utility"))
    frames = [spoil(patients(40, rng)) for _ in range(3)]
    result = run_audit(put_together(*frames, target="outcome" if "outcome" in frames[0] else None), rng)
    assert [m.name for m in result.measurements if m.status == "failed"] == []
