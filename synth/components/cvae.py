"""What does a neural network make of the dependence between columns?

A conditional variational autoencoder: Kingma and Welling, Auto-encoding variational Bayes, ICLR 2014; conditions: Sohn,
Lee, Yan, Learning structured output representation using deep conditional generative models, NeurIPS 2015; weight on
the divergence: Higgins et al., beta-VAE, ICLR 2017. Scores are decoded with one learned noise scale per column.

Codes are drawn per class from the moments of the codes that patients of the class have, not from the standard normal
they were only drawn towards (Ghosh et al., From variational to deterministic autoencoders, ICLR 2020, section 4). What
decoded means lack to the class covariance is added as Gaussian noise, so that class mean and covariance are kept; that
last step is ours.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from synth.components.moments import Floats, Moments, class_moments, covariance_root
from synth.components.perclass import Codes, checked, members_of

LEAST_ROWS = 50
"""A smaller table is drawn from its moments."""
_RATE = 2e-3
_DECAY = 300.0
"""Weight decay is this over the number of rows: few rows, little trust in them."""
_WARM_UP = 50
_CHECKS = 40
_PATIENCE = 10
_LEAST_NOISE = 0.1
_DRAWS = (2_000, 20_000)
_CHUNK = 20_000


class ConditionalVAE:
    """One network for all classes, each class with a learned embedding.

    Parameters
    ----------
    beta : weight of the divergence between codes and the standard normal.
    device : where torch computes.
    """

    name: ClassVar[str] = "cvae"
    memorises: ClassVar[bool] = False

    def __init__(self, *, beta: float = 1.0, device: str = "cpu") -> None:
        self.beta = beta
        self.device = device

    def fit(self, scores: Floats, classes: Codes, rng: np.random.Generator) -> Self:
        """Learn from (n, d) scores and (n,) class codes; stops when an eighth of the rows, left out, no longer gains.

        Raises
        ------
        SynthesisError
            No rows, shapes that do not belong together, or a score that is not finite.
        """
        scores, classes = checked(scores, classes)
        members = members_of(classes)
        self._whole, self._moments = class_moments(scores, members)
        self._places = {code: place for place, code in enumerate(members)}
        self._network: _Network | None = None
        self._codes: dict[int, Moments] = {}
        self._filling: dict[int, tuple[Floats, Floats]] = {}
        if len(scores) < LEAST_ROWS:
            return self
        generator = _generator(rng, self.device)
        rows = torch.as_tensor(scores, dtype=torch.float32, device=self.device)
        labels = torch.as_tensor(np.searchsorted(list(members), classes), device=self.device)
        self._network = _Network.fresh(rows.shape[0], rows.shape[1], len(members), generator)
        with _one_thread():
            _train(self._network, rows, labels, self.beta, generator)
        _, self._codes = class_moments(self._network.codes(rows, labels, generator), members)
        for code, moments in self._moments.items():
            made = self._decoded(code, int(np.clip(moments.rows, *_DRAWS)), rng)
            spread = np.atleast_2d(np.cov(made, rowvar=False, ddof=0))
            self._filling[code] = moments.mean - made.mean(axis=0), covariance_root(moments.covariance - spread)
        return self

    def sample(self, classes: Codes, rng: np.random.Generator) -> Floats:
        """(m, d) new rows, row i of class ``classes[i]``."""
        out = np.empty((len(classes), len(self._whole.mean)))
        for code, rows in members_of(classes).items():
            if code not in self._filling:
                out[rows] = self._moments.get(code, self._whole).draw(len(rows), rng)
                continue
            shift, root = self._filling[code]
            noise = rng.standard_normal((len(rows), len(shift))) @ root.T
            out[rows] = self._decoded(code, len(rows), rng) + shift + noise
        return out

    def _decoded(self, code: int, m: int, rng: np.random.Generator) -> Floats:
        assert self._network is not None  # noqa: S101  # a class has a filling only if there is a network
        return self._network.decoded(self._codes[code].draw(m, rng), self._places[code])


class _Network:
    """Encoder and decoder with two hidden layers each; its weights lie one after the other in a flat tensor."""

    def __init__(self, shapes: list[tuple[int, ...]], latent: int, generator: torch.Generator) -> None:
        self.latent = latent
        sizes = [math.prod(shape) for shape in shapes]
        self.flat = torch.zeros(sum(sizes), device=generator.device)
        parts = torch.split(self.flat, sizes)
        self.weights = [part.view(shape).requires_grad_() for part, shape in zip(parts, shapes, strict=True)]

    @classmethod
    def fresh(cls, n: int, d: int, classes: int, generator: torch.Generator) -> _Network:
        """A network sized for n rows of d columns, with random weights."""
        hidden = 64 if n < 1_000 else 128 if n < 5_000 else 256
        latent = min(24, d, max(2, n // 20), 2 + int(2 * math.sqrt(d)))
        embedded = min(8, classes)
        layers = [(d + embedded, hidden), (hidden, hidden), (hidden, 2 * latent)]
        layers += [(latent + embedded, hidden), (hidden, hidden), (hidden, d)]
        shapes: list[tuple[int, ...]] = [(classes, embedded), (d,)]
        for wide, narrow in layers:
            shapes += [(wide, narrow), (narrow,)]
        network = cls(shapes, latent, generator)
        with torch.no_grad():
            network.weights[0].normal_(generator=generator)
            network.weights[1].fill_(-0.5)
            for weight in network.weights[2::2]:
                weight.normal_(std=1.0 / math.sqrt(weight.shape[0]), generator=generator)
        return network

    def loss(self, rows: Tensor, labels: Tensor, noise: Tensor, beta: float) -> Tensor:
        """Mean over rows of the negative log likelihood (without its constant) and ``beta`` times the divergence."""
        mean, log_variance = self._encoded(rows, labels)
        decoded = self._pass(8, mean + torch.exp(log_variance / 2) * noise, labels)
        log_scale = self.weights[1].clamp(min=math.log(_LEAST_NOISE))
        misfit = (((rows - decoded) / log_scale.exp()) ** 2 / 2 + log_scale).sum(1)
        divergence = (log_variance.exp() + mean**2 - 1 - log_variance).sum(1) / 2
        return (misfit + beta * divergence).mean()

    @torch.no_grad()
    def codes(self, rows: Tensor, labels: Tensor, generator: torch.Generator) -> Floats:
        """(n, latent) one code drawn for every row."""
        parts = []
        for part, label in zip(torch.split(rows, _CHUNK), torch.split(labels, _CHUNK), strict=True):
            mean, log_variance = self._encoded(part, label)
            noise = torch.randn(mean.shape, generator=generator, device=generator.device)
            parts.append(mean + torch.exp(log_variance / 2) * noise)
        return _floats(torch.cat(parts))

    @torch.no_grad()
    def decoded(self, codes: Floats, place: int) -> Floats:
        """(m, d) means of rows with these codes (m, latent) in the class at this place."""
        given = torch.as_tensor(codes, dtype=torch.float32, device=self.flat.device)
        parts = [self._pass(8, p, torch.full((len(p),), place, device=p.device)) for p in torch.split(given, _CHUNK)]
        return _floats(torch.cat(parts))

    def _encoded(self, rows: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self._pass(2, rows, labels).chunk(2, 1)
        return mean, log_variance.clamp(-8.0, 4.0)

    def _pass(self, first: int, values: Tensor, labels: Tensor) -> Tensor:
        values = torch.cat([values, self.weights[0][labels]], 1)
        for at in (first, first + 2, first + 4):
            values = functional.linear(values, self.weights[at].T, self.weights[at + 1])
            values = functional.gelu(values) if at < first + 4 else values
        return values


def _train(network: _Network, rows: Tensor, labels: Tensor, beta: float, generator: torch.Generator) -> None:
    """Adam with decoupled weight decay and a cosine schedule; the weights of the best check are kept.

    Written out because torch.optim imports the compiler, which takes longer than training on a small table.
    """
    n = len(rows)
    steps = 1_000 if n < 5_000 else 2_000
    batch = 64 if n < 1_000 else 256 if n < 10_000 else 512
    order = torch.randperm(n, generator=generator, device=rows.device)
    decay = _DECAY / n
    watched, used = order[: n // 8], order[n // 8 :]
    noise = torch.randn((len(watched), network.latent), generator=generator, device=rows.device)
    first, second = torch.zeros_like(network.flat), torch.zeros_like(network.flat)
    best, kept, worse = math.inf, network.flat.clone(), 0
    for step, chosen in zip(range(1, steps + 1), _batches(used, batch, generator), strict=False):
        shape = (len(chosen), network.latent)
        drawn = torch.randn(shape, generator=generator, device=rows.device)
        loss = network.loss(rows[chosen], labels[chosen], drawn, beta)
        gradient = torch.cat([part.flatten() for part in torch.autograd.grad(loss, network.weights)])
        rate = _RATE * min(1.0, step / _WARM_UP) * (0.01 + 0.5 + 0.5 * math.cos(math.pi * step / steps))
        with torch.no_grad():
            first.lerp_(gradient, 0.1)
            second.lerp_(gradient**2, 0.001)
            move = first / (1 - 0.9**step) / ((second / (1 - 0.999**step)).sqrt() + 1e-8)
            network.flat.mul_(1 - rate * decay).sub_(move, alpha=rate)
            if step % (steps // _CHECKS):
                continue
            now = float(network.loss(rows[watched], labels[watched], noise, beta))
        worse = 0 if now < best else worse + 1
        if now < best:
            best, kept = now, network.flat.clone()
        if worse == _PATIENCE:
            break
    with torch.no_grad():
        network.flat.copy_(kept)


def _batches(rows: Tensor, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Batches of row numbers, pass after pass in another order, without end; a short rest is left out."""
    size = min(size, len(rows))
    while True:
        order = rows[torch.randperm(len(rows), generator=generator, device=rows.device)]
        for at in range(0, len(rows) - size + 1, size):
            yield order[at : at + size]


@contextmanager
def _one_thread() -> Iterator[None]:
    """Steps this small lose more to a second thread's waiting than it computes, above all beside other work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _generator(rng: np.random.Generator, device: str) -> torch.Generator:
    return torch.Generator(device=device).manual_seed(int(rng.integers(2**63)))


def _floats(values: Tensor) -> Floats:
    return values.cpu().numpy().astype(np.float64)
