"""Which description files go into the bundle?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gateway.metadata.crate import crate
from gateway.metadata.croissant import croissant
from gateway.metadata.datapackage import data_package
from gateway.metadata.description import DescribedFile, Description

CROISSANT, CRATE, PACKAGE = "croissant.json", "ro-crate-metadata.json", "datapackage.json"


def metadata_files(description: Description, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Name to bytes of the three descriptions of ``files``, the bundle's data, dictionary and guide.

    The same arguments give the same bytes. The files are to be subjects of the record like any other.
    """
    described = tuple(DescribedFile.of(name, content) for name, content in files.items())
    documents = {
        PACKAGE: data_package(description, described),
        CROISSANT: croissant(description, described),
        CRATE: crate(description, described),
    }
    return {name: _to_bytes(document) for name, document in documents.items()}


def _to_bytes(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
