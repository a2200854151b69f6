"""What does a neural network make of a coded table when no patient may show in it?

A conditional variational autoencoder (Kingma and Welling, ICLR 2014; Sohn, Lee, Yan, NeurIPS 2015) on one-hot codes,
trained by DP-SGD: the encoder reads every column and the label, the decoder is given a latent point and the label and
answers with a distribution over the cells of every other column. Sizes of layers follow from the number of cells,
which is public; nothing is normalised, embedded or weighted by what the rows hold.

Where noisy tables of columns by label are at hand, the decoder starts from them: their log proportions are a fixed
offset on its answers, so that a small budget goes into what ties columns together beyond the label (ours; it is
post-processing of the tables).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from synth.dp.dpsgd import Descent, Rows, descend
from synth.dp.events import PrivacyError, SampledGaussianEvent
from synth.dp.randomness import SystemRandomness

Codes = NDArray[np.integer]
Floats = NDArray[np.float64]
_ROWS_AT_ONCE = 5_000
_WRITE = 0.1
"""The decoder starts near its offsets."""


@dataclass(frozen=True)
class Shape:
    """Public settings of the network; ``beta`` is the weight of the divergence (Higgins et al., ICLR 2017)."""

    hidden: int = 128
    latent: int = 8
    beta: float = 1.0


@dataclass(frozen=True)
class PrivateCVAE:
    """A trained decoder: weights that DP-SGD gave, and the caller's noisy tables. Nothing else of the rows is here.

    ``layers`` are the (weight (out, in), bias (out,)) of the decoder, ``offsets`` (labels, cells) its fixed part.
    """

    sizes: tuple[int, ...]
    label: int | None
    layers: tuple[tuple[Floats, Floats], ...]
    offsets: Floats
    latent: int

    def sample(self, labels: Codes, rng: np.random.Generator) -> NDArray[np.int32]:
        """(m, d) codes, row i under label ``labels[i]``, every column drawn from the decoder's distribution.

        Without a label column ``labels`` only says how many rows are wanted. Post-processing: any generator will do.

        Raises
        ------
        PrivacyError
            A label outside the label column's cells.
        """
        given = np.zeros(len(labels), dtype=np.int64) if self.label is None else np.asarray(labels, dtype=np.int64)
        if ((given < 0) | (given >= len(self.offsets))).any():
            raise PrivacyError(f"labels must be codes from 0 to {len(self.offsets) - 1}")
        out = np.empty((len(given), len(self.sizes)), dtype=np.int32)
        for at in range(0, len(given), _ROWS_AT_ONCE):
            part = given[at : at + _ROWS_AT_ONCE]
            out[at : at + len(part)] = self._drawn(part, rng)
        return out

    def _drawn(self, labels: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int32]:
        values = np.hstack([rng.standard_normal((len(labels), self.latent)), np.eye(len(self.offsets))[labels]])
        for place, (weight, bias) in enumerate(self.layers):
            values = (np.maximum(values, 0) if place else values) @ weight.T + bias
        values = values + self.offsets[labels]
        out = np.empty((len(labels), len(self.sizes)), dtype=np.int32)
        first = 0
        for column, size in enumerate(self.sizes):
            if column == self.label:
                out[:, column] = labels
                continue
            answers = values[:, first : first + size]
            out[:, column] = np.argmax(answers + rng.gumbel(size=answers.shape), axis=1)
            first += size
        return out


def train_private_cvae(
    codes: Codes,
    owners: NDArray[np.int64],
    sizes: Sequence[int],
    label: int | None,
    event: SampledGaussianEvent,
    randomness: SystemRandomness,
    *,
    people: int,
    tables: Sequence[Floats] | None = None,
    shape: Shape | None = None,
    settings: Descent | None = None,
    device: str = "cpu",
) -> PrivateCVAE:
    """Learn a decoder by DP-SGD, at the cost of ``event`` and no other.

    Parameters
    ----------
    codes : (n, d) cell numbers, column j from 0 to ``sizes[j]`` - 1.
    owners : (n,) the patient of every row.
    sizes : declared cells of every column.
    label : place of the column that rows are conditional on; None: there is none.
    event : noise, sampling rate and steps as charged.
    randomness : the operating system's.
    people : public number of patients.
    tables : for every column its noisy (labels, cells) table, or (1, cells) without a label; the label's own is not
        read. They must come from charged mechanisms.
    device : where torch computes.

    Raises
    ------
    PrivacyError
        Shapes that do not belong together, or codes outside the declared cells.
    """
    _check(codes, owners, sizes, label)
    rng = np.random.default_rng(randomness.integers(2**32, 8))  # initial weights only
    shape = shape or Shape()
    network = _Network(tuple(sizes), label, _offsets(sizes, label, tables), shape, rng, device)
    cells = torch.as_tensor(np.asarray(codes, dtype=np.int64), device=device)

    def examples(rows: Rows) -> tuple[Tensor, Tensor]:
        # privacy randomness: the bound on one patient holds if nobody can tell which draw went to whom
        latent = torch.from_numpy(randomness.normal((len(rows), network.latent)))
        return cells[torch.from_numpy(rows).to(device)], latent.to(device)

    descend(network, examples, owners, event, randomness, people=people, settings=settings)
    return network.released()


class _Network(nn.Module):
    """Encoder and decoder with one hidden layer each; called with codes and latent draws it gives losses per row."""

    def __init__(
        self,
        sizes: tuple[int, ...],
        label: int | None,
        offsets: Floats,
        shape: Shape,
        rng: np.random.Generator,
        device: str = "cpu",
    ) -> None:
        super().__init__()
        self.sizes, self.label, self.latent, self._beta = sizes, label, shape.latent, shape.beta
        answers = [j for j in range(len(sizes)) if j != label]
        self._spans = [sizes[j] for j in answers]
        labels, hidden = len(offsets), shape.hidden
        self.read = _linear(sum(sizes), hidden, 1 / math.sqrt(len(sizes)), rng)
        self.encode = _linear(hidden, 2 * shape.latent, 1 / math.sqrt(hidden), rng)
        self.decode = _linear(shape.latent + labels, hidden, 1 / math.sqrt(shape.latent + 1), rng)
        self.write = _linear(hidden, sum(self._spans), _WRITE / math.sqrt(hidden), rng)
        self.to(device)
        # Not buffers: opacus refuses a network that has some.
        self._offsets = torch.from_numpy(offsets).to(device)
        self._answers = torch.tensor(answers, device=device)
        self._starts = torch.tensor([sum(sizes[:j]) for j in range(len(sizes))], device=device)
        self._places = torch.tensor([sum(self._spans[:j]) for j in range(len(answers))], device=device)

    def forward(self, codes: Tensor, latent: Tensor) -> Tensor:
        """Evidence bound of (m, d) codes with the draws (m, latent), negative: (m,) losses."""
        seen = torch.zeros((len(codes), self.read.in_features), dtype=latent.dtype, device=latent.device)
        seen.scatter_(1, codes + self._starts, 1.0)
        mean, log_variance = self.encode(functional.relu(self.read(seen))).chunk(2, 1)
        log_variance = log_variance.clamp(-8.0, 4.0)
        labels = codes[:, self.label] if self.label is not None else codes.new_zeros(len(codes))
        given = functional.one_hot(labels, len(self._offsets)).to(latent.dtype)
        inner = torch.cat([mean + torch.exp(log_variance / 2) * latent, given], 1)
        scores = self.write(functional.relu(self.decode(inner))) + self._offsets[labels]
        hit = scores.gather(1, codes[:, self._answers] + self._places).sum(1)
        whole = torch.stack([part.logsumexp(1) for part in scores.split(self._spans, 1)], 1).sum(1)
        divergence = (log_variance.exp() + mean**2 - 1 - log_variance).sum(1) / 2
        return torch.add(whole - hit, divergence, alpha=self._beta)

    def released(self) -> PrivateCVAE:
        """The decoder in plain arrays."""
        layers = tuple((_array(layer.weight), _array(layer.bias)) for layer in (self.decode, self.write))
        return PrivateCVAE(self.sizes, self.label, layers, _array(self._offsets), self.latent)


def _linear(wide: int, narrow: int, spread: float, rng: np.random.Generator) -> nn.Linear:
    """A layer with weights from our own generator; torch's would touch its global one."""
    layer: nn.Linear = nn.Linear(wide, narrow, device="meta", dtype=torch.float64).to_empty(device="cpu")
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(rng.normal(0, spread, (narrow, wide))))
        layer.bias.zero_()
    return layer


