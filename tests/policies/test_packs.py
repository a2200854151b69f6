"""The policies that ship: each loads, and each number says where it comes from."""

from __future__ import annotations

import json
import tomllib
from importlib import resources

import pytest

from policies import PolicyError, decide, load_pack, pack_names, read_pack
from policies.schemas import schemas


def test_there_are_packs() -> None:
    assert pack_names()


@pytest.mark.parametrize("name", pack_names())
def test_a_pack_loads_under_its_own_name(name: str) -> None:
    assert load_pack(name).id == name


@pytest.mark.parametrize("name", pack_names())
def test_every_number_of_a_pack_carries_its_source(name: str) -> None:
    document = tomllib.loads(read_pack(name).decode("utf-8"))
    sections = {f"limits.{measure}": limit for measure, limit in document["limits"].items()}
    sections |= {key: document[key] for key in ("attacker", "attempts", "differential_privacy") if key in document}
    assert [section for section, fields in sections.items() if not fields.get("source", "").strip()] == []
    assert document["cites"]


@pytest.mark.parametrize("name", pack_names())
def test_a_pack_allows_nothing_that_was_not_measured(name: str) -> None:
    decision = decide(load_pack(name), [])
    assert not decision.allowed
    assert len(decision.unmet) == len(decision.findings) == len(load_pack(name).demands())


@pytest.mark.parametrize("name", pack_names())
def test_no_pack_rests_on_distances_alone(name: str) -> None:
    limits = set(load_pack(name).limits)
    assert limits & {"membership_auc", "k_map_excess", "homogeneity_excess"}
    assert limits - {"nnaa_privacy_loss", "dcr_share"}


@pytest.mark.parametrize("name", ["absent", "../model", "", "public-release.toml"])
def test_only_shipped_packs_are_read(name: str) -> None:
    with pytest.raises(PolicyError, match="no policy pack"):
        read_pack(name)


@pytest.mark.parametrize("name", sorted(schemas()))
def test_the_shipped_schema_is_that_of_the_model(name: str) -> None:
    shipped = (resources.files("policies") / "schema" / name).read_text(encoding="utf-8")
    assert json.loads(shipped) == json.loads(schemas()[name])
