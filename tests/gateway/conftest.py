"""A small clinic: a table, its dictionary, a policy, a quick synthesizer and a workspace, all real and all small."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.workspace import Workspace

PASSPHRASE = "correct horse battery staple"  # noqa: S105  # of workspaces that live for one test

DICTIONARY = """
version = 1
name = "clinic"
target = "outcome"
patient = "patient"
missing = ["", "?"]
[columns.patient]
type = "identifier"
[columns.age]
type = "integer"
minimum = 18
maximum = 110
role = "quasi_identifier"
[columns.sex]
type = "category"
categories = ["F", "M"]
role = "quasi_identifier"
[columns.systolic]
type = "number"
minimum = 60
maximum = 260
decimals = 1
nullable = true
[columns.seen]
type = "date"
minimum = 2020-01-01
maximum = 2026-12-31
[columns.outcome]
type = "ordinal"
categories = ["0", "1"]
role = "sensitive"
"""

# every measure is limited loosely, so that what decides is whether it was measured
POLICY = """
version = 1
id = "lenient"
purpose = "Tests of the journey, not of the numbers"
context = "internal"
minimum_people = 100
[limits]
nnaa_privacy_loss = { max = 0.9 }
exact_copy_excess = { max = 0.5 }
rows_per_real_row = { max = 2 }
"""

STRICT_POLICY = POLICY.replace('id = "lenient"', 'id = "strict"').replace("max = 0.9", "max = -0.9")

SETTINGS = """
version = 1
components = ["copula", "gmm"]
selection = "uniform"
"""


@dataclass(frozen=True)
class Clinic:
    """Files of one clinic in one folder, and a runner of ``gateway``."""

    folder: Path

    def run(self, *arguments: object) -> Result:
        """``gateway`` with the workspace and passphrase given by environment; stdout and stderr apart."""
        environment = {
            "SLUICE_WORKSPACE": str(self.folder / "ws"),
            "SLUICE_PASSPHRASE_FILE": str(self.folder / "passphrase.txt"),
        }
        return CliRunner(env=environment).invoke(main, [str(argument) for argument in arguments])

    def release(self, *extra: object, out: str = "bundle", policy: str = "lenient.toml", rows: int = 150) -> Result:
        """``gateway release`` of the clinic's table."""
        return self.run(
            "release", self.folder / "table.csv", "--dictionary", self.folder / "table.toml",
            "--policy", self.folder / policy, "--rows", rows, "--out", self.folder / out,
            "--synthesizer", self.folder / "quick.toml", *extra,
        )  # fmt: skip

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    @property
    def public_key(self) -> Path:
        return self.folder / "ws" / "keys" / "gate.pub.pem"

    @property
    def workspace(self) -> Workspace:
        return Workspace.open(self.folder / "ws")


def clinic_table(rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """Visits of about two per patient; systolic is missing in a tenth of them; outcome depends on age."""
    patient = rng.integers(0, rows // 2, rows)
    age = rng.integers(18, 90, rows // 2)[patient]
    systolic = np.round(rng.normal(110 + 0.3 * age, 15).clip(60, 260), 1).astype(object)
    systolic[rng.random(rows) < 0.1] = "?"
    days = rng.integers(0, 2000, rows)
    return pd.DataFrame(
        {
            "patient": [f"P{code:05d}" for code in patient],
            "age": age,
            "sex": rng.choice(["F", "M"], rows),
            "systolic": systolic,
            "seen": (np.datetime64("2020-01-01") + days.astype("timedelta64[D]")).astype(str),
            "outcome": (rng.random(rows) < age / 120).astype(int),
        }
    )


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    return make_clinic(tmp_path)


def make_clinic(folder: Path) -> Clinic:
    """A whole clinic in an existing folder."""
    clinic = Clinic(folder)
    clinic.write("table.csv", clinic_table(700, np.random.default_rng(20261122)).to_csv(index=False))
    clinic.write("table.toml", DICTIONARY)
    clinic.write("lenient.toml", POLICY)
    clinic.write("strict.toml", STRICT_POLICY)
    clinic.write("quick.toml", SETTINGS)
    clinic.write("passphrase.txt", PASSPHRASE + "\n")
    Workspace.create(folder / "ws", PASSPHRASE.encode())
    return clinic
