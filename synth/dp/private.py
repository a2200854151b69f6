"""Which synthetic table stands for a real one and shows no single patient?"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from policies import Dictionary
from synth import components as component_registry
from synth.dp.accounting import compose_epsilon
from synth.dp.budget import PrivacyBudget
from synth.dp.claim import Claim, claim_of
from synth.dp.coarsen import Coarse
from synth.dp.domain import Codes, Domain, domain_of
from synth.dp.events import EnvelopeEvent, Event, PrivacyError, PureEvent, SampledGaussianEvent
from synth.dp.fitted import Fitted, Settled, mixed, rows_of, settled
from synth.dp.loglinear import LogLinear
from synth.dp.measure import Measured, measured
from synth.dp.plan import Plan, head_count_events, plan_of
from synth.dp.provenance import RAW, Traced, flow, public, remember, stage
from synth.dp.randomness import SystemRandomness
from synth.dp.sealed import SealedTable
from synth.dp.starting import DEFAULT_COMPONENTS, starting_sets
from synth.dp.weights import learned_weights, shares_of
from synth.errors import SynthesisError
from synth.selection.trace import SelectionTrace
from synth.visits import Visits

Progress = Callable[[str, float], None]


class _Laid(NamedTuple):
    """What is laid out before a row is measured."""

    domain: Domain
    plan: Plan


class PrivateHybridSynthesizer:
    """Synthetic rows of which every bit came through a charged mechanism (I-14).

    Parameters
    ----------
    dictionary : public knowledge of the table; one that still holds drafted facts is refused (I-3).
    epsilon, delta : what the fit may cost one patient, neighbours by adding or removing one.
    people : public number of patients; if None, the dictionary's, and without that a noisy count is charged.
    components : generators to mix, names in :data:`synth.dp.starting.DEFAULT_COMPONENTS`.
    device : where torch computes.
    beside : what somebody else draws from the same budget; ``epsilon`` and ``delta`` hold for all of it together.

    Attributes
    ----------
    spent_ : the events as charged. claim_ : what may be said about them; None if raw rows reached the model by a path
        that was not charged (I-15). Also, if an argument of the constructor was changed afterwards: it may have been
        read off the rows.
    weights_, trace_ : shares of the generators and how they were found. settings_ : plain JSON values.

    There is no seed: noise comes from the operating system. Sampling is post-processing, so it takes a generator.
    """

    claim_: Claim | None

    def __init__(
        self,
        dictionary: Dictionary,
        epsilon: float,
        delta: float,
        *,
        people: int | None = None,
        components: tuple[str, ...] = DEFAULT_COMPONENTS,
        device: str = "cpu",
        beside: tuple[PureEvent, ...] = (),
    ) -> None:
        self.dictionary = dictionary
        self.epsilon = epsilon
        self.delta = delta
        self.people = dictionary.people if people is None else people
        self.components = components
        self.device = device
        self.beside = beside
        self._given = copy.deepcopy(vars(self))

    def plan(self) -> tuple[Event, ...]:
        """What is to be charged before rows are read.

        Raises
        ------
        PrivacyError
            The dictionary or the budget cannot carry a claim.
        """
        return self._charged()[0]

    def fit(
        self,
        table: pd.DataFrame,
        *,
        people_codes: NDArray[np.int64] | None = None,
        budget: PrivacyBudget | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Measure a typed frame and learn from the answers.

        Parameters
        ----------
        table : (n, c) typed frame, columns as ``dictionary.released``.
        people_codes : (n,) patient of each row; without them every row is another patient.
        budget : holds the events of :meth:`plan`, unused; without it they are taken as charged.
        progress : called with a stage's name and the fraction of the whole fit that is done.

        Raises
        ------
        PrivacyError
            The dictionary or the budget cannot carry a claim, or rows lie outside the declared domain: nothing was
            drawn then.
        """
        self._check_components()
        tell = progress or (lambda _stage, _done: None)
        charged, laid = self._charged()
        held = budget or PrivacyBudget(charged)
        if held.plan != charged:
            raise PrivacyError("the budget must hold exactly the events of plan()")
        owners = self._owners(table, people_codes)
        tell("tables", 0.0)
        return self._learn(*self._sealed(table, owners, held, laid), held, tell)

    def sample(self, rows: int, rng: np.random.Generator) -> pd.DataFrame:
        """(rows, c) typed frame in random order; every row rule holds. Costs nothing: post-processing.

        Raises
        ------
        SynthesisError
            Not fitted; ``rows`` below 1; or rows that keep the row rules are too hard to come by.
        """
        return self.sample_people(rows, rng)[0]

    def sample_people(self, rows: int, rng: np.random.Generator) -> tuple[pd.DataFrame, NDArray[np.int64]]:
        """As :meth:`sample`, with (rows,) codes of the synthetic person each row belongs to.

        Every row is another person unless the dictionary asks for fresh keys of its patients and bounds their rows by
        two or more. Then people have as many rows as real ones have after bounding, up to the noise (and, where the
        bound is greater than the number of cells, to the width of the cells of large numbers), and columns that are
        declared ``per_patient`` are the same in all rows of a person. Of each number of rows, one person may be cut
        short, and a row that would break a rule is a person alone.

        Raises
        ------
        SynthesisError
            As for :meth:`sample`.
        """
        if not hasattr(self, "_fitted"):
            raise SynthesisError("sample needs a fitted synthesizer: call fit first")
        if rows < 1:
            raise SynthesisError(f"rows must be 1 or more, found {rows}")
        dictionary = self._fact("dictionary")
        made = flow("sample", rows_of, self._fitted, self._domain, dictionary, public(rows), rng)
        people = flow("people", _people_of, made, dictionary, rng)
        if people.tainted:
            self.claim_ = None
        frame, codes = people.value
        return frame, codes.copy()

    def _learn(self, sealed: SealedTable, laid: Traced[_Laid], budget: PrivacyBudget, tell: Progress) -> Self:
        """All that follows the seal: no row is in reach here."""
        domain, plan = laid.part("domain"), laid.part("plan")
        rng = np.random.default_rng()  # statistical randomness only; the system seeds it
        answers = measured(sealed, domain, plan, rng, lambda done: tell("tables", 0.6 * done))
        tell("joint", 0.6)
        ready = flow("settle", settled, answers.model)
        tell("generators", 0.8)
        networks = self._networks(answers, domain, plan, rng)
        given = (answers.model, answers.shares, networks, self._fact("components"), domain.part("label"))
        sets = flow("components", starting_sets, *given, rng)
        trace = flow("weights", _weighed, sets, answers.model, rng)
        self._fitted: Traced[Fitted] = flow("mix", _mixture, ready, sets, trace, answers.coarse, rng)
        self._domain = domain
        self.trace_ = trace.value
        self.weights_ = dict.fromkeys(self.components, 0.0) | shares_of(self.trace_)
        self.spent_: tuple[Event, ...] = budget.plan
        self.claim_ = self._claim(budget, plan.value)
        self.settings_ = self._settings(plan.value, answers.coarse.value)
        tell("generators", 1.0)
        return self

    def _fact(self, name: str) -> Traced[Any]:
        """An argument of the constructor; given before a table was, it is public, set since it may come from rows."""
        value = getattr(self, name)
        return public(value) if value == self._given[name] else Traced(value, frozenset({RAW}))

    def _charged(self) -> tuple[tuple[Event, ...], Traced[_Laid] | None]:
        """What is charged; and domain and plan, where the number of patients is public."""
        domain_of(self.dictionary, 8)
        if self.people is None:
            return (*head_count_events(self.epsilon, self.delta, self.beside), *self.beside), None
        facts = [self._fact(name) for name in ("dictionary", "people", "epsilon", "delta", "components", "beside")]
        laid = _laid_out(*facts)
        return (*laid.value.plan.events, *self.beside), laid

    def _sealed(
        self, table: pd.DataFrame, owners: NDArray[np.int64], budget: PrivacyBudget, laid: Traced[_Laid] | None
    ) -> tuple[SealedTable, Traced[_Laid]]:
        """The rows behind the seal, coded in cells as fine as the (perhaps noisy) number of patients allows."""
        dictionary = self._fact("dictionary")
        if laid is None:
            counted = _counted(*(self._fact(name) for name in ("epsilon", "delta", "beside")))
            count, envelope = counted.value
            first = _seal(table, owners, dictionary, _rough(dictionary), budget)
            people = flow("head count", _at_least_one, first.count(count))
            laid = _laid_within(dictionary, people, counted, self._fact("components"))
            budget.unfold(envelope, laid.value.plan.events)
        return _seal(table, owners, dictionary, laid.part("domain"), budget), laid

    def _networks(
        self, answers: Measured, domain: Traced[Domain], plan: Traced[Plan], rng: np.random.Generator
    ) -> Traced[dict[str, Codes]]:
        """Rows of the DP-SGD network, if the plan pays for one."""
        event, label = plan.value.train, domain.part("label")
        if event is None:
            return public({})
        given = (answers.coarse, label, plan.part("train"), plan.part("people"), self._fact("device"))
        network = answers.grouped.train(event, _trained, *given)
        return flow("network", _drawn, network, answers.model, label, rng)

    def _owners(self, table: pd.DataFrame, codes: NDArray[np.int64] | None) -> NDArray[np.int64]:
        if codes is None:
            if self.dictionary.patient is not None:
                raise PrivacyError("the dictionary names a patient column: people_codes must say whose rows these are")
            return np.arange(len(table), dtype=np.int64)
        if codes.shape != (len(table),):
            raise PrivacyError(f"people_codes must be one code per row: expected {len(table)}, found {codes.shape}")
        if self.dictionary.patient is None and len(np.unique(codes)) < len(codes):
            raise PrivacyError("patients with several rows need a dictionary with patient and max_rows_per_patient")
        return codes

    def _check_components(self) -> None:
        known = {"graphical", "star", *component_registry.REGISTRY}
        unknown = [name for name in self.components if name not in known]
        if unknown or "graphical" not in self.components or len(set(self.components)) != len(self.components):
            raise SynthesisError(
                f"components must be different names among {sorted(known)}, graphical with them; "
                f"found {len(self.components)}, {len(unknown)} of them unknown"
            )

    def _claim(self, budget: PrivacyBudget, plan: Plan) -> Claim | None:
        if self._fitted.tainted:
            return None
        known = self.people is not None
        return claim_of(
            budget.plan,
            () if known else plan.events,
            self.epsilon,
            self.delta,
            patient=self.dictionary.patient,
            max_rows=self.dictionary.max_rows_per_patient or 1,
            people_known=known,
            rows_counted=self._domain.value.numbered,
        )

    def _network_account(self, plan: Plan) -> str:
        if "cvae" not in self.components:
            return "not asked for"
        return "too few patients to learn from: its share goes to the tables" if plan.train is None else "paid for"

    def _settings(self, plan: Plan, coarse: list[Coarse]) -> dict[str, Any]:
        layout = plan.layout
        return {
            "synthesizer": "private hybrid",
            "differential_privacy": True,
            "epsilon": self.epsilon,
            "delta": self.delta,
            "epsilon_planned": compose_epsilon(plan.events, self.delta),
            "people": plan.people,
            "signal": plan.signal,
            "components": list(self.components),
            "weights": dict(self.weights_),
            "share_fine": layout.fine,
            "share_star": layout.star,
            "share_select": layout.select,
            "rounds": layout.rounds,
            "fine_cells": layout.cells,
            "coarse_cells": [each.size for each in coarse],
            "rows_per_person": self._domain.value.numbered,
            "cvae": self._network_account(plan),
            "device": self.device,
        }


