"""The life of a workspace's keys: made, listed, signed for, rotated, revoked; what was signed before stays good."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.record import keys
from audit.record.envelope import IN_TOTO, sign
from audit.record.errors import VerificationError
from audit.record.hsm import TokenReference
from audit.record.statement import (
    Attempt,
    DictionaryUsed,
    LogPosition,
    PolicyUsed,
    ReleaseRecord,
    Software,
    SourceCommitment,
    Subject,
)
from audit.record.trust import Revocation, TrustFile
from audit.record.verify import verify_bundle
from gateway import trusting
from gateway.cli import main
from gateway.errors import WorkspaceError
from gateway.keyring import Keyring
from gateway.rotation import rotate
from gateway.signing import check_in_force
from gateway.workspace import UnlockedKeys, Workspace
from tests.authority import Authority, serving
from tests.gateway.conftest import PASSPHRASE, Clinic
from tests.tokens import MODULE, P256, PIN, add_token, softhsm

SECRET = PASSPHRASE.encode()
ROOT_PASSPHRASE = "another horse, another battery"  # noqa: S105


@dataclass(frozen=True)
class House:
    """A custodian's workspace, a folder beside it, and a runner of ``gateway`` for both."""

    folder: Path

    @property
    def workspace(self) -> Workspace:
        return Workspace.open(self.folder / "ws")

    def run(self, *arguments: object, status: int = 0, **environment: str) -> Result:
        known = {
            "SLUICE_WORKSPACE": str(self.folder / "ws"),
            "SLUICE_PASSPHRASE_FILE": str(self.folder / "passphrase.txt"),
            "SLUICE_KEY_PASSPHRASE_FILE": str(self.folder / "root-passphrase.txt"),
        }
        result = CliRunner(env=known | environment).invoke(main, [str(argument) for argument in arguments])
        assert result.exit_code == status, result.stderr
        return result

    def listed(self) -> dict[str, Any]:
        shown: dict[str, Any] = json.loads(self.run("keys", "list", "--json").stdout)
        return shown

    def trust(self, name: str = "trust", root: str = "root", *extra: object) -> Path:
        """The next trust file, signed; made, not accepted."""
        self.run("keys", "propose", "--out", self.folder / f"{name}.json")
        signed = self.folder / f"{name}.dsse.json"
        key = self.folder / f"{root}.pem"
        self.run("keys", "sign", self.folder / f"{name}.json", "--root-key", key, "--out", signed, *extra)
        return signed

    def accepted(self, name: str = "trust") -> Path:
        signed = self.trust(name)
        self.run("keys", "accept", signed, "--root", self.folder / "root.pub.pem")
        return signed

    def bundle(self, name: str, unlocked: UnlockedKeys | None = None, *, decided: datetime | None = None) -> Path:
        """A small bundle, signed and logged by the workspace's own keys."""
        keys_now = unlocked or self.workspace.unlock(SECRET)
        at = decided or datetime.now(UTC).replace(microsecond=0)
        log = self.workspace.log(keys_now)
        with log.writer() as writer:
            record = ReleaseRecord(
                subjects=(Subject("report.html", hashlib.sha256(b"<p>").hexdigest()),),
                decision="denied",
                reason="the policy is not met",
                policy=PolicyUsed("lenient", "1" * 64),
                dictionary=DictionaryUsed("clinic", "2" * 64),
                source=SourceCommitment("hmac-sha256:" + "3" * 64, keys_now.commitment_id),
                released_rows=0,
                software=Software("sluice-gate", "0.1.0", "4" * 64),
                attempt=Attempt(1, 3),
                ledger_head=self.workspace.ledger.head(),
                log=LogPosition(writer.next_index, log.origin, log.public_key.public_bytes_raw()),
                evidence_sha256="7" * 64,
                registered_at=at,
                decided_at=at,
            )
            signed = sign(record.to_payload(), IN_TOTO, keys_now.gate)
            (self.workspace.records / f"{writer.next_index:08d}-{name}.dsse.json").write_bytes(signed)
            proof = writer.append(signed)
        folder = self.folder / name
        folder.mkdir()
        for file, content in (
            ("report.html", b"<p>"),
            ("record.dsse.json", signed),
            ("log-proof.json", proof.to_bytes()),
        ):
            (folder / file).write_bytes(content)
        return folder

    def verify(self, bundle: Path, trust: Path, status: int = 0, *extra: object) -> Result:
        root = self.folder / "root.pub.pem"
        return self.run("verify", bundle, "--trust", trust, "--root", root, *extra, status=status)


