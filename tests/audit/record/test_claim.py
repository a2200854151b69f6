"""The claim sheet: what it may say, field by field, and that a claim which contradicts itself is none."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from audit.record import canonical
from audit.record.claim import (
    DECISION,
    PRIVATE_FINDINGS,
    Accountant,
    CrossCheck,
    DatasetBudget,
    Mechanism,
    PrivacyClaim,
)
from audit.record.errors import RecordError, VerificationError
from audit.record.statement import CoarseFinding, ReleaseRecord
from audit.record.verify import summary, verify_bundle
from tests.audit.record.conftest import CLAIM

Make = Callable[..., ReleaseRecord]
VOTE = Mechanism("pure", DECISION, epsilon=0.5)
VOTED = replace(CLAIM, mechanisms=(*CLAIM.mechanisms, VOTE))
TOLD = tuple(CoarseFinding(name, True) for name in sorted(PRIVATE_FINDINGS))


def test_a_claim_reads_back_as_itself() -> None:
    written = json.loads(canonical.encode(CLAIM.to_dict()))
    assert PrivacyClaim.from_dict(written) == CLAIM


def test_every_mechanism_states_its_own_parameters_and_null_for_the_others() -> None:
    sgd = CLAIM.to_dict()["mechanisms"][2]
    assert sgd == {
        "kind": "sampled_gaussian", "stage": "cvae", "count": 1, "drawn": 1, "withinEnvelope": False,
        "sigma": None, "sensitivity": None,
        "noiseMultiplier": 4.5, "samplingRate": 0.01, "steps": 300, "epsilon": None, "delta": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    "make",
    [
        lambda: Mechanism("laplace", "x", epsilon=1.0),
        lambda: Mechanism("gaussian", "", sigma=2.0, sensitivity=1.0),
        lambda: Mechanism("gaussian", "x", sigma=2.0),
        lambda: Mechanism("gaussian", "x", sigma=0.0, sensitivity=1.0),
        lambda: Mechanism("gaussian", "x", sigma=float("nan"), sensitivity=1.0),
        lambda: Mechanism("gaussian", "x", sigma=True, sensitivity=1.0),
        lambda: Mechanism("gaussian", "x", sigma=2.0, sensitivity=1.0, epsilon=1.0),
        lambda: Mechanism("gaussian", "x", count=0, sigma=2.0, sensitivity=1.0),
        lambda: Mechanism("pure", "x", epsilon=1.0, drawn=2),
        lambda: Mechanism("pure", "x", epsilon=1.0, drawn=-1),
        lambda: Mechanism("envelope", "x", epsilon=1.0, delta=0.5, within_envelope=True),
        lambda: Mechanism("pure", "x", epsilon=1.0, within_envelope=1),  # type: ignore[arg-type]
        lambda: Mechanism("sampled_gaussian", "x", noise_multiplier=1.0, sampling_rate=1.1, steps=3),
        lambda: Mechanism("sampled_gaussian", "x", noise_multiplier=1.0, sampling_rate=0.1, steps=0),
        lambda: Mechanism("envelope", "x", epsilon=1.0, delta=1.5),
        lambda: CrossCheck("rdp", float("inf")),
        lambda: Accountant("pld", ""),
        lambda: Accountant("pld", "dp-accounting", (CrossCheck("rdp", 1.0), CrossCheck("rdp", 2.0))),
        lambda: Accountant("pld", "dp-accounting", (), 0.0),
        lambda: DatasetBudget(3.0, 1e-5, 2.0, 1.5),
        lambda: DatasetBudget(3.0, 1e-5, 2.0, -0.5),
        lambda: DatasetBudget(3.0, 2.0, 2.0, 0.5),
        lambda: DatasetBudget(3.0, 1e-5, 2.0, 0.5, 0.0),
        lambda: DatasetBudget(3.0, 1e-5, 2.0, 0.5, 0.1, -1),
        lambda: replace(CLAIM, epsilon=0.0),
        lambda: replace(CLAIM, delta=1.5),
        lambda: replace(CLAIM, mechanisms=()),
        lambda: replace(CLAIM, max_rows_per_patient=0),
        lambda: replace(CLAIM, unit="household"),  # type: ignore[arg-type]
        lambda: replace(CLAIM, unit="row"),
        lambda: replace(CLAIM, randomness="seed 7"),  # type: ignore[arg-type]
        lambda: replace(CLAIM, composition="two\nlines"),
        lambda: replace(CLAIM, mechanisms=(VOTE, VOTE)),
        lambda: replace(CLAIM, mechanisms=(replace(VOTE, count=2, drawn=2),)),
        lambda: replace(CLAIM, mechanisms=(replace(VOTE, drawn=0),)),
        lambda: replace(CLAIM, mechanisms=(replace(VOTE, within_envelope=True),)),
        lambda: replace(CLAIM, mechanisms=(Mechanism("exponential", "publication decision", epsilon=0.5),)),
        lambda: replace(CLAIM, not_covered=("x" * 501,)),
    ],
)
def test_a_malformed_claim_cannot_be_made(make: Callable[[], object]) -> None:
    with pytest.raises(RecordError):
        make()


@given(st.sampled_from(["mechanisms", "accountant", "budget", "epsilon", "unit", "notCovered"]), st.data())
def test_a_claim_of_which_a_part_was_taken_away_is_refused(name: str, data: st.DataObject) -> None:
    written = copy.deepcopy(CLAIM.to_dict())
    if data.draw(st.booleans()):
        del written[name]
    else:
        written[name] = data.draw(st.none() | st.text(max_size=3) | st.just([]) | st.just({}) | st.just(-1))
        if name == "notCovered" and written[name] == []:
            return
    with pytest.raises(RecordError):
        PrivacyClaim.from_dict(written)


def test_a_record_with_an_edited_epsilon_does_not_verify(make_record: Make) -> None:
    payload = make_record().to_payload()
    assert b'"epsilon":0.998' in payload
    with pytest.raises(VerificationError):
        ReleaseRecord.from_payload(payload.replace(b'"epsilon":0.998', b'"epsilon":-0.98'))


def test_the_verifier_says_what_is_claimed_and_what_is_not(
    make_bundle: Callable[..., Path], gate_key: Ed25519PrivateKey
) -> None:
    said = summary(verify_bundle(make_bundle(), gate_key.public_key()))
    assert "epsilon 0.998, delta 1e-06 for any one patient with at most 5 rows; 320 mechanism runs" in said
    assert "1.75 of epsilon 3 spent by all releases of this dataset, 1.25 left" in said
    assert "The audit's own look at real rows." in said
    none: Any = make_bundle("none", differential_privacy=None)
    assert "no differential privacy is claimed" in summary(verify_bundle(none, gate_key.public_key()))


def test_a_claim_of_rows_reads_back_and_the_verifier_says_whose_presence_it_hides(
    make_bundle: Callable[..., Path], gate_key: Ed25519PrivateKey
) -> None:
    rows = replace(CLAIM, unit="row", max_rows_per_patient=1)
    assert PrivacyClaim.from_dict(json.loads(canonical.encode(rows.to_dict()))) == rows
    said = summary(verify_bundle(make_bundle(differential_privacy=rows), gate_key.public_key()))
    assert "delta 1e-06 for any one row, each counted as another patient; 320 mechanism runs" in said
    assert "one patient with" not in said


def test_a_claim_covers_the_decision_that_one_of_its_mechanisms_took() -> None:
    assert not CLAIM.covers_decision
    assert VOTED.covers_decision
    assert PrivacyClaim.from_dict(json.loads(canonical.encode(VOTED.to_dict()))) == VOTED


def test_a_record_whose_decision_is_covered_tells_of_no_limit(make_record: Make) -> None:
    assert make_record(differential_privacy=VOTED, findings=TOLD).allowed
    assert make_record(differential_privacy=VOTED, findings=None).allowed
    with pytest.raises(RecordError, match="tells of a limit"):
        make_record(differential_privacy=VOTED, findings=(*TOLD, CoarseFinding("k_anonymity", True)))
    with pytest.raises(RecordError, match="no finding tells of the vote"):
        make_record(
            differential_privacy=VOTED, findings=tuple(each for each in TOLD if each.measure != "private_gate_votes")
        )


def test_the_verifier_says_whether_the_decision_is_covered(
    make_bundle: Callable[..., Path], gate_key: Ed25519PrivateKey
) -> None:
    plain = summary(verify_bundle(make_bundle(), gate_key.public_key()))
    assert "covers    rows, before the decision on them" in plain
    voted = make_bundle("voted", differential_privacy=VOTED, findings=TOLD)
    assert "covers    rows and the decision to release them" in summary(verify_bundle(voted, gate_key.public_key()))
