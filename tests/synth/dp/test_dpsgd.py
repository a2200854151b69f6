"""DP-SGD: what one patient can change, what the noise is, and where it comes from."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from opacus.grad_sample.grad_sample_module_fast_gradient_clipping import GradSampleModuleFastGradientClipping
from opacus.optimizers import optimizer, optimizer_fast_gradient_clipping
from scipy import stats
from torch import Tensor, nn

from synth.dp.dpsgd import SLACK, Descent, Rows, clipped_sums, descend
from synth.dp.events import PrivacyError, SampledGaussianEvent
from synth.dp.randomness import SystemRandomness

Floats = NDArray[np.float64]


class Regression(nn.Module):
    """Two layers and a squared error per row; the last column is the target."""

    def __init__(self, wide: int = 5, hidden: int = 4) -> None:
        super().__init__()
        self.first = nn.Linear(wide, hidden, dtype=torch.float64)
        self.last = nn.Linear(hidden, 1, dtype=torch.float64)
        rng = np.random.default_rng(0)
        with torch.no_grad():
            for weight in self.parameters():
                weight.copy_(torch.from_numpy(rng.normal(size=tuple(weight.shape))))

    def forward(self, rows: Tensor) -> Tensor:
        answer: Tensor = self.last(torch.tanh(self.first(rows[:, :-1])))[:, 0]
        return (answer - rows[:, -1]) ** 2


class Quiet(SystemRandomness):
    """The system's sampling without its noise, to see the sums under it."""

    def normal(self, size: int | tuple[int, ...]) -> Floats:
        return np.zeros(size)


def table(rows: int = 40, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).normal(size=(rows, 6)) * 3


def reader(values: Floats) -> Callable[[Rows], tuple[Tensor, ...]]:
    return lambda rows: (torch.from_numpy(values[rows]),)


def flat_sum(values: Floats, clip: float, network: nn.Module | None = None) -> Floats:
    network = network or Regression()
    ghost = GradSampleModuleFastGradientClipping(network, loss_reduction="sum", max_grad_norm=clip)
    sums = clipped_sums(ghost, list(network.parameters()), reader(values), np.arange(len(values)), clip)
    return torch.cat([part.flatten() for part in sums]).numpy()


def released(
    values: Floats,
    event: SampledGaussianEvent,
    *,
    people: int,
    owners: NDArray[np.int64] | None = None,
    clip: float = 1.0,
    randomness: SystemRandomness | None = None,
) -> Floats:
    """(steps, weights) noisy mean gradients of a whole training."""
    seen: list[Floats] = []
    descend(
        Regression(),
        reader(values),
        np.arange(len(values)) if owners is None else owners,
        event,
        randomness or SystemRandomness(),
        people=people,
        settings=Descent(clip=clip, rate=1e-9),
        watch=lambda _, gradient: seen.append(gradient.numpy().copy()),
    )
    return np.array(seen)


@pytest.mark.parametrize("clip", [0.1, 1.0, 30.0])
def test_sums_are_those_of_gradients_clipped_one_by_one(clip: float) -> None:
    values = table()
    expected, lengths = np.zeros(29), []
    for row in values:
        network = Regression()
        network(torch.from_numpy(row[None])).sum().backward()
        gradient = torch.cat([weight.grad.flatten() for weight in network.parameters() if weight.grad is not None])
        lengths.append(float(gradient.norm()))
        expected += gradient.numpy() * min(1.0, clip * (1 - SLACK) / lengths[-1])
    if clip == 30.0:
        assert min(lengths) < clip < max(lengths)  # some rows are clipped and some are not
    assert np.abs(flat_sum(values, clip) - expected).max() < 1e-10


