"""Which synthetic table stands for a real one and shows no single patient?"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Self

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
from synth.dp.events import Event, PrivacyError, PureEvent, SampledGaussianEvent
from synth.dp.fitted import Fitted, Settled, mixed, rows_of, settled
from synth.dp.loglinear import LogLinear
from synth.dp.measure import Measured, measured
from synth.dp.plan import Plan, head_count_events, plan_of
from synth.dp.provenance import Traced, flow, public
from synth.dp.randomness import SystemRandomness
from synth.dp.sealed import SealedTable
from synth.dp.starting import DEFAULT_COMPONENTS, starting_sets
from synth.dp.weights import learned_weights, shares_of
from synth.errors import SynthesisError
from synth.selection.trace import SelectionTrace
from synth.visits import Visits

Progress = Callable[[str, float], None]


class PrivateHybridSynthesizer:
    """Synthetic rows of which every bit came through a charged mechanism (I-14).

    Parameters
    ----------
    dictionary : public knowledge of the table; one that still holds drafted facts is refused (I-3).
    epsilon, delta : what the fit may cost one patient, neighbours by adding or removing one.
    people : public number of patients; without it the dictionary's, and without that a noisy count is charged.
    components : generators to mix, names in :data:`synth.dp.starting.DEFAULT_COMPONENTS`.
    device : where torch computes.
    beside : what somebody else draws from the same budget; ``epsilon`` and ``delta`` hold for all of it together.

    Attributes
    ----------
    spent_ : the events as charged. claim_ : what may be said about them; None if raw rows reached the model by a path
        that was not charged (I-15).
    weights_, trace_ : shares of the generators and how they were found. settings_ : plain JSON values.

    There is no seed: noise comes from the operating system. Sampling is post-processing, so it takes a generator.
    """

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
        self.people = people
        self.components = components
        self.device = device
        self.beside = beside

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
        charged, planned = self._charged()
        held = budget or PrivacyBudget(charged)
        if held.plan != charged:
            raise PrivacyError("the budget must hold exactly the events of plan()")
        owners = self._owners(table, people_codes)
        tell("tables", 0.0)
        sealed, domain, plan, people = self._sealed(table, owners, held, planned)
        rng = np.random.default_rng()  # statistical randomness only; the system seeds it
        answers = measured(sealed, domain, plan, rng, lambda done: tell("tables", 0.6 * done))
        tell("joint", 0.6)
        ready = flow("settle", settled, answers.model)
        tell("generators", 0.8)
        networks = self._networks(answers, domain, plan, rng)
        given = (answers.model, answers.shares, networks, self.components, domain.label)
        sets = flow("components", starting_sets, *given, rng)
        trace = flow("weights", _weighed, sets, answers.model, rng)
        self._fitted: Traced[Fitted] = flow("mix", _mixture, ready, sets, trace, answers.coarse, people, rng)
        self._domain = domain
        self.trace_ = trace.value
        self.weights_ = dict.fromkeys(self.components, 0.0) | shares_of(self.trace_)
        self.spent_: tuple[Event, ...] = held.plan
        self.claim_: Claim | None = self._claim(held, plan)
        self.settings_ = self._settings(plan, answers.coarse.value)
        tell("generators", 1.0)
        return self

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
        made = flow("sample", rows_of, self._fitted, self._domain, self.dictionary, rows, rng)
        visits = Visits.declared(self.dictionary)
        people = flow("people", _people_of, made, visits, self.dictionary, rng)
        if people.tainted:
            self.claim_ = None
        frame, codes = people.value
        return frame, codes.copy()

    @property
    def _public_people(self) -> int | None:
        return self.people if self.people is not None else self.dictionary.people

    def _charged(self) -> tuple[tuple[Event, ...], tuple[Domain, Plan] | None]:
        """What is charged; and domain and plan, where the number of patients is public."""
        domain_of(self.dictionary, 8)
        people = self._public_people
        if people is None:
            return (*head_count_events(self.epsilon, self.delta, self.beside), *self.beside), None
        planned = self._planned(people, self.epsilon, self.delta, self.beside)
        return (*planned[1].events, *self.beside), planned

    def _planned(
        self, people: int, epsilon: float, delta: float, beside: tuple[PureEvent, ...] = ()
    ) -> tuple[Domain, Plan]:
        return plan_of(self.dictionary, people, epsilon, delta, network="cvae" in self.components, beside=beside)

    def _sealed(
        self,
        table: pd.DataFrame,
        owners: NDArray[np.int64],
        budget: PrivacyBudget,
        planned: tuple[Domain, Plan] | None,
    ) -> tuple[SealedTable, Domain, Plan, Traced[int]]:
        """The rows behind the seal, coded in cells as fine as the (perhaps noisy) number of patients allows."""
        limit = self.dictionary.max_rows_per_patient or 1
        if planned is not None:
            domain, plan = planned
            sealed = _seal(table, domain, owners, limit, budget)
            return sealed, domain, plan, public(plan.people)
        count, envelope = head_count_events(self.epsilon, self.delta, self.beside)
        rough = domain_of(self.dictionary, 8)
        first = _seal(table, rough, owners, limit, budget)
        noisy = flow("head count", _at_least_one, first.count(count))
        domain, plan = self._planned(noisy.value, envelope.epsilon, envelope.delta)
        budget.unfold(envelope, plan.events)
        return _seal(table, domain, owners, limit, budget), domain, plan, noisy

    def _networks(
        self, answers: Measured, domain: Domain, plan: Plan, rng: np.random.Generator
    ) -> dict[str, Traced[Codes]]:
        """Rows of the DP-SGD network, if the plan pays for one."""
        if plan.train is None:
            return {}
        from synth.dp.private_cvae import train_private_cvae  # torch takes seconds to import, and only this needs it

        trainer = functools.partial(
            _trained,
            train_private_cvae,
            answers.grouped.sizes,
            domain.label,
            plan.train,
            plan.people,
            self.device,
        )
        network = answers.grouped.train(plan.train, trainer)
        return {"cvae": flow("network", _drawn, network, answers.model, domain.label, rng)}

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
        known = self._public_people is not None
        return claim_of(
            budget.plan,
            () if known else plan.events,
            self.epsilon,
            self.delta,
            patient=self.dictionary.patient,
            max_rows=self.dictionary.max_rows_per_patient or 1,
            people_known=known,
            rows_counted=self._domain.numbered,
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
            "rows_per_person": self._domain.numbered,
            "cvae": self._network_account(plan),
            "device": self.device,
        }


def _seal(
    table: pd.DataFrame, domain: Domain, owners: NDArray[np.int64], limit: int, budget: PrivacyBudget
) -> SealedTable:
    return SealedTable.seal(domain.encode(table), domain.sizes, owners, limit, budget, numbers=domain.numbers)


def _people_of(
    made: pd.DataFrame, visits: Visits | None, dictionary: Dictionary, rng: np.random.Generator
) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Rows put together to people by what they and the dictionary say, or each a person alone."""
    return (made, np.arange(len(made))) if visits is None else visits.grouped(made, dictionary, rng)


