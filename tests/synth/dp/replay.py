"""Does what a training returns hang on anything but its noisy gradients? It is trained again from those alone.

Adam and the running mean, put to the watched gradients from the initial weights, must give the returned weights to the
last bit; so an early stop, a choice of checkpoint, a rate that follows the real loss or a last touch by the rows cannot
hide. A choice among whole trainings would pass that and shows in the noise and batches that were drawn.

A choice by the real loss that picks what would be returned anyway leaves no trace. Therefore these trainings are such
that the loss on the real rows rises in some and falls in others, and that is asserted. Each of these steps is twelve
or more standard deviations long (hundreds of weights move at random), so that a false alarm is far rarer than 1e-9;
nothing else is left to chance.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from synth.dp import dpsgd, private_cvae
from synth.dp.dpsgd import Descent
from synth.dp.events import SampledGaussianEvent
from synth.dp.private_cvae import Shape
from synth.dp.randomness import SystemRandomness
from tests.synth.dp.auditing import CannotTellError

Weights = list[Tensor]

_WIDE = 400


class Squares(nn.Module):
    """Squared errors of a linear layer; its weights start at 0."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(_WIDE, 1, dtype=torch.float64)
        with torch.no_grad():
            for weight in self.parameters():
                weight.zero_()

    def forward(self, rows: Tensor, wanted: Tensor) -> Tensor:
        answer: Tensor = self.layer(rows)
        return (answer[:, 0] - wanted) ** 2


@dataclass(frozen=True)
class Training:
    """A training of :class:`Squares`, of which it is known how the loss on the real rows goes.

    Every row asks for ``target`` and has a weight of its own, so that the loss is a mean over hundreds of them; at 0
    the weights start, so that noise can only worsen them.
    """

    rows: int
    target: float
    event: SampledGaussianEvent
    settings: Descent
    falls: bool | None

    def run(self) -> None:
        """Train, replay and compare."""
        network, gradients, system = Squares(), [], _Counting()
        inputs = 10 * torch.eye(_WIDE, dtype=torch.float64)[: self.rows]
        wanted = torch.full((self.rows,), self.target, dtype=torch.float64)
        start = copied(network)
        dpsgd.descend(
            network,
            lambda rows: (inputs[rows], wanted[rows]),
            np.arange(self.rows),
            self.event,
            system,
            people=_WIDE,
            settings=self.settings,
            watch=lambda _, gradient: gradients.append(gradient.clone()),
        )
        path = replayed(start, gradients, self.event, self.settings)
        if self.falls is not None:
            losses = [_loss(network, weights, inputs, wanted) for weights in path]
            if {later < sooner for sooner, later in itertools.pairwise(losses)} != {self.falls}:
                raise CannotTellError(
                    f"the loss on the real rows was to {'fall' if self.falls else 'rise'} with every step"
                )
        assert len(gradients) == self.event.steps
        assert system.batches == self.event.steps
        assert system.normals == self.event.steps * sum(weight.numel() for weight in start)
        assert same(copied(network), path[-1])


TRAININGS = (
    Training(_WIDE, 0.0, SampledGaussianEvent("train", 8.0, 0.3, 12), Descent(clip=1.0, averaged=0.3), False),
    Training(_WIDE, 9.0, SampledGaussianEvent("train", 0.05, 0.8, 12), Descent(clip=1.0, averaged=0.3), True),
    Training(_WIDE, 9.0, SampledGaussianEvent("train", 1.0, 0.3, 60), Descent(), None),
    Training(0, 0.0, SampledGaussianEvent("train", 1.0, 0.3, 12), Descent(), None),
)


def weights_hang_on_noisy_gradients_alone(_: pytest.MonkeyPatch) -> None:
    for training in TRAININGS:
        training.run()


