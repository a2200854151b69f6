"""Four eyes, through the commands: who may say what about a release, and what verification makes of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from audit.record import keys
from audit.record.approval import ReleaseAction
from audit.record.envelope import IN_TOTO, sign
from audit.record.parts import LogPosition, Oversight
from audit.record.trust import Revocation, Role, TrustFile
from gateway import trusting
from gateway.actions import act
from tests.conformance.parts import DATA, DENIED, record
from tests.gateway.conftest import PASSPHRASE, POLICY, Clinic

TERMS = Oversight("Rosa Requester", "Otto Operator", 1, ("approver",))


class Hospital:
    """A clinic with an approver, an officer and a requester, whose keys its root key vouches for."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic = clinic
        self.folder = clinic.folder
        ring = clinic.workspace.keyring
        people: tuple[tuple[str, Role, str], ...] = (
            ("ada", "approver", "Dr Ada Example"),
            ("olga", "officer", "Olga Officer"),
            ("rosa", "approver", "Rosa Requester"),
        )
        now = datetime.now(UTC).replace(microsecond=0)
        for name, role, holder in people:
            key = keys.generate_key()
            keys.write_private_key(self.folder / f"{name}.pem", key, PASSPHRASE.encode())
            ring = ring.with_key(role, holder, key.public_key(), days=10, now=now)
        ring.save(self.folder / "ws" / "keys")
        root = keys.generate_key()
        keys.write_public_key(self.folder / "root.pub.pem", root.public_key())
        (self.folder / "trust.dsse.json").write_bytes(TrustFile(1, now, ring.keys).sign(root))

    def bundle(self, name: str = "bundle", **changes: Any) -> Path:
        """A small release, signed and logged by the workspace."""
        workspace, folder = self.clinic.workspace, self.folder / name
        unlocked = workspace.unlock(PASSPHRASE.encode())
        folder.mkdir()
        now = datetime.now(UTC).replace(microsecond=0)
        with workspace.log(unlocked).writer() as log:
            place = LogPosition(log.next_index, workspace.log_origin(), unlocked.log.public_key().public_bytes_raw())
            values: dict[str, Any] = {
                "oversight": TERMS,
                "registered_at": now,
                "decided_at": now,
                "log": place,
            } | changes
            envelope = sign(replace(record(DATA), **values).to_payload(), IN_TOTO, unlocked.gate)
            (workspace.records / f"{log.next_index:08d}-{name}.dsse.json").write_bytes(envelope)
            files = {**DATA, "record.dsse.json": envelope, "log-proof.json": log.append(envelope).to_bytes()}
        for file, content in files.items():
            (folder / file).write_bytes(content)
        return folder

    def say(self, action: str, bundle: Path, who: str, *more: object, reason: str = "looked at it") -> Result:
        return self.clinic.run(
            action, bundle, "--key", self.folder / f"{who}.pem", "--reason", reason,
            "--key-passphrase-file", self.folder / "passphrase.txt", *more,
        )  # fmt: skip

    def verify(self, bundle: Path) -> Result:
        return self.clinic.run(
            "verify",
            bundle,
            "--trust",
            self.folder / "trust.dsse.json",
            "--root",
            self.folder / "root.pub.pem",
            "--json",
        )

    def said(self, *words: tuple[str, str], bundle: Path) -> None:
        for action, who in words:
            result = self.say(action, bundle, who)
            assert result.exit_code == 0, result.stderr


@pytest.fixture
def hospital(clinic: Clinic) -> Hospital:
    return Hospital(clinic)


def refused(result: Result, problem: str) -> None:
    assert result.exit_code == 1, result.output
    report = json.loads(result.stdout)
    assert (report["verified"], report["why"]) == (False, "oversight")
    assert problem in report["problem"]


def test_a_release_that_needs_approval_verifies_once_it_has_it(hospital: Hospital) -> None:
    bundle = hospital.bundle()
    refused(hospital.verify(bundle), "0 of 1 approvals")
    result = hospital.say("approve", bundle, "ada", "--json", reason="small cells checked by hand")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["logIndex"] == 1
    verified = hospital.verify(bundle)
    assert verified.exit_code == 0, verified.stderr
    report = json.loads(verified.stdout)
    assert report["approvedBy"] == ["Dr Ada Example"]
    assert report["actions"][0]["reason"] == "small cells checked by hand"
    assert report["actions"][0]["meaning"] == "I have reviewed this release and agree to it."
    alone = hospital.clinic.run("verify", bundle, "--key", hospital.clinic.public_key, "--json")
    refused(alone, "--trust")