def _trained(
    train: Any,
    sizes: tuple[int, ...],
    label: int | None,
    event: SampledGaussianEvent,
    people: int,
    device: str,
    codes: Codes,
    owners: NDArray[np.int64],
    randomness: SystemRandomness,
) -> Any:
    return train(codes, owners, sizes, label, event, randomness, people=people, device=device)


def _drawn(network: Any, model: LogLinear, label: int | None, rng: np.random.Generator) -> Codes:
    """Rows of the network, with the labels of the model's records."""
    labels = np.zeros(len(model.codes), dtype=np.int32) if label is None else model.codes[:, label]
    drawn: Codes = network.sample(labels, rng)
    return drawn


def _at_least_one(count: int) -> int:
    return max(count, 1)


def _weighed(sets: dict[str, Codes], model: LogLinear, rng: np.random.Generator) -> SelectionTrace:
    noise = [factor.noise for factor in model.factors]
    return learned_weights(sets, model.factors, noise, rng)


def _mixture(
    ready: Settled,
    sets: dict[str, Codes],
    trace: SelectionTrace,
    coarse: list[Coarse],
    _people: int,
    rng: np.random.Generator,
) -> Fitted:
    """The pool; the number of people comes in for its sources, since the plan hung on it."""
    return mixed(ready, sets, shares_of(trace), coarse, rng)
