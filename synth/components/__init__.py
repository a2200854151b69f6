"""Which generators can a hybrid be mixed from?

Every component learns normal scores by class and draws new scores for given classes; a new one is one file and one
line in ``REGISTRY``. Marginals are not their business: calibration maps ranks onto smoothed quantiles afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from synth.components.copula import GaussianCopula
from synth.components.gmm import GaussianMixtures
from synth.components.interpolation import Interpolation
from synth.components.noise import NoiseInjection
from synth.components.perclass import Form
from synth.components.smote import Smote
from synth.components.trees import ConditionalTrees


class Component(Protocol):
    """One generator of the hybrid.

    Attributes
    ----------
    name : key in ``REGISTRY``.
    memorises : its plain form builds new rows out of single people's rows, and copies them.

    A component that tells values from ties also has ``keeps_ties = True``: it is fitted on scores in which equal cells
    have equal scores, instead of scores spread over each tie.
    """

    name: ClassVar[str]
    memorises: ClassVar[bool]

    def fit(self, scores: NDArray[np.float64], classes: NDArray[np.int64], rng: np.random.Generator) -> Self:
        """Learn from (n, d) finite scores, each column about standard normal, and (n,) class codes; n, d >= 1.

        Raises
        ------
        SynthesisError
            The arrays do not fit together or hold a value that is not finite. Small or empty of structure is no error.
        """
        ...

    def sample(self, classes: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float64]:
        """(m, d) finite scores, row i of class ``classes[i]``; a class never seen is drawn from the whole table."""
        ...


def _noise(*, form: Form = "guarded", device: str = "cpu", people: int | None = None) -> Component:  # noqa: ARG001
    return NoiseInjection(form=form)


def _interpolation(*, form: Form = "guarded", device: str = "cpu", people: int | None = None) -> Component:  # noqa: ARG001
    return Interpolation(form=form)


def _smote(*, form: Form = "guarded", device: str = "cpu", people: int | None = None) -> Component:  # noqa: ARG001
    return Smote(form=form)


def _copula(*, form: Form = "guarded", device: str = "cpu", people: int | None = None) -> Component:  # noqa: ARG001
    return GaussianCopula()


def _gmm(*, form: Form = "guarded", device: str = "cpu", people: int | None = None) -> Component:  # noqa: ARG001
    return GaussianMixtures()


def _cvae(*, form: Form = "guarded", device: str = "cpu", people: int | None = None) -> Component:  # noqa: ARG001
    from synth.components.cvae import ConditionalVAE  # torch takes seconds to import, and only this one needs it

    return ConditionalVAE(device=device)


def _trees(*, form: Form = "guarded", device: str = "cpu", people: int | None = None) -> Component:  # noqa: ARG001
    return ConditionalTrees(form=form, people=people)


REGISTRY: dict[str, Callable[..., Component]] = {
    "noise": _noise,
    "interpolation": _interpolation,
    "smote": _smote,
    "copula": _copula,
    "gmm": _gmm,
    "cvae": _cvae,
    "trees": _trees,
}
"""Factories by name; each takes ``form``, ``device`` and ``people`` by keyword, and ignores what does not concern it.

``people`` is how many the rows belong to; without it every row is another person.
"""

__all__ = ["REGISTRY", "Component", "Form"]