def test_a_batch_larger_than_memory_is_summed_in_parts() -> None:
    values = table(9_000)
    whole = flat_sum(values, 1.0)
    assert np.abs(whole - sum(flat_sum(part, 1.0) for part in np.array_split(values, 5))).max() < 1e-9


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e12, 1e12), min_size=6, max_size=6), st.floats(0.01, 100))
def test_no_patient_moves_the_sum_by_more_than_the_clipping_norm(row: list[float], clip: float) -> None:
    values = table(5)
    moved = flat_sum(np.vstack([values, row]), clip) - flat_sum(values, clip)
    assert np.linalg.norm(moved) <= clip


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf, 1e200])
@pytest.mark.parametrize("column", [0, 5])
def test_a_row_whose_gradient_is_not_finite_contributes_nothing(poison: float, column: int) -> None:
    values = table()
    poisoned = values.copy()
    poisoned[7, column] = poison
    moved = flat_sum(poisoned, 1.0) - flat_sum(np.delete(values, 7, axis=0), 1.0)
    assert np.linalg.norm(moved) <= (1.0 if poison == 1e200 else 1e-12)


def test_a_batch_of_nothing_but_poison_sums_to_zero() -> None:
    assert not flat_sum(np.full((3, 6), math.nan), 1.0).any()


def test_training_on_poisoned_rows_stays_finite() -> None:
    values = table()
    values[::2] = math.nan
    assert np.isfinite(released(values, SampledGaussianEvent("s", 1.0, 0.5, 5), people=40)).all()


def test_a_patient_brings_one_row_however_many_there_are() -> None:
    """All rows of one patient point the same way: their sum would be 200 clipping norms long."""
    values = np.repeat(table(1) + 5, 200, axis=0)
    sums = released(
        values,
        SampledGaussianEvent("s", 1.0, 1.0, 3),
        people=1,
        owners=np.full(200, 17),
        clip=0.5,
        randomness=Quiet(),
    )
    assert np.allclose(np.linalg.norm(sums, axis=1), 0.5 * (1 - SLACK), rtol=1e-9)


def test_patients_are_sampled_at_the_charged_rate_independently_of_their_rows() -> None:
    """400 steps of 60 patients at rate 0.3: each test below has a false-alarm rate of 1e-6."""
    owners = np.repeat(np.arange(60), np.arange(60) % 7 + 1)
    batches: list[Rows] = []

    def examples(rows: Rows) -> tuple[Tensor, ...]:
        batches.append(rows)
        return (torch.from_numpy(table(len(owners))[rows]),)

    descend(Regression(), examples, owners, SampledGaussianEvent("s", 1.0, 0.3, 400), SystemRandomness(), people=60)
    taken = [owners[rows] for rows in batches]
    assert all(len(np.unique(each)) == len(each) for each in taken)
    counts = np.bincount(np.concatenate(taken), minlength=60)
    assert 1e-6 / 2 < stats.binom.cdf(counts.sum(), 400 * 60, 0.3) < 1 - 1e-6 / 2
    spread = ((counts - 120) ** 2 / (400 * 0.3 * 0.7)).sum()
    assert 1e-6 / 2 < stats.chi2.cdf(spread, 60) < 1 - 1e-6 / 2
    sizes = np.array([len(each) for each in batches])
    assert 1e-6 / 2 < stats.chi2.cdf(((sizes - 18) ** 2).sum() / (60 * 0.3 * 0.7), 400) < 1 - 1e-6 / 2
    rows = np.bincount(np.concatenate(batches), minlength=len(owners))[owners == 6]  # the seven rows of patient 6
    assert stats.chisquare(rows).pvalue > 1e-6


def test_noise_is_the_charged_multiple_of_the_clipping_norm_and_normal() -> None:
    """No patient at all: what is released is noise. 58,000 numbers; false-alarm rate 1e-6 for each of two tests."""
    event = SampledGaussianEvent("s", 3.0, 0.02, 2_000)
    noise = released(np.zeros((0, 6)), event, people=1_000, clip=0.7) * (0.02 * 1_000) / (3.0 * 0.7)
    assert noise.shape == (2_000, 29)
    assert 1e-6 / 2 < stats.chi2.cdf((noise**2).sum(), noise.size) < 1 - 1e-6 / 2
    assert stats.kstest(noise.ravel(), "norm").pvalue > 1e-6


