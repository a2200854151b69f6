"""A release under differential privacy: the claim is made, or signed away; never pretended."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.intake import read_table
from gateway.ledger import Unit
from policies.model import LifetimeBudget
from synth.dp import private as private_module
from synth.dp.accounting import compose_epsilon
from synth.dp.events import PureEvent, event_from_dict
from synth.dp.provenance import Traced, flow
from synth.dp.sealed import SealedTable
from tests.gateway.conftest import Clinic
from tests.gateway.private_clinic import PRIVATE_POLICY, PUBLIC_DICTIONARY, predicate, private_clinic, release
from tests.gateway.quick import quick_audits

pytestmark = pytest.mark.slow

BY_ROWS = PUBLIC_DICTIONARY.replace('patient = "patient"\nmax_rows_per_patient = 2\n', "")


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    """What is measured does not matter here; a release with the whole audit is in ``test_release``."""
    with quick_audits():
        yield


@pytest.fixture
def ward(clinic: Clinic) -> Clinic:
    return private_clinic(clinic)


def test_a_release_states_its_claim_and_the_claim_can_be_recomputed(ward: Clinic) -> None:
    assert read_table(ward.folder / "table.csv").columns["patient"].counts.max() > 2  # more rows than are used
    result = release(ward, "--json")
    assert result.exit_code == 0, result.stderr
    findings = {finding["measure"]: finding for finding in json.loads(result.stdout)["findings"]}
    claim = predicate(ward)["differentialPrivacy"]
    assert findings["dp_epsilon"]["value"] == claim["epsilon"] <= 2.0
    assert findings["dp_delta"]["value"] == claim["delta"] == 1e-6
    assert (claim["unit"], claim["maxRowsPerPatient"]) == ("patient", 2)
    assert claim["headCountOrigin"] == "dictionary"
    names = {"noiseMultiplier": "noise_multiplier", "samplingRate": "sampling_rate"}
    events = []
    for mechanism in claim["mechanisms"]:
        own = {names.get(key, key): value for key, value in mechanism.items() if value is not None}
        for extra in ("drawn", "withinEnvelope", *(("count",) if own["kind"] == "sampled_gaussian" else ())):
            own.pop(extra)
        events.append(event_from_dict(own))
    assert compose_epsilon(events, 1e-6) == pytest.approx(claim["epsilon"], rel=1e-3)
    assert all(mechanism["sensitivity"] in (None, 2) for mechanism in claim["mechanisms"])
    budget = claim["budget"]
    assert budget["spentEpsilon"] == pytest.approx(compose_epsilon(events, 1e-5), rel=1e-3)
    assert budget["leftEpsilon"] == pytest.approx(3 - budget["spentEpsilon"])
    assert {check["method"] for check in claim["accountant"]["crossChecks"]} >= {"rdp", "zcdp"}
    verified = ward.run("verify", ward.folder / "bundle", "--key", ward.public_key)
    assert verified.exit_code == 0, verified.stderr
    assert "delta 1e-06 for any one patient with at most 2 rows" in verified.output
    page = (ward.folder / "bundle" / "index.html").read_text(encoding="utf-8")
    assert "Differential privacy" in page
    report = Path(json.loads(result.stdout)["report"]).read_text(encoding="utf-8")
    assert "Mechanisms that touched raw rows" in report


def test_the_same_request_is_answered_from_the_record_and_nothing_is_charged(
    ward: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert release(ward).exit_code == 0
    before = ward.workspace.ledger.events()
    assert [event["kind"] for event in before] == ["attempt", "charge", "decision"]

    def refuse(*_: object) -> None:
        raise AssertionError("the table was read")

    monkeypatch.setattr("gateway.intake.snapshot.parse_table", refuse)
    ward.write("private.toml", "# reviewed\n" + PRIVATE_POLICY)
    result = release(ward, "--json", out="again")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["answeredFromRecord"] is not None
    names = {path.name for path in (ward.folder / "bundle").iterdir()}
    assert names == {path.name for path in (ward.folder / "again").iterdir()}
    assert all((ward.folder / out / "data.csv").is_file() for out in ("bundle", "again"))
    assert predicate(ward, "again") == predicate(ward)
    assert ward.workspace.ledger.events() == before


def test_the_budget_runs_out_and_the_refusal_says_what_is_left_without_reading(ward: Clinic) -> None:
    assert release(ward, out="first").exit_code == 0
    policy = PRIVATE_POLICY.replace("lifetime = { epsilon = 3.0", "lifetime = { epsilon = 2.0")
    ward.write("private.toml", policy)
    (ward.folder / "table.csv").write_bytes(b"this is no table at all")  # would fail at intake if it were read
    result = release(ward, "--json", out="second")
    assert result.exit_code == 3, result.stderr
    spent = predicate(ward, "first")["differentialPrivacy"]["budget"]["spentEpsilon"]
    refused = predicate(ward, "second")
    assert refused["decision"] == "denied"
    assert refused["differentialPrivacy"] is None
    assert f"epsilon {spent:.3g} of 2 at delta 1e-05 is spent, {2 - spent:.3g} is left" in refused["reason"]
    assert ward.run("verify", ward.folder / "second", "--key", ward.public_key).exit_code == 0
    assert not list((ward.folder / "second").glob("data.*"))


def test_the_whole_plan_is_charged_before_the_table_is_read(ward: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """(I-8) A crash at the first look at the table leaves the charge standing."""

    charged: list[int] = []

    def crash(*_: Any, **__: Any) -> None:
        charged.append(len(ward.workspace.ledger.charges("clinic")))
        raise MemoryError

    monkeypatch.setattr("gateway.intake.snapshot.parse_table", crash)
    assert release(ward).exit_code == 1
    assert charged == [1]
    assert len(ward.workspace.ledger.charges("clinic")) == 1
    assert not (ward.folder / "bundle").exists()


def test_without_a_patient_column_the_claim_is_of_rows(ward: Clinic) -> None:
    """A patient of ten rows loses ten times as much, so no later release may call what is spent a patient's."""
    ward.write("table.toml", BY_ROWS)
    assert release(ward).exit_code == 0
    claim = predicate(ward)["differentialPrivacy"]
    assert (claim["unit"], claim["maxRowsPerPatient"]) == ("row", 1)
    assert any(sentence.startswith("One row is taken for one patient") for sentence in claim["notCovered"])
    verified = ward.run("verify", ward.folder / "bundle", "--key", ward.public_key)
    assert "for any one row, each counted as another patient" in verified.output
    ward.write("table.toml", PUBLIC_DICTIONARY)
    result = release(ward, out="second")
    assert result.exit_code == 2
    assert "does not bound what a patient with several rows has lost" in result.stderr


