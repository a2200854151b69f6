"""What do the events cost by other accountants? Renyi divergences, zCDP by hand, the analytic Gaussian curve."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy.optimize import brentq, minimize_scalar
from scipy.special import log_ndtr, ndtr

from synth.dp.events import (
    EnvelopeEvent,
    Event,
    ExponentialEvent,
    GaussianEvent,
    PureEvent,
    SampledGaussianEvent,
)

ORDERS = (*(1 + step / 20 for step in range(1, 100)), *range(6, 65), 80, 96, 128, 192, 256, 384, 512, 1024)


def zcdp_rho(events: Sequence[Event]) -> float | None:
    """Concentrated DP of all events together; None where DP-SGD or an envelope is among them, which have no rho.

    Tables (sensitivity / sigma)^2 / 2 each (Canonne, Kamath and Steinke 2020, theorem 4), choices epsilon^2 / 8 (Cesar
    and Rogers 2021), pure events min(epsilon^2 / 2, epsilon) (Bun and Steinke 2016, proposition 3.3).
    """
    parts = [_rho(event) for event in events]
    known = [part for part in parts if part is not None]
    return math.fsum(known) if len(known) == len(parts) else None


def zcdp_epsilon(rho: float, delta: float) -> float:
    """Epsilon that ``rho``-zCDP implies at ``delta`` (Canonne, Kamath and Steinke 2020, corollary 13)."""
    if rho == 0:
        return 0.0
    found = minimize_scalar(
        lambda log_excess: _converted(rho * (1 + math.exp(log_excess)), 1 + math.exp(log_excess), delta),
        bounds=(-10, 20),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return max(0.0, float(found.fun))


def rdp_epsilon(events: Sequence[Event], delta: float) -> float:
    """Epsilon by Renyi DP over :data:`ORDERS`; opacus' accountant for DP-SGD, envelopes added by basic composition."""
    left = delta - math.fsum(event.delta for event in events if isinstance(event, EnvelopeEvent))
    spent = math.fsum(event.epsilon for event in events if isinstance(event, EnvelopeEvent))
    rest = [event for event in events if not isinstance(event, EnvelopeEvent)]
    pure = math.fsum(event.count * event.epsilon if isinstance(event, PureEvent) else math.inf for event in rest)
    if left < -1e-9 * delta:
        return math.inf
    if left <= 1e-9 * delta:
        return spent + pure
    curves = [_divergences(event) for event in rest]
    totals = [math.fsum(curve[place] for curve in curves) for place in range(len(ORDERS))]
    best = min(_converted(total, order, left) for total, order in zip(totals, ORDERS, strict=True))
    return spent + min(max(0.0, best), pure)


def analytic_gaussian_epsilon(mu: float, delta: float) -> float:
    """Epsilon of the continuous Gaussian mechanism with sensitivity ``mu`` times its noise (Balle and Wang 2018)."""

    def excess(epsilon: float) -> float:
        return gaussian_delta(mu, epsilon) - delta

    return 0.0 if excess(0.0) <= 0 else float(brentq(excess, 0.0, mu * (mu + 40), xtol=1e-12))


def gaussian_delta(mu: float, epsilon: float) -> float:
    """Delta of the same mechanism at ``epsilon``."""
    return float(ndtr(mu / 2 - epsilon / mu) - math.exp(epsilon + log_ndtr(-mu / 2 - epsilon / mu)))


def _rho(event: Event) -> float | None:
    match event:
        case GaussianEvent():
            return event.count / event.noise_multiplier**2 / 2
        case ExponentialEvent():
            return event.count * event.epsilon**2 / 8
        case PureEvent():
            return event.count * min(event.epsilon**2 / 2, event.epsilon)
        case _:
            return None


def _divergences(event: Event) -> list[float]:
    """Renyi divergence bound of the event at each of :data:`ORDERS`."""
    if isinstance(event, SampledGaussianEvent):
        from opacus.accountants.analysis.rdp import compute_rdp  # brings torch along: only where DP-SGD is used

        found = compute_rdp(
            q=event.sampling_rate, noise_multiplier=event.noise_multiplier, steps=event.steps, orders=list(ORDERS)
        )
        return [float(value) for value in found]
    rho = _rho(event) or 0.0
    ceiling = event.count * event.epsilon if isinstance(event, ExponentialEvent | PureEvent) else math.inf
    return [min(order * rho, ceiling) for order in ORDERS]


def _converted(divergence: float, order: float, delta: float) -> float:
    """Epsilon at ``delta`` from one Renyi bound (Canonne, Kamath and Steinke 2020, proposition 12)."""
    return divergence + math.log1p(-1 / order) - math.log(delta * order) / (order - 1)
