"""How does a network learn from patients without learning any one of them?

DP-SGD (Abadi et al., Deep learning with differential privacy, CCS 2016): in each of a fixed number of steps every
patient is taken with the same probability, each taken patient's gradient is clipped, Gaussian noise goes onto the
*sum*, and what comes out is divided by a public number. Neighbouring tables differ in one patient, added or removed;
one step is then one subsampled Gaussian mechanism of the event's sampling rate and noise multiplier.

What makes that true here:

- A taken patient brings one row, drawn anew among theirs, so clipping one row's gradient bounds one patient's
  contribution (a mixture over rows of mechanisms with this bound has it too: the divergence is jointly convex).
- Losses are per row, in a network without layers that look across the batch.
- Gradients are computed, clipped and summed in double precision, in parts of a few thousand. Rounding moves a sum of m
  terms by less than m * 2^-53 times the sum of their norms (Higham, Accuracy and stability of numerical algorithms,
  2002, section 4.2). For two neighbouring tables the slack taken off the clipping norm covers that in any batch below
  a million patients; in single precision it would not (Casacuberta et al., Widespread underestimation of sensitivity
  in differentially private libraries, CCS 2022).
- A gradient that is not finite, or whose norm is not, contributes nothing.
- Noise, sampling and the choice of rows come from the operating system; the rows' statistical noise (latent draws)
  comes from a generator that the caller seeds from it. No torch generator is involved.
- An empty batch takes its step: noise alone. No validation, no early stop, no choice among runs.

Norms come from opacus' ghost clipping (Li et al., Large language models can be strong differentially private learners,
ICLR 2022; Lee and Kifer, Scaling up differentially private deep learning, PoPETs 2021), which never forms a gradient
per row; noise is added by a subclass of its optimizer, because its ``secure_mode`` rests on a package that no longer
installs.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from opacus.grad_sample.grad_sample_module_fast_gradient_clipping import GradSampleModuleFastGradientClipping
from opacus.optimizers.optimizer_fast_gradient_clipping import DPOptimizerFastGradientClipping
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

from synth.dp.events import PrivacyError, SampledGaussianEvent
from synth.dp.randomness import SystemRandomness

SLACK = 1e-6
"""Share of the clipping norm left to rounding."""
_CHUNK = 4_096
"""Rows in memory at once; the sum over a larger batch is formed part by part."""

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Descent:
    """Public settings of the optimizer (Adam; Kingma and Ba, ICLR 2015). None of them may depend on the rows.

    ``clip`` is the largest L2 norm of one patient's gradient. Far below the usual norm (about 30 for fourteen columns)
    it makes every gradient equally long, which underrates rare cells, whose gradients are the long ones; far above it
    the noise drowns the sum. ``rate`` is Adam's largest step. ``averaged`` is the weight of the newest weights in the
    running mean that is returned (Polyak averaging is post-processing; De et al., Unlocking high-accuracy
    differentially private image classification through scale, 2022, section 3.2).

    Raises
    ------
    PrivacyError
        A number that is not finite and above 0, or ``averaged`` above 1.
    """

    clip: float = 10.0
    rate: float = 1e-2
    averaged: float = 0.02

    def __post_init__(self) -> None:
        if not all(0 < each < math.inf for each in (self.clip, self.rate, self.averaged)) or self.averaged > 1:
            raise PrivacyError("clip and rate must be finite numbers above 0, averaged above 0 and at most 1")


def descend(
    network: nn.Module,
    examples: Callable[[Rows], tuple[Tensor, ...]],
    owners: NDArray[np.int64],
    event: SampledGaussianEvent,
    randomness: SystemRandomness,
    *,
    people: int,
    settings: Descent | None = None,
    watch: Callable[[int, Tensor], None] | None = None,
) -> None:
    """Train a network in place by DP-SGD.

    Parameters
    ----------
    network : called with the tensors of ``examples``, gives (m,) losses, row i of its own input only; weights in
        linear layers, in double precision.
    examples : inputs of the network for these m row numbers.
    owners : (n,) the patient of every row, any codes.
    event : noise multiplier, sampling rate and number of steps, as charged.
    randomness : the operating system's.
    people : public number of patients; times the sampling rate it is the divisor, whatever the rows hold.
    watch : sees the step and the flat noisy mean gradient, which is all that a step releases.

    Raises
    ------
    PrivacyError
        ``people`` is below one, or weights are not in double precision or outside linear layers with a bias.
    """
    settings = settings or Descent()
    if people < 1:
        raise PrivacyError(f"the public number of patients must be at least 1, found {people}")
    weights = _weights(network)
    patients = _Patients(owners)
    kept = [weight.detach().clone() for weight in weights]
    adam = torch.optim.Adam(weights, lr=settings.rate)
    optimizer = _SystemNoiseOptimizer(adam, randomness, event.noise_multiplier, settings.clip)
    optimizer.expected_batch_size = event.sampling_rate * people
    ghost = GradSampleModuleFastGradientClipping(network, loss_reduction="sum", max_grad_norm=settings.clip)
    try:
        for step in range(event.steps):
            rows = patients.sample(event.sampling_rate, randomness)
            sums = clipped_sums(ghost, weights, examples, rows, settings.clip)
            for weight, part in zip(weights, sums, strict=True):
                weight.grad = part
            adam.param_groups[0]["lr"] = settings.rate * _schedule(step, event.steps)
            optimizer.step()
            if watch is not None:
                watch(step, parameters_to_vector(weight.grad for weight in weights if weight.grad is not None))
            optimizer.zero_grad()
            with torch.no_grad():
                for mean, weight in zip(kept, weights, strict=True):
                    mean.lerp_(weight, max(settings.averaged, 1 / (step + 1)))
    finally:
        ghost.to_standard_module()
        optimizer.forget()
    with torch.no_grad():
        for weight, mean in zip(weights, kept, strict=True):
            weight.copy_(mean)


def clipped_sums(
    ghost: Any, weights: list[nn.Parameter], examples: Callable[[Rows], tuple[Tensor, ...]], rows: Rows, clip: float
) -> list[Tensor]:
    """For every weight the sum over rows of gradients; over all weights no row's is longer than ``clip``."""
    sums = [torch.zeros_like(weight) for weight in weights]
    with warnings.catch_warnings():
        # True, and harmless: the rows themselves need no gradient.
        warnings.filterwarnings("ignore", "Full backward hook is firing", UserWarning)
        for at in range(0, len(rows), _CHUNK):
            parts = _clipped_part(ghost, weights, examples(rows[at : at + _CHUNK]), clip * (1 - SLACK))
            for total, part in zip(sums, parts, strict=True):
                total += part
    return sums


