"""A release that a charged vote decides: paid for like any mechanism, and cancelled if it was decided otherwise."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

from audit.record.claim import PRIVATE_FINDINGS
from gateway.intake import take_snapshot
from gateway.outlook_gate import enough_parts
from gateway.private import PlannedRelease
from gateway.settings import SynthesizerSettings
from gateway.workspace import Workspace
from policies import PolicyError, parse_dictionary, parse_policy
from synth.dp.accounting import compose_epsilon
from synth.dp.budget import PrivacyBudget
from synth.dp.events import PureEvent, event_from_dict
from synth.dp.provenance import RAW, Traced
from synth.dp.votes import STAGE, noisy_votes
from tests.gateway.conftest import PASSPHRASE, Clinic, clinic_table
from tests.gateway.private_clinic import PRIVATE_POLICY, PUBLIC_DICTIONARY, predicate, private_clinic, release

GATE = "[private_gate]\nepsilon = 1.5\nparts = 5\nshare = 0.6\n[limits]"
GATED = PRIVATE_POLICY.replace("[limits]", GATE)
OPEN = GATED.replace("max = 0.5", "max = 1.0").replace("max = 2 ", "max = 9 ")  # what every part admits
SHUT = GATED.replace("[limits]", "[limits]\nnnaa_privacy_loss = { max = -1.0 }")  # what none does
# a noise of scale 1/40 moves no count, but with a chance of 4e-18
SURE = {"epsilon = 1.5": "epsilon = 40.0", "epsilon = 2.0": "epsilon = 42.0", "epsilon = 3.0": "epsilon = 90.0"}
DICTIONARY = PUBLIC_DICTIONARY.replace("people = 350", "people = 1000")
slow = pytest.mark.slow


def sure(policy: str) -> str:
    for before, after in SURE.items():
        policy = policy.replace(before, after)
    return policy


@pytest.fixture
def ward(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> Clinic:
    """The clinic under a private gate; controls, which look at no real row, are left out but where they are asked."""
    monkeypatch.setattr("gateway.private_gate.failed_controls", lambda *_: ())
    return gated(clinic)


def gated(clinic: Clinic) -> Clinic:
    """With 1,000 patients, so that each part has the 20 on either side that measures ask for."""
    found = private_clinic(clinic)
    found.write("table.csv", clinic_table(2_000, np.random.default_rng(1)).to_csv(index=False))
    found.write("table.toml", DICTIONARY)
    found.write("private.toml", sure(OPEN))
    return found


def evidence(result: Result) -> dict[str, Any]:
    folder = Path(json.loads(result.stdout)["report"]).parent
    found: dict[str, Any] = json.loads((folder / "evidence.json").read_bytes())
    return found


def events(claim: dict[str, Any]) -> list[Any]:
    found = []
    for mechanism in claim["mechanisms"]:
        own = {key: value for key, value in mechanism.items() if value is not None}
        found.append(event_from_dict({key: own[key] for key in own if key not in ("drawn", "withinEnvelope")}))
    return found


@slow
def test_a_release_is_decided_by_its_own_mechanism_and_the_record_shows_it(clinic: Clinic) -> None:
    """The whole way, controls on generated rows and all."""
    ward = gated(clinic)
    result = release(ward, "--json")
    assert result.exit_code == 0, result.stderr
    stated = predicate(ward)
    claim = stated["differentialPrivacy"]
    (vote,) = (each for each in claim["mechanisms"] if each["stage"] == STAGE)
    assert (vote["kind"], vote["epsilon"], vote["count"], vote["drawn"]) == ("pure", 40.0, 1, 1)
    assert compose_epsilon(events(claim), claim["delta"]) == pytest.approx(claim["epsilon"], rel=1e-3)
    assert 41.0 < claim["epsilon"] <= 42.0
    assert {finding["measure"] for finding in stated["findings"]} == PRIVATE_FINDINGS
    assert stated["reason"] == "5 yes-votes of 5 parts of the people, counted with noise; 3 are needed"
    said = " ".join(claim["notCovered"])
    assert "before that decision" not in said
    assert "the decision on the rows is within it" in said
    assert "What people decide later, such as an approval or a revocation, is not" in said
    assert "Whether the very same file was asked for before" in said
    found = evidence(result)
    assert found["votes"] == {
        "parts": 5,
        "met": {"exact_copy_excess": 5, "rows_per_real_row": 5},
        "void": found["votes"]["void"],
    }
    assert "exact_copy_excess" not in found["votes"]["void"]
    verified = ward.run("verify", ward.folder / "bundle", "--key", ward.public_key)
    assert verified.exit_code == 0, verified.stderr
    assert "covers    rows and the decision to release them" in verified.output
    page = (ward.folder / "bundle" / "index.html").read_text(encoding="utf-8")
    assert "their votes were counted with random noise" in page
    assert "exact_copy_excess" not in page
    metadata = (ward.folder / "bundle" / "datapackage.json").read_text(encoding="utf-8")
    assert "up to the decision" not in metadata
    report = Path(json.loads(result.stdout)["report"]).read_text(encoding="utf-8")
    assert "The verdict is part of the claim" in report


@slow
def test_a_refusal_costs_as_much_and_tells_of_no_limit(ward: Clinic) -> None:
    ward.write("private.toml", sure(SHUT))
    result = release(ward, "--json")
    assert result.exit_code == 3, result.stderr
    stated = predicate(ward)
    assert {finding["measure"]: finding["met"] for finding in stated["findings"]} == {
        "private_gate_votes": False, "people_told_privately": True, "dp_epsilon": True, "dp_delta": True,
    }  # fmt: skip
    assert stated["reason"] == "0 yes-votes of 5 parts of the people, counted with noise; 3 are needed"
    assert [each["drawn"] for each in stated["differentialPrivacy"]["mechanisms"] if each["stage"] == STAGE] == [1]
    (charge,) = ward.workspace.ledger.charges("clinic")
    assert [event.epsilon for event in charge.events if isinstance(event, PureEvent)] == [40.0]
    assert not list((ward.folder / "bundle").glob("data.*"))
    shown = "".join(path.read_text(encoding="utf-8") for path in (ward.folder / "bundle").iterdir())
    assert "nnaa" not in shown
    assert evidence(result)["votes"]["met"]["nnaa_privacy_loss"] == 0
    assert ward.run("verify", ward.folder / "bundle", "--key", ward.public_key).exit_code == 0


@slow
def test_where_the_verdict_alone_is_disclosed_the_count_is_not_told(ward: Clinic) -> None:
    ward.write("private.toml", 'disclosure = "verdict"' + sure(OPEN))
    assert release(ward).exit_code == 0
    assert predicate(ward)["findings"] is None
    assert predicate(ward)["reason"] == "the policy is met"


@slow
def test_the_vote_is_charged_before_the_table_is_read(ward: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """(I-8)"""
    charged: list[list[str]] = []

    def crash(*_: Any, **__: Any) -> None:
        charged.extend([event.stage for event in charge.events] for charge in ward.workspace.ledger.charges("clinic"))
        raise MemoryError

    monkeypatch.setattr("gateway.intake.snapshot.parse_table", crash)
    assert release(ward).exit_code == 1
    assert [stages.count(STAGE) for stages in charged] == [1]
    assert len(ward.workspace.ledger.charges("clinic")) == 1


def test_whether_the_very_file_was_asked_for_under_another_name_moves_no_vote(
    ward: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One patient more, and it would be another file: what was released under that name would count for no part."""
    unlocked = ward.workspace.unlock(PASSPHRASE.encode())
    commitment = unlocked.commit(take_snapshot(ward.folder / "table.csv"))
    asked = {"commitment": commitment}
    ward.workspace.ledger.register(dataset="registry", policy="other", maximum=1, request=asked)
    assert ward.workspace.ledger.names("clinic", commitment) == ("registry", "clinic")
    counted: list[tuple[str, ...]] = []

    def look(_: Workspace, names: tuple[str, ...], *__: Any) -> None:
        counted.append(names)
        raise MemoryError

    monkeypatch.setattr("gateway.release.earlier_releases", look)
    for policy in (OPEN, PRIVATE_POLICY):
        ward.write("private.toml", policy.replace("epsilon = 3.0", "epsilon = 5.0"))  # a lifetime for both
        assert release(ward).exit_code == 1
    assert counted == [("clinic",), ("registry", "clinic")]


