"""The policy: what a custodian allows. Strict, frozen, unknown keys refused (DESIGN 3)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from itertools import count
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
Sourced = Literal["minimum_people", "confidence", "valid_days", "expires", "disclosure"]
Offence = Literal["exact_copies", "near_copies", "rare_copies", "small_classes"]
MeasureName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Line = Annotated[str, StringConstraints(min_length=1, max_length=500)]

VOTES = "private_gate_votes"  # of parts of the people, counted with noise
NOISY_PEOPLE = "people_told_privately"  # the dictionary's number, or one counted with noise
ROWS_LEARNED = "rows_learned_from"  # which say whether a limit with most_rows is asked
LARGEST_SLIP = 0.01  # chance of a release that no part of a private gate admits; house


class Strict(BaseModel):
    """Base of every model that reads a custodian's file: nothing coerced, nothing unknown, nothing mutable."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True, validate_default=True
    )


class Limit(Strict):
    """Bounds on one measure, in the measure's own unit, and where the number comes from.

    ``fewest`` is how many rows, people or attacks (the measurement's ``n``) must carry the number. ``most_rows`` is for
    measures that can tell nothing of large tables: of more rows learned from the limit is not asked, and the record
    says so. Where nobody counted the rows, it is.
    """

    min: float | None = None
    max: float | None = None
    fewest: Annotated[int, Field(ge=1)] | None = None
    most_rows: Annotated[int, Field(ge=1)] | None = None
    source: Line = "house"

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("a limit needs min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is above max: nothing could meet this limit")
        return self


class Attacker(Strict):
    """What an intruder is assumed to know when equivalence classes are formed."""

    class_size: Annotated[int, Field(ge=2, le=1000)] = 11
    known_columns: Annotated[int, Field(ge=1, le=5)] = 3
    source: Line = "house"


class LifetimeBudget(Strict):
    """What all releases of one dataset together may spend, over all requesters and policies."""

    epsilon: Annotated[float, Field(gt=0)]
    delta: Annotated[float, Field(gt=0, lt=1)]
    source: Line = "house"


class DifferentialPrivacy(Strict):
    """A demand for a DP claim: a release is made within these bounds, and denied without a claim.

    Epsilon and delta of (epsilon, delta)-DP (Dwork and Roth 2014, definition 2.4). ``lifetime`` bounds the dataset's
    ledger; without it the ledger may hold this one release's worth and no more. ``unit`` is a patient as the dictionary
    knows one: by the patient column or, where it names none, by taking each row for another patient; the claim sheet
    says which, and calls the second unit a row.
    """

    epsilon: Annotated[float, Field(gt=0)]
    delta: Annotated[float, Field(gt=0, lt=1)]
    unit: Literal["patient"] = "patient"
    neighbours: Literal["add_or_remove_one"] = "add_or_remove_one"
    lifetime: LifetimeBudget | None = None
    source: Line = "house"

    @model_validator(mode="after")
    def _one_release_fits_a_lifetime(self) -> Self:
        if self.lifetime and (self.lifetime.epsilon < self.epsilon or self.lifetime.delta < self.delta):
            raise ValueError("the lifetime budget is smaller than one release's")
        return self

    @property
    def lifetime_budget(self) -> LifetimeBudget:
        """The dataset's whole budget; one release's where the policy states none."""
        return self.lifetime or LifetimeBudget(epsilon=self.epsilon, delta=self.delta, source=self.source)


class PrivateGate(Strict):
    """A demand that the decision itself be differentially private: a noisy vote of disjoint parts of the people.

    The people are dealt to ``parts`` parts; in each all limits are held at their point values, and the part says yes if
    every one is met. The count of yes-votes gets noise of scale 1 / ``epsilon``, and the release is made if it is at
    least ``share`` of the parts then. ``epsilon`` is part of what the policy allows one release, not beside it. A gate
    whose noise alone would release what no part admits, in more than one case of a hundred, is refused.
    """

    epsilon: Annotated[float, Field(gt=0)]
    parts: Annotated[int, Field(ge=5, le=200)]
    share: Annotated[float, Field(gt=0.5, le=1)]
    source: Line = "house"

    @property
    def quorum(self) -> int:
        """How many yes-votes, counted with noise, are needed."""
        return _quorum(self.share, self.parts)

    @property
    def slip(self) -> float:
        """Chance that a release which no part admits is made, by the noise alone."""
        return _slip(self.quorum, self.epsilon)

    @model_validator(mode="after")
    def _able_to_refuse(self) -> Self:
        if self.slip > LARGEST_SLIP:
            raise ValueError(
                f"noise alone would make {self.slip:.2%} of the releases that no part admits, and {LARGEST_SLIP:.0%} "
                f"is the most: raise {' or '.join(filter(None, self._least()))}"
            )
        return self

    def _least(self) -> Iterator[str]:
        """What each of the three numbers would have to be if it were raised alone; empty where nothing would do."""
        yield next(f"epsilon to {n / 100:g}" for n in count(1) if _slip(self.quorum, n / 100) <= LARGEST_SLIP)
        yield next((f"parts to {n}" for n in range(5, 201) if self._enough(self.share, n)), "")
        yield next((f"share to {n / 100:g}" for n in range(51, 101) if self._enough(n / 100, self.parts)), "")

    def _enough(self, share: float, parts: int) -> bool:
        return _slip(_quorum(share, parts), self.epsilon) <= LARGEST_SLIP


