"""Puts the JSON-LD context of RO-Crate 1.1 where its validator looks for it offline: ``rocrate_context.py CACHE``.

Run by the Python of the validator's own virtual environment; the context lies in the package ``rocrate`` there.
"""

from __future__ import annotations

import io
import sys
from importlib import metadata
from typing import Any

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests_cache import CachedSession
from urllib3 import HTTPResponse

CONTEXT = "https://w3id.org/ro/crate/1.1/context"


class Shelf(HTTPAdapter):
    """Answers for the one address, and for no other."""

    def send(self, request: PreparedRequest, *_: Any, **__: Any) -> Response:
        if request.url != CONTEXT:
            raise ConnectionError(f"nothing but the context is kept here: {request.url}")
        content = metadata.distribution("rocrate").locate_file("rocrate/data/ro-crate.jsonld").read_bytes()
        kind = {"Content-Type": "application/ld+json"}
        return self.build_response(request, HTTPResponse(io.BytesIO(content), kind, 200, preload_content=False))


session = CachedSession(sys.argv[1], backend="sqlite", expire_after=-1)
session.mount("https://", Shelf())
sys.exit(session.get(CONTEXT).json()["@id"] != CONTEXT)
