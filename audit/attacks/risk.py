"""How much more does an attack succeed on people the synthesizer saw than on people it never saw?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.intervals import Interval, share_interval
from policies import Measurement

WIDEST = 0.5  # an innocent interval wider than this says nothing
TOLD_BY = 20  # successes and failures, in people, from which the variance between people is taken at its word
USEFUL = 0.1  # width of an interval that would

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Arm:
    """How often an attack succeeded: a rate in [0, 1], the variance of that estimate, and the people behind it.

    ``trials`` are how many independent attacks it may count for at most.
    """

    rate: float
    variance: float
    people: int
    trials: int

    @classmethod
    def of_people(cls, success: Floats, person: NDArray[np.int64], views: int = 1) -> Arm:
        """From the (n,) success in [0, 1] of attacks on rows and their persons; each person counts once.

        Where a success is the mean over ``views`` attacks, a person counts for more than one trial as far as the
        variance between people bears it out, and enough of them succeed and fail to tell it by.
        """
        _, person = np.unique(person, return_inverse=True)
        each = np.bincount(person, weights=success) / np.bincount(person)
        people, rate = len(each), float(each.mean())
        trials = people * views if people * min(rate, 1 - rate) >= TOLD_BY else people
        return cls(rate, float(each.var(ddof=1)) / people, people, trials)

    def failures(self, share: float, confidence: float) -> tuple[float, float, float]:
        """Share of all that do not fall to an attack on a ``share`` of them, with the ends of its interval."""
        low, high = share_interval(self.rate, self.variance, float(self.trials), confidence)
        return 1 - share * self.rate, 1 - share * high, 1 - share * low


@dataclass(frozen=True)
class Attack:
    """One attack in its three arms. ``blind`` is the rate of the same attack without the release.

    ``share`` is how much of what is at stake is attacked at all; the rest counts as withstanding. ``scale`` undoes what
    was cut from train: a leak shows only where its source was drawn.
    """

    train: Arm
    control: Arm
    blind: float
    count: int
    share: float = 1.0
    scale: float = 1.0

    def risk(self, confidence: float) -> tuple[float, Interval]:
        """``scale * (train - control) / (1 - control)`` cut to [-1, 1], rates taken times ``share``; and its interval.

        The risk is one minus the ratio of two independent failure rates; its interval comes from theirs.

        References
        ----------
        Giomi, Boenisch, Wehmeyer, Tasnádi, A unified framework for quantifying privacy risk in synthetic data, PoPETs
        2023, section 4 (the risk). Donner, Zou, Closed-form confidence intervals for functions of the normal mean and
        standard deviation, Statistical Methods in Medical Research 21 (2012), the interval of a ratio from those of
        its parts (MOVER).
        """
        first, second = (arm.failures(self.share, confidence) for arm in (self.train, self.control))
        low, high = ratio_interval(first, second)
        ratio = first[0] / second[0] if second[0] > 0 else (1.0 if first[0] == 0 else 2.0)
        return self._scaled(1 - ratio), (self._scaled(1 - high), self._scaled(1 - low))

    def _scaled(self, excess: float) -> float:
        return min(max(self.scale * excess, -1.0), 1.0)


def ratio_interval(first: tuple[float, float, float], second: tuple[float, float, float]) -> Interval:
    """Interval of ``first / second`` from (estimate, low, high) of each, all in [0, 1] and independent."""
    a, low_a, high_a = first
    b, low_b, high_b = second
    high_part = high_b * (2 * b - high_b)
    low_part = low_b * (2 * b - low_b)
    root_low = math.sqrt(max((a * b) ** 2 - low_a * (2 * a - low_a) * high_part, 0.0))
    root_high = math.sqrt(max((a * b) ** 2 - high_a * (2 * a - high_a) * low_part, 0.0))
    # the two forms of one root: one of them cancels where its denominator nears zero
    below = a * b + root_low
    low = low_a * (2 * a - low_a) / below if below > 0 else math.sqrt(max(low_a * (2 * a - low_a), 0.0)) / high_b
    high = (a * b + root_high) / low_part if low_part > 0 else math.inf
    return max(low, 0.0), high


def strongest(name: str, attacks: Mapping[str, Attack], confidence: float, method: str) -> Measurement:
    """The attack with the largest risk; the largest lower and the largest upper end bound it jointly (Bonferroni)."""
    each = 1 - (1 - confidence) / len(attacks)
    risks = {label: attack.risk(each) for label, attack in attacks.items()}
    best = max(risks, key=lambda label: risks[label][0])
    value = risks[best][0]
    low = min(value, max(interval[0] for _, interval in risks.values()))
    high = max(value, max(interval[1] for _, interval in risks.values()))
    attack = attacks[best]
    n = min(attack.train.people, attack.control.people)
    beaten = "" if attack.train.rate > attack.blind else ", which it does not beat"
    told = (
        f"strongest of {len(attacks)} attacks ({best}): {attack.count} attacks, success {attack.train.rate:.3f} on "
        f"train, {attack.control.rate:.3f} on holdout, {attack.blind:.3f} without the release{beaten}; {method}; "
        "ratio of failure rates from exact intervals (MOVER), Bonferroni"
    )
    if low <= 0 and high - low > WIDEST:
        needed = math.ceil(n * ((high - low) / USEFUL) ** 2)
        reason = (
            f"{n} people leave an interval of width {high - low:.2f}, which decides nothing; about {needed} in train "
            f"and in holdout would bring it to {USEFUL}"
        )
        return Measurement(name, value, low, high, confidence, n, told, "inconclusive", reason)
    return Measurement(name, value, low, high, confidence, n, told)
