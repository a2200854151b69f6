"""What a fit says about itself: whose presence it hides, and what its claim does not cover."""

from __future__ import annotations

import pytest

from synth.dp.claim import TRAINING_NOT_COVERED, Claim, claim_of
from synth.dp.events import EnvelopeEvent, Event, GaussianEvent, PureEvent, SampledGaussianEvent

TABLES = GaussianEvent("star", sigma=100.0, sensitivity=1.0, count=5)
TRAIN = SampledGaussianEvent("train", noise_multiplier=20.0, sampling_rate=0.01, steps=5)
ENVELOPE = (PureEvent("head count", 0.04), EnvelopeEvent("plan", 0.9, 1e-7))


def claim(*events: Event, inner: tuple[Event, ...] = (), patient: str | None = None) -> Claim:
    return claim_of(events, inner, 1.0, 1e-6, patient=patient, max_rows=1, people_known=not inner)


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (claim(TABLES), False),
        (claim(TABLES, TRAIN), True),
        (claim(*ENVELOPE, inner=(TABLES,)), False),
        (claim(*ENVELOPE, inner=(TABLES, TRAIN)), True),
    ],
    ids=["tables", "training", "tables in an envelope", "training in an envelope"],
)
def test_a_planned_training_is_said_to_have_floating_point_noise(made: Claim, told: bool) -> None:
    assert (TRAINING_NOT_COVERED in made.to_dict()["not_covered"]) is told


def test_without_a_patient_column_the_unit_is_a_row() -> None:
    rows, patients = claim(TABLES), claim(TABLES, patient="pid")
    assert (rows.unit, rows.relation) == ("one row, counted as another patient", "add or remove one row")
    assert patients.unit == "one patient (column pid)"
