"""How do several components together make one synthetic table?"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from policies import Dictionary
from synth import components as component_registry
from synth.absence import Absence, absences
from synth.balance import ClassBalance
from synth.calibration import DEFAULT_CALIBRATION, STEPS
from synth.calibration.quantiles import KNOT, Floats, Person
from synth.encoding import encode
from synth.errors import SynthesisError
from synth.folds import LEAST_PEOPLE, folds_of
from synth.model import Recipe
from synth.pair_tables import PairTables
from synth.release import released_rows
from synth.selection import Fold, Rows, SelectionTrace, select, unselected
from synth.spacing import Spacing
from synth.thinning import LEAST_TOLD, Thinning
from synth.visits import Visits, keys_are_asked_for

Progress = Callable[[str, float], None]

DEFAULT_COMPONENTS: tuple[str, ...] = ("copula", "gmm", "trees", "noise", "interpolation", "smote", "cvae")
MINIMUM_PEOPLE = 11
"""People who must share a level, a spike or a class for it to be told apart: cells of ten or fewer are suppressed.

Ten is the bound of the US Centers for Medicare and Medicaid Services' cell size suppression policy.
"""


class HybridSynthesizer:
    """Synthetic rows from a learned mixture of components, with the marginals of the real table.

    Without differential privacy: what protects people is that components are fitted models or guarded forms of
    row-based ones, that weights are learned under a privacy constraint on validation rows, and that no marginal
    publishes single values, unless ``people_per_knot`` is 1. The gate's attacks decide whether that was enough.

    Parameters
    ----------
    dictionary : what is publicly true of the table; its target's class balance is kept.
    components : names in :data:`synth.components.REGISTRY`.
    form : ``plain`` runs row-based components as the literature has them: they copy people (I-11).
    weights : share of rows by component, any scale; given, nothing is selected.
    selection : ``reinforce`` learns the weights, ``uniform`` gives every component the same.
    calibration : names in :data:`synth.calibration.STEPS`: marginal methods, applied one after the other, and
        ``association``, which moves numbers to their real correlations.
    device : where torch components run.
    minimum_people : a level, spike or class of the target that fewer people hold is never released.
    people_per_knot : people whose values are averaged wherever a marginal is matched or a number comes back. 1
        publishes real values, the extremes included, and is never a default (I-12); 2 smooths two thirds as widely.
        Kept for comparison: no setting of the gate reaches it.
    spacing : leave out some of the rows that lie nearer to learned rows than to those of unseen people; only in the
        guarded form, and only where folds were made for the weights.
    balancing : exchange made rows for others, which brings the tables of two columns within a class to those of all
        rows that were made or, of 2,000 people and more, of the real rows, as far as ``minimum_people`` have a
        combination and rounded to fives. Only in the guarded form; where fewer rows are asked for than the table has,
        some of a balanced table are taken by chance.

    Attributes
    ----------
    weights_ : share of rows by component, adding up to 1; learned shares below 5 % are 0.
    trace_ : what selection evaluated.
    settings_ : everything above and the constants behind it, as plain JSON values.

    References
    ----------
    The hybrid with learned weights and calibrated marginals: Mahin et al., arXiv:2510.10513 (2025).
    """

    def __init__(
        self,
        dictionary: Dictionary,
        *,
        components: tuple[str, ...] = DEFAULT_COMPONENTS,
        form: Literal["guarded", "plain"] = "guarded",
        weights: Mapping[str, float] | None = None,
        selection: Literal["reinforce", "uniform"] = "reinforce",
        calibration: tuple[str, ...] = DEFAULT_CALIBRATION,
        device: str = "cpu",
        minimum_people: int = MINIMUM_PEOPLE,
        people_per_knot: int = KNOT,
        spacing: bool = True,
        balancing: bool = True,
    ) -> None:
        self.dictionary = dictionary
        self.components = components
        self.form = form
        self.weights = weights
        self.selection = selection
        self.calibration = calibration
        self.device = device
        self.minimum_people = minimum_people
        self.people_per_knot = people_per_knot
        self.spacing = spacing
        self.balancing = balancing

    def fit(
        self,
        table: pd.DataFrame,
        rng: np.random.Generator,
        *,
        people: NDArray[np.int64] | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Learn from a typed frame.

        Parameters
        ----------
        table : (n, c) typed frame: columns as ``dictionary.released``.
        people : (n,) codes of the person each row belongs to; without them every row is another person.
        progress : called with a stage's name and the fraction of the whole fit that is done.

        Raises
        ------
        SynthesisError
            The frame does not match the dictionary, holds fewer than 11 people, or an option is unknown.
        """
        self._check_options()
        owners = self._checked_people(table, people)
        with threadpool_limits(1, user_api="blas"):  # products are small, and waiting threads cost more than they bring
            self._learn(table, owners, rng, progress or (lambda _stage, _done: None))
        return self

    def sample(self, rows: int, rng: np.random.Generator) -> pd.DataFrame:
        """(rows, c) typed frame: the target's class balance kept, every row rule holding, rows in random order.

        Raises
        ------
        SynthesisError
            Not fitted; ``rows`` below 1; or rows that keep the row rules are too hard to come by.
        """
        return self.sample_people(rows, rng)[0]

    def sample_people(self, rows: int, rng: np.random.Generator) -> tuple[pd.DataFrame, NDArray[np.int64]]:
        """As :meth:`sample`, with (rows,) codes of the synthetic person each row belongs to.

        Every row is another person unless the dictionary asks for fresh keys of its patients and the table had several
        rows of some: then people have as many rows as real ones, and what is the same in all rows of a real person, or
        is declared ``per_patient``, is the same in all of theirs.

        Raises
        ------
        SynthesisError
            As for :meth:`sample`.
        """
        if not hasattr(self, "_model"):
            raise SynthesisError("sample needs a fitted synthesizer: call fit first")
        if rows < 1:
            raise SynthesisError(f"rows must be 1 or more, found {rows}")
        with threadpool_limits(1, user_api="blas"):
            made = released_rows(
                rows, self._described, self._balance, self._model, self._encoding, self._absences, self._thinning, rng
            )
        if self._visits is None:
            return made, np.arange(rows, dtype=np.int64)
        return self._visits.grouped(made, self.dictionary, rng)

    def _learn(self, table: pd.DataFrame, owners: Person | None, rng: np.random.Generator, tell: Progress) -> None:
        tell("encode", 0.0)
        self._visits, self._described = None, self.dictionary
        if owners is not None and keys_are_asked_for(self.dictionary):
            self._visits, table = Visits.fit(table, self.dictionary, owners, minimum_people=self.minimum_people)
            self._described = self._visits.described(self.dictionary)
        target = self.dictionary.target
        self._balance, classes = ClassBalance.fit(
            None if target is None else table[target], len(table), minimum_people=self.minimum_people, people=owners
        )
        names = [name for name in self._described.released if name != target]
        self._encoding, scores = encode(
            table,
            self._described,
            names,
            classes,
            rng,
            minimum_people=self.minimum_people,
            people=owners,
            people_per_knot=self.people_per_knot,
        )
        self._absences = self._settled_absences(table, owners)
        if self._visits is not None:
            self._visits = replace(self._visits, ties=self._encoding.ties)
        tell("select", 0.1)
        folds = self._folds(scores, classes, owners, rng, lambda done: tell("select", 0.1 + 0.35 * done))
        self.trace_ = self._selected(folds, rng)
        self.weights_ = _shares(self.trace_.weights)
        spacing = None
        if folds and self._spaced:
            spacing = Spacing.learn(folds, self.weights_, self._encoding, scores, rng)
        tell("fit", 0.5)
        self._model = self._recipe.learn(
            self._encoding, scores, classes, owners, self.weights_, rng, lambda done: tell("fit", 0.5 + 0.5 * done)
        )
        tables = None
        balanced = self.balancing and self.form == "guarded" and self._encoding.width > 0
        if balanced and _people(scores, owners) >= LEAST_TOLD:
            tables = PairTables.learn(self._encoding, Rows(scores, classes), owners, self.minimum_people, rng)
        self._thinning = Thinning(spacing, balanced, tables)
        tell("fit", 1.0)
        self.settings_ = self._settings()

    @property
    def _spaced(self) -> bool:
        """The plain form is to copy people as the literature has it."""
        return self.spacing and self.form == "guarded"

    @property
    def _selecting(self) -> bool:
        return self.selection != "uniform" and len(self.components) > 1

    @property
    def _recipe(self) -> Recipe:
        return Recipe(self.components, self.form, self.calibration, self.device, self.people_per_knot)

    def _settled_absences(self, table: pd.DataFrame, owners: Person | None) -> tuple[Absence, ...]:
        """Of columns that nothing else is counted or looked up from, and that are so themselves from none."""
        tied = {name for pair in self._encoding.ties for name in pair}
        masks = self._encoding.masks
        tied |= {item.name for item in self._encoding.values if item.mask >= 0 and masks[item.mask].rule is not None}
        tied |= {name for each in self._described.dependencies for name in (each.source, each.determines)}
        free = [name for name in self._described.released if name not in tied and name != self._described.target]
        sources = [
            name
            for name in self._described.released
            if isinstance(table[name].dtype, pd.CategoricalDtype) and not table[name].isna().any()
        ]
        return absences(table, free, sources, minimum_people=self.minimum_people, people=owners)

    def _folds(
        self,
        scores: Floats,
        classes: NDArray[np.int64],
        owners: Person | None,
        rng: np.random.Generator,
        done: Callable[[float], None],
    ) -> list[Fold]:
        """Folds to learn weights and spacing from; none where weights are given or there is too little."""
        if self.weights is not None or not scores.shape[1]:
            return []
        if not self._spaced and not self._selecting:
            return []
        return folds_of(self._recipe, self._encoding, scores, classes, owners, rng, done)

    def _selected(self, folds: list[Fold], rng: np.random.Generator) -> SelectionTrace:
        if self.weights is not None:
            given = {name: float(self.weights.get(name, 0.0)) for name in self.components}
            return unselected(self.components, given, "weights were given")
        if not self._selecting or not self._encoding.width:
            return unselected(self.components, None, "nothing was to be selected")
        if not folds:
            return unselected(self.components, None, f"selection needs {LEAST_PEOPLE} people")
        return select(self.components, folds, rng)

    def _check_options(self) -> None:
        unknown = [name for name in self.components if name not in component_registry.REGISTRY]
        if unknown or not self.components or len(set(self.components)) != len(self.components):
            raise SynthesisError(
                f"components must be different names among {sorted(component_registry.REGISTRY)}; "
                f"found {len(self.components)}, {len(unknown)} of them unknown"
            )
        if self.form not in ("guarded", "plain") or self.selection not in ("reinforce", "uniform"):
            raise SynthesisError("form must be guarded or plain, and selection reinforce or uniform")
        steps = [step for step in self.calibration if step not in STEPS]
        if steps:
            raise SynthesisError(f"calibration steps must be among {sorted(STEPS)}; {len(steps)} of them are not")
        if self.minimum_people < 2:
            raise SynthesisError(f"minimum_people must be 2 or more, found {self.minimum_people}")
        if self.people_per_knot < 1:
            raise SynthesisError(f"people_per_knot must be 1 or more, found {self.people_per_knot}")
        if self.weights is not None:
            strangers = set(self.weights) - set(self.components)
            values = list(self.weights.values())
            if strangers or not all(math.isfinite(w) and w >= 0 for w in values) or not sum(values) > 0:
                raise SynthesisError(
                    "weights must be finite, none negative, some positive, and only for the components; "
                    f"found {len(values)} weights, {len(strangers)} of them for others"
                )

    def _checked_people(self, table: pd.DataFrame, people: NDArray[np.int64] | None) -> Person | None:
        expected = list(self.dictionary.released)
        if list(table.columns) != expected:
            lost = sorted(set(expected) - set(table.columns))
            raise SynthesisError(
                f"the frame must have the dictionary's {len(expected)} released columns in order; missing: {lost}"
            )
        if people is not None and people.shape != (len(table),):
            raise SynthesisError(f"people must be one code per row: expected {len(table)}, found shape {people.shape}")
        codes = None if people is None else np.unique(people, return_inverse=True)[1].astype(np.int64)
        count = len(table) if codes is None else len(np.unique(codes))
        if count < MINIMUM_PEOPLE:
            raise SynthesisError(f"at least {MINIMUM_PEOPLE} people are needed to synthesize a table, found {count}")
        return None if codes is None or count == len(codes) else codes

    def _settings(self) -> dict[str, Any]:
        return {
            "synthesizer": "hybrid",
            "differential_privacy": False,
            "components": list(self.components),
            "form": self.form,
            "weights": dict(self.weights_),
            "weights_from": self.trace_.points[self.trace_.chosen].source,
            "selection": self.selection,
            "selection_tolerance": self.trace_.tolerance,
            "calibration": list(self.calibration),
            "minimum_people": self.minimum_people,
            "rows_per_person": self._visits is not None,
            "people_per_knot": self.people_per_knot,
            "spacing": self._thinning.spacing is not None,
            "balancing": self._thinning.balanced,
            "pair_tables": self._thinning.tables is not None,
            "device": self.device,
        }


def _people(scores: Floats, owners: Person | None) -> int:
    return len(scores) if owners is None else len(np.unique(owners))


def _shares(weights: Mapping[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    return {name: w / total for name, w in weights.items()}
