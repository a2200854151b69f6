"""The gate's benchmark counts what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from audit.encoding import Encoder
from audit.measures.nnaa import accuracy
from benchmarks.gate import power, rates
from benchmarks.gate.gower import gower_accuracy
from benchmarks.gate.tables import Table, load, thirds
from policies import Limit, Policy


def plain_gower(a: np.ndarray, b: np.ndarray, categorical: np.ndarray) -> np.ndarray:
    """The formula, over all pairs."""
    span = np.maximum(np.ptp(np.concatenate([a, b])[:, ~categorical], axis=0), 1.0)
    numbers = np.abs(a[:, None, ~categorical] - b[None, :, ~categorical]) / span
    return np.asarray(numbers.sum(axis=2) + (a[:, None, categorical] != b[None, :, categorical]).sum(axis=2))


@pytest.mark.parametrize("kinds", ["mixed", "numbers", "levels"])
def test_nnaa_by_gower_is_that_of_all_pairs(kinds: str) -> None:
    rng = np.random.default_rng(3)
    real, fake = (np.column_stack([rng.normal(0, 3, (700, 3)), rng.integers(0, 4, (700, 3))]) for _ in range(2))
    chosen = {"mixed": slice(0, 6), "numbers": slice(0, 3), "levels": slice(3, 6)}[kinds]
    real, fake = real[:, chosen], fake[:, chosen]
    categorical = np.array([False] * 3 + [True] * 3)[chosen]
    shares = []
    for rows, others in ((real, fake), (fake, real)):
        own = plain_gower(rows, rows, categorical)
        np.fill_diagonal(own, np.inf)
        shares.append((plain_gower(rows, others, categorical).min(axis=1) > own.min(axis=1) + 1e-12).mean())
    assert gower_accuracy(real, fake, categorical) == pytest.approx(sum(shares) / 2, abs=1e-12)


def test_accuracy_of_two_matrices_by_hand() -> None:
    """Real 0, 1, 10 and synthetic 0, 11, 20.

    Row by row, own against other: real 1 > 0, 1 = 1, 9 > 1; synthetic 11 > 0, 9 > 1, 9 < 10. One of six is nearer to
    its own kind, one is tied.
    """
    real, synthetic = np.array([[0.0], [1.0], [10.0]]), np.array([[0.0], [11.0], [20.0]])
    assert accuracy(real, synthetic) == pytest.approx(1.5 / 6)
    assert accuracy(real, synthetic, ties=0.0) == pytest.approx(1 / 6)


def test_a_leak_counts_as_caught_only_where_the_honest_release_passes() -> None:
    found: dict[tuple[str, int], dict[str, Any]] = {
        ("fresh", 0): {"a": [0.0, -0.1, 0.1], "b": [0.5, 0.4, 0.9]},
        ("copies 1 %", 0): {"a": [0.3, 0.2, 0.4], "b": [0.8, 0.7, 0.95]},
        ("fresh", 1): {"a": [0.0, -0.1, 0.1], "b": [0.5, 0.4, 0.6]},
        ("copies 1 %", 1): {"a": [0.0, -0.1, 0.1], "b": ["inconclusive", "too few"]},
        ("copies 1 %", 2): {"a": [0.3, 0.2, 0.4], "b": [0.8, 0.7, 0.95]},  # no honest run beside it
    }
    limits = {"a": Limit(max=0.2), "b": Limit(max=0.8)}
    refused, caught = rates.refusals(found, limits), rates.catches(found, limits, "copies 1 %")
    assert (refused["a"], refused["b"], refused[""]) == (rates.Rate(0, 2), rates.Rate(1, 2), rates.Rate(1, 2))
    assert (caught["a"], caught["b"], caught[""]) == (rates.Rate(1, 2), rates.Rate(1, 2), rates.Rate(2, 2))


def test_a_figure_that_its_control_voids_refuses_the_honest_release_too() -> None:
    found: dict[tuple[str, int], dict[str, Any]] = {
        ("fresh", 0): {"segment_share": [0.5, 0.45, 0.55], "segment_excess": [0.0, -0.1, 0.1]},
        ("SMOTE", 0): {"segment_share": [0.9, 0.8, 1.0], "segment_excess": [0.5, 0.4, 0.6]},
        ("controls", 0): {"segment_share": "", "segment_excess": "taken for a leak"},
        ("fresh", 1): {"segment_share": [0.5, 0.45, 0.55], "segment_excess": [0.0, -0.1, 0.1]},
    }
    limits = {"segment_share": Limit(max=0.6), "segment_excess": Limit(max=0.2)}
    refused = rates.refusals(rates.held(found), limits)
    assert (refused["segment_share"], refused["segment_excess"]) == (rates.Rate(0, 2), rates.Rate(1, 2))
    caught = rates.catches(rates.held(found), limits, "SMOTE")
    assert (caught["segment_share"], caught["segment_excess"]) == (rates.Rate(1, 1), rates.Rate(0, 1))
    assert rates.voids(rates.held(found))["segment_excess"] == rates.Rate(1, 1)


def test_train_holdout_and_fresh_rows_are_apart() -> None:
    table = load("wdbc", None)
    parts = thirds(table, 300, np.random.default_rng(0))
    assert parts is not None
    assert [len(part) for part in parts] == [150, 150, 150]
    assert not pd.concat(parts).duplicated().any()
    assert thirds(table, 500, np.random.default_rng(0)) is None


def test_planted_rows_take_the_place_of_as_many_others() -> None:
    table = load("wdbc", None)
    scene = scene_of(table)
    for condition, (_, share) in power.LEAKS.items():
        released = power.released(scene, condition, np.random.default_rng(1))
        assert len(released) == 100, condition
        kept = released.iloc[: 100 - share(100)].reset_index(drop=True)
        pd.testing.assert_frame_equal(kept, scene.fresh.iloc[share(100) :].reset_index(drop=True))
    copied = power.released(scene, "copies 10 %", np.random.default_rng(1))
    assert pd.concat([scene.train, copied]).duplicated().sum() == 10


def test_a_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    whole = '{"condition": "fresh", "repetition": 0, "found": {"dcr_share": [0.5, 0.4, 0.6]}}\n'
    path.write_text(whole + whole.replace("dcr_share", "rare_copies") + whole[:40])
    found = power.load(path)
    assert list(found) == [("fresh", 0)]
    assert set(found["fresh", 0]) == {"dcr_share", "rare_copies"}
    due = power.missing("fresh", found["fresh", 0])
    assert "dcr" not in due
    assert {"nnaa", "copies"} <= set(due)


def scene_of(table: Table) -> power.Scene:
    parts = thirds(table, 200, np.random.default_rng(0))
    assert parts is not None
    encoder = Encoder.fit(table.dictionary, parts[:2])
    return power.Scene(table, *parts, encoder.encode(parts[0]), encoder.encode(parts[1]))


def test_a_limit_counts_only_where_it_is_asked() -> None:
    policy = Policy.model_validate(
        {
            "version": 1,
            "id": "p",
            "purpose": "t",
            "context": "internal",
            "limits": {"a": {"max": 0.1, "most_rows": 250}, "b": {"max": 0.1}, "absent": {"max": 0.1}},
        }
    )
    found: rates.Found = {("fresh", 0): {"a": [0.0, 0.0, 0.0], "b": [0.0, 0.0, 0.0]}}
    assert list(rates.limits_of(policy, found, 250)) == ["a", "b"]
    assert list(rates.limits_of(policy, found, 251)) == ["b"]
