"""Every fault we know how to make is planted into the private path and caught by a named check.

A mutant replaces a piece of the real code; the check that must catch it runs the rest as it stands. Each check also
passes on the code as it is. Faults are those seen in released differential privacy software: clipping lost, noise too
small or repeated, bounds and categories read off the data (Stadler, Oprisanu and Troncoso, USENIX Security 2022; Ganev
et al., The importance of being discrete, 2025, arXiv:2504.06923), sensitivity without the rows of a patient, sampling
at another rate than accounted, a checkpoint or a stop by the real loss, a charge after the look, and raw values that
pass by the mechanisms.

A check that holds a lower bound on epsilon against a claim raises another error than the AssertionError that counts as
a catch where its draws could not have refuted the claim.

What this does not show: that there are no other faults. A mutant is caught by its check here, at these sizes; a fault
of a tenth of the noise would pass the audits and is left to the tests of each mechanism's distribution.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from synth.dp import dpsgd, measure, mechanisms, private, private_cvae, provenance, randomness, sealed
from synth.dp.budget import PrivacyBudget
from synth.dp.events import GaussianEvent, PrivacyError
from synth.dp.private import PrivateHybridSynthesizer
from synth.dp.provenance import Traced
from synth.dp.randomness import SystemRandomness
from synth.dp.sealed import STOP, SealedTable
from tests.synth.dp import checks, replay

pytestmark = pytest.mark.slow

Plant = Callable[[pytest.MonkeyPatch], None]
Check = Callable[[pytest.MonkeyPatch], None]
Choice = Callable[[list[float]], int]

MUTANTS: dict[str, tuple[Plant, Check]] = {}


def caught_by(check: Check) -> Callable[[Plant], Plant]:
    """Register a mutant with the check that must catch it."""

    def register(plant: Plant) -> Plant:
        MUTANTS[plant.__name__] = (plant, check)
        return plant

    return register


# gradients


@caught_by(checks.gradients_are_as_noisy_as_claimed)
def gradients_are_not_clipped(patch: pytest.MonkeyPatch) -> None:
    sums = dpsgd.clipped_sums
    patch.setattr(
        dpsgd, "clipped_sums", lambda ghost, weights, examples, rows, _: sums(ghost, weights, examples, rows, 1e9)
    )


@caught_by(checks.trained_decoders_show_a_patient_no_better_than_claimed)
def gradients_of_the_network_are_not_clipped(patch: pytest.MonkeyPatch) -> None:
    gradients_are_not_clipped(patch)


@caught_by(checks.gradients_are_as_noisy_as_claimed)
def gradients_are_clipped_to_twice_the_norm(patch: pytest.MonkeyPatch) -> None:
    sums = dpsgd.clipped_sums
    patch.setattr(
        dpsgd,
        "clipped_sums",
        lambda ghost, weights, examples, rows, clip: sums(ghost, weights, examples, rows, 2 * clip),
    )


@caught_by(checks.gradients_are_as_noisy_as_claimed)
def gradients_get_half_the_noise(patch: pytest.MonkeyPatch) -> None:
    normal = SystemRandomness.normal
    patch.setattr(SystemRandomness, "normal", lambda self, size: normal(self, size) / 2)


@caught_by(checks.one_training_run_shows_no_more_than_claimed)
def gradients_get_a_quarter_of_the_noise(patch: pytest.MonkeyPatch) -> None:
    normal = SystemRandomness.normal
    patch.setattr(SystemRandomness, "normal", lambda self, size: normal(self, size) / 4)


@caught_by(checks.gradients_are_as_noisy_as_claimed)
def batches_are_twice_as_large_as_the_event_says(patch: pytest.MonkeyPatch) -> None:
    sample = dpsgd._Patients.sample
    patch.setattr(dpsgd._Patients, "sample", lambda self, rate, system: sample(self, min(1.0, 2 * rate), system))


@caught_by(checks.gradients_are_as_noisy_as_claimed)
def every_patient_is_in_every_batch(patch: pytest.MonkeyPatch) -> None:
    sample = dpsgd._Patients.sample
    patch.setattr(dpsgd._Patients, "sample", lambda self, _, system: sample(self, 1.0, system))


@caught_by(checks.gradients_are_as_noisy_as_claimed)
def training_takes_four_times_the_steps(patch: pytest.MonkeyPatch) -> None:
    descend = dpsgd.descend

    def longer(network: Any, examples: Any, owners: Any, event: Any, system: Any, **named: Any) -> None:
        descend(network, examples, owners, dataclasses.replace(event, steps=4 * event.steps), system, **named)

    patch.setattr(dpsgd, "descend", longer)


@caught_by(checks.every_step_has_the_charged_noise_over_a_public_divisor)
def the_last_step_has_a_tenth_of_the_noise(patch: pytest.MonkeyPatch) -> None:
    normal = SystemRandomness.normal
    calls = [0]

    def quiet(self: SystemRandomness, size: Any) -> Any:
        calls[0] += 1
        return normal(self, size) * (0.1 if calls[0] % checks.TRAIN.steps == 0 else 1.0)

    patch.setattr(SystemRandomness, "normal", quiet)


@caught_by(checks.trainings_take_the_charged_steps_whatever_they_see)
def training_stops_early_when_gradients_vanish(patch: pytest.MonkeyPatch) -> None:
    sums = dpsgd.clipped_sums
    small = [False]

    def watched(*values: Any) -> Any:
        parts = sums(*values)
        small[0] = all(float(part.abs().sum()) == 0 for part in parts)
        return parts

    def until_small(*values: int) -> Any:
        small[0] = False
        for step in range(*values):
            if len(values) == 1 and small[0]:
                return
            yield step

    patch.setattr(dpsgd, "clipped_sums", watched)
    patch.setattr(dpsgd, "range", until_small, raising=False)


def _steered(patch: pytest.MonkeyPatch, chosen: Choice) -> None:
    """What training returns is chosen among the running means, by the loss of each on all real rows."""

    def steering(network: Any, examples: Any, owners: Any, event: Any, system: Any, **named: Any) -> None:
        watch, settings = named.pop("watch", None), named.get("settings") or dpsgd.Descent()
        start, gradients = replay.copied(network), []

        def look(step: int, gradient: Any) -> None:
            gradients.append(gradient.clone())
            if watch is not None:
                watch(step, gradient)

        descend(network, examples, owners, event, system, **named, watch=look)
        means = replay.replayed(start, gradients, event, settings)
        losses = []
        for mean in means:
            replay.put(network, mean)
            losses.append(_real_loss(network, examples, owners))
        replay.put(network, means[chosen(losses)])

    descend = dpsgd.descend
    patch.setattr(dpsgd, "descend", steering)
    patch.setattr(private_cvae, "descend", steering)


def _real_loss(network: Any, examples: Any, owners: Any) -> float:
    with dpsgd.torch.no_grad():
        return float(network(*examples(np.arange(len(owners)))).mean()) if len(owners) else 0.0


@caught_by(replay.weights_hang_on_noisy_gradients_alone)
def the_checkpoint_of_least_real_loss_is_returned(patch: pytest.MonkeyPatch) -> None:
    _steered(patch, lambda losses: int(np.argmin(losses[1:])) + 1)


@caught_by(replay.weights_hang_on_noisy_gradients_alone)
def the_better_of_the_last_two_checkpoints_is_returned(patch: pytest.MonkeyPatch) -> None:
    _steered(patch, lambda losses: len(losses) - (2 if losses[-2] < losses[-1] else 1))


@caught_by(replay.weights_hang_on_noisy_gradients_alone)
def the_checkpoint_before_real_loss_rises_is_returned(patch: pytest.MonkeyPatch) -> None:
    def chosen(losses: list[float]) -> int:
        rising = [place for place in range(2, len(losses)) if losses[place] > losses[place - 1]]
        return rising[0] - 1 if rising else len(losses) - 1

    _steered(patch, chosen)


@caught_by(replay.weights_hang_on_noisy_gradients_alone)
def the_first_checkpoint_of_small_real_loss_is_returned(patch: pytest.MonkeyPatch) -> None:
    _steered(patch, lambda losses: next((p for p, loss in enumerate(losses) if loss < 0.95 * losses[0]), -1))


@caught_by(replay.decoders_hang_on_noisy_gradients_alone)
def the_decoder_of_least_real_loss_is_returned(patch: pytest.MonkeyPatch) -> None:
    _steered(patch, lambda losses: int(np.argmin(losses)))


def _told_of_real_loss(patch: pytest.MonkeyPatch, heed: Callable[[list[float]], None]) -> None:
    """Losses of the weights on all real rows are looked at after every step."""

    def watching(network: Any, examples: Any, owners: Any, event: Any, system: Any, **named: Any) -> None:
        watch, losses = named.pop("watch", None), [_real_loss(network, examples, owners)]

        def look(step: int, gradient: Any) -> None:
            if watch is not None:
                watch(step, gradient)
            losses.append(_real_loss(network, examples, owners))
            heed(losses)

        descend(network, examples, owners, event, system, **named, watch=look)

    descend = dpsgd.descend
    patch.setattr(dpsgd, "descend", watching)
    patch.setattr(private_cvae, "descend", watching)


@caught_by(replay.weights_hang_on_noisy_gradients_alone)
def training_stops_when_real_loss_no_longer_falls(patch: pytest.MonkeyPatch) -> None:
    _stopping(patch, lambda losses: losses[-1] > losses[-2])


@caught_by(replay.weights_hang_on_noisy_gradients_alone)
def training_stops_when_real_loss_is_small(patch: pytest.MonkeyPatch) -> None:
    _stopping(patch, lambda losses: losses[-1] < 0.95 * losses[0])


@caught_by(replay.decoders_hang_on_noisy_gradients_alone)
def training_of_the_decoder_stops_when_real_loss_no_longer_falls(patch: pytest.MonkeyPatch) -> None:
    _stopping(patch, lambda losses: losses[-1] > losses[-2])


def _stopping(patch: pytest.MonkeyPatch, enough: Callable[[list[float]], bool]) -> None:
    stop = [False]

    def heed(losses: list[float]) -> None:
        stop[0] = enough(losses)

    def until(*values: int) -> Any:
        stop[0] = False
        for step in range(*values):
            if len(values) == 1 and stop[0]:
                return
            yield step

    _told_of_real_loss(patch, heed)
    patch.setattr(dpsgd, "range", until, raising=False)


@caught_by(replay.weights_hang_on_noisy_gradients_alone)
def the_rate_is_halved_when_real_loss_rises(patch: pytest.MonkeyPatch) -> None:
    schedule, factor = dpsgd._schedule, [1.0]

    def heed(losses: list[float]) -> None:
        factor[0] *= 0.5 if losses[-1] > losses[-2] else 1.0

    def halved(step: int, steps: int) -> float:
        factor[0] = 1.0 if step == 0 else factor[0]
        return factor[0] * schedule(step, steps)

    _told_of_real_loss(patch, heed)
    patch.setattr(dpsgd, "_schedule", halved)


@caught_by(replay.weights_hang_on_noisy_gradients_alone)
def the_better_of_two_trainings_is_kept(patch: pytest.MonkeyPatch) -> None:
    """Either alone would stand a replay: the returned one is watched, and the other leaves draws only."""

    def twice(network: Any, examples: Any, owners: Any, event: Any, system: Any, **named: Any) -> None:
        watch, tried = named.pop("watch", None), []
        for _ in range(2):
            other, steps = copy.deepcopy(network), []
            descend(other, examples, owners, event, system, **named, watch=_listed(steps))
            tried.append((_real_loss(other, examples, owners), other, steps))
        _, best, steps = min(tried, key=lambda each: each[0])
        replay.put(network, replay.copied(best))
        for step, gradient in steps:
            watch(step, gradient)

    descend = dpsgd.descend
    patch.setattr(dpsgd, "descend", twice)


def _listed(steps: list[Any]) -> Callable[[int, Any], None]:
    return lambda step, gradient: steps.append((step, gradient.clone()))


@caught_by(replay.decoders_hang_on_noisy_gradients_alone)
def the_decoder_starts_from_the_shares_of_real_rows(patch: pytest.MonkeyPatch) -> None:
    train = private_cvae.train_private_cvae

    def started(codes: Any, owners: Any, sizes: Any, label: Any, *values: Any, **named: Any) -> Any:
        tables = [np.bincount(column, minlength=size)[None, :] for column, size in zip(codes.T, sizes, strict=True)]
        return train(codes, owners, sizes, label, *values, **named, tables=tables)

    patch.setattr(private_cvae, "train_private_cvae", started)


@caught_by(checks.every_step_has_the_charged_noise_over_a_public_divisor)
def gradients_are_divided_by_the_number_of_rows(patch: pytest.MonkeyPatch) -> None:
    descend = dpsgd.descend

    def counted(network: Any, examples: Any, owners: Any, event: Any, system: Any, **named: Any) -> None:
        descend(network, examples, owners, event, system, **(named | {"people": max(1, len(owners))}))

    patch.setattr(dpsgd, "descend", counted)


# counts and choices


@caught_by(checks.tables_are_as_noisy_as_claimed)
def tables_get_half_the_noise(patch: pytest.MonkeyPatch) -> None:
    draw = SystemRandomness.discrete_gaussian
    patch.setattr(SystemRandomness, "discrete_gaussian", lambda self, sigma, size: draw(self, sigma / 2, size))


@caught_by(checks.tables_are_as_noisy_as_claimed)
def table_noise_is_not_scaled_by_the_rows_of_a_patient(patch: pytest.MonkeyPatch) -> None:
    randomise = mechanisms.TableGaussian.randomise_table

    def unscaled(self: mechanisms.TableGaussian, counts: Any) -> Any:
        self.sigma /= self.sensitivity
        return randomise(self, counts)

    patch.setattr(mechanisms.TableGaussian, "randomise_table", unscaled)


@caught_by(checks.rows_of_a_patient_are_bounded)
def rows_of_a_patient_are_not_bounded(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sealed, "bounded_rows", lambda owners, *_: np.arange(len(owners)))


@caught_by(checks.histograms_are_as_noisy_as_claimed)
def histogram_noise_is_not_scaled_by_the_rows_of_a_patient(patch: pytest.MonkeyPatch) -> None:
    laplace = sealed.CountLaplace

    def unscaled(*, sensitivity: int, **named: Any) -> Any:
        return laplace(sensitivity=1, **named)

    patch.setattr(sealed, "CountLaplace", unscaled)


@caught_by(checks.head_counts_are_as_noisy_as_claimed)
def head_counts_get_half_the_noise(patch: pytest.MonkeyPatch) -> None:
    draw = SystemRandomness.discrete_laplace
    patch.setattr(SystemRandomness, "discrete_laplace", lambda self, scale, size: draw(self, scale / 2, size))


@caught_by(checks.head_counts_are_as_noisy_as_claimed)
def head_counts_count_rows(patch: pytest.MonkeyPatch) -> None:
    count = SealedTable.count

    def counted(self: SealedTable, event: Any) -> Any:
        rows = sealed._VAULT[self]
        sealed._VAULT[self] = dataclasses.replace(rows, patients=len(rows.owners))
        return count(self, event)

    patch.setattr(SealedTable, "count", counted)


@caught_by(checks.choices_are_as_random_as_claimed)
def choices_forget_that_a_patient_has_several_rows(patch: pytest.MonkeyPatch) -> None:
    choice = sealed.ScoreChoice

    def unscaled(*, sensitivity: int, **named: Any) -> Any:
        return choice(sensitivity=mechanisms.SCORE_GRID, **named)

    patch.setattr(sealed, "ScoreChoice", unscaled)


@caught_by(checks.choices_are_as_random_as_claimed)
def scores_move_by_twice_their_sensitivity(patch: pytest.MonkeyPatch) -> None:
    scores = sealed.whole_scores
    patch.setattr(sealed, "whole_scores", lambda *values: [2 * each for each in scores(*values)])


@caught_by(checks.stops_are_as_random_as_claimed)
def stopping_is_decided_by_the_true_score(patch: pytest.MonkeyPatch) -> None:
    randomise = mechanisms.ScoreChoice.randomise

    def decided(self: mechanisms.ScoreChoice, value: None = None) -> int:
        last = len(self.utility) - 1
        return last if self.utility[last] == 0 and max(self.utility[:-1]) <= 0 else randomise(self, value)

    patch.setattr(mechanisms.ScoreChoice, "randomise", decided)


# randomness


@caught_by(checks.noise_is_never_drawn_twice)
def the_buffer_is_filled_from_a_seed(patch: pytest.MonkeyPatch) -> None:
    def take(self: Any, count: int) -> bytearray:
        if not hasattr(self, "seeded"):
            self.seeded = np.random.default_rng(7)
        return bytearray(self.seeded.bytes(count))

    patch.setattr(randomness._Buffers, "take", take)


@caught_by(checks.noise_is_never_drawn_twice)
def normals_come_from_a_seed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SystemRandomness, "normal", lambda _, size: np.random.default_rng(7).standard_normal(size))


@caught_by(checks.noise_is_never_drawn_twice)
def table_noise_is_drawn_once_and_kept(patch: pytest.MonkeyPatch) -> None:
    draw = SystemRandomness.discrete_gaussian
    kept: dict[Any, Any] = {}

    def cached(self: SystemRandomness, sigma: float, size: Any) -> Any:
        if (sigma, size) not in kept:
            kept[sigma, size] = draw(self, sigma, size)
        return kept[sigma, size]

    patch.setattr(SystemRandomness, "discrete_gaussian", cached)


@caught_by(checks.noise_comes_from_the_operating_system)
def table_noise_comes_from_numpy(patch: pytest.MonkeyPatch) -> None:
    def drawn(_: SystemRandomness, sigma: float, size: Any) -> Any:
        return np.rint(np.random.default_rng().normal(0, sigma, size)).astype(np.int64)

    patch.setattr(SystemRandomness, "discrete_gaussian", drawn)


@caught_by(checks.noise_comes_from_the_operating_system)
def gradient_noise_comes_from_numpy(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SystemRandomness, "normal", lambda _, size: np.random.default_rng().standard_normal(size))


@caught_by(checks.noise_comes_from_the_operating_system)
def batches_are_sampled_by_numpy(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        SystemRandomness, "poisson_sample", lambda _, n, rate: np.flatnonzero(np.random.default_rng().random(n) < rate)
    )


# charges


def _looking_first(name: str) -> Plant:
    def plant(patch: pytest.MonkeyPatch) -> None:
        run = getattr(SealedTable, name)

        def late(self: SealedTable, *values: Any, **named: Any) -> Any:
            rows = sealed._VAULT[self]
            rows.counts(tuple(range(len(rows.sizes))))
            return run(self, *values, **named)

        patch.setattr(SealedTable, name, late)

    plant.__name__ = f"{name}_looks_before_it_charges"
    return plant


for _name in ("table", "count", "histogram", "choose", "train"):
    caught_by(checks.mechanisms_charge_before_they_look)(_looking_first(_name))


@caught_by(checks.mechanisms_charge_before_they_look)
def charges_are_only_written_down(patch: pytest.MonkeyPatch) -> None:
    draw = PrivacyBudget.draw

    def lenient(self: PrivacyBudget, event: Any) -> str:
        try:
            return draw(self, event)
        except PrivacyError:
            return "later"

    patch.setattr(PrivacyBudget, "draw", lenient)


@caught_by(checks.every_draw_is_in_the_plan_and_none_is_made_beside_it)
def a_stop_is_followed_by_a_table_beside_the_plan(patch: pytest.MonkeyPatch) -> None:
    choose = SealedTable.choose

    def stopping(self: SealedTable, *values: Any, **named: Any) -> Any:
        choice = choose(self, *values, **named)
        if choice.value == STOP:
            rows, event = sealed._VAULT[self], GaussianEvent("beside", 3.0, float(self.max_rows))
            beside = SealedTable()
            sealed._VAULT[beside] = dataclasses.replace(rows, budget=PrivacyBudget([event]))
            beside.table((0,), event)
        return choice

    patch.setattr(SealedTable, "choose", stopping)


@caught_by(checks.every_draw_is_in_the_plan_and_none_is_made_beside_it)
def a_stop_is_followed_by_a_second_choice_on_the_same_charge(patch: pytest.MonkeyPatch) -> None:
    choose = SealedTable.choose

    def again(self: SealedTable, *values: Any, **named: Any) -> Any:
        rows = sealed._VAULT[self]
        left = list(rows.budget._left)
        first = choose(self, *values, **named)
        rows.budget._left[:] = left  # drawn once more on the same charge
        rows.budget._used.pop()
        return first if first.value != STOP else choose(self, *values, **named)

    patch.setattr(SealedTable, "choose", again)


@caught_by(checks.every_draw_is_in_the_plan_and_none_is_made_beside_it)
def the_network_is_trained_by_another_event_than_charged(patch: pytest.MonkeyPatch) -> None:
    train = private_cvae.train_private_cvae

    def other(codes: Any, owners: Any, sizes: Any, label: Any, event: Any, *values: Any, **named: Any) -> Any:
        larger = dataclasses.replace(event, sampling_rate=min(1.0, 2 * event.sampling_rate))
        return train(codes, owners, sizes, label, larger, *values, **named)

    patch.setattr(private_cvae, "train_private_cvae", other)


@caught_by(checks.whole_fits_show_a_patient_no_better_than_claimed)
def the_plan_forgets_that_a_patient_has_several_rows(patch: pytest.MonkeyPatch) -> None:
    planned = private.plan_of

    def forgetful(dictionary: Any, *values: Any, **named: Any) -> Any:
        domain, found = planned(dictionary.model_copy(update={"max_rows_per_patient": 1}), *values, **named)
        several = float(dictionary.max_rows_per_patient or 1)
        changed = {
            name: dataclasses.replace(getattr(found, name), sensitivity=several)
            for name in ("fine", "star", "measure")
            if getattr(found, name) is not None
        }
        return domain, dataclasses.replace(found, **changed)

    patch.setattr(private, "plan_of", forgetful)


# rows per patient


@caught_by(checks.how_many_rows_a_patient_has_hangs_on_no_one_else)
def rows_are_numbered_by_how_far_they_are_from_the_most(patch: pytest.MonkeyPatch) -> None:
    """One patient with more rows than all others moves everybody's cell."""

    def ranked(codes: Any, owners: Any, numbers: Any) -> Any:
        rows = np.bincount(owners)
        return np.column_stack([codes, numbers[rows.max() - rows[owners]]]).astype(np.int32)

    patch.setattr(sealed, "numbered", ranked)


