"""Where the passphrase of the private keys comes from: a file, or a terminal; never the command line."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gateway.errors import WorkspaceError

MINIMUM_LENGTH = 12


def read_passphrase(file: Path | None) -> bytes:
    """The passphrase that unlocks an existing workspace.

    Raises
    ------
    WorkspaceError
        There is no file and no terminal to ask on, or the file cannot be read.
    """
    if file is not None:
        return _first_line(file)
    return _ask(confirm=False)


def new_passphrase(file: Path | None) -> bytes:
    """The passphrase for a new workspace, at least 12 characters.

    Raises
    ------
    WorkspaceError
        As for ``read_passphrase``, or it is too short.
    """
    passphrase = _first_line(file) if file is not None else _ask(confirm=True)
    if len(passphrase) < MINIMUM_LENGTH:
        raise WorkspaceError(f"a passphrase needs at least {MINIMUM_LENGTH} characters")
    return passphrase


def _first_line(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.readline(4096).rstrip(b"\r\n")
    except OSError as cause:
        raise WorkspaceError(f"passphrase file {file.name}: cannot be read ({cause.strerror})") from None


def _ask(*, confirm: bool) -> bytes:
    if not sys.stdin.isatty():
        raise WorkspaceError(
            "no passphrase: give --passphrase-file or SLUICE_PASSPHRASE_FILE, or run on a terminal to be asked"
        )
    answer: str = click.prompt("Passphrase of the workspace", hide_input=True, confirmation_prompt=confirm, err=True)
    return answer.encode()