def _offsets(sizes: Sequence[int], label: int | None, tables: Sequence[Floats] | None) -> Floats:
    """(labels, cells) log proportions of every column but the label, flat where no table is given."""
    labels = sizes[label] if label is not None else 1
    answers = [j for j in range(len(sizes)) if j != label]
    if tables is None:
        return np.zeros((labels, sum(sizes[j] for j in answers)))
    if len(tables) != len(sizes) or any(np.shape(tables[j]) != (labels, sizes[j]) for j in answers):
        raise PrivacyError("tables must be one (labels, cells) array for every column")
    parts = []
    for column in answers:
        # Noise leaves negative counts, and a cell without patients may yet have some: half a patient in every cell.
        counts = np.maximum(tables[column], 0) + 0.5
        pooled = counts.sum(axis=0) / counts.sum()
        counts = counts + 10 * pooled
        parts.append(np.log(counts / counts.sum(axis=1, keepdims=True)))
    return np.hstack(parts)


def _check(codes: Codes, owners: NDArray[np.int64], sizes: Sequence[int], label: int | None) -> None:
    if codes.ndim != 2 or codes.shape[1] != len(sizes) or owners.shape != (len(codes),):
        raise PrivacyError(
            f"codes must be (rows, {len(sizes)}) and owners (rows,), found {codes.shape} and {owners.shape}"
        )
    if label is not None and not 0 <= label < len(sizes):
        raise PrivacyError(f"the label must be the place of one of {len(sizes)} columns, found {label}")
    if len(sizes) < 1 + (label is not None) or min(sizes) < 1:
        raise PrivacyError("there must be a column besides the label, and at least one cell in every column")
    for column, size in enumerate(sizes):
        outside = int(((codes[:, column] < 0) | (codes[:, column] >= size)).sum())
        if outside:
            raise PrivacyError(f"column {column} holds {outside} codes outside its {size} declared cells")


def _array(values: Tensor) -> Floats:
    return values.detach().cpu().numpy().copy()
