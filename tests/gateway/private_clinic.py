"""The small clinic under a policy that demands differential privacy, with a dictionary of public facts."""

from __future__ import annotations

import base64
import json
from typing import Any

from click.testing import Result

from tests.gateway.conftest import DICTIONARY, Clinic

PUBLIC_DICTIONARY = DICTIONARY.replace(
    'patient = "patient"', 'patient = "patient"\nmax_rows_per_patient = 2\npeople = 350'
)

# what decides is whether there is a claim; two releases of epsilon 2 fit into the lifetime, a third does not
PRIVATE_POLICY = """
version = 1
id = "private"
purpose = "Tests of the journey under differential privacy"
context = "internal"
minimum_people = 100
[attempts]
max = 5
[differential_privacy]
epsilon = 2.0
delta = 1e-6
lifetime = { epsilon = 3.0, delta = 1e-5 }
[limits]
exact_copy_excess = { max = 0.5 }
rows_per_real_row = { max = 2 }
"""


def private_clinic(clinic: Clinic) -> Clinic:
    """The clinic with ``private.toml`` and a dictionary that says nothing it should not know."""
    clinic.write("table.toml", PUBLIC_DICTIONARY)
    clinic.write("private.toml", PRIVATE_POLICY)
    return clinic


def release(
    clinic: Clinic, *extra: object, out: str = "bundle", policy: str = "private.toml", rows: int = 120
) -> Result:
    """``gateway release`` without synthesizer settings."""
    return clinic.run(
        "release", clinic.folder / "table.csv", "--dictionary", clinic.folder / "table.toml",
        "--policy", clinic.folder / policy, "--rows", rows, "--out", clinic.folder / out, *extra,
    )  # fmt: skip


def predicate(clinic: Clinic, out: str = "bundle") -> dict[str, Any]:
    """What the signed record in a bundle says."""
    envelope = json.loads((clinic.folder / out / "record.dsse.json").read_bytes())
    found: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))["predicate"]
    return found
