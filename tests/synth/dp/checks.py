"""Which laws must the private path keep? Each check raises an AssertionError where the code breaks its law.

They run as tests on the code as it is, and on faults planted into it (``test_mutants``). Audits hold a lower bound on
epsilon against the claim, from as many draws as can refute it; the others hold what can be seen for sure: what was
charged and when, by how much randomness, and what may not depend on the rows. Each audit alarms falsely with
probability at most 1e-6. What training returns is looked at in :mod:`tests.synth.dp.replay`.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections import Counter
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from scipy import stats

from synth.dp import dpsgd, mechanisms, private_cvae, randomness, sealed
from synth.dp.accounting import calibrate, compose_epsilon
from synth.dp.budget import PrivacyBudget
from synth.dp.dpsgd import Descent
from synth.dp.events import ExponentialEvent, GaussianEvent, PrivacyError, PureEvent, SampledGaussianEvent
from synth.dp.private import PrivateHybridSynthesizer
from synth.dp.provenance import public
from synth.dp.randomness import SystemRandomness
from synth.dp.rows import Rows
from synth.dp.sealed import SealedTable
from tests.synth.dp import attacks
from tests.synth.dp.auditing import (
    Draws,
    Rates,
    SampledFamily,
    epsilon_of_any,
    epsilon_of_gaussian,
    epsilon_of_mu,
    epsilon_of_range,
    one_run_shown,
    shown,
)

ALARM = 1e-6
DELTA = 1e-5
ONE_RUN_DELTA = 1e-10
MANY = 500_000
"""A public number of patients that pays for a network; that the tables hold fewer does not matter here."""
TRAIN = SampledGaussianEvent("train", 1.5, 0.3, 6)


def tables_are_as_noisy_as_claimed(_: pytest.MonkeyPatch) -> None:
    event = _table_event(10)
    _audit_table(event, attacks.table_draws(event, 10, cells=60_000))


def rows_of_a_patient_are_bounded(_: pytest.MonkeyPatch) -> None:
    event = _table_event(2)
    _audit_table(event, attacks.table_draws(event, 10, cells=60_000))


def histograms_are_as_noisy_as_claimed(_: pytest.MonkeyPatch) -> None:
    draws = attacks.histogram_draws(PureEvent("histogram", 2.0), 3)
    shown(draws, epsilon_of_any, 2.0, ALARM)


def head_counts_are_as_noisy_as_claimed(_: pytest.MonkeyPatch) -> None:
    shown(attacks.count_draws(2.0, 1_200), epsilon_of_any, 2.0, ALARM)


def choices_are_as_random_as_claimed(_: pytest.MonkeyPatch) -> None:
    draws = attacks.choice_draws(2.0, 2, 1_200, max_rows=3)
    shown(draws, epsilon_of_range, 2.0, ALARM)


def stops_are_as_random_as_claimed(_: pytest.MonkeyPatch) -> None:
    draws = attacks.choice_draws(2.0, 1, 1_200, stop=True)
    shown(draws, epsilon_of_range, 2.0, ALARM)


def gradients_are_as_noisy_as_claimed(_: pytest.MonkeyPatch) -> None:
    shown(attacks.gradient_draws(TRAIN, 12), _family(), compose_epsilon([TRAIN], DELTA), ALARM)


def one_training_run_shows_no_more_than_claimed(_: pytest.MonkeyPatch) -> None:
    one_run(2.0, 1.0, 6)


def one_run(claimed: float, rate: float, steps: int) -> float:
    """What the guesses of one training of ``claimed`` epsilon show of it; 40,000 canaries, of which 1,000 are guessed.

    The theorem's allowance grows with delta times canaries, so delta is far smaller than elsewhere.
    """
    event = calibrate(lambda scale: [SampledGaussianEvent("train", scale, rate, steps)], claimed, ONE_RUN_DELTA)[0]
    assert isinstance(event, SampledGaussianEvent)
    inside = SystemRandomness().integers(2, 40_000) == 1
    scores = attacks.gradient_scores(event, inside, people=len(inside))
    return one_run_shown(scores, inside, 1_000, ONE_RUN_DELTA, claimed, ALARM)


def trainings_take_the_charged_steps_whatever_they_see(_: pytest.MonkeyPatch) -> None:
    for rows in (0, 1, 40):
        assert len(_released_gradients(rows)) == TRAIN.steps


def every_step_has_the_charged_noise_over_a_public_divisor(_: pytest.MonkeyPatch) -> None:
    for rows in (0, 20, 21):
        # canaries lie in the first weights; the others show noise alone, in units of the public divisor
        noise = _released_gradients(rows)[:, 50:200] * (TRAIN.sampling_rate * 50) / TRAIN.noise_multiplier
        for step in noise:
            tail = stats.chi2(step.size).sf(float(step @ step))
            assert ALARM / 20 < tail < 1 - ALARM / 20


def noise_is_never_drawn_twice(_: pytest.MonkeyPatch) -> None:
    def noise() -> list[list[float]]:
        system = SystemRandomness()
        counts = attacks.sealed_cells([0] * 40, [_table_event(1)]).table((0,), _table_event(1)).value.counts
        return [
            counts.tolist(),
            system.normal(40).tolist(),
            system.discrete_laplace(9.0, 40).tolist(),
            system.poisson_sample(200, 0.5).tolist(),
            [system.choose([0.0] * 8) for _ in range(40)],
            system.permutation(40).tolist(),
        ]

    for one, other in zip(noise(), noise(), strict=True):
        assert one != other  # by chance with probability below 1e-30


def noise_comes_from_the_operating_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """A draw takes at least its entropy from the system; normals, stretched by a cipher, a key of 256 bits a call."""
    taken = [0]
    urandom = randomness.os.urandom

    def counting(size: int) -> bytes:
        taken[0] += 8 * size
        return urandom(size)

    monkeypatch.setattr(randomness.os, "urandom", counting)
    counts = np.zeros(20_000, dtype=int)
    event = _table_event(1)
    closed = attacks.sealed_cells(counts, [event])
    for draw, bits in (
        (lambda: closed.table((0,), event), 20_000 * math.log2(event.sigma * math.sqrt(2 * math.pi * math.e))),
        (lambda: SystemRandomness().discrete_laplace(9.0, 20_000), 20_000 * math.log2(2 * math.e * 9.0)),
        (lambda: SystemRandomness().poisson_sample(20_000, 0.3), 20_000 * 0.88),
        (lambda: SystemRandomness().normal(9), 256.0),
        (lambda: SystemRandomness().normal(9), 256.0),
        (lambda: SystemRandomness().integers(8, 20_000), 60_000.0),
    ):
        before = taken[0]
        draw()  # type: ignore[no-untyped-call]
        assert taken[0] - before >= bits


def mechanisms_charge_before_they_look(_: pytest.MonkeyPatch) -> None:
    for name in ("table", "count", "histogram", "choose", "train"):
        seen = _looks(name, charged=True)
        assert "draw" in seen
        assert seen.index("draw") == 0
        assert not [each for each in _looks(name, charged=False) if each != "draw"]


def every_draw_is_in_the_plan_and_none_is_made_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: Counter[tuple[str, float]] = Counter()

    def spied(owner: Any, method: str, noise: str) -> None:
        plain = getattr(owner, method)

        def spy(self: Any, *values: Any) -> Any:
            drawn[owner.__name__, round(float(getattr(self, noise)), 9)] += 1
            return plain(self, *values)

        monkeypatch.setattr(owner, method, spy)

    spied(mechanisms.TableGaussian, "randomise_table", "sigma")
    spied(mechanisms.ScoreChoice, "randomise", "epsilon")
    spied(mechanisms.CountLaplace, "randomise", "epsilon")
    descend = private_cvae.descend

    def training(network: Any, examples: Any, owners: Any, event: Any, *values: Any, **named: Any) -> None:
        drawn[_noise_of(event)] += 1
        descend(network, examples, owners, event, *values, **named)

    monkeypatch.setattr(private_cvae, "descend", training)
    attacks.quick(monkeypatch)
    for people in (MANY, None):
        drawn.clear()
        dictionary = attacks.latin(people=people)
        fit = PrivateHybridSynthesizer(dictionary, 3.0, DELTA, components=("graphical", "cvae"))
        budget = PrivacyBudget(fit.plan())
        assert people is None or any(event.kind == "sampled_gaussian" for event in budget.plan)
        fit.fit(attacks.typed(attacks.latin_codes(), dictionary), budget=budget)
        used = Counter(_noise_of(event) for _, event in budget.used if event.kind != "envelope")
        assert drawn == used
        assert fit.claim_ is not None
        listed = fit.claim_.inner or fit.claim_.events
        assert all(budget.left(event) == 0 for event in listed)


def trained_decoders_show_a_patient_no_better_than_claimed(_: pytest.MonkeyPatch) -> None:
    draws = attacks.trainer_draws(SampledGaussianEvent("train", 2.7, 1.0, 2), 120)
    shown(draws, _gaussian, epsilon_of_mu(math.sqrt(2) / 2.7, DELTA), ALARM)


def whole_fits_show_a_patient_no_better_than_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = attacks.whole_draws(monkeypatch, 3.0, DELTA, 20, max_rows=3)
    shown(draws, _gaussian, 3.0, ALARM)


def what_is_laid_out_does_not_depend_on_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells at the seal, charged events and the sample's types, with and without a patient unlike all others."""
    attacks.quick(monkeypatch)
    assert _layout(monkeypatch, 0) == _layout(monkeypatch, 3)


