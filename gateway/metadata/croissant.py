"""How does Croissant describe the release? Version 1.0 of the MLCommons format (Akhtar et al. 2024, arXiv:2403.19546).

The rows are described in the Parquet file, whose missing cells are nulls, and the CSV file is listed beside it.
"""

from __future__ import annotations

import re
from typing import Any

from gateway.metadata.description import (
    CSV,
    PARQUET,
    DescribedFile,
    Description,
    describe_column,
)
from policies import Column

ROWS = "rows"
_PLAIN = re.compile(r"(?!column-\d)[A-Za-z0-9_.-]+")  # mlcroissant takes no spaces in an id
_TYPES = {"integer": "sc:Integer", "number": "sc:Float", "date": "sc:Date", "datetime": "sc:DateTime"}
_TERMS = (
    "citeAs", "column", "conformsTo", "equivalentProperty", "extract", "field", "fileProperty", "fileObject",
    "fileSet", "format", "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet",
    "references", "regex", "repeated", "replace", "samplingRate", "separator", "source", "subField", "transform",
)  # fmt: skip
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    **{term: f"cr:{term}" for term in _TERMS},
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
}


def croissant(description: Description, files: tuple[DescribedFile, ...]) -> dict[str, Any]:
    """The document ``croissant.json``: the files, and the columns of the rows with their types and categories."""
    columns = [
        (name if _PLAIN.fullmatch(name) else f"column-{number}", name, column)
        for number, (name, column) in enumerate(description.dictionary.columns.items(), start=1)
    ]
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": description.name,
        "description": f"{description.text} {description.terms}",
        "datePublished": f"{description.decided_at:%Y-%m-%d}",
        "keywords": ["synthetic data"],
        "distribution": [_file(file) for file in files if file.name in (CSV, PARQUET)],
        "recordSet": [
            *(_categories(*each) for each in columns if each[2].categories is not None),
            {
                "@type": "cr:RecordSet",
                "@id": ROWS,
                "name": ROWS,
                "description": f"{description.rows} synthetic rows.",
                "field": [_field(*each) for each in columns],
            },
        ],
    }


def _file(file: DescribedFile) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": file.name,
        "name": file.name,
        "description": file.title,
        "contentUrl": file.name,
        "contentSize": f"{file.size} B",
        "encodingFormat": "application/x-parquet" if file.name == PARQUET else file.media_type,
        "sha256": file.sha256,
    }


def _field(place: str, name: str, column: Column) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{ROWS}/{place}",
        "name": name,
        "description": describe_column(column),
        "dataType": _TYPES.get(column.type, "sc:Text"),
        "source": {"fileObject": {"@id": PARQUET}, "extract": {"column": name}},
    }


def _categories(place: str, name: str, column: Column) -> dict[str, Any]:
    """The categories of a column, in the dictionary's order, as an enumeration of its own."""
    own, value = f"categories/{place}", f"categories/{place}/name"
    return {
        "@type": "cr:RecordSet",
        "@id": own,
        "name": own,
        "description": f"Every category that the column {name} may hold.",
        "dataType": "sc:Enumeration",
        "key": {"@id": value},
        "field": [{"@type": "cr:Field", "@id": value, "name": value, "dataType": "sc:Text"}],
        "data": [{value: category} for category in column.categories or ()],
    }
