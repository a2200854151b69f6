"""Mechanisms add the noise their event names, and diffprivlib stays behind one module."""

from __future__ import annotations

import ast
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import synth
from synth.dp.events import PrivacyError
from synth.dp.mechanisms import SCORE_GRID, CountLaplace, ScoreChoice, TableGaussian, on_grid
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
    mechanism = CountLaplace(epsilon=0.5, sensitivity=1, randomness=SystemRandomness())
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


def test_laplace_noise_on_a_table_grows_with_the_rows_of_a_patient() -> None:
    counts = np.full((20, 200), 7)
    drawn = CountLaplace(epsilon=1.0, sensitivity=10, randomness=SystemRandomness()).randomise_table(counts) - counts
    ratio = math.exp(-0.1)
    variance = 2 * ratio / (1 - ratio) ** 2
    # Mean of 4,000 squares of Laplace-like noise: standard error sqrt(5 / 4,000) of it; 5 of them: below 1e-5.
    assert abs(float((drawn**2).mean()) / variance - 1) < 5 * math.sqrt(5 / 4000)
    assert abs(float(drawn.mean())) < 5 * math.sqrt(variance / 4000)


def test_neither_mechanism_takes_a_table_of_floats() -> None:
    with pytest.raises(PrivacyError, match="integers"):
        CountLaplace(epsilon=1.0, sensitivity=1, randomness=SystemRandomness()).randomise_table(np.zeros(3))  # type: ignore[arg-type]