@pytest.fixture
def house(tmp_path: Path) -> House:
    (tmp_path / "passphrase.txt").write_text(PASSPHRASE + "\n")
    (tmp_path / "root-passphrase.txt").write_text(ROOT_PASSPHRASE + "\n")
    Workspace.create(tmp_path / "ws", SECRET)
    house = House(tmp_path)
    house.run("keys", "create", tmp_path / "root.pem")
    return house


def held(house: House, role: str) -> Path:
    return house.folder / "ws" / "keys" / f"{role}.pem"


# --- making and listing


def test_a_key_of_ones_own_is_encrypted_for_its_owner_alone_and_needs_no_workspace(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(ROOT_PASSPHRASE)
    arguments = ["keys", "create", str(tmp_path / "ada.pem"), "--key-passphrase-file", str(tmp_path / "secret")]
    made = CliRunner().invoke(main, arguments)
    assert made.exit_code == 0
    assert (tmp_path / "ada.pem").read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert stat.S_IMODE((tmp_path / "ada.pem").stat().st_mode) == 0o600
    assert made.stdout.strip() == keys.key_id(keys.load_public_key(tmp_path / "ada.pub.pem"))
    before = (tmp_path / "ada.pem").read_bytes()
    again = CliRunner().invoke(main, arguments)
    assert again.exit_code == 2
    assert "not overwritten" in again.stderr
    assert (tmp_path / "ada.pem").read_bytes() == before


def test_a_short_passphrase_makes_no_key(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("short")
    arguments = ["keys", "create", str(tmp_path / "ada.pem"), "--key-passphrase-file", str(tmp_path / "secret")]
    assert CliRunner().invoke(main, arguments).exit_code == 2
    assert not (tmp_path / "ada.pem").exists()


def test_root_and_approvers_need_no_more_than_the_small_install(house: House) -> None:
    house.run("keys", "propose", "--out", house.folder / "trust.json")
    script = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"numpy", "pandas", "pydantic", "torch", "scipy", "sklearn", "policies", "synth"}:
            raise ImportError("not in a small install: " + name)
sys.meta_path.insert(0, Refuse())
from gateway.cli import main
main(sys.argv[1:])
"""
    secret = ["--key-passphrase-file", str(house.folder / "root-passphrase.txt")]
    for arguments in (
        ["create", "ada.pem"],
        ["sign", "trust.json", "--root-key", "root.pem", "--out", "trust.dsse.json"],
    ):
        command = [sys.executable, "-c", script, "keys", *arguments, *secret]
        done = subprocess.run(command, cwd=house.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    root = keys.load_public_key(house.folder / "root.pub.pem")
    assert TrustFile.open((house.folder / "trust.dsse.json").read_bytes(), root).version == 1


def test_a_new_workspace_lists_its_two_keys_as_current_and_not_yet_trusted(house: House) -> None:
    listed = house.listed()
    assert listed["trustVersion"] is None
    assert [(key["role"], key["standing"], key["trusted"]) for key in listed["keys"]] == [
        ("gate", "current", False),
        ("log", "current", False),
    ]
    assert "not yet in a trust file" in house.run("keys", "list").stdout


def test_an_approver_is_listed_under_a_name_once(house: House) -> None:
    house.run("keys", "create", house.folder / "ada.pem")
    add = ["keys", "add", house.folder / "ada.pub.pem", "--role"]
    house.run(*add, "approver", "--holder", "Dr Ada Example")
    assert [(key["role"], key["holder"]) for key in house.listed()["keys"]][2:] == [("approver", "Dr Ada Example")]
    assert "listed already" in house.run(*add, "officer", "--holder", "Dr Ada Example", status=2).stderr
    for role in ("gate", "log", "root"):
        house.run(*add, role, "--holder", "Dr Ada Example", status=2)


# --- the trust file


def test_a_trust_file_is_proposed_signed_accepted_and_verified_with(house: House) -> None:
    bundle, trust = house.bundle("one"), house.accepted()
    assert {key["trusted"] for key in house.listed()["keys"]} == {True}
    assert "VERIFIED" in house.verify(bundle, trust).stdout
    assert json.loads(house.verify(bundle, trust, 0, "--json").stdout)["trustVersion"] == 1
    assert (house.folder / "ws" / "keys" / "trust.dsse.json").read_bytes() == trust.read_bytes()


def test_an_older_trust_file_is_refused(house: House) -> None:
    first = house.accepted("first")
    house.run("keys", "rotate", "gate")
    second = house.trust("second")
    house.run("keys", "accept", second)
    assert "version 1, but version 2 was accepted before" in house.run("keys", "accept", first, status=2).stderr
    house.run("keys", "accept", second)  # the same one again is no rollback
    (house.folder / "ws" / "keys" / "trust.dsse.json").write_bytes(first.read_bytes())
    assert "an older one was put in its place" in house.run("keys", "list", status=2).stderr
    house.run("keys", "accept", first, status=2)


def test_a_trust_file_by_another_root_is_refused(house: House) -> None:
    house.accepted("first")
    house.run("keys", "create", house.folder / "other.pem")
    forged = house.trust("second", "other")
    assert "another key" in house.run("keys", "accept", forged, status=2).stderr
    assert (
        "another key" in house.run("keys", "accept", forged, "--root", house.folder / "other.pub.pem", status=2).stderr
    )


def test_a_root_key_is_replaced_only_with_the_word_of_the_former_one(house: House) -> None:
    house.accepted("first")
    house.run("keys", "create", house.folder / "next.pem")
    both = house.trust("second", "next", "--root-key", house.folder / "root.pem")
    house.run("keys", "accept", both, "--root", house.folder / "next.pub.pem")
    third = house.trust("third", "next")
    house.run("keys", "accept", third)
    assert house.listed()["trustVersion"] == 3
    house.run("keys", "accept", house.trust("fourth", "root"), status=2)


def test_the_first_trust_file_needs_its_root_key(house: House) -> None:
    assert "give its public half with --root" in house.run("keys", "accept", house.trust(), status=2).stderr


def test_what_is_no_proposal_is_not_signed(house: House) -> None:
    (house.folder / "record.json").write_bytes(b'{"_type":"https://in-toto.io/Statement/v1"}')
    root = house.folder / "root.pem"
    house.run("keys", "sign", house.folder / "record.json", "--root-key", root, "--out", house.folder / "x", status=2)
    assert not (house.folder / "x").exists()


# --- rotation


@pytest.mark.parametrize("role", ["gate", "log"])
def test_records_from_before_and_after_a_rotation_verify(house: House, role: Literal["gate", "log"]) -> None:
    old_public = keys.load_public_key(house.workspace.gate_public_key)
    before, origin, private = house.bundle("before"), house.workspace.log_origin(), held(house, role).read_bytes()
    house.accepted("first")
    house.run("keys", "rotate", role)
    assert house.workspace.log_origin() == origin
    assert held(house, role).read_bytes() != private
    after = house.bundle("after")
    house.run("keys", "accept", house.trust("second"))
    for bundle in (before, after):
        house.verify(bundle, house.folder / "second.dsse.json")
    if role == "gate":
        assert "another key" in house.verify(after, house.folder / "first.dsse.json", 1).stderr
    assert verify_bundle(before, old_public).log_index == 0
    assert [key["standing"] for key in house.listed()["keys"] if key["role"] == role] == ["retired", "current"]
    house.workspace.check_consistency()
    house.workspace.check_ledger()
    assert "VERIFIED" in house.run("log", "verify").stderr


def test_a_retired_key_signs_nothing_more(house: House) -> None:
    overtaken = house.workspace.unlock(SECRET)
    house.run("keys", "rotate", "gate")
    with pytest.raises(WorkspaceError, match="rotated while this command ran; nothing was signed"):
        house.bundle("late", overtaken)
    # a thief who kept a copy of the old key signs all the same: what it signs now does not verify
    entry = house.workspace.keyring.of("gate")[0]
    with pytest.raises(VerificationError, match="was valid until"):
        entry.check("gate", datetime.now(UTC) + timedelta(seconds=2))


def test_a_wrong_passphrase_rotates_nothing(house: House) -> None:
    (house.folder / "passphrase.txt").write_text("some other passphrase\n")
    before = sorted((path.name, path.read_bytes()) for path in held(house, "gate").parent.iterdir())
    for role in ("gate", "log"):
        house.run("keys", "rotate", role, status=2)
    assert sorted((path.name, path.read_bytes()) for path in held(house, "gate").parent.iterdir()) == before


def _told(workspace: Workspace) -> str | None:
    """Why the keys cannot be used, if so."""
    try:
        workspace.unlock(SECRET)
    except WorkspaceError as cause:
        return str(cause)
    return None


class Crash(BaseException):
    """The power goes."""


@pytest.mark.parametrize("role", ["gate", "log"])
def test_a_rotation_cut_short_anywhere_is_finished_by_running_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: Literal["gate", "log"]
) -> None:
    steps, done = 0, False
    while not done:
        folder = tmp_path / f"ws{steps}"
        workspace = Workspace.create(folder, SECRET)
        first = workspace.keyring.of(role)[0].id
        left = steps

        def counted(genuine: Any) -> Any:
            def call(*arguments: Any, **options: Any) -> Any:
                nonlocal left
                if left == 0:
                    raise Crash
                left -= 1
                return genuine(*arguments, **options)

            return call

        with monkeypatch.context() as patch:
            for name in ("replace", "link"):  # every step ends in one of these
                patch.setattr(os, name, counted(getattr(os, name)))
            try:
                rotate(workspace, role, SECRET)
                done = True
            except Crash:
                pass
        if not done:
            told = _told(workspace)  # either nothing has happened yet, or it says what to do
            assert told is None or f"gateway keys rotate {role}" in told
            rotate(workspace, role, SECRET)
        house = House(tmp_path / f"house{steps}")
        house.folder.mkdir()
        folder.rename(house.folder / "ws")
        assert [entry.id == first for entry in house.workspace.keyring.of(role)] == [True, False]
        assert house.bundle("after").is_dir()
        assert not list((house.folder / "ws" / "keys").glob("*.next*"))
        steps += 1
    assert steps > 4


def test_an_expired_key_stops_the_gate_and_says_what_to_do(house: House) -> None:
    folder = house.folder / "ws" / "keys"
    with pytest.raises(WorkspaceError, match=r"was valid until .* make a new one: gateway keys rotate gate"):
        check_in_force(folder, "gate", now=datetime.now(UTC) + timedelta(days=731))
    with pytest.raises(WorkspaceError, match="not yet at"):
        check_in_force(folder, "log", now=datetime.now(UTC) - timedelta(days=1))


def test_a_key_put_in_the_place_of_the_listed_one_is_refused(house: House) -> None:
    folder = house.folder / "ws" / "keys"
    stranger = keys.generate_key()
    genuine = (folder / "gate.pub.pem").read_bytes()
    (folder / "gate.pub.pem").write_bytes(keys.public_pem(stranger.public_key()))
    with pytest.raises(WorkspaceError, match="not one that it lists"):
        house.workspace.unlock(SECRET)
    (folder / "gate.pub.pem").write_bytes(genuine)
    (folder / "gate.pem").unlink()
    keys.write_private_key(folder / "gate.pem", stranger, SECRET)
    with pytest.raises(WorkspaceError, match="another key than"):
        house.workspace.unlock(SECRET)


# --- revocation


def test_a_revoked_gate_key_signs_nothing_until_it_is_rotated(house: House) -> None:
    name = house.workspace.key_id()[:12]
    house.run("keys", "revoke", name, "--reason", "replaced")
    with pytest.raises(WorkspaceError, match=r"is revoked since .* \(replaced\).* gateway keys rotate gate"):
        house.workspace.unlock(SECRET)
    house.run("keys", "rotate", "gate")
    assert house.bundle("after").is_dir()
    assert [key["standing"] for key in house.listed()["keys"]] == ["revoked", "current", "current"]


def test_records_before_a_revocation_verify_and_those_after_it_do_not(house: House) -> None:
    unlocked = house.workspace.unlock(SECRET)
    now = datetime.now(UTC).replace(microsecond=0)
    _made_long_ago(house, now - timedelta(days=20))
    old = house.bundle("old", unlocked, decided=now - timedelta(days=10))
    new = house.bundle("new", unlocked, decided=now - timedelta(days=1))
    since = f"{now - timedelta(days=5):%Y-%m-%dT%H:%M:%SZ}"
    house.run("keys", "revoke", house.workspace.key_id()[:12], "--reason", "left in a drawer", "--since", since)
    trust = house.accepted()
    house.verify(old, trust)
    assert "is revoked since" in house.verify(new, trust, 1).stderr
    house.run("keys", "revoke", house.workspace.key_id(), "--reason", "no", status=2)  # later than before: taken back


def test_a_stolen_key_is_void_from_the_first_record_of_the_theft_on_whatever_date_it_bears(house: House) -> None:
    unlocked = house.workspace.unlock(SECRET)
    now = datetime.now(UTC).replace(microsecond=0)
    _made_long_ago(house, now - timedelta(days=20))
    old = house.bundle("old", unlocked, decided=now - timedelta(days=10))
    house.bundle("new", unlocked, decided=now - timedelta(days=1))
    backdated = house.bundle("backdated", unlocked, decided=now - timedelta(days=9))
    since = f"{now - timedelta(days=5):%Y-%m-%dT%H:%M:%SZ}"
    stolen = ["keys", "revoke", house.workspace.key_id()[:12], "--stolen", "--reason", "laptop stolen"]
    assert "and log entry 1" in house.run(*stolen, "--since", since).stderr
    trust = house.accepted()
    house.verify(old, trust)
    assert (
        "revoked from log entry 1 on (laptop stolen), and this is entry 2" in house.verify(backdated, trust, 1).stderr
    )


def test_after_the_theft_of_both_keys_a_fresh_proof_by_the_next_log_key_saves_old_bundles(house: House) -> None:
    old = house.bundle("old", decided=datetime.now(UTC).replace(microsecond=0))
    for entry in house.workspace.keyring.keys:
        later = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        gone = Revocation(datetime.fromisoformat(later) + timedelta(seconds=1), "server stolen", True)
        trusting.revoke(house.workspace, entry, gone)
    assert {entry.revocation.from_log_index for entry in house.workspace.keyring.keys if entry.revocation} == {1}
    house.run("keys", "rotate", "log")
    house.run("keys", "rotate", "gate")
    trust = house.accepted()
    assert "were both stolen" in house.verify(old, trust, 1).stderr
    house.run("log", "prove", old, "--in-place")
    house.verify(old, trust)


def test_a_list_of_keys_from_a_backup_learns_from_the_trust_file_what_was_revoked_since(house: House) -> None:
    path = house.folder / "ws" / "keys" / "keyring.json"
    backup = path.read_bytes()
    house.run("keys", "revoke", house.workspace.key_id(), "--reason", "replaced")
    trust = house.accepted()
    path.write_bytes(backup)
    house.run("keys", "accept", trust)
    assert house.listed()["keys"][0]["standing"] == "revoked"
    with pytest.raises(WorkspaceError, match="is revoked since"):
        house.workspace.unlock(SECRET)


def test_what_cannot_be_revoked_is_told(house: House) -> None:
    name = house.workspace.key_id()
    for key in ("", name[:7], "0" * 12):
        assert "0 keys have an id" in house.run("keys", "revoke", key, "--reason", "why", status=2).stderr
    future = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
    assert "future" in house.run("keys", "revoke", name, "--reason", "why", "--since", future, status=2).stderr
    house.run("keys", "revoke", name, status=2)
    assert house.listed()["keys"][0]["revoked"] is None


def _made_long_ago(house: House, then: datetime) -> None:
    """As if the workspace had been made at ``then``."""
    ring = house.workspace.keyring
    aged = tuple(replace(entry, valid_from=then) for entry in ring.keys)
    Keyring(ring.origin, aged).save(house.folder / "ws" / "keys")


# --- hardware tokens


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with softhsm(tmp_path_factory.mktemp("softhsm")):
        add_token("gate", k2=P256)
        yield


@pytest.mark.needs("softhsm2-util")
def test_the_gates_key_moves_into_a_token_and_out_again(token: None, house: House) -> None:
    (house.folder / "pin.txt").write_text(PIN + "\n")
    pin = {"SLUICE_PIN_FILE": str(house.folder / "pin.txt")}
    before = house.bundle("before")
    house.run("keys", "rotate", "gate", "--hsm", "hsm:2?label=gate", "--module", MODULE, **pin)
    assert not held(house, "gate").exists()
    assert PIN not in (house.folder / "ws" / "keys" / "gate.token.json").read_text()
    inside = house.bundle("inside", house.workspace.unlock(SECRET, lambda: PIN))
    house.run("keys", "rotate", "gate")
    after = house.bundle("after")
    trust = house.accepted()
    for bundle in (before, inside, after):
        house.verify(bundle, trust)
    token_key = house.workspace.keyring.of("gate")[1].public_key
    assert verify_bundle(inside, token_key).signed_by == (keys.key_id(token_key),)
    with pytest.raises(WorkspaceError, match="listed already"):  # a retired key does not come back
        rotate(house.workspace, "gate", SECRET, token=TokenReference.find("hsm:2?label=gate", MODULE, lambda: PIN))


@pytest.mark.needs("softhsm2-util")
def test_a_release_without_the_token_or_its_pin_is_refused_before_it_begins(
    token: None, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = TokenReference.find("hsm:2?label=gate", MODULE, lambda: PIN)
    rotate(house.workspace, "gate", SECRET, token=reference)
    with pytest.raises(ValueError, match="PinIncorrect"):
        house.workspace.unlock(SECRET, lambda: "000000")
    monkeypatch.delenv("SLUICE_PIN_FILE", raising=False)
    with pytest.raises(WorkspaceError, match="no PIN for the hardware token: set SLUICE_PIN_FILE"):
        house.workspace.unlock(SECRET)
    with pytest.raises(WorkspaceError, match="log signs with Ed25519"):
        rotate(house.workspace, "log", SECRET, token=reference)


@pytest.mark.needs("softhsm2-util")
def test_a_root_key_in_a_token_signs_trust_files(token: None, house: House) -> None:
    (house.folder / "pin.txt").write_text(PIN + "\n")
    pin = {"SLUICE_PIN_FILE": str(house.folder / "pin.txt")}
    root, public = house.folder / "safe.json", house.folder / "safe.pub.pem"
    house.run("keys", "create", root, "--hsm", "hsm:2?label=gate", "--module", MODULE, **pin)
    house.run("keys", "propose", "--out", house.folder / "trust.json")
    signed = house.folder / "trust.dsse.json"
    house.run("keys", "sign", house.folder / "trust.json", "--root-key", root, "--out", signed, **pin)
    house.run("keys", "accept", signed, "--root", public)
    assert house.listed()["trustVersion"] == 1
    house.run("keys", "create", house.folder / "x.json", "--hsm", "hsm:2?label=gate", status=2)


# --- timestamps


@pytest.mark.needs("openssl")
def test_a_bundle_is_timestamped_once_and_verified_with_the_authoritys_certificate(house: House) -> None:
    bundle, authority = house.bundle("one"), Authority(house.folder / "authority", "Example")
    with serving(authority.reply) as url:
        arguments = ["timestamp", bundle, "--url", url, "--authority", authority.certificate]
        assert "the record existed by" in house.run(*arguments).stderr
        assert "has a timestamp already" in house.run(*arguments, status=2).stderr
    trust = house.accepted()
    shown = house.verify(bundle, trust, 0, "--timestamp-authority", authority.certificate, "--json")
    assert json.loads(shown.stdout)["timestampedAt"] is not None
    assert "not checked" in house.verify(bundle, trust).stdout
    (bundle / "record.tsr").unlink()
    house.run(*arguments, status=2)  # nobody answers any more
    assert not (bundle / "record.tsr").exists()


# --- with real releases


@pytest.mark.slow
def test_releases_go_on_over_rotated_keys(clinic: Clinic) -> None:
    house = House(clinic.folder)
    clinic.write("root-passphrase.txt", ROOT_PASSPHRASE)
    house.run("keys", "create", clinic.folder / "root.pem")
    assert clinic.release(out="before").exit_code == 0
    for role in ("log", "gate"):
        house.run("keys", "rotate", role)
    released = clinic.release(out="after", rows=151)
    assert released.exit_code == 0, released.stderr
    trust = house.accepted()
    for name in ("before", "after"):
        house.verify(clinic.folder / name, trust)
    assert "VERIFIED" in house.run("log", "verify").stderr
    house.workspace.check_ledger()
    # an older log put back under the new key is still told by what the ledger remembers
    assert house.workspace.seen_checkpoint() is not None
    assert isinstance(house.workspace.unlock(SECRET).log, Ed25519PrivateKey)