def test_the_requester_cannot_approve_their_own(hospital: Hospital) -> None:
    bundle = hospital.bundle()
    result = hospital.say("approve", bundle, "rosa")
    assert result.exit_code == 2
    assert "cannot approve it; ask somebody else" in result.stderr
    assert not (bundle / "actions.json").exists()
    assert json.loads(hospital.clinic.run("log", "show", "--json").stdout)["size"] == 1


def test_a_refusal_stands_until_an_officer_overrides_it(hospital: Hospital) -> None:
    bundle = hospital.bundle()
    hospital.said(("refuse", "rosa"), ("approve", "ada"), bundle=bundle)
    refused(hospital.verify(bundle), "1 person refuses this release, such as Rosa Requester")
    assert hospital.say("override", bundle, "ada").exit_code == 2  # an approver may not
    hospital.said(("override", "olga"), bundle=bundle)
    report = hospital.verify(bundle)
    assert report.exit_code == 0, report.stderr
    told = hospital.clinic.run(
        "verify", bundle, "--trust", hospital.folder / "trust.dsse.json", "--root", hospital.folder / "root.pub.pem"
    )
    assert "OVERRIDDEN the refusal by Rosa Requester" in told.stdout


def test_a_revoked_release_is_refused_wherever_the_new_actions_go(hospital: Hospital) -> None:
    bundle = hospital.bundle(oversight=Oversight())
    assert hospital.verify(bundle).exit_code == 0
    assert hospital.say("revoke", bundle, "ada").exit_code == 2
    record_file = next((hospital.folder / "ws" / "records").iterdir())
    sent = hospital.folder / "sent.json"
    result = hospital.say("revoke", record_file, "olga", "--out", sent, reason="a patient withdrew consent")
    assert result.exit_code == 0, result.stderr
    assert hospital.verify(bundle).exit_code == 0  # this copy has not heard of it
    (bundle / "actions.json").write_bytes(sent.read_bytes())
    refused(hospital.verify(bundle), "revoked by Olga Officer (officer)")


def test_a_superseded_release_names_its_successor(hospital: Hospital) -> None:
    old, new = hospital.bundle("old", oversight=Oversight()), hospital.bundle("new", oversight=Oversight())
    result = hospital.say("supersede", old, "olga", "--by", new)
    assert result.exit_code == 0, result.stderr
    digest = hashlib.sha256((new / "record.dsse.json").read_bytes()).hexdigest()
    assert json.loads(hospital.verify(old).stdout)["supersededBy"] == digest
    assert json.loads(hospital.verify(new).stdout)["supersededBy"] is None
    assert hospital.say("supersede", old, "olga", "--by", old).exit_code == 2


def test_only_a_release_that_may_be_relied_on_takes_anothers_place(hospital: Hospital) -> None:
    old = hospital.bundle("old", oversight=Oversight())
    revoked = hospital.bundle("revoked", oversight=Oversight())
    denied = hospital.bundle("denied", **{**DENIED, "subjects": record({"index.html": b""}).subjects})
    hospital.said(("revoke", "olga"), bundle=revoked)
    an_action = next((hospital.folder / "ws" / "actions").iterdir())  # in the log, and no record
    entries = json.loads(hospital.clinic.run("log", "show", "--json").stdout)["size"]
    for successor, problem in (
        (denied, "the successor denied: the policy has denied it"),
        (revoked, "the successor was revoked"),
        (an_action, "this is no record of the workspace"),
    ):
        result = hospital.say("supersede", old, "olga", "--by", successor)
        assert (result.exit_code, problem in result.stderr) == (2, True), result.stderr
    assert json.loads(hospital.clinic.run("log", "show", "--json").stdout)["size"] == entries
    assert not (old / "actions.json").exists()