def _seal(
    table: pd.DataFrame,
    owners: NDArray[np.int64],
    dictionary: Traced[Dictionary],
    domain: Traced[Domain],
    budget: PrivacyBudget,
) -> SealedTable:
    """Rows in the domain's cells; of each patient as many as the dictionary allows."""
    remember(table, frozenset({RAW}))
    codes = domain.value.encode(table)
    return SealedTable.seal(
        codes, domain.part("sizes"), owners, _bound(dictionary), budget, numbers=domain.part("numbers")
    )


@stage("plan")
def _laid_out(
    dictionary: Dictionary,
    people: int,
    epsilon: float,
    delta: float,
    components: tuple[str, ...],
    beside: tuple[PureEvent, ...],
) -> _Laid:
    return _Laid(*plan_of(dictionary, people, epsilon, delta, network="cvae" in components, beside=beside))


@stage("plan")
def _laid_within(
    dictionary: Dictionary, people: int, counted: tuple[PureEvent, EnvelopeEvent], components: tuple[str, ...]
) -> _Laid:
    """The plan that the envelope pays for."""
    _, envelope = counted
    return _Laid(*plan_of(dictionary, people, envelope.epsilon, envelope.delta, network="cvae" in components))


@stage("plan")
def _counted(epsilon: float, delta: float, beside: tuple[PureEvent, ...]) -> tuple[PureEvent, EnvelopeEvent]:
    return head_count_events(epsilon, delta, beside)


