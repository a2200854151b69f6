"""Raw values that take a short cut into the model, in every shape a programmer might give them, and what stops them.

First every stage of a fit and of a sample is offered every kind of raw value, as an argument and brought along by its
function: each offer is refused. Then faults are written into the very source of the path: what they smuggle is refused,
or the claim is gone. Values that are marked public by mistake are not among them: nothing but a reader can see that.
"""

from __future__ import annotations
import __future__

import functools
import inspect
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from synth.dp import measure, plan, private, provenance
from synth.dp.events import PrivacyError
from synth.dp.private import PrivateHybridSynthesizer
from synth.dp.provenance import RAW, Traced
from synth.dp.sealed import SealedTable
from tests.synth.dp.test_private import dictionary, frame

REAL = frame(60)
"""What short cuts come from; another object than the frame that is fitted, which is remembered as raw."""
NAMES_A_TYPE = r"^(stage [a-z ]+ got a bare|the function of stage [a-z ]+ captures a) \w+: "
BEFORE = {"_laid_out", "_bound", "_alone", "_by_label"}
COUNTED = {"_counted", "_rough", "_at_least_one", "_laid_within", "_bound", "_alone", "_by_label"}
TABLES = {
    "coarsened", "base_views", "agreed", "started", "choices_of", "composed", "tables_of", "expectations", "penalties",
    "chosen", "absorbed",
}  # fmt: skip
AFTER = {"settled", "starting_sets", "_weighed", "_mixture", "rows_of", "_people_of"}


@dataclass(frozen=True)
class Summary:
    """What somebody keeps of a table."""

    ages: Any

    def look(self, *_: Any, **__: Any) -> Any:
        return self.ages


class Collected:
    """Rows in an object that is no dataclass."""

    def __init__(self, rows: Any) -> None:
        self.rows = rows

    def __call__(self, *_: Any, **__: Any) -> Any:
        return self.rows


AGES = REAL["age"]
SHORT_CUTS: dict[str, Any] = {
    "a mean": float(AGES.mean()),
    "a mean of numpy": AGES.mean(),
    "the number of rows": len(REAL),
    "a least and a greatest value": (float(AGES.min()), float(AGES.max())),
    "whether somebody is old": bool((AGES > 90).any()),
    "the most usual site": str(REAL["site"].mode()[0]),
    "a column as a list": AGES.tolist(),
    "names as a list": REAL["site"].tolist(),
    "a column as a tuple": tuple(AGES),
    "a column as a set": set(AGES),
    "rows as lists": REAL.to_numpy().tolist(),
    "counts of levels": REAL["site"].value_counts().to_dict(),
    "a mapping with a number": {"n": len(REAL)},
    "a mapping of columns": {name: REAL[name].tolist() for name in REAL},
    "an array": AGES.to_numpy(),
    "a list of arrays": [AGES.to_numpy()],
    "a mapping of arrays": {"age": AGES.to_numpy()},
    "a series": AGES,
    "the frame": REAL,
    "an object that holds an array": Summary(AGES.to_numpy()),
    "an object that holds a list": Collected(AGES.tolist()),
    "a namespace with a number": types.SimpleNamespace(n=len(REAL)),
}


def brought_along(function: Callable[..., Any], raw: Any) -> Iterator[Callable[..., Any]]:
    """The stage's function with the raw value in a closure, a default, a partial and behind a method."""

    def closed(*values: Any, **named: Any) -> Any:
        return function(*values, **named), raw

    def twice(*values: Any, **named: Any) -> Any:
        return [function(*values, **named) for _ in [raw]]

    def preset(*values: Any, _rows: Any = raw, **named: Any) -> Any:
        return function(*values, **named)

    def noted(*values: Any, **named: Any) -> Any:
        return function(*values, **named)

    noted.rows = raw  # type: ignore[attr-defined]
    yield from (closed, twice, preset, noted)
    yield functools.partial(function, raw)
    yield functools.partial(function, rows=raw)
    yield Summary(raw).look
    yield Collected(raw)