def test_the_divisor_is_public() -> None:
    """The rows decide the sum alone; twice the public number of patients halves what comes out."""
    event = SampledGaussianEvent("s", 1.0, 1.0, 2)
    values = table()
    once = released(values, event, people=40, randomness=Quiet())
    assert np.allclose(once, flat_sum(values, 1.0) / 40, atol=1e-7)
    assert np.allclose(released(values, event, people=80, randomness=Quiet()), once / 2, atol=1e-7)
    half = released(values[:20], event, people=40, randomness=Quiet())
    assert np.allclose(half, flat_sum(values[:20], 1.0) / 40, atol=1e-7)


@pytest.mark.parametrize("rows", [0, 3])
def test_every_charged_step_is_taken_even_with_an_empty_batch(rows: int) -> None:
    gradients = released(table(rows) if rows else np.zeros((0, 6)), SampledGaussianEvent("s", 1.0, 1e-4, 50), people=3)
    assert gradients.shape == (50, 29)
    assert (gradients != 0).all()


def test_a_seed_repeats_nothing_and_torch_is_not_asked() -> None:
    event = SampledGaussianEvent("s", 1.0, 0.5, 2)
    runs = []
    state = torch.get_rng_state()
    try:
        for _ in range(2):
            torch.manual_seed(7)
            before = torch.get_rng_state()
            runs.append(released(table(0), event, people=10))
            descended = torch.get_rng_state()
            torch.manual_seed(7)
            Regression()  # torch's own first weights, the only thing here that asks its generator
            assert torch.equal(descended, torch.get_rng_state())
            assert not torch.equal(before, descended)
    finally:
        torch.set_rng_state(state)
    assert (runs[0] != runs[1]).all()


def test_the_noise_of_opacus_is_never_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> Tensor:
        raise AssertionError

    for module in (optimizer, optimizer_fast_gradient_clipping):
        monkeypatch.setattr(module, "_generate_noise", refused)
    assert np.isfinite(released(table(), SampledGaussianEvent("s", 1.0, 0.5, 2), people=10)).all()


def test_nothing_of_the_rows_is_left_on_the_network() -> None:
    network = Regression()
    plain = {name: set(vars(module)) for name, module in network.named_modules()}
    event = SampledGaussianEvent("s", 1.0, 0.5, 3)
    descend(network, reader(table()), np.arange(40), event, SystemRandomness(), people=40)
    for name, module in network.named_modules():
        assert set(vars(module)) - plain[name] <= {"activations"}
        assert not vars(module).get("activations")
    assert all(not vars(weight) and weight.grad is None for weight in network.parameters())


def test_descent_reaches_what_can_be_learned_when_noise_is_small() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(size=(500, 6))
    values[:, 5] = np.tanh(values[:, 0])
    network = Regression()
    before = float(network(torch.from_numpy(values)).detach().mean())
    event = SampledGaussianEvent("s", 1e-3, 0.2, 300)
    descend(network, reader(values), np.arange(500), event, SystemRandomness(), people=500, settings=Descent(rate=0.03))
    assert float(network(torch.from_numpy(values)).detach().mean()) < 0.1 * before


def test_networks_on_which_clipping_would_not_be_exact_are_refused() -> None:
    event = SampledGaussianEvent("s", 1.0, 0.5, 1)
    across = nn.Sequential(nn.Linear(5, 4, dtype=torch.float64), nn.LayerNorm(4, dtype=torch.float64))
    for network, people, words in (
        (Regression().float(), 10, "double precision"),
        (across, 10, "LayerNorm"),
        (nn.Linear(5, 1, bias=False, dtype=torch.float64), 10, "with a bias"),
        (Regression(), 0, "at least 1, found 0"),
    ):
        with pytest.raises(PrivacyError, match=words):
            descend(network, reader(table()), np.arange(40), event, SystemRandomness(), people=people)


@pytest.mark.parametrize("clip", [0.0, -1.0, math.nan, math.inf])
def test_a_clipping_norm_that_bounds_nothing_is_refused(clip: float) -> None:
    with pytest.raises(PrivacyError, match="finite numbers above 0"):
        Descent(clip=clip)
