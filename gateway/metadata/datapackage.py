"""How does Frictionless describe the release? Data Package and Table Schema, version 1 with fields of version 2.

See https://specs.frictionlessdata.io/data-package and /table-schema; ``categories`` and ``categoriesOrdered`` are those
of https://datapackage.org/standard/table-schema, which readers of version 1 pass over.
"""

from __future__ import annotations

from typing import Any

from audit.record.statement import RECORD_FILE
from gateway.intake.formulas import guard
from gateway.intake.typed import missing_spellings
from gateway.metadata.description import (
    CSV,
    GUIDE,
    DescribedFile,
    Description,
    bound_number,
    bound_text,
    describe_column,
    instant,
)
from policies import Column, Dictionary

_TIME = "%Y-%m-%dT%H:%M:%S"
_TYPES = {"category": "string", "ordinal": "string", "identifier": "string"}  # the others have their own name


def data_package(description: Description, files: tuple[DescribedFile, ...]) -> dict[str, Any]:
    """The descriptor ``datapackage.json``; only the CSV file has a schema, so that no reader needs more than CSV."""
    return {
        "name": description.name,
        "title": description.title,
        "description": description.text,
        "created": instant(description.decided_at),
        "keywords": ["synthetic data"],
        "resources": [_resource(file, description.dictionary) for file in files if file.name != GUIDE],
        "release": _release(description),
    }


def table_schema(dictionary: Dictionary) -> dict[str, Any]:
    """The Table Schema of the released CSV: names, categories and missing cells as they are spelled there."""
    default = _missing(next(iter(dictionary.released)), dictionary)
    fields = []
    for name in dictionary.leaving:
        field = _field(name, dictionary.columns[name])
        own = _missing(name, dictionary)
        fields.append(field if own == default else {**field, "missingValues": own})
    return {"fields": fields, "missingValues": default}


def _resource(file: DescribedFile, dictionary: Dictionary) -> dict[str, Any]:
    stem, _, suffix = file.name.rpartition(".")
    resource: dict[str, Any] = {
        "name": stem if file.name == CSV else file.name.lower(),
        "path": file.name,
        "title": file.title,
        "format": suffix,
        "mediatype": file.media_type,
        "bytes": file.size,
        "hash": f"sha256:{file.sha256}",
    }
    if file.name != CSV:
        return {**resource, "type": "file"}
    return {
        **resource,
        "type": "table",
        "profile": "tabular-data-resource",
        "encoding": "utf-8",
        "dialect": {"delimiter": ",", "doubleQuote": True, "lineTerminator": "\n", "header": True},
        "schema": table_schema(dictionary),
    }


def _release(description: Description) -> dict[str, Any]:
    """What Data Package has no field for."""
    claim = description.claim
    return {
        "synthetic": True,
        "method": description.method,
        "terms": description.terms,
        "policy": description.policy.id,
        "decidedAt": instant(description.decided_at),
        "expiresAt": None if description.expires_at is None else instant(description.expires_at),
        "differentialPrivacy": None
        if claim is None
        else {"epsilon": claim.epsilon, "delta": claim.delta, "unit": claim.unit, "neighbours": claim.neighbours},
        "record": RECORD_FILE,
        "verify": GUIDE,
    }


def _field(name: str, column: Column) -> dict[str, Any]:
    field: dict[str, Any] = {"name": guard(name), "type": _TYPES.get(column.type, column.type)}
    field["description"] = describe_column(column)
    if column.unit:
        field["unit"] = column.unit
    if column.type == "datetime":
        field["format"] = _TIME
    constraints: dict[str, Any] = {"required": not column.nullable}
    if column.categories is not None:
        spelled = [guard(category) for category in column.categories]
        if column.type == "boolean":
            field |= {"falseValues": spelled[:1], "trueValues": spelled[1:]}
        else:
            field |= {"categories": spelled, "categoriesOrdered": column.type == "ordinal"}
            constraints["enum"] = spelled
    for side, bound in (("minimum", column.minimum), ("maximum", column.maximum)):
        if bound is not None:
            number = bound_number(bound)
            constraints[side] = bound_text(bound) if number is None else number
    return {**field, "constraints": constraints}


def _missing(name: str, dictionary: Dictionary) -> list[str]:
    """The one spelling that the released CSV has for a missing cell; none where nothing can be missing."""
    return [guard(text) for text in missing_spellings(name, dictionary)[:1]]
