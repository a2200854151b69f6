"""Which draws does an attacker get? Worst-case neighbouring tables put through the code that releases really use.

Where noise is independent from cell to cell or from weight to weight, one call gives as many draws as there are cells:
the tables differ in many patients then, but each cell alone sees neighbours that differ in one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from policies import Dictionary
from synth.dp import dpsgd, measure, plan, private, sealed
from synth.dp.budget import PrivacyBudget
from synth.dp.dpsgd import Descent
from synth.dp.events import Event, ExponentialEvent, GaussianEvent, PureEvent, SampledGaussianEvent
from synth.dp.private import PrivateHybridSynthesizer
from synth.dp.private_cvae import Shape, train_private_cvae
from synth.dp.provenance import public
from synth.dp.randomness import SystemRandomness
from synth.dp.sealed import NoisyTable, SealedTable
from tests.synth.dp.auditing import Draws, Floats

Ints = NDArray[np.int64]


def sealed_cells(counts: Sequence[int] | Ints, events: Sequence[Event], *, max_rows: int = 1) -> SealedTable:
    """One column; cell j holds ``counts[j]`` rows, all of one patient, for j = 0, 1, ..."""
    codes = np.repeat(np.arange(len(counts)), counts)
    return SealedTable.seal(codes[:, None], (len(counts),), codes, max_rows, PrivacyBudget(events))


def table_draws(event: GaussianEvent, rows: int, cells: int = 20_000) -> Draws:
    """Noisy counts of cells that are empty, and of cells that a patient with ``rows`` rows alike is in."""
    sides = []
    for each in (0, rows):
        closed = sealed_cells(np.full(cells, each), [event], max_rows=int(event.sensitivity))
        sides.append(closed.table((0,), event).value.counts.astype(np.float64))
    return Draws(*sides)


def histogram_draws(event: PureEvent, rows: int, cells: int = 4_000) -> Draws:
    """As :func:`table_draws` for a histogram with Laplace noise."""
    sides = []
    for each in (0, rows):
        closed = sealed_cells(np.full(cells, each), [event], max_rows=rows)
        sides.append(closed.histogram(0, event).value.counts.astype(np.float64))
    return Draws(*sides)


def count_draws(epsilon: float, draws: int) -> Draws:
    """Noisy numbers of patients: of nobody, and of one with three rows."""
    event = PureEvent("count", epsilon, draws)
    sides = []
    for rows in (0, 3):
        closed = SealedTable.seal(np.zeros((rows, 1), dtype=int), (2,), np.zeros(rows, int), 3, PrivacyBudget([event]))
        sides.append(np.array([float(closed.count(event).value) for _ in range(draws)]))
    return Draws(*sides)


def choice_draws(epsilon: float, candidates: int, draws: int, *, max_rows: int = 1, stop: bool = False) -> Draws:
    """Was the table chosen that a patient makes stand out, while every other one comes nearer to its estimate?

    The patient's rows all lie in the last cell of every column. The first candidate's estimate of it is far above the
    count, so that the patient brings it nearer; the others' are below, or there is only stopping beside it (whose score
    never moves, so that half of the range is all that can be seen).
    """
    event = ExponentialEvent("choose", epsilon, draws)
    sizes = (2,) * candidates
    # half of what the patient moves puts the odds to even: then either side errs equally rarely
    guess = [np.array([0.0, 50.0 if place == 0 else -50.0]) for place in range(candidates)]
    ahead = (1.0 if not stop else 0.5) * max_rows + 2 * np.log(max(1, candidates - 1)) * max_rows / epsilon
    penalties = np.full(candidates, 50.0)
    penalties[0] -= ahead
    sides = []
    for rows in (0, max_rows):
        closed = SealedTable.seal(
            np.ones((rows, candidates), int), sizes, np.zeros(rows, int), max_rows, PrivacyBudget([event])
        )
        asked = public([guess[0]]) if stop else public(guess)
        prices = public(penalties[:1]) if stop else public(penalties)
        offered = tuple((place,) for place in range(1 if stop else candidates))
        chosen = [closed.choose(offered, asked, prices, event, stop=stop).value for _ in range(draws)]
        sides.append((np.array(chosen) != 0).astype(np.float64))
    return Draws(*sides)


class Pointed(nn.Module):
    """A layer of ``wide`` inputs and ``answers`` outputs in which a row's gradient points along one weight alone.

    A row is its input, (wide,), and the weights of the outputs in its loss, (answers,); where both have one entry,
    its gradient lies in one weight of the layer (and, shorter by the input's length, in one bias).
    """

    def __init__(self, wide: int, answers: int = 1) -> None:
        super().__init__()
        self.layer = nn.Linear(wide, answers, dtype=torch.float64)

    def forward(self, rows: Tensor, asked: Tensor) -> Tensor:
        return (self.layer(rows) * asked).sum(1)


def pointed(canaries: int) -> tuple[Pointed, Callable[[Ints], tuple[Tensor, ...]]]:
    """A layer of as many weights as ``canaries``, and its input for each: far longer than any clipping norm here."""
    wide = next(each for each in range(math.isqrt(canaries), 0, -1) if canaries % each == 0)
    inputs = torch.eye(wide, dtype=torch.float64) * 1e4
    outputs = torch.eye(canaries // wide, dtype=torch.float64)

    def examples(which: Ints) -> tuple[Tensor, ...]:
        output, given = np.divmod(which, wide)
        return inputs[given], outputs[output]

    return Pointed(wide, canaries // wide), examples


def gradient_scores(
    event: SampledGaussianEvent, inside: NDArray[np.bool_], *, people: int, rows_each: int = 1
) -> Floats:
    """(canaries,) log likelihood ratio of each canary by the noisy mean gradients of a whole training.

    Canaries have gradients of the clipping norm in directions of their own, and all other gradients are zero: the worst
    case for DP-SGD, and an exact draw of its dominating pair per canary.
    """
    network, examples = pointed(len(inside))
    patients = np.repeat(np.flatnonzero(inside), rows_each)
    scores = np.zeros(len(inside))
    missed = -math.inf if event.sampling_rate == 1 else math.log1p(-event.sampling_rate)

    def add(_: int, gradient: Tensor) -> None:
        moved = gradient.numpy()[: len(scores)] * (event.sampling_rate * people)
        gain = (2 * moved - 1) / (2 * event.noise_multiplier**2)
        scores[:] += np.logaddexp(missed, math.log(event.sampling_rate) + gain)

    dpsgd.descend(
        network,
        lambda rows: examples(patients[rows]),
        patients,
        event,
        SystemRandomness(),
        people=people,
        settings=Descent(clip=1.0, rate=1e-9),
        watch=add,
    )
    return scores


def gradient_draws(event: SampledGaussianEvent, runs: int, canaries: int = 1_500, *, rows_each: int = 1) -> Draws:
    """Scores of canaries that were left out and of those that were not, over several trainings."""
    sides: tuple[list[Floats], list[Floats]] = ([], [])
    for _ in range(runs):
        inside = SystemRandomness().integers(2, canaries) == 1
        scores = gradient_scores(event, inside, people=canaries, rows_each=rows_each)
        sides[0].append(scores[~inside])
        sides[1].append(scores[inside])
    return Draws(np.concatenate(sides[0]), np.concatenate(sides[1]))


LEVELS = 23
"""Cells of every column of :func:`latin`; a prime."""


def latin(*, people: int | None = LEVELS**2, max_rows: int = 1) -> Dictionary:
    """Four columns, one of them the target, in which 529 canaries share no cell of any two-way table."""
    levels = [f"{place:02}" for place in range(LEVELS)]
    columns: dict[str, Any] = {name: {"type": "category", "categories": levels} for name in ("a", "b", "c", "target")}
    values: dict[str, Any] = {"version": 1, "name": "latin", "target": "target", "columns": columns}
    if people is not None:
        values["people"] = people
    if max_rows > 1:
        columns["nr"] = {"type": "identifier"}
        values |= {"patient": "nr", "max_rows_per_patient": max_rows}
    return Dictionary.model_validate_json(json.dumps(values))


def latin_codes() -> Ints:
    """(529, 4) codes; any two columns tell which canary a row is (orthogonal Latin squares over a prime field)."""
    first, last = np.divmod(np.arange(LEVELS**2), LEVELS)
    return np.stack([first, (first + last) % LEVELS, (first + 2 * last) % LEVELS, last], axis=1)


def typed(codes: Ints, dictionary: Dictionary) -> pd.DataFrame:
    """Codes of categories as a typed frame."""
    names = dictionary.released
    return pd.DataFrame(
        {
            name: pd.Categorical.from_codes(codes[:, place], categories=list(dictionary.columns[name].categories or ()))
            for place, name in enumerate(names)
        }
    )


class Transcript:
    """All noisy tables that a fit measured: for each the event, and the noisy count in every canary's cell.

    ``inside`` says which canaries are in the table that is fitted; it is set before the fit.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, canaries: Ints) -> None:
        self.canaries = canaries
        self.inside = np.zeros(len(canaries), dtype=np.bool_)
        self.answers: list[tuple[GaussianEvent, Floats]] = []
        measure_table = SealedTable.table

        def table(closed: SealedTable, columns: Any, event: GaussianEvent) -> Any:
            answer = measure_table(closed, columns, event)
            self.answers.append((event, self._counted(closed, answer.value)))
            return answer

        monkeypatch.setattr(SealedTable, "table", table)

    def scores(self, rows: int) -> Floats:
        """(canaries,) log likelihood ratio of ``rows`` rows of each canary; forgets the answers."""
        scores = np.zeros(len(self.canaries))
        for event, counts in self.answers:
            scores += (rows * counts - rows**2 / 2) / event.sigma**2
        self.answers.clear()
        return scores

    def _counted(self, closed: SealedTable, noisy: NoisyTable) -> Floats:
        """The table's columns may be views in any order; they are found again by the codes of the rows inside."""
        held = sealed._VAULT[closed]
        where = []
        for column in noisy.columns:
            ours = self.canaries[self.inside]
            fits = [place for place in range(ours.shape[1]) if self._same(ours[:, place], held.codes[column])]
            where.append(self.canaries[:, fits[0]])
        return np.asarray(noisy.counts[tuple(where)], dtype=np.float64)

    @staticmethod
    def _same(ours: Ints, theirs: NDArray[np.int32]) -> bool:
        return len(theirs) % len(ours) == 0 and np.array_equal(np.repeat(ours, len(theirs) // len(ours)), theirs)


def whole_draws(
    monkeypatch: pytest.MonkeyPatch, epsilon: float, delta: float, fits: int, *, people: bool = True, max_rows: int = 1
) -> Draws:
    """White-box scores from whole fits: canaries that share no cell with each other in any table that is measured.

    Each canary is one patient with ``max_rows`` rows alike, in or out by a coin of its own. Whichever tables the fit
    chooses, the noise in a canary's cells is fresh and its own, so canaries are independent draws.
    """
    quick(monkeypatch)
    dictionary = latin(people=LEVELS**2 if people else None, max_rows=max_rows)
    canaries = latin_codes()
    seen = Transcript(monkeypatch, canaries)
    sides: tuple[list[Floats], list[Floats]] = ([], [])
    for _ in range(fits):
        seen.inside = SystemRandomness().integers(2, len(canaries)) == 1
        owners = np.repeat(np.flatnonzero(seen.inside), max_rows)
        synthesizer = PrivateHybridSynthesizer(dictionary, epsilon, delta, components=("graphical",))
        synthesizer.fit(typed(canaries[owners], dictionary), people_codes=owners)
        scores = seen.scores(max_rows)
        sides[0].append(scores[~seen.inside])
        sides[1].append(scores[seen.inside])
    return Draws(np.concatenate(sides[0]), np.concatenate(sides[1]))


def clinic(*, people: int = 60, max_rows: int = 1, keys: bool = False) -> Dictionary:
    """Three columns, one of them numbers, for tables of sixty patients who are all alike.

    With ``keys`` the number of rows of a patient is a column too.
    """
    columns: dict[str, Any] = {
        "age": {"type": "integer", "minimum": 0.0, "maximum": 99.0},
        "site": {"type": "category", "categories": ["a", "b", "c", "d"]},
        "ill": {"type": "boolean", "categories": ["no", "yes"]},
    }
    values: dict[str, Any] = {"version": 1, "name": "clinic", "people": people, "columns": columns}
    if max_rows > 1:
        columns["nr"] = {"type": "identifier", "surrogate": keys}
        values |= {"patient": "nr", "max_rows_per_patient": max_rows}
    return Dictionary.model_validate_json(json.dumps(values))


def clinic_table(outliers: int) -> tuple[pd.DataFrame, Ints]:
    """Sixty rows of people alike and ``outliers`` rows of one who is as far from them as the dictionary lets one be."""
    odd = np.arange(60 + outliers) >= 60
    frame = pd.DataFrame(
        {
            "age": np.where(odd, 99.0, 20.0),
            "site": pd.Categorical.from_codes(odd * 3, categories=list("abcd")),
            "ill": pd.Categorical.from_codes(odd.astype(int), categories=["no", "yes"], ordered=True),
        }
    )
    return frame, np.minimum(np.arange(60 + outliers), 60)


def sample_draws(
    monkeypatch: pytest.MonkeyPatch, epsilon: float, delta: float, fits: int, *, max_rows: int, keys: bool = False
) -> Draws:
    """Black-box: how many cells of a sample look like those of the one patient who is unlike all others?

    With ``keys``, also how many rows are of people with as many as that one has; all others have one.
    """
    quick(monkeypatch)
    dictionary = clinic(max_rows=max_rows, keys=keys)
    sides = []
    for outliers in (0, max_rows):
        frame, owners = clinic_table(outliers)
        found = []
        for _ in range(fits):
            fit = PrivateHybridSynthesizer(dictionary, epsilon, delta, components=("graphical",))
            rows, people = fit.fit(frame, people_codes=owners).sample_people(60, np.random.default_rng())
            odd = (rows["age"] > 60).sum() + (rows["site"] == "d").sum() + (rows["ill"] == "yes").sum()
            found.append(float(odd + (keys and (np.bincount(people)[people] == max_rows).sum())))
        sides.append(np.array(found))
    return Draws(*sides)


def trainer_draws(event: SampledGaussianEvent, trainings: int) -> Draws:
    """How far the weights of a trained decoder lean to the cells of the one patient there is, or is not."""
    sides = []
    for rows in (0, 1):
        codes, owners = np.full((rows, 2), 3), np.zeros(rows, dtype=np.int64)
        found = []
        for _ in range(trainings):
            decoder = train_private_cvae(
                codes, owners, (4, 4), None, event, SystemRandomness(), people=1,
                shape=Shape(hidden=2, latent=1), settings=Descent(clip=0.01),
            )  # fmt: skip
            bias = decoder.layers[-1][1]
            found.append(float(4 * (bias[3] + bias[7]) - bias.sum()))
        sides.append(np.array(found))
    return Draws(*sides)


def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make what follows the noisy answers small, and remember what depends on public facts alone."""
    monkeypatch.setattr(measure, "RECORDS", (60, 60))
    monkeypatch.setattr(plan, "_STEPS", 3)
    monkeypatch.setattr(measure, "LEVELS", (10_000,))
    for name in ("plan_of", "claim_of", "compose_epsilon"):
        monkeypatch.setattr(private, name, remembered(getattr(private, name)))


def remembered(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, asked once for the same arguments in all tests; it must depend on nothing else.

    Not in the function's name: stages may not name functions of the package that bring values, such as answers kept.
    """

    def ask(*values: Any, **named: Any) -> Any:
        key = function, repr((values, named))
        if key not in _ANSWERS:
            _ANSWERS[key] = function(*values, **named)
        return _ANSWERS[key]

    return ask


_ANSWERS: dict[tuple[Callable[..., Any], str], Any] = {}
