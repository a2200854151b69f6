"""The log: append-only, whatever crashes, and whoever edits its files."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.record.errors import LogError, RecordError, VerificationError
from audit.record.log import ReleaseLog, check_log
from audit.record.note import Checkpoint, sign_note
from audit.record.proof import LogProof, entry_of

ORIGIN = "hospital.example/releases"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
FIRST = [b"record one", b"record two"]
NEXT = b"record three"


@pytest.fixture
def log(tmp_path: Path) -> ReleaseLog:
    log = ReleaseLog.create(tmp_path / "log", ORIGIN, KEY)
    for envelope in FIRST:
        log.append(envelope)
    return log


def reopened(log: ReleaseLog, **options: Any) -> ReleaseLog:
    return ReleaseLog(log.folder, ORIGIN, KEY, **options)


def checked(folder: Path, seen: bytes | None = None) -> Checkpoint:
    return check_log(folder, ORIGIN, KEY.public_key(), seen=seen)


def verified(proof: LogProof, envelope: bytes, index: int) -> Checkpoint:
    read = LogProof.from_bytes(proof.to_bytes())
    assert read == proof
    return read.verify(envelope, index=index, origin=ORIGIN, key=KEY.public_key())


def test_the_index_is_known_before_the_envelope_is_made(log: ReleaseLog) -> None:
    with log.writer() as writer:
        assert writer.next_index == 2
        envelope = f"signed, entry {writer.next_index}".encode()
        proof = writer.append(envelope)
        assert (proof.index, writer.next_index) == (2, 3)
        assert writer.checkpoint == proof.checkpoint
    assert verified(proof, envelope, 2) == checked(log.folder)


def test_every_entry_is_provable_at_every_size(tmp_path: Path) -> None:
    log = ReleaseLog.create(tmp_path / "log", ORIGIN, KEY)
    envelopes = [f"record {number}".encode() for number in range(9)]
    checkpoints = []
    for index, envelope in enumerate(envelopes):
        proof = log.append(envelope)
        assert verified(proof, envelope, index).size == index + 1
        checkpoints.append(proof.checkpoint)
        for earlier in range(index + 1):
            found = log.prove(envelopes[earlier])
            assert found is not None
            verified(found, envelopes[earlier], earlier)
    for seen in checkpoints:
        assert checked(log.folder, seen).size == 9
    assert log.prove(b"never logged") is None


def test_the_files_are_what_the_module_says(log: ReleaseLog) -> None:
    assert (log.folder / "entries").read_text() == "".join(f"{entry_of(each).hex()}\n" for each in FIRST)
    assert (log.folder / "checkpoint").read_text().startswith(f"{ORIGIN}\n2\n")
    assert sorted(path.name for path in log.folder.iterdir()) == ["checkpoint", "entries", "lock"]


def test_one_envelope_is_entered_once(log: ReleaseLog) -> None:
    with pytest.raises(LogError, match="entry 1 already"):
        log.append(FIRST[1])
    assert log.append(NEXT).index == 2


def test_a_writer_is_of_no_use_after_its_block(log: ReleaseLog) -> None:
    with log.writer() as writer:
        pass
    with pytest.raises(LogError, match="closed"):
        writer.append(NEXT)


def test_a_block_that_fails_before_appending_leaves_the_log_as_it_was(log: ReleaseLog) -> None:
    before = checked(log.folder)
    with pytest.raises(RuntimeError, match="signing failed"), log.writer():
        raise RuntimeError("signing failed")
    assert checked(log.folder) == before
    assert log.append(NEXT).index == 2


# --- opening what is not a whole log


def test_a_log_starts_in_an_empty_folder_only(log: ReleaseLog, tmp_path: Path) -> None:
    with pytest.raises(LogError, match="empty folder"):
        ReleaseLog.create(log.folder, ORIGIN, KEY)
    assert checked(log.folder).size == 2
    with pytest.raises(RecordError, match="origin"):
        ReleaseLog.create(tmp_path / "other", "not an origin", KEY)
    (tmp_path / "file").touch()
    with pytest.raises(LogError, match="cannot be created"):
        ReleaseLog.create(tmp_path / "file", ORIGIN, KEY)


@pytest.mark.parametrize("name", ["checkpoint", "entries", "lock"])
def test_a_missing_file_is_not_made_up(log: ReleaseLog, name: str) -> None:
    (log.folder / name).unlink()
    with pytest.raises(LogError, match=name):
        log.append(NEXT)
    with pytest.raises(LogError, match=name):
        checked(log.folder)


@pytest.mark.parametrize("name", ["checkpoint", "entries", "lock"])
def test_links_are_not_followed(log: ReleaseLog, tmp_path: Path, name: str) -> None:
    (log.folder / name).rename(tmp_path / "moved")
    (log.folder / name).symlink_to(tmp_path / "moved")
    with pytest.raises(LogError, match="symbolic link"):
        log.append(NEXT)


def test_another_key_or_origin_does_not_open_the_log(log: ReleaseLog) -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34)))
    with pytest.raises(LogError, match="another key"):
        ReleaseLog(log.folder, ORIGIN, other).append(NEXT)
    with pytest.raises(LogError, match="another name"):
        ReleaseLog(log.folder, "hospital.example/other", KEY).append(NEXT)


# --- rollback, gap, fork


def _refused_everywhere(log: ReleaseLog, problem: str, seen: bytes | None = None) -> None:
    before = {path.name: path.read_bytes() for path in log.folder.iterdir()}
    with pytest.raises(LogError, match=problem):
        reopened(log, seen=seen).append(NEXT)
    with pytest.raises(LogError, match=problem):
        checked(log.folder, seen)
    assert {path.name: path.read_bytes() for path in log.folder.iterdir()} == before


def test_every_single_byte_change_of_the_files_is_refused(log: ReleaseLog) -> None:
    for name in ("entries", "checkpoint"):
        content = (log.folder / name).read_bytes()
        for position in range(len(content)):
            changed = bytearray(content)
            changed[position] ^= 1
            (log.folder / name).write_bytes(bytes(changed))
            with pytest.raises(LogError):
                checked(log.folder)
        (log.folder / name).write_bytes(content)
    assert checked(log.folder).size == 2


def test_removed_entries_are_noticed_at_every_length(log: ReleaseLog) -> None:
    lines = (log.folder / "entries").read_bytes()
    for length in range(len(lines)):
        (log.folder / "entries").write_bytes(lines[:length])
        _refused_everywhere(log, "entries were removed")


def test_an_older_checkpoint_over_newer_entries_is_noticed(log: ReleaseLog) -> None:
    older = (log.folder / "checkpoint").read_bytes()
    log.append(NEXT)
    (log.folder / "checkpoint").write_bytes(older)
    _refused_everywhere(log, "65 bytes beyond the signed entries")


def test_an_entry_slipped_in_is_refused_not_adopted(log: ReleaseLog) -> None:
    with (log.folder / "entries").open("ab") as file:
        file.write(entry_of(b"forged").hex().encode() + b"\n")
    _refused_everywhere(log, "somebody added them")


def test_swapped_entries_are_noticed(log: ReleaseLog) -> None:
    lines = (log.folder / "entries").read_bytes().splitlines(keepends=True)
    (log.folder / "entries").write_bytes(b"".join(reversed(lines)))
    _refused_everywhere(log, "not those the checkpoint was signed over")


def test_an_older_copy_of_the_whole_folder_is_noticed_by_a_checkpoint_kept_elsewhere(log: ReleaseLog) -> None:
    older = {path.name: path.read_bytes() for path in log.folder.iterdir()}
    seen = log.append(NEXT).checkpoint
    for name, content in older.items():
        (log.folder / name).write_bytes(content)
    assert checked(log.folder).size == 2  # from inside it cannot be seen
    _refused_everywhere(log, "older copy was put back", seen)


def test_a_fork_is_noticed_by_a_checkpoint_kept_elsewhere(log: ReleaseLog, tmp_path: Path) -> None:
    seen = log.append(NEXT).checkpoint
    fork = ReleaseLog.create(tmp_path / "fork", ORIGIN, KEY)
    for envelope in (*FIRST, b"something else", b"and more"):
        fork.append(envelope)
    _refused_everywhere(fork, "forked", seen)
    _refused_everywhere(log, "not of this log", b"not a checkpoint")


def test_a_pending_entry_that_the_log_did_not_sign_is_refused(log: ReleaseLog) -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34)))
    digest = entry_of(b"forged").hex()
    for note in (
        sign_note(f"sluice pending entry\n2\n{digest}\n", ORIGIN, other),
        f"sluice pending entry\n2\n{digest}\n".encode(),
        b"",
    ):
        (log.folder / "pending").write_bytes(note)
        _refused_everywhere(log, "somebody put it there")


@pytest.mark.parametrize("index", [0, 1, 3])
def test_a_pending_entry_out_of_place_is_refused(log: ReleaseLog, index: int) -> None:
    digest = entry_of(b"an entry of another time").hex()
    (log.folder / "pending").write_bytes(sign_note(f"sluice pending entry\n{index}\n{digest}\n", ORIGIN, KEY))
    _refused_everywhere(log, "no place")


def test_a_checkpoint_cannot_pass_for_a_pending_entry(log: ReleaseLog) -> None:
    (log.folder / "pending").write_bytes((log.folder / "checkpoint").read_bytes())
    _refused_everywhere(log, "another kind of note")


def test_a_pending_entry_cannot_pass_for_a_checkpoint(log: ReleaseLog) -> None:
    digest = entry_of(NEXT).hex()
    (log.folder / "checkpoint").write_bytes(sign_note(f"sluice pending entry\n0\n{digest}\n", ORIGIN, KEY))
    with pytest.raises(LogError, match="three lines"):
        checked(log.folder)


# --- crashes


class Crash(BaseException):
    """The process is gone: nothing after this reaches the disk."""


STEPS = ("write", "fsync", "ftruncate", "replace", "link", "unlink")


@contextmanager
def crashing_at(step: int, failure: Callable[[], BaseException] = Crash, forever: bool = True) -> Iterator[list[str]]:
    """Every change to the disk counts; number ``step`` does half of its work, and after it none happens."""
    done: list[str] = []
    real = {name: getattr(os, name) for name in STEPS}

    def stand_in(name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            done.append(name)
            if len(done) == step + 1 or (forever and len(done) > step):
                if name == "write" and len(done) == step + 1:
                    real["write"](arguments[0], arguments[1][: len(arguments[1]) // 2])
                raise failure()
            return real[name](*arguments, **options)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in STEPS:
            patch.setattr(os, name, stand_in(name))
        yield done


def steps_of(act: Callable[[], object]) -> int:
    with crashing_at(10**9) as done:
        act()
    return len(done)


def test_an_append_cut_short_at_any_step_loses_nothing(tmp_path: Path) -> None:
    trial = ReleaseLog.create(tmp_path / "trial", ORIGIN, KEY)
    steps = steps_of(lambda: trial.append(NEXT))
    assert steps >= 12
    sizes = []
    for step in range(steps):
        log = ReleaseLog.create(tmp_path / f"log-{step}", ORIGIN, KEY)
        seen = [log.append(envelope).checkpoint for envelope in FIRST][-1]
        with crashing_at(step), pytest.raises(Crash):
            log.append(NEXT)
        stands = (log.folder / "pending").exists() or (log.folder / "entries").stat().st_size == 3 * 65
        assert checked(log.folder, seen).size in (2, 3)  # a reader is never shown a broken log
        found = reopened(log, seen=seen).prove(NEXT)
        assert (found is not None) == stands
        sizes.append(checked(log.folder, seen).size)
        if found is None:
            found = log.append(NEXT)
        assert verified(found, NEXT, 2).size == 3
        assert verified(log.append(b"record four"), b"record four", 3).size == 4
        assert sorted(path.name for path in log.folder.iterdir()) == ["checkpoint", "entries", "lock"]
    assert sizes == sorted(sizes)  # once it stands, it stands
    assert set(sizes) == {2, 3}


@pytest.mark.slow
def test_a_recovery_cut_short_at_any_step_is_recovered_from(tmp_path: Path) -> None:
    trial = ReleaseLog.create(tmp_path / "trial", ORIGIN, KEY)
    for first in range(steps_of(lambda: trial.append(NEXT))):
        for second in range(20):
            log = ReleaseLog.create(tmp_path / f"log-{first}-{second}", ORIGIN, KEY)
            log.append(FIRST[0])
            with crashing_at(first), pytest.raises(Crash):
                log.append(NEXT)
            stands = (log.folder / "pending").exists() or checked(log.folder).size == 2
            recovered = False
            with crashing_at(second):
                try:
                    reopened(log).prove(NEXT)
                    recovered = True
                except Crash:
                    pass
            assert (reopened(log).prove(NEXT) is not None) == stands
            assert checked(log.folder).size == 1 + stands
            if recovered:
                break
        else:
            pytest.fail("recovery takes more steps than were tried")


def test_the_beginning_of_a_line_under_a_pending_entry_is_finished_at_every_length(log: ReleaseLog) -> None:
    line = entry_of(NEXT).hex().encode() + b"\n"
    lines, checkpoint = (log.folder / "entries").read_bytes(), (log.folder / "checkpoint").read_bytes()
    note = sign_note(f"sluice pending entry\n2\n{entry_of(NEXT).hex()}\n", ORIGIN, KEY)
    for length in range(len(line) + 1):
        (log.folder / "entries").write_bytes(lines + line[:length])
        (log.folder / "checkpoint").write_bytes(checkpoint)
        (log.folder / "pending").write_bytes(note)
        assert checked(log.folder).size == 2
        found = reopened(log).prove(NEXT)
        assert found is not None
        assert verified(found, NEXT, 2).size == 3


def test_other_bytes_under_a_pending_entry_are_refused(log: ReleaseLog) -> None:
    lines = (log.folder / "entries").read_bytes()
    (log.folder / "pending").write_bytes(sign_note(f"sluice pending entry\n2\n{entry_of(NEXT).hex()}\n", ORIGIN, KEY))
    for rest in (b"x", entry_of(b"forged").hex().encode() + b"\n", entry_of(NEXT).hex().encode() + b"\nx"):
        (log.folder / "entries").write_bytes(lines + rest)
        _refused_everywhere(log, "bytes beyond the signed entries")


def test_a_log_whose_creation_was_cut_short_can_be_created_again(tmp_path: Path) -> None:
    steps = steps_of(lambda: ReleaseLog.create(tmp_path / "trial", ORIGIN, KEY))
    for step in range(steps):
        folder = tmp_path / f"log-{step}"
        with crashing_at(step), pytest.raises(Crash):
            ReleaseLog.create(folder, ORIGIN, KEY)
        if (folder / "checkpoint").exists():
            log = ReleaseLog(folder, ORIGIN, KEY)
        else:
            log = ReleaseLog.create(folder, ORIGIN, KEY)
        assert log.append(NEXT).index == 0


def test_a_full_disk_at_any_step_is_an_error_and_no_loss(tmp_path: Path) -> None:
    trial = ReleaseLog.create(tmp_path / "trial", ORIGIN, KEY)

    def full() -> OSError:
        return OSError(errno.ENOSPC, "No space left on device")

    for step in range(steps_of(lambda: trial.append(NEXT))):
        log = ReleaseLog.create(tmp_path / f"log-{step}", ORIGIN, KEY)
        log.append(FIRST[0])
        problem = ""
        with crashing_at(step, full, forever=False):
            try:
                log.append(NEXT)
            except LogError as error:
                problem = str(error)
        found = reopened(log).prove(NEXT)
        assert "No space left" in problem or found is not None
        assert verified(found or log.append(NEXT), NEXT, 1).size == 2


def test_after_a_failed_append_the_writer_refuses_to_go_on(log: ReleaseLog) -> None:
    def full() -> OSError:
        return OSError(errno.ENOSPC, "No space left on device")

    with log.writer() as writer:
        with crashing_at(0, full, forever=False), pytest.raises(LogError, match="No space"):
            writer.append(NEXT)
        with pytest.raises(LogError, match="closed"):
            writer.append(NEXT)
    assert log.append(NEXT).index == 2


# --- several writers


def test_a_second_writer_waits_and_then_gives_up(log: ReleaseLog) -> None:
    with log.writer():
        with pytest.raises(LogError, match="another writer"):
            reopened(log, wait=0.05).append(NEXT)
        with pytest.raises(LogError, match="another writer"):
            check_log(log.folder, ORIGIN, KEY.public_key(), wait=0.05)
    assert log.append(NEXT).index == 2


def test_threads_that_write_at_once_each_get_their_own_entry(log: ReleaseLog) -> None:
    proofs: list[tuple[bytes, LogProof]] = []

    def write(name: int) -> None:
        for number in range(5):
            envelope = f"thread {name} record {number}".encode()
            proofs.append((envelope, reopened(log).append(envelope)))

    threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(proof.index for _, proof in proofs) == list(range(2, 22))
    for envelope, proof in proofs:
        verified(proof, envelope, proof.index)
    assert checked(log.folder).size == 22


WRITE = """
import os, sys
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from audit.record.log import ReleaseLog
key = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
log = ReleaseLog(Path(sys.argv[1]), sys.argv[2], key)
for number in range(10):
    log.append(f"process {os.getpid()} record {number}".encode())
