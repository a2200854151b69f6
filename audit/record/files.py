"""How are files read and written so that a link, a race or a crash cannot change the answer?"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

# Windows has neither links to follow by accident nor text mode off by default
_READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_CAREFUL = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


@contextlib.contextmanager
def open_regular(path: Path, error: type[ValueError]) -> Iterator[int]:
    """A read-only descriptor of a regular file; links, devices, pipes and folders are refused with ``error``."""
    try:
        if path.is_symlink():  # where the platform has no O_NOFOLLOW
            raise error(f"{path.name}: is a symbolic link; expected a regular file")
        descriptor = os.open(path, _READ | _CAREFUL)
    except OSError as cause:
        raise error(
            f"{path.name}: cannot be opened as a regular file ({cause.strerror}); check path and rights"
        ) from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise error(f"{path.name}: is not a regular file")
        yield descriptor
    finally:
        os.close(descriptor)


def chunks(descriptor: int, path: Path, *, maximum: int, error: type[ValueError]) -> Iterator[bytes]:
    """The content behind ``descriptor`` in pieces of at most 1 MiB; more than ``maximum`` bytes is refused."""
    seen = 0
    while True:
        try:
            chunk = os.read(descriptor, 1 << 20)
        except OSError as cause:
            raise error(f"{path.name}: cannot be read ({cause.strerror}); check the disk") from None
        if not chunk:
            return
        seen += len(chunk)
        if seen > maximum:
            raise error(f"{path.name}: larger than {maximum} bytes; this is not the file that was expected")
        yield chunk


def read(path: Path, *, maximum: int, error: type[ValueError]) -> bytes:
    """All bytes of a small regular file."""
    with open_regular(path, error) as descriptor:
        return b"".join(chunks(descriptor, path, maximum=maximum, error=error))


def create(path: Path, content: bytes, *, mode: int, error: type[ValueError]) -> None:
    """Write a file that does not exist yet: it appears whole, on disk, or not at all; an existing name is kept."""
    # a link, unlike a rename, never replaces what another process put there meanwhile
    _write_aside(path, content, mode, os.link, error)


def replace(path: Path, content: bytes, *, mode: int, error: type[ValueError]) -> None:
    """Write a file in place of the old one: a reader, or a crash, sees the old bytes or the new, never a mixture."""
    _write_aside(path, content, mode, os.replace, error)


def write_all(descriptor: int, content: bytes) -> None:
    """Every byte, however many calls that takes, and on disk."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
    os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Make names that were added to or removed from ``folder`` durable."""
    if os.name == "nt":
        return  # a folder cannot be opened there; NTFS journals its names
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_aside(
    path: Path, content: bytes, mode: int, publish: Callable[[Path, Path], None], error: type[ValueError]
) -> None:
    aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        descriptor = os.open(aside, _WRITE | getattr(os, "O_NOFOLLOW", 0), mode)
        try:
            write_all(descriptor, content)
        finally:
            os.close(descriptor)
        publish(aside, path)
        aside.unlink(missing_ok=True)
        sync_folder(path.parent)
    except FileExistsError:
        raise error(f"{path.name}: exists already and is not overwritten; choose another name") from None
    except OSError as cause:
        raise error(f"{path.name}: cannot be written ({cause.strerror}); check space, path and rights") from None
    finally:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