def decoders_hang_on_noisy_gradients_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """And everything else that is released with them, and the weights that training starts from, on no row at all."""
    event, settings = SampledGaussianEvent("train", 8.0, 0.5, 12), Descent(clip=1.0, rate=0.3, averaged=0.3)
    everyone = np.stack(np.divmod(np.arange(16), 4), axis=1)
    laid_out = []
    for codes in (everyone, everyone[15:].repeat(16, axis=0), everyone[:0]):
        with monkeypatch.context() as patch:
            started: list[tuple[nn.Module, Weights]] = []
            gradients: list[Tensor] = []
            _spy(patch, started, gradients)
            system = _Counting()
            decoder = private_cvae.train_private_cvae(
                codes, np.arange(len(codes)), (4, 4), None, event, system,
                people=16, shape=Shape(hidden=64, latent=2), settings=settings,
            )  # fmt: skip
        assert len(started) == 1
        network, start = started[0]
        path = replayed(start, gradients, event, settings)
        if len(np.unique(codes)) == 4:
            latent = torch.from_numpy(np.random.default_rng(4).normal(size=(16, 2)))
            first, last = (_loss(network, weights, torch.from_numpy(codes), latent) for weights in (start, path[-1]))
            if last <= first:
                raise CannotTellError("the loss on the real rows was to rise")
        assert len(gradients) == system.batches == event.steps
        returned = [torch.from_numpy(each) for layer in decoder.layers for each in layer]
        assert same(returned, path[-1][-4:])
        laid_out.append((decoder.sizes, decoder.label, decoder.latent, decoder.offsets, start))
    for each in laid_out[1:]:
        assert each[:3] == laid_out[0][:3]
        assert np.array_equal(each[3], laid_out[0][3])
        assert same(each[4], laid_out[0][4])


def replayed(
    start: Weights, gradients: Sequence[Tensor], event: SampledGaussianEvent, settings: Descent
) -> list[Weights]:
    """The running means after no step, after one, ... by torch's Adam and the public settings.

    Written out here and not taken from the code under test, the schedule too: a short rise, then a cosine.
    """
    weights = [nn.Parameter(each.clone()) for each in start]
    means = [each.clone() for each in start]
    adam = torch.optim.Adam(weights, lr=settings.rate)
    path = [copy.deepcopy(means)]
    for step, gradient in enumerate(gradients):
        for weight, part in zip(weights, gradient.split([each.numel() for each in start]), strict=True):
            weight.grad = part.view_as(weight).clone()
        rise = min(1.0, (step + 1) / max(1.0, 0.05 * event.steps))
        adam.param_groups[0]["lr"] = settings.rate * (
            rise * (0.1 + 0.9 * (0.5 + 0.5 * math.cos(math.pi * step / event.steps)))
        )
        adam.step()
        for mean, weight in zip(means, weights, strict=True):
            mean.lerp_(weight.detach(), max(settings.averaged, 1 / (step + 1)))
        path.append(copy.deepcopy(means))
    return path


def copied(network: nn.Module) -> Weights:
    """The weights as they are now."""
    return [weight.detach().clone() for weight in network.parameters()]


def same(some: Weights, others: Weights) -> bool:
    """To the last bit."""
    return len(some) == len(others) and all(torch.equal(one, other) for one, other in zip(some, others, strict=True))


def put(network: nn.Module, weights: Weights) -> None:
    """Give the network these weights."""
    with torch.no_grad():
        for weight, each in zip(network.parameters(), weights, strict=True):
            weight.copy_(each)


def _loss(network: nn.Module, weights: Weights, *inputs: Tensor) -> float:
    judged = copy.deepcopy(network)
    put(judged, weights)
    with torch.no_grad():
        return float(judged(*inputs).mean())


def _spy(patch: pytest.MonkeyPatch, started: list[tuple[nn.Module, Weights]], gradients: list[Tensor]) -> None:
    descend: Callable[..., None] = private_cvae.descend

    def watched(network: nn.Module, *values: Any, **named: Any) -> None:
        started.append((network, copied(network)))
        descend(network, *values, **named, watch=lambda _, gradient: gradients.append(gradient.clone()))

    patch.setattr(private_cvae, "descend", watched)


class _Counting(SystemRandomness):
    """Counts batches and normal numbers; the key of a network's initial weights is always the same."""

    def __init__(self) -> None:
        super().__init__()
        self.batches = self.normals = 0

    def poisson_sample(self, n: int, rate: float) -> Any:
        self.batches += 1
        return super().poisson_sample(n, rate)

    def normal(self, size: Any) -> Any:
        self.normals += int(np.prod(size))
        return super().normal(size)

    def integers(self, upper: int, size: Any) -> Any:
        return np.arange(8) if (upper, size) == (2**32, 8) else super().integers(upper, size)