def _clipped_part(
    ghost: Any, weights: list[nn.Parameter], inputs: tuple[Tensor, ...], bound: float
) -> tuple[Tensor, ...]:
    losses = ghost(*inputs)
    # Asked for biases alone, autograd passes every layer's hook and leaves out the sums over the batch.
    torch.autograd.grad(losses.sum(), [weight for weight in weights if weight.dim() == 1], retain_graph=True)
    norms = ghost.get_norm_sample()
    for weight in weights:
        del weight.__dict__["_norm_sample"]  # a layer that the next batch missed would be an error, not an old norm
    finite = torch.isfinite(norms)
    factors = bound / norms.clamp(min=bound)
    ghost.disable_hooks()
    if not bool(finite.all()):
        # Zero times a gradient that is not finite is not zero: such rows must not enter the sum at all.
        losses, factors = ghost(*(each[finite] for each in inputs)), factors[finite]
    parts = torch.autograd.grad((losses * factors).sum(), weights)
    ghost.enable_hooks()
    return parts


class _Patients:
    """The rows of every patient, so that patients can be sampled."""

    def __init__(self, owners: NDArray[np.int64]) -> None:
        self._rows = np.argsort(owners, kind="stable").astype(np.intp)
        _, self._first, self._count = np.unique(owners[self._rows], return_index=True, return_counts=True)

    def sample(self, rate: float, randomness: SystemRandomness) -> Rows:
        """One row of each patient that a coin of this rate takes."""
        taken = randomness.poisson_sample(len(self._first), rate)
        # The bias of the remainder is below 2^-30, and the bound on a patient holds for any choice among their rows.
        among = randomness.integers(2**62, len(taken)) % self._count[taken] if len(taken) else 0
        return self._rows[self._first[taken] + among]


class _SystemNoiseOptimizer(DPOptimizerFastGradientClipping):  # type: ignore[misc]  # opacus has no types
    """Opacus' optimizer for gradients clipped beforehand, its noise drawn from the operating system."""

    def __init__(self, adam: torch.optim.Adam, randomness: SystemRandomness, multiplier: float, clip: float) -> None:
        super().__init__(adam, noise_multiplier=multiplier, max_grad_norm=clip, expected_batch_size=1)
        self._randomness = randomness

    def add_noise(self) -> None:
        """Put the noisy sum in every weight's ``grad``."""
        sizes = [weight.numel() for weight in self.params]
        drawn = torch.from_numpy(self._randomness.normal(sum(sizes)) * (self.noise_multiplier * self.max_grad_norm))
        for weight, noise in zip(self.params, torch.split(drawn, sizes), strict=True):
            weight.grad = weight.summed_grad + noise.view_as(weight).to(weight.device)

    def forget(self) -> None:
        """Take the sums without noise off the weights."""
        for weight in self.params:
            weight.grad = None
            weight.__dict__.pop("summed_grad", None)


def _schedule(step: int, steps: int) -> float:
    """A short rise, then a cosine down to a tenth."""
    rise = min(1.0, (step + 1) / max(1.0, 0.05 * steps))
    return rise * (0.1 + 0.9 * (0.5 + 0.5 * math.cos(math.pi * step / steps)))


def _weights(network: nn.Module) -> list[nn.Parameter]:
    """What is trained, if ghost clipping is exact on it."""
    for layer in network.modules():
        own = list(layer.parameters(recurse=False))
        if own and (type(layer) is not nn.Linear or len(own) != 2 or not all(weight.requires_grad for weight in own)):
            raise PrivacyError(f"weights must lie in linear layers with a bias, found {type(layer).__name__}")
        if any(weight.dtype != torch.float64 for weight in own):
            raise PrivacyError("gradients are clipped and summed in double precision: the network must be .double()")
    return list(network.parameters())