def _counted_exactly(vote: Callable[[int], bool], parts: int, *_: Any) -> Traced[int]:
    return Traced(sum(vote(part) for part in range(parts)), frozenset({RAW}))


def _without_a_draw(vote: Callable[[int], bool], parts: int, *_: Any) -> Traced[int]:
    return Traced(sum(vote(part) for part in range(parts)), frozenset())


def _better_of_two(vote: Callable[[int], bool], parts: int, event: PureEvent, budget: PrivacyBudget) -> Traced[int]:
    first, second = (noisy_votes(vote, parts, event, held) for held in (budget, PrivacyBudget([event, event])))
    return Traced(max(first.value, second.value), first.sources | second.sources | {"a second draw"})


def _drawn_and_then_looked_at(
    vote: Callable[[int], bool], parts: int, event: PureEvent, budget: PrivacyBudget
) -> Traced[int]:
    noisy = noisy_votes(vote, parts, event, budget)
    return Traced(parts, noisy.sources | {RAW})


@slow
@pytest.mark.parametrize("otherwise", [_counted_exactly, _without_a_draw, _better_of_two, _drawn_and_then_looked_at])
def test_a_decision_taken_in_any_other_way_cancels_the_claim(
    ward: Clinic, monkeypatch: pytest.MonkeyPatch, otherwise: Callable[..., Traced[int]]
) -> None:
    """(I-15) Each of them would have allowed the release."""
    monkeypatch.setattr("gateway.private_gate.noisy_votes", otherwise)
    result = release(ward, "--json")
    assert result.exit_code == 3, result.stderr
    stated = predicate(ward)
    assert stated["differentialPrivacy"] is None
    assert "claim was cancelled" in stated["reason"]
    unmet = {each["measure"] for each in json.loads(result.stdout)["findings"] if not each["met"]}
    assert unmet == {"dp_epsilon", "dp_delta"}
    assert not list((ward.folder / "bundle").glob("data.*"))


