"""Which weights on the simplex earn the most reward?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from synth.calibration.quantiles import Floats

Evaluate = Callable[[Floats], float]

UPDATES = 12
BATCH = 6
_LEARNING_RATE = 0.8
_FIRST_SPREAD, _LAST_SPREAD = 1.0, 0.3
_WARMTH = 1.5

GP_EVALUATIONS = 16
_GP_CANDIDATES = 400
_GP_LENGTH = 0.4
_GP_NOISE = 0.05
_GP_OPTIMISM = 1.5


def softmax(logits: Floats) -> Floats:
    """Weights on the simplex."""
    powers = np.exp(logits - logits.max())
    result: Floats = powers / powers.sum()
    return result


def reinforce(evaluate: Evaluate, single_rewards: Floats, rng: np.random.Generator) -> None:
    """Policy gradient on softmax logits (Williams, Simple statistical gradient-following algorithms, 1992).

    An action is ``w = softmax(theta + sigma e)`` with ``e ~ N(0, I)``; its reward is ``evaluate(w)``. After each batch
    ``theta += rate * sigma^2 * mean(advantage * e / sigma)``, where the advantage is the reward minus the batch's mean
    in units of its standard deviation. ``theta`` starts at the standardised rewards of the single components,
    ``sigma`` falls. The caller keeps what was evaluated; nothing is claimed for the policy itself.

    Parameters
    ----------
    single_rewards : (k,) reward of each component alone.
    """
    spread = single_rewards.std()
    theta = _WARMTH * (single_rewards - single_rewards.mean()) / (spread if spread > 1e-12 else 1.0)
    for sigma in np.geomspace(_FIRST_SPREAD, _LAST_SPREAD, UPDATES):
        noise = rng.standard_normal((BATCH, len(theta)))
        rewards = np.array([evaluate(softmax(theta + sigma * e)) for e in noise])
        deviation = rewards.std()
        if deviation > 1e-12:
            advantage = (rewards - rewards.mean()) / deviation
            theta = theta + _LEARNING_RATE * sigma * (advantage @ noise) / BATCH


def gaussian_process(
    evaluate: Evaluate, points: Floats, rewards: Floats, rng: np.random.Generator, *, evaluations: int = GP_EVALUATIONS
) -> None:
    """Upper-confidence-bound search with a Gaussian process on the simplex (Srinivas et al., ICML 2010).

    Squared exponential kernel of length 0.4 on the weights, noise 0.05 in units of the rewards' spread; each step
    evaluates the best of 400 random candidates (Dirichlet draws and neighbours of the best point so far).

    Parameters
    ----------
    points, rewards : (p, k) weights evaluated already, and (p,) their rewards.
    """
    k = points.shape[1]
    for _ in range(evaluations):
        candidates = rng.dirichlet(np.full(k, 0.5), _GP_CANDIDATES)
        near = softmax_rows(np.log(points[np.argmax(rewards)] + 1e-3) + 0.5 * rng.standard_normal((_GP_CANDIDATES, k)))
        candidates = np.vstack([candidates, near])
        centre, scale = rewards.mean(), max(float(rewards.std()), 1e-12)
        factor = cho_factor(_kernel(points, points) + _GP_NOISE * np.eye(len(points)))
        cross = _kernel(candidates, points)
        mean = cross @ cho_solve(factor, (rewards - centre) / scale)
        variance = 1.0 - np.einsum("ij,ji->i", cross, cho_solve(factor, cross.T))
        chosen = candidates[int(np.argmax(mean + _GP_OPTIMISM * np.sqrt(np.maximum(variance, 0.0))))]
        points = np.vstack([points, chosen])
        rewards = np.append(rewards, evaluate(chosen))


def softmax_rows(logits: Floats) -> Floats:
    """Each row on the simplex."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: Floats = powers / powers.sum(axis=1, keepdims=True)
    return result


def _kernel(a: Floats, b: Floats) -> Floats:
    squares = ((a[:, None, :] - b[None, :, :]) ** 2).sum(axis=-1)
    kernel: Floats = np.exp(-squares / (2.0 * _GP_LENGTH**2))
    return kernel