@pytest.mark.parametrize(
    ("before", "text", "said"),
    [
        (None, PUBLIC_DICTIONARY, "leave patient out of the dictionary as before"),
        ("patient", BY_ROWS, "name patient as patient again"),
    ],
    ids=["rows, then patients", "patients, then rows"],
)
def test_a_dataset_charged_under_another_unit_is_refused_unread_and_keeps_its_attempt(
    ward: Clinic, before: str | None, text: str, said: str
) -> None:
    ledger, lifetime = ward.workspace.ledger, LifetimeBudget(epsilon=3.0, delta=1e-5)
    attempt = ledger.register(dataset="clinic", policy="private", maximum=5, request={})
    plan = [PureEvent("all", epsilon=0.1)]
    made = ledger.charge(attempt, "clinic", plan, lifetime, source="k:file", unit=Unit(before))
    ward.write("table.toml", text)
    (ward.folder / "table.csv").write_bytes(b"this is no table at all")  # would fail at intake if it were read
    result = release(ward)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "intake" not in result.stderr
    assert ledger.charges("clinic") == (made,)
    assert ledger.used(dataset="clinic", policy="private") == 1
    assert not (ward.folder / "bundle").exists()
    assert ward.run("ledger", "verify").exit_code == 0


def test_a_table_that_is_no_table_keeps_its_charge_but_not_its_attempt(ward: Clinic) -> None:
    (ward.folder / "table.csv").write_bytes(b"age,age\n1,2\n")
    result = release(ward)
    assert result.exit_code == 2
    assert "budget stands" in result.stderr
    assert len(ward.workspace.ledger.charges("clinic")) == 1
    assert ward.workspace.ledger.used(dataset="clinic", policy="private") == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("maximum = 110\n", 'maximum = 110\nfrom_data = ["minimum", "maximum"]\n'), "age"),
        (lambda text: text.replace("max_rows_per_patient = 2\n", ""), "max_rows_per_patient"),
        (
            lambda text: text.replace(
                "maximum = 110\n", 'maximum = 110\nper_patient = true\nfrom_data = ["per_patient"]\n'
            ),
            "age",
        ),
        (lambda text: text.replace("people = 350", "people = 2000000"), "below 1 / 2000000"),
    ],
)
def test_a_dictionary_that_cannot_carry_a_claim_is_unusable(
    ward: Clinic, change: Callable[[str], str], said: str
) -> None:
    """(I-3) Nothing is registered or charged: the custodian mends the file first."""
    ward.write("table.toml", change(PUBLIC_DICTIONARY))
    result = release(ward)
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert ward.workspace.ledger.events() == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('form = "plain"\nselection = "uniform"', "form, selection"),
        ('components = ["noise"]', "must include graphical"),
        ('components = ["nothing"]', "unknown components"),
    ],
)
def test_settings_without_meaning_under_the_claim_are_refused(ward: Clinic, content: str, said: str) -> None:
    ward.write("plain.toml", f"version = 1\n{content}\n")
    result = release(ward, "--synthesizer", ward.folder / "plain.toml")
    assert result.exit_code == 2
    assert said in result.stderr
    assert ward.workspace.ledger.events() == []


