"""What every command does the same way: read a policy or dictionary argument, print, fail without a value."""

from __future__ import annotations

import functools
import json
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click

from gateway.exits import Exit

P = ParamSpec("P")
R = TypeVar("R")

FILE = click.Path(dir_okay=False, path_type=Path)
LOCATION = click.STRING  # a path, or a database's URL
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
workspace_option = click.option(
    "--workspace",
    "workspace_folder",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="SLUICE_WORKSPACE",
    default=Path("sluice-workspace"),
    show_default=True,
    show_envvar=True,
    help="The custodian's workspace, made by gateway init.",
)
passphrase_option = click.option(
    "--passphrase-file",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="SLUICE_PASSPHRASE_FILE",
    show_envvar=True,
    help="File whose first line unlocks the workspace's private keys; asked for on a terminal when not given.",
)
data_argument = click.argument("data", type=LOCATION)
dictionary_option = click.option(
    "--dictionary",
    "dictionary_file",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The table's data dictionary (TOML).",
)
policy_option = click.option(
    "--policy", "policy_name", required=True, help="A policy file, or the name of one that ships (gateway policy list)."
)
synthesizer_option = click.option(
    "--synthesizer",
    "settings_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Synthesizer settings (TOML); the measured defaults without it.",
)
quiet_option = click.option("--quiet", "-q", is_flag=True, help="No progress on stderr.")


def failing_cleanly(command: Callable[P, R]) -> Callable[P, R]:
    """Turn every exception into an exit status and a message that holds no cell value.

    Errors written for the caller (the packages' own families) are shown and end with status 2. Anything else is a
    fault: only its class and place in our code are shown, since a library's message may quote the data.
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        as_json = bool(kwargs.get("as_json")) or kwargs.get("output_format") == "json"
        try:
            return command(*args, **kwargs)
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except Exception as cause:  # noqa: BLE001  # the edge of the program: scrub, then exit
            if _written_for_the_caller(cause):
                _say(as_json, type(cause).__name__, str(cause))
                status = Exit.UNUSABLE
            else:
                _say(as_json, "Unexpected", f"{type(cause).__name__} at {_place(cause)}; nothing was released")
                status = Exit.UNEXPECTED
        sys.exit(status)

    return run


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(value, indent=2, allow_nan=False))


def _say(as_json: bool, kind: str, message: str) -> None:
    if as_json:
        print_json({"error": {"kind": kind, "message": message}})
    click.echo(f"Error: {message}", err=True)


def _written_for_the_caller(cause: BaseException) -> bool:
    """Our own error families say what to do and hold no values; a library's errors may."""
    return isinstance(cause, ValueError) and type(cause).__module__.split(".")[0] in (
        "gateway", "policies", "synth", "audit",
    )  # fmt: skip


def _place(cause: BaseException) -> str:
    frames = traceback.extract_tb(cause.__traceback__)
    ours = [
        f for f in frames if any(f"/{package}/" in f.filename for package in ("gateway", "policies", "synth", "audit"))
    ]
    frame = (ours or frames)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"