# what is laid out


@caught_by(checks.what_is_laid_out_does_not_depend_on_the_rows)
def bounds_come_from_the_data(patch: pytest.MonkeyPatch) -> None:
    _narrow(patch, lambda _, values: {"minimum": float(values.min()), "maximum": float(values.max())})


@caught_by(checks.what_is_laid_out_does_not_depend_on_the_rows)
def categories_come_from_the_data(patch: pytest.MonkeyPatch) -> None:
    def present(column: Any, values: Any) -> dict[str, Any]:
        return {"categories": tuple(each for each in column.categories if (values == each).any())}

    _narrow(patch, present, categorical=True)


@caught_by(checks.what_is_laid_out_does_not_depend_on_the_rows)
def the_number_of_patients_comes_from_the_data(patch: pytest.MonkeyPatch) -> None:
    fit = PrivateHybridSynthesizer.fit

    def counted(self: Any, table: Any, *, people_codes: Any = None, **named: Any) -> Any:
        self.people = len(table) if people_codes is None else len(np.unique(people_codes))
        return fit(self, table, people_codes=people_codes, **named)

    patch.setattr(PrivateHybridSynthesizer, "fit", counted)


def _narrow(
    patch: pytest.MonkeyPatch, facts: Callable[[Any, Any], dict[str, Any]], *, categorical: bool = False
) -> None:
    """Facts of the dictionary are replaced by what the table shows, before anything else is done."""
    fit = PrivateHybridSynthesizer.fit

    def narrowed(self: Any, table: Any, **named: Any) -> Any:
        columns = dict(self.dictionary.columns)
        for name in table.columns:
            if (columns[name].type == "category" and categorical) or (
                columns[name].type == "integer" and not categorical
            ):
                columns[name] = columns[name].model_copy(update=facts(columns[name], table[name]))
                if categorical:
                    table = table.assign(**{name: table[name].cat.set_categories(list(columns[name].categories))})
        self.dictionary = self.dictionary.model_copy(update={"columns": columns})
        return fit(self, table, **named)

    patch.setattr(PrivateHybridSynthesizer, "fit", narrowed)


