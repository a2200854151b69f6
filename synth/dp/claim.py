"""What is claimed about a private fit? Everything an expert needs to check or to deny it, in plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synth.dp.accounting import cross_check
from synth.dp.events import Event, SampledGaussianEvent, event_to_dict

MEASURES: Mapping[str, str] = {
    "head count": "number of patients",
    "plan": "the mechanisms below it, planned after the noisy head count",
    "fine": "counts of one column's fine cells",
    "star": "counts of one column's cells by the target, or alone without one",
    "choose": "which table the model is farthest from (L1 distance less the noise to come; a stop candidate)",
    "measure": "counts of the chosen table, or of a label table again after a stop",
    "train": "gradients of a conditional variational autoencoder, one row of a sampled patient, clipped",
    "publication decision": "yes-votes of disjoint parts of the patients",
}
NOT_COVERED: tuple[str, ...] = (
    "the audit's own measurements on real rows, and the decision that rests on them",
    "that a table was refused because its rows do not fit the dictionary, and what the refusal counts",
    "the dictionary, the policy and the public number of patients, taken as known without the data",
    "that the number of released rows, chosen by the custodian, was chosen without the data",
    "what was done with the rows before the table was sealed, and values wrongly marked public: tracking starts there",
    "other releases from the same patients: the ledger adds those up",
    "how long the computation takes, and an attacker who reads its memory",
    "what the release teaches about a patient that it would teach without that patient's rows",
)
TRAINING_NOT_COVERED = (
    "the gaps between floating-point numbers: the noise of the training is a sum of four Box-Muller draws, which hides "
    "them by a heuristic (Holohan and Braghin 2021) and not by a proof"
)


@dataclass(frozen=True)
class Claim:
    """One fit's differential privacy, after the headings of NIST SP 800-226.

    Attributes
    ----------
    unit : whose presence is hidden; ``max_rows`` of theirs at most are used. Where ``rows_counted``, how many were used
        is a column of the tables that were measured, at their sensitivity.
    relation : which tables are neighbours.
    events : mechanisms as charged; ``inner`` those planned within an envelope, if there is one.
    accountants : epsilon at ``delta`` by several accountants, each an upper bound.
    """

    unit: str
    max_rows: int
    relation: str
    epsilon: float
    delta: float
    spent: float
    events: tuple[Event, ...]
    inner: tuple[Event, ...]
    accountants: dict[str, float]
    bounds_origin: str
    people_origin: str
    randomness: str
    accountant: str
    rows_counted: bool = False
    not_covered: tuple[str, ...] = NOT_COVERED

    def to_dict(self) -> dict[str, Any]:
        """JSON values; every mechanism with what it measured."""
        return {
            "unit": self.unit,
            "max_rows_per_unit": self.max_rows,
            "rows_per_unit": "a column of the tables measured" if self.rows_counted else "not measured",
            "neighbours": self.relation,
            "epsilon": self.epsilon,
            "delta": self.delta,
            "epsilon_spent": self.spent,
            "mechanisms": [_described(event) for event in self.events],
            "mechanisms_within_envelope": [_described(event) for event in self.inner],
            "accountant": self.accountant,
            "accountants": dict(self.accountants),
            "bounds_origin": self.bounds_origin,
            "people_origin": self.people_origin,
            "randomness": self.randomness,
            "not_covered": list(self.not_covered),
        }


def claim_of(
    events: Sequence[Event],
    inner: Sequence[Event],
    epsilon: float,
    delta: float,
    *,
    patient: str | None,
    max_rows: int,
    people_known: bool,
    rows_counted: bool = False,
) -> Claim:
    """The claim of a fit that drew exactly ``events`` and, within an envelope, ``inner``."""
    figures = cross_check(tuple(events), delta)
    trained = any(isinstance(event, SampledGaussianEvent) for event in (*events, *inner))
    return Claim(
        unit="one row, counted as another patient" if patient is None else f"one patient (column {patient})",
        max_rows=max_rows,
        relation="add or remove one patient with all their rows" if patient is not None else "add or remove one row",
        epsilon=epsilon,
        delta=delta,
        spent=figures["pld"],
        events=tuple(events),
        inner=tuple(inner),
        accountants={name: value for name, value in figures.items() if value != float("inf")},
        bounds_origin="data dictionary, without any fact drafted from data",
        people_origin="public" if people_known else "noisy count, charged",
        randomness="operating system CSPRNG, for noise, choices and Poisson sampling; no seed",
        accountant="privacy loss distributions (dp-accounting), pessimistic",
        rows_counted=rows_counted,
        not_covered=(*NOT_COVERED, TRAINING_NOT_COVERED) if trained else NOT_COVERED,
    )


def _described(event: Event) -> dict[str, Any]:
    return {**event_to_dict(event), "measures": MEASURES.get(event.stage, event.stage)}
