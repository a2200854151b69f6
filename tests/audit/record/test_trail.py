"""A trail of records in memory: what is genuine, what may be relied on, and what an archive of it must refuse."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.record import merkle
from audit.record.approval import Action, ReleaseAction
from audit.record.archive import LogArchive
from audit.record.errors import RecordError, VerificationError
from audit.record.keys import write_public_key
from audit.record.note import Checkpoint
from audit.record.proof import entry_of
from audit.record.statement import Oversight
from audit.record.trail import Trail, read_trail
from audit.record.trailfile import INDEX_FILE, pack, unpack
from audit.record.trust import Revocation, Role, TrustedKey, TrustFile
from gateway.cli import main as cli
from tests.conformance.parts import (
    APPROVER,
    DATA,
    DECIDED,
    DENIED,
    EXPIRES,
    GATE,
    LOG,
    OFFICER,
    ORIGIN,
    OTHER,
    PAST,
    ROOT,
    Key,
    record,
    signed,
)

NOW = DECIDED + timedelta(days=1)
TERMS = Oversight("Rosa Requester", "Otto Operator", 1, ("approver",))
HOLDERS: tuple[tuple[Role, str, Key], ...] = (
    ("gate", "gate", GATE), ("log", "log", LOG), ("approver", "Ada", APPROVER), ("officer", "Olga", OFFICER),
)  # fmt: skip
KEYS = tuple(TrustedKey(role, holder, each.public_key(), PAST, EXPIRES) for role, holder, each in HOLDERS)
TRUST = TrustFile(1, PAST, KEYS)


def logged(envelopes: Sequence[bytes], key: Key = LOG) -> LogArchive:
    entries = tuple(map(entry_of, envelopes))
    root = merkle.root([merkle.leaf_hash(entry) for entry in entries])
    return LogArchive(ORIGIN, entries, Checkpoint(ORIGIN, len(entries), root).sign(key))


def act(action: Action, envelope: bytes, who: str, key: Key, role: Role, minutes: int = 1) -> bytes:
    at = DECIDED + timedelta(minutes=minutes)
    return ReleaseAction(action, entry_of(envelope).hex(), who, role, "because", at).sign(key)


def past() -> tuple[dict[str, bytes], dict[str, bytes], LogArchive]:
    """An approved release, a denial, one that waits for approval; and the approval of the first."""
    first = signed(record(DATA, 0, oversight=TERMS).to_payload())
    second = signed(record(DATA, 1, **DENIED, subjects=record({"index.html": b""}).subjects).to_payload())
    third = signed(record(DATA, 2, oversight=TERMS).to_payload())
    approval = act("approve", first, "Ada", APPROVER, "approver")
    records = {"0.dsse.json": first, "1.dsse.json": second, "2.dsse.json": third}
    return records, {"3.dsse.json": approval}, logged([first, second, third, approval])


def read(records: dict[str, bytes], actions: dict[str, bytes], log: LogArchive | None, **more: Any) -> Trail:
    return read_trail(records, actions, log, LOG.public_key(), more.pop("trust", TRUST), **more)


def standings(trail: Trail) -> list[str]:
    return [each.standing(NOW) for each in trail.entries]


def test_each_record_stands_as_people_have_left_it() -> None:
    trail = read(*past())
    assert standings(trail) == ["in force", "denied", "withheld"]
    assert "0 of 1 approvals" in trail.entries[2].withheld
    assert trail.sound


def test_a_later_word_changes_the_standing() -> None:
    records, actions, log = past()
    first = records["0.dsse.json"]
    revoked = act("revoke", first, "Olga", OFFICER, "officer", 5)
    log = logged([*records.values(), *actions.values(), revoked])
    trail = read(records, actions | {"4.dsse.json": revoked}, log)
    assert standings(trail) == ["revoked", "denied", "withheld"]
    assert trail.sound  # withdrawn in good order is no fault


def test_an_expired_release_is_shown_as_such() -> None:
    envelope = signed(record(DATA, 0, expires_at=DECIDED + timedelta(hours=1)).to_payload())
    assert standings(read({"0.dsse.json": envelope}, {}, logged([envelope]))) == ["expired"]


def test_nothing_is_skipped() -> None:
    records, actions, log = past()
    del records["1.dsse.json"]
    records["2.dsse.json"] = records["2.dsse.json"].replace(b'"sig":"', b'"sig":"A', 1)
    trail = read(records, actions, log)
    assert [(each.index, each.standing(NOW)) for each in trail.entries] == [
        (0, "in force"), (1, "missing"), (2, "missing"), (None, "broken"),
    ]  # fmt: skip
    assert not trail.sound


def test_without_a_log_nothing_is_genuine() -> None:
    records, actions, _ = past()
    assert standings(read(records, actions, None)) == ["broken"] * 3


def test_a_record_by_another_key_or_of_another_place_is_broken() -> None:
    by_other = signed(record(DATA, 0).to_payload(), OTHER)
    assert standings(read({"a": by_other}, {}, logged([by_other]))) == ["broken"]
    by_approver = signed(record(DATA, 0).to_payload(), APPROVER)
    assert standings(read({"a": by_approver}, {}, logged([by_approver]))) == ["broken"]
    elsewhere = signed(record(DATA, 5).to_payload())
    trail = read({"a": elsewhere}, {}, logged([elsewhere]))
    assert trail.entries[0].problem == "stands at place 0 of the log and says 5"


def test_a_record_after_its_keys_revocation_is_broken() -> None:
    records, actions, log = past()
    gate = replace(KEYS[0], revocation=Revocation(PAST, "lost"))
    trail = read(records, actions, log, trust=TrustFile(1, PAST, (gate, *KEYS[1:])))
    assert standings(trail) == ["broken"] * 3


def test_what_a_crash_left_unlogged_is_no_fault_and_in_force_for_nobody() -> None:
    envelope = signed(record(DATA, 0).to_payload())
    trail = read({"a": envelope}, {}, logged([]))
    assert (standings(trail), trail.sound) == (["unlogged"], True)


def test_a_void_act_is_a_problem_and_leaves_the_record_as_others_have_left_it() -> None:
    records, actions, _ = past()
    first = records["0.dsse.json"]
    forged = act("refuse", first, "Ada", OFFICER, "approver", 2)
    stolen = act("revoke", first, "Olga", OFFICER, "officer", 3)
    log = logged([*records.values(), *actions.values(), forged, stolen])
    theft = Revocation(DECIDED + timedelta(days=1), "laptop stolen", True, 5)
    keys = [replace(each, revocation=theft) if each.holder == "Olga" else each for each in KEYS]
    trail = read(records, actions | {"4": forged, "5": stolen}, log, trust=TrustFile(1, PAST, tuple(keys)))
    assert standings(trail) == ["in force", "denied", "withheld"]
    [refusal, revocation] = trail.problems
    assert "0.dsse.json: refuse by Ada (approver) in log entry 4 is void: is not signed by the approver key" in refusal
    assert "revoke by Olga (officer) in log entry 5 is void: the officer key" in revocation
    assert "revoked from log entry 5 on (laptop stolen)" in revocation
    assert not trail.sound
    entry = trail.entries[0]
    assert [each.action for each in entry.actions] == ["approve"]
    assert [each["logIndex"] for each in entry.to_dict(NOW)["voidActions"]] == [4, 5]


def test_a_record_from_the_future_is_broken() -> None:
    records, actions, log = past()
    trail = read(records, actions, log, now=DECIDED - timedelta(hours=1))
    assert standings(trail) == ["broken"] * 3
    assert "it bears the date 2021-05-01 12:30:00 UTC" in trail.entries[0].problem


def test_an_act_that_cannot_be_read_or_is_about_nothing_here_is_a_problem() -> None:
    records, _, _ = past()
    stray = act("approve", b"another record", "Ada", APPROVER, "approver")
    trail = read(records, {"3": stray, "4": b"{}"}, logged([*records.values(), stray, b"{}"]))
    assert len(trail.problems) == 2
    assert trail.problems[0].startswith("4: ")
    assert trail.problems[1] == "actions of log entry 3: about a record that is not here"


def packed(signer: Key = LOG, trust: dict[str, bytes] | None = None, keys: tuple[TrustedKey, ...] = KEYS) -> bytes:
    records, actions, log = past()
    return pack(records, actions, log, keys, signer, exported_at=NOW, chosen={}, trust=trust or {})


def test_an_archive_opens_with_its_signers_key_and_holds_the_same_trail() -> None:
    for signer, role in ((LOG, "log"), (OFFICER, "officer")):
        opened = unpack(packed(signer), signer.public_key())
        assert [each.role for each in opened.signed_by] == [role]
        assert opened.trail.entries == read(*past()).entries
        assert opened.checkpoint.size == 4


def test_an_archive_is_the_same_bytes_for_the_same_content() -> None:
    assert packed() == packed()


def test_with_the_root_the_trust_file_decides() -> None:
    trust = {"keys/trust.dsse.json": TRUST.sign(ROOT), "keys/root.pub.pem": b"any"}
    assert unpack(packed(trust=trust), root=ROOT.public_key()).trail.sound
    with pytest.raises(VerificationError, match="trust file"):
        unpack(packed(trust=trust), root=OTHER.public_key())
    with pytest.raises(VerificationError, match="holds no trust file"):
        unpack(packed(), root=ROOT.public_key())


def test_a_record_or_an_act_that_an_archive_leaves_out_is_missed() -> None:
    """By whoever may sign one: the log in it counts its entries."""
    records, actions, log = past()
    for left_out in (["1.dsse.json"], ["3.dsse.json"], ["0.dsse.json", "3.dsse.json"]):
        kept = [{name: each for name, each in part.items() if name not in left_out} for part in (records, actions)]
        content = pack(kept[0], kept[1], log, KEYS, LOG, exported_at=NOW, chosen={}, trust={})
        opened = unpack(content, LOG.public_key())
        assert (opened.trail.sound, opened.not_shown) == (False, len(left_out))
        missing = [f"log entry {name[0]}" for name in left_out]
        assert [each.name for each in opened.trail.entries if each.missing] == missing


def test_a_filtered_archive_says_how_many_entries_it_does_not_show(tmp_path: Path) -> None:
    records, _, log = past()
    chosen = {"decision": "denied"}
    one = {"1.dsse.json": records["1.dsse.json"]}
    (tmp_path / "a.tar").write_bytes(pack(one, {}, log, KEYS, LOG, exported_at=NOW, chosen=chosen, trust={}))
    write_public_key(tmp_path / "log.pub.pem", LOG.public_key())
    arguments = ["audit", "verify", str(tmp_path / "a.tar"), "--key", str(tmp_path / "log.pub.pem")]
    told = CliRunner().invoke(cli, arguments)
    assert (told.exit_code, "3 of 4 log entries are not shown here" in told.stdout) == (0, True)
    report = json.loads(CliRunner().invoke(cli, [*arguments, "--json"]).stdout)
    assert (report["notShown"], report["log"]["size"], report["trustVersion"]) == (3, 4, None)


def test_the_readers_own_newer_trust_file_decides_and_the_one_used_is_named(tmp_path: Path) -> None:
    """An officer whose key was revoked puts the trust file from before that into an archive of their own."""
    revoked = replace(KEYS[3], revocation=Revocation(DECIDED, "dismissed"))
    newer = TrustFile(2, PAST, (*KEYS[:3], revoked))
    trust = {"keys/trust.dsse.json": TRUST.sign(ROOT), "keys/root.pub.pem": b"any"}
    (tmp_path / "a.tar").write_bytes(packed(OFFICER, trust=trust))
    (tmp_path / "trust.dsse.json").write_bytes(newer.sign(ROOT))
    write_public_key(tmp_path / "root.pub.pem", ROOT.public_key())
    arguments = ["audit", "verify", str(tmp_path / "a.tar"), "--root", str(tmp_path / "root.pub.pem")]
    told = CliRunner().invoke(cli, arguments)
    assert told.exit_code == 0, told.output
    assert f"trust     version 1 of {PAST:%Y-%m-%d}; knows of no later revocation" in told.stdout
    assert json.loads(CliRunner().invoke(cli, [*arguments, "--json"]).stdout)["trustVersion"] == 1
    refused = CliRunner().invoke(cli, [*arguments, "--trust", str(tmp_path / "trust.dsse.json")])
    assert (refused.exit_code, "revoked" in refused.stderr) == (1, True)
    with pytest.raises(VerificationError, match="carries version 2, yours is version 1"):
        unpack(packed(trust=trust | {"keys/trust.dsse.json": newer.sign(ROOT)}), root=ROOT.public_key(), own=TRUST)
    with pytest.raises(VerificationError, match="there are two of version 1"):
        unpack(packed(trust=trust), root=ROOT.public_key(), own=TrustFile(1, PAST, KEYS[:3]))
    opened = unpack(packed(), root=ROOT.public_key(), own=newer)  # by the log's key, and it carries no trust file
    assert opened.trust == newer


def test_an_archive_from_the_future_is_refused() -> None:
    now = NOW - timedelta(minutes=4)
    assert unpack(packed(), LOG.public_key(), now=now).index.exported_at == NOW
    with pytest.raises(VerificationError, match=r"index\.dsse\.json bears the date 2021-05-02") as caught:
        unpack(packed(), LOG.public_key(), now=now - timedelta(minutes=2))
    assert caught.value.why == "clock"


@pytest.mark.parametrize("signer", [GATE, APPROVER, OTHER], ids=["gate", "approver", "stranger"])
def test_only_the_log_or_an_officer_may_sign_an_archive(signer: Key) -> None:
    with pytest.raises(VerificationError):
        unpack(packed(signer), signer.public_key())


def test_a_signer_whose_key_is_revoked_is_refused() -> None:
    late = replace(KEYS[3], revocation=Revocation(DECIDED, "lost"))
    with pytest.raises(VerificationError, match="revoked"):
        unpack(packed(OFFICER, keys=(*KEYS[:3], late)), OFFICER.public_key())


@pytest.mark.parametrize("place", [1, 3], ids=["log", "officer"])
def test_an_archive_by_a_stolen_key_is_refused_whatever_its_date(place: int) -> None:
    """Revoked long after the archive's date: a thief would have written that date."""
    stolen = replace(KEYS[place], revocation=Revocation(EXPIRES - timedelta(days=1), "stolen", True, 99))
    keys = tuple(stolen if each is KEYS[place] else each for each in KEYS)
    signer = LOG if place == 1 else OFFICER
    with pytest.raises(VerificationError, match="was stolen; ask for a fresh archive"):
        unpack(packed(signer, keys=keys), signer.public_key())