def test_a_stolen_approvers_key_is_void_from_the_first_action_of_the_theft_on(hospital: Hospital) -> None:
    first, second = hospital.bundle("first"), hospital.bundle("second")
    hospital.said(("approve", "ada"), bundle=first)
    clinic, now = hospital.clinic, datetime.now(UTC).replace(microsecond=0)
    passphrase = PASSPHRASE.encode()
    ada, olga = (keys.load_private_key(hospital.folder / f"{who}.pem", passphrase) for who in ("ada", "olga"))
    later, theft = now + timedelta(minutes=10), now + timedelta(minutes=5)
    act(clinic.workspace, passphrase, second, "approve", olga, reason="after the theft", now=later)  # entry 3
    act(clinic.workspace, passphrase, second, "approve", ada, reason="set back", now=now)  # entry 4, by the thief
    entry = clinic.workspace.keyring.find(ada.public_key())
    assert entry is not None
    ring = trusting.revoke(clinic.workspace, entry, Revocation(theft, "laptop stolen", True))
    assert [each.revocation.from_log_index for each in ring.keys if each.revocation] == [3]
    root = keys.generate_key()
    keys.write_public_key(hospital.folder / "root2.pub.pem", root.public_key())
    (hospital.folder / "trust.dsse.json").write_bytes(TrustFile(2, now, ring.keys).sign(root))
    (hospital.folder / "root2.pub.pem").replace(hospital.folder / "root.pub.pem")
    assert hospital.verify(first).exit_code == 0
    refused(hospital.verify(second), "0 of 1 approvals")
    refused(hospital.verify(second), "revoked from log entry 3 on (laptop stolen), and this is entry 4")
    other = keys.generate_key()
    ring = ring.with_key("approver", "Ben Example", other.public_key(), days=10, now=now)
    ring.save(hospital.folder / "ws" / "keys")
    (hospital.folder / "trust.dsse.json").write_bytes(TrustFile(3, now, ring.keys).sign(root))
    said = act(clinic.workspace, passphrase, second, "approve", other, reason="looked at it")
    assert [each.log_index for each in said.void] == [3, 4]  # Olga's is dated ahead, Ada's key was stolen
    told = hospital.verify(second)
    assert told.exit_code == 0, told.stderr
    report = json.loads(told.stdout)
    assert report["approvedBy"] == ["Ben Example"]
    assert [(each["by"], each["logIndex"]) for each in report["voidActions"]] == [
        ("Olga Officer", 3),
        ("Dr Ada Example", 4),
    ]
    listed = clinic.run("audit", "list")
    assert (listed.exit_code, listed.stderr.count(" is void: ")) == (1, 2)
    assert listed.stdout.count("! VOID: approve by ") == 2
    page = clinic.folder / "period.html"
    clinic.run("audit", "report", "--out", page)
    alarms = page.read_text("utf-8").partition('<ul class="alarms">')[2].partition("</ul>")[0]
    assert alarms.count(" is void: ") == 2
    shown = clinic.run("audit", "show", "1")
    assert (shown.exit_code, "VOID      approve by Dr Ada Example" in shown.stdout) == (1, True)
    for warned in (told, shown):
        assert warned.stderr.count("VOID: approve by ") == 2


def test_what_nobody_listed_has_signed_is_told_and_blocks_nobody(hospital: Hospital) -> None:
    bundle = hospital.bundle()
    hospital.said(("approve", "ada"), bundle=bundle)
    digest = hashlib.sha256((bundle / "record.dsse.json").read_bytes()).hexdigest()
    now = datetime.now(UTC).replace(microsecond=0)
    refusal = ReleaseAction("refuse", digest, "Dr Ada Example", "approver", "no", now).sign(keys.generate_key())
    folder = hospital.folder / "ws" / "actions"
    (folder / "00000002-forged.dsse.json").write_bytes(refusal)
    (folder / "00000003-junk.dsse.json").write_bytes(b"{}")
    result = hospital.say("approve", bundle, "olga")
    assert result.exit_code == 0, result.stderr
    assert result.stderr.count("is signed by no listed key") == 2
    verified = json.loads(hospital.verify(bundle).stdout)
    assert (verified["verified"], len(verified["actions"]), verified["voidActions"]) == (True, 2, [])
    listed = hospital.clinic.run("audit", "list")
    assert (listed.exit_code, "PROBLEM: 00000002-forged.dsse.json" in listed.stderr) == (1, True)
    assert "in force" in listed.stdout


def test_an_act_that_was_altered_in_the_workspace_is_not_left_out_in_silence(hospital: Hospital) -> None:
    bundle = hospital.bundle()
    hospital.said(("approve", "ada"), ("refuse", "olga"), bundle=bundle)
    refusal = next((hospital.folder / "ws" / "actions").glob("00000002-*"))
    refusal.write_bytes(refusal.read_bytes().replace(b'"sig":"', b'"sig":"A', 1))
    result = hospital.say("approve", bundle, "ada")
    assert result.exit_code == 2
    assert "the envelopes of 1 log entries are gone: an act may have been altered" in result.stderr
    refused(hospital.verify(bundle), "1 person refuses")


def test_an_act_that_was_taken_away_is_not_left_out_in_silence(hospital: Hospital) -> None:
    bundle = hospital.bundle()
    hospital.said(("approve", "ada"), ("refuse", "olga"), bundle=bundle)
    next((hospital.folder / "ws" / "actions").glob("00000002-*")).unlink()
    result = hospital.say("approve", bundle, "ada", reason="looked at it again")
    assert result.exit_code == 2
    assert "the envelopes of 1 log entries are gone: an act may have been altered or taken away" in result.stderr
    refused(hospital.verify(bundle), "1 person refuses")