class Offers:
    """A flow that offers every short cut to every stage, sees that it is refused, and then runs the stage."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.stages: set[str] = set()
        self.plain = provenance.flow
        for module in (measure, private, provenance):
            patch.setattr(module, "flow", self)

    def __call__(self, stage: str, function: Any, *values: Any, **named: Any) -> Traced[Any]:
        self.stages.add(function.__name__)
        for raw in SHORT_CUTS.values():
            refused(self.plain, stage, function, raw, *values, **named)
            refused(self.plain, stage, function, *values, [None, raw], **named)
            refused(self.plain, stage, function, *values, **named, rows=raw)
            for bringing in brought_along(function, raw):
                refused(self.plain, stage, bringing, *values, **named)
        return self.plain(stage, function, *values, **named)


def refused(run: Callable[..., Any], *values: Any, **named: Any) -> None:
    with pytest.raises(PrivacyError, match=NAMES_A_TYPE):
        run(*values, **named)


@pytest.mark.parametrize("people", [400, None])
def test_every_stage_refuses_every_short_cut(people: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "RECORDS", (300, 300))
    offers = Offers(monkeypatch)
    fit = PrivateHybridSynthesizer(dictionary(people=people), 3.0, 1e-5, components=("graphical", "star")).fit(
        frame(60)
    )
    fit.sample(5, np.random.default_rng(0))
    assert offers.stages == (BEFORE if people else COUNTED) | TABLES | AFTER
    assert fit.claim_ is not None


@pytest.mark.slow
def test_the_network_refuses_every_short_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "RECORDS", (300, 300))
    monkeypatch.setattr(plan, "_STEPS", 3)
    train = SealedTable.train
    trained: list[str] = []

    def offering(self: SealedTable, event: Any, trainer: Any, *given: Any) -> Traced[Any]:
        trained.append(trainer.__name__)
        for raw in SHORT_CUTS.values():
            refused(train, self, event, trainer, *given, raw)
            for bringing in brought_along(trainer, raw):
                refused(train, self, event, bringing, *given)
        return train(self, event, trainer, *given)

    monkeypatch.setattr(SealedTable, "train", offering)
    offers = Offers(monkeypatch)
    fit = PrivateHybridSynthesizer(dictionary(people=26_000), 1.0, 1e-5, components=("graphical", "cvae")).fit(
        frame(60)
    )
    assert trained == ["_trained"]
    assert "_drawn" in offers.stages
    assert fit.claim_ is not None


def test_nothing_behind_the_seal_has_the_rows_in_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever writes a short cut there has to bring the rows first."""
    monkeypatch.setattr(measure, "RECORDS", (300, 300))
    seen: list[str] = []

    def looking(*values: Any) -> Any:
        place = sys._getframe(1)
        while place.f_code.co_name != "fit":
            seen.append(place.f_code.co_name)
            assert not [name for name, held in place.f_locals.items() if holds_rows(held)]
            place = place.f_back  # type: ignore[assignment]
        return measure.measured(*values)

    monkeypatch.setattr(private, "measured", looking)
    owners = np.arange(60)
    fit = PrivateHybridSynthesizer(dictionary(), 3.0, 1e-5, components=("graphical",)).fit(
        frame(60), people_codes=owners
    )
    assert seen == ["_learn"]
    assert not [name for name, held in vars(fit).items() if holds_rows(held)]


def holds_rows(value: Any) -> bool:
    return isinstance(value, pd.DataFrame | pd.Series | np.ndarray) or RAW in (
        provenance._remembered(value) or frozenset()
    )


# Faults in the source. Each replaces a piece of the path; what it does must be refused, or cancel the claim.

