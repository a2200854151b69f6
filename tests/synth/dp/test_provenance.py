"""Raw rows taint everything they reach, and the usual ways to lose that by accident are closed."""

from __future__ import annotations

import functools
import math
import types
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

from synth.dp import private, weights
from synth.dp.events import PrivacyError
from synth.dp.provenance import RAW, Traced, flow, public, stage

NOISY = "1.1 gaussian tables"


def noisy(values: list[float]) -> Traced[NDArray[np.float64]]:
    return Traced(np.array(values), frozenset({NOISY}))


def raw(values: list[float]) -> Traced[NDArray[np.float64]]:
    return Traced(np.array(values), frozenset({RAW}))


@dataclass(frozen=True)
class Table:
    counts: NDArray[np.float64]


def test_sources_are_united() -> None:
    found = flow("add", lambda a, b: a + b, noisy([1.0]), Traced(2.0, frozenset({"2.1 pure n"})))
    assert found.value.tolist() == [3.0]
    assert found.sources == {NOISY, "2.1 pure n"}
    assert not found.tainted


def test_taint_survives_every_later_stage() -> None:
    value = flow("mix", lambda a, b: a + b, noisy([1.0]), raw([2.0]))
    for name in ("consistency", "calibration", "weights", "sample"):
        value = flow(name, lambda each: each * 2, value)
    assert value.tainted


@pytest.mark.parametrize(
    "wrap",
    [
        lambda each: [each],
        lambda each: (None, (each,)),
        lambda each: [noisy([1.0]), each],
    ],
)
def test_taint_inside_lists_and_tuples_is_found(wrap: object) -> None:
    assert callable(wrap)
    assert flow("look", lambda _: 0, wrap(raw([1.0]))).tainted
    assert flow("look", lambda *, named: named, named=wrap(raw([1.0]))).tainted


def test_public_values_have_no_sources() -> None:
    assert flow("levels", lambda levels: levels.sum(), public(np.arange(3))).sources == frozenset()


COLUMN = pd.Series([31.0, 47.0])
BARE = {
    "an array": np.arange(3),
    "a frame": pd.DataFrame({"a": [1]}),
    "a series": COLUMN,
    "a tensor": torch.zeros(2),
    "an array in a list": [np.arange(2)],
    "a mean": float(COLUMN.mean()),
    "a numpy mean": COLUMN.mean(),
    "a length": len(COLUMN),
    "a question": bool((COLUMN > 40).any()),
    "a name": "47 years",
    "a date": pd.Timestamp("2020-01-01"),
    "a column as a list": COLUMN.tolist(),
    "a column as a tuple": tuple(COLUMN),
    "a column as a set": set(COLUMN),
    "a mapping": {"n": len(COLUMN)},
    "a mapping of traced values": {47.0: public(0)},
    "a list of lists": [[31.0], [47.0]],
    "an object": Table(np.arange(2.0)),
    "an object without arrays": types.SimpleNamespace(n=2),
    "an iterator": iter([31.0, 47.0]),
    "a function": lambda: 47.0,
}


@pytest.mark.parametrize("bare", BARE.values(), ids=BARE.keys())
def test_whatever_is_not_traced_is_refused(bare: object) -> None:
    for values in ((bare,), (noisy([1.0]), bare), ([bare],)):
        with pytest.raises(PrivacyError, match="bare") as caught:
            flow("mix", lambda *_: 0, *values)
        assert "47" not in str(caught.value)
    with pytest.raises(PrivacyError, match="bare"):
        flow("mix", lambda *, given: given, given=bare)


def test_nothing_and_a_generator_need_no_mark() -> None:
    found = flow("draw", lambda rng, shape: rng.random(shape), np.random.default_rng(1), None)
    assert found.sources == frozenset()


def test_parts_and_members_have_the_sources_of_the_whole() -> None:
    table = Traced(types.SimpleNamespace(inner=types.SimpleNamespace(size=3), columns=(1, 2)), frozenset({NOISY}))
    assert table.part("inner.size").value == 3
    assert table.part("inner.size").sources == {NOISY}
    assert [each.value for each in table.part("columns").each()] == [1, 2]
    assert all(each.sources == {NOISY} for each in table.part("columns").each())


def test_what_was_raw_does_not_become_public_by_being_called_so() -> None:
    tainted = raw([1.0, 2.0])
    for value in (tainted.value, tainted.value[:1], [tainted.value], Table(tainted.value), {"a": tainted.value}):
        assert public(value).tainted
        assert flow("look", lambda _: 0, public(value)).tainted
    number = raw(3)
    for held in ([number], {"n": number}, Table(number)):
        assert public(held).tainted


def test_captured_arrays_are_refused() -> None:
    rows = np.arange(3)
    with pytest.raises(PrivacyError, match="captures"):
        flow("mix", lambda each: each + rows, noisy([1.0]))
    with pytest.raises(PrivacyError, match="captures"):
        flow("mix", lambda each, extra=rows: each + extra, noisy([1.0]))
    with pytest.raises(PrivacyError, match="captures"):
        flow("mix", functools.partial(np.add, rows), noisy([1.0]))
    traced = raw([1.0])
    with pytest.raises(PrivacyError, match="captures"):
        flow("mix", lambda each: each + traced.value, noisy([1.0]))


def test_captured_members_of_an_object_are_refused() -> None:
    class Model:
        def __init__(self) -> None:
            self.rows = np.arange(3)

        def fit(self, each: NDArray[np.float64]) -> float:
            return float(each.sum() + self.rows.sum())

    with pytest.raises(PrivacyError, match="captures"):
        flow("mix", Model().fit, noisy([1.0]))


