"""The published JSON Schema says what the software does."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from importlib import resources
from typing import Any

import pytest

from audit.record.statement import PREDICATE_TYPE, CoarseFinding, ReleaseRecord, Subject

Make = Callable[..., ReleaseRecord]
SCHEMA = json.loads((resources.files("audit.record") / "release-record.v1.json").read_text("utf-8"))
TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "number": lambda value: type(value) in (int, float),
    "integer": lambda value: type(value) is int,
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}
ANNOTATIONS = {"$schema", "$id", "$defs", "title", "description"}


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """A validator of the few keywords of JSON Schema 2020-12 that the schema uses; an unknown one is an error."""
    checks: dict[str, Callable[[Any], bool]] = {
        "$ref": lambda name: fits(value, SCHEMA["$defs"][name.removeprefix("#/$defs/")]),
        "anyOf": lambda options: any(fits(value, option) for option in options),
        "const": lambda expected: bool(value == expected),
        "enum": lambda options: value in options,
        "type": lambda name: TYPES[name](value),
        "pattern": lambda pattern: not isinstance(value, str) or re.search(pattern, value) is not None,
        "minLength": lambda least: not isinstance(value, str) or len(value) >= least,
        "maxLength": lambda most: not isinstance(value, str) or len(value) <= most,
        "minimum": lambda least: type(value) not in (int, float) or value >= least,
        "exclusiveMinimum": lambda bound: type(value) not in (int, float) or value > bound,
        "maximum": lambda most: type(value) not in (int, float) or value <= most,
        "minItems": lambda least: not isinstance(value, list) or len(value) >= least,
        "maxItems": lambda most: not isinstance(value, list) or len(value) <= most,
        "items": lambda inner: not isinstance(value, list) or all(fits(each, inner) for each in value),
        "required": lambda names: not isinstance(value, dict) or set(names) <= value.keys(),
        "properties": lambda inner: (
            not isinstance(value, dict) or all(fits(value[name], inner[name]) for name in value.keys() & inner.keys())
        ),
        "additionalProperties": lambda allowed: (
            allowed or not isinstance(value, dict) or value.keys() <= schema["properties"].keys()
        ),
    }
    return all(checks[keyword](argument) for keyword, argument in schema.items() if keyword not in ANNOTATIONS)


def test_the_schema_is_named_after_the_predicate() -> None:
    assert SCHEMA["$id"] == PREDICATE_TYPE
    assert SCHEMA["properties"]["predicateType"] == {"const": PREDICATE_TYPE}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {
            "findings": None,
            "reason": None,
            "expires_at": None,
            "synthesizer": None,
            "differential_privacy": None,
        },
        {
            "decision": "denied",
            "subjects": (Subject("report.html", "b" * 64),),
            "released_rows": 0,
            "findings": (CoarseFinding("k_anonymity", False),),
        },
    ],
)
def test_what_the_software_writes_fits_the_schema(make_record: Make, changes: dict[str, Any]) -> None:
    assert fits(json.loads(make_record(**changes).to_payload()), SCHEMA)


def _objects(schema: dict[str, Any], value: Any) -> list[tuple[dict[str, Any], Any]]:
    """Every object of the schema beside the value that stands there."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    if "anyOf" in schema:
        schema = schema["anyOf"][0]
    if "items" in schema:
        return _objects(schema["items"], value[0]) if value else []
    if "properties" not in schema:
        return []
    inner = [found for name, each in schema["properties"].items() for found in _objects(each, value[name])]
    return [(schema, value), *inner]


def test_schema_and_software_know_the_same_fields_all_required(make_record: Make) -> None:
    found = _objects(SCHEMA, json.loads(make_record().to_payload()))
    assert len(found) == 23
    for schema, value in found:
        assert set(schema["properties"]) == set(schema["required"]) == set(value)
        assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("predicate", "decision"), "maybe"),
        (("predicate", "releasedRows"), -1),
        (("predicate", "ledgerHead"), "x"),
        (("predicate", "decidedAt"), "yesterday"),
        (("predicate", "log", "publicKey"), "AAAA"),
        (("predicate", "source", "commitment"), "sha256:00"),
        (("subject",), []),
        (("predicate", "differentialPrivacy", "unit"), "household"),
        (("predicate", "differentialPrivacy", "epsilon"), 0),
        (("predicate", "differentialPrivacy", "delta"), 1.5),
        (("predicate", "differentialPrivacy", "mechanisms"), []),
        (("predicate", "differentialPrivacy", "randomness"), "seed 7"),
        (("predicate", "differentialPrivacy", "budget", "leftEpsilon"), -0.1),
        (("predicate", "surprise"), 1),
    ],
)
def test_what_the_software_refuses_does_not_fit_the_schema(
    make_record: Make, path: tuple[str, ...], wrong: Any
) -> None:
    document = json.loads(make_record().to_payload())
    changed = copy.deepcopy(document)
    place = changed
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = wrong
    assert fits(document, SCHEMA)
    assert not fits(changed, SCHEMA)
