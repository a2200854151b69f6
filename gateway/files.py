"""Files and folders that are their owner's alone."""

from __future__ import annotations

from pathlib import Path

from audit.record.files import create
from gateway.errors import OutputError


def write_private(path: Path, content: bytes) -> None:
    """Write a file, mode 0600; it appears whole or not at all.

    Raises
    ------
    OutputError
        The name is taken (nothing is ever overwritten), or the file cannot be written.
    """
    create(path, content, mode=0o600, error=OutputError)


def make_private_folder(path: Path) -> None:
    """Make one folder, mode 0700 whatever the umask.

    Raises
    ------
    FileExistsError
        It exists.
    """
    path.mkdir(mode=0o700)
    path.chmod(0o700)
