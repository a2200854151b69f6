"""A log under a new key: one history, old proofs good, witnesses kept, and nothing lost when the power goes."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey as Key

from audit.record.cosignature import cosign
from audit.record.errors import LogError
from audit.record.log import ReleaseLog, accept_cosigned, check_log, read_log
from audit.record.logkey import rotate_log_key
from audit.record.note import Checkpoint

ORIGIN = "hospital.example/releases"
NEXT = Key.from_private_bytes(bytes(range(4, 36)))
WITNESS = Key.from_private_bytes(bytes(range(6, 38)))
AT = datetime(2021, 5, 1, tzinfo=UTC)


def log_of(folder: Path, key: Key) -> ReleaseLog:
    log = ReleaseLog.create(folder, ORIGIN, key)
    log.append(b"one")
    log.append(b"two")
    with log.writer() as writer:
        cosigned = cosign(writer.checkpoint, "regulator.example/w1", WITNESS, AT)
    accept_cosigned(folder, ORIGIN, key.public_key(), cosigned)
    return log


def test_the_head_is_the_same_and_only_the_new_key_signs_it(tmp_path: Path, log_key: Key) -> None:
    log_of(tmp_path / "log", log_key)
    before = check_log(tmp_path / "log", ORIGIN, log_key.public_key())
    rotate_log_key(tmp_path / "log", ORIGIN, log_key, NEXT)
    assert check_log(tmp_path / "log", ORIGIN, NEXT.public_key()) == before
    with pytest.raises(LogError, match="another key"):
        check_log(tmp_path / "log", ORIGIN, log_key.public_key())


def test_proofs_from_before_and_after_hold_and_the_tree_grows_on(tmp_path: Path, log_key: Key) -> None:
    log = log_of(tmp_path / "log", log_key)
    old = log.append(b"three")
    rotate_log_key(tmp_path / "log", ORIGIN, log_key, NEXT)
    new = ReleaseLog(tmp_path / "log", ORIGIN, NEXT).append(b"four")
    before = old.verify(b"three", index=2, origin=ORIGIN, key=log_key.public_key())
    after = new.verify(b"four", index=3, origin=ORIGIN, key=NEXT.public_key())
    assert (before.size, after.size) == (3, 4)
    # what the ledger remembers of the time before, opened under the key of then, still binds the log
    read_log(tmp_path / "log", ORIGIN, NEXT.public_key(), seen=before)
    forked = Checkpoint(ORIGIN, 3, bytes(32))
    with pytest.raises(LogError, match="forked"):
        read_log(tmp_path / "log", ORIGIN, NEXT.public_key(), seen=forked)
    with pytest.raises(LogError, match="older copy"):
        read_log(tmp_path / "log", ORIGIN, NEXT.public_key(), seen=Checkpoint(ORIGIN, 5, bytes(32)))


def test_what_witnesses_have_cosigned_is_kept(tmp_path: Path, log_key: Key) -> None:
    log_of(tmp_path / "log", log_key)
    rotate_log_key(tmp_path / "log", ORIGIN, log_key, NEXT)
    ((_, sighting),) = read_log(tmp_path / "log", ORIGIN, NEXT.public_key()).witnessed
    assert (sighting.witness.key, sighting.checkpoint.size, sighting.at) == (WITNESS.public_key(), 2, AT)


def test_a_rolled_back_log_gets_no_new_key(tmp_path: Path, log_key: Key) -> None:
    log_of(tmp_path / "log", log_key)
    with pytest.raises(LogError, match="older copy"):
        rotate_log_key(tmp_path / "log", ORIGIN, log_key, NEXT, seen=Checkpoint(ORIGIN, 3, bytes(32)))
    check_log(tmp_path / "log", ORIGIN, log_key.public_key())


def test_a_key_that_is_not_the_logs_rotates_nothing(tmp_path: Path, log_key: Key, other_key: Key) -> None:
    log_of(tmp_path / "log", log_key)
    with pytest.raises(LogError, match="another key"):
        rotate_log_key(tmp_path / "log", ORIGIN, other_key, NEXT)
    check_log(tmp_path / "log", ORIGIN, log_key.public_key())


class Crash(BaseException):
    """The power goes."""


def test_an_append_and_a_rotation_cut_short_are_both_finished(
    tmp_path: Path, log_key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = os.replace
    for step in range(6):
        folder = tmp_path / f"log{step}"
        log = log_of(folder, log_key)
        left = step

        def cut(*arguments: Any, **options: Any) -> None:
            nonlocal left
            if left == 0:
                raise Crash
            left -= 1
            genuine(*arguments, **options)

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", cut)
            try:
                log.append(b"three")  # pending, checkpoint
                rotate_log_key(folder, ORIGIN, log_key, NEXT)  # checkpoint, witnessed
            except Crash:
                pass
        rotate_log_key(folder, ORIGIN, log_key, NEXT)
        rotate_log_key(folder, ORIGIN, log_key, NEXT)  # once more does no harm
        state = read_log(folder, ORIGIN, NEXT.public_key())
        assert len(state.entries) == (3 if step else 2)  # an append stands once it is pending
        assert len(state.witnessed) == 1
