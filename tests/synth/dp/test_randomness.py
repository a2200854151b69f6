"""Draws follow their distributions exactly, come from the operating system, and cannot be repeated."""

from __future__ import annotations

import ast
import copy
import importlib
import inspect
import itertools
import math
import os
import pickle
import pkgutil
import re
import threading
import types
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

import synth.dp
from synth.dp import randomness
from synth.dp.events import PrivacyError
from synth.dp.randomness import SystemRandomness

FALSE_ALARM = 1e-6  # of every statistical test here; about 30 of them, so one run in 30,000 fails by chance


def fits(drawn: NDArray[np.int64], weight: NDArray[np.float64], support: NDArray[np.int64]) -> bool:
    """Pearson's chi-square against exact probabilities; cells of fewer than ten expected draws are joined."""
    expected = weight / weight.sum() * drawn.size
    observed = np.array([(drawn == value).sum() for value in support])
    common = expected >= 10
    cells, wanted = observed[common], expected[common]
    cells[-1] += drawn.size - cells.sum()
    wanted[-1] += drawn.size - wanted.sum()
    if cells.size == 1:
        return bool(cells[0] == drawn.size)
    return float(stats.chisquare(cells, wanted).pvalue) > FALSE_ALARM


def gaussian_fits(sigma: float, count: int) -> bool:
    support = np.arange(-math.ceil(12 * sigma), math.ceil(12 * sigma) + 1)
    drawn = SystemRandomness().discrete_gaussian(sigma, count)
    return fits(drawn, np.exp(-(support**2) / (2 * sigma**2)), support)


@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.5, 7.1234567, 30.0])
def test_discrete_gaussian_has_the_exact_probabilities(sigma: float) -> None:
    assert gaussian_fits(sigma, 200_000)


