"""How large must epsilon be, judged by what an attacker tells apart? Lower bounds from draws, none from trust.

An attacker sees a statistic of what a mechanism released and says with which of two neighbouring tables it ran. Fewer
errors than (epsilon, delta)-DP allows refute the claim. The statistic and its threshold are fixed on one half of
the draws; the other half gives Clopper-Pearson bounds on the two error rates (Jagielski, Ullman and Oprea, Auditing
differentially private machine learning, NeurIPS 2020), each wrong with probability at most ``alarm`` / 2.

From the two rates follow, in order of what has to be believed:

- :func:`epsilon_of_any`: nothing. Weak, since counting cannot see events of probability delta.
- :func:`epsilon_of_range`: the mechanism is of bounded range; then the odds ratio is at most exp(epsilon).
- :func:`epsilon_of_gaussian`, :class:`SampledFamily`: the trade-off of errors has the shape of the claimed
  mechanism, only its noise is unknown; the least noise that the rates show to be too much is turned into epsilon at
  delta (Nasr et al., Tight auditing of differentially private machine learning, USENIX Security 2023).

:func:`one_run_epsilon` needs a single run with many canaries and holds for any (epsilon, delta)-DP mechanism (Steinke,
Nasr and Jagielski, Privacy auditing with one (1) training run, NeurIPS 2023, arXiv:2305.08846). Nothing here
uses the accounting under test.

Few draws bound epsilon low, whatever was drawn: an attacker who is never wrong in n draws has shown only that errors
are rarer than about -log(alarm) / n. :func:`shown` and :func:`one_run_shown` therefore refuse draws that could not have
lifted the bound over the claim. Every comparison of a bound with a claim goes through them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from dp_accounting.pld.privacy_loss_distribution import from_gaussian_mechanism
from numpy.typing import NDArray
from scipy import optimize, stats

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rates:
    """Upper bounds on an attacker's rates: a patient seen who is not there, and one missed who is."""

    false_positive: float
    false_negative: float


@dataclass(frozen=True)
class Draws:
    """An attacker's statistic, large when the patient seems to be there: (n,) without the patient, (m,) with."""

    without: Floats
    within: Floats


def error_rates(draws: Draws, bound: Callable[[Rates], float], alarm: float) -> Rates:
    """Rates of the threshold that makes ``bound`` largest on the first half of the draws, measured on the second.

    The two bounds hold together except with probability ``alarm``.
    """
    seen = [draws.without[::2], draws.within[::2]]
    fresh = [draws.without[1::2], draws.within[1::2]]
    values = np.unique(np.concatenate(seen))
    places = np.unique(np.linspace(0, len(values) - 1, 60).astype(int))

    def promise(threshold: float) -> tuple[float, float]:
        rates = _rates(*seen, threshold, alarm)
        return bound(rates), -rates.false_positive - rates.false_negative

    best = max(values[places], key=promise)
    return _rates(*fresh, best, alarm)


class CannotTellError(Exception):
    """Draws too few to refute a claim. No AssertionError, so that it is never taken for a fault that was found."""


def most(draws: Draws, bound: Callable[[Rates], float], alarm: float) -> float:
    """The bound that an attacker who is never wrong would get from so many draws."""
    sides = (np.zeros(len(side[1::2]), dtype=np.bool_) for side in (draws.without, draws.within))
    return bound(Rates(*(_upper(side, alarm / 2) for side in sides)))


def shown(draws: Draws, bound: Callable[[Rates], float], claimed: float, alarm: float) -> float:
    """The bound that the draws show. A mechanism as private as ``claimed`` fails with probability at most ``alarm``.

    Raises
    ------
    AssertionError
        The bound lies above the claim.
    CannotTellError
        It could not have, even if the attacker were never wrong.
    """
    _check_can_tell(most(draws, bound, alarm), claimed)
    found = bound(error_rates(draws, bound, alarm))
    assert found <= claimed, f"claimed {claimed:.3f}, at least {found:.3f}"
    return found


def epsilon_of_any(rates: Rates, delta: float = 0.0) -> float:
    """Every (epsilon, ``delta``)-DP mechanism with these rates has at least this epsilon."""
    both = [(rates.false_positive, rates.false_negative), (rates.false_negative, rates.false_positive)]
    return max(0.0, *(math.log(max(1 - missed - delta, 1e-300) / wrong) for wrong, missed in both))


def epsilon_of_range(rates: Rates) -> float:
    """Every mechanism of bounded range with these rates has at least this range."""
    return max(0.0, -_logit(rates.false_positive) - _logit(rates.false_negative))


def mu_of(rates: Rates) -> float:
    """Every mu-Gaussian-DP mechanism with these rates has at least this mu (Dong, Roth and Su 2022)."""
    return max(0.0, float(stats.norm.isf(rates.false_positive) + stats.norm.isf(rates.false_negative)))