HEADS = 47
LEVELS = (1, 2, ("a", 3))
SEEN = [31.0]
CACHED = {"rows": [31.0]}
REGISTRY = {"first": np.mean, "second": (len, sorted)}


def _reads_a_constant(each: Any) -> Any:
    return each, HEADS, LEVELS, [name for name in LEVELS], REGISTRY, math.pi  # noqa: C416 - names within are seen


def _reads_a_list(each: Any) -> Any:
    return each, [value for value in SEEN]  # noqa: C416


def _reads_a_mapping(each: Any) -> Any:
    return each, (lambda: CACHED)()


def _with_default(each: Any, step: float = 0.5) -> Any:
    return each * step


class Holder:
    def __init__(self, rows: object) -> None:
        self.rows = rows

    def look(self, each: Any) -> Any:
        return each, self.rows

    def __call__(self, each: Any) -> Any:
        return each, self.rows


def test_code_and_the_constants_of_modules_may_be_captured() -> None:
    assert flow("look", _reads_a_constant, public(0)).sources == frozenset()
    assert flow("look", _with_default, public(2.0)).value == 1.0
    assert flow("look", lambda each: _with_default(each), public(2.0)).value == 1.0
    assert flow("look", np.sum, noisy([1.0, 2.0])).value == 3.0
    assert flow("look", len, noisy([1.0, 2.0])).value == 2
    assert flow("look", functools.lru_cache(_with_default), public(2.0)).value == 1.0


@pytest.mark.parametrize("held", BARE.values(), ids=BARE.keys())
def test_captured_values_of_every_kind_are_refused(held: Any) -> None:
    if isinstance(held, types.FunctionType):
        held = {held: 1}

    def marked(each: Any) -> Any:
        return each

    marked.seen = held  # type: ignore[attr-defined]
    functions: list[Any] = [
        lambda each: (each, held),
        lambda each: (each, [held for _ in range(2)]),
        lambda each, extra=held: (each, extra),
        lambda each, *, extra=held: (each, extra),
        functools.partial(_with_default, step=held),
        functools.partial(lambda _, each: each, held),
        Holder(held).look,
        Holder(held),
        functools.partial(Holder(held).look),
        (lambda inner: lambda each: inner(each))(lambda each: (each, held)),
        marked,
    ]
    for function in functions:
        with pytest.raises(PrivacyError, match="captures"):
            flow("mix", function, noisy([1.0]))


@pytest.mark.parametrize("function", [_reads_a_list, _reads_a_mapping, COLUMN.sum, [31.0].count, "47".join])
def test_what_may_have_been_filled_since_is_refused(function: Any) -> None:
    with pytest.raises(PrivacyError, match="captures"):
        flow("mix", function, noisy([1.0]))


def test_variables_of_modules_are_seen_through_the_functions_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    good = weights.learned_weights
    assert "_UPDATES" in good.__code__.co_names
    monkeypatch.setattr(weights, "_UPDATES", np.arange(3))
    with pytest.raises(PrivacyError, match="captures a ndarray"):
        flow("weights", private._weighed, noisy([1.0]))
    monkeypatch.setattr(weights, "_UPDATES", {"rows": 3})
    with pytest.raises(PrivacyError, match="captures a int"):
        flow("weights", lambda _: weights._UPDATES, noisy([1.0]))


def test_a_value_taken_out_and_passed_on_bare_keeps_its_sources() -> None:
    tainted = raw([1.0, 2.0])
    assert flow("look", lambda each: each, tainted.value).tainted
    assert flow("look", lambda each: each, tainted.value[1:]).tainted
    assert flow("look", lambda each: each, [tainted.value]).tainted
    with pytest.raises(PrivacyError, match="bare"):  # what else is in the object is not known
        flow("look", lambda each: each.counts, Table(tainted.value))


def test_a_captured_value_that_was_traced_is_refused_inside_an_object() -> None:
    table = Table(raw([1.0]).value)
    with pytest.raises(PrivacyError, match="captures"):
        flow("mix", lambda each: each + table.counts, noisy([1.0]))


def test_traced_arrays_cannot_be_written() -> None:
    clean = noisy([1.0])
    with pytest.raises(ValueError, match="read-only"):
        clean.value += 1
    with pytest.raises(ValueError, match="read-only"):
        flow("mix", lambda a, b: np.copyto(a, b), clean, raw([5.0]))
    assert Traced(Table(np.zeros(2)), frozenset()).value.counts.flags.writeable is False


def test_what_a_stage_returns_traced_is_united_not_nested() -> None:
    found = flow("mix", lambda each: Traced(each.sum(), frozenset({"2.1 pure n"})), noisy([1.0]))
    assert found.value == 1.0
    assert found.sources == {NOISY, "2.1 pure n"}
    with pytest.raises(PrivacyError, match="cannot hold"):
        Traced(noisy([1.0]), frozenset())


def test_an_object_that_a_tainted_value_shares_stays_public() -> None:
    @dataclass(frozen=True)
    class Facts:
        name: str

    facts = Facts("age")
    Traced({"facts": facts, "rows": np.arange(2)}, frozenset({RAW}))
    assert not flow("look", lambda each: each.name, public(facts)).tainted


def test_a_marked_function_is_a_stage() -> None:
    @stage("double")
    def double(each: NDArray[np.float64]) -> NDArray[np.float64]:
        return each * 2

    assert double(noisy([1.5])).value.tolist() == [3.0]
    assert double(raw([1.5])).tainted
    with pytest.raises(PrivacyError, match="double"):
        double(np.arange(2))


def test_repr_names_sources_but_no_values() -> None:
    shown = repr(raw([12345.0]))
    assert "12345" not in shown
    assert RAW in shown