def how_many_rows_a_patient_has_hangs_on_no_one_else(_: pytest.MonkeyPatch) -> None:
    """Counts of every number of rows move by the rows of the patient who is added, and nowhere else."""
    for others, rows in itertools.product([(1,), (1, 2, 2), (3, 3), (2, 5)], (1, 3, 6)):
        change = _numbers((*others, rows)) - _numbers(others)
        assert np.array_equal(change, np.where(np.arange(1, 4) == min(rows, 3), min(rows, 3), 0))


def raw_rows_in_a_stage_cancel_the_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    attacks.quick(monkeypatch)
    frame, _ = attacks.clinic_table(0)
    for dictionary in (attacks.clinic(people=MANY), attacks.clinic().model_copy(update={"people": None})):
        fit = PrivateHybridSynthesizer(dictionary, 3.0, DELTA, components=("graphical", "star", "cvae")).fit(frame)
        assert fit.claim_ is not None, "no claim"


def _numbers(patients: tuple[int, ...]) -> Any:
    """Rows by how many of their patient's rows are kept, at most three."""
    owners = np.repeat(np.arange(len(patients)), patients)
    codes, cells = np.zeros((len(owners), 1), dtype=np.int32), np.arange(3, dtype=np.int32)
    closed = SealedTable.seal(codes, (1, 3), owners, 3, PrivacyBudget([_table_event(3)]), numbers=cells)
    return sealed._VAULT[closed].counts((1,))


