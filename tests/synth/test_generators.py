"""What every component promises on odd tables, and what separates the guarded forms from the plain ones."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from synth import SynthesisError
from synth.components import REGISTRY

ALL = sorted(REGISTRY)
ROW_BASED = ["noise", "interpolation", "smote"]
Floats = NDArray[np.float64]


def two_classes(rows: int, seed: int = 0) -> tuple[Floats, NDArray[np.int64]]:
    """(rows, 4) correlated scores about standard normal; the classes differ in mean."""
    rng = np.random.default_rng(seed)
    classes = (np.arange(rows) % 3 == 0).astype(np.int64)
    common = rng.normal(size=(rows, 1))
    return 0.8 * common + 0.6 * rng.normal(size=(rows, 4)) + 0.7 * classes[:, None], classes


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    "shape", ["one row", "two rows", "one column", "constant column", "wide", "lonely class", "many classes"]
)
def test_no_shape_of_table_makes_a_component_fail_or_emit_a_non_number(name: str, shape: str) -> None:
    rng = np.random.default_rng(1)
    scores, classes = two_classes(90)
    if shape in ("one row", "two rows"):
        rows = 1 if shape == "one row" else 2
        scores, classes = scores[:rows], np.zeros(rows, dtype=np.int64)
    elif shape == "one column":
        scores = scores[:, :1]
    elif shape == "constant column":
        scores[:, 2] = 0.5
    elif shape == "wide":
        scores = rng.normal(size=(30, 60))
        classes = classes[:30]
    elif shape == "lonely class":
        classes[0] = 7
    else:
        classes = np.arange(90) % 30
    wanted = np.repeat(np.unique(classes), 5)
    out = REGISTRY[name]().fit(scores, classes, rng).sample(wanted, rng)
    assert out.shape == (len(wanted), scores.shape[1])
    assert np.isfinite(out).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_class_means_and_covariances_come_back(name: str) -> None:
    """2,000 rows: a class mean has a standard error of 0.04, a difference of two 0.055; 0.3 is over five of them."""
    scores, classes = two_classes(2_000)
    rng = np.random.default_rng(2)
    out = REGISTRY[name]().fit(scores, classes, rng).sample(classes, rng)
    for code in (0, 1):
        real, made = scores[classes == code], out[classes == code]
        assert np.abs(real.mean(axis=0) - made.mean(axis=0)).max() < 0.3
        assert np.abs(np.corrcoef(real.T) - np.corrcoef(made.T)).max() < 0.2
        assert np.abs(made.std(axis=0) / real.std(axis=0) - 1).max() < 0.2


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_equal_generators_give_equal_rows(name: str) -> None:
    scores, classes = two_classes(120)
    first, second = (
        REGISTRY[name]().fit(scores, classes, np.random.default_rng(3)).sample(classes, np.random.default_rng(4))
        for _ in range(2)
    )
    assert np.array_equal(first, second)


@pytest.mark.parametrize("name", ROW_BASED)
def test_guarded_rows_keep_their_distance_and_plain_ones_do_not(name: str) -> None:
    """(I-11): the nearest real row of a plain row is far nearer than real rows are to each other."""
    scores, classes = two_classes(300)

    def nearest(rows: Floats, *, own: bool) -> Floats:
        distances = np.linalg.norm(rows[:, None, :] - scores[None, :, :], axis=2)
        if own:
            np.fill_diagonal(distances, np.inf)
        return distances.min(axis=1)

    usual = np.median(nearest(scores, own=True))
    rng = np.random.default_rng(5)
    plain = REGISTRY[name](form="plain").fit(scores, classes, rng).sample(classes, rng)
    guarded = REGISTRY[name](form="guarded").fit(scores, classes, rng).sample(classes, rng)
    assert np.median(nearest(plain, own=False)) < 0.75 * usual
    assert np.median(nearest(guarded, own=False)) > 0.85 * usual


def on_a_segment(rows: Floats, real: Floats) -> float:
    """Share of rows that lie on a line between two real rows: Ganev et al., SMOTE and Mirrors, arXiv:2510.15083."""
    i, j = np.triu_indices(len(real), 1)
    start, direction = real[i], real[j] - real[i]
    length = (direction**2).sum(axis=1)
    hits = 0
    for row in rows:
        along = np.clip(((row - start) * direction).sum(axis=1) / length, 0, 1)
        off = np.linalg.norm(row - start - along[:, None] * direction, axis=1)
        hits += bool((off < 1e-6).any())
    return hits / len(rows)


@pytest.mark.parametrize("name", ["interpolation", "smote"])
def test_plain_rows_lie_on_lines_between_patients_and_guarded_rows_do_not(name: str) -> None:
    scores, classes = two_classes(120)
    rng = np.random.default_rng(6)
    plain = REGISTRY[name](form="plain").fit(scores, classes, rng).sample(classes, rng)
    guarded = REGISTRY[name](form="guarded").fit(scores, classes, rng).sample(classes, rng)
    assert on_a_segment(plain, scores) == 1.0
    assert on_a_segment(guarded, scores) == 0.0


@pytest.mark.slow
def test_trees_follow_what_no_gaussian_can() -> None:
    """A column that is the square of another: correlation 0, dependence complete."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=3_000)
    scores = np.column_stack([x, (x**2 - 1) / np.sqrt(2) + 0.1 * rng.normal(size=3_000)])
    classes = np.zeros(3_000, dtype=np.int64)

    def dependence(rows: Floats) -> float:
        return float(np.corrcoef(rows[:, 0] ** 2, rows[:, 1])[0, 1])

    trees = REGISTRY["trees"]().fit(scores, classes, rng).sample(classes, rng)
    copula = REGISTRY["copula"]().fit(scores, classes, rng).sample(classes, rng)
    assert dependence(trees) > 0.85
    assert dependence(copula) < 0.2


@pytest.mark.parametrize("name", ALL)
def test_scores_that_are_no_numbers_are_refused(name: str) -> None:
    scores, classes = two_classes(60)
    scores[3, 1] = np.nan
    with pytest.raises(SynthesisError, match="finite"):
        REGISTRY[name]().fit(scores, classes, np.random.default_rng(0))
