"""What is computed in a faster way comes out as in the plain one, to the last bit, so that no seed's table changes."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from synth.calibration import association
from synth.calibration.quantiles import Floats
from synth.components import features
from synth.components.features import LEVELS, Kinds
from synth.components.moments import LEAST
from synth.encoding import latents

seeds = st.integers(0, 2**32 - 1)


def latents_plainly(lower: Floats, upper: Floats, fixed: Floats, rng: np.random.Generator, sweeps: int) -> Floats:
    """Every column standardised again for every column that is drawn."""
    n, d = lower.shape
    scores = latents._normal(lower + (upper - lower) * rng.random((n, d)))
    wide = upper - lower > latents._WIDE
    everything = np.hstack([scores, latents._standardised(fixed)])
    columns = np.flatnonzero(wide.any(axis=0))
    for _ in range(sweeps if len(columns) else 0):
        _, precision, centre, scale = latents._precision(everything)
        for j in columns:
            rows = slice(None) if wide[:, j].all() else np.flatnonzero(wide[:, j])
            pull = -precision[:, j] / precision[j, j]
            pull[j] = 0.0
            mean = centre[j] + scale[j] * (((everything[rows] - centre) / scale) @ pull)
            deviation = scale[j] / np.sqrt(precision[j, j])
            everything[rows, j] = latents._truncated(mean, deviation, lower[rows, j], upper[rows, j], rng)
    return everything[:, :d]


@given(seeds, st.integers(2, 200), st.integers(1, 6), st.integers(0, 3), st.integers(0, 4))
@settings(max_examples=40)
def test_latent_scores(seed: int, n: int, d: int, fixed: int, sweeps: int) -> None:
    rng = np.random.default_rng(seed)
    ends = np.sort(rng.random((2, n, d)), axis=0)
    narrow = rng.random((n, d)) < rng.random(d)
    lower, upper = ends[0], np.where(narrow, np.minimum(ends[0] + 0.01, 1.0), ends[1])
    indicators = (rng.random((n, fixed)) < 0.3) * 1.0
    found = latents.draw_latents(lower, upper, indicators, np.random.default_rng(seed), sweeps=sweeps)
    assert np.array_equal(found, latents_plainly(lower, upper, indicators, np.random.default_rng(seed), sweeps))


@given(seeds, st.integers(1, 400), st.integers(1, 70))
@settings(max_examples=40)
def test_patterns_of_missing_cells_and_their_order(seed: int, n: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    patterns = rng.random((int(rng.integers(1, 5)), d)) < 0.7
    known: NDArray[np.bool_] = patterns[rng.integers(len(patterns), size=n)]
    kinds, places, rows = np.unique(known, axis=0, return_inverse=True, return_counts=True)
    expected = [
        (np.flatnonzero(places.ravel() == k), np.flatnonzero(kinds[k]))
        for k in np.argsort(-rows, kind="stable")[: association._PATTERNS]
        if rows[k] >= association.COMMON and 0 < kinds[k].sum() < d
    ]
    found = list(association._patterns(known))
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@given(seeds, st.integers(30, 400))
@settings(max_examples=40)
def test_what_levels_say_of_a_column(seed: int, n: int) -> None:
    """Of columns of 1, 2, 3, 64 and 65 levels, and of a number, looked up once or every time."""
    rng = np.random.default_rng(seed)
    before = np.column_stack([rng.integers(k, size=n) * 0.1 for k in (1, 2, 3, LEVELS, LEVELS + 1)] + [rng.random(n)])
    waves = features.waves_of(rng.normal(size=n))
    found = features.levels_of([Kinds.of(column) for column in before.T], waves)
    expected = []
    for position, column in enumerate(before.T):
        levels, places = np.unique(column, return_inverse=True)
        if 3 <= len(levels) <= LEVELS:
            means = features.class_features(waves, places, len(levels))
            means[:-1][np.bincount(places) < LEAST] = means[-1]
            expected.append((position, levels, means[:-1]))
    assert [each.position for each in found] == [position for position, _, _ in expected]
    for each, (_, levels, means) in zip(found, expected, strict=True):
        assert np.array_equal(each.scores, levels)
        assert np.array_equal(each.means, means)
