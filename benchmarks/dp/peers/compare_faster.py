"""Does faster.py choose and estimate what dpmm itself does? Same table, same noise, once with it and once without.

    python -m benchmarks.dp.peers.compare_faster --method aim --train train.csv --schema schema.json --epsilon 1 \
        --seed 0 --out found.json

Runs in dpmm's own environment. dpmm's noise has no seed (opendp draws it from the system), so here numpy draws it,
alike for both runs. The answer is written anew after every estimate of dpmm itself, which may take hours: the file of a
run that was stopped tells how far it came.
"""

from __future__ import annotations

import argparse
import importlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.dp.peers import faster, fit_dpmm

GAUSSIAN = ("models.aim", "models.mst", "models.base.mechanisms.mechanism")
LAPLACE = ("processing.binners",)


class Trace:
    """What one run measured and estimated, and what each step took of CPU time."""

    def __init__(self, seed: int, told: Callable[[], None]) -> None:
        self.noise, self.told = np.random.default_rng(seed), told
        self.measured: list[tuple[tuple[str, ...], float]] = []
        self.answers: list[np.ndarray] = []
        self.pairs: list[np.ndarray] = []
        self.losses: list[float] = []
        self.cells: list[int] = []
        self.estimate_seconds: list[float] = []
        self.project_seconds: list[float] = []
        self.seconds, self.rows = 0.0, 0
        self.drawn: pd.DataFrame | None = None

    def run(self, options: argparse.Namespace) -> None:
        """One fit and draw of the method as fit_dpmm.py has it, but for the noise."""
        schema = json.loads(options.schema.read_text())
        complete, domain = fit_dpmm.without_gaps(fit_dpmm.read(options.train, schema), schema)
        strength = fit_dpmm.STRENGTH[options.method, options.strength]
        for name in GAUSSIAN:
            _module(name).gaussian_noise = lambda sigma, size=None: self.noise.normal(0.0, sigma, size)
        for name in LAPLACE:
            _module(name).laplace_noise = lambda scale: self.noise.laplace(scale=scale)
        engine = _module("models.base.mbi.inference").FactoredInference
        own = engine.estimate
        engine.estimate = lambda this, measurements, *rest: self._estimate(own, this, measurements, *rest)
        pipeline = fit_dpmm.pipeline_of(
            options.method, options.epsilon, 1e-5, strength, len(complete.columns), fit_dpmm.BINNING_SHARE
        )
        self.rows = len(complete)
        begun = time.process_time()
        pipeline.fit(complete, domain=domain, random_state=options.seed)
        self.seconds = time.process_time() - begun - sum(self.project_seconds)
        self.drawn = pipeline.generate(n_records=len(complete), random_state=options.seed)
        engine.estimate = own
        self.told()

    def _estimate(self, own: Callable[..., Any], this: Any, measurements: list[Any], *rest: Any) -> Any:
        begun = time.process_time()
        model = own(this, measurements, *rest)
        self.estimate_seconds.append(round(time.process_time() - begun, 3))
        self.measured = [(tuple(columns), float(noise)) for _, _, noise, columns in measurements]
        self.answers = [np.asarray(answers) for _, answers, _, _ in measurements]
        self.losses.append(float(this._marginal_loss(model.marginals)[0]))
        self.cells.append(int(model.size))
        names = model.domain.attrs
        begun = time.process_time()
        tables = [model.project((a, b)).datavector() for i, a in enumerate(names) for b in names[i + 1 :]]
        self.project_seconds.append(round(time.process_time() - begun, 3))
        self.pairs.append(np.concatenate(tables))
        self.told()
        return model


def main() -> None:
    options = _options()
    quick = Trace(options.seed, lambda: None)
    put_back = faster.install()
    quick.run(options)
    put_back()

    def tell() -> None:
        options.out.write_text(json.dumps(compared(quick, plain, options), indent=1) + "\n")

    plain = Trace(options.seed, tell)
    plain.run(options)


def compared(quick: Trace, plain: Trace, options: argparse.Namespace) -> dict[str, Any]:
    """How far the two agree, over the estimates that dpmm itself has made so far."""
    steps = len(plain.losses)
    same = quick.measured[: len(plain.measured)] == plain.measured
    equal = all(np.array_equal(a, b) for a, b in zip(quick.answers, plain.answers, strict=False))
    apart = [float(np.abs(a - b).max()) for a, b in zip(quick.pairs, plain.pairs, strict=False)]
    return {
        "table": options.train.parent.parent.name,
        "method": options.method,
        "strength": options.strength,
        "epsilon": options.epsilon,
        "estimates": {"dpmm": steps, "faster": len(quick.losses)},
        "same_tables_chosen_and_same_noise_levels": same,
        "same_noisy_answers": equal,
        "largest_difference_of_a_cell_of_a_pair": max(apart),
        "rows": plain.rows,
        "largest_relative_difference_of_a_loss": max(
            abs(a - b) / abs(b) for a, b in zip(quick.losses, plain.losses, strict=False)
        ),
        "same_synthetic_rows": None
        if plain.drawn is None or quick.drawn is None
        else bool(quick.drawn.equals(plain.drawn)),
        "cpu_seconds_of_the_fit": {"dpmm": round(plain.seconds, 1) or None, "faster": round(quick.seconds, 1)},
        "cpu_seconds_of_these_estimates": {
            "dpmm": round(sum(plain.estimate_seconds), 1),
            "faster": round(sum(quick.estimate_seconds[:steps]), 1),
        },
        "cpu_seconds_of_all_pairs": {
            "dpmm": round(sum(plain.project_seconds), 1),
            "faster": round(sum(quick.project_seconds[:steps]), 1),
        },
        "every_estimate": {
            "model_cells": plain.cells,
            "largest_difference_of_a_cell_of_a_pair": apart,
            "dpmm_cpu_seconds": plain.estimate_seconds,
            "faster_cpu_seconds": quick.estimate_seconds,
            "dpmm_pairs_cpu_seconds": plain.project_seconds,
            "faster_pairs_cpu_seconds": quick.project_seconds,
        },
    }


def _module(name: str) -> Any:
    return importlib.import_module(f"dpmm.{name}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare dpmm with and without faster.py.")
    parser.add_argument("--method", choices=("aim", "mst"), required=True)
    parser.add_argument("--strength", choices=("full", "reduced"), default="full")
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--schema", type=Path, required=True)
    parser.add_argument("--epsilon", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
