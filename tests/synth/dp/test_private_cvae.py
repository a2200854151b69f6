"""The private CVAE: it learns what is tied together, survives its noise, and holds nothing but its decoder."""

from __future__ import annotations

import pickle
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from synth.dp.dpsgd import Descent
from synth.dp.events import PrivacyError, SampledGaussianEvent
from synth.dp.private_cvae import PrivateCVAE, Shape, _Network, train_private_cvae
from synth.dp.randomness import SystemRandomness

SIZES = (4, 2, 4, 3)
Codes = NDArray[np.int64]


def planted(rows: int, seed: int = 0) -> Codes:
    """Column 2 repeats column 0 in nine rows of ten, column 3 leans on the label (column 1)."""
    rng = np.random.default_rng(seed)
    codes = np.stack([rng.integers(0, size, rows) for size in SIZES], axis=1)
    copied = rng.random(rows) < 0.9
    codes[copied, 2] = codes[copied, 0]
    codes[:, 3] = np.where(rng.random(rows) < 0.8, 2 * codes[:, 1], codes[:, 3])
    return codes


def trained(codes: Codes, noise: float, steps: int = 20, **options: object) -> PrivateCVAE:
    event = SampledGaussianEvent("cvae", noise, 0.1, steps)
    choices = {"people": len(codes), "shape": Shape(hidden=32, latent=3)} | options
    return train_private_cvae(codes, np.arange(len(codes)), SIZES, 1, event, SystemRandomness(), **choices)  # type: ignore[arg-type]


@pytest.mark.slow
def test_with_hardly_any_noise_a_planted_dependence_is_learned() -> None:
    """Independent columns would agree in a quarter of the rows; the standard error of 4,000 rows is 0.008."""
    codes = planted(4_000)
    made = trained(codes, 0.01, 200, settings=Descent(clip=20.0, rate=2e-2)).sample(
        codes[:, 1], np.random.default_rng(1)
    )
    assert np.array_equal(made[:, 1], codes[:, 1])
    assert (made[:, 0] == made[:, 2]).mean() > 0.6
    for label in (0, 1):
        real, drawn = (np.mean(rows[rows[:, 1] == label, 3] == 2 * label) for rows in (codes, made))
        assert abs(real - drawn) < 0.1


@pytest.mark.parametrize("noise", [1e3, 1e9])
def test_under_any_noise_the_model_stays_finite_and_its_codes_in_the_domain(noise: float) -> None:
    model = trained(planted(100), noise, 50, settings=Descent(rate=0.1))
    assert all(np.isfinite(array).all() for layer in model.layers for array in layer)
    made = model.sample(np.arange(2_000) % 2, np.random.default_rng(1))
    assert made.shape == (2_000, 4)
    assert made.dtype == np.int32
    assert (made >= 0).all()
    assert (made < SIZES).all()


def test_an_empty_table_still_gives_a_model() -> None:
    model = trained(np.zeros((0, 4), dtype=np.int64), 1.0, people=50)
    assert (model.sample(np.zeros(10, dtype=np.int64), np.random.default_rng(0)) < SIZES).all()


def test_the_model_is_its_decoder_and_nothing_grows_with_the_rows() -> None:
    small, large = (len(pickle.dumps(trained(planted(rows), 1.0, people=50))) for rows in (50, 3_000))
    assert abs(small - large) < 64  # pickle writes some numbers shorter than others
    assert {field.name for field in fields(PrivateCVAE)} == {"sizes", "label", "layers", "offsets", "latent"}


def test_two_trainings_never_agree_whatever_is_seeded() -> None:
    weights = []
    state, old = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002  # the global state is what is tested
    try:
        for _ in range(2):
            torch.manual_seed(3)
            np.random.seed(3)  # noqa: NPY002
            before = torch.get_rng_state()
            weights.append(trained(planted(50), 1.0, 2).layers[1][0])
            assert torch.equal(before, torch.get_rng_state())
    finally:
        torch.set_rng_state(state)
        np.random.set_state(old)  # noqa: NPY002
    assert (weights[0] != weights[1]).all()


