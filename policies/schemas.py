"""The JSON Schemas of policies and dictionaries, for editors and other tools: ``python -m policies.schemas FOLDER``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from policies.dictionary import Dictionary
from policies.model import Policy


def schemas() -> dict[str, str]:
    """File name to JSON text, as shipped in ``policies/schema``."""
    return {
        f"{name}.schema.json": json.dumps(model.model_json_schema(), indent=2, sort_keys=True) + "\n"
        for name, model in (("policy", Policy), ("dictionary", Dictionary))
    }


if __name__ == "__main__":
    for name, text in schemas().items():
        (Path(sys.argv[1]) / name).write_text(text, encoding="utf-8")