@slow
def test_no_audit_of_the_whole_table_is_run(ward: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    def look(*_: Any, **__: Any) -> None:
        raise AssertionError("the whole table was looked at")

    monkeypatch.setattr("gateway.release.assess", look)
    monkeypatch.setattr("gateway.assessment.run_audit", look)
    assert release(ward).exit_code == 0


@slow
def test_people_are_counted_with_noise_where_their_number_is_not_public(ward: Clinic) -> None:
    ward.write("table.toml", DICTIONARY.replace("people = 1000", ""))
    ward.write("private.toml", sure(OPEN).replace("minimum_people = 100", "minimum_people = 5000"))
    result = release(ward, "--json")
    assert result.exit_code == 3, result.stderr
    found = {each["measure"]: each for each in json.loads(result.stdout)["findings"]}
    assert found["people_told_privately"]["met"] is False
    assert 0 < found["people_told_privately"]["value"] < 2000
    assert predicate(ward)["reason"].endswith("and too few people, counted with noise")
    outer = [each for each in predicate(ward)["differentialPrivacy"]["mechanisms"] if not each["withinEnvelope"]]
    assert [each["kind"] for each in outer] == ["pure", "envelope", "pure"]


@slow
def test_a_release_votes_again_as_it_did(ward: Clinic) -> None:
    assert release(ward).exit_code == 0
    result = ward.run("replay", ward.folder / "bundle", "--data", ward.folder / "table.csv", "--quiet", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert {each["name"]: each["replayed"] for each in found["measurements"]} == {
        "parts that meet exact_copy_excess": 5, "parts that meet rows_per_real_row": 5,
    }  # fmt: skip
    assert [gap["what"] for gap in found["notReplayed"]] == [
        "fitting and sampling", "the decision", "controls on generated rows",
    ]  # fmt: skip


@slow
@pytest.mark.parametrize(("policy", "code"), [(OPEN, 0), (SHUT, 3)])
def test_the_same_request_is_answered_from_the_record_and_no_second_vote_is_drawn(
    ward: Clinic, monkeypatch: pytest.MonkeyPatch, policy: str, code: int
) -> None:
    """A vote that could be asked for again would be decided by the luckier of two noises."""
    ward.write("private.toml", sure(policy))
    assert release(ward).exit_code == code
    before = ward.workspace.ledger.events()

    def refuse(*_: object) -> None:
        raise AssertionError("the table was read, or a vote drawn")

    monkeypatch.setattr("gateway.intake.snapshot.parse_table", refuse)
    monkeypatch.setattr("gateway.private_gate.noisy_votes", refuse)
    ward.write("private.toml", "# the same, with a comment\n" + sure(policy).replace("share = 0.6", "share = 0.599"))
    result = release(ward, "--json", out="again")
    assert result.exit_code == code, result.stderr
    assert json.loads(result.stdout)["answeredFromRecord"] is not None
    assert predicate(ward, "again") == predicate(ward)
    assert ward.workspace.ledger.events() == before
    assert len(ward.workspace.ledger.charges("clinic")) == 1


@slow
def test_a_refusal_is_not_replayed_and_the_reason_is_given(ward: Clinic) -> None:
    ward.write("private.toml", sure(SHUT))
    assert release(ward).exit_code == 3
    result = ward.run("replay", ward.folder / "bundle", "--data", ward.folder / "table.csv", "--quiet")
    assert result.exit_code == 2
    assert "kept nowhere" in result.stderr


def test_too_few_stated_people_are_refused_before_anything_is_charged() -> None:
    policy = parse_policy(GATED.replace("minimum_people = 100", "minimum_people = 1001").encode())
    dictionary = parse_dictionary(DICTIONARY.encode())
    with pytest.raises(PolicyError, match="1000 people, fewer than the 1001"):
        PlannedRelease.prepare(dictionary, policy, SynthesizerSettings(), bytes(32))


@pytest.mark.parametrize(
    ("people", "parts", "said"),
    [
        (1000, 200, "about 5 in each of the private gate's 200 parts: fewer than the 120 parts it needs"),
        (1000, 25, "about 40 in each of the private gate's 25 parts: fewer than the 15 parts it needs"),  # 2 x 20, and
        (1125, 25, "about 45 in each"),  # a little more: on one of the sides of most parts chance leaves too few
        (1175, 25, ""),
        (210, 5, "about 42 in each"),
        (225, 5, ""),
        (None, 200, ""),  # their number is counted with noise, which is known after the charge only
    ],
)
def test_parts_that_are_too_small_to_measure_anything_are_refused_before_anything_is_charged(
    people: int | None, parts: int, said: str
) -> None:
    policy = parse_policy(GATED.replace("parts = 5", f"parts = {parts}").encode())
    told = "" if people is None else f"people = {people}"
    dictionary = parse_dictionary(DICTIONARY.replace("people = 1000", told).encode())
    with pytest.raises(PolicyError, match=said) if said else contextlib.nullcontext():
        assert PlannedRelease.prepare(dictionary, policy, SynthesizerSettings(), bytes(32)) is not None


@slow
def test_a_release_of_too_many_parts_ends_before_the_ledger_hears_of_it(ward: Clinic) -> None:
    ward.write("private.toml", sure(OPEN).replace("parts = 5", "parts = 200"))
    result = release(ward)
    assert result.exit_code == 2
    assert "fewer than the 120 parts it needs would have 20 people learned from and 20 held out" in result.stderr
    assert ward.workspace.ledger.events() == []
    command = ("plan", "--dictionary", ward.folder / "table.toml", "--policy", ward.folder / "private.toml", "--json")
    gate = json.loads(ward.run(*command).stdout)["gate"]
    assert gate["large_enough"] == pytest.approx(0.0, abs=1e-12)
    assert "too few parts would have 20 people on either side: a release is refused unread" in gate["warnings"]


def test_the_chance_that_parts_are_large_enough_is_that_of_people_dealt_by_lots() -> None:
    """5,000 deals of 230 people to 5 parts of 2 sides; false-alarm rate 2e-6, by the normal approximation."""
    gate = parse_policy(GATED.encode()).private_gate
    assert gate is not None
    rng, deals = np.random.default_rng(3), 5_000
    cells = rng.multinomial(230, np.full(10, 0.1), size=deals).reshape(deals, 5, 2)
    seen = ((cells >= 20).all(axis=2).sum(axis=1) >= gate.quorum).mean()
    expected = enough_parts(gate, 230)
    noise = 4.75 * (expected * (1 - expected) / deals) ** 0.5
    assert seen == pytest.approx(expected, abs=noise + 0.02)  # sides and parts are dealt together, not apart


def test_more_rows_than_a_part_can_be_shown_are_refused_before_anything_is_charged(ward: Clinic) -> None:
    result = release(ward, rows=120_001)
    assert result.exit_code == 2
    assert "at most 120000 rows" in result.stderr
    assert ward.workspace.ledger.events() == []


def test_a_plan_tells_of_parts_and_noise_without_a_look_at_the_table(ward: Clinic) -> None:
    ward.write("table.toml", PUBLIC_DICTIONARY)
    ward.write("private.toml", GATED.replace("share = 0.6", "share = 0.8"))
    command = ("plan", "--dictionary", ward.folder / "table.toml", "--policy", ward.folder / "private.toml")
    result = ward.run(*command, "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    gate = found["gate"]
    assert found["limits"] == []
    assert (gate["parts"], gate["quorum"], gate["people"]) == (5, 4, 70)
    assert gate["refused_by_noise"] == pytest.approx(0.0407, abs=1e-4)  # exp(-3) / (1 + exp(-1.5))
    assert gate["half_let_out"] == pytest.approx(0.0407, abs=1e-4)  # of 2 votes, by a noise of 2 or more
    assert gate["none_let_out"] == pytest.approx(0.00203, abs=1e-5)  # exp(-6) / (1 + exp(-1.5))
    assert gate["large_enough"] > 0.99
    assert gate["met"] == {"exact_copy_excess": 5, "rows_per_real_row": 5}
    said = ward.run(*command)
    assert "WARNING: parts of 70 people are few" in said.output
    assert "WARNING: noise alone refuses 4.1%" in said.output
    assert ward.workspace.ledger.events() == []
