"""The demonstration: a copying configuration refused and the default allowed, on a real public table."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer

from audit.record.verify import Verified, verify_bundle
from gateway.bundle import check_output
from gateway.files import make_private_folder, write_private
from gateway.progress import Progress
from gateway.release import Outcome, Request, release_table
from gateway.settings import SynthesizerSettings, load_settings
from gateway.workspace import Workspace

POLICY = "small-cohort"


@dataclass(frozen=True)
class Demonstration:
    """Both outcomes and what verifying their bundles said."""

    refused: Outcome
    released: Outcome
    refused_verified: Verified
    released_verified: Verified


def demonstrate(folder: Path, rows: int, progress: Progress) -> Demonstration:
    """Run the main job twice on the Wisconsin diagnostic breast cancer table (UCI 17, 569 patients).

    Writes into ``folder``, which must not exist: the table, its dictionary, two settings files, a workspace, and
    the two bundles. The passphrase lies beside them, as no real workspace's should.
    """
    check_output(folder)
    make_private_folder(folder)
    for name in ("wdbc.toml", "copying.toml"):
        write_private(folder / name, (resources.files("gateway") / "examples" / name).read_bytes())
    write_private(folder / "wdbc.csv", breast_cancer_table().encode())
    write_private(folder / "passphrase.txt", (secrets.token_urlsafe(24) + "\n").encode())
    passphrase = (folder / "passphrase.txt").read_bytes().strip()
    workspace = Workspace.create(folder / "workspace", passphrase)

    def run(name: str, settings: SynthesizerSettings) -> Outcome:
        request = Request(folder / "wdbc.csv", folder / "wdbc.toml", POLICY, rows, folder / name, settings)
        return release_table(request, workspace, passphrase, np.random.SeedSequence(), progress)

    progress.heading("1. A configuration that copies patients: plain SMOTE, interpolation and noise")
    refused = run("bundle-copying", load_settings(folder / "copying.toml"))
    progress.heading("2. The default configuration")
    released = run("bundle-default", SynthesizerSettings())
    trusted = [workspace.gate_public_key.read_bytes()]
    verified = (verify_bundle(folder / name, trusted) for name in ("bundle-copying", "bundle-default"))
    return Demonstration(refused, released, *verified)


def breast_cancer_table() -> str:
    """The table as CSV text, with the names of its dictionary."""
    frame = load_breast_cancer(as_frame=True).frame.rename(columns=lambda name: name.replace(" ", "_"))
    frame["diagnosis"] = np.where(frame.pop("target") == 0, "M", "B")
    return str(frame.to_csv(index=False, lineterminator="\n"))
