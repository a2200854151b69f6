"""How is the privacy loss of each event distributed? One dominating pair per event, on a common grid.

Distributions are dp-accounting's, built pessimistically by connecting the dots of the hockey-stick curve (Doroshenko et
al., PETS 2022, arXiv:2207.04380): the curve of the discretised pair lies on or above the true one everywhere. Curves:

Discrete Gaussian table, sensitivity 1
    One patient moves one cell by one, so the pair is the discrete Gaussian and itself shifted by one: exact.
Discrete Gaussian table, larger sensitivity
    A patient may move several cells, and the discrete noise is not rotation invariant. But discrete Gaussian noise of
    scale sigma is, up to a factor e^(+-b) of its density per cell moved, continuous Gaussian noise of variance
    sigma^2 - tau^2 put through discrete Gaussian rounding of scale tau: the rounding's normaliser varies with the
    centre only by the factor (1 + 2q) / (1 - 2q) with q = exp(-2 pi^2 tau^2) (Poisson summation; Peikert, CRYPTO 2010,
    section 3). So the continuous pair bounds it after post-processing, whatever integer vector the patient adds, and
    the e^(+-b) are added up as :func:`smoothing_slack`.
Exponential mechanism
    Bounded range epsilon: the pointwise largest curve of the two-point pairs with losses t and t - epsilon
    (Dong, Durfee and Rogers, ICML 2020), (1 - exp((e - epsilon) / 2))^2 / (1 - exp(-epsilon)) at t = (epsilon + e) / 2;
    where choices make up more than a trifle of the total, the tighter curve of :mod:`synth.dp.choices`.
Poisson-sampled Gaussian
    dp-accounting's pair for adding or removing one, both directions.
Pure and envelope
    Randomised response, with probability delta of an unbounded loss (Kairouz, Oh and Viswanath, ICML 2015).
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from dp_accounting.pld import pld_pmf
from dp_accounting.pld.privacy_loss_distribution import PrivacyLossDistribution, from_gaussian_mechanism
from numpy.typing import NDArray

from synth.dp.choices import choices_curve
from synth.dp.events import (
    EnvelopeEvent,
    Event,
    ExponentialEvent,
    GaussianEvent,
    PureEvent,
    SampledGaussianEvent,
)

Curve = Callable[[NDArray[np.float64]], NDArray[np.float64]]

_TAU_SQUARED = 1.1
_EXACT_UP_TO = 1000.0  # above this sigma the smoothing costs less than one part in a million
_TAILS = 12.0  # standard deviations kept of the noise; what is beyond (1e-32) counts as an unbounded loss
_TRUNCATED = 1e-15  # mass that one convolution may move to an unbounded loss
_GRID = 4e-4  # what the grid may add to the variance of the composed loss, relatively, times four
_LARGEST_INTERVAL = 0.01
_TRIFLE = 0.005  # choices below this share of the variance are composed one by one
_WIDENING = 0.002  # what the grid of choices may add to the variance, relatively
_FEWEST_STEPS, _MOST_STEPS = 24, 400

# An event without its stage and number of repetitions: those of equal parameters are composed together.
_Key = tuple[str, float, float]
_Block = tuple[float, int]  # epsilon and number of consecutive choices


def composed_losses(events: Sequence[Event]) -> PrivacyLossDistribution | None:
    """The privacy loss distribution of all events together, :func:`smoothing_slack` not included.

    None if no bound exists: noise too small for the smoothing of a table of sensitivity above one.
    """
    counts: Counter[_Key] = Counter()
    precision = 0.0  # of all continuous Gaussians together: sum of squared sensitivity over variance
    for event in events:
        if isinstance(event, GaussianEvent) and not _exact(event):
            variance = event.sigma**2 - _TAU_SQUARED
            if variance <= 0:
                return None
            precision += event.count * event.sensitivity**2 / variance
        else:
            key, count = _key(event)
            counts[key] += count
    if precision:
        counts["continuous", 1 / math.sqrt(precision), 0.0] = 1
    blocks, interval = _blocks(events, counts)
    parts = [_losses(choices_curve(*block, interval, steps), interval) for block, steps in blocks]
    for (epsilon, count), _ in blocks:  # one by one: several releases may hold equal blocks
        counts[ExponentialEvent.kind, epsilon, 0.0] -= count
    for key, count in counts.items():
        if count:
            one = _single(key, interval)
            parts.append(one if count == 1 else one.self_compose(count, _TRUNCATED))
    return functools.reduce(lambda total, part: total.compose(part, _TRUNCATED), parts)


def smoothing_slack(events: Sequence[Event]) -> float:
    """s such that the events' delta at epsilon is at most exp(s) times their composed losses' at epsilon - 2 s."""
    q = math.exp(-2 * math.pi**2 * _TAU_SQUARED)
    cells = sum(
        event.count * event.sensitivity**2 for event in events if isinstance(event, GaussianEvent) and not _exact(event)
    )
    return 5 * q * cells  # log((1 + 2 q') / (1 - 2 q)) < 5 q for each cell moved, q' < q being that of sigma


def discrete_gaussian_curve(sigma: float) -> Curve:
    """Hockey-stick divergence at e of discrete Gaussian noise from itself shifted by one; the same both ways."""
    bound = math.ceil(_TAILS * sigma) + 1
    mass = np.exp(-(np.arange(-bound, bound + 1) ** 2) / (2 * sigma**2))
    below = np.concatenate([[0.0, 0.0], np.cumsum(mass / mass.sum())])  # below[i] = P(Y <= i - bound - 2)
    beyond = 2 * math.exp(-(_TAILS**2) / 2)

    def curve(e: NDArray[np.float64]) -> NDArray[np.float64]:
        last = np.ceil(0.5 - e * sigma**2) - 1  # the largest y of loss (1 - 2 y) / (2 sigma^2) above e
        place = np.clip(last + bound + 2, 1, below.size - 1).astype(np.intp)
        found: NDArray[np.float64] = np.clip(below[place] - np.exp(e) * below[place - 1], 0, 1) + beyond
        return found

    return curve


def bounded_range_curve(epsilon: float) -> Curve:
    """Largest hockey-stick divergence at e of any ``epsilon``-bounded-range mechanism on neighbours."""

    def curve(e: NDArray[np.float64]) -> NDArray[np.float64]:
        inside = np.expm1((np.clip(e, -epsilon, epsilon) - epsilon) / 2) ** 2 / -math.expm1(-epsilon)
        return np.where(e <= -epsilon, -np.expm1(np.minimum(e, 0)), inside)

    return curve


def pure_curve(epsilon: float, delta: float = 0.0) -> Curve:
    """Largest hockey-stick divergence at e of any (``epsilon``, ``delta``)-DP mechanism on neighbours."""

    def curve(e: NDArray[np.float64]) -> NDArray[np.float64]:
        top = np.clip(e, -epsilon, epsilon)
        inside = (1 - np.exp(top - epsilon)) / (1 + math.exp(-epsilon))
        return delta + (1 - delta) * np.where(e <= -epsilon, -np.expm1(np.minimum(e, 0)), inside)

    return curve


def losses_of_curve(curve: Curve, largest: float, interval: float) -> PrivacyLossDistribution:
    """The distribution on multiples of ``interval`` whose curve is on or above ``curve``; losses in +-``largest``."""
    top = math.ceil(largest / interval) + 1
    points = np.arange(-top, top + 1, dtype=np.float64) * interval
    return _losses(np.minimum.accumulate(np.clip(curve(points), 0, 1)), interval)


def _losses(deltas: NDArray[np.float64], interval: float) -> PrivacyLossDistribution:
    top = deltas.size // 2
    return PrivacyLossDistribution(pld_pmf.create_pmf_pessimistic_connect_dots_fixed_gap(interval, -top, top, deltas))


def _exact(event: GaussianEvent) -> bool:
    return event.sensitivity == 1 and event.sigma <= _EXACT_UP_TO


def _key(event: Event) -> tuple[_Key, int]:
    match event:
        case GaussianEvent():
            return (event.kind, event.sigma, 0.0), event.count
        case ExponentialEvent() | PureEvent():
            return (event.kind, event.epsilon, 0.0), event.count
        case SampledGaussianEvent():
            return (event.kind, event.noise_multiplier, event.sampling_rate), event.steps
        case EnvelopeEvent():
            return (event.kind, event.epsilon, event.delta), 1


def _single(key: _Key, interval: float) -> PrivacyLossDistribution:
    kind, first, second = key
    match kind:
        case "gaussian":
            return losses_of_curve(discrete_gaussian_curve(first), (_TAILS * first + 2) / first**2, interval)
        case "exponential":
            return losses_of_curve(bounded_range_curve(first), first, interval)
        case "continuous":
            return from_gaussian_mechanism(first, value_discretization_interval=interval)
        case "sampled_gaussian":
            return from_gaussian_mechanism(first, sampling_prob=second, value_discretization_interval=interval)
        case _:
            return losses_of_curve(pure_curve(first, second), first, interval)


def _blocks(events: Sequence[Event], counts: Counter[_Key]) -> tuple[list[tuple[_Block, int]], float]:
    """Blocks of choices worth the tighter curve, each with its steps, and the width of the common grid.

    Connecting the dots adds at most interval^2 / 4 to the variance of each loss.
    """
    variance = sum(count * _variance(key) for key, count in counts.items())
    interval = min(_LARGEST_INTERVAL, math.sqrt(_GRID * variance / max(1, counts.total())))
    blocks: list[tuple[_Block, int]] = []
    for event in events:
        if isinstance(event, ExponentialEvent) and event.count * event.epsilon**2 / 4 > _TRIFLE * variance:
            share = event.count * event.epsilon**2 / 4 / variance
            steps = math.ceil(min(_MOST_STEPS, max(_FEWEST_STEPS, share / _WIDENING)))
            blocks.append(((event.epsilon, event.count), steps))
            interval = min(interval, event.epsilon / steps)
    return blocks, interval


def _variance(key: _Key) -> float:
    """About the variance of one loss, never much above it."""
    kind, first, second = key
    match kind:
        case "gaussian" | "continuous":
            return 1 / first**2
        case "sampled_gaussian":
            return second**2 * math.expm1(min(1.0, 1 / first**2))
        case "exponential":
            return min(first, 4.0) ** 2 / 4
        case _:
            return min(first, 1.0) ** 2 / 4