@pytest.mark.parametrize("bits", [1, 2, 3])
def test_comparisons_undecided_by_the_first_word_are_settled_exactly(
    bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(randomness, "_WORD", bits)  # most comparisons then need further words
    assert gaussian_fits(1.7, 5_000)
    picked = SystemRandomness().poisson_sample(40_000, 0.3)
    assert stats.binomtest(len(picked), 40_000, 0.3).pvalue > FALSE_ALARM


@pytest.mark.parametrize("scale", [0.4, 1.0, 3.7, 20.25])
def test_discrete_laplace_has_the_exact_probabilities(scale: float) -> None:
    support = np.arange(-math.ceil(40 * scale), math.ceil(40 * scale) + 1)
    drawn = SystemRandomness().discrete_laplace(scale, 200_000)
    assert fits(drawn, np.exp(-np.abs(support) / scale), support)


def test_wide_discrete_gaussian_has_its_variance() -> None:
    sigma, count = 123_456.789, 40_000
    drawn = SystemRandomness().discrete_gaussian(sigma, (2, count // 2))
    assert drawn.shape == (2, count // 2)
    statistic = float((drawn / sigma).ravel() @ (drawn / sigma).ravel())
    assert FALSE_ALARM < stats.chi2(count).cdf(statistic) < 1 - FALSE_ALARM


def test_choice_follows_its_log_weights() -> None:
    weights = np.array([0.0, -0.5, -1.25, -3.0, -40.0])
    system = SystemRandomness()
    drawn = np.array([system.choose(weights.tolist()) for _ in range(1_500)])
    assert fits(drawn, np.exp(weights), np.arange(5))


def test_choice_is_the_same_when_all_weights_shift_far() -> None:
    drawn = np.array([SystemRandomness().choose([1e12, 1e12 - 1.0]) for _ in range(600)])
    assert stats.binomtest(int(drawn.sum()), 600, 1 / (1 + math.e)).pvalue > FALSE_ALARM


@pytest.mark.parametrize("upper", [1, 3, 1000, 2**16, 2**16 + 1, 3 * 2**61])
def test_integers_are_uniform(upper: int) -> None:
    drawn = SystemRandomness().integers(upper, 60_000)
    assert drawn.min() >= 0
    assert drawn.max() < upper
    bins = min(upper, 30)
    firsts = [-(-place * upper // bins) for place in range(bins + 1)]  # first integer of each bin
    weight = np.array([float(after - first) for first, after in itertools.pairwise(firsts)])
    assert fits((drawn.astype(object) * bins // upper).astype(np.int64), weight, np.arange(bins))


def test_poisson_sample_takes_each_one_independently() -> None:
    system = SystemRandomness()
    sizes = np.array([len(system.poisson_sample(50, 0.2)) for _ in range(20_000)])
    assert fits(sizes, stats.binom(50, 0.2).pmf(np.arange(51)), np.arange(51))
    assert system.poisson_sample(10, 1.0).tolist() == list(range(10))
    assert system.poisson_sample(10, 0.0).size == 0


def test_permutation_is_uniform() -> None:
    system = SystemRandomness()
    codes = np.array([int("".join(map(str, system.permutation(4)))) for _ in range(12_000)])
    assert fits(codes, np.ones(24), np.unique(codes))


def test_normal_is_standard_normal() -> None:
    drawn = SystemRandomness().normal((3, 100_001))
    assert drawn.shape == (3, 100_001)
    assert stats.kstest(drawn.ravel(), "norm").pvalue > FALSE_ALARM
    assert stats.chi2(drawn.size).cdf(float((drawn**2).sum())) == pytest.approx(0.5, abs=0.5 - FALSE_ALARM)


def test_both_halves_of_a_pair_stay_uncorrelated() -> None:
    drawn = SystemRandomness().normal(4096)
    correlation = float(np.corrcoef(drawn[:2048], drawn[2048:])[0, 1])
    assert abs(correlation) < stats.norm.isf(FALSE_ALARM / 2) / math.sqrt(2048)


MODULES = [importlib.import_module(f"synth.dp.{each.name}") for each in pkgutil.iter_modules(synth.dp.__path__)]
RAW_SIDE = {"randomness", "event", "budget", "owners", "people_codes", "trainer", "vote"}
POST_PROCESSING = {
    "domain": {"decode"},
    "fitted": {"mixed", "rows_of", "_stand_for", "_fine"},
    "loglinear": {"__init__"},
    "measure": {"measured", "started"},
    "private": {"sample", "sample_people", "_networks", "_people_of", "_drawn", "_weighed", "_mixture"},
    "private_cvae": {"sample", "_drawn", "__init__", "_linear"},  # the last two: weights before any row is seen
    "starting": {"starting_sets", "_star", "_imitated", "_score"},
    "update": {"exchanged"},
    "weights": {"learned_weights"},
}
"""Functions that take a generator: they see what mechanisms answered, or no row at all."""
TORCH_DRAWS = re.compile(
    r"rand(n|int|perm|_like|n_like)?|normal_?|uniform_|bernoulli_?|exponential_|\w*seed\w*|multinomial|init|Generator|[dD]ropout\w*"
)


def functions_of(module: types.ModuleType) -> Iterator[tuple[str, inspect.Signature]]:
    """Functions and methods that the module defines, those in classes and behind properties among them."""

    def of(members: Iterable[Any]) -> Iterator[tuple[str, inspect.Signature]]:
        for member in members:
            inner = getattr(member, "__func__", getattr(member, "fget", getattr(member, "__wrapped__", member)))
            if getattr(inner, "__module__", None) != module.__name__:
                continue
            if inspect.isclass(inner):
                yield from of(vars(inner).values())
            elif inspect.isfunction(inner):
                yield inner.__name__, inspect.signature(inner)

    return of(vars(module).values())


def test_all_modules_of_the_path_are_looked_at() -> None:
    found = {module.__name__.rpartition(".")[2]: [name for name, _ in functions_of(module)] for module in MODULES}
    for module, name in (
        ("dpsgd", "descend"), ("dpsgd", "add_noise"), ("private_cvae", "train_private_cvae"), ("private", "fit"),
        ("private", "_laid_out"), ("votes", "noisy_votes"), ("rows", "bounded_rows"), ("sealed", "seal"),
        ("mechanisms", "randomise"), ("randomness", "normal"), ("choices", "choices_curve"), ("budget", "plan"),
    ):  # fmt: skip
        assert name in found[module], (module, name)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_no_function_takes_a_seed_and_a_generator_only_what_is_post_processing(module: types.ModuleType) -> None:
    allowed = POST_PROCESSING.get(module.__name__.rpartition(".")[2], set())
    taken = set()
    for name, signature in functions_of(module):
        names = {parameter.lower() for parameter in signature.parameters}
        assert not {each for each in names if "seed" in each or each in ("random_state", "generator")}, name
        if "rng" in names or any("random.Generator" in str(each.annotation) for each in signature.parameters.values()):
            taken.add(name)
            assert not names & RAW_SIDE, name
    assert taken == allowed


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_no_module_makes_a_seeded_generator_or_uses_one_of_a_library(module: types.ModuleType) -> None:
    """Of numpy only generators that the system seeds, of torch and the standard library none that we know of."""
    tree = ast.parse(inspect.getsource(module))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            named = {alias.name for alias in node.names} | {getattr(node, "module", "") or ""}
            assert not named & {"random", "secrets", "numpy.random", "torch.random"}
        if not isinstance(node, ast.Attribute):
            continue
        said = ast.unparse(node)
        if said.startswith(("np.random.", "numpy.random.")):
            assert said in ("np.random.Generator", "np.random.default_rng"), said
        if said.startswith(("torch.", "nn.", "functional.")) or node.attr.endswith("_"):
            assert not TORCH_DRAWS.fullmatch(node.attr), said
    made = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("default_rng")
    ]
    for call in made:
        assert not call.keywords
        assert [ast.unparse(each) for each in call.args] in ([], ["randomness.integers(2 ** 32, 8)"])


def test_numpy_seeds_do_not_reach_it() -> None:
    drawn = []
    for _ in range(2):
        np.random.seed(7)  # noqa: NPY002 - what a careless caller might do
        drawn.append(SystemRandomness().words(4).tolist())
    assert drawn[0] != drawn[1]


@pytest.mark.parametrize("attempt", [pickle.dumps, copy.copy, copy.deepcopy])
def test_copies_are_refused(attempt: object) -> None:
    assert callable(attempt)
    with pytest.raises(PrivacyError, match="cannot be copied"):
        attempt(SystemRandomness())


def test_a_forked_process_draws_other_bytes() -> None:
    system = SystemRandomness()
    system.words(1)  # leaves most of a block in the buffer
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, system.words(4).tobytes())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 32) != system.words(4).tobytes()


def test_threads_draw_other_bytes() -> None:
    system = SystemRandomness()
    drawn: list[int] = []
    threads = [threading.Thread(target=lambda: drawn.extend(system.words(500).tolist())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(drawn)) == 2000


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan, math.inf, 1e300])
def test_unusable_scales_are_refused(sigma: float) -> None:
    with pytest.raises(PrivacyError):
        SystemRandomness().discrete_gaussian(sigma, 1)
    with pytest.raises(PrivacyError):
        SystemRandomness().discrete_laplace(sigma, 1)


def test_unusable_requests_are_refused() -> None:
    system = SystemRandomness()
    with pytest.raises(PrivacyError):
        system.integers(0, 1)
    with pytest.raises(PrivacyError):
        system.poisson_sample(5, 1.5)
    with pytest.raises(PrivacyError):
        system.choose([])
    with pytest.raises(PrivacyError):
        system.choose([0.0, math.nan])
