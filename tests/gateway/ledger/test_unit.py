"""One dataset, one unit of privacy: what was spent by rows and what was spent by patients is never added up."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import LedgerError
from gateway.ledger import Attempt, Charge, Ledger, Unit, UnitError
from gateway.ledger.chain import Entry
from gateway.private import released_without_claim
from policies.model import LifetimeBudget
from synth.dp.events import Event, GaussianEvent, PureEvent

LIFETIME = LifetimeBudget(epsilon=1.0, delta=1e-6)
PATIENT, ROW = Unit("pid"), Unit(None)
BODY = ("attemptSequence", "source", "unit", "patientColumn", "neighbours", "events", "lifetime", "epsilon")
ONE_ROW = GaussianEvent("tables", sigma=100.0, sensitivity=1.0, count=50)
TWO_ROWS = GaussianEvent("tables", sigma=100.0, sensitivity=2.0, count=50)


def register(ledger: Ledger, dataset: str = "clinic", file: str = "file") -> Attempt:
    return ledger.register(dataset=dataset, policy="public", maximum=99, request={"commitment": file})


def charge(ledger: Ledger, unit: Unit, *events: Event, dataset: str = "clinic", file: str = "file") -> Charge:
    attempt = register(ledger, dataset, file)
    return ledger.charge(attempt, dataset, events or (ONE_ROW,), LIFETIME, source=f"k:{file}", unit=unit)


@pytest.mark.parametrize(
    ("before", "after", "why", "what"),
    [
        (ROW, PATIENT, "does not bound what a patient with several rows has lost", "leave patient out"),
        (PATIENT, ROW, "would not bound what a patient with several rows loses", "name pid as patient again"),
        (PATIENT, Unit("visit"), "bounds nothing for those of the other", "name pid as patient again"),
    ],
    ids=["rows first", "patients first", "another column"],
)
def test_a_charge_under_another_unit_is_refused_and_nothing_is_written(
    ledger: Ledger, before: Unit, after: Unit, why: str, what: str
) -> None:
    made = charge(ledger, before)
    attempt = register(ledger)
    head = ledger.head()
    with pytest.raises(UnitError) as refusal:
        ledger.charge(attempt, "clinic", [TWO_ROWS], LIFETIME, source="k:file", unit=after)
    assert isinstance(refusal.value, LedgerError)
    assert "dataset clinic was charged with" in str(refusal.value)
    assert why in str(refusal.value)
    assert what in str(refusal.value)
    assert ledger.head() == head
    assert ledger.charges("clinic") == (made,)
    charge(ledger, before)  # as before it goes on
    assert ledger.verify() == 5


def test_a_unit_that_cannot_be_added_is_told_before_a_budget_that_cannot_pay(ledger: Ledger) -> None:
    charge(ledger, ROW)
    with pytest.raises(UnitError):
        charge(ledger, PATIENT, PureEvent("beyond all", epsilon=9.0))


def test_another_bound_on_the_rows_of_the_same_patients_is_the_same_unit(ledger: Ledger) -> None:
    """Each mechanism is charged with what a patient of so many rows can change, so the charges add up."""
    charge(ledger, PATIENT, ONE_ROW)
    charge(ledger, PATIENT, TWO_ROWS)
    spending = ledger.spending("clinic", LIFETIME)
    assert spending.rho == pytest.approx(50 / 100**2 / 2 * (1 + 4))
    assert {each.unit for each in spending.charges} == {PATIENT}


def test_every_dataset_has_a_unit_of_its_own_and_one_file_has_one_dataset(ledger: Ledger) -> None:
    charge(ledger, ROW)
    charge(ledger, PATIENT, dataset="registry", file="another")
    with pytest.raises(LedgerError, match="charged as dataset clinic"):
        charge(ledger, PATIENT, dataset="clinic-again")
    assert [ledger.charges(name)[0].unit.name for name in ("clinic", "registry")] == ["row", "patient"]


@pytest.mark.parametrize(
    ("lost", "told"),
    [
        (("patientColumn",), {}),
        (("unit",), {}),
        (("unit", "patientColumn"), {}),
        ((), {"unit": "row"}),
        ((), {"unit": "household"}),
        ((), {"patientColumn": 7}),
    ],
)
def test_a_charge_that_does_not_say_its_unit_ends_the_datasets_budget_in_a_clear_refusal(
    ledger: Ledger, lost: tuple[str, ...], told: dict[str, Any]
) -> None:
    """Such a charge bounds neither patients nor rows. The chain is whole, and other datasets go on."""
    charge(ledger, PATIENT)
    body = {name: value for name, value in ledger.events()[-1].items() if name in BODY and name not in lost} | told
    with ledger._writing() as page:
        page.append("charge", "old", "public", 1, body | {"source": "k:old"})
    for use in (
        lambda: ledger.charges("old"),
        lambda: ledger.spending("old", LIFETIME),
        lambda: charge(ledger, PATIENT, dataset="old", file="old"),
    ):
        with pytest.raises(LedgerError, match="dataset old, does not say whether patients"):
            use()
    charge(ledger, PATIENT)
    assert ledger.verify() == len(ledger.events()) == 6


def test_the_refusal_of_an_old_charge_names_its_event() -> None:
    entry = Entry(7, "", "", "", "charge", "clinic", "public", 1, '{"unit": "patient"}')
    with pytest.raises(LedgerError, match="ledger event 7, a charge to dataset clinic"):
        Charge.from_entry(entry)


def decide(ledger: Ledger, dataset: str, file: str, decision: str = "allowed") -> None:
    ledger.conclude(register(ledger, dataset, file), "decision", {"decision": decision})


def test_releases_without_a_claim_count_under_every_name_of_the_file(ledger: Ledger) -> None:
    decide(ledger, "clinic", "file")
    decide(ledger, "renamed", "file")  # the very same file
    decide(ledger, "renamed", "later")  # and what that name came to stand for
    decide(ledger, "clinic", "file", "denied")
    decide(ledger, "stranger", "elsewhere")
    made = charge(ledger, PATIENT)
    assert released_without_claim(ledger, made) == 3


def test_a_release_with_a_charge_or_after_this_one_is_not_counted(ledger: Ledger) -> None:
    first = charge(ledger, PATIENT)
    paid = Attempt(first.attempt_sequence, "clinic", "public", first.attempt, 99, first.at)
    ledger.conclude(paid, "decision", {"decision": "allowed"})
    second = charge(ledger, PATIENT, file="later")
    decide(ledger, "clinic", "file")
    assert released_without_claim(ledger, second) == 0
    assert released_without_claim(ledger, charge(ledger, PATIENT)) == 1


def test_a_new_name_counts_what_the_same_file_released_under_the_old_one(ledger: Ledger) -> None:
    decide(ledger, "clinic", "file")
    assert released_without_claim(ledger, charge(ledger, PATIENT, dataset="fresh start")) == 1
    assert released_without_claim(ledger, charge(ledger, PATIENT, dataset="other", file="another export")) == 0