"""


@pytest.mark.slow
def test_processes_that_write_at_once_lose_nothing(log: ReleaseLog) -> None:
    command = [sys.executable, "-c", WRITE, str(log.folder), ORIGIN]
    running = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    assert checked(log.folder).size == 22


# --- proofs


def test_a_proof_of_another_envelope_index_or_log_is_refused(log: ReleaseLog) -> None:
    proof = log.append(NEXT)
    key = KEY.public_key()
    for envelope, index, origin in (
        (b"another", 2, ORIGIN),
        (NEXT, 1, ORIGIN),
        (NEXT, 2, "hospital.example/other"),
    ):
        with pytest.raises(VerificationError):
            proof.verify(envelope, index=index, origin=origin, key=key)
    for changed in (
        LogProof(1, 3, proof.hashes, proof.checkpoint),
        LogProof(2, 4, proof.hashes, proof.checkpoint),
        LogProof(2, 3, (), proof.checkpoint),
        LogProof(2, 3, (*proof.hashes, bytes(32)), proof.checkpoint),
        LogProof(2, 3, proof.hashes, Checkpoint(ORIGIN, 3, bytes(32)).sign(KEY)),
    ):
        with pytest.raises(VerificationError):
            changed.verify(NEXT, index=2, origin=ORIGIN, key=key)


def test_a_proof_cannot_claim_another_tree_size_of_the_same_shape(log: ReleaseLog) -> None:
    log.append(NEXT)
    proof = log.prove(FIRST[0])
    assert proof is not None
    # the path from entry 0 looks the same in trees of 3 and of 4
    changed = LogProof(0, 4, proof.hashes, proof.checkpoint)
    with pytest.raises(VerificationError, match="a tree of 4, the checkpoint for 3"):
        changed.verify(FIRST[0], index=0, origin=ORIGIN, key=KEY.public_key())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"version":1', b'"version":2'),
        (b'"version":1', b'"version":true'),
        (b'"index":2', b'"index":"2"'),
        (b'"index":2', b'"index":true'),
        (b'"treeSize":3', b'"treeSize":3,"treeSize":3'),
        (b'"treeSize":3', b'"treeSize":3,"unknown":3'),
        (b'"version":1', b'"versio":1'),
        (b'"hashes":["', b'"hashes":["AAAA","'),
        (b'"hashes":["', b'"hashes":[7,"'),
        (b'"hashes":["', b'"hashes":["' + b'AAAA","' * 70),
        (b'"checkpoint":"', b'"checkpoint":"' + b"x" * 5000),
        (b"{", b"[{"),
        (b"{", b" {"),
    ],
)
def test_a_malformed_proof_file_is_refused(log: ReleaseLog, old: bytes, new: bytes) -> None:
    content = log.append(NEXT).to_bytes()
    assert old in content
    with pytest.raises(VerificationError, match="log proof"):
        LogProof.from_bytes(content.replace(old, new, 1))
