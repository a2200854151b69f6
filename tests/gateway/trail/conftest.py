"""A clinic with a past: two releases, two refusals, and what people have said about them; all real, all signed."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from audit.record import keys
from audit.record.trust import Role, TrustFile
from gateway.ledger import Unit
from gateway.trusting import accept
from gateway.workspace import Workspace
from policies.model import LifetimeBudget
from synth.dp.events import PureEvent
from tests.gateway.conftest import DICTIONARY, PASSPHRASE, POLICY, SETTINGS, STRICT_POLICY, Clinic, clinic_table

PEOPLE: tuple[tuple[str, Role, str], ...] = (
    ("ada", "approver", "Dr Ada Example"),
    ("ben", "approver", "Ben Example"),
    ("olga", "officer", "Olga Officer"),
)
REQUESTER, OTHER = "Rosa Requester", "=1+1 Requester"


@pytest.fixture(scope="session")
def _past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that every test gets a copy of."""
    folder = tmp_path_factory.mktemp("past")
    clinic = Clinic(folder)
    clinic.write("table.csv", clinic_table(400, np.random.default_rng(20261122)).to_csv(index=False))
    clinic.write("table.toml", DICTIONARY)
    clinic.write("approved.toml", "required_approvals = { count = 1, roles = ['approver'] }\n" + POLICY)
    clinic.write("lenient.toml", POLICY)
    clinic.write("strict.toml", STRICT_POLICY)
    clinic.write("quick.toml", SETTINGS)
    clinic.write("passphrase.txt", PASSPHRASE + "\n")
    workspace = Workspace.create(folder / "ws", PASSPHRASE.encode())
    _people(clinic, workspace)
    for out, policy, requester, expected in (
        ("first", "approved.toml", REQUESTER, 0),
        ("second", "strict.toml", OTHER, 3),
        ("third", "lenient.toml", OTHER, 0),
    ):
        result = clinic.release(
            "--requester", requester, "--operator", "Otto Operator", out=out, policy=policy, rows=100
        )
        assert result.exit_code == expected, result.stderr
    for action, who, reason in (
        ("refuse", "ben", "the cohort is known in town"),
        ("override", "olga", "board decision 7 of 2026"),
        ("approve", "ada", "small cells checked by hand"),
    ):
        said = say(clinic, action, "first", who, reason)
        assert said == 0
    _charges(workspace)
    return folder


@pytest.fixture
def past(_past: Path, tmp_path: Path) -> Clinic:
    """A copy of it, to do with as a test likes."""
    folder = tmp_path / "clinic"
    shutil.copytree(_past, folder)
    return Clinic(folder)


def say(clinic: Clinic, action: str, bundle: str, who: str, reason: str) -> int:
    """``gateway approve`` and the like; the exit status."""
    return clinic.run(
        action, clinic.folder / bundle, "--key", clinic.folder / f"{who}.pem", "--reason", reason,
        "--key-passphrase-file", clinic.folder / "passphrase.txt",
    ).exit_code  # fmt: skip


def _people(clinic: Clinic, workspace: Workspace) -> None:
    """An approver, another and an officer, in a trust file under a root key."""
    now = datetime.now(UTC).replace(microsecond=0)
    ring = workspace.keyring
    for name, role, holder in PEOPLE:
        key = keys.generate_key()
        keys.write_private_key(clinic.folder / f"{name}.pem", key, PASSPHRASE.encode())
        keys.write_public_key(clinic.folder / f"{name}.pub.pem", key.public_key())
        ring = ring.with_key(role, holder, key.public_key(), days=10, now=now)
    ring.save(workspace.folder / "keys")
    root = keys.generate_key()
    keys.write_public_key(clinic.folder / "root.pub.pem", root.public_key())
    trust = clinic.write("trust.dsse.json", TrustFile(1, now, ring.keys).sign(root))
    accept(workspace, trust, root.public_key())


def _charges(workspace: Workspace) -> None:
    """Two charges to the dataset's lifetime budget, of runs that never ended."""
    lifetime = LifetimeBudget(epsilon=3.0, delta=1e-5)
    for _ in range(2):
        attempt = workspace.ledger.register(dataset="clinic", policy="private", maximum=5, request={})
        events = [PureEvent("head count", epsilon=1.0)]
        workspace.ledger.charge(attempt, "clinic", events, lifetime, source="hmac-sha256:0 key", unit=Unit("patient"))