REFUSED, NO_CLAIM = "refused", "no claim"
Fault = tuple[Any, str, str, str]
ROWS_KEPT: Fault = (
    PrivateHybridSynthesizer, "fit", "charged, laid", "self.kept = table['age'].to_numpy()\n    charged, laid",
)  # fmt: skip
KNOWN: dict[str, tuple[str, tuple[Fault, ...]]] = {
    "people are counted before the plan": (
        NO_CLAIM,
        ((PrivateHybridSynthesizer, "fit", "charged, laid", "self.people = len(table)\n    charged, laid"),),
    ),
    "bounds are read off the table before the plan": (
        NO_CLAIM,
        (
            (
                PrivateHybridSynthesizer, "fit", "charged, laid",
                "self.dictionary = narrowed(self.dictionary, table)\n    charged, laid",
            ),
        ),
    ),
    "bounds in the dictionary are changed where they stand": (
        NO_CLAIM,
        (
            (
                PrivateHybridSynthesizer, "fit", "charged, laid",
                "self.dictionary.columns.update(narrowed(self.dictionary, table).columns)\n    charged, laid",
            ),
        ),
    ),
    "people are counted for the plan": (
        REFUSED,
        ((PrivateHybridSynthesizer, "_sealed", "if laid is None:", (
            "laid = _laid_out(dictionary, len(table), *map(self._fact, ('epsilon', 'delta', 'components', 'beside')))\n"
            "    if laid is None:"
        )),),
    ),
    "rows of a patient are bounded by the most there are": (
        NO_CLAIM, ((private, "_seal", "_bound(dictionary)", "int(np.bincount(owners).max())"),)
    ),
    "rows of a patient are bounded by a narrowed dictionary": (
        REFUSED, ((private, "_seal", "_bound(dictionary)", "_bound(narrowed(dictionary.value, table))"),)
    ),
    "sizes are read off the codes": (
        NO_CLAIM,
        ((private, "_seal", 'domain.part("sizes")', "tuple(np.maximum(codes.max(0) + 1, domain.value.sizes))"),),
    ),
    "the table itself is called public": (
        NO_CLAIM,
        (
            (private, "_seal", 'domain.part("sizes")', "flow('sizes', sizes_of, public(table), domain)"),
        ),
    ),
    "fine tables are asked for by number": (
        NO_CLAIM, ((measure, "measured", "_alone(plan).each()", "[(column,) for column in events.fine_columns]"),)
    ),
    "label tables are asked for by number": (
        NO_CLAIM, ((measure, "measured", "_by_label(domain).each()", "_by_label(domain).value"),)
    ),
    "candidates are bare": (
        NO_CLAIM, ((measure, "measured", "flow(\"expect\", tables_of, choices)", "choices.value.tables"),)
    ),
    "the turn is a bare number": (REFUSED, ((measure, "measured", "public(turn)", "turn"),)),
    "the noise is a bare number": (
        REFUSED, ((measure, "measured", 'plan.part("measure.sigma")', "events.measure.sigma"),)
    ),
    "the label is a bare number": (
        REFUSED, ((PrivateHybridSynthesizer, "_learn", 'domain.part("label")', "domain.value.label"),)
    ),
    "the domain is bare": (REFUSED, ((measure, "measured", "fine, domain, plan", "fine, domain.value.columns, plan"),)),
    "a mean is kept and mixed in": (
        REFUSED,
        (ROWS_KEPT, (PrivateHybridSynthesizer, "_learn", "answers.coarse, rng", "answers.coarse, self.kept.mean()")),
    ),
    "rows are kept and mixed in as lists": (
        REFUSED,
        (ROWS_KEPT, (PrivateHybridSynthesizer, "_learn", "sets, trace", "self.kept.tolist(), trace")),
    ),
    "a mean is kept and chosen by": (
        REFUSED,
        (
            (
                PrivateHybridSynthesizer, "fit", "charged, laid",
                "measure.KEPT = int(table['age'].mean())\n    charged, laid",
            ),
            (measure, "measured", "choices, choice, public(turn)", "choices, KEPT % 3, public(turn)"),
        ),
    ),
    "a stage closes over a list of rows": (
        REFUSED,
        (
            ROWS_KEPT,
            (
                PrivateHybridSynthesizer, "_learn", "settled, answers.model",
                "lambda model, rows=self.kept.tolist(): settled(model), answers.model",
            ),
        ),
    ),
    "a stage is a method of what keeps rows": (
        REFUSED,
        (ROWS_KEPT, (PrivateHybridSynthesizer, "_learn", "settled, answers.model", "self._settings, answers.model")),
    ),
    "a stage reads a list of the module": (
        REFUSED,
        (
            (
                PrivateHybridSynthesizer, "fit", "charged, laid",
                "KEPT.extend(table['age'])\n    charged, laid",
            ),
            (private, "_mixture", "return mixed(", "KEPT[0]\n    return mixed("),
        ),
    ),
    "the rows of the sample hang on a dictionary set later": (
        NO_CLAIM,
        (
            (
                PrivateHybridSynthesizer, "sample_people", "dictionary = self._fact",
                "self.dictionary = narrowed(self.dictionary, made_of_rows)\n    dictionary = self._fact",
            ),
        ),
    ),
    "how many rows are sampled is a bare number": (
        REFUSED, ((PrivateHybridSynthesizer, "sample_people", "public(rows)", "len(made_of_rows)"),)
    ),
}  # fmt: skip
UNKNOWN: dict[str, tuple[str, tuple[Fault, ...]]] = {
    "the noisy count is not used": (
        REFUSED, ((PrivateHybridSynthesizer, "_sealed", "people, counted", "len(table), counted"),)
    ),
    "the noisy count is held to the true one": (
        REFUSED,
        ((PrivateHybridSynthesizer, "_sealed", "first.count(count))", "first.count(count), len(table))"),),
    ),
    "the noisy count is helped by a closure": (
        REFUSED,
        ((PrivateHybridSynthesizer, "_sealed", "_at_least_one,", "lambda count: max(count, len(table) // 2),"),),
    ),
    "people are counted before the plan": (
        NO_CLAIM,
        ((PrivateHybridSynthesizer, "fit", "charged, laid", "self.people = len(table)\n    charged, laid"),),
    ),
    "cells are laid out for the table": (
        REFUSED,
        ((PrivateHybridSynthesizer, "_sealed", "_rough(dictionary)", "_rough(narrowed(self.dictionary, table))"),),
    ),
    "the plan within is laid out for the table": (
        REFUSED,
        ((
            PrivateHybridSynthesizer, "_sealed", "_laid_within(dictionary,",
            "_laid_within(narrowed(self.dictionary, table),",
        ),),
    ),
}  # fmt: skip


