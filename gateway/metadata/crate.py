"""How does RO-Crate describe the release? Version 1.1 (w3id.org/ro/crate/1.1), a flat graph of schema.org terms.

The policy's own words stand where a licence would: RO-Crate allows for terms that are described in the crate itself.
"""

from __future__ import annotations

from typing import Any

from audit.record.statement import PROOF_FILE, RECORD_FILE
from gateway.metadata.description import (
    CSV,
    MEDIA_TYPES,
    PAGE,
    PARQUET,
    TITLES,
    DescribedFile,
    Description,
    bound_number,
    describe_column,
    instant,
)
from policies import Column

_WITHOUT_DIGEST = (PAGE, RECORD_FILE, PROOF_FILE)  # written after this document, since they say what its digest is
_MORE_TERMS = {"sha256": "http://schema.org/sha256"}  # of schema.org, and newer than RO-Crate 1.1
_TERMS, _SOFTWARE, _MAKING = "#terms", "#software", "#making"


def crate(description: Description, files: tuple[DescribedFile, ...]) -> dict[str, Any]:
    """The document ``ro-crate-metadata.json``."""
    columns = list(description.dictionary.columns.items())
    names = [*(file.name for file in files), *_WITHOUT_DIGEST]
    return {
        "@context": ["https://w3id.org/ro/crate/1.1/context", _MORE_TERMS],
        "@graph": [
            {
                "@id": "ro-crate-metadata.json",
                "@type": "CreativeWork",
                "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
                "about": {"@id": "./"},
            },
            _root(description, names, len(columns)),
            *(_file(file) for file in files),
            *({"@id": name, "@type": "File", **_titled(name)} for name in _WITHOUT_DIGEST),
            *(_column(number, name, column) for number, (name, column) in enumerate(columns, start=1)),
            {
                "@id": _TERMS,
                "@type": "CreativeWork",
                "name": f"Terms of policy {description.policy.id}",
                "description": description.terms,
            },
            {
                "@id": _SOFTWARE,
                "@type": "SoftwareApplication",
                "name": description.software[0],
                "softwareVersion": description.software[1],
            },
            {
                "@id": _MAKING,
                "@type": "CreateAction",
                "name": "Synthesis, and audit against the policy",
                "description": description.method,
                "instrument": {"@id": _SOFTWARE},
                "result": [{"@id": PARQUET}, {"@id": CSV}],
                "endTime": instant(description.decided_at),
            },
        ],
    }


def _root(description: Description, names: list[str], columns: int) -> dict[str, Any]:
    root: dict[str, Any] = {
        "@id": "./",
        "@type": "Dataset",
        "name": description.title,
        "description": description.text,
        "datePublished": instant(description.decided_at),
        "keywords": "synthetic data",
        "license": {"@id": _TERMS},
        "hasPart": [{"@id": name} for name in names],
        "mentions": {"@id": _MAKING},
        "variableMeasured": _values([{"@id": f"#column-{number}"} for number in range(1, columns + 1)]),
    }
    if description.expires_at is not None:
        root["expires"] = f"{description.expires_at:%Y-%m-%d}"
    return root


def _file(file: DescribedFile) -> dict[str, Any]:
    return {
        "@id": file.name,
        "@type": "File",
        **_titled(file.name),
        "contentSize": str(file.size),
        "sha256": file.sha256,
    }


def _titled(name: str) -> dict[str, Any]:
    return {"name": TITLES[name], "encodingFormat": MEDIA_TYPES[name]}


def _values(found: list[Any]) -> Any:
    """A single value stands by itself, as RO-Crate recommends."""
    return found[0] if len(found) == 1 else found


def _column(number: int, name: str, column: Column) -> dict[str, Any]:
    entity: dict[str, Any] = {
        "@id": f"#column-{number}",
        "@type": "PropertyValue",
        "name": name,
        "description": describe_column(column),
    }
    if column.unit:
        entity["unitText"] = column.unit
    if column.categories is not None:
        entity["valueReference"] = _values(list(column.categories))
    for side, bound in (("minValue", column.minimum), ("maxValue", column.maximum)):
        limit = bound_number(bound)
        if limit is not None:
            entity[side] = limit
    return entity
