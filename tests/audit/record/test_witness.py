"""Witnesses: a published cosignature, what is refused, and that a memory is never lied to."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from audit.record import archive, canonical
from audit.record.archive import LogArchive, LogGrowth
from audit.record.cosignature import Cosigned, WitnessKey, cosign, demand
from audit.record.envelope import IN_TOTO, sign
from audit.record.errors import LogError, RecordError, VerificationError
from audit.record.log import ReleaseLog, accept_cosigned, check_log, read_log
from audit.record.note import Checkpoint
from audit.record.proof import LogProof
from audit.record.statement import LogPosition, ReleaseRecord
from audit.record.verify import verify_record
from audit.record.witness import observe, witness_file

ORIGIN = "hospital.example/releases"
NAME = "regulator.example/w1"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
PUBLIC = KEY.public_key()
WITNESS = Ed25519PrivateKey.from_private_bytes(bytes(range(3, 35)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(4, 36)))
AT = datetime(2021, 6, 1, 12, 0, 0, tzinfo=UTC)

# a checkpoint of a public certificate transparency log, cosigned by a public witness on 2026-05-23
PUBLISHED = """\
arche2025h1.staging.ct.transparency.dev
1432088532
U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=

— arche2025h1.staging.ct.transparency.dev \
ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=
— remora.n621.de \
2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==
"""
PUBLISHED_LOG = "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f"
PUBLISHED_WITNESS = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"


def log_of(folder: Path, *texts: str, key: Ed25519PrivateKey = KEY) -> ReleaseLog:
    log = ReleaseLog.create(folder, ORIGIN, key)
    for text in texts:
        log.append(text.encode())
    return log


def archive_of(log: ReleaseLog) -> LogArchive:
    state = read_log(log.folder, ORIGIN, PUBLIC)
    return LogArchive(ORIGIN, state.entries, state.note, tuple(cosigned for cosigned, _ in state.witnessed))


def checkpoint_of(log: ReleaseLog) -> Checkpoint:
    return read_log(log.folder, ORIGIN, PUBLIC).checkpoint


def watch(log: ReleaseLog, state: Path, *, at: datetime = AT, **options: Any) -> Cosigned:
    return witness_file(archive_of(log).to_bytes(), PUBLIC, state, NAME, WITNESS, at, **options)


def accept(log: ReleaseLog, cosigned: Cosigned) -> None:
    accept_cosigned(log.folder, ORIGIN, PUBLIC, cosigned)


# --- the format


def test_a_published_cosigned_checkpoint_is_opened() -> None:
    origin, _, material = PUBLISHED_LOG.split("+", 2)
    log_key = Ed25519PublicKey.from_public_bytes(base64.b64decode(material)[1:])
    sighting = Cosigned.from_dict({"checkpoint": PUBLISHED, "witness": PUBLISHED_WITNESS}).open(origin, log_key)
    assert sighting.checkpoint.size == 1432088532
    assert sighting.at == datetime(2026, 5, 23, 21, 50, 24, tzinfo=UTC)
    assert sighting.witness.vkey == PUBLISHED_WITNESS
    later = PUBLISHED.replace("ABqEiEg", "ABqEiEh")  # the time is signed too
    with pytest.raises(VerificationError, match="altered"):
        Cosigned.from_dict({"checkpoint": later, "witness": PUBLISHED_WITNESS}).open(origin, log_key)


def test_a_cosignature_has_the_bytes_of_the_specification() -> None:
    note = Checkpoint(ORIGIN, 7, bytes(32)).sign(KEY)
    cosigned = cosign(note, NAME, WITNESS, AT)
    text = note.decode().partition("\n\n")[0] + "\n"
    seconds = int(AT.timestamp())
    signature = WITNESS.sign(f"cosignature/v1\ntime {seconds}\n{text}".encode())
    content = base64.b64decode(cosigned.line.split(" ")[2])
    assert content[4:] == seconds.to_bytes(8, "big") + signature
    assert cosigned.to_dict()["checkpoint"] == note.decode() + cosigned.line
    assert cosigned.open(ORIGIN, PUBLIC).at == AT
    assert Cosigned.from_bytes(cosigned.to_bytes()) == cosigned


def test_every_single_bit_of_a_cosigned_checkpoint_matters() -> None:
    content = cosign(Checkpoint(ORIGIN, 7, bytes(32)).sign(KEY), NAME, WITNESS, AT).to_bytes()
    for position in range(len(content)):
        for bit in range(8):
            changed = bytearray(content)
            changed[position] ^= 1 << bit
            with pytest.raises(VerificationError):
                Cosigned.from_bytes(bytes(changed)).open(ORIGIN, PUBLIC)


@pytest.mark.parametrize(
    "vkey",
    [
        None,
        "",
        "remora.n621.de",
        "remora.n621.de+da77ade7",
        "remora.n621.de+da77ade8+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
        "remora.n621.eu+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
        "remora.n621.de+DA77ADE7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
        "remora.n621.de+da77ade7+AevN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
        "remora.n621.de+da77ade7+BOvN63jn",
        "remora.n621.de+da77ade7+!!!!",
        PUBLISHED_LOG,
    ],
)
def test_what_is_no_verifier_key_of_a_witness_is_refused(vkey: object) -> None:
    with pytest.raises(VerificationError, match="witness key"):
        WitnessKey.parse(vkey)


@pytest.mark.parametrize("name", ["", "two words", "a+b", "line\nbreak", "x" * 201, "—"])
def test_a_witness_is_named_by_a_url_without_its_scheme(name: str) -> None:
    with pytest.raises(RecordError, match="name"):
        cosign(Checkpoint(ORIGIN, 7, bytes(32)).sign(KEY), name, WITNESS, AT)


# --- the log's side


def test_the_log_keeps_the_last_sighting_of_each_witness(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", "one", "two")
    older = watch(log, tmp_path / "state", begin=True)
    log.append(b"three")
    newer = watch(log, tmp_path / "state")
    accept(log, newer)
    accept(log, cosign(archive_of(log).checkpoint, "press.example/w", OTHER, AT))
    with pytest.raises(LogError, match="newer checkpoint"):
        accept(log, older)
    log.append(b"four")
    seen = {each.witness.name: each.checkpoint.size for each in archive_of(log).open(PUBLIC)[1]}
    assert seen == {NAME: 3, "press.example/w": 3}


def test_a_checkpoint_of_another_history_is_not_kept(tmp_path: Path) -> None:
    log, fork = log_of(tmp_path / "log", "one", "two"), log_of(tmp_path / "fork", "one", "other", "three")
    with pytest.raises(LogError, match="older copy"):
        accept(log, watch(fork, tmp_path / "first", begin=True))
    log.append(b"three")
    with pytest.raises(LogError, match="forked"):
        accept(log, watch(fork, tmp_path / "second", begin=True))
    good = watch(log, tmp_path / "third", begin=True)
    with pytest.raises(LogError, match="cosignature"):
        accept(log, Cosigned(good.note, good.line, WitnessKey(NAME, OTHER.public_key())))
    assert check_log(log.folder, ORIGIN, PUBLIC).size == 3
    assert not (log.folder / "witnessed").exists()


def test_every_single_byte_change_of_the_witnessed_file_is_refused(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", "one")
    accept(log, watch(log, tmp_path / "state", begin=True))
    path = log.folder / "witnessed"
    content = path.read_bytes()
    for position in range(len(content)):
        path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        with pytest.raises(LogError):
            check_log(log.folder, ORIGIN, PUBLIC)
    path.write_bytes(content)
    check_log(log.folder, ORIGIN, PUBLIC)


def test_a_proof_carries_what_was_seen_before_and_after_the_entry(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", "one", "two", "three")
    accept(log, watch(log, tmp_path / "state", begin=True))
    log.append(b"four")
    for text, index in (("two", 1), ("four", 3)):
        proof = log.prove(text.encode())
        assert proof is not None
        read = LogProof.from_bytes(proof.to_bytes())
        checkpoint = read.verify(text.encode(), index=index, origin=ORIGIN, key=PUBLIC)
        sightings = read.sightings(checkpoint, PUBLIC)
        assert [each.checkpoint.size for each in sightings] == [3]
        if index == 1:
            assert demand(sightings, [WITNESS.public_key()], size=2) == sightings
        else:
            with pytest.raises(VerificationError, match="has seen 3 entries of the log, 4 are needed"):
                demand(sightings, [WITNESS.public_key()], size=4)
        with pytest.raises(VerificationError, match="has not cosigned"):
            demand(sightings, [OTHER.public_key()], size=0)


@pytest.mark.parametrize(("minutes", "problem"), [(0, ""), (-5, ""), (-6, "decided only at")])
def test_a_witness_that_saw_a_record_before_it_was_decided_is_not_believed_with_it(
    tmp_path: Path, gate_key: Ed25519PrivateKey, make_record: Callable[..., ReleaseRecord], minutes: int, problem: str
) -> None:
    log = log_of(tmp_path / "log", "one", "two")
    record = make_record(log=LogPosition(2, ORIGIN, PUBLIC.public_bytes_raw()))
    signed = sign(record.to_payload(), IN_TOTO, gate_key)
    log.append(signed)
    at = record.decided_at + timedelta(minutes=minutes)
    accept(log, watch(log, tmp_path / "state", at=at, begin=True))
    proof = log.prove(signed)
    assert proof is not None
    arguments: dict[str, Any] = {"witnesses": [WITNESS.public_key()], "now": record.decided_at}
    if not problem:
        assert verify_record(signed, proof.to_bytes(), gate_key.public_key(), **arguments).witnessed[0].at == at
        return
    with pytest.raises(VerificationError, match=problem) as caught:
        verify_record(signed, proof.to_bytes(), gate_key.public_key(), **arguments)
    assert caught.value.why == "witness"


def test_every_single_bit_of_a_proof_with_a_cosignature_matters(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", "one")
    accept(log, watch(log, tmp_path / "state", begin=True))
    content = log.append(b"two").to_bytes()
    LogProof.from_bytes(content).verify(b"two", index=1, origin=ORIGIN, key=PUBLIC)
    for position in range(len(content)):
        for bit in range(8):
            changed = bytearray(content)
            changed[position] ^= 1 << bit
            with pytest.raises(VerificationError):
                LogProof.from_bytes(bytes(changed)).verify(b"two", index=1, origin=ORIGIN, key=PUBLIC)


def test_a_proof_with_a_sighting_of_another_history_is_refused(tmp_path: Path) -> None:
    log, fork = log_of(tmp_path / "log", "one"), log_of(tmp_path / "fork", "other")
    accept(log, watch(log, tmp_path / "a", begin=True))
    document = json.loads(log.append(b"two").to_bytes())
    document["witnessed"][0].update(watch(fork, tmp_path / "b", begin=True).to_dict())
    read = LogProof.from_bytes(canonical.encode(document))
    with pytest.raises(VerificationError, match="does not begin with"):
        read.verify(b"two", index=1, origin=ORIGIN, key=PUBLIC)
    damaged: tuple[Any, ...] = ([], document["witnessed"] * 2, "x", [{}])
    for wrong in damaged:
        with pytest.raises(VerificationError, match="log proof"):
            LogProof.from_bytes(canonical.encode({**document, "witnessed": wrong}))


# --- the witness's side


def test_a_growth_between_any_two_sizes_is_shown_and_checked(tmp_path: Path) -> None:
    whole = archive_of(log_of(tmp_path / "log", *"abcdefghi"))
    for old in range(10):
        for new in range(old, 10):
            growth = archive.parse(whole.growth(old, new).to_bytes())
            assert isinstance(growth, LogGrowth)
            if new == 9:
                assert growth.open(PUBLIC).size == 9
                continue
            with pytest.raises(VerificationError, match="no signed checkpoint, so nobody vouches"):
                growth.open(PUBLIC)
    with pytest.raises(LogError, match="sizes"):
        whole.growth(3, 10)
    with pytest.raises(LogError, match="sizes"):
        whole.growth(3, 2)


@pytest.mark.parametrize("size", [0, 2, 3])
def test_every_single_byte_change_of_an_exported_file_is_refused(tmp_path: Path, size: int) -> None:
    log = log_of(tmp_path / "log", "one", "two", "three")
    accept(log, watch(log, tmp_path / "state", begin=True))
    whole = archive_of(log)
    for content in (whole.to_bytes(), whole.growth(size, 3).to_bytes()):
        archive.parse(content).open(PUBLIC)
        for position in range(len(content)):
            changed = content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]
            with pytest.raises(VerificationError):
                archive.parse(changed).open(PUBLIC)


def test_the_same_checkpoint_may_be_cosigned_again_later(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", "one")
    accept(log, watch(log, tmp_path / "state", begin=True))
    accept(log, watch(log, tmp_path / "state", at=AT + timedelta(days=1)))
    assert [each.at for each in archive_of(log).open(PUBLIC)[1]] == [AT + timedelta(days=1)]


def test_a_witness_keeps_to_one_log(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", "one")
    elsewhere = ReleaseLog.create(tmp_path / "other", "hospital.example/other", KEY)
    elsewhere.append(b"one")
    state = read_log(elsewhere.folder, "hospital.example/other", PUBLIC)
    shown = LogArchive("hospital.example/other", state.entries, state.note)
    with pytest.raises(LogError, match="keep a state for each"):
        observe(shown, PUBLIC, checkpoint_of(log))
    with pytest.raises(VerificationError, match="another key"):
        observe(archive_of(log), OTHER.public_key(), None)


def test_a_damaged_memory_stops_the_witness(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", "one")
    state = tmp_path / "state"
    watch(log, state, begin=True)
    content = state.read_bytes()
    for changed in (b"", b"{}", content[:-1], content.replace(b'"version":1', b'"version":2'), content[:90] + b"0"):
        state.write_bytes(changed)
        with pytest.raises(LogError, match="no state of this log"):
            watch(log, state)
    state.write_bytes(content)
    watch(log, state)


def test_a_name_that_will_not_do_leaves_the_memory_as_it_was(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", "one")
    with pytest.raises(RecordError, match="name"):
        witness_file(archive_of(log).to_bytes(), PUBLIC, tmp_path / "state", "two words", WITNESS, AT, begin=True)
    assert not (tmp_path / "state").exists()


def test_the_memory_moves_before_the_cosignature_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash between the two costs a cosignature, never a second history."""
    log = log_of(tmp_path / "log", "one")

    def full(*_arguments: object, **_options: object) -> None:
        raise LogError("state: cannot be written (No space left on device)")

    with monkeypatch.context() as patched:
        patched.setattr("audit.record.witness.files.replace", full)
        with pytest.raises(LogError, match="No space"):
            watch(log, tmp_path / "state", begin=True)
    watch(log, tmp_path / "state", begin=True)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"kind":"other"}', b'{"kind":"sluice-log-archive"}'])
def test_what_is_no_log_file_is_refused(content: bytes) -> None:
    with pytest.raises(VerificationError, match="log file"):
        archive.parse(content)
