"""Where passphrases and PINs of private keys come from: a file, or a terminal; never the command line."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from gateway.errors import WorkspaceError

MINIMUM_LENGTH = 12
PIN_FILE_VARIABLE = "SLUICE_PIN_FILE"
_WORKSPACE = "the workspace"


def read_passphrase(file: Path | None, *, of: str = _WORKSPACE) -> bytes:
    """The passphrase that unlocks an existing workspace, or another key that ``of`` names for the person asked.

    Raises
    ------
    WorkspaceError
        There is no file and no terminal to ask on, or the file cannot be read.
    """
    if file is not None:
        return _first_line(file)
    return _ask(of, confirm=False)


def new_passphrase(file: Path | None, *, of: str = _WORKSPACE) -> bytes:
    """The passphrase for a new workspace or key, at least 12 characters.

    Raises
    ------
    WorkspaceError
        As for ``read_passphrase``, or it is too short.
    """
    passphrase = _first_line(file) if file is not None else _ask(of, confirm=True)
    if len(passphrase) < MINIMUM_LENGTH:
        raise WorkspaceError(f"a passphrase needs at least {MINIMUM_LENGTH} characters")
    return passphrase


def read_pin() -> str:
    """The PIN of a hardware token: the first line of the file that ``SLUICE_PIN_FILE`` names, or asked for.

    Raises
    ------
    WorkspaceError
        There is no such file and no terminal to ask on, or the PIN is no text.
    """
    file = os.environ.get(PIN_FILE_VARIABLE)
    if file is None and not sys.stdin.isatty():
        raise WorkspaceError(
            f"no PIN for the hardware token: set {PIN_FILE_VARIABLE}, or run on a terminal to be asked"
        )
    try:
        if file is not None:
            return _first_line(Path(file)).decode()
    except UnicodeDecodeError:
        raise WorkspaceError(f"the PIN in {PIN_FILE_VARIABLE} is not UTF-8 text") from None
    answer: str = click.prompt("PIN of the hardware token", hide_input=True, err=True)
    return answer


def _first_line(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.readline(4096).rstrip(b"\r\n")
    except OSError as cause:
        raise WorkspaceError(f"passphrase file {file.name}: cannot be read ({cause.strerror})") from None


def _ask(of: str, *, confirm: bool) -> bytes:
    if not sys.stdin.isatty():
        raise WorkspaceError(
            "no passphrase: give --passphrase-file or SLUICE_PASSPHRASE_FILE, or run on a terminal to be asked"
        )
    answer: str = click.prompt(f"Passphrase of {of}", hide_input=True, confirmation_prompt=confirm, err=True)
    return answer.encode()