class RequiredApprovals(Strict):
    """How many different people must approve a release before anybody may rely on it, and in which roles.

    Requester and operator do not count, and must be named with the request. The bundle is made, but verification
    refuses it until the approvals are there.
    """

    count: Annotated[int, Field(ge=1, le=10)]
    roles: Annotated[tuple[Literal["approver", "officer"], ...], Field(min_length=1)] = ("approver", "officer")
    source: Line = "house"

    @model_validator(mode="after")
    def _each_role_once(self) -> Self:
        if len(set(self.roles)) != len(self.roles):
            raise ValueError("a role is named twice")
        return self


class Attempts(Strict):
    """How often one dataset may be asked for, under this policy and any other, before this one stays refused."""

    max: Annotated[int, Field(ge=1, le=100)] = 3
    source: Line = "house"


class Remedy(Strict):
    """Released rows that point at somebody are mended, before the verdict, as long as they are few.

    Where more than ``max_share`` of the released rows offend, nothing is mended: the synthesizer is at fault then.
    """

    max_share: Annotated[float, Field(gt=0, le=0.2)]
    offences: Annotated[tuple[Offence, ...], Field(min_length=1)]
    source: Line = "house"

    @model_validator(mode="after")
    def _each_offence_once(self) -> Self:
        if len(set(self.offences)) != len(self.offences):
            raise ValueError("an offence is named twice")
        return self


class Suppress(Remedy):
    """Offending rows are left out, and others of the same synthesizer that do not offend take their places."""

    offences: Annotated[tuple[Offence, ...], Field(min_length=1)] = ("exact_copies", "near_copies", "rare_copies")


class Coarsen(Remedy):
    """Offending rows are made coarser: numbers and times rounded to common values, rare categories to missing."""

    offences: Annotated[tuple[Offence, ...], Field(min_length=1)] = ("small_classes",)


class Remedies(Strict):
    """What may be done with a candidate that is not good enough, within the same attempt, before it is measured again.

    Coarsening comes first. Each stage of an attempt gets its share of the error that the confidence leaves.
    """

    suppress: Suppress | None = None
    coarsen: Coarsen | None = None

    @model_validator(mode="after")
    def _one_remedy_for_an_offence(self) -> Self:
        if self.suppress is None and self.coarsen is None:
            raise ValueError("remedies name suppress, coarsen or both")
        if self.suppress and self.coarsen and set(self.suppress.offences) & set(self.coarsen.offences):
            raise ValueError("an offence has two remedies; name it under one of them")
        return self

    @property
    def offences(self) -> tuple[Offence, ...]:
        """Every offence that is looked for."""
        return tuple(each for remedy in (self.coarsen, self.suppress) if remedy for each in remedy.offences)