def _table_event(rows: int) -> GaussianEvent:
    return GaussianEvent("table", 4.6 * rows, float(rows))


def _gaussian(rates: Rates) -> float:
    return epsilon_of_gaussian(rates, DELTA)


def _audit_table(event: GaussianEvent, draws: Draws) -> None:
    shown(draws, _gaussian, epsilon_of_mu(1 / event.noise_multiplier, DELTA), ALARM)


@functools.cache
def _family() -> SampledFamily:
    return SampledFamily(TRAIN.noise_multiplier, TRAIN.sampling_rate, TRAIN.steps, DELTA)


def _released_gradients(rows: int) -> Any:
    network, examples = attacks.pointed(200)
    seen: list[Any] = []
    dpsgd.descend(
        network,
        examples,
        np.arange(rows),
        TRAIN,
        SystemRandomness(),
        people=50,
        settings=Descent(clip=1.0, rate=1e-9),
        watch=lambda _, gradient: seen.append(gradient.numpy().copy()),
    )
    return np.array(seen)


class _Watched(Rows):
    """Rows that write down when they are looked at."""

    def __getattribute__(self, name: str) -> Any:
        if name in ("codes", "owners", "patients", "cache", "counts"):
            _SEEN.append(name)
        return super().__getattribute__(name)


class _WatchedBudget(PrivacyBudget):
    def draw(self, event: Any) -> str:
        _SEEN.append("draw")
        return super().draw(event)


_SEEN: list[str] = []


def _looks(name: str, *, charged: bool) -> list[str]:
    """In which order a mechanism charges and looks; uncharged, after it was refused."""
    event: Any = {
        "table": GaussianEvent("m", 4.0),
        "choose": ExponentialEvent("m", 1.0),
        "train": SampledGaussianEvent("m", 1.0, 0.5, 2),
    }.get(name, PureEvent("m", 1.0))
    plan = event if charged else GaussianEvent("other", 4.0)
    budget = _WatchedBudget([plan])
    closed = SealedTable.seal(np.zeros((3, 1), int), (2,), np.arange(3), 1, budget)
    held = sealed._VAULT[closed]
    sealed._VAULT[closed] = _Watched(**{each.name: getattr(held, each.name) for each in fields(Rows)})
    _SEEN.clear()
    calls: dict[str, Any] = {
        "table": lambda: closed.table((0,), event),
        "count": lambda: closed.count(event),
        "histogram": lambda: closed.histogram(0, event),
        "choose": lambda: closed.choose(((0,),), public([np.zeros(2)]), public(np.zeros(1)), event, stop=True),
        "train": lambda: closed.train(event, _nothing),
    }
    if charged:
        calls[name]()
    else:
        try:
            calls[name]()
        except PrivacyError:
            pass
        else:
            raise AssertionError(f"{name} answered without a charge")
    return list(_SEEN)


def _nothing(codes: Any, owners: Any, randomness: Any) -> int:
    return 0


def _noise_of(event: Any) -> tuple[str, float]:
    if isinstance(event, SampledGaussianEvent):
        return "descend", round(event.noise_multiplier + event.sampling_rate + event.steps, 9)
    if isinstance(event, GaussianEvent):
        return "TableGaussian", round(event.sigma, 9)
    return "ScoreChoice" if isinstance(event, ExponentialEvent) else "CountLaplace", round(event.epsilon, 9)


def _layout(monkeypatch: pytest.MonkeyPatch, outliers: int) -> Any:
    dictionary = attacks.clinic(max_rows=3, keys=True)
    frame, owners = attacks.clinic_table(outliers)
    sizes: list[Any] = []
    seal = SealedTable.seal

    def noted(cls: Any, codes: Any, declared: Any, *values: Any, **named: Any) -> Any:
        sizes.append(tuple(getattr(declared, "value", declared)))
        return seal(codes, declared, *values, **named)

    with monkeypatch.context() as patch:
        patch.setattr(SealedTable, "seal", classmethod(noted))
        fit = PrivateHybridSynthesizer(dictionary, 3.0, DELTA, components=("graphical",))
        rows = fit.fit(frame, people_codes=owners).sample(5, np.random.default_rng(1))
    return sizes, fit.spent_, [str(kind) for kind in rows.dtypes], [fit.settings_["people"], fit.settings_["rounds"]]
