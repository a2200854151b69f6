"""Mechanisms add the noise their event names, and diffprivlib stays behind one module."""

from __future__ import annotations

import ast
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import synth
from synth.dp.events import PrivacyError
from synth.dp.mechanisms import SCORE_GRID, HeadCount, ScoreChoice, TableGaussian, on_grid, single_histogram
from synth.dp.randomness import SystemRandomness

FALSE_ALARM = 1e-6  # of every statistical test here
ROOT = Path(synth.__file__).resolve().parent.parent


def test_diffprivlib_is_imported_in_one_module_only() -> None:
    found = set()
    for package in ("synth", "gateway", "audit", "policies"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                if any(name.split(".")[0] == "diffprivlib" for name in names):
                    found.add(path.relative_to(ROOT).as_posix())
    assert found == {"synth/dp/mechanisms.py"}


def test_table_noise_has_the_variance_of_its_sigma() -> None:
    mechanism = TableGaussian(sigma=12.5, sensitivity=1, randomness=SystemRandomness())
    noisy = mechanism.randomise_table(np.full((100, 200), 1000, dtype=np.int64))
    assert noisy.dtype == np.int64
    scaled = (noisy - 1000).ravel() / 12.5
    # The discrete Gaussian's variance is sigma^2 to 1e-100 here, its kurtosis the normal's.
    assert FALSE_ALARM < stats.chi2(20_000).cdf(float(scaled @ scaled)) < 1 - FALSE_ALARM
    assert abs(scaled.mean()) < stats.norm.isf(FALSE_ALARM / 2) / math.sqrt(20_000)


def test_table_noise_knows_its_rho() -> None:
    assert TableGaussian(sigma=30.0, sensitivity=3, randomness=SystemRandomness()).rho == pytest.approx(0.005)


def test_one_count_is_randomised_like_a_table() -> None:
    mechanism = TableGaussian(sigma=3.0, sensitivity=1, randomness=SystemRandomness())
    drawn = np.array([mechanism.randomise(5) for _ in range(400)]) - 5
    assert FALSE_ALARM < stats.chi2(400).cdf(float(drawn @ drawn) / 9) < 1 - FALSE_ALARM


@pytest.mark.parametrize("sigma", [1.0, 0.0, -3.0, math.nan, math.inf])
def test_noise_below_two_counts_is_refused(sigma: float) -> None:
    with pytest.raises(PrivacyError):
        TableGaussian(sigma=sigma, sensitivity=1, randomness=SystemRandomness())


def test_float_tables_are_refused() -> None:
    with pytest.raises(PrivacyError, match="integers"):
        TableGaussian(sigma=3.0, sensitivity=1, randomness=SystemRandomness()).randomise_table(np.zeros(3))  # type: ignore[arg-type]


def test_head_count_is_discrete_laplace() -> None:
    mechanism = HeadCount(epsilon=0.5, randomness=SystemRandomness())
    drawn = np.array([mechanism.randomise(100) for _ in range(800)]) - 100
    ratio = math.exp(-0.5)
    zero = (1 - ratio) / (1 + ratio)
    assert stats.binomtest(int((drawn == 0).sum()), 800, zero).pvalue > FALSE_ALARM
    assert stats.binomtest(int((drawn > 0).sum()), 800, (1 - zero) / 2).pvalue > FALSE_ALARM
    assert stats.binomtest(int((drawn >= 4).sum()), 800, ratio**4 / (1 + ratio)).pvalue > FALSE_ALARM


def test_choice_probabilities_are_those_of_the_exponential_mechanism() -> None:
    scores = [0, 3 * SCORE_GRID, 5 * SCORE_GRID, -(10**6) * SCORE_GRID]
    mechanism = ScoreChoice(epsilon=0.8, sensitivity=SCORE_GRID, scores=scores, randomness=SystemRandomness())
    drawn = np.bincount([mechanism.randomise() for _ in range(1000)], minlength=4)
    weights = np.exp([0.4 * 0, 0.4 * 3, 0.4 * 5])
    assert drawn[3] == 0
    assert stats.chisquare(drawn[:3], weights / weights.sum() * 1000).pvalue > FALSE_ALARM


def test_scores_are_rounded_to_the_grid_and_absurd_ones_refused() -> None:
    assert on_grid(np.array([1.0, 0.5 / SCORE_GRID + 2.0, -3.25])).tolist() == [
        SCORE_GRID,
        2 * SCORE_GRID,
        -3.25 * SCORE_GRID,
    ]
    for absurd in (math.nan, math.inf, 1e13):
        with pytest.raises(PrivacyError):
            on_grid(np.array([absurd]))


def test_histogram_is_noisy_counts_within_declared_edges() -> None:
    noisy = single_histogram(np.repeat([0.5, 1.5, 2.0], [500, 300, 200]), [0.0, 1.0, 2.0], 1.0)
    # Geometric noise of scale 1 exceeds 25 with probability 2e-11.
    assert np.abs(noisy - np.array([500, 500])).max() <= 25


def test_histogram_noise_grows_with_the_rows_of_a_patient() -> None:
    values = np.full(100_000, 0.5)
    drawn = np.array([single_histogram(values, [0.0, 1.0], 1.0, contribution=10)[0] for _ in range(400)]) - 100_000
    ratio = math.exp(-0.1)
    variance = 2 * ratio / (1 - ratio) ** 2
    # Mean of 400 squares of Laplace-like noise: standard error sqrt(5 / 400) of the variance; 5 of them, below 1e-5.
    assert abs(float((drawn**2).mean()) / variance - 1) < 5 * math.sqrt(5 / 400)


@pytest.mark.parametrize("bad", [math.nan, -0.1, 2.1, math.inf])
def test_missing_and_out_of_range_values_raise_instead_of_vanishing(bad: float) -> None:
    with pytest.raises(PrivacyError, match="1 values are missing or outside") as caught:
        single_histogram(np.array([0.5, bad]), [0.0, 1.0, 2.0], 1.0)
    assert str(bad) not in str(caught.value)


@pytest.mark.parametrize("edges", [[], [0.0], [0.0, 0.0], [1.0, 0.0], [0.0, math.inf], [0.0, math.nan]])
def test_a_histogram_without_usable_public_edges_is_refused(edges: list[float]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PrivacyError):
            single_histogram(np.array([0.5]), edges, 1.0)