def test_equal_generators_draw_equal_rows() -> None:
    model = trained(planted(50), 1.0)
    first, second = (model.sample(np.ones(30, dtype=np.int64), np.random.default_rng(4)) for _ in range(2))
    assert np.array_equal(first, second)


def test_without_a_label_rows_are_drawn_all_the_same() -> None:
    event = SampledGaussianEvent("cvae", 1.0, 0.1, 5)
    codes = planted(60)
    model = train_private_cvae(codes, np.arange(60), SIZES, None, event, SystemRandomness(), people=60)
    assert model.sample(np.zeros(7, dtype=np.int64), np.random.default_rng(0)).shape == (7, 4)


def test_rows_start_from_the_noisy_tables() -> None:
    """One step changes little: column 3 under label 1 must follow its table. 20,000 rows: standard error 0.004."""
    tables = [np.full((2, size), 1e6) for size in SIZES]
    tables[3] = np.array([[1e6, 1e6, 1e6], [8e6, -5.0, 2e6]])
    model = trained(planted(50), 1.0, 1, tables=tables)
    made = model.sample(np.ones(20_000, dtype=np.int64), np.random.default_rng(2))
    assert np.abs(np.bincount(made[:, 3], minlength=3) / 20_000 - [0.8, 0.0, 0.2]).max() < 0.1


def test_a_row_loses_the_same_alone_and_in_a_batch() -> None:
    """(I-14) rests on it: no row's gradient may depend on another row."""
    rng = np.random.default_rng(5)
    network = _Network(SIZES, 1, np.zeros((2, 11)), Shape(hidden=16, latent=3), rng)
    codes, latent = torch.from_numpy(planted(20)), torch.from_numpy(rng.normal(size=(20, 3)))
    together = network(codes, latent)
    alone = torch.cat([network(codes[[row]], latent[[row]]) for row in range(20)])
    assert torch.allclose(together, alone, rtol=1e-12)


def test_the_released_decoder_answers_as_the_trained_one() -> None:
    """Without latent points and with one hot cell per column the draw is the largest score of either."""
    rng = np.random.default_rng(6)
    network = _Network(SIZES, 1, rng.normal(size=(2, 11)) * 1e6, Shape(hidden=16, latent=3), rng)
    made, nowhere = network.released().sample(np.array([0, 1]), rng), torch.zeros((1, 3), dtype=torch.float64)
    for label in (0, 1):
        codes = torch.from_numpy(made[[label]].astype(np.int64))
        best = float(network(codes, nowhere).detach())
        for column in (0, 2, 3):
            for cell in set(range(SIZES[column])) - {int(codes[0, column])}:
                other = codes.clone()
                other[0, column] = cell
                assert float(network(other, nowhere).detach()) > best


def test_what_does_not_belong_together_is_refused_without_naming_a_value() -> None:
    codes = planted(30)
    outside = codes.copy()
    outside[[3, 4], 2] = 4711
    with pytest.raises(PrivacyError, match="column 2 holds 2 codes outside its 4 declared cells") as caught:
        trained(outside, 1.0)
    assert "4711" not in str(caught.value)
    with pytest.raises(PrivacyError, match="codes must be"):
        trained(codes[:, :3], 1.0)
    with pytest.raises(PrivacyError, match="tables must be"):
        trained(codes, 1.0, tables=[np.ones((2, 4))] * 4)
    event, owners = SampledGaussianEvent("cvae", 1.0, 0.1, 1), np.arange(30)
    with pytest.raises(PrivacyError, match="the label must be"):
        train_private_cvae(codes, owners, SIZES, 4, event, SystemRandomness(), people=30)
    with pytest.raises(PrivacyError, match="besides the label"):
        train_private_cvae(codes[:, :1], owners, (4,), 0, event, SystemRandomness(), people=30)
    model = trained(codes, 1.0)
    with pytest.raises(PrivacyError, match="from 0 to 1"):
        model.sample(np.array([2]), np.random.default_rng(0))
    assert len(replace(model, label=None).sample(np.array([2]), np.random.default_rng(0))) == 1
