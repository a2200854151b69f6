"""Raw rows taint everything they reach, and the usual ways to lose that by accident are closed."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

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
        lambda each: (1, (each,)),
        lambda each: {"a": {"b": each}},
        lambda each: [noisy([1.0]), each],
    ],
)
def test_taint_inside_containers_is_found(wrap: object) -> None:
    assert callable(wrap)
    assert flow("look", lambda _: 0, wrap(raw([1.0]))).tainted
    assert flow("look", lambda *, named: named, named=wrap(raw([1.0]))).tainted


def test_public_values_have_no_sources() -> None:
    assert flow("levels", lambda levels: levels.sum(), public(np.arange(3))).sources == frozenset()


def test_bare_arrays_frames_and_tensors_are_refused() -> None:
    import torch

    for bare in (np.arange(3), pd.DataFrame({"a": [1]}), pd.Series([1]), torch.zeros(2), [np.arange(2)]):
        with pytest.raises(PrivacyError, match="bare"):
            flow("mix", lambda each: each, bare)


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


def test_a_value_taken_out_and_passed_on_bare_keeps_its_sources() -> None:
    tainted = raw([1.0, 2.0])
    assert flow("look", lambda each: each, tainted.value).tainted
    assert flow("look", lambda each: each, tainted.value[1:]).tainted
    assert flow("look", lambda each: each.counts, Table(tainted.value)).tainted
    assert flow("look", lambda each: each, [tainted.value]).tainted


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
    assert not flow("look", lambda each: each.name, facts).tainted


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
