"""The private hybrid end to end: typed rows, honest claim, no way around the seal."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

import synth
from policies import Dictionary
from synth.dp import measure, plan, private
from synth.dp.events import EnvelopeEvent, PrivacyError, PureEvent
from synth.dp.private import PrivateHybridSynthesizer
from synth.dp.provenance import flow
from synth.dp.sealed import SealedTable

STAGES = (
    "head count", "coarsen", "consensus", "start", "views", "expect", "absorb", "settle", "components", "weights",
    "mix", "sample", "people", pytest.param("network", marks=pytest.mark.slow),
)  # fmt: skip


def dictionary(**changes: Any) -> Dictionary:
    columns: dict[str, Any] = {
        "age": {"type": "integer", "minimum": 18.0, "maximum": 99.0},
        "low": {"type": "number", "minimum": 40.0, "maximum": 140.0, "decimals": 1, "nullable": True},
        "high": {"type": "number", "minimum": 60.0, "maximum": 240.0, "decimals": 0},
        "seen": {"type": "date", "minimum": "2020-01-01", "maximum": "2023-12-31"},
        "site": {"type": "category", "categories": ["a", "b", "c"]},
        "ill": {"type": "boolean", "categories": ["no", "yes"]},
    }
    values: dict[str, Any] = {
        "version": 1,
        "name": "little",
        "target": "ill",
        "people": 400,
        "columns": columns,
        "rules": [{"check": "low < high"}],
    }
    values.update(changes)
    return Dictionary.model_validate_json(json.dumps(values))


def frame(rows: int = 400, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    ill = rng.random(rows) < 0.3
    low = np.clip(np.round(rng.normal(75 + 15 * ill, 9), 1), 40, 140)
    high = np.clip(np.round(low + rng.gamma(4, 10, rows) + 1), 60, 240)
    return pd.DataFrame(
        {
            "age": np.clip(np.round(rng.normal(55 + 15 * ill, 12)), 18, 99),
            "low": np.where(rng.random(rows) < 0.1, np.nan, low),
            "high": high,
            "seen": (np.datetime64("2020-01-01", "D") + rng.integers(0, 1460, rows)).astype("datetime64[s]"),
            "site": pd.Categorical(np.array(["a", "b", "c"])[rng.integers(0, 3, rows)], categories=["a", "b", "c"]),
            "ill": pd.Categorical(np.where(ill, "yes", "no"), categories=["no", "yes"], ordered=True),
        }
    )


@pytest.fixture(scope="module")
def fitted() -> PrivateHybridSynthesizer:
    return PrivateHybridSynthesizer(dictionary(), 3.0, 1e-5, components=("graphical", "star")).fit(frame())


def test_it_is_exported() -> None:
    assert synth.PrivateHybridSynthesizer is PrivateHybridSynthesizer


def test_rows_are_typed_within_bounds_and_keep_the_rules(fitted: PrivateHybridSynthesizer) -> None:
    rows = fitted.sample(700, np.random.default_rng(1))
    real = frame()
    assert list(rows.columns) == list(real.columns)
    assert rows.dtypes.to_dict() == real.dtypes.to_dict()
    assert len(rows) == 700
    assert rows.index.equals(pd.RangeIndex(700))
    assert (rows["age"] == rows["age"].round()).all()
    assert rows["age"].between(18, 99).all()
    assert rows["low"].dropna().between(40, 140).all()
    assert np.allclose(rows["low"].dropna() * 10, (rows["low"].dropna() * 10).round())
    assert rows["seen"].between("2020-01-01", "2023-12-31").all()
    assert (rows["seen"] == rows["seen"].dt.normalize()).all()
    assert rows[["age", "high", "seen", "site", "ill"]].notna().all().all()
    both = rows.dropna()
    assert (both["low"] < both["high"]).all()


def test_the_same_generator_gives_the_same_rows_from_one_fit(fitted: PrivateHybridSynthesizer) -> None:
    one, two = (fitted.sample(50, np.random.default_rng(3)) for _ in range(2))
    pd.testing.assert_frame_equal(one, two)


def test_the_claim_holds_the_plan_and_no_more_than_was_asked(fitted: PrivateHybridSynthesizer) -> None:
    claim = fitted.claim_
    assert claim is not None
    assert fitted.spent_ == fitted.plan() == claim.events
    assert claim.spent <= 3.0
    assert claim.spent >= 2.99
    assert claim.accountants["rdp"] >= claim.spent
    sheet = json.loads(json.dumps(claim.to_dict(), allow_nan=False))
    assert [each["stage"] for each in sheet["mechanisms"]] == ["fine", "star", "choose", "measure"]
    assert "audit" in sheet["not_covered"][0]
    json.dumps(fitted.settings_, allow_nan=False)
    json.dumps(fitted.trace_.to_dict(), allow_nan=False)


@pytest.mark.parametrize("planted", STAGES)
def test_an_uncharged_path_into_any_stage_cancels_the_claim(planted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = frame(60)
    opened: list[Any] = []
    seal = SealedTable.seal.__func__  # type: ignore[attr-defined]

    def sealing(cls: Any, *values: Any, **named: Any) -> SealedTable:
        sealed: SealedTable = seal(cls, *values, **named)
        opened.append(sealed.open("planted by a test"))
        return sealed

    def leaking(stage: str, function: Any, *values: Any, **named: Any) -> Any:
        if stage != planted:
            return flow(stage, function, *values, **named)
        reached.append(stage)
        return flow(stage, _drop_first(function), opened[0], *values, **named)

    reached: list[str] = []
    monkeypatch.setattr(SealedTable, "seal", classmethod(sealing))
    monkeypatch.setattr(measure, "flow", leaking)
    monkeypatch.setattr(private, "flow", leaking)
    monkeypatch.setattr(measure, "RECORDS", (1_000, 1_000))
    components: tuple[str, ...] = ("graphical",)
    people: int | None = 60
    if planted == "network":
        monkeypatch.setattr(plan, "_STEPS", 3)
        people, components = 26_000, ("graphical", "cvae")
    if planted == "head count":
        people = None
    public = dictionary(people=people)
    fit = PrivateHybridSynthesizer(public, 1.0, 1e-5, components=components).fit(real)
    if planted in ("sample", "people"):
        assert fit.claim_ is not None
        fit.sample(5, np.random.default_rng(0))
    assert reached
    assert fit.claim_ is None


def _drop_first(function: Any) -> Any:
    def without(_rows: Any, *values: Any, **named: Any) -> Any:
        return function(*values, **named)

    return without


def test_an_unknown_number_of_patients_is_counted_at_a_charge() -> None:
    fit = PrivateHybridSynthesizer(dictionary(people=None), 2.0, 1e-5, components=("graphical",)).fit(frame(100))
    count, envelope = fit.spent_
    assert isinstance(count, PureEvent)
    assert isinstance(envelope, EnvelopeEvent)
    assert count.epsilon + envelope.epsilon == pytest.approx(2.0)
    claim = fit.claim_
    assert claim is not None
    assert claim.spent <= 2.0 + 1e-9
    assert claim.people_origin.startswith("noisy count")
    assert claim.inner[-1].stage == "measure"


def test_without_a_target_pairs_alone_are_measured() -> None:
    fit = PrivateHybridSynthesizer(dictionary(target=None), 3.0, 1e-5).fit(frame())
    assert fit.claim_ is not None
    assert len(fit.sample(30, np.random.default_rng(0))) == 30


def test_drafted_facts_are_refused_with_the_columns_named() -> None:
    drafted = dictionary().model_dump(mode="json", exclude_none=True)
    drafted["columns"]["age"]["from_data"] = ["minimum"]
    with pytest.raises(PrivacyError, match="age"):
        PrivateHybridSynthesizer(Dictionary.model_validate_json(json.dumps(drafted)), 1.0, 1e-5).plan()


def test_patients_without_a_bound_on_their_rows_are_refused() -> None:
    values = dictionary().model_dump(mode="json", exclude_none=True)
    values["columns"]["nr"] = {"type": "identifier"}
    values["patient"] = "nr"
    unbounded = Dictionary.model_validate_json(json.dumps(values))
    with pytest.raises(PrivacyError, match="max_rows_per_patient"):
        PrivateHybridSynthesizer(unbounded, 1.0, 1e-5).plan()
    bounded = Dictionary.model_validate_json(json.dumps({**values, "max_rows_per_patient": 3}))
    plan = PrivateHybridSynthesizer(bounded, 1.0, 1e-5).plan()
    assert all(event.sensitivity == 3 for event in plan if hasattr(event, "sensitivity"))
    with pytest.raises(PrivacyError, match="people_codes"):
        PrivateHybridSynthesizer(bounded, 1.0, 1e-5).fit(frame())


def test_values_outside_the_declared_domain_are_refused_without_being_shown() -> None:
    wrong = frame()
    wrong.loc[3, "age"] = 117.0
    with pytest.raises(PrivacyError, match="age: 1 values") as caught:
        PrivateHybridSynthesizer(dictionary(), 1.0, 1e-5).fit(wrong)
    assert "117" not in str(caught.value)
    wrong = frame()
    wrong.loc[3, "high"] = np.nan
    with pytest.raises(PrivacyError, match="high: 1 cells are missing"):
        PrivateHybridSynthesizer(dictionary(), 1.0, 1e-5).fit(wrong)