ARCHIVE = packed()


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(ARCHIVE) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused(place: int, change: int) -> None:
    content = bytearray(ARCHIVE)
    content[place] ^= change
    with pytest.raises(VerificationError):
        unpack(bytes(content), LOG.public_key())


def test_a_changed_byte_around_the_signature_is_refused() -> None:
    """Every one: the key id is under no signature."""
    start = ARCHIVE.index(b'"payloadType"')
    for place in range(start, ARCHIVE.index(b"\0", start)):
        test_a_changed_byte_is_refused.hypothesis.inner_test(place, 1)  # type: ignore[attr-defined]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(ARCHIVE) - 1))
def test_an_archive_cut_short_is_refused(length: int) -> None:
    with pytest.raises(VerificationError):
        unpack(ARCHIVE[:length], LOG.public_key())


def rebuilt(change: Callable[[tarfile.TarInfo, bytes], tuple[tarfile.TarInfo, bytes] | None]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(ARCHIVE)) as old, tarfile.open(fileobj=stream, mode="w") as new:
        for member in old:
            file = old.extractfile(member)
            assert file is not None
            changed = change(member, file.read())
            if changed is not None:
                changed[0].size = len(changed[1]) if changed[0].isreg() else 0
                new.addfile(changed[0], io.BytesIO(changed[1]))
    return stream.getvalue()


