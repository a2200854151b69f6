"""A bundle appears whole or not at all, and a killed process leaves nothing behind for long."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.bundle import publish, put, staging
from gateway.errors import OutputError


def test_a_stage_is_private_and_gone_afterwards(tmp_path: Path) -> None:
    with staging(tmp_path) as stage:
        put({"data.csv": b"a\n1\n"}, stage)
        assert stat.S_IMODE(stage.stat().st_mode) == 0o700
        assert stat.S_IMODE((stage / "data.csv").stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == []


def test_a_stage_is_gone_after_a_failure_too(tmp_path: Path) -> None:
    def fail() -> None:
        with staging(tmp_path) as stage:
            put({"data.csv": b"a\n1\n"}, stage)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_swept_and_a_live_stage_is_not(tmp_path: Path) -> None:
    program = f"""
import time
from pathlib import Path
from gateway.bundle import put, staging
with staging(Path({str(tmp_path)!r})) as stage:
    put({{"data.csv": b"rows"}}, stage)
    print("staged", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"staged\n"
            with staging(tmp_path) as mine:
                others = [path for path in tmp_path.iterdir() if path != mine]
                assert len(others) == 1  # its process is alive
        finally:
            process.kill()
    with staging(tmp_path) as mine:
        assert list(tmp_path.iterdir()) == [mine]


def test_publishing_moves_every_file_and_never_replaces(tmp_path: Path) -> None:
    (tmp_path / "staging").mkdir()
    with staging(tmp_path / "staging") as stage:
        put({"a": b"1", "b": b"2"}, stage)
        publish(stage, tmp_path / "bundle")
        assert {path.name: path.read_bytes() for path in (tmp_path / "bundle").iterdir()} == {"a": b"1", "b": b"2"}
        with pytest.raises(OutputError, match="exists"):
            publish(stage, tmp_path / "bundle")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "staging"]


def test_a_full_disk_leaves_no_partial_bundle(tmp_path: Path) -> None:
    """A file size limit stands in for a full disk: the kernel refuses the write in the same place."""
    program = f"""
import resource, signal
from pathlib import Path
from gateway.bundle import publish, put, staging
from gateway.errors import OutputError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
Path({str(tmp_path / "staging")!r}).mkdir()
with staging(Path({str(tmp_path / "staging")!r})) as stage:
    put({{"a": b"1", "b": b"2" * 4096}}, stage)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
    try:
        publish(stage, Path({str(tmp_path / "bundle")!r}))
    except OutputError as cause:
        print(cause)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "cannot be written" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["staging"]
    assert list((tmp_path / "staging").iterdir()) == []