def test_a_stolen_officers_revocation_does_not_keep_a_successor_from_taking_over(hospital: Hospital) -> None:
    old, new = hospital.bundle("old", oversight=Oversight()), hospital.bundle("new", oversight=Oversight())
    hospital.said(("revoke", "olga"), bundle=new)  # entry 2, by the thief
    clinic, now = hospital.clinic, datetime.now(UTC).replace(microsecond=0)
    olga = keys.load_private_key(hospital.folder / "olga.pem", PASSPHRASE.encode())
    entry = clinic.workspace.keyring.find(olga.public_key())
    assert entry is not None
    theft = Revocation(now + timedelta(seconds=1), "laptop stolen", True, 2)
    ring = trusting.revoke(clinic.workspace, entry, theft)
    fresh = keys.generate_key()
    ring = ring.with_key("officer", "Olga Officer", fresh.public_key(), days=10, now=now)
    ring.save(hospital.folder / "ws" / "keys")
    said = act(clinic.workspace, PASSPHRASE.encode(), old, "supersede", fresh, reason="corrected", successor=new)
    assert said.void == ()


def test_a_denial_cannot_be_approved_or_overruled(hospital: Hospital) -> None:
    bundle = hospital.bundle(**DENIED, subjects=record({"index.html": b""}).subjects)
    for action, who in (("approve", "ada"), ("override", "olga")):
        result = hospital.say(action, bundle, who)
        assert result.exit_code == 2
        assert "nobody can overrule it" in result.stderr


def test_a_key_nobody_has_listed_says_nothing(hospital: Hospital) -> None:
    bundle = hospital.bundle()
    keys.write_private_key(hospital.folder / "mallory.pem", keys.generate_key(), PASSPHRASE.encode())
    result = hospital.say("approve", bundle, "mallory")
    assert result.exit_code == 2
    assert "gateway keys add" in result.stderr


def test_every_action_is_in_the_log_and_none_may_go_missing(hospital: Hospital) -> None:
    bundle = hospital.bundle()
    hospital.said(("approve", "ada"), ("refuse", "olga"), bundle=bundle)
    back = hospital.say("approve", bundle, "olga")  # takes her refusal back, and counts for no more than that
    assert (back.exit_code, "does not count approvals by an officer" in back.stderr) == (0, True)
    assert json.loads(hospital.verify(bundle).stdout)["approvedBy"] == ["Dr Ada Example"]
    report = json.loads(hospital.clinic.run("log", "verify", "--json").stdout)
    assert (report["verified"], report["size"], report["records"]) == (True, 4, 4)
    next((hospital.folder / "ws" / "actions").glob("00000002-*")).unlink()
    assert "gap" in hospital.clinic.run("log", "verify").stderr


def test_a_policy_that_demands_approvals_wants_requester_and_operator_named(clinic: Clinic) -> None:
    clinic.write("lenient.toml", "required_approvals = { count = 1, roles = ['approver'] }\n" + POLICY)
    result = clinic.release("--requester", "Rosa Requester")
    assert result.exit_code == 2
    assert "requester and operator must be named" in result.stderr
    assert not (clinic.folder / "bundle").exists()


@pytest.mark.slow
def test_a_real_release_under_such_a_policy_carries_the_demand(hospital: Hospital) -> None:
    clinic = hospital.clinic
    clinic.write("lenient.toml", "required_approvals = { count = 1, roles = ['approver'] }\n" + POLICY)
    result = clinic.release("--requester", "Rosa Requester", "--operator", "Otto Operator")
    assert result.exit_code == 0, result.stderr
    assert "Needs   1 approval before it verifies" in result.stdout
    bundle = clinic.folder / "bundle"
    for name in ("VERIFY.md", "index.html"):  # with the commands that work, here and for whoever has the data
        text = (bundle / name).read_text(encoding="utf-8")
        assert "1 approval is needed" in text
        assert text.count("THIS-FOLDER --trust trust.dsse.json --root root.pub.pem") == 2
        assert "--key gate.pub.pem" not in text
    refused(hospital.verify(bundle), "0 of 1 approvals")
    hospital.said(("approve", "ada"), bundle=bundle)
    report = json.loads(hospital.verify(bundle).stdout)
    assert report["statement"]["predicate"]["oversight"] == {
        "requester": "Rosa Requester",
        "operator": "Otto Operator",
        "approvals": {"count": 1, "roles": ["approver"]},
    }
    assert report["approvedBy"] == ["Dr Ada Example"]