# raw rows

STAGES = (
    "_at_least_one",
    "coarsened", "base_views", "agreed", "started", "choices_of", "composed", "expectations", "penalties", "chosen",
    "absorbed", "settled", "_drawn", "starting_sets", "_weighed", "_mixture",
)  # fmt: skip


def _tainted(function: str) -> Plant:
    """Raw rows reach one function on their way beside the mechanisms."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        opened: list[Traced[Any]] = []
        seal = SealedTable.seal

        def sealing(cls: Any, *values: Any, **named: Any) -> SealedTable:
            closed = seal(*values, **named)
            opened.append(closed.open("planted by a test"))
            return closed

        def leaking(stage: str, run: Any, *values: Any, **named: Any) -> Any:
            if getattr(run, "__name__", "") != function:
                return provenance.flow(stage, run, *values, **named)
            return provenance.flow(stage, lambda _rows, *each, **more: run(*each, **more), opened[0], *values, **named)

        patch.setattr(SealedTable, "seal", classmethod(sealing))
        patch.setattr(measure, "flow", leaking)
        patch.setattr(private, "flow", leaking)

    plant.__name__ = f"raw_rows_reach_{function.lstrip('_')}"
    return plant


for _name in STAGES:
    caught_by(checks.raw_rows_in_a_stage_cancel_the_claim)(_tainted(_name))


def test_stages_are_those_of_a_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    names: set[str] = set()

    def noted(stage: str, run: Any, *values: Any, **named: Any) -> Any:
        names.add(run.__name__)
        return provenance.flow(stage, run, *values, **named)

    monkeypatch.setattr(measure, "flow", noted)
    monkeypatch.setattr(private, "flow", noted)
    checks.raw_rows_in_a_stage_cancel_the_claim(monkeypatch)
    assert names - {"tables_of"} == set(STAGES)  # what that one gives is used beside what the others give


CHECKS = {check.__name__: check for _, check in MUTANTS.values()}


@pytest.mark.parametrize("check", sorted(CHECKS))
def test_the_code_as_it_is_passes(check: str, monkeypatch: pytest.MonkeyPatch) -> None:
    CHECKS[check](monkeypatch)


@pytest.mark.parametrize(
    "check", [replay.weights_hang_on_noisy_gradients_alone, replay.decoders_hang_on_noisy_gradients_alone]
)
def test_what_steers_training_is_caught_for_steering_and_not_for_looking(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    _told_of_real_loss(monkeypatch, lambda _: None)
    _steered(monkeypatch, lambda _: -1)
    check(monkeypatch)


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_is_caught(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant, check = MUTANTS[mutant]
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        check(monkeypatch)