class Policy(Strict):
    """One custodian's conditions for one kind of release.

    ``disclosure`` says what the public record tells the requester: ``verdict`` is allowed or denied and nothing
    else; ``findings`` adds which limits were met. Exact values never leave the custodian (I-7). ``expires`` ends the
    policy itself; ``valid_days`` is how long a release under it may be relied on before it must be looked at again.
    ``sources`` says where a number that stands by itself comes from, as ``source`` does within a section. ``not_held``
    lists what the cited norm asks and this gate does not hold; ``under_review`` says why the norm may soon change.
    None of the three moves a decision.
    """

    version: Literal[1]
    id: Identifier
    purpose: Line
    context: Literal["internal", "controlled", "public"]
    cites: tuple[Line, ...] = ()
    under_review: Line | None = None
    not_held: tuple[Line, ...] = ()
    sources: dict[Sourced, Line] = {}
    disclosure: Literal["verdict", "findings"] = "findings"
    expires: date | None = None
    valid_days: Annotated[int, Field(ge=1, le=3660)] | None = None
    minimum_people: Annotated[int, Field(ge=20)] = 100
    confidence: Annotated[float, Field(ge=0.5, lt=1)] = 0.95
    attacker: Attacker = Attacker()
    attempts: Attempts = Attempts()
    differential_privacy: DifferentialPrivacy | None = None
    private_gate: PrivateGate | None = None
    required_approvals: RequiredApprovals | None = None
    remedies: Remedies | None = None
    limits: dict[MeasureName, Limit]

    @model_validator(mode="after")
    def _something_to_hold_against(self) -> Self:
        if not self.limits:
            raise ValueError("a policy needs at least one limit")
        reserved = {"dp_epsilon", "dp_delta"} & self.limits.keys()
        if reserved:
            raise ValueError("limits on dp_epsilon and dp_delta belong in [differential_privacy]")
        if {VOTES, NOISY_PEOPLE} & self.limits.keys():
            raise ValueError(f"{VOTES} and {NOISY_PEOPLE} follow from [private_gate] and minimum_people")
        if ROWS_LEARNED in self.limits:
            raise ValueError(f"{ROWS_LEARNED} says which limits are asked, and is limited by most_rows of these")
        return self

    @model_validator(mode="after")
    def _every_limit_is_asked_of_some_table_and_one_of_all(self) -> Self:
        bounded = {name: each.most_rows for name, each in self.limits.items() if each.most_rows is not None}
        never = sorted(name for name, most in bounded.items() if most < self.minimum_people)
        if never:
            raise ValueError(
                f"most_rows below minimum_people ({self.minimum_people}), so that the limit might never be asked: "
                f"{', '.join(never)}"
            )
        if len(bounded) == len(self.limits):
            raise ValueError("every limit has most_rows, so that a large table would be held to nothing")
        return self

    @model_validator(mode="after")
    def _a_private_decision_needs_a_private_release(self) -> Self:
        gate, claim = self.private_gate, self.differential_privacy
        if gate is None:
            return self
        if claim is None:
            raise ValueError("private_gate goes with [differential_privacy]: alone it would protect nobody")
        if gate.epsilon >= claim.epsilon:
            raise ValueError("the private gate's epsilon leaves nothing of [differential_privacy]'s for the rows")
        if self.remedies is not None:
            raise ValueError("remedies look at real people again, so they do not go with [private_gate]")
        return self

    @model_validator(mode="after")
    def _nothing_is_mended_by_an_uncharged_look(self) -> Self:
        if self.remedies is not None and self.differential_privacy is not None:
            raise ValueError(
                "remedies look at real people without a charge, so they do not go with [differential_privacy]"
            )
        return self

    @property
    def looks(self) -> int:
        """How often candidates may be measured at most: attempts, twice each where a remedy may come between."""
        return self.attempts.max * (1 if self.remedies is None else 2)

    def demands(self) -> dict[str, Limit]:
        """Every measure this policy holds a release against, the DP demand included.

        Under a private gate its vote is among them, which nothing but the gate can give: held against all demands, a
        release is denied there.
        """
        return {**self.limits, **self.private_demands()}

    def private_demands(self) -> dict[str, Limit]:
        """Those that are told from charged mechanisms alone: the claim's and the private gate's."""
        wanted: dict[str, Limit] = {}
        gate, claim = self.private_gate, self.differential_privacy
        if gate is not None:
            wanted[VOTES] = Limit(min=gate.quorum, source=gate.source)
            people = self.sources.get("minimum_people", "house")
            wanted[NOISY_PEOPLE] = Limit(min=self.minimum_people, source=people)
        if claim is not None:
            wanted["dp_epsilon"] = Limit(max=claim.epsilon, source=claim.source)
            wanted["dp_delta"] = Limit(max=claim.delta, source=claim.source)
        return wanted


def _quorum(share: float, parts: int) -> int:
    return math.ceil(Fraction(repr(share)) * parts)


def _slip(quorum: int, epsilon: float) -> float:
    """Chance that discrete Laplace noise of scale 1 / ``epsilon`` is ``quorum``, one at least, or more.

    With r = exp(-epsilon) the noise is k with probability (1 - r) / (1 + r) * r^|k|.
    """
    ratio = math.exp(-epsilon)
    return ratio**quorum / (1 + ratio)
