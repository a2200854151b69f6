"""``gateway ledger`` and ``gateway init --ledger``, as a custodian runs them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import CliRunner, Result

from audit.record.errors import RecordError
from gateway.cli import main
from gateway.errors import LedgerError
from gateway.ledger import Ledger, Unit
from gateway.workspace import Workspace
from policies.model import LifetimeBudget
from synth.dp.events import EnvelopeEvent, GaussianEvent
from tests.gateway.conftest import PASSPHRASE, Clinic
from tests.gateway.ledger.conftest import PASSWORD, ROLE, Home, PostgreSQLHome, Server, SQLiteHome
from tests.gateway.quick import quick_audits

LIFETIME = LifetimeBudget(epsilon=2.0, delta=1e-6)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgres"))])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    """The ledger of the workspace below, in either database."""
    if request.param == "sqlite":
        return SQLiteHome(tmp_path / "ws" / "ledger.sqlite")
    server: Server = request.getfixturevalue("server")
    return PostgreSQLHome(server, server.empty_database())


@pytest.fixture
def workspace(home: Home, tmp_path: Path) -> Workspace:
    url = None if isinstance(home.place, Path) else home.place
    return Workspace.create(tmp_path / "ws", PASSPHRASE.encode(), ledger=url)


def run(workspace: Workspace, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["ledger", *arguments, "--workspace", str(workspace.folder)])


def spend(ledger: Ledger, dataset: str, patient: str | None = "pid") -> None:
    attempt = ledger.register(dataset=dataset, policy="public", maximum=9, request={})
    events = [GaussianEvent("tables", sigma=100.0, sensitivity=2.0, count=50)]
    ledger.charge(attempt, dataset, events, LIFETIME, source=f"key:{dataset}", unit=Unit(patient))


def test_an_empty_ledger_is_shown_and_verified(workspace: Workspace) -> None:
    shown = run(workspace, "show")
    assert (shown.exit_code, shown.stdout) == (0, "The ledger is empty.\n")
    verified = run(workspace, "verify", "--json")
    assert verified.exit_code == 0
    assert json.loads(verified.stdout) == {
        "verified": True, "entries": 0, "records": 0, "head": workspace.ledger.head(),
    }  # fmt: skip


def test_what_is_spent_and_left_is_shown_per_dataset(workspace: Workspace) -> None:
    ledger = workspace.ledger
    spend(ledger, "clinic")
    spend(ledger, "clinic")
    ledger.register(dataset="other", policy="lenient", maximum=3, request={})
    shown = run(workspace, "show", "--json")
    assert shown.exit_code == 0, shown.stderr
    clinic, other = json.loads(shown.stdout)["datasets"]
    spending = ledger.spending("clinic", LIFETIME)
    assert clinic["spent"]["epsilon"] == spending.epsilon
    assert clinic["spent"]["remainingEpsilon"] == pytest.approx(2.0 - spending.epsilon)
    assert clinic["spent"]["rho"] == pytest.approx(100 / 50**2 / 2)
    assert [each["mechanisms"] for each in clinic["charges"]] == [50, 50]
    assert clinic["attempts"] == {"public": 2}
    assert (other["spent"], other["charges"], other["attempts"]) == (None, [], {"lenient": 1})


def test_the_unit_of_privacy_is_shown_with_what_is_spent(workspace: Workspace) -> None:
    spend(workspace.ledger, "clinic")
    spend(workspace.ledger, "visits", patient=None)
    workspace.ledger.register(dataset="asked", policy="public", maximum=9, request={})
    shown = json.loads(run(workspace, "show", "--json").stdout)["datasets"]
    assert {each["dataset"]: (each["unit"], each["patientColumn"]) for each in shown} == {
        "clinic": ("patient", "pid"), "visits": ("row", None), "asked": (None, None),
    }  # fmt: skip
    assert {charge["unit"] for each in shown for charge in each["charges"]} == {"patient", "row"}
    assert "unit      patient (column pid)" in run(workspace, "show", "--dataset", "clinic").stdout
    assert "unit      row: each counts as another patient" in run(workspace, "show", "--dataset", "visits").stdout
    assert "unit" not in run(workspace, "show", "--dataset", "asked").stdout
    assert run(workspace, "verify").exit_code == 0


def test_the_text_rounds_against_whoever_spends(workspace: Workspace) -> None:
    spend(workspace.ledger, "clinic")
    spending = workspace.ledger.spending("clinic", LIFETIME)
    text = run(workspace, "show", "--dataset", "clinic").stdout
    spent, left = (float(text.split(word)[1].split()[0]) for word in ("epsilon", "]"))
    assert spending.epsilon <= spent < spending.epsilon + 0.001
    assert spending.remaining_epsilon - 0.001 < left <= spending.remaining_epsilon
    assert "of 2 at delta 1e-06" in text
    assert text.count("#") == -(-24 * spending.epsilon // 2)


def test_an_envelope_has_no_concentrated_figure(workspace: Workspace) -> None:
    ledger = workspace.ledger
    attempt = ledger.register(dataset="clinic", policy="public", maximum=9, request={})
    envelope = EnvelopeEvent("all", epsilon=1.0, delta=1e-7)
    ledger.charge(attempt, "clinic", [envelope], LIFETIME, source="k:f", unit=Unit("pid"))
    assert "zCDP" not in run(workspace, "show").stdout
    assert json.loads(run(workspace, "show", "--json").stdout)["datasets"][0]["spent"]["rho"] is None


def test_an_unknown_dataset_is_said_to_be_unknown(workspace: Workspace) -> None:
    result = run(workspace, "show", "--dataset", "nothing")
    assert result.exit_code == 2
    assert "no dataset of that name" in result.stderr


def test_an_edited_ledger_is_not_verified(workspace: Workspace, home: Home) -> None:
    for _ in range(2):
        workspace.ledger.register(dataset="clinic", policy="public", maximum=9, request={})
    assert run(workspace, "verify").exit_code == 0
    home.tamper("UPDATE event SET attempt = 9 WHERE sequence = 1")
    result = run(workspace, "verify", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["verified"] is False
    assert "edited or removed" in result.stderr


def test_a_ledger_put_back_is_neither_verified_nor_shown(workspace: Workspace, home: Home) -> None:
    home.keep()
    workspace.ledger.register(dataset="clinic", policy="public", maximum=9, request={})
    home.put_back()
    assert run(workspace, "verify").exit_code == 1
    shown = run(workspace, "show")
    assert shown.exit_code == 2
    assert "rolled back" in shown.stderr


def test_the_ledger_of_another_workspace_is_not_this_ones(tmp_path: Path) -> None:
    mine, other = (Workspace.create(tmp_path / name, PASSPHRASE.encode()) for name in ("mine", "other"))
    (mine.folder / "ledger.sqlite").write_bytes((other.folder / "ledger.sqlite").read_bytes())
    for name in ("ledger.sqlite-wal", "ledger.sqlite-shm"):
        (mine.folder / name).unlink(missing_ok=True)
    with pytest.raises(LedgerError, match="another ledger"):
        mine.check_consistency()


@pytest.mark.needs("postgres")
def test_init_keeps_a_ledger_in_postgresql_and_forgets_the_password(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "none"))
    secret = tmp_path / "passphrase.txt"
    secret.write_text(PASSPHRASE + "\n", encoding="utf-8")
    place = f"127.0.0.1:{server.port}/{server.empty_database()}"
    arguments = ["--workspace", str(tmp_path / "ws"), "--passphrase-file", str(secret), "--json"]
    escaped = quote(PASSWORD, safe="")
    wrong = CliRunner().invoke(main, ["init", "--ledger", f"postgresql://{ROLE}:no-{escaped}@{place}", *arguments])
    assert wrong.exit_code == 2
    assert not (tmp_path / "ws").exists()
    made = CliRunner().invoke(main, ["init", "--ledger", f"postgresql://{ROLE}:{escaped}@{place}", *arguments])
    assert made.exit_code == 0, made.stderr
    for text in (wrong.stdout, wrong.stderr, made.stdout, made.stderr):
        assert PASSWORD not in text
        assert escaped not in text
    for path in (tmp_path / "ws").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert PASSWORD.encode() not in content
            assert escaped.encode() not in content
    assert not (tmp_path / "ws" / "ledger.sqlite").exists()
    verify = ["ledger", "verify", "--workspace", str(tmp_path / "ws")]
    assert CliRunner().invoke(main, verify).exit_code == 1  # no password any more
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    assert CliRunner().invoke(main, verify).exit_code == 0


@pytest.fixture
def _quick() -> Iterator[None]:
    """What is measured does not matter here."""
    with quick_audits():
        yield


@pytest.mark.slow
@pytest.mark.usefixtures("_quick")
@pytest.mark.needs("postgres")
def test_two_workspaces_share_a_ledger_in_postgresql(clinic: Clinic, server: Server) -> None:
    """Attempts are one count for both, and each has its own log; a copy of either folder is behind its own log."""
    url = server.url(server.empty_database())
    workspaces = [Workspace.create(clinic.folder / name, PASSPHRASE.encode(), ledger=url) for name in ("a", "b")]
    copy = Workspace(Path(shutil.copytree(workspaces[0].folder, clinic.folder / "copy")))
    for number, workspace in enumerate((*workspaces, workspaces[0]), start=1):
        result = clinic.release(
            "--workspace", workspace.folder, "--json", out=f"out-{number}", policy="strict.toml", rows=150 + number
        )
        assert result.exit_code == 3, result.stderr
        assert json.loads(result.stdout)["attempt"]["number"] == number
    over = clinic.release("--workspace", workspaces[1].folder, "--json", out="out-4", policy="strict.toml")
    assert over.exit_code == 3
    assert "attempts" in json.loads(over.stdout)["reason"]
    for workspace in workspaces:
        assert run(workspace, "verify").exit_code == 0
    with pytest.raises(RecordError, match="older copy"), copy.log(copy.unlock(PASSPHRASE.encode())).writer():
        pass


@pytest.mark.slow
@pytest.mark.usefixtures("_quick")
def test_a_new_ledger_in_the_old_ones_place_is_seen_by_every_record(clinic: Clinic) -> None:
    """(I-9): somebody empties the budget's memory, and thinks of the identity and of the mark as well."""
    assert clinic.release(policy="strict.toml").exit_code == 3
    workspace = clinic.workspace
    assert run(workspace, "verify").exit_code == 0
    for name in ("ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm", "ledger.mark"):
        (workspace.folder / name).unlink(missing_ok=True)
    empty = Ledger.create(workspace.folder / "ledger.sqlite", mark=workspace.folder / "ledger.mark")
    where = {"place": "ledger.sqlite", "identity": empty.identity}
    (workspace.folder / "ledger.json").write_text(json.dumps(where), encoding="utf-8")
    result = run(workspace, "verify")
    assert result.exit_code == 1
    assert "1 of 1 signed records" in result.stderr
    assert clinic.release(out="again", policy="strict.toml").exit_code == 2
