"""What is one charged mechanism? The event that stands in the ledger before the mechanism runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

from synth.errors import SynthesisError


class PrivacyError(SynthesisError):
    """A differential privacy claim cannot be made as asked."""


@dataclass(frozen=True)
class GaussianEvent:
    """``count`` releases of integer tables with discrete Gaussian noise (Canonne, Kamath and Steinke 2020).

    ``sigma`` is the noise's scale in patients' contributions (counts); ``sensitivity`` is the largest L2 change of one
    table, in counts, when one patient is added or removed. Each release is (sensitivity / sigma)^2 / 2 zCDP.
    """

    kind: ClassVar[str] = "gaussian"
    stage: str
    sigma: float
    sensitivity: float = 1.0
    count: int = 1

    def __post_init__(self) -> None:
        _check(self)

    @property
    def noise_multiplier(self) -> float:
        """Noise scale in units of the sensitivity."""
        return self.sigma / self.sensitivity


@dataclass(frozen=True)
class ExponentialEvent:
    """``count`` choices by the exponential mechanism, each of bounded range ``epsilon``.

    A choice with probability proportional to exp(epsilon * score / (2 * sensitivity)) is epsilon-bounded-range, hence
    epsilon-DP and epsilon^2 / 8 zCDP (Dong, Durfee and Rogers 2020; Cesar and Rogers 2021).
    """

    kind: ClassVar[str] = "exponential"
    stage: str
    epsilon: float
    count: int = 1

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True)
class SampledGaussianEvent:
    """``steps`` of DP-SGD: Poisson sampling of patients at ``sampling_rate``, clipped gradients, Gaussian noise.

    ``noise_multiplier`` is the noise's scale in clipping norms (Abadi et al. 2016; Mironov, Talwar and Zhang 2019).
    """

    kind: ClassVar[str] = "sampled_gaussian"
    stage: str
    noise_multiplier: float
    sampling_rate: float
    steps: int

    def __post_init__(self) -> None:
        _check(self)
        if self.sampling_rate > 1:
            raise PrivacyError(f"sampling_rate must be at most 1, found {self.sampling_rate}")


@dataclass(frozen=True)
class PureEvent:
    """``count`` mechanisms of which nothing is known but that each is ``epsilon``-DP, such as a noisy head count."""

    kind: ClassVar[str] = "pure"
    stage: str
    epsilon: float
    count: int = 1

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True)
class EnvelopeEvent:
    """Mechanisms chosen after a noisy look, together (``epsilon``, ``delta``)-DP whatever it shows."""

    kind: ClassVar[str] = "envelope"
    stage: str
    epsilon: float
    delta: float

    def __post_init__(self) -> None:
        _check(self)
        if self.delta >= 1:
            raise PrivacyError(f"delta must be below 1, found {self.delta}")


Event = GaussianEvent | ExponentialEvent | SampledGaussianEvent | PureEvent | EnvelopeEvent
_KINDS: dict[str, type[Event]] = {
    each.kind: each for each in (GaussianEvent, ExponentialEvent, SampledGaussianEvent, PureEvent, EnvelopeEvent)
}


def event_to_dict(event: Event) -> dict[str, Any]:
    """The event as JSON values; ``kind`` first."""
    return {"kind": event.kind, **asdict(event)}


def event_from_dict(values: Mapping[str, Any]) -> Event:
    """The event that :func:`event_to_dict` wrote.

    Raises
    ------
    PrivacyError
        Unknown kind, a key missing or unknown, or a number out of its range.
    """
    rest = {key: value for key, value in values.items() if key != "kind"}
    kind = _KINDS.get(str(values.get("kind")))
    if kind is None or set(rest) != {each.name for each in fields(kind)}:
        raise PrivacyError(f"not an event of one of these kinds with exactly its fields: {', '.join(_KINDS)}")
    return kind(**rest)


def _check(event: Event) -> None:
    if not event.stage:
        raise PrivacyError("an event names its stage")
    for name, value in asdict(event).items():
        if name == "stage":
            continue
        whole = name in ("count", "steps")
        fits = isinstance(value, int) if whole else isinstance(value, int | float)
        if isinstance(value, bool) or not fits or not math.isfinite(value) or value <= 0:
            raise PrivacyError(f"{name} of a {event.kind} event must be a finite {'whole ' * whole}number above 0")
