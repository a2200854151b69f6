"""Whose presence does a charge hide? A patient's or a row's; a dataset keeps to the unit it was first charged under."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from gateway.errors import LedgerError
from gateway.ledger.chain import Entry


class UnitError(LedgerError):
    """The dataset was charged under another unit of privacy, or an unknown one: what was spent cannot be added up."""


@dataclass(frozen=True)
class Unit:
    """The patients that a column of the table names, or, without one, rows: each counted as another patient.

    How many rows of a patient are used at most is no part of it: whatever the number, it is a patient's presence that
    is hidden, and every mechanism is charged with what such a patient can change.
    """

    patient: str | None

    @property
    def name(self) -> Literal["patient", "row"]:
        return "row" if self.patient is None else "patient"

    def to_dict(self) -> dict[str, str | None]:
        """As it stands in a charge and in ``gateway ledger show --json``."""
        return {"unit": self.name, "patientColumn": self.patient}

    @classmethod
    def of_charge(cls, entry: Entry) -> Unit:
        """The unit of a charge on record.

        Raises
        ------
        UnitError
            The charge does not say, or contradicts itself.
        """
        body: dict[str, Any] = entry.content
        try:
            unit = cls(body["patientColumn"])
            told = body["unit"] == unit.name and isinstance(unit.patient, str | None)
        except KeyError:
            told = False
        if not told:
            raise UnitError(
                f"ledger event {entry.sequence}, a charge to dataset {entry.dataset}, does not say whether patients "
                "(unit, patientColumn) or rows were its unit of privacy, so it bounds neither: use the version of "
                "Sluice that wrote it; this one makes no more private releases of that dataset"
            )
        return unit


def check_unit(dataset: str, before: Unit, asked: Unit) -> None:
    """Refuse to add charges of two units up.

    Raises
    ------
    UnitError
        ``dataset`` was charged under ``before``, and ``asked`` is another. The message says why, and what to do.
    """
    if asked == before:
        return
    if before.patient is None:
        raise UnitError(
            f"dataset {dataset} was charged with rows as the unit of privacy, and this dictionary names the patient "
            f"column {asked.patient}: what was spent by rows does not bound what a patient with several rows has lost, "
            "so no budget for patients can begin with it; leave patient out of the dictionary as before, and read its "
            "releases as private for rows only"
        )
    was = f"dataset {dataset} was charged with the patients of column {before.patient} as the unit of privacy"
    again = f"name {before.patient} as patient again, with max_rows_per_patient"
    if asked.patient is None:
        raise UnitError(
            f"{was}, and this dictionary names no patient column: a charge by rows would not bound what a patient with "
            f"several rows loses, and cannot be added to what the patients have spent; {again}"
        )
    raise UnitError(
        f"{was}, and this dictionary names {asked.patient}: what is spent by the patients of one column bounds nothing "
        f"for those of the other, and the two cannot be added up; {again}"
    )
