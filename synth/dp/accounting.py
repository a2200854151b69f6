"""What do the events cost together? Composition by privacy loss distributions, and other accountants beside it.

The plan is fixed before any row is read and only the *choice* of tables looks at earlier answers, so the sequence of
dominating pairs is fixed and their composition is valid for adaptive mechanisms (Zhu, Dong and Wang, AISTATS 2022,
theorem 10). Across releases parameters may be chosen in view of earlier outputs; then only the zCDP figure is a filter
(Whitehouse et al., ICML 2023), which is why :func:`cross_check` shows both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from synth.dp.events import EnvelopeEvent, Event, ExponentialEvent, GaussianEvent, PrivacyError, PureEvent
from synth.dp.losses import composed_losses, smoothing_slack
from synth.dp.renyi import analytic_gaussian_epsilon, rdp_epsilon, zcdp_epsilon, zcdp_rho

__all__ = ["calibrate", "compose_delta", "compose_epsilon", "cross_check", "rdp_epsilon", "zcdp_rho"]

_CLOSE = 0.001  # calibration stops this far below epsilon, relatively
_LARGEST_SCALE = 2.0**40


def compose_epsilon(events: Sequence[Event], delta: float) -> float:
    """The smallest epsilon shown for which all events together are (epsilon, ``delta``)-DP; inf if none is.

    Envelopes are added by basic composition where that is better, so an envelope and a pure event cost their sum.
    """
    _check_delta(delta)
    if not events:
        return 0.0
    envelopes = [event for event in events if isinstance(event, EnvelopeEvent)]
    rest = [event for event in events if not isinstance(event, EnvelopeEvent)]
    best = _epsilon(events, delta)
    if envelopes:
        left = delta - math.fsum(event.delta for event in envelopes)
        spent = math.fsum(event.epsilon for event in envelopes)
        if abs(left) <= 1e-9 * delta:  # all of delta is theirs: the rest must be pure
            left = 0.0
        if left >= 0:
            best = min(best, spent + min(_epsilon(rest, left), _pure_sum(rest)))
    return min(best, _pure_sum(events))


def compose_delta(events: Sequence[Event], epsilon: float) -> float:
    """The smallest delta shown for which all events together are (``epsilon``, delta)-DP."""
    if not epsilon >= 0:
        raise PrivacyError(f"epsilon must be at least 0, found {epsilon}")
    if not events:
        return 0.0
    envelopes = [event for event in events if isinstance(event, EnvelopeEvent)]
    rest = [event for event in events if not isinstance(event, EnvelopeEvent)]
    best = _delta(events, epsilon)
    left = epsilon - math.fsum(event.epsilon for event in envelopes)
    if left >= -1e-12 and envelopes:
        best = min(best, math.fsum(event.delta for event in envelopes) + _delta(rest, max(0.0, left)))
    return best


def cross_check(events: Sequence[Event], delta: float) -> dict[str, float]:
    """Epsilon of the same events by several accountants; ``pld`` is the one that counts.

    Upper bounds too are ``rdp`` (orders up to 1024, opacus' own for DP-SGD) and ``zcdp``, where every event has a rho.
    ``analytic_gaussian`` (Balle and Wang 2018), where every event is a table, is what continuous noise would cost: the
    integers' figure lies a hair above it, with several rows per patient by about 1.1 / (2 sigma^2) of it.
    """
    found = {"pld": compose_epsilon(events, delta), "rdp": rdp_epsilon(events, delta)}
    rho = zcdp_rho(events)
    if rho is not None:
        found["zcdp"] = zcdp_epsilon(rho, delta)
        if all(isinstance(event, GaussianEvent) for event in events):
            found["analytic_gaussian"] = analytic_gaussian_epsilon(math.sqrt(2 * rho), delta)
    return found


def calibrate(make_events: Callable[[float], Sequence[Event]], epsilon: float, delta: float) -> tuple[Event, ...]:
    """The events of the least noise that cost at most ``epsilon``, at most 0.2 % below it.

    Parameters
    ----------
    make_events : callable
        From a noise scale above 0 to the plan; a larger scale never costs more.

    Raises
    ------
    PrivacyError
        No scale up to 2^40 is affordable, or none costs as much as ``epsilon``.
    """
    _check_delta(delta)
    if not 0 < epsilon < math.inf:
        raise PrivacyError(f"epsilon must be finite and above 0, found {epsilon}")
    target = epsilon * (1 - _CLOSE / 2)

    def excess(log_scale: float) -> float:
        cost = compose_epsilon(tuple(make_events(math.exp(log_scale))), delta)
        return math.log(cost / target) if 0 < cost < math.inf else math.copysign(50.0, cost - target)

    low, high = _bracket(excess, epsilon)
    for turn in range(60):
        if high[1] >= -_CLOSE:
            return tuple(make_events(math.exp(high[0])))
        # log cost is nearly straight in log scale: false position, with a bisection every third turn
        share = 0.5 if turn % 3 == 2 or low[1] > 10 or high[1] < -10 else low[1] / (low[1] - high[1])
        middle = low[0] + (high[0] - low[0]) * share
        point = (middle, excess(middle))
        if point[1] <= _CLOSE / 2:
            high = point
        else:
            low = point
    raise PrivacyError(f"no noise scale brings the plan within 0.2 % of epsilon {epsilon}: its cost jumps")


def _bracket(excess: Callable[[float], float], epsilon: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """A log scale that costs too much and one that does not, each with its excess."""
    here = (0.0, excess(0.0))
    step = 1.0 if here[1] > 0 else -1.0
    while True:
        width = step * max(0.25, min(8.0, abs(here[1]) + 0.1)) if abs(here[1]) < 10 else step * 2
        there = (here[0] + width, excess(here[0] + width))
        if (there[1] > _CLOSE / 2) != (here[1] > _CLOSE / 2):
            return (here, there) if step > 0 else (there, here)
        here = there
        if abs(here[0]) > math.log(_LARGEST_SCALE):
            raise PrivacyError(
                f"the plan costs {'more' if step > 0 else 'less'} than epsilon {epsilon} at every noise scale"
            )


def _epsilon(events: Sequence[Event], delta: float) -> float:
    if not events:
        return 0.0
    losses = composed_losses(events)
    if losses is None or delta <= 0:
        return math.inf
    slack = smoothing_slack(events)
    return float(losses.get_epsilon_for_delta(delta * math.exp(-slack))) + 2 * slack


def _delta(events: Sequence[Event], epsilon: float) -> float:
    if not events or _pure_sum(events) <= epsilon:
        return 0.0
    losses = composed_losses(events)
    if losses is None:
        return 1.0
    slack = smoothing_slack(events)
    return min(1.0, math.exp(slack) * float(losses.get_delta_for_epsilon(max(0.0, epsilon - 2 * slack))))


def _pure_sum(events: Sequence[Event]) -> float:
    """Sum of the epsilons where every event is pure in itself; inf otherwise."""
    return math.fsum(
        event.count * event.epsilon if isinstance(event, PureEvent | ExponentialEvent) else math.inf for event in events
    )


def _check_delta(delta: float) -> None:
    if not 0 < delta < 1:
        raise PrivacyError(f"delta must lie between 0 and 1, found {delta}")
