"""The policies that ship: each loads, and each number says where it comes from."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest

from audit.measures import MEASURE_NAMES
from gateway.statements import read_policy
from policies import PolicyError, decide, load_pack, pack_names, read_pack
from policies.evidence import ATTACKS
from policies.schemas import schemas

NORMS = sorted({*pack_names()} - {"controlled-access", "public-release", "small-cohort"})


def test_there_are_packs() -> None:
    assert pack_names()


@pytest.mark.parametrize("name", pack_names())
def test_a_pack_loads_under_its_own_name(name: str) -> None:
    assert load_pack(name).id == name


@pytest.mark.parametrize("name", pack_names())
def test_every_number_of_a_pack_carries_its_source(name: str) -> None:
    document = tomllib.loads(read_pack(name).decode("utf-8"))
    assert [place for place, section in _numbered(document) if not section.get("source", "").strip()] == []
    alone = {key for key, value in document.items() if isinstance(value, int | float)} - {"version"}
    assert alone == document["sources"].keys()
    assert document["cites"]


@pytest.mark.parametrize("name", NORMS)
def test_a_norm_that_sets_no_number_is_not_made_to_say_one(name: str) -> None:
    """A source names a document the pack cites, or says house."""
    pack = load_pack(name)
    cited = {word for line in pack.cites for word in _words(line)}
    for limit in pack.limits.values():
        assert limit.source.startswith("house") or cited & set(_words(limit.source))
    assert pack.not_held, "no norm is held by measures alone"


@pytest.mark.parametrize("name", NORMS)
def test_the_house_holds_all_its_packs_to_the_same_numbers(name: str) -> None:
    pack = load_pack(name)
    base = load_pack("public-release" if pack.differential_privacy else "controlled-access")
    for measure, limit in pack.limits.items():
        if limit.source.startswith("house") and measure in base.limits:
            assert (limit.min, limit.max) == (base.limits[measure].min, base.limits[measure].max)


@pytest.mark.parametrize("name", ["gdpr-recipient", "synd-shdgf"])
def test_a_norm_that_may_soon_change_is_marked(name: str) -> None:
    assert load_pack(name).under_review


@pytest.mark.parametrize("name", pack_names())
def test_a_pack_limits_only_measures_that_exist(name: str) -> None:
    assert read_policy(name)[1].id == name


@pytest.mark.parametrize("name", pack_names())
def test_a_pack_allows_nothing_that_was_not_measured(name: str) -> None:
    decision = decide(load_pack(name), [])
    assert not decision.allowed
    assert len(decision.unmet) == len(decision.findings) == len(load_pack(name).demands())


@pytest.mark.parametrize("name", pack_names())
def test_no_pack_rests_on_one_kind_of_attack(name: str) -> None:
    limits = load_pack(name).limits.keys()
    assert sum(bool(limits & set(names)) for names in ATTACKS.values()) >= 3


def test_every_attack_is_a_measure_that_exists() -> None:
    assert {measure for names in ATTACKS.values() for measure in names} <= set(MEASURE_NAMES)


@pytest.mark.parametrize("name", ["absent", "../model", "", "public-release.toml"])
def test_only_shipped_packs_are_read(name: str) -> None:
    with pytest.raises(PolicyError, match="no policy pack"):
        read_pack(name)


@pytest.mark.parametrize("name", sorted(schemas()))
def test_the_shipped_schema_is_that_of_the_model(name: str) -> None:
    shipped = (resources.files("policies") / "schema" / name).read_text(encoding="utf-8")
    assert json.loads(shipped) == json.loads(schemas()[name])


def _words(line: str) -> list[str]:
    """The words of a citation that name a document: those with a digit, such as WP216 or 164.514."""
    words = (word.strip("(),:;") for word in line.replace("(", " ").split())
    return [word for word in words if any(char.isdigit() for char in word)]


def _numbered(table: dict[str, Any], place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every table within a document that holds a number of its own, limits included."""
    for key, value in table.items():
        if isinstance(value, dict):
            if any(isinstance(item, int | float) for item in value.values()):
                yield f"{place}{key}", value
            yield from _numbered(value, f"{place}{key}.")