def epsilon_of_mu(mu: float, delta: float) -> float:
    """Epsilon at ``delta`` of mu-Gaussian DP (Balle and Wang 2018, theorem 8)."""

    def excess(epsilon: float) -> float:
        above, below = stats.norm.cdf(mu / 2 - epsilon / mu), stats.norm.logcdf(-mu / 2 - epsilon / mu)
        return float(above - math.exp(epsilon + below) - delta)

    if mu <= 0 or excess(0.0) <= 0:
        return 0.0
    return float(optimize.brentq(excess, 0.0, mu**2 + 40 * mu + 1))


def epsilon_of_gaussian(rates: Rates, delta: float) -> float:
    """Epsilon at ``delta`` of the least mu-Gaussian DP with these rates."""
    return epsilon_of_mu(mu_of(rates), delta)


class SampledFamily:
    """DP-SGD of one sampling rate and number of steps under all noise multipliers around ``noise``.

    Calling it with rates gives epsilon at ``delta`` of the least noise that the rates show to be too much. Rates are
    held against the larger of the two directions' curves, so the bound errs on the safe side.
    """

    def __init__(self, noise: float, rate: float, steps: int, delta: float) -> None:
        self._points = np.linspace(0, 12, 121)
        self._curves: list[tuple[Floats, float]] = []
        for multiplier in noise * np.geomspace(0.4, 3.0, 30):
            one = from_gaussian_mechanism(multiplier, sampling_prob=rate, value_discretization_interval=5e-3)
            losses = one.self_compose(steps)
            curve = np.asarray(losses.get_delta_for_epsilon(self._points))
            self._curves.append((curve, float(losses.get_epsilon_for_delta(delta))))

    def __call__(self, rates: Rates) -> float:
        one, other = rates.false_positive, rates.false_negative
        refuted = [0.0]
        for allowed, epsilon in self._curves:
            forward = 1 - other > np.exp(self._points) * one + allowed
            backward = 1 - one > np.exp(self._points) * other + allowed
            if (forward | backward).any():
                refuted.append(epsilon)
        return max(refuted)


def one_run_epsilon(right: int, guesses: int, canaries: int, delta: float, alarm: float) -> float:
    """Largest epsilon at which so many right guesses would come up with probability at most ``alarm``.

    Of ``canaries``, each in the table on a fair coin of its own, an attacker guesses ``guesses`` and abstains on the
    others.
    """

    def chance(epsilon: float) -> float:
        share = 1 / (1 + math.exp(-epsilon))
        fewer = np.cumsum(stats.binom.pmf(right - np.arange(1, right + 1), guesses, share))
        worst = float((fewer / np.arange(1, right + 1)).max(initial=0.0))
        return float(stats.binom.sf(right - 1, guesses, share)) + 2 * canaries * delta * worst

    if chance(0.0) > alarm:
        return 0.0
    high = 1.0
    while chance(high) <= alarm:
        high *= 2
        if high > 100:
            return high
    return float(optimize.brentq(lambda epsilon: chance(epsilon) - alarm, 0.0, high))


def one_run_shown(
    scores: Floats, inside: NDArray[np.bool_], guesses: int, delta: float, claimed: float, alarm: float
) -> float:
    """As :func:`shown`, by the guesses of a single run: ``scores`` (canaries,) are large where one seems to be in."""
    canaries = len(inside)
    _check_can_tell(one_run_epsilon(guesses, guesses, canaries, delta, alarm), claimed)
    found = one_run_epsilon(guessed(scores, inside, guesses), guesses, canaries, delta, alarm)
    assert found <= claimed, f"claimed {claimed:.3f}, at least {found:.3f}"
    return found


def guessed(scores: Floats, inside: NDArray[np.bool_], guesses: int) -> int:
    """How many are right when the highest half of ``guesses`` scores are said to be in and the lowest half out."""
    order = np.argsort(scores)
    half = guesses // 2
    return int(inside[order[-half:]].sum() + (~inside[order[:half]]).sum())


def _check_can_tell(largest: float, claimed: float) -> None:
    if largest <= claimed:
        raise CannotTellError(
            f"these draws show at most epsilon {largest:.3f}: too few to refute a claim of {claimed:.3f}"
        )


def _rates(without: Floats, within: Floats, threshold: float, alarm: float) -> Rates:
    return Rates(_upper(without >= threshold, alarm / 2), _upper(within < threshold, alarm / 2))


def _upper(errors: NDArray[np.bool_], alarm: float) -> float:
    hits, trials = int(errors.sum()), len(errors)
    return 1.0 if hits == trials else float(stats.beta.isf(alarm, hits + 1, trials - hits))


def _logit(share: float) -> float:
    return math.log(share / (1 - share)) if share < 1 else math.inf
