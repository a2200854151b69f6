"""RECORD.md names every field there is, and none that there is not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import resources
from typing import Any

from audit.record.approval import ReleaseAction
from audit.record.cosignature import cosign
from audit.record.note import Checkpoint
from audit.record.proof import LogProof, Witnessed
from tests.conformance.parts import LOG, ORIGIN, SEEN, WITNESS

PACKAGE = resources.files("audit.record")
SCHEMA = json.loads((PACKAGE / "release-record.v1.json").read_text("utf-8"))
PAGE = (PACKAGE / "RECORD.md").read_text("utf-8")
ROWS = re.compile(r"^\| `([^`]+)` \| (.+) \|$", re.MULTILINE)


def paths(schema: dict[str, Any], at: str = "") -> Iterator[str]:
    """Every field of the schema, as the page spells it; free objects and shared definitions are leaves."""
    for option in schema.get("anyOf", ()):
        yield from paths(option, at)
    for name, inner in schema.get("properties", {}).items():
        path = f"{at}.{name}" if at else name
        yield path
        yield from paths(inner, path)
    if "items" in schema:
        yield from paths(schema["items"], f"{at}[]")


def keys(value: Any, at: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield f"{at}{name}"
            yield from keys(inner, f"{at}{name}.")
    elif isinstance(value, list) and value:
        yield from keys(value[0], f"{at.removesuffix('.')}[].")


def test_every_field_of_the_record_has_one_row_and_every_row_is_a_field() -> None:
    part = PAGE.partition("## The log proof")[0]
    named = [path for path, _ in ROWS.findall(part)]
    assert sorted(named) == sorted(paths(SCHEMA))
    assert len(set(named)) == len(named) > 70


def test_every_field_of_the_log_proof_has_a_row() -> None:
    part = PAGE.partition("## The log proof")[2].partition("## Actions")[0]
    note = Checkpoint(ORIGIN, 1, bytes(32)).sign(LOG)
    proof = LogProof(0, 1, (), note, (Witnessed(cosign(note, "regulator.example", WITNESS, SEEN), (bytes(32),)),))
    assert sorted(path for path, _ in ROWS.findall(part)) == sorted(keys(json.loads(proof.to_bytes())))


def test_no_row_is_empty() -> None:
    for path, rest in ROWS.findall(PAGE):
        cells = rest.replace("\\|", "").split(" | ")
        assert len(cells[0]) > 3, path
        assert len(cells) < 2 or len(cells[1]) > 2, path


def test_every_field_of_an_action_has_a_row() -> None:
    part = PAGE.partition("## Actions")[2]
    action = ReleaseAction("approve", "a" * 64, "Dr Ada Example", "approver", "reviewed", SEEN)
    assert sorted(path for path, _ in ROWS.findall(part)) == sorted(action.to_dict()["predicate"])