@stage("plan")
def _rough(dictionary: Dictionary) -> Domain:
    """Cells of the table of which only the patients are counted."""
    return domain_of(dictionary, 8)


@stage("plan")
def _bound(dictionary: Dictionary) -> int:
    """How many rows of a patient are used."""
    return dictionary.max_rows_per_patient or 1


def _people_of(
    made: pd.DataFrame, dictionary: Dictionary, rng: np.random.Generator
) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Rows put together to people by what they and the dictionary say, or each a person alone."""
    visits = Visits.declared(dictionary)
    return (made, np.arange(len(made))) if visits is None else visits.grouped(made, dictionary, rng)


def _trained(
    codes: Codes,
    owners: NDArray[np.int64],
    randomness: SystemRandomness,
    coarse: list[Coarse],
    label: int | None,
    event: SampledGaussianEvent,
    people: int,
    device: str,
) -> Any:
    from synth.dp.private_cvae import train_private_cvae  # torch takes seconds to import, and only this needs it

    sizes = tuple(each.size for each in coarse)
    return train_private_cvae(codes, owners, sizes, label, event, randomness, people=people, device=device)


def _drawn(network: Any, model: LogLinear, label: int | None, rng: np.random.Generator) -> dict[str, Codes]:
    """Rows of the network, with the labels of the model's records."""
    labels = np.zeros(len(model.codes), dtype=np.int32) if label is None else model.codes[:, label]
    return {"cvae": network.sample(labels, rng)}


def _at_least_one(count: int) -> int:
    return max(count, 1)


def _weighed(sets: dict[str, Codes], model: LogLinear, rng: np.random.Generator) -> SelectionTrace:
    noise = [factor.noise for factor in model.factors]
    return learned_weights(sets, model.factors, noise, rng)


def _mixture(
    ready: Settled, sets: dict[str, Codes], trace: SelectionTrace, coarse: list[Coarse], rng: np.random.Generator
) -> Fitted:
    """The pool of records by the generators' weights."""
    return mixed(ready, sets, shares_of(trace), coarse, rng)