def _linked(member: tarfile.TarInfo, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    if member.name.startswith("records/0"):
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return member, content


def _renamed(member: tarfile.TarInfo, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    member.name = member.name.replace("records/0", "records/../0")
    return member, content


@pytest.mark.parametrize(
    "change",
    [
        _linked,
        _renamed,
        lambda member, content: None if member.name == INDEX_FILE else (member, content),
        lambda member, content: None if member.name == "log.json" else (member, content),
        lambda member, content: None if member.name.startswith("records/2") else (member, content),
        lambda member, content: None if member.name.startswith("proofs/") else (member, content),
    ],
    ids=["a link", "a path", "no index", "no log", "a record less", "no proofs"],
)
def test_a_hostile_archive_is_refused(change: Callable[..., Any]) -> None:
    with pytest.raises(VerificationError):
        unpack(rebuilt(change), LOG.public_key())


def test_a_compressed_or_sparse_archive_is_not_unpacked() -> None:
    import gzip

    with pytest.raises(VerificationError, match="no tar archive"):
        unpack(gzip.compress(ARCHIVE), LOG.public_key())
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        bomb = tarfile.TarInfo("index.dsse.json")
        bomb.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.size": str(1 << 40),
                            "GNU.sparse.map": "0,1"}  # fmt: skip
        bomb.size = 1
        tar.addfile(bomb, io.BytesIO(b"x"))
    with pytest.raises(VerificationError):
        unpack(stream.getvalue(), LOG.public_key())


def test_a_name_that_sluice_does_not_give_is_not_packed() -> None:
    records, actions, log = past()
    with pytest.raises(RecordError, match="no name that Sluice gives"):
        pack(records | {"a\x1b[2J": b"x"}, actions, log, KEYS, LOG, exported_at=NOW, chosen={}, trust={})