def test_components_that_live_on_noisy_tables_do_not_run_on_real_rows(ward: Clinic) -> None:
    ward.write("few.toml", 'version = 1\ncomponents = ["graphical", "noise"]\n')
    result = release(ward, "--synthesizer", ward.folder / "few.toml", policy="lenient.toml")
    assert result.exit_code == 2
    assert "only where the policy demands" in result.stderr


def test_components_may_be_chosen_under_the_claim(ward: Clinic) -> None:
    ward.write("few.toml", 'version = 1\ncomponents = ["graphical", "noise"]\n')
    result = release(ward, "--synthesizer", ward.folder / "few.toml")
    assert result.exit_code == 0, result.stderr
    assert predicate(ward)["synthesizer"]["components"] == ["graphical", "noise"]


def test_an_uncharged_look_at_the_rows_ends_in_a_signed_refusal(ward: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """(I-15) A stage that reads raw rows beside the budget cancels the claim by itself; without it all is denied."""
    seal = SealedTable.seal
    kept: list[SealedTable] = []

    def remember(*args: Any, **kwargs: Any) -> SealedTable:
        kept.append(seal(*args, **kwargs))
        return kept[-1]

    mixed = private_module._mixture

    def leaking(stage: str, function: Any, *values: Any, **named: Any) -> Traced[Any]:
        result = flow(stage, function, *values, **named)
        if function is mixed:
            raw = kept[-1].open("a look to see how it goes")
            return flow("look", lambda made, _rows: made, result, raw)
        return result

    monkeypatch.setattr(SealedTable, "seal", remember)
    monkeypatch.setattr(private_module, "flow", leaking)
    result = release(ward, "--json")
    assert result.exit_code == 3, result.stderr
    refused = predicate(ward)
    assert refused["differentialPrivacy"] is None
    assert "claim was cancelled" in refused["reason"]
    assert set(refused["synthesizer"]) == {"synthesizer", "epsilon", "delta", "components", "device"}
    unmet = {f["measure"]: f["reason"] for f in json.loads(result.stdout)["findings"] if not f["met"]}
    assert set(unmet) == {"dp_epsilon", "dp_delta"}
    assert "not charged" in unmet["dp_epsilon"]
    assert ward.run("verify", ward.folder / "bundle", "--key", ward.public_key).exit_code == 0
    assert not list((ward.folder / "bundle").glob("data.*"))


def test_without_a_public_head_count_one_is_charged_and_the_claim_is_the_envelope(ward: Clinic) -> None:
    ward.write("table.toml", PUBLIC_DICTIONARY.replace("people = 350", ""))
    result = release(ward)
    assert result.exit_code == 0, result.stderr
    claim = predicate(ward)["differentialPrivacy"]
    assert claim["headCountOrigin"] == "noisy_count"
    outer = [each for each in claim["mechanisms"] if not each["withinEnvelope"]]
    assert [each["kind"] for each in outer] == ["pure", "envelope"]
    assert sum(each["epsilon"] for each in outer) == pytest.approx(claim["epsilon"], rel=1e-9)
    assert any(each["withinEnvelope"] for each in claim["mechanisms"])
    assert claim["accountant"]["zcdpRho"] is None


def test_who_is_held_out_stays_held_out_over_releases(ward: Clinic) -> None:
    patients = read_table(ward.folder / "table.csv").columns["patient"]
    held_out: list[set[str]] = []
    for number, out in enumerate(("first", "second")):
        result = release(ward, "--json", out=out, rows=120 + number)
        assert result.exit_code == 0, result.stderr
        evidence = json.loads((Path(json.loads(result.stdout)["report"]).parent / "evidence.json").read_bytes())
        held_out.append({patients.spellings[code] for code in patients.codes[evidence["heldOut"]]})
    assert held_out[0] == held_out[1]
    assert 0.3 < len(held_out[0]) / len(patients.spellings) < 0.7
    first, second = (predicate(ward, name)["source"]["commitment"] for name in ("first", "second"))
    assert first != second  # two records do not show whether a patient came or went between them


def test_a_finished_file_is_never_credited_with_a_claim(ward: Clinic) -> None:
    """``gateway check`` cannot know how a file was made: a policy that demands a claim denies it."""
    rows = (ward.folder / "table.csv").read_text(encoding="utf-8").splitlines()
    ward.write("synthetic.csv", "\n".join(row.partition(",")[2] for row in rows[:150]) + "\n")
    result = ward.run(
        "check", ward.folder / "synthetic.csv", "--real", ward.folder / "table.csv", "--dictionary",
        ward.folder / "table.toml", "--policy", ward.folder / "private.toml", "--json",
    )  # fmt: skip
    assert result.exit_code == 3, result.stderr
    reasons = {finding["measure"]: finding["reason"] for finding in json.loads(result.stdout)["findings"]}
    assert "does not show what it was made from" in reasons["dp_epsilon"]


@pytest.mark.parametrize("name", ["clinic", "ward-seven"], ids=["same name", "another name"])
def test_releases_without_a_claim_are_counted_on_the_sheet_of_the_next_one(ward: Clinic, name: str) -> None:
    """Nothing bounds what they showed, and a reader of the budget must know of them, whatever the file was called."""
    unbounded = PUBLIC_DICTIONARY.replace("max_rows_per_patient = 2\n", "max_rows_per_patient = 20\n")
    assert 'name = "clinic"' in unbounded
    ward.write("table.toml", unbounded.replace('name = "clinic"', f'name = "{name}"'))
    assert ward.release(out="bare").exit_code == 0
    ward.write("table.toml", PUBLIC_DICTIONARY)
    assert release(ward).exit_code == 0
    claim = predicate(ward)["differentialPrivacy"]
    assert claim["budget"]["releasesWithoutClaim"] == 1
    assert any(sentence.endswith("before this one there were: 1.") for sentence in claim["notCovered"])


def test_with_fresh_keys_patients_have_several_rows_and_keep_what_is_declared(ward: Clinic) -> None:
    """Six of ten patients have two rows or more; at epsilon 50 the noise on that share is below one in a hundred."""
    keyed = PUBLIC_DICTIONARY.replace("[columns.patient]\ntype", "[columns.patient]\nsurrogate = true\ntype").replace(
        'role = "quasi_identifier"\n[columns.sex]', 'role = "quasi_identifier"\nper_patient = true\n[columns.sex]'
    )
    ward.write("table.toml", keyed)
    ward.write("private.toml", PRIVATE_POLICY.replace("epsilon = 2.0", "epsilon = 50.0").replace("= 3.0", "= 60.0"))
    with quick_audits() as seen:
        result = release(ward, "--json", rows=300)
    assert result.exit_code == 0, result.stderr
    table = read_table(ward.folder / "bundle" / "data.csv")
    keys, age = table.columns["patient"], table.columns["age"]
    real = read_table(ward.folder / "table.csv").columns["patient"]
    two = float((keys.counts == 2).mean())
    assert two == pytest.approx(float((real.counts >= 2).mean()), abs=0.15)
    assert keys.counts.max() == 2
    assert not set(keys.spellings) & set(real.spellings)
    ages = {person: set() for person in range(len(keys.spellings))}  # type: dict[int, set[int]]
    for person, code in zip(keys.codes.tolist(), age.codes.tolist(), strict=True):
        ages[person].add(code)
    assert all(len(held) == 1 for held in ages.values())
    (audited,) = seen
    assert audited.released_people is not None
    assert len(set(audited.released_people.tolist())) == len(keys.spellings)
    stated = predicate(ward)
    assert stated["synthesizer"]["rows_per_person"] is True
    assert all(mechanism["sensitivity"] in (None, 2) for mechanism in stated["differentialPrivacy"]["mechanisms"])
    looked = ward.run(
        "plan", ward.folder / "table.csv", "--dictionary", ward.folder / "table.toml", "--policy",
        ward.folder / "private.toml", "--json",
    )  # fmt: skip
    assert "rows of the person" in [each["column"] for each in json.loads(looked.stdout)["noise"]]