def narrowed(public: Any, table: pd.DataFrame) -> Any:
    """The dictionary with the ages that there are."""
    ages = {"minimum": float(table["age"].min()), "maximum": float(table["age"].max())}
    columns = {**public.columns, "age": public.columns["age"].model_copy(update=ages)}
    return public.model_copy(update={"columns": columns})


def sizes_of(table: pd.DataFrame, domain: Any) -> tuple[int, ...]:
    return tuple(domain.sizes)


def rewritten(patch: pytest.MonkeyPatch, fault: Fault) -> None:
    """Put a function in place whose source has one piece changed."""
    owner, name, old, new = fault
    source = textwrap.dedent(inspect.getsource(getattr(owner, name)))
    assert source.count(old) == 1, f"{name} has {source.count(old)} places that read {old}"
    module = sys.modules[owner.__module__] if inspect.isclass(owner) else owner
    changed: dict[str, Any] = {}
    code = compile(source.replace(old, new), "<fault>", "exec", __future__.annotations.compiler_flag)
    exec(code, vars(module), changed)  # noqa: S102 - the source is the module's own
    original = getattr(owner, name)
    for place in (owner, measure, private):
        if getattr(place, name, None) is original:
            patch.setattr(place, name, changed[name])


@pytest.mark.parametrize(("people", "fault"), [(400, name) for name in KNOWN] + [(None, name) for name in UNKNOWN])
def test_a_fault_in_the_source_is_refused_or_cancels_the_claim(
    people: int | None, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "RECORDS", (300, 300))
    expected, faults = (KNOWN if people else UNKNOWN)[fault]
    for name, value in {
        "narrowed": narrowed, "sizes_of": sizes_of, "made_of_rows": REAL, "measure": measure, "KEPT": [],
    }.items():  # fmt: skip
        monkeypatch.setattr(private, name, value, raising=False)
    monkeypatch.setattr(measure, "KEPT", 0, raising=False)
    for each in faults:
        rewritten(monkeypatch, each)
    fit = PrivateHybridSynthesizer(dictionary(people=people), 3.0, 1e-5, components=("graphical", "star"))
    if expected == REFUSED:
        with pytest.raises(PrivacyError, match=NAMES_A_TYPE):
            fit.fit(frame(60)).sample(5, np.random.default_rng(0))
    else:
        fit.fit(frame(60)).sample(5, np.random.default_rng(0))
        assert fit.claim_ is None


@pytest.mark.parametrize("people", [400, None])
def test_without_a_fault_there_is_a_claim(people: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "RECORDS", (300, 300))
    rewritten(monkeypatch, (PrivateHybridSynthesizer, "fit", "charged, laid", "unused = len(table)\n    charged, laid"))
    fit = PrivateHybridSynthesizer(dictionary(people=people), 3.0, 1e-5, components=("graphical", "star"))
    fit.fit(frame(60)).sample(5, np.random.default_rng(0))
    assert fit.claim_ is not None
