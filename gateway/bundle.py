"""The bundle: one folder that appears whole under its name, or not at all (I-10)."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from audit.record.files import sync_folder
from gateway.errors import OutputError
from gateway.files import make_private_folder, write_private

RECORD = "record.dsse.json"
PROOF = "log-proof.json"


def check_output(out: Path) -> None:
    """Refuse, before anything is read, a place where the bundle could not be put.

    Raises
    ------
    OutputError
        ``out`` exists, or its parent is no folder that can be written.
    """
    if out.exists() or out.is_symlink():
        raise OutputError(f"{out.name} exists and is not overwritten; choose another --out")
    parent = out.absolute().parent
    if not parent.is_dir():
        raise OutputError(f"{parent.name or parent}: no such folder; make it first")
    probe = parent / f".{out.name}.{secrets.token_hex(6)}.probe"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError as cause:
        raise OutputError(
            f"{parent.name or parent}: cannot be written ({cause.strerror}); choose another --out or mend its rights"
        ) from None


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """A private folder to prepare a bundle in. It is gone when the block ends, however it ends.

    What a killed process left behind is removed by the next one: a stage whose lock can be taken has no owner.
    """
    _sweep(folder)
    stage = folder / secrets.token_hex(8)
    make_private_folder(stage)
    lock = os.open(stage, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        os.close(lock)


def put(files: dict[str, bytes], stage: Path) -> None:
    """Write the bundle's files into a stage."""
    for name, content in files.items():
        write_private(stage / name, content)


def publish(stage: Path, out: Path) -> None:
    """Move a finished stage to its place: copied beside it, made durable, renamed.

    Raises
    ------
    OutputError
        The place was taken meanwhile, or cannot be written.
    """
    partial = out.absolute().with_name(f".{out.name}.{secrets.token_hex(6)}.partial")
    try:
        make_private_folder(partial)
        for source in sorted(stage.iterdir()):
            write_private(partial / source.name, source.read_bytes())
        check_output(out)
        partial.rename(out.absolute())
        sync_folder(out.absolute().parent)
    except OSError as cause:
        raise OutputError(f"{out.name}: cannot be written ({cause.strerror}); the record is in the workspace") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _sweep(folder: Path) -> None:
    for stage in folder.iterdir():
        descriptor = os.open(stage, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue  # its process is alive
        else:
            shutil.rmtree(stage, ignore_errors=True)
        finally:
            os.close(descriptor)
