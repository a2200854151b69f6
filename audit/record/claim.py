"""Which differential privacy does a record claim? The claim sheet, after NIST SP 800-226 (2025).

The sheet names what the evaluation pyramid of that guide asks for: unit and neighbouring relation, parameters, every
mechanism with its own parameters, accountant and cross-check, where bounds and randomness come from, the trust model,
what earlier releases have spent, and what the claim does not cover. Whoever holds it can recompute epsilon.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, Self

from audit.record import fields
from audit.record.errors import RecordError

MAX_MECHANISMS = 10_000
MAX_SENTENCE = 500

DECISION = "publication decision"  # the stage of the vote by which a private gate decides
VOTE_FINDING = "private_gate_votes"
# what a private gate's decision rests on; a verdict on anything else would be an uncharged look
PRIVATE_FINDINGS = frozenset({VOTE_FINDING, "people_told_privately", "dp_epsilon", "dp_delta"})

# which parameters a mechanism of each kind has; the others are null
KINDS: dict[str, tuple[str, ...]] = {
    "gaussian": ("sigma", "sensitivity"),
    "exponential": ("epsilon",),
    "sampled_gaussian": ("noise_multiplier", "sampling_rate", "steps"),
    "pure": ("epsilon",),
    "envelope": ("epsilon", "delta"),
}
_PARAMETERS = {
    "sigma": "sigma",
    "sensitivity": "sensitivity",
    "noise_multiplier": "noiseMultiplier",
    "sampling_rate": "samplingRate",
    "steps": "steps",
    "epsilon": "epsilon",
    "delta": "delta",
}


@dataclass(frozen=True)
class Mechanism:
    """One charged mechanism of a release, with exactly the parameters of its kind.

    It was charged ``count`` times and ran ``drawn`` times: a run that the plan holds and the synthesizer did not need
    stays charged. One ``within_envelope`` is paid for by the envelope and adds nothing of its own.

    ``gaussian``: a table of counts with discrete Gaussian noise of scale ``sigma``; one patient changes it by at most
    ``sensitivity`` in L2 norm, both in counts. ``exponential``: a choice of bounded range ``epsilon``.
    ``sampled_gaussian``: ``steps`` of DP-SGD, each on a Poisson sample of patients at ``sampling_rate``, with noise of
    ``noise_multiplier`` clipping norms. ``pure``: ``epsilon``-DP, such as a noisy head count. ``envelope``: mechanisms
    planned after a noisy head count, together (``epsilon``, ``delta``)-DP.
    """

    kind: str
    stage: str
    count: int = 1
    drawn: int = 1
    within_envelope: bool = False
    sigma: float | None = None
    sensitivity: float | None = None
    noise_multiplier: float | None = None
    sampling_rate: float | None = None
    steps: int | None = None
    epsilon: float | None = None
    delta: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str) or self.kind not in KINDS:
            raise RecordError(f"a mechanism's kind must be one of {', '.join(KINDS)}")
        fields.check_line(self.stage, "mechanism stage")
        fields.check_count(self.count, "mechanism count", minimum=1)
        fields.check_count(self.drawn, "mechanism drawn", minimum=0)
        if self.drawn > self.count:
            raise RecordError(f"a mechanism was drawn {self.drawn} times and charged {self.count}: that is no claim")
        if type(self.within_envelope) is not bool or (self.within_envelope and self.kind == "envelope"):
            raise RecordError("mechanism withinEnvelope must be true or false, and an envelope is in no other one")
        for name, spelled in _PARAMETERS.items():
            value = getattr(self, name)
            if name not in KINDS[self.kind]:
                if value is not None:
                    raise RecordError(f"a {self.kind} mechanism has no {spelled}")
            elif name == "steps":
                fields.check_count(value, "mechanism steps", minimum=1)
            else:
                highest = 1.0 if name in ("sampling_rate", "delta") else math.inf
                object.__setattr__(self, name, fields.check_positive(value, f"mechanism {spelled}", maximum=highest))

    def to_dict(self) -> dict[str, Any]:
        parameters = {spelled: getattr(self, name) for name, spelled in _PARAMETERS.items()}
        return {
            "kind": self.kind,
            "stage": self.stage,
            "count": self.count,
            "drawn": self.drawn,
            "withinEnvelope": self.within_envelope,
            **parameters,
        }

    @classmethod
    def from_dict(cls, value: object) -> Self:
        names = ("kind", "stage", "count", "drawn", "withinEnvelope", *_PARAMETERS.values())
        found = fields.members(value, "mechanism", names)
        parameters = {name: found[spelled] for name, spelled in _PARAMETERS.items()}
        return cls(found["kind"], found["stage"], found["count"], found["drawn"], found["withinEnvelope"], **parameters)


@dataclass(frozen=True)
class CrossCheck:
    """The epsilon that another accountant gives for the same mechanisms at the same delta."""

    method: str
    epsilon: float

    def __post_init__(self) -> None:
        fields.check_line(self.method, "crossChecks method")
        object.__setattr__(self, "epsilon", fields.check_positive(self.epsilon, "crossChecks epsilon"))

    def to_dict(self) -> dict[str, Any]:
        return {"method": self.method, "epsilon": self.epsilon}

    @classmethod
    def from_dict(cls, value: object) -> Self:
        found = fields.members(value, "cross-check", ("method", "epsilon"))
        return cls(found["method"], found["epsilon"])


@dataclass(frozen=True)
class Accountant:
    """How epsilon was computed from the mechanisms, by which software, and what others make of the same list.

    ``zcdp_rho`` is the sum of the mechanisms' zero-concentrated DP, ``None`` where one of them has none.
    """

    method: str
    software: str
    cross_checks: tuple[CrossCheck, ...] = ()
    zcdp_rho: float | None = None

    def __post_init__(self) -> None:
        fields.check_line(self.method, "accountant method")
        fields.check_line(self.software, "accountant software")
        if len({check.method for check in self.cross_checks}) != len(self.cross_checks):
            raise RecordError("two cross-checks have one method; give each accountant once")
        if self.zcdp_rho is not None:
            object.__setattr__(self, "zcdp_rho", fields.check_positive(self.zcdp_rho, "accountant zcdpRho"))

    def to_dict(self) -> dict[str, Any]:
        checks = [check.to_dict() for check in self.cross_checks]
        return {"method": self.method, "software": self.software, "crossChecks": checks, "zcdpRho": self.zcdp_rho}

    @classmethod
    def from_dict(cls, value: object) -> Self:
        found = fields.members(value, "accountant", ("method", "software", "crossChecks", "zcdpRho"))
        checks = tuple(CrossCheck.from_dict(each) for each in fields.items(found["crossChecks"], "crossChecks"))
        return cls(found["method"], found["software"], checks, found["zcdpRho"])


@dataclass(frozen=True)
class DatasetBudget:
    """What all releases of the dataset together may spend and have spent, this one included, over all requesters.

    ``spent_epsilon`` and ``left_epsilon`` are at the budget's ``delta``. ``spent_rho`` is the sum of zero-concentrated
    DP, ``None`` where a mechanism has none. ``releases_without_claim`` counts earlier releases of the dataset that were
    allowed without differential privacy: they are in no budget, and nothing here bounds what they showed.
    """

    epsilon: float
    delta: float
    spent_epsilon: float
    left_epsilon: float
    spent_rho: float | None = None
    releases_without_claim: int = 0

    def __post_init__(self) -> None:
        for name, spelled, zero, highest in (
            ("epsilon", "epsilon", False, math.inf),
            ("delta", "delta", False, 1.0),
            ("spent_epsilon", "spentEpsilon", False, math.inf),
            ("left_epsilon", "leftEpsilon", True, math.inf),
        ):
            value = fields.check_positive(getattr(self, name), f"budget {spelled}", maximum=highest, zero=zero)
            object.__setattr__(self, name, value)
        if self.spent_rho is not None:
            object.__setattr__(self, "spent_rho", fields.check_positive(self.spent_rho, "budget spentZcdpRho"))
        fields.check_count(self.releases_without_claim, "budget releasesWithoutClaim", minimum=0)
        if self.spent_epsilon + self.left_epsilon > self.epsilon * (1 + 1e-9):
            raise RecordError("budget: spentEpsilon and leftEpsilon are together more than the budget's epsilon")

    def to_dict(self) -> dict[str, Any]:
        return {
            "epsilon": self.epsilon,
            "delta": self.delta,
            "spentEpsilon": self.spent_epsilon,
            "leftEpsilon": self.left_epsilon,
            "spentZcdpRho": self.spent_rho,
            "releasesWithoutClaim": self.releases_without_claim,
        }

    @classmethod
    def from_dict(cls, value: object) -> Self:
        names = ("epsilon", "delta", "spentEpsilon", "leftEpsilon", "spentZcdpRho", "releasesWithoutClaim")
        found = fields.members(value, "budget", names)
        return cls(*(found[name] for name in names))


@dataclass(frozen=True)
class PrivacyClaim:
    """The candidate rows, before the decision on them, are (epsilon, delta)-DP (Dwork and Roth 2014, definition 2.4).

    Where a ``pure`` mechanism of the stage ``publication decision`` is among the mechanisms, the decision was taken by
    it, and the claim is of rows and decision together.

    ``unit`` and ``neighbours``: two tables are neighbours if one holds one patient, with at most
    ``max_rows_per_patient`` rows, that the other does not; or, where the unit is ``row``, one row: each counts as
    another patient, and of a patient with several the claim bounds each row's part only. ``bounds_origin``: columns,
    bounds and categories are those of the dictionary, stated by the custodian as public, never read off the rows.
    ``head_count_origin``: the number of patients by which noise was planned is the dictionary's, or a noisy count among
    the mechanisms. ``randomness``: all noise and sampling of patients is drawn from the operating system's generator,
    without a seed. ``trust_model``: the custodian holds the raw rows and is trusted with them. ``composition`` says for
    what sequence of releases the figures hold; ``not_covered`` what else a reader must not take for private.

    Raises
    ------
    RecordError
        A field is malformed, no mechanism is named, a row is said to have several rows, or the decision was charged and
        not taken once by that mechanism.
    """

    max_rows_per_patient: int
    epsilon: float
    delta: float
    mechanisms: tuple[Mechanism, ...]
    accountant: Accountant
    budget: DatasetBudget
    composition: str
    not_covered: tuple[str, ...]
    head_count_origin: Literal["dictionary", "noisy_count"] = "dictionary"
    unit: Literal["patient", "row"] = "patient"
    neighbours: Literal["add_or_remove_one"] = "add_or_remove_one"
    bounds_origin: Literal["dictionary"] = "dictionary"
    randomness: Literal["operating_system"] = "operating_system"
    trust_model: Literal["central"] = "central"

    def __post_init__(self) -> None:
        for spelled, (name, words) in _WORDS.items():
            if getattr(self, name) not in words:
                raise RecordError(f"claim {spelled} must be {' or '.join(words)}")
        fields.check_count(self.max_rows_per_patient, "claim maxRowsPerPatient", minimum=1)
        if self.unit == "row" and self.max_rows_per_patient != 1:
            raise RecordError("where the unit of a claim is row, each row is a patient: maxRowsPerPatient is 1")
        object.__setattr__(self, "epsilon", fields.check_positive(self.epsilon, "claim epsilon"))
        object.__setattr__(self, "delta", fields.check_positive(self.delta, "claim delta", maximum=1.0))
        if not 1 <= len(self.mechanisms) <= MAX_MECHANISMS:
            raise RecordError(f"a claim names 1 to {MAX_MECHANISMS} mechanisms, found {len(self.mechanisms)}")
        decided = [each for each in self.mechanisms if each.stage == DECISION]
        if any((each.kind, each.count, each.drawn, each.within_envelope) != ("pure", 1, 1, False) for each in decided):
            raise RecordError(f"a {DECISION} is one pure mechanism, charged once and drawn once, in no envelope")
        if len(decided) > 1:
            raise RecordError(f"a claim names one {DECISION} at most, found {len(decided)}")
        fields.check_line(self.composition, "claim composition", maximum=MAX_SENTENCE)
        for sentence in self.not_covered:
            fields.check_line(sentence, "a notCovered sentence of the claim", maximum=MAX_SENTENCE)

    @property
    def covers_decision(self) -> bool:
        """Whether the decision to release was itself taken by a charged mechanism."""
        return any(each.stage == DECISION for each in self.mechanisms)

    @property
    def whom(self) -> str:
        """Whose presence is hidden, in words, for sentences."""
        if self.unit == "row":
            return "row, each counted as another patient"
        rows = self.max_rows_per_patient
        return f"patient with at most {rows} row{'' if rows == 1 else 's'}"

    def to_dict(self) -> dict[str, Any]:
        return {
            "unit": self.unit,
            "neighbouringRelation": self.neighbours,
            "maxRowsPerPatient": self.max_rows_per_patient,
            "epsilon": self.epsilon,
            "delta": self.delta,
            "mechanisms": [each.to_dict() for each in self.mechanisms],
            "accountant": self.accountant.to_dict(),
            "boundsOrigin": self.bounds_origin,
            "headCountOrigin": self.head_count_origin,
            "randomness": self.randomness,
            "trustModel": self.trust_model,
            "budget": self.budget.to_dict(),
            "composition": self.composition,
            "notCovered": list(self.not_covered),
        }

    @classmethod
    def from_dict(cls, value: object) -> Self:
        found = fields.members(value, "differentialPrivacy", _CLAIM)
        return cls(
            max_rows_per_patient=found["maxRowsPerPatient"],
            epsilon=found["epsilon"],
            delta=found["delta"],
            mechanisms=tuple(Mechanism.from_dict(each) for each in fields.items(found["mechanisms"], "mechanisms")),
            accountant=Accountant.from_dict(found["accountant"]),
            budget=DatasetBudget.from_dict(found["budget"]),
            composition=found["composition"],
            not_covered=tuple(fields.items(found["notCovered"], "notCovered of the claim")),
            **{name: found[spelled] for spelled, (name, _) in _WORDS.items()},
        )


# the closed vocabulary: as spelled in JSON, as named here, and what it may say
_WORDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "unit": ("unit", ("patient", "row")),
    "neighbouringRelation": ("neighbours", ("add_or_remove_one",)),
    "boundsOrigin": ("bounds_origin", ("dictionary",)),
    "headCountOrigin": ("head_count_origin", ("dictionary", "noisy_count")),
    "randomness": ("randomness", ("operating_system",)),
    "trustModel": ("trust_model", ("central",)),
}
_CLAIM = (
    *_WORDS, "maxRowsPerPatient", "epsilon", "delta", "mechanisms", "accountant", "budget", "composition", "notCovered",
)  # fmt: skip
