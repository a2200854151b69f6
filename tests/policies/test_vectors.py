"""Every clause of every pack against its test vectors: what it meets, what lies just outside, what was not measured."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from policies import Measurement, decide, load_pack, pack_names
from tests.policies.vectors.draft import FOLDER, fields

VOID = ("missing", "inconclusive", "failed")
SURE = 0.999999


pack_of = cache(load_pack)


@cache
def vectors_of(pack: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{pack}.json").read_text(encoding="utf-8"))
    return found


def measurements(name: str, vector: dict[str, Any]) -> list[Measurement]:
    """What was measured: nothing, a void measurement or a number with its interval."""
    status = vector.get("status", "measured")
    if status == "missing":
        return []
    if status != "measured":
        return [Measurement.void(name, status=status, reason="vector")]
    value, lower, upper = vector["value"], vector["lower"], vector["upper"]
    return [Measurement(name, value, lower, upper, SURE, vector["n"], "vector")]


def met_vector(found: dict[str, Any]) -> dict[str, Any]:
    first: dict[str, Any] = next(vector for vector in found["vectors"] if vector["met"])
    return first


CASES = [(pack, name) for pack in pack_names() for name in vectors_of(pack)["limits"]]


def test_each_pack_has_its_vectors_and_no_file_is_left_over() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(pack_names())
    assert all(vectors_of(pack)["pack"] == pack for pack in pack_names())


@pytest.mark.parametrize("pack", pack_names())
def test_every_limit_has_vectors_that_meet_it_break_it_and_leave_it_open(pack: str) -> None:
    limits = vectors_of(pack)["limits"]
    policy = pack_of(pack)
    assert limits.keys() == policy.demands().keys()
    for name, limit in policy.demands().items():
        vectors = limits[name]["vectors"]
        assert limits[name]["clause"] == limit.source
        numbers = [vector for vector in vectors if "status" not in vector]
        assert {vector["met"] for vector in numbers} == {True, False}
        assert {vector["status"]: vector["met"] for vector in vectors if "status" in vector} == dict.fromkeys(
            VOID, False
        )
        if limit.max is not None:  # one that ends on the limit, and one that ends beyond it, but not by much
            assert any(vector["met"] and vector["upper"] == limit.max for vector in numbers)
            assert any(not vector["met"] and 0 < vector["upper"] - limit.max <= 1 for vector in numbers)
        if limit.min is not None:
            assert any(vector["met"] and vector["lower"] == limit.min for vector in numbers)
            assert any(not vector["met"] and 0 < limit.min - vector["lower"] <= 1 for vector in numbers)


@pytest.mark.parametrize("pack", pack_names())
def test_every_number_beside_the_limits_is_pinned(pack: str) -> None:
    assert vectors_of(pack)["fields"] == fields(pack_of(pack))


@pytest.mark.parametrize(("pack", "name"), CASES, ids=[f"{pack}-{name}" for pack, name in CASES])
def test_a_clause_alone_decides_what_its_vectors_say(pack: str, name: str) -> None:
    """All other limits are met, so that the decision is this one's."""
    limits, policy = vectors_of(pack)["limits"], pack_of(pack)
    others = [m for other, found in limits.items() if other != name for m in measurements(other, met_vector(found))]
    for vector in limits[name]["vectors"]:
        decision = decide(policy, [*others, *measurements(name, vector)])
        assert decision.allowed is vector["met"], vector["why"]
        assert {finding.measure for finding in decision.unmet} == (set() if vector["met"] else {name}), vector["why"]
        [finding] = [finding for finding in decision.findings if finding.measure == name]
        assert finding.status == vector.get("found", vector.get("status", "measured")), vector["why"]
        assert finding.undecided is ("could" in vector), vector["why"]
        if "could" in vector:
            could = "no number could" if vector["could"] is None else f"about {vector['could']} could"
            assert finding.reason.startswith(f"n = {vector['n']} cannot decide; {could},"), vector["why"]


@pytest.mark.parametrize("pack", pack_names())
def test_an_interval_of_less_confidence_than_the_pack_asks_for_is_no_evidence(pack: str) -> None:
    policy = pack_of(pack)
    for name, found in vectors_of(pack)["limits"].items():
        vector = met_vector(found)
        unsure = Measurement(
            name, vector["value"], vector["lower"], vector["upper"], policy.confidence - 0.001, vector["n"], "vector"
        )
        [finding] = [finding for finding in decide(policy, [unsure]).findings if finding.measure == name]
        assert (finding.met, finding.status) == (False, "inconclusive")


# -- by hand: the numbers that norms are known for ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pack", "smallest_class", "met"),
    [
        ("ema-0070", 11, True),  # risk 1/11 = 0.0909: the letter's 0.09 would refuse it, practice does not
        ("ema-0070", 10, False),
        ("ipc-ontario-2025-low", 11, True),
        ("ipc-ontario-2025-low", 10, False),
        ("ipc-ontario-2025-medium", 14, True),  # 1/0.075 = 13.3 people
        ("ipc-ontario-2025-medium", 13, False),
        ("ipc-ontario-2025-high", 20, True),
        ("ipc-ontario-2025-high", 19, False),
        ("cms-cell-11", 11, True),
        ("cms-cell-11", 10, False),
        ("cms-cell-11", 1, False),
    ],
)
def test_the_smallest_real_class_a_norm_allows(pack: str, smallest_class: int, met: bool) -> None:
    measured = Measurement.exact("k_map", smallest_class, n=1000, method="by hand")
    [finding] = [finding for finding in decide(pack_of(pack), [measured]).findings if finding.measure == "k_map"]
    assert finding.met is met
    assert pack_of(pack).attacker.class_size <= (finding.limit.min or 0)
